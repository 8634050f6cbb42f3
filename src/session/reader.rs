//! The records of a session, one after the other.
//!
//! A file, or any other stream of its bytes, goes in; records come out. What is damaged is stepped over, stated as a
//! gap where ticks are missing, and listed in [`Reader::tally`]. The invariant is that of the decoder: nothing that was
//! not written comes out.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::decode::{Decoder, ReadError, Tally};
use super::record::{Record, Window};

/// Bytes read at once.
const CHUNK: usize = 64 << 10;

/// Reads records from a file or a stream.
pub struct Reader<R> {
    input: R,
    decoder: Decoder,
    chunk: Box<[u8]>,
    done: bool,
}

impl Reader<File> {
    /// Opens a session file at its beginning.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, ReadError> {
        Self::new(File::open(path)?)
    }
}

impl<R: Read> Reader<R> {
    /// Reads a session from its first byte.
    pub fn new(input: R) -> Result<Self, ReadError> {
        Self::at(input, 0)
    }

    /// Reads on from a frame that begins at `offset`, where `input` stands.
    pub(super) fn at(input: R, offset: u64) -> Result<Self, ReadError> {
        Ok(Self {
            input,
            decoder: Decoder::new(offset)?,
            chunk: vec![0; CHUNK].into_boxed_slice(),
            done: false,
        })
    }

    /// Also hashes every frame and checks the chain; see [`Tally::broken_links`] and [`Tally::head`].
    #[must_use]
    pub fn hashing(mut self) -> Self {
        self.decoder = self.decoder.hashing();
        self
    }

    /// Passes over what comes before this tick.
    pub(super) fn beginning_at(mut self, tick: u64) -> Self {
        self.decoder = self.decoder.beginning_at(tick);
        self
    }

    /// The next record, `None` at the end. After an error it goes on where it can.
    pub fn next_record(&mut self) -> Result<Option<Record>, ReadError> {
        loop {
            if let Some(record) = self.decoder.next_record()? {
                return Ok(Some(record));
            }
            if self.done {
                return Ok(None);
            }
            match self.input.read(&mut self.chunk) {
                Ok(0) => {
                    self.done = true;
                    self.decoder.end_input();
                }
                Ok(count) => self.decoder.feed(&self.chunk[..count]),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// What was seen so far: frames, ticks, damage.
    pub fn tally(&self) -> &Tally {
        self.decoder.tally()
    }

    /// Offset of the frame that the latest record came from.
    pub(super) fn frame_offset(&self) -> u64 {
        self.decoder.frame_offset()
    }
}

/// Ends at the first error.
impl<R: Read> Iterator for Reader<R> {
    type Item = Result<Record, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.next_record().transpose();
        if matches!(item, Some(Err(_))) {
            self.done = true;
        }
        item
    }
}

/// What is being run, from the beginning of a session; `None` if that part is damaged or not yet written.
pub fn read_window(path: impl AsRef<Path>) -> Result<Option<Window>, ReadError> {
    let mut reader = Reader::open(path)?;
    // The window follows the first key; it is looked for in the first frame only.
    while let Some(record) = reader.next_record()? {
        if let Record::Window(window) = record {
            return Ok(Some(*window));
        }
        if reader.tally().frames > 1 {
            break;
        }
    }
    Ok(None)
}
