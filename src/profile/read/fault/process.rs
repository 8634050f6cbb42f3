//! `process = { … }`: something done to a running process.

use std::time::Duration;

use super::super::check;
use super::super::table::{Node, Table};
use super::exec;
use crate::profile::model::{CommandLine, FaultDriver, ProcessAct, Which};
use crate::profile::secret::Text;
use crate::profile::units::Ratio;

/// What was killed must be there again after this long, unless said otherwise.
const WITHIN: Duration = Duration::from_secs(30);

pub(super) fn read(node: &Node<'_, '_>) -> FaultDriver {
    let mut driver = FaultDriver::Process {
        which: Which::Port(0),
        act: ProcessAct::Pause,
    };
    if let Some(mut table) = node.table("`process`") {
        let which = which(&mut table);
        let act = act(&mut table);
        table.finish();
        if let (Some(which), Some(act)) = (which, act) {
            driver = FaultDriver::Process { which, act };
        }
    }
    driver
}

/// The one key that says which.
fn which(table: &mut Table<'_, '_>) -> Option<Which> {
    let node = one_of(
        table,
        &["pid_file", "port", "command"],
        "a process is named in one way",
    )?;
    match node.key {
        "pid_file" => Some(Which::PidFile(node.cx.beside(&node.string()?))),
        "port" => Some(Which::Port(node.integer(1..=65_535)? as u16)),
        _ => {
            let pattern = node.string()?;
            check::regex(&node, &pattern);
            if pattern.trim().is_empty() {
                node.wrong("`command` fits every process");
            }
            Some(Which::Command(pattern))
        }
    }
}

/// The one key that says what is done, and what goes with it.
fn act(table: &mut Table<'_, '_>) -> Option<ProcessAct> {
    let restart = table.take("restart");
    let within = table.take("within");
    let node = one_of(
        table,
        &["pause", "kill", "cpu"],
        "one thing is done to a process",
    )?;
    for foreign in [&restart, &within].into_iter().flatten() {
        if node.key != "kill" {
            let message = format!(
                "`{}` comes with `kill`, not with `{}`",
                foreign.key, node.key
            );
            foreign.cx.wrong(foreign.key_place.clone(), message);
        }
    }
    if matches!(node.key, "pause" | "kill") && node.boolean() == Some(false) {
        node.wrong(format!("`{} = false` does nothing", node.key));
    }
    match node.key {
        "pause" => Some(ProcessAct::Pause),
        "kill" => Some(ProcessAct::Kill {
            restart: restart.as_ref().map(program),
            within: within.and_then(|node| node.positive()).unwrap_or(WITHIN),
        }),
        _ => {
            let share: Ratio = node.parse()?;
            if share.0 < 0.01 {
                node.wrong("`cpu` must be at least 1%: the kernel gives no less");
            }
            Some(ProcessAct::Cpu { share })
        }
    }
}

/// The program and its arguments.
fn program(node: &Node<'_, '_>) -> CommandLine {
    let nodes = node.list().unwrap_or_default();
    let mut words: Vec<Text> = Vec::new();
    for node in &nodes {
        let Some(text) = node.text() else { continue };
        exec::no_secret(node, &text, "let the program read it from a file");
        words.push(text);
    }
    if let (Some(program), Some(first)) = (words.first(), nodes.first())
        && program.reveal().is_empty()
    {
        first.wrong("the name of the program is empty");
    }
    CommandLine {
        words,
        timeout: exec::TIMEOUT,
        ..CommandLine::default()
    }
}

/// The one of these keys that must be there.
fn one_of<'c, 'a>(
    table: &mut Table<'c, 'a>,
    keys: &[&'static str],
    rule: &str,
) -> Option<Node<'c, 'a>> {
    let mut found: Vec<Node<'c, 'a>> = keys.iter().filter_map(|key| table.take(key)).collect();
    if let [first, second, ..] = &found[..] {
        let message = format!("`{}` beside `{}`: {rule}", second.key, first.key);
        second.cx.wrong(second.key_place.clone(), message);
    }
    if found.is_empty() {
        let (last, others) = keys.split_last().unwrap_or((&"", &[]));
        table.missing(&format!("{}` or `{last}", others.join("`, `")));
        return None;
    }
    Some(found.swap_remove(0))
}
