//! Which running window a person means.

use std::path::PathBuf;

use crate::session::Sessions;
use crate::session::dir::{Condition, FindError};

/// Where sessions live, and which one is meant.
#[derive(Debug, clap::Args)]
pub struct DirArgs {
    /// Where sessions live
    #[arg(long, env = "STORMDECK_DIR", value_name = "DIR")]
    pub dir: Option<PathBuf>,
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
    /// The session that is meant: by its path, its name or the beginning of it, or the only one that is running.
    pub fn running(&self, wanted: Option<&str>) -> Result<PathBuf, PickError> {
        let sessions = Sessions::locate(self.dir.as_deref())?;
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
