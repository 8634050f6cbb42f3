//! Where sessions live, what they are called, and which one a person means.
//!
//! A directory and a person's words go in; paths come out. The invariant: a name is given once, and says when and what.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::index::Index;
use super::reader::read_window;
use super::record::{EndReason, Names, Record};
use super::writer::{OpenError, Writer};

/// What every session's file name ends in.
pub const EXTENSION: &str = ".jsonl.zst";

/// Characters of the window's name that go into the file's name.
const MAX_NAME: usize = 60;

/// Why no session was found.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// There are none.
    #[error("there is no session in `{0}` yet; `stormdeck run PROFILE` records one")]
    None(PathBuf),
    /// No file, and no session of that name.
    #[error(
        "`{wanted}` is neither a file nor the beginning of a session's name in `{dir}`; `stormdeck ls` lists them"
    )]
    Unknown {
        /// What was asked for.
        wanted: String,
        /// Where it was looked for.
        dir: PathBuf,
    },
    /// Several begin like that.
    #[error("`{wanted}` could be any of {}; give more of the name", .names.join(", "))]
    Several {
        /// What was asked for.
        wanted: String,
        /// The first of those that fit.
        names: Vec<String>,
    },
    /// Neither a directory was given, nor does the environment say where the user's files go.
    #[error("neither --dir nor XDG_STATE_HOME nor HOME says where sessions live")]
    NoHome,
    /// The directory cannot be read or made.
    #[error("the directory of sessions `{path}`: {source}")]
    Io {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// A directory of sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sessions {
    /// The directory; it may not exist yet.
    pub dir: PathBuf,
}

/// How a recorded window stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Its end is recorded.
    Ended(EndReason),
    /// It is being written.
    Running,
    /// Its writer is gone and its end is missing.
    Crashed,
    /// The file cannot be read.
    Unreadable,
}

impl Condition {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ended(EndReason::Finished) => "finished",
            Self::Ended(EndReason::Stopped) => "stopped",
            Self::Ended(EndReason::Aborted) => "aborted",
            Self::Running => "running",
            Self::Crashed => "crashed",
            Self::Unreadable => "unreadable",
        }
    }
}

/// One session in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The file.
    pub path: PathBuf,
    /// Its name, without the extension.
    pub name: String,
    /// The window's name; empty if it cannot be read.
    pub window: String,
    /// When the window began, µs since the Unix epoch; the file's change if that cannot be read.
    pub wall: u64,
    /// How long it is.
    pub length: Duration,
    /// How it stands.
    pub condition: Condition,
    /// Length of the file, bytes.
    pub bytes: u64,
}

impl Sessions {
    /// The directory given, or `$XDG_STATE_HOME/stormdeck`, or `~/.local/state/stormdeck`.
    pub fn locate(dir: Option<&Path>) -> Result<Self, FindError> {
        let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let dir = match dir {
            Some(dir) => dir.to_path_buf(),
            None => match (set("XDG_STATE_HOME"), set("HOME")) {
                (Some(state), _) => PathBuf::from(state).join("stormdeck"),
                (None, Some(home)) => PathBuf::from(home).join(".local/state/stormdeck"),
                (None, None) => return Err(FindError::NoHome),
            },
        };
        Ok(Self { dir })
    }

    /// Makes the directory, mode 0700, if there is none.
    pub fn make_dir(&self) -> Result<(), FindError> {
        let made = DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.dir);
        made.map_err(|source| FindError::Io {
            path: self.dir.clone(),
            source,
        })
    }

    /// Begins a session of a window of this name at this time, in a file that nobody has: `20260102-030405-checkout.jsonl.zst`.
    pub fn begin(&self, window: &str, now: Timestamp, names: &Names) -> Result<Writer, OpenError> {
        let stem = stem(window, now);
        let mut number = 1;
        loop {
            let suffix = if number == 1 {
                String::new()
            } else {
                format!("-{number}")
            };
            let path = self.dir.join(format!("{stem}{suffix}{EXTENSION}"));
            match Writer::create(&path, names.clone()) {
                Err(OpenError::Exists(_)) if number < 1000 => number += 1,
                other => return other,
            }
        }
    }

    /// The session that a person means: a path, a name, the beginning of one name, or the newest.
    pub fn find(&self, wanted: Option<&str>) -> Result<PathBuf, FindError> {
        let Some(wanted) = wanted else {
            let mut found = self.paths()?;
            found.sort_by_key(|path| began(path));
            return found.pop().ok_or_else(|| FindError::None(self.dir.clone()));
        };
        if Path::new(wanted).is_file() {
            return Ok(PathBuf::from(wanted));
        }
        let mut fitting = self.paths()?;
        fitting.retain(|path| name_of(path).starts_with(wanted.trim_end_matches(EXTENSION)));
        let exact = fitting
            .iter()
            .find(|path| name_of(path) == wanted.trim_end_matches(EXTENSION));
        match (exact, fitting.as_slice()) {
            (Some(path), _) | (None, [path]) => Ok(path.clone()),
            (None, []) => Err(FindError::Unknown {
                wanted: wanted.to_owned(),
                dir: self.dir.clone(),
            }),
            (None, several) => Err(FindError::Several {
                wanted: wanted.to_owned(),
                names: several.iter().take(5).map(|path| name_of(path)).collect(),
            }),
        }
    }

    /// All sessions, newest first. Files that are no sessions are listed as unreadable.
    pub fn list(&self) -> Result<Vec<Listed>, FindError> {
        let mut listed: Vec<_> = self.paths()?.iter().map(|path| look_at(path)).collect();
        listed.sort_by(|a, b| (b.wall, &b.name).cmp(&(a.wall, &a.name)));
        Ok(listed)
    }

    /// Every file with a session's extension, by name.
    fn paths(&self) -> Result<Vec<PathBuf>, FindError> {
        let failed = |source| FindError::Io {
            path: self.dir.clone(),
            source,
        };
        let entries = match fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        };
        let mut paths = Vec::new();
        for entry in entries {
            let path = entry.map_err(failed)?.path();
            if path.is_file() && path.to_string_lossy().ends_with(EXTENSION) {
                paths.push(path);
            }
        }
        paths.sort();
        Ok(paths)
    }
}

