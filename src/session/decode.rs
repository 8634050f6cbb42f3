//! From bytes to records, whatever the bytes are.
//!
//! Bytes go in as they arrive, in any portions; records come out, and a list of what was damaged. No I/O happens here,
//! so that a file, standard input and a file that is still growing are read by the same code. The invariants: a record
//! comes out only if its line's checksum holds and its indices are sound; ticks come out in ascending order; a hole
//! among them is stated as a gap; memory does not depend on what the bytes claim.
//!
//! zstd is fed block by block, because a call that fails gives nothing back: the blocks before a damaged one count.
//! After damage the decoder looks for the next trailer or frame, byte by byte, and goes on there.

mod records;
mod skim;
mod tally;

use std::collections::VecDeque;

use sha2::{Digest, Sha256};
use zstd::stream::raw::{self, InBuffer, Operation, OutBuffer};

use super::check::Known;
use super::frame::{
    self, HEADER, MAGIC, MAX_BLOCK, MAX_CONTENT, Parsed, SEEK_MAGIC, TRAILER_MAGIC, block_header,
    frame_header, skippable_header,
};
use super::line::MAX_LINE;
use super::record::Record;
use super::trailer::{self, Footer, MAX_TRAILER};

pub use tally::{Damage, ReadError, Tally};

/// Damages that are kept one by one; more are only counted.
const MAX_DAMAGES: usize = 1000;

enum State {
    /// A frame begins here, or the file ends.
    Start,
    /// Inside a frame, at a block.
    Blocks,
    /// Inside a skippable frame of someone else: this many bytes to go.
    Skip(usize),
    /// After damage: anything may be here.
    Scan,
}

enum Step {
    Advanced,
    Starved,
}

/// What is known of the frame that is being read.
#[derive(Default)]
struct Current {
    open: bool,
    start: u64,
    checksum: bool,
    stored: u32,
    content: u64,
    lines: u64,
    sha: Sha256,
    sound: bool,
}

/// Turns bytes into records.
pub(super) struct Decoder {
    buffer: Vec<u8>,
    used: usize,
    offset: u64,
    ended_input: bool,
    state: State,
    zstd: raw::Decoder<'static>,
    scratch: Box<[u8]>,
    text: Vec<u8>,
    text_used: usize,
    /// Where the search for the next newline goes on.
    text_seen: usize,
    current: Current,
    hashing: bool,
    /// Number and hash of the last frame, when it was read whole.
    last_frame: Option<(u64, [u8; 32])>,
    hash_before: Option<[u8; 32]>,
    known: Known,
    last_tick: Option<u64>,
    skip_lines: u64,
    skim: Option<skim::Skim>,
    ready: VecDeque<Record>,
    tally: Tally,
    any_frame: bool,
}

impl Decoder {
    /// A decoder for bytes that begin at `offset` of the file, where a frame begins.
    pub fn new(offset: u64) -> std::io::Result<Self> {
        Ok(Self {
            buffer: Vec::new(),
            used: 0,
            offset,
            ended_input: false,
            state: State::Start,
            zstd: raw::Decoder::new()?,
            scratch: vec![0; MAX_BLOCK].into_boxed_slice(),
            text: Vec::new(),
            text_used: 0,
            text_seen: 0,
            current: Current::default(),
            hashing: false,
            last_frame: None,
            hash_before: None,
            known: Known::default(),
            last_tick: (offset == 0).then_some(0),
            skip_lines: 0,
            skim: None,
            ready: VecDeque::new(),
            tally: Tally::default(),
            any_frame: offset > 0,
        })
    }

    /// Hashes every frame and compares it with the next key.
    pub fn hashing(mut self) -> Self {
        self.hashing = true;
        self
    }

    /// Gives it more bytes.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.used > 0 {
            self.buffer.drain(..self.used);
            self.used = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// No more bytes will come.
    pub fn end_input(&mut self) {
        self.ended_input = true;
    }

    /// Offset in the file up to which bytes were used.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// How many bytes were given but not used, for want of more.
    pub fn unused(&self) -> usize {
        self.rest().len()
    }

    /// Forgets bytes that were given but not used, so that they can be given again from [`Decoder::offset`].
    pub fn forget_unused(&mut self) {
        self.buffer.clear();
        self.used = 0;
    }

    /// A decoder that begins again at the current frame and passes over what this one has delivered of it.
    pub fn again(&self) -> std::io::Result<Self> {
        let mut again = Self::new(self.current.start)?;
        again.any_frame = self.any_frame;
        again.known = self.known.clone();
        again.last_tick = self.last_tick;
        again.skip_lines = self.current.lines;
        Ok(again)
    }

    /// Offset of the frame that the latest record came from.
    pub fn frame_offset(&self) -> u64 {
        self.current.start
    }

