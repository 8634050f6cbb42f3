//! A process that was killed, there again: started by a program, or awaited from whoever else looks after it.

use std::io;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use procfs::process::Stat;
use rustix::process::Signal;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use xxhash_rust::xxh64::xxh64;

use super::find;
use super::tree::{self, Identity};
use crate::fault::bearings::Bearings;
use crate::fault::driver::{Done, FaultError};
use crate::fault::hidden::Hidden;
use crate::fault::program::{Line, MARK};
use crate::fault::run::{aside, reap};
use crate::fault::stray;
use crate::fault::tool;
use crate::profile::model::{CommandLine, Which};

/// Between the first two looks at whether it is there; then twice as long each time, since a look costs something.
const LOOK: Duration = Duration::from_millis(25);
/// The longest between two looks.
const SELDOM: Duration = Duration::from_millis(400);

/// A program that starts the process again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Restart {
    #[serde(flatten)]
    line: Line,
    /// Kept out of its environment, whoever's that is.
    #[serde(default, skip_serializing_if = "Hidden::is_empty")]
    hidden: Hidden,
}

/// What was started, for as long as it is waited for.
struct Started {
    /// Nothing when it has ended already.
    process: Option<Identity>,
    ended: oneshot::Receiver<io::Result<ExitStatus>>,
}

impl Restart {
    /// It goes where it would go now, whoever starts it later. It blocks.
    ///
    /// # Errors
    /// When there is no such program.
    pub(super) fn new(line: &CommandLine, hidden: &Hidden) -> Result<Self, FaultError> {
        tool::need("setsid")?;
        let line = Line::of(line)?;
        line.find("restart")?;
        Ok(Self {
            line: line.with_bearings(&Bearings::of_environment(hidden)),
            hidden: hidden.clone(),
        })
    }

    /// Starts it in a session of its own, its streams nowhere: it must outlive stormdeck and its terminal, and hold
    /// nothing of them.
    fn start(&self, killed: Identity) -> Result<Started, FaultError> {
        let withhold = |command: &mut Command| self.hidden.withhold(command);
        let mut command = self.line.command(&["setsid"], withhold)?;
        let child = command
            .env(MARK, mark_of(killed))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| FaultError(format!("{} cannot be started: {error}", self.shown())))?;
        Ok(Started {
            // Before it can be reaped, and its number be given to another.
            process: Identity::of(child.id().cast_signed()),
            ended: reap(child),
        })
    }

    fn shown(&self) -> String {
        let words = self.line.words();
        format!("`{}`", words.first().unwrap_or(&""))
    }
}

/// What was killed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Killed<'a> {
    /// The process.
    pub(super) process: Identity,
    /// Its descendants, when it was looked at.
    pub(super) descendants: &'a [Identity],
    /// A hash of its command line.
    pub(super) line: u64,
    /// The program that it ran.
    pub(super) program: Option<&'a Path>,
}

impl Killed<'_> {
    /// Whether a process may be this one, started again. A person who reads its log, or edits its settings, has its name in
    /// the command line too; what runs the same program, or was `started` in its place, counts.
    fn is_like(self, started: Option<Identity>) -> impl Fn(&Stat) -> bool + Send + 'static {
        let (line, program) = (self.line, self.program.map(Path::to_owned));
        move |stat| {
            program.is_none()
                || find::program(stat.pid) == program
                || hash_of_line(stat.pid) == line
                || started.is_some_and(|started| stat.session == started.pid)
        }
    }
}

/// A hash of the command line of a process.
pub(super) fn hash_of_line(pid: i32) -> u64 {
    let line = find::command_line(pid).unwrap_or_default();
    xxh64(line.as_bytes(), 0)
}

