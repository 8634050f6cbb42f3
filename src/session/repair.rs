//! Going on with a session whose writer died.
//!
//! A file that ends anywhere goes in; a writer comes out, and the file is valid again: cut to the last whole block,
//! the open frame ended by hand (an empty last block and the low 32 bits of XXH64 of the content), its trailer written.
//! The invariant: no byte before the last whole block changes.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use zstd::stream::raw::{self, InBuffer, Operation, OutBuffer};

use super::decode::{Decoder, ReadError};
use super::frame::{MAX_BLOCK, Parsed, block_header, frame_header};
use super::index::Index;
use super::record::{Key, Record};
use super::writer::{Frame, OpenError, Standing, Writer, lock};

/// Most bytes after the last sound trailer that are gone through. The writer never leaves more than one frame there.
const MAX_TAIL: u64 = 256 << 20;

impl Writer {
    /// Goes on with a session whose writer died: repairs its end and takes over names, series and the hash chain.
    ///
    /// If the first tick appended does not follow the last one in the file, a gap between them is stated.
    pub fn resume(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        let path = path.as_ref().to_path_buf();
        let opened = OpenOptions::new().append(true).read(true).open(&path);
        let file = match opened {
            Ok(file) => file,
            Err(source) => return Err(OpenError::Io { path, source }),
        };
        lock(&file, &path)?;
        let survey = match Survey::of(&file) {
            Ok(Some(survey)) if survey.ended => return Err(OpenError::Ended(path)),
            Ok(Some(survey)) => survey,
            Ok(None) => return Err(OpenError::Empty(path)),
            Err(source) => return Err(OpenError::Read { path, source }),
        };
        survey
            .into_writer(path.clone(), file)
            .map_err(|source| OpenError::Io { path, source })
    }
}

/// What is whole in a file.
struct Survey {
    /// Where what is whole ends.
    good: u64,
    /// The frame after the last trailer, if there is one.
    frame: Option<Frame>,
    standing: Standing,
    next_number: u64,
    prev: String,
    sizes: Vec<(u32, u32)>,
    ended: bool,
}

impl Survey {
    /// Finds the last sound trailer, and what is whole after it; `None` if there is no key to go on from.
    fn of(file: &File) -> Result<Option<Self>, ReadError> {
        let index = Index::of(file.try_clone()?)?;
        let sealed = index.frames.iter().rev().find(|frame| frame.has_trailer());
        let begin = sealed.map_or(0, |frame| frame.end + u64::from(frame.trailer_length()));
        let mut survey = Self {
            good: begin,
            frame: None,
            standing: Standing::default(),
            next_number: 0,
            prev: String::new(),
            sizes: Vec::new(),
            ended: index.closed,
        };
        for frame in index.frames.iter().filter(|frame| frame.has_trailer()) {
            let size = (frame.end - frame.offset) as u32;
            survey.sizes.push((size, frame.content as u32));
            survey.sizes.push((frame.trailer_length(), 0));
        }
        if survey.ended {
            return Ok(Some(survey));
        }
        let mut from = begin;
        if let Some(frame) = sealed {
            from = frame.offset;
            survey.next_number = frame.number + 1;
            survey.prev = index.aggregates(frame)?.unwrap_or_default().hash;
        }
        let tail = read_range(file, begin, file.metadata()?.len())?;
        let whole = walk(&tail)?;
        let before = read_range(file, from, begin)?;
        survey.take_over(from, &before, &tail, &whole)?;
        Ok(survey.standing.known.names.is_some().then_some(survey))
    }

