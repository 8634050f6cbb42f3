//! `stress = { … }`: this machine kept busy.

use super::super::table::{Node, Table};
use crate::profile::model::{FaultDriver, Stress};

/// More cores than any machine has.
const MOST_CORES: u64 = 4096;

pub(super) fn read(node: &Node<'_, '_>) -> FaultDriver {
    let mut stress = Stress::default();
    if let Some(mut table) = node.table("`stress`") {
        stress.cpu = table
            .integer("cpu", 1..=MOST_CORES)
            .map(|cores| cores as u32);
        stress.memory = amount(&mut table, "memory");
        stress.disk = amount(&mut table, "disk");
        let dir = table.take("dir");
        if let Some(node) = &dir {
            stress.dir = node.string().map(|dir| node.cx.beside(&dir));
            if stress.disk.is_none() {
                node.cx
                    .wrong(node.key_place.clone(), "`dir` comes with `disk`");
            }
        }
        let mut keys = table.entries().into_iter().map(|node| node.key);
        if !keys.any(|key| matches!(key, "cpu" | "memory" | "disk")) {
            table.missing("cpu`, `memory` or `disk");
        }
        table.finish();
    }
    FaultDriver::Stress(stress)
}

fn amount(table: &mut Table<'_, '_>, key: &'static str) -> Option<u64> {
    let node = table.take(key)?;
    let bytes = node.bytes()?;
    if bytes == 0 {
        node.wrong(format!("`{key}` must be more than nothing"));
    }
    Some(bytes)
}
