//! A stream, kept in a file that has no name.
//!
//! In: the bytes of a session, or its records as JSON lines. Out: a session file that grows. The invariants: the file is
//! gone when the last who reads it is; what is no session is refused at its first bytes.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Sender;

use super::{Ask, Post};
use crate::console::event::Event;
use crate::session::line::{self, MAX_LINE};
use crate::session::record::Record;
use crate::session::writer::Writer;

/// Bytes taken at once.
const CHUNK: usize = 256 << 10;

/// Where a stream goes.
pub struct Spool {
    file: File,
}

/// Why a stream cannot be shown.
#[derive(Debug, thiserror::Error)]
enum SpoolError {
    #[error("standard input cannot be read: {0}")]
    Read(#[source] io::Error),
    #[error("the temporary file for standard input cannot be written: {0}")]
    Write(String),
    #[error("standard input is neither a session nor the JSON lines of one")]
    NoSession,
}

impl Spool {
    /// Makes the file, mode 0600, and takes its name away at once.
    pub fn new() -> io::Result<Self> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!(".stormdeck-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        std::fs::remove_file(&path)?;
        Ok(Self { file })
    }

    /// Another handle of the file.
    pub fn file(&self) -> io::Result<File> {
        self.file.try_clone()
    }

    /// Takes the stream in up to its end, and says so.
    pub fn run<S: Fn(Event)>(self, input: impl Read, post: &Post<S>, asks: &Sender<Ask>) {
        let grown = || !post.stopped() && asks.send(Ask::Grown).is_ok();
        if let Err(error) = self.take(input, grown) {
            post.broken(&error);
        }
        let _ = asks.send(Ask::Complete);
    }

    fn take(mut self, input: impl Read, grown: impl Fn() -> bool) -> Result<(), SpoolError> {
        let mut input = BufReader::with_capacity(CHUNK, input);
        let first = input.fill_buf().map_err(SpoolError::Read)?;
        match first.first() {
            None => Ok(()),
            Some(b'{') => self.take_lines(input, grown),
            // A frame of zstd, or the first byte of one.
            Some(0x28) => loop {
                let bytes = match input.fill_buf() {
                    Ok([]) => return Ok(()),
                    Ok(bytes) => bytes,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => return Err(SpoolError::Read(error)),
                };
                let count = bytes.len();
                self.file.write_all(bytes).map_err(unwritten)?;
                input.consume(count);
                if !grown() {
                    return Ok(());
                }
            },
            Some(_) => Err(SpoolError::NoSession),
        }
    }

    /// Records as lines become frames with trailers, so that everything else works as it does with a recording.
    fn take_lines(
        self,
        mut input: impl BufRead,
        grown: impl Fn() -> bool,
    ) -> Result<(), SpoolError> {
        let mut writer: Option<Writer> = None;
        let mut bytes = Vec::new();
        loop {
            bytes.clear();
            let mut limited = (&mut input).take(MAX_LINE as u64 + 1);
            if limited
                .read_until(b'\n', &mut bytes)
                .map_err(SpoolError::Read)?
                == 0
            {
                return Ok(());
            }
            let line = bytes.trim_ascii();
            let record = match line::parse(line) {
                Ok(record) => record,
                Err(_) if line.is_empty() || writer.is_some() => continue,
                Err(_) => return Err(SpoolError::NoSession),
            };
            match (record, &mut writer) {
                (Record::Key(key), Some(writer)) => {
                    // Names that do not go on from those before are no reason to stop.
                    let _ = writer.set_names(key.names);
                }
                (Record::Key(key), None) => {
                    let made = Writer::on(self.file.try_clone().map_err(unwritten)?, key.names);
                    writer = Some(made.map_err(unwritten)?);
                }
                (Record::End(end), Some(_)) => {
                    if let Some(writer) = writer.take() {
                        writer.finish(end).map_err(unwritten)?;
                    }
                    return Ok(());
                }
                (record, Some(writer)) => {
                    // A record that the session cannot hold is left out.
                    let _ = writer.append(&record);
                    if matches!(record, Record::Tick(_)) && !grown() {
                        return Ok(());
                    }
                }
                (_, None) => {}
            }
        }
    }
}

#[allow(clippy::needless_pass_by_value, reason = "the form that map_err takes")]
fn unwritten(error: impl ToString) -> SpoolError {
    SpoolError::Write(error.to_string())
}
