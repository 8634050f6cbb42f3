//! Reading on from a moment, and when what was read is due.
//!
//! In: a reader of records, and moments of the clock. Out: the records whose time has come. The invariant: a record is
//! handed out once, in the order of the file.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::{BATCH, BATCH_TICKS};
use crate::console::event::Speed;
use crate::session::index::FileRange;
use crate::session::record::Record;
use crate::session::{ReadError, Reader};

/// Shortest time between two portions: no screen shows more pictures a second.
const PORTION: Duration = Duration::from_millis(33);
/// A clock that is further behind than this is set anew: what could not be read in time is not made up for.
const BEHIND: Duration = Duration::from_millis(500);

/// Reads a recording on from a moment.
pub struct Player {
    reader: Reader<FileRange>,
    ahead: VecDeque<Record>,
    /// The tick that was handed out last.
    pub tick: u64,
    /// Its end, µs since the window began.
    pub at: u64,
    /// Passed over once more until something later comes, after the file was opened again.
    again: bool,
}

/// When what is due at which speed.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    speed: Speed,
    began: Instant,
    began_at: u64,
    last: Option<Instant>,
    /// More was due than went into the last portion.
    behind: bool,
}

/// What came of playing on.
#[derive(Debug, PartialEq)]
pub enum Played {
    /// These, and there may be more.
    Some(Vec<Record>),
    /// These were the last that there are.
    Last(Vec<Record>),
}

impl Player {
    /// Begins where the reader stands.
    pub fn new(reader: Reader<FileRange>) -> Self {
        Self {
            reader,
            ahead: VecDeque::new(),
            tick: 0,
            at: 0,
            again: false,
        }
    }

    /// Goes on with another reader of the same file, which may begin earlier.
    pub fn go_on_with(&mut self, reader: Reader<FileRange>) {
        self.reader = reader;
        self.again = true;
    }

    /// Whether there is anything more to hand out.
    pub fn has_more(&mut self) -> Result<bool, ReadError> {
        Ok(self.peek()?.is_some())
    }

    fn peek(&mut self) -> Result<Option<&Record>, ReadError> {
        while self.ahead.is_empty() {
            let Some(record) = self.reader.next_record()? else {
                return Ok(None);
            };
            if self.again && self.was_seen(&record) {
                continue;
            }
            self.ahead.push_back(record);
        }
        Ok(self.ahead.front())
    }

    fn was_seen(&self, record: &Record) -> bool {
        match record {
            Record::Tick(tick) => tick.n <= self.tick,
            Record::Gap(gap) => gap.to <= self.tick,
            Record::Key(key) => key.tick <= self.tick,
            Record::Event(event) => event.at <= self.at,
            Record::Sample(sample) => sample.at <= self.at,
            Record::Window(_) | Record::Unknown => true,
            Record::End(_) => false,
        }
    }

    fn take(&mut self) -> Option<Record> {
        let record = self.ahead.pop_front()?;
        if let Record::Tick(tick) = &record {
            (self.tick, self.at, self.again) = (tick.n, tick.at, false);
        }
        Some(record)
    }

    /// Hands out everything up to this tick, or up to the end.
    pub fn read_to(&mut self, until: u64, mut each: impl FnMut(Record)) -> Result<(), ReadError> {
        while let Some(next) = self.peek()? {
            let beyond = match next {
                Record::Tick(tick) => tick.n > until,
                Record::Gap(gap) => gap.from > until,
                _ => self.tick >= until,
            };
            if beyond {
                break;
            }
            if let Some(record) = self.take() {
                each(record);
            }
        }
        Ok(())
    }

    /// Hands out the rest of the frame: everything before the next key.
    pub fn read_frame(&mut self, mut each: impl FnMut(Record)) -> Result<(), ReadError> {
        while let Some(next) = self.peek()? {
            if matches!(next, Record::Key(_)) {
                break;
            }
            if let Some(record) = self.take() {
                each(record);
            }
        }
        Ok(())
    }

    /// Hands out what is due now.
    pub fn play(&mut self, clock: &mut Clock, now: Instant) -> Result<Played, ReadError> {
        (clock.last, clock.behind) = (Some(now), false);
        let (mut records, mut ticks) = (Vec::new(), 0);
        while records.len() < BATCH && ticks < BATCH_TICKS {
            let Some(next) = self.peek()? else {
                return Ok(Played::Last(records));
            };
            let is_tick = matches!(next, Record::Tick(_));
            if let Some(at) = at_of(next)
                && clock.due(at) > now
            {
                return Ok(Played::Some(records));
            }
            records.extend(self.take());
            ticks += usize::from(is_tick);
            if is_tick && clock.speed == Speed::Step {
                return Ok(Played::Some(records));
            }
        }
        clock.behind = true;
        clock.keep_up(self.at, now);
        Ok(Played::Some(records))
    }

    /// When to look again; `None` at the end.
    pub fn next_due(&mut self, clock: &Clock) -> Result<Option<Instant>, ReadError> {
        let Some(next) = self.peek()? else {
            return Ok(None);
        };
        let due = at_of(next).map_or(clock.began, |at| clock.due(at));
        Ok(Some(match (clock.speed, clock.last) {
            (Speed::Times(_), Some(last)) if !clock.behind => due.max(last + PORTION),
            (Speed::Times(_) | Speed::Step | Speed::Unbounded, _) => due,
        }))
    }
}

impl Clock {
    /// Starts at this moment of the recording, µs since the window began.
    pub fn start(speed: Speed, at: u64, now: Instant) -> Self {
        Self {
            speed,
            began: now,
            began_at: at,
            last: None,
            behind: false,
        }
    }

    /// How fast it runs.
    pub fn speed(&self) -> Speed {
        self.speed
    }

    fn due(&self, at: u64) -> Instant {
        match self.speed {
            Speed::Times(times) => {
                let micros = at.saturating_sub(self.began_at) as f64 / times.max(0.001);
                self.began + Duration::from_micros(micros as u64)
            }
            Speed::Step | Speed::Unbounded => self.began,
        }
    }

    fn keep_up(&mut self, at: u64, now: Instant) {
        if now.saturating_duration_since(self.due(at)) > BEHIND {
            (self.began, self.began_at) = (now, at);
        }
    }
}

/// When it happened, µs since the window began.
fn at_of(record: &Record) -> Option<u64> {
    match record {
        Record::Tick(tick) => Some(tick.at),
        Record::Event(event) => Some(event.at),
        Record::Sample(sample) => Some(sample.at),
        Record::End(end) => Some(end.at),
        Record::Key(_) | Record::Window(_) | Record::Gap(_) | Record::Unknown => None,
    }
}
