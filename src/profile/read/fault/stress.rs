//! `stress = { … }`: this machine kept busy.

use super::super::table::Node;
use crate::profile::model::{FaultDriver, Stress};

pub(super) fn read(node: &Node<'_, '_>) -> FaultDriver {
    node.wrong("not read yet");
    FaultDriver::Stress(Stress::default())
}