/// Whether a writer holds the file. Takes the lock for a moment; a writer that begins just then tries again.
pub fn is_being_written(file: &File) -> bool {
    match file.try_lock_shared() {
        Ok(()) => {
            let _ = file.unlock();
            false
        }
        Err(TryLockError::WouldBlock) => true,
        Err(TryLockError::Error(_)) => false,
    }
}

/// The file's name without the extension.
pub fn name_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.strip_suffix(EXTENSION).unwrap_or(&name).to_owned()
}

/// Where the engine that writes this session logs to: `NAME.log` beside it.
pub fn log_of(session: &Path) -> PathBuf {
    session.with_file_name(format!("{}.log", name_of(session)))
}

/// Date, time and the window's name, in characters that need no quotes.
fn stem(window: &str, now: Timestamp) -> String {
    let when = now.to_zoned(TimeZone::system()).strftime("%Y%m%d-%H%M%S");
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || matches!(c, '.' | '_') {
            c
        } else {
            '-'
        }
    };
    let name: String = window.chars().map(plain).take(MAX_NAME).collect();
    let parts: Vec<&str> = name.split('-').filter(|part| !part.is_empty()).collect();
    let name = parts.join("-");
    format!("{when}-{}", if name.is_empty() { "window" } else { &name })
}

/// When the window began, as far as the file tells.
fn began(path: &Path) -> (u64, PathBuf) {
    let wall = match read_window(path) {
        Ok(Some(window)) => window.wall,
        Ok(None) | Err(_) => changed(path),
    };
    (wall, path.to_path_buf())
}

fn changed(path: &Path) -> u64 {
    let changed = fs::metadata(path).and_then(|metadata| metadata.modified());
    let since = changed
        .ok()
        .and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    since.map_or(0, |since| since.as_micros() as u64)
}

/// Reads the beginning and the last frame of a session.
fn look_at(path: &Path) -> Listed {
    let window = read_window(path).ok().flatten();
    let mut listed = Listed {
        path: path.to_path_buf(),
        name: name_of(path),
        wall: window
            .as_ref()
            .map_or_else(|| changed(path), |window| window.wall),
        window: window.map(|window| window.name).unwrap_or_default(),
        length: Duration::ZERO,
        condition: Condition::Unreadable,
        bytes: 0,
    };
    let Ok(file) = File::open(path) else {
        return listed;
    };
    listed.bytes = file.metadata().map_or(0, |metadata| metadata.len());
    let running = is_being_written(&file);
    let Ok(index) = Index::of(file) else {
        return listed;
    };
    listed.length = Duration::from_micros(index.length());
    listed.condition = match (ending(&index), running) {
        (Some(reason), _) => Condition::Ended(reason),
        (None, true) => Condition::Running,
        (None, false) => Condition::Crashed,
    };
    listed
}

/// The end, if the last frame holds one.
fn ending(index: &Index) -> Option<EndReason> {
    let reader = index.read_from(index.frames.len().checked_sub(1)?).ok()?;
    reader
        .map_while(Result::ok)
        .find_map(|record| match record {
            Record::End(end) => Some(end.reason),
            _ => None,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_when_and_what_in_plain_characters() {
        let now = Timestamp::from_second(1_767_323_045).unwrap();
        let name = stem("checkout 4.2 / größer!", now);
        assert_eq!(&name[15..], "-checkout-4.2-gr-er");
        assert!(name.starts_with("2026010"), "{name}");
        assert!(stem("", now).ends_with("-window"));
        assert!(stem(&"x".repeat(500), now).len() < 90);
        assert!(!stem("../../etc/passwd", now).contains('/'));
    }
}
