//! One record on its way into the file.

use std::fs::File;
use std::io::{self, ErrorKind, Write};

use super::{FRAME_CONTENT, FRAME_TICKS, Frame, MAX_WAITING, Writer};
use crate::session::line::{self, LineError};
use crate::session::record::{Gap, Key, Record, VERSION};

/// Why a record did not get into the file.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// It is no line.
    #[error(transparent)]
    Line(#[from] LineError),
    /// The file refused it.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Writer {
    /// Writes a record, and before it whatever is due: a new frame's key, a gap, records that waited.
    pub(super) fn write(&mut self, record: &Record) -> Result<(), Failure> {
        if self.broken {
            self.mend()?;
        }
        if self.changes_phase(record) {
            self.end_frame()?;
        }
        let mut before: Vec<Record> = Vec::new();
        let mut fresh = None;
        if self.frame.is_none() {
            let key = self.key();
            let mut frame = Frame::new(self.good, &key);
            frame.fold.before = self.standing.tick;
            fresh = Some(frame);
            before.push(Record::Key(key));
        }
        before.extend(self.gap_before(record).map(Record::Gap));
        let due = before
            .iter()
            .chain(&self.waiting)
            .chain(std::iter::once(record));
        self.text.clear();
        for record in due.clone() {
            line::encode(record, &mut self.text)?;
        }
        self.bytes.clear();
        let begun = match fresh {
            Some(_) => self.compressor.begin(),
            None => Ok(()),
        };
        let outcome = begun
            .and_then(|()| self.compressor.add(&self.text, &mut self.bytes))
            .and_then(|()| put(&mut self.file, &self.bytes, &mut self.good));
        if let Err(error) = outcome {
            self.broken = true;
            return Err(error.into());
        }
        if fresh.is_some() {
            self.frame = fresh;
        }
        let mut full = false;
        if let Some(frame) = &mut self.frame {
            frame.add(&self.bytes, &self.text, due);
            full = frame.ticks >= FRAME_TICKS
                || frame.content >= FRAME_CONTENT
                || ends_a_minute(record);
        }
        self.waiting.clear();
        before
            .iter()
            .chain(std::iter::once(record))
            .for_each(|record| self.written(record));
        if full {
            // The record is in the file; a frame that could not be ended is ended before the next one.
            let _ = self.end_frame();
        }
        Ok(())
    }

    /// Whether the tick is of another phase than those of the open frame. A frame has one, so that its sums can be
    /// counted to it.
    fn changes_phase(&self, record: &Record) -> bool {
        let (Record::Tick(tick), Some(frame)) = (record, &self.frame) else {
            return false;
        };
        frame.fold.is_of_another(tick.phase)
    }

    /// The line that makes the next frame stand alone.
    fn key(&self) -> Key {
        let standing = &self.standing;
        Key {
            v: VERSION,
            frame: self.next_number,
            tick: standing.written + 1,
            at: standing.at,
            wall: standing.wall,
            prev: self.prev.clone(),
            names: standing.names.clone(),
            series: standing.series.clone(),
        }
    }

    /// The ticks that are missing before `record`, if there is a reason why some may be.
    fn gap_before(&self, record: &Record) -> Option<Gap> {
        let why = self.hole.clone()?;
        let from = self.standing.written + 1;
        let to = match record {
            Record::Tick(tick) => tick.n - 1,
            Record::Gap(gap) => gap.from.saturating_sub(1).min(self.standing.seen),
            _ => self.standing.seen,
        };
        (from <= to).then_some(Gap { from, to, why })
    }

    fn written(&mut self, record: &Record) {
        match record {
            Record::Gap(gap) => self.standing.written = self.standing.written.max(gap.to),
            Record::Tick(tick) => {
                self.standing.written = tick.n;
                self.standing.tick = Some((tick.n, tick.at));
                self.hole = None;
            }
            Record::Key(_)
            | Record::Window(_)
            | Record::Event(_)
            | Record::Sample(_)
            | Record::End(_)
            | Record::Unknown => {}
        }
    }

    /// A record did not get into the file.
    pub(super) fn miss(&mut self, record: &Record, error: &io::Error) {
        let full = matches!(
            error.kind(),
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge
        );
        let why = || {
            if full {
                "disk full".to_owned()
            } else {
                format!("write error: {error}")
            }
        };
        self.hole.get_or_insert_with(why);
        match record {
            Record::Tick(_) => self.lost += 1,
            // The end is not kept: a window that could not be closed has no end.
            Record::End(_) => {}
            other if self.waiting.len() < MAX_WAITING => self.waiting.push_back(other.clone()),
            _ => self.dropped += 1,
        }
    }
}

/// Frames end at multiples of [`FRAME_TICKS`], so that their sums fill the cells of a chart, even after one that was cut
/// short.
fn ends_a_minute(record: &Record) -> bool {
    matches!(record, Record::Tick(tick) if tick.n.is_multiple_of(u64::from(FRAME_TICKS)))
}

/// Appends `bytes` in one write where the system allows; on an error the file is cut back, if that works.
pub(super) fn put(file: &mut File, bytes: &[u8], good: &mut u64) -> io::Result<()> {
    if let Err(error) = file.write_all(bytes) {
        // Should this fail too, the next attempt begins with it.
        let _ = file.set_len(*good);
        return Err(error);
    }
    *good += bytes.len() as u64;
    Ok(())
}
