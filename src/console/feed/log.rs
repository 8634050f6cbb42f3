//! The end of the engine's log.
//!
//! In: the path of a log. Out: its last lines, when they changed. The invariant: at most [`TAIL`] bytes are read, however
//! long the log is.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::time::SystemTime;

/// Lines that are shown.
const LINES: usize = 200;
/// Bytes that are read.
const TAIL: u64 = 64 << 10;

/// Reads the end of a log.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    seen: Option<(u64, Option<SystemTime>)>,
}

impl Log {
    /// Of the log at this path, which need not be there yet.
    pub fn new(path: PathBuf) -> Self {
        Self { path, seen: None }
    }

    /// The last lines, oldest first; `None` when there is nothing new, or no log.
    pub fn changed(&mut self) -> Option<Vec<String>> {
        let file = File::open(&self.path).ok()?;
        let metadata = file.metadata().ok()?;
        let state = (metadata.len(), metadata.modified().ok());
        if self.seen == Some(state) {
            return None;
        }
        self.seen = Some(state);
        let begin = state.0.saturating_sub(TAIL);
        let mut bytes = vec![0; (state.0 - begin) as usize];
        let mut filled = 0;
        while let Ok(count @ 1..) = file.read_at(&mut bytes[filled..], begin + filled as u64) {
            filled += count;
        }
        let text = String::from_utf8_lossy(&bytes[..filled]);
        // The first line is cut where the tail begins.
        let cut = usize::from(begin > 0);
        let lines: Vec<&str> = text.lines().skip(cut).collect();
        let newest = &lines[lines.len().saturating_sub(LINES)..];
        Some(newest.iter().map(|&line| line.to_owned()).collect())
    }
}