    /// What was seen so far.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// The next record; `None` when more bytes are needed, or none will come.
    pub fn next_record(&mut self) -> Result<Option<Record>, ReadError> {
        loop {
            if let Some(record) = self.ready.pop_front() {
                return Ok(Some(record));
            }
            if let Some((start, end)) = self.next_line() {
                self.take_line(start, end)?;
                continue;
            }
            match self.step()? {
                Step::Advanced => {}
                Step::Starved => return Ok(None),
            }
        }
    }

    fn rest(&self) -> &[u8] {
        &self.buffer[self.used..]
    }

    fn consume(&mut self, count: usize) {
        self.used += count;
        self.offset += count as u64;
    }

    fn step(&mut self) -> Result<Step, ReadError> {
        match self.state {
            State::Start => self.step_start(),
            State::Blocks => Ok(self.step_block()),
            State::Skip(left) => Ok(self.step_skip(left)),
            State::Scan => Ok(self.step_scan()),
        }
    }

    /// Not enough bytes for what is next. At the end of the input they are the torn end of the file.
    /// Or a length was changed, and more follows: so it looks.
    fn starved(&mut self) -> Step {
        if !self.ended_input {
            return Step::Starved;
        }
        self.tally.torn = true;
        self.close_current(false);
        self.consume(1.min(self.rest().len()));
        self.state = State::Scan;
        Step::Advanced
    }

    fn step_start(&mut self) -> Result<Step, ReadError> {
        if self.current.open {
            self.close_current(true);
        }
        let rest = self.rest();
        if rest.is_empty() {
            return Ok(Step::Starved);
        }
        if rest.starts_with(&MAGIC) {
            return match frame_header(rest) {
                Parsed::Is(header) => self.begin(&header),
                Parsed::Short => Ok(self.starved()),
                Parsed::Bad if !self.any_frame => Err(ReadError::NotASession),
                Parsed::Bad => Ok(self.damage("a frame header that stormdeck does not write")),
            };
        }
        if rest.starts_with(&TRAILER_MAGIC) {
            return Ok(self.step_trailer());
        }
        match skippable_header(rest) {
            Parsed::Is(size) => {
                if !self.rest().starts_with(&SEEK_MAGIC) {
                    self.note_damage("a skippable frame that is none of stormdeck's");
                }
                self.consume(8);
                self.state = State::Skip(size);
                Ok(Step::Advanced)
            }
            Parsed::Short if rest.len() < 4 && !MAGIC.starts_with(rest) && !self.any_frame => {
                Err(ReadError::NotASession)
            }
            Parsed::Short => Ok(self.starved()),
            Parsed::Bad if !self.any_frame => Err(ReadError::NotASession),
            Parsed::Bad => Ok(self.damage("bytes that are no frame")),
        }
    }

    fn begin(&mut self, header: &frame::FrameHeader) -> Result<Step, ReadError> {
        self.current = Current {
            open: true,
            start: self.offset,
            checksum: header.checksum,
            sound: true,
            ..Current::default()
        };
        self.zstd.reinit()?;
        self.any_frame = true;
        self.tally.frames += 1;
        self.hash_before = self.last_frame.take().map(|(_, hash)| hash);
        if !self.rest().starts_with(&HEADER) {
            self.note_damage("a frame header that was not written so");
        }
        if self.run_zstd(header.length).is_err() {
            return Ok(self.damage("a frame header that zstd refuses"));
        }
        self.state = State::Blocks;
        Ok(Step::Advanced)
    }

    fn step_block(&mut self) -> Step {
        let block = match block_header(self.rest()) {
            Parsed::Is(block) => block,
            Parsed::Short => return self.starved(),
            Parsed::Bad => return self.damage("a block header that cannot be"),
        };
        let checksum = if block.last && self.current.checksum {
            4
        } else {
            0
        };
        if self.rest().len() < block.length + checksum {
            return self.starved();
        }
        if self.run_zstd(block.length).is_err() {
            return self.damage("a block that zstd cannot decompress");
        }
        if self.current.content > MAX_CONTENT
            || self.text.len() - self.text_used > MAX_LINE + MAX_BLOCK
        {
            return self.damage("more content than a frame of a session has");
        }
        if block.last {
            self.state = State::Start;
            if checksum > 0 && self.run_zstd(checksum).is_err() {
                self.note_damage("a frame whose checksum is wrong");
                self.current.sound = false;
                self.consume(checksum);
            }
        }
        Step::Advanced
    }

    /// Decompresses the next `count` bytes into the text and consumes them, unless they are bad.
    fn run_zstd(&mut self, count: usize) -> std::io::Result<()> {
        let mut input = InBuffer::around(&self.buffer[self.used..self.used + count]);
        let before = self.text.len();
        loop {
            let mut output = OutBuffer::around(&mut *self.scratch);
            let result = self.zstd.run(&mut input, &mut output);
            let written = output.pos();
            if let Err(error) = result {
                self.text.truncate(before);
                return Err(error);
            }
            self.text.extend_from_slice(&self.scratch[..written]);
            if written < self.scratch.len() && input.pos() == count {
                break;
            }
            if written == 0 && input.pos() < count {
                self.text.truncate(before);
                return Err(std::io::ErrorKind::InvalidData.into());
            }
        }
        let fresh = &self.text[before..];
        self.current.content += fresh.len() as u64;
        if self.hashing {
            self.current.sha.update(fresh);
        }
        let stored = &self.buffer[self.used..self.used + count];
        self.current.stored = crc32c::crc32c_append(self.current.stored, stored);
        self.consume(count);
        Ok(())
    }

