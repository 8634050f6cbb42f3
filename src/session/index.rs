//! Where each minute of a session is.
//!
//! A file goes in; the list of its frames comes out, found by hopping from trailer to trailer backwards from the end,
//! without decompressing anything. What each minute held in sum is read from its trailer when asked for. The invariant:
//! every frame listed begins at its offset, and frames are in order.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

use serde::de::DeserializeOwned;

use super::decode::{Damage, ReadError};
use super::frame::{self, seek_table_length};
use super::reader::Reader;
use super::record::Record;
use super::trailer::{self, Aggregates, END, FOOTER, Footer, Glance};

/// Bytes looked at in one go when a trailer is searched for.
const STRETCH: u64 = 256 << 10;

/// One frame, or one stretch of the file whose trailer is missing or damaged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrameInfo {
    /// Offset in the file, bytes.
    pub offset: u64,
    /// Offset of what follows it: its trailer, or the end of the stretch.
    pub end: u64,
    /// Number of the frame.
    pub number: u64,
    /// Ticks in it; empty when there are none.
    pub ticks: Range<u64>,
    /// Time that it covers, µs since the window began.
    pub at: Range<u64>,
    /// Length of its content, bytes; 0 when that is not known.
    pub content: u64,
    /// Length of its trailer, bytes; 0 for a frame that is still being written, or has lost its trailer.
    trailer: u32,
}

impl FrameInfo {
    /// Whether it has a trailer, and so [`Index::aggregates`].
    pub fn has_trailer(&self) -> bool {
        self.trailer > 0
    }

    /// Offset of what comes after it and its trailer: the next frame, if there is one.
    pub fn next_offset(&self) -> u64 {
        self.end + u64::from(self.trailer)
    }

    pub(super) fn trailer_length(&self) -> u32 {
        self.trailer
    }
}

/// The frames of a session file.
#[derive(Debug)]
pub struct Index {
    file: File,
    /// In the order of the file.
    pub frames: Vec<FrameInfo>,
    /// Whether the file ends in a seek table, as one that was closed cleanly does.
    pub closed: bool,
}

