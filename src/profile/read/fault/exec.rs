//! `inject`, `revert` and `check`: programs that break something and bring it back.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::super::table::{Node, Table};
use crate::profile::diagnostic::Diagnostic;
use crate::profile::model::{CommandLine, FaultDriver};
use crate::profile::secret::Text;

/// A program is killed after this long, unless said otherwise.
pub(super) const TIMEOUT: Duration = Duration::from_secs(30);

/// How the programs of a fault are run: `shell`, `timeout`, `env`, `dir`.
#[derive(Default)]
pub(super) struct How {
    shell: bool,
    timeout: Option<Duration>,
    env: BTreeMap<String, Text>,
    dir: Option<PathBuf>,
}

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
    let how = how(table);
    let program = |node: &Node<'_, '_>| command(node, &how);
    FaultDriver::Exec {
        inject: inject.as_ref().map(program).unwrap_or_default(),
        revert: revert.as_ref().map(program).unwrap_or_default(),
        check: check.as_ref().map(program),
    }
}

/// The keys that say how programs are run.
pub(super) fn how(table: &mut Table<'_, '_>) -> How {
    How {
        shell: table.boolean("shell").unwrap_or(false),
        timeout: table.positive("timeout"),
        env: env(table),
        dir: table.take("dir").and_then(|node| dir(&node)),
    }
}

/// One program: a list, or a line of shell if that was asked for.
pub(super) fn command(node: &Node<'_, '_>, how: &How) -> CommandLine {
    let line = matches!(node.value(), toml::de::DeValue::String(_));
    CommandLine {
        words: if line && how.shell {
            script(node).into_iter().collect()
        } else {
            arguments(node)
        },
        shell: line && how.shell,
        env: how.env.clone(),
        dir: how.dir.clone(),
        timeout: how.timeout.unwrap_or(TIMEOUT),
    }
}

fn script(node: &Node<'_, '_>) -> Option<Text> {
    let text = node.text()?;
    if text.reveal().trim().is_empty() {
        node.wrong("there is nothing to run");
    }
    no_zero(node, &text);
    no_secret(node, &text, INTO_ENV);
    Some(text)
}

/// A program and its arguments.
fn arguments(node: &Node<'_, '_>) -> Vec<Text> {
    if matches!(node.value(), toml::de::DeValue::String(_)) {
        node.cx.report(
            Diagnostic::new(
                format!("`{}` is a list: the program, then its arguments", node.key),
                node.place(),
            )
            .help("write `[\"program\", \"argument\"]`, or add `shell = true` for a line of shell"),
        );
        return Vec::new();
    }
    let nodes = node.list().unwrap_or_default();
    let mut arguments = Vec::new();
    for node in &nodes {
        let Some(text) = node.text() else { continue };
        no_zero(node, &text);
        no_secret(node, &text, INTO_ENV);
        arguments.push(text);
    }
    if let (Some(program), Some(first)) = (arguments.first(), nodes.first())
        && program.reveal().is_empty()
    {
        first.wrong("the name of the program is empty");
    }
    arguments
}

/// Variables for the programs, which may hold secrets.
fn env(table: &mut Table<'_, '_>) -> BTreeMap<String, Text> {
    let Some(table) = table.take("env").and_then(|node| node.table("`env`")) else {
        return BTreeMap::new();
    };
    let mut env = BTreeMap::new();
    for node in table.entries() {
        if node.key.is_empty() || node.key.contains(['=', '\0']) {
            let message = format!("`{}` is not the name of a variable", node.key);
            node.cx.wrong(node.key_place.clone(), message);
        }
        if let Some(text) = node.text() {
            no_zero(&node, &text);
            env.insert(node.key.to_owned(), text);
        }
    }
    env
}

/// A folder, relative to the profile's. It may come to be later.
fn dir(node: &Node<'_, '_>) -> Option<PathBuf> {
    let path = node.string()?;
    if path.is_empty() {
        node.wrong("the name of the folder is empty");
        return None;
    }
    Some(node.cx.beside(&path))
}

/// Where a secret goes that a program needs.
const INTO_ENV: &str = "put it into `env`, as `env = { TOKEN = \"${secret:TOKEN}\" }`, and let the program read the variable";

/// Refuses a secret among the words of a program.
pub(super) fn no_secret(node: &Node<'_, '_>, text: &Text, help: &str) {
    if text.is_secret() {
        node.cx.report(
            Diagnostic::new(
                "a secret cannot be an argument: every user of the machine can read those of a running program",
                node.place(),
            )
            .help(help),
        );
    }
}

fn no_zero(node: &Node<'_, '_>, text: &Text) {
    if text.reveal().contains('\0') {
        node.wrong("programs cannot be given a zero byte");
    }
}
