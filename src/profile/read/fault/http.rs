//! `http = { inject, revert, check }`: requests that break something and bring it back.

use super::super::table::Node;
use crate::profile::model::FaultDriver;

pub(super) fn read(node: &Node<'_, '_>) -> FaultDriver {
    node.wrong("not read yet");
    FaultDriver::Http {
        inject: Vec::new(),
        revert: Vec::new(),
        check: None,
    }
}