    fn step_trailer(&mut self) -> Step {
        let length = match skippable_header(self.rest()) {
            Parsed::Is(size) if size + 8 <= MAX_TRAILER => size + 8,
            Parsed::Short => return self.starved(),
            Parsed::Is(_) | Parsed::Bad => return self.damage("a trailer that cannot be"),
        };
        let Some(bytes) = self.rest().get(..length) else {
            return self.starved();
        };
        match trailer::check(bytes) {
            Some(footer) => {
                self.take_trailer(&footer);
                self.consume(length);
                self.state = State::Start;
                Step::Advanced
            }
            None => self.damage("a trailer whose checksum is wrong"),
        }
    }

    /// A frame is behind us, and its trailer says which ticks it held.
    fn take_trailer(&mut self, footer: &Footer) {
        let ours = footer.offset == self.current.start;
        if ours && self.current.sound && self.current.stored != footer.stored {
            self.note_damage("a frame of which some bytes changed that bear no content");
        }
        if self.last_tick.is_some_and(|last| last < footer.last) {
            self.hole_before(footer.last + 1);
        }
    }

    fn step_skip(&mut self, left: usize) -> Step {
        let count = left.min(self.rest().len());
        self.consume(count);
        if count < left {
            self.state = State::Skip(left - count);
            if self.ended_input {
                self.tally.torn = true;
            }
            return Step::Starved;
        }
        self.state = State::Start;
        Step::Advanced
    }

    /// Looks for a trailer or a frame at which to go on.
    fn step_scan(&mut self) -> Step {
        let rest = self.rest();
        let found = rest
            .windows(4)
            .position(|four| four == TRAILER_MAGIC || four == MAGIC);
        let Some(place) = found else {
            let keep = if self.ended_input { 0 } else { 3 };
            self.consume(self.rest().len().saturating_sub(keep));
            return Step::Starved;
        };
        self.consume(place);
        let rest = self.rest();
        let verdict = if rest.starts_with(&MAGIC) {
            match frame_header(rest) {
                Parsed::Is(header) => Parsed::Is(header.checksum),
                Parsed::Short => Parsed::Short,
                Parsed::Bad => Parsed::Bad,
            }
        } else {
            match skippable_header(rest) {
                Parsed::Is(size) if size + 8 <= MAX_TRAILER => match rest.get(..size + 8) {
                    Some(bytes) => Parsed::Is(trailer::check(bytes).is_some()),
                    None => Parsed::Short,
                },
                Parsed::Short => Parsed::Short,
                Parsed::Is(_) | Parsed::Bad => Parsed::Bad,
            }
        };
        match verdict {
            Parsed::Is(true) => {
                if self.tally.torn {
                    self.tally.torn = false;
                    self.note_damage("a length that was not written so");
                }
                self.state = State::Start;
            }
            Parsed::Short if !self.ended_input => return Step::Starved,
            Parsed::Is(false) | Parsed::Short | Parsed::Bad => self.consume(1),
        }
        Step::Advanced
    }

    fn note_damage(&mut self, what: &str) {
        self.tally.damaged += 1;
        if self.tally.damages.len() < MAX_DAMAGES {
            self.tally.damages.push(Damage {
                offset: self.offset,
                what: what.to_owned(),
            });
        }
    }

    /// Notes damage here and looks for a place to go on.
    fn damage(&mut self, what: &str) -> Step {
        self.note_damage(what);
        self.close_current(false);
        if matches!(self.state, State::Start) {
            self.consume(1);
        }
        self.state = State::Scan;
        Step::Advanced
    }

    /// The frame is over: what is left of a line in it is lost.
    fn close_current(&mut self, whole: bool) {
        self.current.open = false;
        self.current.sound &= whole;
        if self.hashing && self.current.content > 0 {
            let hash: [u8; 32] = std::mem::take(&mut self.current.sha).finalize().into();
            self.tally.head = Some(hash);
            if whole && self.current.sound {
                self.last_frame = Some((self.tally.frames, hash));
            }
            self.current.content = 0;
        }
        if self.text_used < self.text.len() && whole {
            self.note_damage("a line without an end");
        }
        self.text.clear();
        (self.text_used, self.text_seen) = (0, 0);
    }
}

/// Bytes as lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from(b"0123456789abcdef"[usize::from(nibble & 15)]);
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(*byte)])
        .collect()
}
