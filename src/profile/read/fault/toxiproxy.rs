//! `toxiproxy = { api, proxy }`: a proxy of a Toxiproxy server.

use super::super::table::Node;
use crate::profile::model::{FaultDriver, Toxic};
use crate::profile::secret::Text;

pub(super) fn read(node: &Node<'_, '_>, toxics: Vec<Toxic>) -> FaultDriver {
    node.wrong("not read yet");
    FaultDriver::Toxiproxy {
        api: Text::default(),
        proxy: String::new(),
        toxics,
    }
}
