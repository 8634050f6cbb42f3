//! What is counted of a whole recording, and where to jump in it.
//!
//! In: the frames of a recording, as they become whole. Out: counts by tick of a short recording, by frame of a longer
//! one, and places. Of a frame only the part of its trailer is read that is counted; one without is read itself. The
//! invariant: every tick of a whole frame is counted once.

use std::io;

use super::places;
use super::recording::{AHEAD, Recording};
use crate::console::model::Place;
use crate::session::record::{Event, Record, StepTick, Tick};
use crate::session::trailer::Glance;
use crate::session::{FrameInfo, ReadError};

/// Up to this many frames ticks are counted one by one.
const FINE_FRAMES: usize = 40;

/// What was counted so far.
#[derive(Debug, Default)]
pub(super) struct Counted {
    /// Frames that are part of it.
    frames: usize,
    counts: Vec<Count>,
    /// Whether `counts` is of frames, not of ticks.
    coarse: bool,
    places: Vec<Place>,
}

/// What was counted from one tick up to another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Count {
    pub ticks: (u64, u64),
    pub seen: u64,
    pub requests: u64,
    pub failed: u64,
}

impl Recording {
    /// Counts what is in frames that are new. Stops early when `stop` says so.
    pub(super) fn survey(&mut self, stop: impl Fn() -> bool) -> Result<(), ReadError> {
        let frames = &self.index().frames;
        // The last frame is still being written when it has no trailer.
        let open = frames.last().is_some_and(|frame| !frame.has_trailer());
        let end = frames.len() - usize::from(open);
        let counted = &mut self.counted;
        if !counted.coarse && end > FINE_FRAMES {
            counted.coarse = true;
            self.counted.counts = by_frame(
                &self.counted.counts,
                &self.index().frames[..self.counted.frames],
            );
        }
        while self.counted.frames < end && !stop() {
            let first = self.counted.frames;
            let places: Vec<usize> = (first..end).take(AHEAD).collect();
            let glances = if self.counted.coarse {
                self.on_all_cores(&places, Self::look_at)?
            } else {
                places.iter().map(|_| None).collect()
            };
            for (place, glance) in places.into_iter().zip(glances) {
                let (counts, found) = match glance {
                    Some(glance) => (
                        Count::of_frame(&glance).into_iter().collect(),
                        self.places_of(&glance.events),
                    ),
                    None => self.read_counts(&self.index().frames[place])?,
                };
                self.counted.counts.extend(counts);
                self.counted.places.extend(found);
                self.counted.frames = place + 1;
            }
        }
        Ok(())
    }

    /// What the trailer says; `None` when the frame has to be read.
    fn look_at(&self, frame: &FrameInfo) -> io::Result<Option<Glance>> {
        let glance = self.index().glance(frame)?;
        Ok(glance.filter(|glance| glance.fits(frame)))
    }

    /// What is counted and where to jump in a frame, by its records.
    fn read_counts(&self, frame: &FrameInfo) -> Result<(Vec<Count>, Vec<Place>), ReadError> {
        let (mut counts, mut events) = (Vec::new(), Vec::new());
        let mut reader = self.index().read_frame(frame)?;
        while let Some(record) = reader.next_record()? {
            match record {
                Record::Tick(tick) => counts.push(Count::of(&tick)),
                Record::Event(event) => events.push(event),
                Record::Key(_)
                | Record::Window(_)
                | Record::Sample(_)
                | Record::Gap(_)
                | Record::End(_)
                | Record::Unknown => {}
            }
        }
        let places = self.places_of(&events);
        Ok((counts, places))
    }

    /// Everything counted and every place so far, the frame that is being written included.
    pub(super) fn glance(&self) -> Result<(Vec<Count>, Vec<Place>), ReadError> {
        let counted = &self.counted;
        let (mut counts, mut places) = (counted.counts.clone(), counted.places.clone());
        let rest = self.index().frames.get(counted.frames..);
        for frame in rest.unwrap_or_default() {
            let (more, later) = self.read_counts(frame)?;
            counts.extend(more);
            places.extend(later);
        }
        Ok((counts, places))
    }

    fn places_of(&self, events: &[Event]) -> Vec<Place> {
        places::of_events(events, self.tick_us(), &self.names, self.window())
    }
}

impl Count {
    fn of(tick: &Tick) -> Self {
        Self {
            ticks: (tick.n, tick.n),
            seen: 1,
            requests: tick.steps.iter().map(|step| step.requests).sum(),
            failed: tick.steps.iter().map(StepTick::failed).sum(),
        }
    }

    /// `None` when it holds no tick.
    fn of_frame(glance: &Glance) -> Option<Self> {
        let course = glance.course?;
        let failed = |sum: u64, &count: &u64| sum.saturating_add(count);
        Some(Self {
            ticks: (course.first, course.last),
            seen: glance.ticks,
            requests: glance.steps.iter().map(|step| step.requests).sum(),
            failed: glance
                .steps
                .iter()
                .flat_map(|step| step.errors.values())
                .fold(0, failed),
        })
    }
}

/// Counts of ticks, joined to those of frames.
fn by_frame(counts: &[Count], frames: &[FrameInfo]) -> Vec<Count> {
    let mut rest = counts;
    let mut joined = Vec::new();
    for frame in frames {
        let (held, later) = rest.split_at(rest.partition_point(|c| c.ticks.0 < frame.ticks.end));
        rest = later;
        if let (Some(first), Some(last)) = (held.first(), held.last()) {
            joined.push(Count {
                ticks: (first.ticks.0, last.ticks.1),
                seen: held.iter().map(|count| count.seen).sum(),
                requests: held.iter().map(|count| count.requests).sum(),
                failed: held.iter().map(|count| count.failed).sum(),
            });
        }
    }
    joined
}
