//! `proxy = { listen, upstream }`: the built-in TCP proxy.

use super::super::check;
use super::super::table::Node;
use crate::profile::model::{FaultDriver, Toxic};
use crate::profile::secret::Text;

pub(super) fn read(node: &Node<'_, '_>, toxics: Vec<Toxic>) -> FaultDriver {
    let mut driver = (String::new(), String::new());
    if let Some(mut table) = node.table("`proxy`") {
        if let Some(node) = table.need("listen")
            && let Some((_, address)) = check::host_port(&node)
        {
            driver.0 = address;
        }
        if let Some(node) = table.need("upstream")
            && let Some((host, address)) = check::host_port(&node)
        {
            check::allowed(&node, &host, &Text::default());
            driver.1 = address;
        }
        table.finish();
    }
    FaultDriver::Proxy {
        listen: driver.0,
        upstream: driver.1,
        toxics,
    }
}