impl Index {
    /// Finds the frames. Takes about 1 µs a frame; a stretch without a trailer has to be read.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, ReadError> {
        Self::of(File::open(path)?)
    }

    /// Finds the frames of an open file.
    pub fn of(file: File) -> Result<Self, ReadError> {
        let length = file.metadata()?.len();
        let table = seek_table(&file, length)?;
        let mut index = Self {
            file,
            frames: Vec::new(),
            closed: table > 0,
        };
        index.walk(length - table)?;
        Ok(index)
    }

    /// Hops from `end` to the beginning.
    fn walk(&mut self, mut end: u64) -> Result<(), ReadError> {
        while end > 0 {
            let Some((footer, begin)) = self.trailer_ending_at(end)? else {
                // No trailer here: go back to the next one that is sound, and read what lies between.
                let found = self.trailer_before(end)?;
                self.read_stretch(&(found..end))?;
                end = found;
                continue;
            };
            self.frames.push(FrameInfo {
                offset: footer.offset,
                end: begin,
                number: u64::from(footer.number),
                ticks: footer.first..footer.last + 1,
                at: footer.from..footer.to.max(footer.from),
                content: footer.content,
                trailer: footer.trailer,
            });
            end = footer.offset;
        }
        self.frames.reverse();
        Ok(())
    }

    /// The trailer that ends at `end`, and where it begins.
    fn trailer_ending_at(&self, end: u64) -> io::Result<Option<(Footer, u64)>> {
        let mut bytes = [0; FOOTER];
        let Some(at) = end.checked_sub(FOOTER as u64) else {
            return Ok(None);
        };
        self.file.read_exact_at(&mut bytes, at)?;
        let Some(footer) = trailer::footer(&bytes) else {
            return Ok(None);
        };
        let Some(begin) = end.checked_sub(u64::from(footer.trailer)) else {
            return Ok(None);
        };
        if footer.offset >= begin {
            return Ok(None);
        }
        let mut whole = vec![0; footer.trailer as usize];
        self.file.read_exact_at(&mut whole, begin)?;
        Ok(trailer::check(&whole).map(|footer| (footer, begin)))
    }

    /// The end of the last sound trailer that ends before `end`; 0 if there is none.
    fn trailer_before(&self, end: u64) -> io::Result<u64> {
        let mut high = end;
        let mut bytes = Vec::new();
        while high > 0 {
            let low = high.saturating_sub(STRETCH);
            // Overlaps the stretch before by what a mark may be cut in two by.
            let length = (high + END.len() as u64 - 1).min(end) - low;
            bytes.resize(length as usize, 0);
            self.file.read_exact_at(&mut bytes, low)?;
            for place in (0..bytes.len().saturating_sub(END.len() - 1)).rev() {
                if bytes[place..].starts_with(&END) {
                    let candidate = low + (place + END.len()) as u64;
                    if candidate < end && self.trailer_ending_at(candidate)?.is_some() {
                        return Ok(candidate);
                    }
                }
            }
            high = low;
        }
        Ok(0)
    }

    /// Reads a stretch without trailers, frame by frame, and lists its frames backwards.
    fn read_stretch(&mut self, stretch: &Range<u64>) -> Result<(), ReadError> {
        let mut found: Vec<FrameInfo> = Vec::new();
        let mut reader = self.reader(stretch.clone())?;
        while let Some(record) = reader.next_record()? {
            let (at, tick) = match &record {
                Record::Key(key) => {
                    let offset = reader.frame_offset();
                    if let Some(last) = found.last_mut() {
                        last.end = offset;
                    }
                    found.push(FrameInfo {
                        offset,
                        end: stretch.end,
                        number: key.frame,
                        ticks: key.tick..key.tick,
                        at: key.at..key.at,
                        content: 0,
                        trailer: 0,
                    });
                    continue;
                }
                Record::Tick(tick) => (tick.at, Some(tick.n)),
                Record::Event(event) => (event.at, None),
                Record::End(end) => (end.at, None),
                Record::Window(_) | Record::Sample(_) | Record::Gap(_) | Record::Unknown => {
                    continue;
                }
            };
            if let Some(frame) = found.last_mut() {
                frame.at.end = frame.at.end.max(at);
                frame.ticks.end = tick.map_or(frame.ticks.end, |tick| tick + 1);
            }
        }
        self.frames.extend(found.into_iter().rev());
        Ok(())
    }

    /// What a frame held in sum. `None` if it has no trailer or that is not readable.
    pub fn aggregates(&self, frame: &FrameInfo) -> io::Result<Option<Aggregates>> {
        self.sums(frame)
    }

    /// Likewise, only what an overview needs of it, in a fraction of the time.
    pub fn glance(&self, frame: &FrameInfo) -> io::Result<Option<Glance>> {
        self.sums(frame)
    }

    fn sums<T: DeserializeOwned>(&self, frame: &FrameInfo) -> io::Result<Option<T>> {
        let mut bytes = vec![0; frame.trailer as usize];
        self.file.read_exact_at(&mut bytes, frame.end)?;
        Ok(trailer::check(&bytes).and_then(|_| trailer::sums(&bytes)))
    }

    /// What is wrong with the seek table; `None` if nothing is, or there is none.
    pub(super) fn seek_table_damage(&self) -> io::Result<Option<Damage>> {
        let length = self.file.metadata()?.len();
        let held = seek_table(&self.file, length)?;
        if held == 0 || !self.frames.iter().all(FrameInfo::has_trailer) {
            return Ok(None);
        }
        let entries: Vec<(u32, u32)> = self
            .frames
            .iter()
            .flat_map(|frame| {
                let size = (frame.end - frame.offset) as u32;
                [(size, frame.content as u32), (frame.trailer, 0)]
            })
            .collect();
        let right = frame::seek_table(&entries);
        let offset = length - held;
        let mut found = vec![0; right.len()];
        let same = held == right.len() as u64 && {
            self.file.read_exact_at(&mut found, offset)?;
            found == right
        };
        Ok((!same).then(|| Damage {
            offset,
            what: "a seek table that does not fit the frames".to_owned(),
        }))
    }

    /// The last tick in the file; 0 if there is none.
    pub fn last_tick(&self) -> u64 {
        let held = self
            .frames
            .iter()
            .rev()
            .find(|frame| !frame.ticks.is_empty());
        held.map_or(0, |frame| frame.ticks.end - 1)
    }

    /// The end of the time that the file covers, µs since the window began.
    pub fn length(&self) -> u64 {
        self.frames.last().map_or(0, |frame| frame.at.end)
    }

    /// A reader of the key that stands for this tick, and of all that comes after: `tick` itself, or the next one that is
    /// there. What the frame holds before it is passed over, except in the very first one, which also says what is run.
    pub fn seek(&self, tick: u64) -> Result<Reader<FileRange>, ReadError> {
        let after = self
            .frames
            .partition_point(|frame| frame.ticks.start <= tick);
        let reader = self.read_from(after.saturating_sub(1))?;
        Ok(if after > 1 {
            reader.beginning_at(tick)
        } else {
            reader
        })
    }

    /// A reader that begins at the frame at this place of [`Index::frames`].
    pub fn read_from(&self, place: usize) -> Result<Reader<FileRange>, ReadError> {
        let offset = self.frames.get(place).map_or(0, |frame| frame.offset);
        self.reader(offset..u64::MAX)
    }

    /// A reader of this frame alone.
    pub fn read_frame(&self, frame: &FrameInfo) -> Result<Reader<FileRange>, ReadError> {
        self.reader(frame.offset..frame.end)
    }

    fn reader(&self, range: Range<u64>) -> Result<Reader<FileRange>, ReadError> {
        let file = self.file.try_clone()?;
        let offset = range.start;
        Reader::at(FileRange { file, range }, offset)
    }
}

/// A part of a file, read by position, so that several readers do not disturb each other.
#[derive(Debug)]
pub struct FileRange {
    file: File,
    range: Range<u64>,
}

impl Read for FileRange {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.range.end.saturating_sub(self.range.start);
        let wanted = usize::try_from(left)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let count = self.file.read_at(&mut buffer[..wanted], self.range.start)?;
        self.range.start += count as u64;
        Ok(count)
    }
}

/// Length of the seek table at the end; 0 if there is none.
fn seek_table(file: &File, length: u64) -> io::Result<u64> {
    let mut end = [0; 9];
    let Some(at) = length.checked_sub(9) else {
        return Ok(0);
    };
    file.read_exact_at(&mut end, at)?;
    Ok(seek_table_length(&end)
        .filter(|&table| table <= length)
        .unwrap_or(0))
}
