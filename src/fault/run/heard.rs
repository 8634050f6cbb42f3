//! What a program says, as it is heard: through a pipe, or out of a file that outlives whoever listens. Bounded, however
//! much it says.

use std::fs::File;
use std::io::{self, PipeReader, Read as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt as _;

use rustix::fs::{MemfdFlags, OFlags, fcntl_setfl, memfd_create};

/// What is read of a program and kept, in bytes; more than is shown, so that no secret is cut where it begins.
pub(super) const KEPT: usize = 64 << 10;

/// Likewise of a program whose answer is read: more than any has.
pub(super) const WHOLE: usize = 4 << 20;

/// What is read of a pipe at once, bytes.
const BUFFER: usize = 16 << 10;

/// As many reads as empty a pipe that nobody fills any more, and more.
const TO_THE_END: usize = (1 << 20) / BUFFER;

/// Where what a program says is found.
pub(super) enum Said {
    Pipe(PipeReader),
    /// In memory and without a name, so that a full disk, which may be the very fault, fails no revert.
    File(File),
    /// Nothing more is said.
    Over,
}

impl Said {
    pub fn through_pipe() -> io::Result<(Self, OwnedFd)> {
        let (pipe, writer) = io::pipe()?;
        rustix::io::ioctl_fionbio(&pipe, true)?;
        Ok((Self::Pipe(pipe), writer.into()))
    }

    pub fn into_file() -> io::Result<(Self, OwnedFd)> {
        let writer = memfd_create("said", MemfdFlags::CLOEXEC)?;
        // It is emptied while it is written.
        fcntl_setfl(&writer, OFlags::APPEND)?;
        Ok((Self::File(File::from(writer.try_clone()?)), writer))
    }

    /// What there is, as far as one read gives it.
    fn read(&mut self, into: &mut Vec<u8>) {
        let mut buffer = [0; BUFFER];
        let read = match self {
            Self::Pipe(pipe) => pipe.read(&mut buffer),
            Self::File(file) => return end_of(file, into),
            Self::Over => return,
        };
        match read {
            Ok(0) => *self = Self::Over,
            Ok(read) => into.extend_from_slice(&buffer[..read]),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                ) => {}
            Err(_) => *self = Self::Over,
        }
    }
}

/// Moves the end of a file that is being appended to. What is written in that very moment may be lost.
fn end_of(file: &File, into: &mut Vec<u8>) {
    let Ok(length @ 1..) = file.metadata().map(|meta| meta.len()) else {
        return;
    };
    let kept = length.min(KEPT as u64);
    let mut end = vec![0; kept as usize];
    let read = file.read_exact_at(&mut end, length - kept);
    if read.is_ok() && file.set_len(0).is_ok() {
        into.extend_from_slice(&end);
    }
}

/// What a program says, and what it has said so far.
pub(super) struct Stream {
    pub source: Said,
    said: Vec<u8>,
    /// So much of its end is kept, bytes.
    kept: usize,
}

impl Stream {
    pub fn of(source: Said, kept: usize) -> Self {
        Self {
            source,
            said: Vec::new(),
            kept,
        }
    }

    /// Whether it may say more through a pipe.
    pub fn is_piped(&self) -> bool {
        matches!(self.source, Said::Pipe(_))
    }

    /// Reads what there is, once, so that a program that never stops talking does not keep a thread from the clock.
    pub fn read(&mut self) {
        self.source.read(&mut self.said);
        if self.said.len() > 2 * self.kept {
            self.said.drain(..self.said.len() - self.kept);
        }
    }

    /// Reads what is left in a pipe, and gives the end of it all.
    pub fn finish(mut self) -> Vec<u8> {
        self.read();
        for _ in 0..TO_THE_END {
            let before = self.said.len();
            if self.is_piped() {
                self.read();
            }
            if self.said.len() == before {
                break;
            }
        }
        let over = self.said.len().saturating_sub(self.kept);
        self.said.drain(..over);
        self.said
    }
}
