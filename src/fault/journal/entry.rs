//! The files of a journal: what they hold, and how they come onto the disk and from it.
//!
//! A file is there whole or not at all, and durable when it is there. One that a newer stormdeck wrote is told apart from
//! one that is broken.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::place::Place;
use crate::fault::undo::Undo;

/// What the name of an outstanding fault ends in, and that of the word of one that is back.
pub(super) const OUTSTANDING: &str = "json";
pub(super) const DONE: &str = "done";

/// The version of an entry that is understood.
const VERSION: u32 = 1;

/// One outstanding fault.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Version of this format: 1.
    pub v: u32,
    /// Name of the fault.
    pub fault: String,
    /// When it was written, µs since the Unix epoch.
    pub wall: u64,
    /// Where the way back is valid; of an entry that was written before that was noted, anywhere.
    #[serde(default)]
    pub place: Place,
    /// The way back.
    pub undo: Undo,
}

/// Why an entry could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Unread {
    /// The system refused, which may pass.
    #[error("`{0}`: {1}")]
    Refused(String, io::Error),
    /// It is not understood, with the reason.
    #[error("`{0}`: {1}")]
    Content(String, String),
}

/// A fault that was brought back after its engine was gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Returned {
    /// Name of the fault.
    pub fault: String,
    /// When, µs since the Unix epoch.
    pub wall: u64,
    /// What was said; may be empty.
    pub said: String,
}

impl Entry {
    /// Of a fault that is about to be broken.
    pub(super) fn of(fault: &str, undo: &Undo) -> Self {
        Self {
            v: VERSION,
            fault: fault.to_owned(),
            wall: wall(),
            place: Place::here(),
            undo: undo.clone(),
        }
    }
}

impl Returned {
    /// Of a fault that is back now.
    pub(in crate::fault) fn now(fault: &str, said: &str) -> Self {
        Self {
            fault: fault.to_owned(),
            wall: wall(),
            said: said.to_owned(),
        }
    }
}

/// Puts a file there, whole or not at all, and makes it durable.
pub(super) fn put(path: &Path, content: &impl Serialize) -> io::Result<()> {
    let unfinished = path.with_extension("new");
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(&unfinished)?;
    serde_json::to_writer(&mut file, content)?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    fs::rename(&unfinished, path)?;
    let dir = path.parent().unwrap_or(Path::new("."));
    File::open(dir)?.sync_all()
}

/// The numbered files of a journal, by number.
pub(super) fn numbered(dir: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let known = path
            .extension()
            .is_some_and(|it| it == OUTSTANDING || it == DONE);
        let number = path
            .file_stem()
            .and_then(|stem| stem.to_str()?.parse().ok());
        files.extend(number.filter(|_| known).map(|number| (number, path)));
    }
    files.sort();
    Ok(files)
}

/// An entry of a version that is understood.
pub(super) fn read_entry(path: &Path) -> Result<Entry, Unread> {
    #[derive(Deserialize)]
    struct Version {
        v: u32,
    }
    match read(path)? {
        Version { v } if v > VERSION => Err(Unread::Content(
            path.display().to_string(),
            format!("a newer stormdeck wrote it (version {v}): bring it back with that one"),
        )),
        Version { .. } => read(path),
    }
}

pub(super) fn read<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<T, Unread> {
    let name = || path.display().to_string();
    let text = fs::read(path).map_err(|error| Unread::Refused(name(), error))?;
    serde_json::from_slice(&text).map_err(|error| Unread::Content(name(), error.to_string()))
}

/// The wall clock, µs since the Unix epoch.
fn wall() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
    })
}