    /// Reads the last sealed frame and the tail, for what the writer has to know.
    fn take_over(
        &mut self,
        from: u64,
        before: &[u8],
        tail: &[u8],
        whole: &Whole,
    ) -> Result<(), ReadError> {
        let begin = self.good;
        self.good = begin + whole.end as u64;
        let mut decoder = Decoder::new(from)?;
        decoder.feed(before);
        decoder.feed(&tail[..whole.end]);
        let last = whole.last.as_ref().map(|last| begin + last.begin as u64);
        while let Some(record) = decoder.next_record()? {
            self.standing.known.admit(&record).ok();
            self.standing.note(&record);
            self.ended |= matches!(record, Record::End(_));
            if let Record::Tick(tick) = &record {
                self.standing.written = self.standing.written.max(tick.n);
                self.standing.tick = Some((tick.n, tick.at));
            }
            if let Record::Gap(gap) = &record {
                self.standing.written = self.standing.written.max(gap.to);
            }
            if last != Some(decoder.frame_offset()) {
                continue;
            }
            if let Record::Key(key) = &record {
                let mut frame = Frame::new(decoder.frame_offset(), key);
                frame.fold.before = self.standing.tick;
                self.frame = Some(frame);
            }
            if let Some(frame) = &mut self.frame {
                frame.add(&[], &[], [&record].into_iter());
            }
        }
        self.standing.seen = self.standing.written;
        if let Some(last) = &whole.last {
            let number = self.next_number;
            let frame = self.frame.get_or_insert_with(|| {
                // Its key is damaged. It is ended all the same, as a frame that may hold what follows.
                let tick = self.standing.written + 1;
                let key = Key {
                    frame: number,
                    tick,
                    at: self.standing.at,
                    ..Key::default()
                };
                Frame::new(begin + last.begin as u64, &key)
            });
            frame.add(&tail[last.begin..whole.end], &last.content, [].into_iter());
            frame.ended = last.ended;
        }
        Ok(())
    }

    fn into_writer(self, path: std::path::PathBuf, file: File) -> io::Result<Writer> {
        let mut writer = Writer::with(path, file, self.standing)?;
        writer.good = self.good;
        writer.frame = self.frame;
        writer.next_number = self.next_number;
        writer.prev = self.prev;
        writer.sizes = self.sizes;
        writer.hole = Some("resumed after a crash".to_owned());
        writer.broken = true;
        writer.mend()?;
        Ok(writer)
    }
}

/// What is whole in the bytes after the last trailer.
#[derive(Default)]
struct Whole {
    /// Where it ends: after a frame, or after a block with which a line ends.
    end: usize,
    /// The last frame that begins in it.
    last: Option<LastFrame>,
}

struct LastFrame {
    begin: usize,
    content: Vec<u8>,
    /// It was ended in order.
    ended: bool,
}

/// Goes through block headers, decompressing, as far as everything is whole.
fn walk(bytes: &[u8]) -> io::Result<Whole> {
    let mut whole = Whole::default();
    let mut at = 0;
    while let Parsed::Is(header) = frame_header(&bytes[at..]) {
        let mut zstd = raw::Decoder::new()?;
        let mut scratch = vec![0; MAX_BLOCK];
        let mut frame = LastFrame {
            begin: at,
            content: Vec::new(),
            ended: false,
        };
        let mut good = 0;
        let mut text = Vec::new();
        if run(
            &mut zstd,
            &bytes[at..at + header.length],
            &mut scratch,
            &mut text,
        )
        .is_err()
        {
            break;
        }
        at += header.length;
        while let Parsed::Is(block) = block_header(&bytes[at..]) {
            let checksum = if block.last && header.checksum { 4 } else { 0 };
            let Some(stored) = bytes.get(at..at + block.length + checksum) else {
                break;
            };
            if run(&mut zstd, stored, &mut scratch, &mut text).is_err() {
                break;
            }
            at += stored.len();
            frame.ended = block.last;
            if text.ends_with(b"\n") {
                good = text.len();
                whole.end = at;
            }
            if block.last {
                break;
            }
        }
        if good == 0 {
            break;
        }
        text.truncate(good);
        frame.content = text;
        let ended = frame.ended && whole.end == at;
        frame.ended = ended;
        whole.last = Some(frame);
        if !ended {
            break;
        }
    }
    Ok(whole)
}

/// Decompresses `stored`, all of it, onto the end of `text`.
fn run(
    zstd: &mut raw::Decoder<'static>,
    stored: &[u8],
    scratch: &mut [u8],
    text: &mut Vec<u8>,
) -> io::Result<()> {
    let mut input = InBuffer::around(stored);
    loop {
        let mut output = OutBuffer::around(&mut *scratch);
        zstd.run(&mut input, &mut output)?;
        let written = output.pos();
        text.extend_from_slice(&scratch[..written]);
        if written < scratch.len() && input.pos() == stored.len() {
            return Ok(());
        }
        if written == 0 && input.pos() < stored.len() {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
}

fn read_range(file: &File, begin: u64, end: u64) -> io::Result<Vec<u8>> {
    let length = end.saturating_sub(begin);
    if length > MAX_TAIL {
        return Err(io::Error::other("too much of it is without trailers"));
    }
    let mut bytes = vec![0; length as usize];
    file.read_exact_at(&mut bytes, begin)?;
    Ok(bytes)
}
