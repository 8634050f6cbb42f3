//! `inject`, `revert` and `check`: programs that break something and bring it back.

use std::time::Duration;

use super::super::table::{Node, Table};
use crate::profile::diagnostic::Diagnostic;
use crate::profile::model::{CommandLine, FaultDriver};
use crate::profile::secret::Text;

/// A program is killed after this long, unless said otherwise.
pub(super) const TIMEOUT: Duration = Duration::from_secs(30);

/// Reads what is left of the fault: the programs, and how they are run.
pub(super) fn read(
    table: &mut Table<'_, '_>,
    [inject, revert, check]: [Option<Node<'_, '_>>; 3],
) -> FaultDriver {
    if inject.is_none() {
        table.missing("inject");
    }
    if revert.is_none() {
        table.missing("revert");
    }
    let program = |node: &Node<'_, '_>| CommandLine {
        words: arguments(Some(node)),
        timeout: TIMEOUT,
        ..CommandLine::default()
    };
    FaultDriver::Exec {
        inject: inject.as_ref().map(program).unwrap_or_default(),
        revert: revert.as_ref().map(program).unwrap_or_default(),
        check: check.as_ref().map(program),
    }
}

/// A program and its arguments.
fn arguments(node: Option<&Node<'_, '_>>) -> Vec<Text> {
    let Some(node) = node else {
        return Vec::new();
    };
    if matches!(node.value(), toml::de::DeValue::String(_)) {
        node.cx.report(
            Diagnostic::new(
                format!("`{}` is a list: the program, then its arguments", node.key),
                node.place(),
            )
            .help("write `[\"sh\", \"-c\", \"…\"]` for a line of shell"),
        );
        return Vec::new();
    }
    let nodes = node.list().unwrap_or_default();
    let arguments: Vec<Text> = nodes.iter().filter_map(Node::text).collect();
    if let (Some(program), Some(first)) = (arguments.first(), nodes.first())
        && program.reveal().is_empty()
    {
        first.wrong("the name of the program is empty");
    }
    arguments
}
