//! `stormdeck ls`: running and recorded sessions.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::pick::DirArgs;
use super::tell;
use crate::session::dir::{Condition, Listed};

/// List running and recorded sessions, newest first.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    dir: DirArgs,
}

/// Runs the command.
pub fn run(args: &Args) -> ExitCode {
    let listed = args
        .dir
        .sessions()
        .and_then(|sessions| sessions.list().map(|listed| (sessions.dir, listed)));
    match listed {
        Ok((dir, listed)) if listed.is_empty() => {
            tell(&format!("no sessions in `{}`", dir.display()));
            ExitCode::SUCCESS
        }
        // A pipe that was closed is no error, and a terminal that is gone cannot be told.
        Ok((_, listed)) => {
            let _ = print(&listed, &mut io::stdout().lock());
            hint(&listed);
            ExitCode::SUCCESS
        }
        Err(error) => {
            tell(&format!("stormdeck: {error}"));
            ExitCode::from(2)
        }
    }
}

/// What can be done with those that are running; on standard error, since it is no part of the list.
fn hint(listed: &[Listed]) {
    let running = |session: &&Listed| session.condition == Condition::Running;
    if let Some(session) = listed.iter().find(running) {
        let name: String = session.name.chars().filter(|c| !c.is_control()).collect();
        tell(&format!(
            "\n`stormdeck attach {name}` looks on, `stormdeck ctl {name} WORDS` drives it, `stormdeck stop {name}` ends it"
        ));
    }
}

/// One line a session, in columns.
fn print(listed: &[Listed], out: &mut impl Write) -> io::Result<()> {
    let head = ["SESSION", "WINDOW", "BEGAN", "LENGTH", "STATE", "SIZE"].map(str::to_owned);
    let rows: Vec<[String; 6]> = std::iter::once(head)
        .chain(listed.iter().map(row))
        .collect();
    let width = |column: usize| {
        let widths = rows.iter().map(|row| row[column].chars().count());
        widths.max().unwrap_or(0)
    };
    let widths: [usize; 6] = std::array::from_fn(width);
    for row in &rows {
        let cells = row
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:width$}"));
        let line = cells.collect::<Vec<_>>().join("  ");
        writeln!(out, "{}", line.trim_end())?;
    }
    out.flush()
}

fn row(session: &Listed) -> [String; 6] {
    let began = i64::try_from(session.wall)
        .ok()
        .and_then(|wall| Timestamp::from_microsecond(wall).ok());
    let began = began.map(|began| {
        let local = began.to_zoned(TimeZone::system());
        local.strftime("%Y-%m-%d %H:%M:%S").to_string()
    });
    // A name from a file may hold anything; a terminal must not act on it.
    let window = session.window.chars().filter(|c| !c.is_control()).collect();
    [
        session.name.chars().filter(|c| !c.is_control()).collect(),
        window,
        began.unwrap_or_default(),
        length(session.length),
        session.condition.name().to_owned(),
        size(session.bytes),
    ]
}

/// `01:02:03`.
fn length(length: Duration) -> String {
    let seconds = length.as_secs();
    format!(
        "{:02}:{:02}:{:02}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )
}

/// `1.5 MiB`.
fn size(bytes: u64) -> String {
    let mut value = bytes as f64;
    for unit in ["B", "KiB", "MiB"] {
        if value < 1024.0 {
            let places = usize::from(unit != "B" && value < 10.0);
            return format!("{value:.places$} {unit}");
        }
        value /= 1024.0;
    }
    format!("{value:.1} GiB")
}
