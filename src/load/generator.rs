//! Whether a tick's latencies speak of the system, or of the generator that measured them.
//!
//! In: what the generator recorded of itself in one tick. Out: the ways in which it was the bottleneck, if any. A pure
//! function, so that a report made from the file judges as the live view did. The invariant: latencies of a tick with
//! a bottleneck are not to be passed by a gate.

use super::tick::FleetTick;
use crate::session::record::{Bottleneck, GeneratorTick};

/// Send-time error that never matters, µs.
pub const LATE_FLOOR_US: u64 = 1_000;

/// Send-time error that does not matter beside the latency measured: this share of the median service time.
pub const LATE_SHARE: f64 = 0.1;

/// Share of arrivals that may be later than that: with it, the p99 send-time error is what is bounded.
pub const LATE_ALLOWED: f64 = 0.01;

/// A single late arrival in a tick is an accident, whatever its share.
pub const LATE_COUNT: f64 = 2.0;

/// CPU of a worker thread, in cores, above which it was saturated.
pub const CPU_LIMIT: f64 = 0.95;

/// Share of the limit on open files above which connections will fail.
pub const FILES_LIMIT: f64 = 0.95;

/// Share of the arrivals due that may still wait to be taken up at the end of a tick.
pub const BEHIND_ALLOWED: f64 = 0.01;

/// So many arrivals may wait whatever their share: some are always due just before the end.
pub const BEHIND_COUNT: u64 = 10;

/// Time for which an event loop may not come round, µs.
pub const LAG_LIMIT_US: u64 = 100_000;

/// What the judgement needs to know beside the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Circumstances {
    /// Median service time of the tick, µs; 0 if no request ended.
    pub service_p50: u64,
    /// Arrivals dropped because `max_in_flight` was reached.
    pub dropped: u64,
    /// Workers that did not report in time.
    pub missing: usize,
}

impl Circumstances {
    /// Those of a tick.
    pub fn of(tick: &FleetTick) -> Self {
        let mut service = crate::session::Hist::new();
        for step in &tick.steps {
            service.merge(step.service());
        }
        Self {
            service_p50: service.quantile(0.5),
            dropped: tick.dropped,
            missing: tick.missing.len(),
        }
    }
}

/// Why this tick's latencies say more about the generator than about the system; empty when it kept up.
pub fn judge(tick: &GeneratorTick, circumstances: Circumstances) -> Vec<Bottleneck> {
    let causes = [
        (sent_late(tick, circumstances), Bottleneck::SentLate),
        (tick.worker_cpu > CPU_LIMIT, Bottleneck::Cpu),
        (out_of_files(tick), Bottleneck::Files),
        (fell_behind(tick, circumstances), Bottleneck::FellBehind),
        (
            circumstances.missing > 0 || tick.lag_us > LAG_LIMIT_US,
            Bottleneck::Stalled,
        ),
    ];
    causes
        .into_iter()
        .filter_map(|(holds, cause)| holds.then_some(cause))
        .collect()
}

fn sent_late(tick: &GeneratorTick, circumstances: Circumstances) -> bool {
    let limit = LATE_FLOOR_US.max((circumstances.service_p50 as f64 * LATE_SHARE) as u64);
    let arrivals = tick.late.count() as f64;
    let late = (tick.late.share_above(limit) * arrivals).round();
    late >= LATE_COUNT && late > arrivals * LATE_ALLOWED
}

fn out_of_files(tick: &GeneratorTick) -> bool {
    tick.files_max > 0 && tick.files as f64 > tick.files_max as f64 * FILES_LIMIT
}

fn fell_behind(tick: &GeneratorTick, circumstances: Circumstances) -> bool {
    let taken = tick.begun + circumstances.dropped;
    let behind = tick.due.saturating_sub(taken);
    behind > BEHIND_COUNT && behind as f64 > tick.due as f64 * BEHIND_ALLOWED
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Hist;

    fn late(values: &[(u64, u64)]) -> GeneratorTick {
        let mut late = Hist::new();
        for &(us, count) in values {
            (0..count).for_each(|_| late.record(us));
        }
        GeneratorTick {
            late,
            files: 100,
            files_max: 20_000,
            ..GeneratorTick::default()
        }
    }

    fn judged(tick: &GeneratorTick) -> Vec<Bottleneck> {
        judge(tick, Circumstances::default())
    }

    #[test]
    fn a_generator_that_kept_up_is_not_blamed() {
        let tick = GeneratorTick {
            due: 1000,
            begun: 992,
            worker_cpu: 0.9,
            lag_us: 4_000,
            ..late(&[(80, 990), (5_000, 10)])
        };
        assert_eq!(judged(&tick), []);
        assert_eq!(judged(&GeneratorTick::default()), []);
    }

    #[test]
    fn more_than_one_in_a_hundred_sent_late_is_a_bottleneck() {
        assert_eq!(
            judged(&late(&[(80, 980), (1_200, 20)])),
            [Bottleneck::SentLate]
        );
        assert_eq!(judged(&late(&[(80, 4), (1_200, 1)])), []);
    }

    #[test]
    fn lateness_counts_in_proportion_to_what_is_measured() {
        let slow = Circumstances {
            service_p50: 500_000,
            ..Circumstances::default()
        };
        assert_eq!(judge(&late(&[(5_000, 100)]), slow), []);
        assert_eq!(judge(&late(&[(60_000, 100)]), slow), [Bottleneck::SentLate]);
    }

    #[test]
    fn dropped_arrivals_are_not_blamed_on_the_generator() {
        let tick = GeneratorTick {
            due: 1000,
            begun: 100,
            ..late(&[])
        };
        let dropped = Circumstances {
            dropped: 900,
            ..Circumstances::default()
        };
        assert_eq!(judge(&tick, dropped), []);
        assert_eq!(judged(&tick), [Bottleneck::FellBehind]);
    }

    #[test]
    fn saturation_exhaustion_and_silence_are_each_named() {
        let tick = GeneratorTick {
            worker_cpu: 0.98,
            files: 19_900,
            ..late(&[])
        };
        let silent = Circumstances {
            missing: 1,
            ..Circumstances::default()
        };
        assert_eq!(
            judge(&tick, silent),
            [Bottleneck::Cpu, Bottleneck::Files, Bottleneck::Stalled]
        );
        let stuck = GeneratorTick {
            lag_us: 150_000,
            ..late(&[])
        };
        assert_eq!(judged(&stuck), [Bottleneck::Stalled]);
    }
}
