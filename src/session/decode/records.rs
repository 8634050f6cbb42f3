//! From the text of frames to records: lines, their soundness, and the holes between ticks.

use super::{Decoder, ReadError, hex};
use crate::session::line::{self, LineError};
use crate::session::record::{Gap, Record};

impl Decoder {
    /// The next whole line of the text, as a range without its newline.
    pub(super) fn next_line(&mut self) -> Option<(usize, usize)> {
        let Some(length) = memchr::memchr(b'\n', &self.text[self.text_seen..]) else {
            if self.text_used > 0 {
                self.text.drain(..self.text_used);
                self.text_used = 0;
            }
            self.text_seen = self.text.len();
            return None;
        };
        let (start, end) = (self.text_used, self.text_seen + length);
        (self.text_used, self.text_seen) = (end + 1, end + 1);
        Some((start, end))
    }

    pub(super) fn take_line(&mut self, start: usize, end: usize) -> Result<(), ReadError> {
        self.current.lines += 1;
        if self.skip_lines > 0 {
            self.skip_lines -= 1;
            return Ok(());
        }
        if self.pass_over(start, end)? {
            return Ok(());
        }
        let record = match line::decode(&self.text[start..end]) {
            Ok(record) => record,
            Err(LineError::Newer { found }) => return Err(ReadError::Newer { found }),
            Err(error) => {
                self.note_damage(&error.to_string());
                self.current.sound = false;
                return Ok(());
            }
        };
        if let Err(reason) = self.known.admit(&record) {
            self.note_damage(&format!("a record that refers to nothing: {reason}"));
            self.current.sound = false;
            return Ok(());
        }
        self.take_record(record);
        Ok(())
    }

    /// Puts the record out, and before it a gap where ticks are missing.
    fn take_record(&mut self, record: Record) {
        match &record {
            Record::Key(key) => {
                if self.hashing {
                    self.check_link(&key.prev);
                }
                self.last_tick.get_or_insert(key.tick - 1);
            }
            Record::Tick(tick) => {
                if self.last_tick.is_some_and(|last| tick.n <= last) {
                    self.note_damage("a tick that comes twice or too late");
                    self.current.sound = false;
                    return;
                }
                self.hole_before(tick.n);
                self.last_tick = Some(tick.n);
                self.tally.ticks += 1;
            }
            Record::Gap(gap) => {
                self.hole_before(gap.from);
                self.last_tick = self.last_tick.max(Some(gap.to));
            }
            Record::End(_) => self.tally.ended = true,
            Record::Unknown => return,
            Record::Window(_) | Record::Event(_) | Record::Sample(_) => {}
        }
        self.ready.push_back(record);
    }

    /// States the ticks that are missing before tick `next`.
    pub(super) fn hole_before(&mut self, next: u64) {
        let Some(last) = self.last_tick else { return };
        if next > last + 1 {
            let why = if self.tally.damaged > 0 {
                "damaged"
            } else {
                "missing"
            };
            self.ready.push_back(Record::Gap(Gap {
                from: last + 1,
                to: next - 1,
                why: why.to_owned(),
            }));
            self.last_tick = Some(next - 1);
        }
    }

    /// Compares a key's `prev` with the hash of the frame before, where that was read whole.
    fn check_link(&mut self, prev: &str) {
        let first = self.tally.frames == 1;
        let right = match self.hash_before {
            Some(hash) => hex(&hash) == prev,
            None if first && self.tally.damaged == 0 => prev.is_empty() || self.current.start > 0,
            None => true,
        };
        if !right {
            self.tally.broken_links += 1;
        }
    }
}
