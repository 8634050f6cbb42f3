//! Which running window a person means.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::value_parser;

use crate::session::Sessions;
use crate::session::dir::{Condition, FindError};

/// The variable that says where sessions live.
const VARIABLE: &str = "STORMDECK_DIR";

/// Where sessions live, and which one is meant.
#[derive(Debug, Clone, clap::Args)]
pub struct DirArgs {
    // Any text, since a variable that is set to nothing says nothing.
    /// Where sessions live
    #[arg(long, env = VARIABLE, value_name = "DIR", value_parser = value_parser!(OsString))]
    dir: Option<OsString>,
}

/// Why none was found.
#[derive(Debug, thiserror::Error)]
pub enum PickError {
    /// None is running.
    #[error("no window is running in `{0}`; `stormdeck run PROFILE` starts one")]
    NoneRuns(PathBuf),
    /// Several are running.
    #[error("several windows are running; say which: {}", .0.join(", "))]
    Several(Vec<String>),
    /// The name is not clear.
    #[error(transparent)]
    Find(#[from] FindError),
}

impl DirArgs {
    /// As it is where no option was written.
    pub fn of_environment() -> Self {
        Self {
            dir: std::env::var_os(VARIABLE),
        }
    }

    /// The directory that was named.
    pub fn dir(&self) -> Option<&Path> {
        let named = self.dir.as_deref().filter(|dir| !dir.is_empty());
        named.map(Path::new)
    }

    /// The sessions there, or where they live by default.
    pub fn sessions(&self) -> Result<Sessions, FindError> {
        Sessions::locate(self.dir())
    }

    /// The session that is meant: by its path, its name or the beginning of it, or the only one that is running.
    pub fn running(&self, wanted: Option<&str>) -> Result<PathBuf, PickError> {
        let sessions = self.sessions()?;
        if let Some(wanted) = wanted {
            return Ok(sessions.find(Some(wanted))?);
        }
        let mut running = sessions.list()?;
        running.retain(|session| session.condition == Condition::Running);
        match running.as_slice() {
            [] => Err(PickError::NoneRuns(sessions.dir)),
            [one] => Ok(one.path.clone()),
            several => Err(PickError::Several(
                several.iter().map(|session| session.name.clone()).collect(),
            )),
        }
    }
}
