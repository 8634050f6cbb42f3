//! Small programs of the system, run to their end: `tc`, `ip`.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::fs::{Access, access};
use tokio::process::Command;

use super::driver::FaultError;

/// Longer than any of them takes.
const LIMIT: Duration = Duration::from_secs(10);
/// Of what a program says, so much is told, bytes.
const TOLD: usize = 300;
/// Where the system keeps programs that an ordinary user's `PATH` may leave out.
const SYSTEM: &str = "/usr/sbin:/sbin";

fn search_path() -> String {
    let path = std::env::var("PATH").unwrap_or_default();
    format!("{path}:{SYSTEM}")
}

/// Refuses a program that is not there.
///
/// # Errors
/// With a sentence that names it.
pub(super) fn need(name: &str) -> Result<(), FaultError> {
    let is_there = |path: &Path| path.is_file() && access(path, Access::EXEC_OK).is_ok();
    let path = search_path();
    let found = if name.contains('/') {
        is_there(Path::new(name))
    } else {
        std::env::split_paths(&path).any(|dir| is_there(&dir.join(name)))
    };
    if found {
        Ok(())
    } else {
        Err(FaultError(format!(
            "there is no program `{name}` that can be run"
        )))
    }
}

/// What a program printed. Its arguments are never read by a shell.
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
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let shown = || {
        let words: Vec<_> = arguments
            .iter()
            .map(|word| word.as_ref().to_string_lossy())
            .collect();
        format!("`{name} {}`", words.join(" "))
    };
    let output = match tokio::time::timeout(LIMIT, command.output()).await {
        Ok(Ok(output)) => output,
        Ok(Err(error)) => return Err(FaultError(format!("{} cannot be run: {error}", shown()))),
        Err(_) => {
            let limit = LIMIT.as_secs();
            return Err(FaultError(format!(
                "{} did not end within {limit} s",
                shown()
            )));
        }
    };
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = said
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let said: String = lines.join("; ").chars().take(TOLD).collect();
    Err(FaultError(match &said[..] {
        "" => format!("{} failed: {}", shown(), output.status),
        said => format!("{} failed: {said}", shown()),
    }))
}
