use proptest::prelude::*;

use super::super::schedule::{FOREVER, Piece};
use super::*;
use crate::profile::model::Arrivals::{Even, Poisson};

const S: Nanos = 1_000_000_000;

fn all(arrivals: &mut Arrivals, until: Nanos) -> Vec<Arrival> {
    std::iter::from_fn(|| arrivals.next_by(until)).collect()
}

fn ramp(seconds: u64, rate: f64) -> Curve {
    Curve::new([Piece {
        from: 0,
        to: seconds * S,
        start: 0.0,
        end: rate,
    }])
}

#[test]
fn even_arrivals_at_a_constant_rate_are_exactly_spaced() {
    let mut arrivals = Arrivals::new(Curve::constant(8_000.0), Even, 1, Part::WHOLE);
    let due = all(&mut arrivals, 100 * S);
    assert_eq!(due.len(), 800_000);
    assert!(
        due.windows(2)
            .all(|pair| pair[1].due - pair[0].due == 125_000)
    );
}

#[test]
fn a_ramp_sends_half_its_rate_times_its_time_and_half_of_that_by_the_root_of_half() {
    let due = all(
        &mut Arrivals::new(ramp(60, 1000.0), Even, 1, Part::WHOLE),
        FOREVER,
    );
    assert!(due.len().abs_diff(30_000) <= 1, "{}", due.len());
    let half = due[due.len() / 2].due as f64 / 1e9;
    assert!((half - 42.426).abs() < 0.01, "{half}");
}

#[test]
fn poisson_gaps_are_exponential() {
    let rate = 500.0;
    let mut arrivals = Arrivals::new(Curve::constant(rate), Poisson, 42, Part::WHOLE);
    let due: Vec<_> = (0..20_001)
        .map(|_| arrivals.next_by(FOREVER).unwrap().due)
        .collect();
    let mut gaps: Vec<f64> = due
        .windows(2)
        .map(|pair| (pair[1] - pair[0]) as f64 / 1e9)
        .collect();
    gaps.sort_by(f64::total_cmp);
    let n = gaps.len() as f64;
    let distance = gaps
        .iter()
        .enumerate()
        .map(|(i, gap)| {
            let theory = 1.0 - (-rate * gap).exp();
            (theory - i as f64 / n)
                .abs()
                .max(((i + 1) as f64 / n - theory).abs())
        })
        .fold(0.0, f64::max);
    assert!(distance < 1.63 / n.sqrt(), "D = {distance}");
}

#[test]
fn the_workers_together_send_what_one_would() {
    for spacing in [Even, Poisson] {
        let whole = all(
            &mut Arrivals::new(ramp(10, 300.0), spacing, 7, Part::WHOLE),
            FOREVER,
        );
        for of in [2, 3, 8] {
            let mut split: Vec<_> = (0..of)
                .flat_map(|index| {
                    all(
                        &mut Arrivals::new(ramp(10, 300.0), spacing, 7, Part { index, of }),
                        FOREVER,
                    )
                })
                .collect();
            split.sort_by_key(|arrival| arrival.number);
            assert_eq!(split, whole);
        }
    }
}

#[test]
fn another_seed_gives_other_arrivals() {
    let first = |seed| Arrivals::new(Curve::constant(1.0), Poisson, seed, Part::WHOLE).due();
    assert_eq!(first(1), first(1));
    assert_ne!(first(1), first(2));
}

#[test]
fn each_arrival_counts_as_due_once_whether_it_was_taken_or_not() {
    for spacing in [Even, Poisson] {
        let part = Part { index: 1, of: 2 };
        let due = |t| {
            all(
                &mut Arrivals::new(Curve::constant(100.0), spacing, 3, part),
                t,
            )
            .len()
        };
        let mut arrivals = Arrivals::new(Curve::constant(100.0), spacing, 3, part);
        let taken = all(&mut arrivals, 4 * S).len();
        assert_eq!(taken, due(4 * S));
        let mut counted = arrivals.newly_due(5 * S);
        assert_eq!(counted, due(5 * S) as u64);
        // The backlog is counted already; taking it up must not count it again.
        all(&mut arrivals, 6 * S);
        counted += arrivals.newly_due(7 * S);
        assert_eq!(counted, due(7 * S) as u64);
        assert_eq!(arrivals.newly_due(7 * S), 0);
    }
}

#[test]
fn a_pause_is_no_debt() {
    let mut arrivals = Arrivals::new(Curve::constant(100.0), Even, 1, Part::WHOLE);
    assert_eq!(all(&mut arrivals, S).len(), 100);
    arrivals.change(S, &Curve::default());
    assert_eq!(arrivals.due(), None);
    arrivals.change(61 * S, &Curve::constant(100.0));
    let due = all(&mut arrivals, 62 * S);
    assert_eq!(due.len(), 100);
    assert!(due[0].due >= 61 * S);
    assert!(
        due.windows(2)
            .all(|pair| pair[1].due - pair[0].due == S / 100)
    );
}

proptest! {
    #[test]
    fn shares_add_up(total in 0u64..1_000_000, of in 1u64..64) {
        let sum: u64 = (0..of).map(|index| Part { index, of }.share(total)).sum();
        prop_assert_eq!(sum, total);
    }

    #[test]
    fn a_change_of_rate_makes_neither_burst_nor_gap(before in 1.0f64..1000.0, after in 1.0f64..1000.0, at in 0u64..20 * S) {
        let mut arrivals = Arrivals::new(Curve::constant(before), Even, 1, Part::WHOLE);
        let mut due = all(&mut arrivals, at);
        arrivals.change(at, &Curve::constant(after));
        due.extend(all(&mut arrivals, at + 10 * S));
        let (short, long) = (1e9 / before.max(after), 1e9 / before.min(after));
        for pair in due.windows(2) {
            let gap = (pair[1].due - pair[0].due) as f64;
            prop_assert!(gap >= short - 2.0 && gap <= long + 2.0, "{gap}");
            let level = if pair[1].due <= at { Some(before) } else if pair[0].due >= at { Some(after) } else { None };
            if let Some(level) = level {
                prop_assert!((gap - 1e9 / level).abs() <= 2.0, "{gap} at {level}/s");
            }
        }
        let expected = before * at as f64 / 1e9 + after * 10.0;
        prop_assert!((due.len() as f64 - expected).abs() <= 1.0, "{} for {expected}", due.len());
    }
}
