//! Folding whole frames by their sums, without their ticks.
//!
//! In: what the trailers of a recording say ([`Aggregates`]), in the order of the file. Out: a history that answers as
//! if the ticks themselves had been applied: counts, sums by phase, gaps and phases are exact, distributions have 2
//! significant figures (quantiles are never below the exact ones and at most 0.8 % above), and of the slowest requests,
//! events and samples only those are known that a trailer keeps. The invariant: a [`Stretch`] depends on its frames
//! alone, so that it can be kept and used for any number of histories.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::bucket::{Bucket, Flow, GeneratorBucket, GeneratorPeak, Range, StepBucket, class_of};
use super::levels::Levels;
use super::merge::Figures;
use super::packed::Packed;
use super::{History, Moment};
use crate::session::fold::add_counts;
use crate::session::record::{Event, Exemplar, Gap, Sample};
use crate::session::trailer::{Course, GeneratorSum, ScenarioSum, StepSum};
use crate::session::{Aggregates, FrameInfo};

/// More series than any window has. A trailer that names a later one is not believed.
const MOST_SERIES: usize = 1 << 20;

/// One or more frames of one phase, ready to be folded. Histograms are shared with every history that took it in.
#[derive(Debug, Clone, PartialEq)]
pub struct Stretch {
    /// `None` when it holds no tick.
    bucket: Option<Arc<Bucket>>,
    /// Answers by status code, by step.
    pub(super) status: BTreeMap<usize, BTreeMap<u16, u64>>,
    pub(super) load_max: f64,
    /// Sums over the ticks of the CPU used, in cores: the process, the recorder.
    pub(super) cpu_sum: f64,
    pub(super) recorder_sum: f64,
    slow: Vec<Exemplar>,
    samples: Vec<Sample>,
    events: Vec<Event>,
    gaps: Vec<Gap>,
}

impl Stretch {
    /// Of one frame of a session whose ticks have this length, µs. `None` when its trailer does not say enough and its
    /// ticks have to be applied instead.
    pub fn of(frame: &FrameInfo, sums: &Aggregates, tick_us: u64) -> Option<Self> {
        let bucket = match (&sums.course, &sums.generator) {
            (Some(course), Some(generator)) => {
                // What the ticks are counted by must be what the frame is known to hold.
                let sound = course.fits(frame, sums.ticks)
                    && sums.steps.is_sorted_by(|a, b| a.step < b.step)
                    && sums.series.is_sorted_by(|a, b| a.0 < b.0)
                    && sums.series.last().is_none_or(|last| last.0 < MOST_SERIES);
                sound.then_some(())?;
                Some(Arc::new(bucket(course, generator, sums, tick_us)))
            }
            (None, _) if sums.ticks == 0 => None,
            (Some(_) | None, _) => return None,
        };
        let status = sums
            .steps
            .iter()
            .map(|step| (step.step, step.status.clone()));
        let generator = sums.generator.as_ref();
        Some(Self {
            bucket,
            status: status.collect(),
            load_max: sums.course.map_or(0.0, |course| course.load_max),
            cpu_sum: generator.map_or(0.0, |sum| sum.cpu_sum),
            recorder_sum: generator.map_or(0.0, |sum| sum.recorder_sum),
            slow: sums.slow.clone(),
            samples: sums.samples.clone(),
            events: sums.events.clone(),
            gaps: sums.gaps.clone(),
        })
    }

    /// Adds a later stretch, or gives it back: when it is of another phase, or one of the two holds no tick.
    #[must_use]
    pub fn join(&mut self, later: Self) -> Option<Self> {
        let (Some(bucket), Some(more)) = (&self.bucket, &later.bucket) else {
            return Some(later);
        };
        if bucket.phase != more.phase || bucket.to >= more.from {
            return Some(later);
        }
        let joined = Bucket::roll_up(&[bucket, more], &[], Figures::Two);
        self.bucket = joined.map(Arc::new);
        for (step, status) in later.status {
            add_counts(self.status.entry(step).or_default(), &status);
        }
        self.load_max = self.load_max.max(later.load_max);
        self.cpu_sum += later.cpu_sum;
        self.recorder_sum += later.recorder_sum;
        self.slow.extend(later.slow);
        self.slow
            .sort_by_key(|slow| std::cmp::Reverse(slow.response));
        self.slow.truncate(super::SLOWEST);
        for sample in later.samples {
            // A history keeps the first of each kind.
            let kind = |known: &Sample| (known.step, known.kind) == (sample.step, sample.kind);
            if !self.samples.iter().any(kind) {
                self.samples.push(sample);
            }
        }
        self.events.extend(later.events);
        self.gaps.extend(later.gaps);
        None
    }

    /// What is drawn of it; `None` when it holds no tick.
    pub fn bucket(&self) -> Option<&Bucket> {
        self.bucket.as_deref()
    }

    /// What happened in it, as far as its trailer keeps it.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// About how much memory it takes, bytes.
    pub fn bytes(&self) -> usize {
        let steps = |bucket: &Arc<Bucket>| {
            bucket.steps.iter().fold(0, |sum, step| {
                let service = step.service.as_ref().map_or(0, Packed::bytes);
                sum + size_of::<StepBucket>() + 300 + step.response.bytes() + service
            }) + bucket.series.bytes()
        };
        self.bucket.as_ref().map_or(0, steps) + 200 * (self.slow.len() + self.events.len()) + 1_000
    }
}

impl History {
    /// Takes a frame in by its sums, in the place of its records. False when its trailer does not say enough: nothing
    /// was taken in then, and its records have to be applied.
    pub fn apply_frame(&mut self, frame: &FrameInfo, sums: &Aggregates) -> bool {
        match Stretch::of(frame, sums, self.tick_us()) {
            Some(stretch) => {
                self.apply_stretch(&stretch);
                true
            }
            None => false,
        }
    }

