//! Small programs of the system, run to their end: `tc`, `ip`.

use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use rustix::fs::{Access, access};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::driver::FaultError;

/// Longer than any of them takes.
const LIMIT: Duration = Duration::from_secs(10);
/// How long one that was killed may take to be gone.
const DEATH: Duration = Duration::from_secs(2);
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

/// One runs at a time, to its end: what looks at the network never does so before what was about to change it.
static TURN: Mutex<()> = Mutex::const_new(());

/// What a program printed. Its arguments are never read by a shell. Dropping this gives up waiting, not the program,
/// which may be about to do what it was asked for; the next one waits until it has ended.
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
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // When the event loop itself goes.
        .kill_on_drop(true);
    let words: Vec<_> = arguments
        .iter()
        .map(|word| word.as_ref().to_string_lossy())
        .collect();
    let shown = format!("`{name} {}`", words.join(" "));
    let turn = TURN.lock().await;
    let running = tokio::spawn(async move {
        let ended = to_its_end(command).await;
        drop(turn);
        ended
    });
    let output = match running.await.map_err(FaultError::of)? {
        Ok(Some(output)) => output,
        Ok(None) => {
            let limit = LIMIT.as_secs();
            return Err(FaultError(format!("{shown} did not end within {limit} s")));
        }
        Err(error) => return Err(FaultError(format!("{shown} cannot be run: {error}"))),
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
        "" => format!("{shown} failed: {}", output.status),
        said => format!("{shown} failed: {said}"),
    }))
}

/// Runs a program until it has ended, by itself or by force; nothing when it had to be killed.
async fn to_its_end(mut command: Command) -> io::Result<Option<Output>> {
    let mut child = command.spawn()?;
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let all = async {
        let (status, out, err) =
            tokio::join!(child.wait(), read(out, &mut stdout), read(err, &mut stderr));
        out.and(err)?;
        status
    };
    let Ok(status) = timeout(LIMIT, all).await else {
        child.start_kill()?;
        // One that the kernel does not let go is not waited for any longer.
        let _ = timeout(DEATH, child.wait()).await;
        return Ok(None);
    };
    let status = status?;
    Ok(Some(Output {
        status,
        stdout,
        stderr,
    }))
}

async fn read(from: Option<impl AsyncRead + Unpin>, into: &mut Vec<u8>) -> io::Result<usize> {
    match from {
        Some(mut from) => from.read_to_end(into).await,
        None => Ok(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
