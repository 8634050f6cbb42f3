//! Small programs of the system, asked one after the other: `tc`, `ip`.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tokio::sync::Mutex;

use super::driver::FaultError;
use super::program::{cannot_run, is_there};
use super::run;
use super::said::{clean, quoted};
use crate::profile::Redactor;

/// Longer than any of them takes.
const LIMIT: Duration = Duration::from_secs(10);
/// Where the system keeps programs that an ordinary user's `PATH` may leave out.
const SYSTEM: &str = ":/usr/sbin:/sbin";

fn search_path() -> OsString {
    let mut path = std::env::var_os("PATH").unwrap_or_default();
    path.push(SYSTEM);
    path
}

/// Refuses a program that is not there.
///
/// # Errors
/// With a sentence that names it.
pub(super) fn need(name: &str) -> Result<(), FaultError> {
    if is_there(name, &search_path(), Path::new(".")) {
        Ok(())
    } else {
        Err(FaultError(format!(
            "there is no program `{name}` that can be run"
        )))
    }
}

/// One runs at a time, to its end: what looks at the network never does so before what was about to change it.
static TURN: Mutex<()> = Mutex::const_new(());

/// What a program printed. Its arguments are never read by a shell. Dropping this gives up waiting, not the program,
/// which may be about to do what it was asked for; the next one waits until it has ended. It is ended when the event loop
/// itself goes.
///
/// # Errors
/// When it is not there, fails, or does not come to an end; with what it said.
pub(super) async fn run<S: AsRef<OsStr>>(
    name: &str,
    arguments: &[S],
) -> Result<String, FaultError> {
    let mut command = Command::new(name);
    command
        .args(arguments)
        .env("PATH", search_path())
        .env("LC_ALL", "C");
    let words: Vec<_> = arguments
        .iter()
        .map(|word| word.as_ref().to_string_lossy())
        .collect();
    let shown = format!("`{name} {}`", words.join(" "));
    let fails = |error: std::io::Error| cannot_run(&shown, &error.to_string());
    let turn = TURN.lock().await;
    let running = run::ask(command, LIMIT).map_err(fails)?;
    let to_its_end = tokio::spawn(async move {
        let ended = running.end().await;
        drop(turn);
        ended
    });
    let output = to_its_end.await.map_err(FaultError::of)?.map_err(fails)?;
    let Some(how) = output.end.failure(LIMIT) else {
        return Ok(String::from_utf8_lossy(&output.said).into_owned());
    };
    let said = quoted(&clean(&output.complaint, &Redactor::default()));
    Err(FaultError(match (output.end, &said[..]) {
        (run::End::Late | run::End::Stuck, _) | (_, "") => format!("{shown} {how}"),
        (_, said) => format!("{shown} failed: {said}"),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::timeout;

    #[tokio::test]
    async fn what_was_given_up_ends_before_the_next_one_begins() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("added");
        let script = format!("sleep 0.3; echo done > {}", file.display());
        let add = ["-c", &script];
        let given_up = timeout(Duration::from_millis(50), run("sh", &add)).await;
        assert!(given_up.is_err());
        let seen = run("cat", &[&file]).await.unwrap();
        assert_eq!(seen, "done\n");
    }

    #[tokio::test]
    async fn what_a_program_says_is_told() {
        let said = run("sh", &["-c", "echo no >&2; exit 2"]).await.unwrap_err();
        assert!(said.0.ends_with("failed: no"), "{said}");
        assert_eq!(run("echo", &["a"]).await.unwrap(), "a\n");
        let said = run("no-such-program-48127", &["a"]).await.unwrap_err();
        assert!(said.0.contains("cannot be run"), "{said}");
    }

    #[tokio::test]
    async fn what_it_answers_is_read_whole_and_without_its_complaints() {
        let script = "echo no >&2; head -c 300000 /dev/zero | tr '\\0' x; echo; echo no >&2";
        let said = run("sh", &["-c", script]).await.unwrap();
        assert_eq!(said, format!("{}\n", "x".repeat(300_000)));
        let said = run("sh", &["-c", "exit 2"]).await.unwrap_err();
        assert_eq!(said.0, "`sh -c exit 2` ended with status 2");
    }
}
