//! `process = { … }`: something done to a running process.

use super::super::table::Node;
use crate::profile::model::{FaultDriver, ProcessAct, Which};

pub(super) fn read(node: &Node<'_, '_>) -> FaultDriver {
    node.wrong("not read yet");
    FaultDriver::Process {
        which: Which::Port(0),
        act: ProcessAct::Pause,
    }
}