/// Whether what was found is only the program that is to start it, as `pg_ctl start -D /srv/postgres` is where
/// `postgres` is looked for. A server that is started in the foreground is known by the command line of the killed one,
/// or by the one that it has given itself.
fn is_only_the_starter(
    found: Identity,
    started: Option<Identity>,
    restart: Option<&Restart>,
    killed: Killed<'_>,
) -> bool {
    let Some(restart) = restart else {
        return false;
    };
    if started != Some(found) || hash_of_line(found.pid) == killed.line {
        return false;
    }
    let line = find::command_line(found.pid).unwrap_or_default();
    line.ends_with(&restart.line.words().join(" "))
}

/// What is left in the environment of what is started in the place of this one. Whoever brings it back knows it, and no
/// process is killed twice.
pub(super) fn mark_of(killed: Identity) -> String {
    format!("{}-{}.restart", killed.pid, killed.start)
}

/// What was started in the place of a killed process, by whomever, if it lives: the way back may be taken again while that
/// is still on its way.
async fn already_started(killed: Identity) -> Result<Option<Identity>, FaultError> {
    let look = move || {
        let found = stray::carriers(&mark_of(killed))?;
        let found: Vec<Identity> = found
            .into_iter()
            .filter_map(Identity::of)
            .filter(|process| process.lives())
            .collect();
        let heads = |process: &&Identity| {
            let stat = process.stat();
            stat.is_some_and(|stat| stat.session == process.pid)
        };
        Ok(found.iter().find(heads).or(found.first()).copied())
    };
    let found: io::Result<Option<Identity>> = aside("look", look).await.map_err(FaultError::of)?;
    found.map_err(FaultError::of)
}

/// Starts what was killed, if nobody has, and waits until it is found.
pub(super) async fn bring_back(
    blow: Killed<'_>,
    which: &Which,
    restart: Option<&Restart>,
    within: Duration,
) -> Result<Done, FaultError> {
    let killed = blow.process;
    // They may have been stopped for a blow that never fell, on some of them or on all.
    let mut known = vec![killed];
    known.extend(blow.descendants);
    let spared = killed.lives() && !tree::awaits(killed, Signal::KILL);
    known.retain(|process| spared || *process != killed);
    let woken = tree::wake(&known).await;
    if spared {
        woken?;
        return Ok(Done::seen(format!("process {} was not killed", killed.pid)));
    }
    tree::gone(&[killed]).await?;
    let back = start_and_find(blow, which, restart, within).await?;
    // Not before, so that what cannot be woken keeps nobody from starting the other.
    woken.map(|_| back)
}

async fn start_and_find(
    blow: Killed<'_>,
    which: &Which,
    restart: Option<&Restart>,
    within: Duration,
) -> Result<Done, FaultError> {
    let killed = blow.process;
    let begun = Instant::now();
    let mut child: Option<Started> = None;
    let mut started = already_started(killed).await?;
    let mut pause = LOOK;
    loop {
        let why = match find::one_like(which, blow.is_like(started)).await {
            Ok(found) if is_only_the_starter(found, started, restart, blow) => {
                "only that is there".to_owned()
            }
            Ok(found) if found != killed => {
                return Ok(Done::seen(format!("process {} is there", found.pid)));
            }
            Ok(_) => "it is not gone".to_owned(),
            Err(error) => error.to_string(),
        };
        match (&mut child, restart) {
            (None, Some(restart)) if !started.is_some_and(Identity::lives) => {
                let new = restart.start(killed)?;
                started = new.process;
                child = Some(new);
            }
            (Some(running), Some(restart)) => {
                if let Ok(Ok(status)) = running.ended.try_recv()
                    && !status.success()
                {
                    let shown = restart.shown();
                    return Err(FaultError(format!("{shown} did not start it: {status}")));
                }
            }
            (None, Some(_)) | (_, None) => {}
        }
        if begun.elapsed() >= within {
            let by = match restart {
                Some(restart) => format!("{} was run, but", restart.shown()),
                None => "nothing has started it again".to_owned() + ":",
            };
            return Err(FaultError(format!(
                "{by} {why}, {} s later",
                within.as_secs()
            )));
        }
        tokio::time::sleep(pause).await;
        pause = (2 * pause).min(SELDOM);
    }
}
