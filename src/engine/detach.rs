//! An engine in a process of its own, which outlives the terminal that it was started from.
//!
//! The starting side calls [`spawn`] and gets the session's path once the window begins, or what keeps it from
//! beginning. The engine's side calls [`leave_terminal`] first, [`Handshake::begin`] when it is ready, and from then on
//! has no terminal, no standard streams, and nobody to wait for.
//!
//! ```text
//! stormdeck run PROFILE ──spawns──▶ stormdeck engine PROFILE …        setsid, streams to /dev/null
//!        ◀──── {"session": PATH} on standard output, once ────        or a sentence on standard error and exit code 2
//! ```

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

/// The hidden subcommand that is an engine.
pub const COMMAND: &str = "engine";

/// What an engine says once it is ready.
#[derive(Debug, Serialize, Deserialize)]
struct Ready {
    session: PathBuf,
}

/// Why no engine was started.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// The process could not be started.
    #[error("the engine could not be started: {0}")]
    Start(#[from] io::Error),
    /// It started, and says why the window cannot begin.
    #[error("{0}")]
    Refused(String),
}

/// Starts `program engine ARGS…` in a session of its own and waits until its window begins. Gives the path of the
/// recording. The engine goes on whatever happens to this process.
///
/// # Errors
/// When it does not start, or says why its window cannot begin.
pub fn spawn(
    program: &Path,
    args: impl IntoIterator<Item = OsString>,
) -> Result<PathBuf, SpawnError> {
    let mut child = Command::new(program)
        .arg(COMMAND)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let (Some(out), Some(mut err)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(io::Error::other("its streams are not there").into());
    };
    let mut said = String::new();
    BufReader::new(out).read_line(&mut said)?;
    if let Ok(ready) = serde_json::from_str::<Ready>(&said) {
        // It becomes nobody's child when this process ends, and is reaped here if it ends first.
        let reap = move || child.wait();
        let _ = std::thread::Builder::new().name("reap".into()).spawn(reap);
        return Ok(ready.session);
    }
    let mut why = String::new();
    err.read_to_string(&mut why)?;
    child.wait()?;
    Err(SpawnError::Refused(match why.trim() {
        "" => "the engine ended without a word".into(),
        why => why.to_owned(),
    }))
}

/// The streams to whoever started this engine, until the window begins.
#[derive(Debug)]
pub struct Handshake {
    out: File,
    err: File,
}

/// Leaves the terminal: a session of its own, so that no hang-up reaches it, and standard streams that lead nowhere,
/// so that no process that it starts holds on to those of its starter.
///
/// # Errors
/// When the system refuses.
pub fn leave_terminal() -> io::Result<Handshake> {
    // Refused to the leader of a process group, which a person who tries this by hand starts; it then stays in the
    // terminal's session.
    let _ = rustix::process::setsid();
    let kept = |stream| rustix::io::fcntl_dupfd_cloexec(stream, 3).map(File::from);
    let handshake = Handshake {
        out: kept(rustix::stdio::stdout())?,
        err: kept(rustix::stdio::stderr())?,
    };
    let nowhere = File::options().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdin(&nowhere)?;
    rustix::stdio::dup2_stdout(&nowhere)?;
    rustix::stdio::dup2_stderr(&nowhere)?;
    Ok(handshake)
}

impl Handshake {
    /// Says that the window begins and lets go. A starter that is gone already is no reason not to begin.
    ///
    /// # Errors
    /// When the path cannot be said: it is not UTF-8. The starter was told.
    pub fn begin(mut self, session: &Path) -> io::Result<()> {
        let ready = Ready {
            session: session.to_owned(),
        };
        match serde_json::to_vec(&ready) {
            Ok(mut line) => {
                line.push(b'\n');
                let _ = self.out.write_all(&line);
                Ok(())
            }
            Err(error) => {
                self.refuse(&error.to_string());
                Err(error.into())
            }
        }
    }

    /// Says why it does not, and lets go.
    pub fn refuse(mut self, why: &str) {
        let _ = writeln!(self.err, "{why}");
    }
}
