//! `network = { … }`: the network of this machine.

use super::super::table::Node;
use crate::profile::model::{FaultDriver, Network};

pub(super) fn read(node: &Node<'_, '_>) -> FaultDriver {
    node.wrong("not read yet");
    FaultDriver::Network(Network::Blackhole { hosts: Vec::new() })
}
