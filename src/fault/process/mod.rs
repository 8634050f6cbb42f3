//! Something done to a running process of this machine: it stands still, it is killed, it gets little CPU.
//!
//! In: how the process is found, and what is done. Out: signals, or a cgroup, and the way back. What is done is done to
//! the process *and its descendants*, as they are when it is done: servers such as nginx and `PostgreSQL` do their work in
//! children, which would go on serving without their parent; its process group may hold the shell of a person. The
//! invariant: a process is known by its number and the moment it began, so a number that was given to another is never
//! touched; and neither stormdeck nor anything that it was started by ever is.

mod cgroup;
mod find;
mod restart;
mod tree;

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use self::cgroup::Quota;
use self::restart::{Killed, Restart};
pub use self::tree::Identity;
use super::driver::{Doing, Done, Driver, FaultError};
use super::hidden::Hidden;
use super::run::aside;
use super::undo::Undo;
use crate::profile::Secrets;
use crate::profile::model::{CommandLine, ProcessAct, Which};

/// A fault on a process.
#[derive(Debug, Clone, PartialEq)]
pub struct ProcessFault {
    which: Which,
    act: ProcessAct,
    hidden: Hidden,
}

/// The way back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "snake_case")]
pub enum ProcessUndo {
    /// They go on.
    Pause {
        /// The process.
        root: Identity,
        /// Its descendants, when it was looked at.
        descendants: Vec<Identity>,
    },
    /// It is there again, started by `restart` or by someone else.
    Kill {
        /// The process that is killed.
        root: Identity,
        /// Its descendants, when it was looked at.
        #[serde(default)]
        descendants: Vec<Identity>,
        /// A hash of its command line, which may hold a secret.
        line: u64,
        /// The program that it ran; nothing when that is not known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        program: Option<PathBuf>,
        /// How the one that takes its place is found.
        which: Which,
        /// Starts it; without one somebody else does.
        restart: Option<Box<Restart>>,
        /// It must be found within this time.
        within: Duration,
    },
    /// They go back to the cgroup that they were in.
    Cpu {
        /// The process.
        root: Identity,
        /// The cgroup that limits it.
        quota: Quota,
    },
}

impl ProcessFault {
    /// A fault on the process that is found by `which`.
    pub fn new(which: Which, act: ProcessAct) -> Self {
        Self {
            which,
            act,
            hidden: Hidden::default(),
        }
    }

    /// Keeps these secrets from what starts a process again, unless its own variables hold them.
    #[must_use]
    pub fn hiding(mut self, secrets: &Secrets) -> Self {
        self.hidden = Hidden::from(secrets);
        self
    }

    async fn restart(&self, line: &CommandLine) -> Result<Restart, FaultError> {
        let (line, hidden) = (line.clone(), self.hidden.clone());
        let find = move || Restart::new(&line, &hidden);
        aside("find", find).await.map_err(FaultError::of)?
    }

    async fn way_back(&self) -> Result<Undo, FaultError> {
        let root = find::one(&self.which).await?;
        find::without_stormdeck(tree::of(root).await?).await?;
        Ok(Undo::Process(match &self.act {
            ProcessAct::Pause => ProcessUndo::Pause {
                root,
                descendants: tree::running(root).await?.split_off(1),
            },
            ProcessAct::Kill { restart, within } => ProcessUndo::Kill {
                root,
                descendants: tree::running(root).await?.split_off(1),
                line: restart::hash_of_line(root.pid),
                program: find::program(root.pid),
                which: wherever_one_stands(&self.which)?,
                restart: match restart {
                    Some(line) => Some(Box::new(self.restart(line).await?)),
                    None => None,
                },
                within: *within,
            },
            ProcessAct::Cpu { share } => ProcessUndo::Cpu {
                root,
                quota: Quota::prepare(root, *share).await?,
            },
        }))
    }
}

impl Driver for ProcessFault {
    fn prepare(&self) -> Doing<'_, Undo> {
        Box::pin(self.way_back())
    }

    fn inject<'a>(&'a self, undo: &'a Undo) -> Doing<'a, Done> {
        Box::pin(async move {
            match undo {
                Undo::Process(way) => way.inject().await,
                _ => Err(Undo::foreign()),
            }
        })
    }
}

impl ProcessUndo {
    async fn inject(&self) -> Result<Done, FaultError> {
        match self {
            Self::Pause { root, .. } => {
                let stopped = tree::stop(*root).await?;
                Ok(Done::seen(format!(
                    "{} stand still",
                    told(*root, stopped.len())
                )))
            }
            Self::Kill { root, .. } => {
                // They are stopped first: nothing is born between the look and the blow.
                let doomed = tree::stop(*root).await?;
                tree::signal_all(&doomed, rustix::process::Signal::KILL)?;
                tree::gone(&doomed).await?;
                Ok(Done::seen(format!(
                    "{} are gone",
                    told(*root, doomed.len())
                )))
            }
            Self::Cpu { root, quota } => {
                let moved = quota.impose(*root).await?;
                Ok(Done::seen(format!(
                    "{} get {}",
                    told(*root, moved),
                    quota.told()
                )))
            }
        }
    }

    /// Brings it back.
    ///
    /// # Errors
    /// When something may still stand still, be gone or be limited.
    pub async fn revert(&self) -> Result<Done, FaultError> {
        match self {
            Self::Pause { root, descendants } => {
                let mut known = vec![*root];
                known.extend(descendants);
                match tree::wake(&known).await? {
                    0 => Ok(Done::seen(format!("process {} has ended", root.pid))),
                    woken => Ok(Done::seen(format!("{} go on", told(*root, woken)))),
                }
            }
            Self::Kill {
                root,
                descendants,
                line,
                program,
                which,
                restart,
                within,
            } => {
                let killed = Killed {
                    process: *root,
                    descendants,
                    line: *line,
                    program: program.as_deref(),
                };
                restart::bring_back(killed, which, restart.as_deref(), *within).await
            }
            Self::Cpu { root, quota } => {
                quota.lift(*root).await?;
                Ok(Done::seen(format!("{} is gone", quota.told())))
            }
        }
    }
}

/// The same process, also for whoever has another working directory.
fn wherever_one_stands(which: &Which) -> Result<Which, FaultError> {
    Ok(match which {
        Which::PidFile(path) => Which::PidFile(std::path::absolute(path).map_err(FaultError::of)?),
        Which::Port(_) | Which::Command(_) => which.clone(),
    })
}

/// `process 7 and 3 descendants`.
fn told(root: Identity, count: usize) -> String {
    match count.saturating_sub(1) {
        0 => format!("process {} and no descendants", root.pid),
        1 => format!("process {} and 1 descendant", root.pid),
        more => format!("process {} and {more} descendants", root.pid),
    }
}

#[cfg(test)]
mod tests;