    /// Takes frames in by their sums. They must be later than everything before; else they are left out and counted.
    pub fn apply_stretch(&mut self, stretch: &Stretch) {
        for event in &stretch.events {
            self.apply_event(event);
        }
        for sample in &stretch.samples {
            self.apply_sample(sample);
        }
        let Some(whole) = &stretch.bucket else {
            stretch.gaps.iter().for_each(|gap| self.apply_gap(gap));
            return;
        };
        if whole.from < self.next || whole.to == u64::MAX {
            self.ignored += 1;
            return;
        }
        for gap in stretch.gaps.iter().filter(|gap| gap.to < whole.from) {
            self.apply_gap(gap);
        }
        if whole.from > self.next {
            self.lose(self.next, whole.from - 1, "not in the recording");
        }
        let bucket = self.known_bucket(whole);
        self.lost_before(bucket.phase);
        self.exact.add_stretch(stretch, &bucket);
        for slow in &stretch.slow {
            self.log.keep_slow(slow);
        }
        for (index, range) in bucket.series.iter() {
            if let Some(value) = self.series.get_mut(index) {
                *value = range.last;
            }
        }
        self.next = bucket.to + 1;
        self.last = Some(Moment {
            tick: bucket.to,
            at: bucket.at,
            wall: bucket.wall,
            phase: bucket.phase,
            load: bucket.load,
        });
        for gap in stretch.gaps.iter().filter(|gap| gap.to >= bucket.from) {
            if gap.from > bucket.to {
                self.apply_gap(gap);
            } else {
                self.lose_within(gap);
            }
        }
        self.injections.coarse(bucket.ticks, bucket.at);
        let (tick_us, rollups) = (self.tick_us(), self.rollups);
        self.levels
            .get_or_insert_with(|| Levels::new(tick_us, rollups))
            .push_coarse(&bucket);
    }

    /// Notes ticks that are missing between two of a frame.
    fn lose_within(&mut self, gap: &Gap) {
        let count = gap.to.saturating_sub(gap.from).saturating_add(1);
        self.missing = self.missing.saturating_add(count);
        if let Some(last) = self.last {
            let phase = self.exact.phases.entry(last.phase).or_default();
            phase.missing = phase.missing.saturating_add(count);
        }
        self.log.keep_gap(gap.clone());
    }

    /// The bucket without what refers to names that no key gave.
    fn known_bucket(&mut self, bucket: &Arc<Bucket>) -> Arc<Bucket> {
        let names = &self.names;
        let known = bucket.steps.iter().all(|s| s.step < names.steps.len())
            && bucket.scenarios.len() <= names.scenarios.len()
            && bucket.phase.is_none_or(|phase| phase < names.phases.len());
        if known {
            return Arc::clone(bucket);
        }
        self.ignored += 1;
        let mut bucket = Bucket::clone(bucket);
        bucket.steps.retain(|s| s.step < names.steps.len());
        bucket.scenarios.truncate(names.scenarios.len());
        bucket.phase = bucket.phase.filter(|&phase| phase < names.phases.len());
        Arc::new(bucket)
    }
}

fn bucket(course: &Course, generator: &GeneratorSum, sums: &Aggregates, tick_us: u64) -> Bucket {
    let loose = course.loose.saturating_mul(tick_us);
    let series = sums.series.iter().map(|&(index, min, max, last)| {
        let last = Some(last);
        (index, Range { min, max, last })
    });
    Bucket {
        from: course.first,
        to: course.last,
        ticks: sums.ticks,
        micros: course.micros.saturating_add(loose),
        at: course.at,
        wall: course.wall,
        phase: course.phase,
        load: course.load,
        scenarios: sums.scenarios.iter().map(Flow::from).collect(),
        steps: sums.steps.iter().map(StepBucket::from).collect(),
        generator: generator.into(),
        series: series.collect(),
    }
}

impl From<&ScenarioSum> for Flow {
    fn from(sum: &ScenarioSum) -> Self {
        Self {
            state: sum.state,
            asked: sum.asked,
            due: sum.due,
            begun: sum.begun,
            finished: sum.finished,
            dropped: sum.dropped,
            in_flight: sum.in_flight,
            in_flight_max: sum.in_flight_max,
            users: sum.users,
            connections: sum.connections,
            by_hand: sum.by_hand,
        }
    }
}

impl From<&StepSum> for StepBucket {
    fn from(sum: &StepSum) -> Self {
        let mut bucket = Self {
            step: sum.step,
            requests: sum.requests,
            errors: sum.errors.clone(),
            bytes_in: sum.bytes_in,
            bytes_out: sum.bytes_out,
            response: Packed::from(&sum.response),
            service: sum.service.as_ref().map(Packed::from),
            ..Self::default()
        };
        for (&status, &count) in &sum.status {
            let class = &mut bucket.classes[class_of(status)];
            *class = class.saturating_add(count);
        }
        bucket
    }
}

impl From<&GeneratorSum> for GeneratorBucket {
    fn from(sum: &GeneratorSum) -> Self {
        Self {
            late: Packed::from(&sum.late),
            peak: GeneratorPeak {
                lag_us: sum.lag_us,
                cpu: sum.cpu,
                worker_cpu: sum.worker_cpu,
                rss: sum.rss,
                files: sum.files,
                files_max: sum.files_max,
            },
            due: sum.due,
            begun: sum.begun,
            bottleneck_ticks: sum.bottleneck_ticks,
            causes: sum.causes.clone(),
        }
    }
}
