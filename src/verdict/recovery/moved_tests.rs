#![allow(clippy::unwrap_used, reason = "test code")]

use super::moved::{Became, LEAST, Value, moved};

/// Chance, the same every time.
struct Chance(u64);

impl Chance {
    fn even(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) as f64 / 2f64.powi(64)
    }

    /// Normal, of a spread of 1.
    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.even()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.even()).cos()
    }

    /// Noise of which each value keeps this share of the one before, of a spread of 1.
    fn lasting(&mut self, keeps: f64, count: usize) -> Vec<f64> {
        let mut value = self.normal();
        let new = (1.0 - keeps * keeps).sqrt();
        let mut next = || {
            value = keeps * value + new * self.normal();
            value
        };
        (0..count).map(|_| next()).collect()
    }
}

fn numbers(values: &[f64]) -> Vec<Value> {
    values.iter().copied().map(Value::Number).collect()
}

fn became(before: &[f64], in_place: &[f64]) -> Became {
    moved(&numbers(before), &numbers(in_place), 1.0)
}

fn is_moved(became: Became) -> bool {
    matches!(became, Became::Moved(_))
}

/// Values before and in place, from the shortest that are told to the longest that are kept.
const LENGTHS: [(usize, usize); 8] = [
    (4, 4),
    (6, 60),
    (8, 8),
    (12, 60),
    (20, 10),
    (30, 60),
    (60, 60),
    (120, 60),
];
/// Gauges of a window.
const GAUGES: usize = 50;

/// Of injections with so many gauges that do nothing but this, the share in which any is taken for moved.
fn false_alarms(
    injections: usize,
    (before, in_place): (usize, usize),
    mut noise: impl FnMut(usize) -> Vec<f64>,
) -> f64 {
    let mut alarm = || {
        let values = noise(before + in_place);
        is_moved(became(&values[..before], &values[before..]))
    };
    // Every gauge is drawn, so that one length does not change the noise of the next.
    let alarms = (0..injections).map(|_| (0..GAUGES).filter(|_| alarm()).count());
    let alarms = alarms.filter(|&gauges| gauges > 0).count();
    alarms as f64 / injections as f64
}

#[test]
fn noise_of_fifty_gauges_is_hardly_ever_taken_for_an_effect() {
    for lengths in LENGTHS {
        for (keeps, most) in [(0.0, 0.03), (0.8, 0.06)] {
            let mut chance = Chance(7);
            let share = false_alarms(100, lengths, |count| chance.lasting(keeps, count));
            assert!(share <= most, "{lengths:?}, {keeps}: {share} of injections");
        }
    }
}

#[test]
fn a_gauge_that_goes_its_own_way_is_seldom_taken_for_an_effect() {
    let mut chance = Chance(11);
    for (before, in_place) in LENGTHS {
        let mut alarm = || {
            let mut at = 0.0;
            let mut step = || {
                at += chance.normal();
                at
            };
            let walk: Vec<f64> = (0..before + in_place).map(|_| step()).collect();
            is_moved(became(&walk[..before], &walk[before..]))
        };
        let share = (0..1_000).filter(|_| alarm()).count() as f64 / 1_000.0;
        assert!(share <= 0.02, "{before} before, {in_place} since: {share}");
    }
}

#[test]
fn a_drift_is_no_effect_with_noise_or_without() {
    let mut chance = Chance(13);
    for (before, in_place) in LENGTHS {
        for noise in [0.0, 1.0, 20.0] {
            for slope in [-3.0, 0.01, 1.0] {
                let noise = chance
                    .lasting(0.5, before + in_place)
                    .into_iter()
                    .map(|it| it * noise);
                let drift = |(tick, noise): (usize, f64)| 1_000.0 + slope * tick as f64 + noise;
                let values: Vec<f64> = noise.enumerate().map(drift).collect();
                let became = became(&values[..before], &values[before..]);
                assert_eq!(became, Became::Still, "{before}, {in_place}, {slope}");
            }
        }
    }
}

#[test]
fn a_step_of_a_few_ranges_is_found_and_told_in_medians() {
    let mut chance = Chance(17);
    // Wide apart where little is known.
    for ((before, in_place), step) in [
        ((120, 60), 10.0),
        ((60, 60), 10.0),
        ((20, 10), 14.0),
        ((6, 6), 60.0),
    ] {
        for sign in [-1.0, 1.0] {
            let found = (0..200).filter(|_| {
                let mut values = chance.lasting(0.8, before + in_place);
                for value in &mut values[before..] {
                    *value += step * sign;
                }
                is_moved(became(&values[..before], &values[before..]))
            });
            let found = found.count();
            assert!(found >= 196, "{before} before: {found} of 200");
        }
    }
    let Became::Moved(step) = became(&[0.03, 0.04, 0.02, 0.03, 0.03], &[0.5, 0.97, 0.99, 0.97])
    else {
        panic!("a step is found")
    };
    assert_eq!((step.before, step.then), (0.03, Some(0.97)));
    assert!(step.strength > 10.0);
}

#[test]
fn a_gauge_that_stood_still_has_room_and_one_that_was_nothing_has_none() {
    let still = |value: f64, then: f64| became(&[value; 60], &[then; 30]);
    assert_eq!(still(100.0, 103.0), Became::Still);
    assert!(is_moved(still(100.0, 104.0)) && is_moved(still(-100.0, -104.0)));
    assert_eq!(still(0.0, 0.0), Became::Still);
    assert!(is_moved(still(0.0, 1e-3)));
    // Of few readings that are all the same, less is known.
    assert_eq!(became(&[29.0; 4], &[31.0; 4]), Became::Still);
    assert!(is_moved(became(&[29.0; 4], &[58.0; 4])));
    // One that is 0 but for now and then stays so.
    let mut now_and_then = [0.0; 30];
    now_and_then[3..9].fill(1.0);
    assert_eq!(became(&[0.0; 60], &now_and_then), Became::Still);
    let Became::Moved(up) = still(1.0, 0.0) else {
        panic!("a target that is down has moved")
    };
    assert_eq!((up.before, up.then), (1.0, Some(0.0)));
}

#[test]
fn one_that_vanishes_has_moved_and_one_that_comes_and_goes_or_appears_has_not() {
    let there = numbers(&[5.0; 10]);
    let gone = [Value::None; 8];
    let Became::Moved(vanished) = moved(&there, &gone, 1.0) else {
        panic!("it vanished")
    };
    assert_eq!((vanished.before, vanished.then), (5.0, None));
    let mut odd = there.clone();
    odd[4] = Value::None;
    assert_eq!(moved(&odd, &gone, 1.0), Became::Untold);
    // Away for a moment.
    let there = numbers(&[5.0; 20]);
    let mut back = there.clone();
    back[..4].fill(Value::None);
    assert_eq!(moved(&there, &back, 1.0), Became::Still);
    assert_eq!(moved(&gone, &there, 1.0), Became::Untold);
}

#[test]
fn what_is_no_number_proves_nothing() {
    let there = numbers(&[5.0; 10]);
    let odd = [Value::NotANumber; 10];
    assert_eq!(moved(&there, &odd, 1.0), Became::Untold);
    assert_eq!(moved(&odd, &there, 1.0), Became::Untold);
    assert_eq!(
        moved(&there, &numbers(&[f64::NAN; 10]), 1.0),
        Became::Untold
    );
}

#[test]
fn too_few_readings_are_not_told_however_many_ticks_they_last() {
    let (low, high) = (numbers(&[1.0; 60]), numbers(&[9.0; 60]));
    assert_eq!(moved(&low[..LEAST - 1], &high, 1.0), Became::Untold);
    assert_eq!(moved(&low, &high[..LEAST - 1], 1.0), Became::Untold);
    assert!(is_moved(moved(&low, &high[..LEAST], 1.0)));
    // Scraped every five ticks.
    assert_eq!(moved(&low, &high[..19], 5.0), Became::Untold);
    assert!(is_moved(moved(&low, &high[..20], 5.0)));
    assert_eq!(moved(&low[..19], &high, 5.0), Became::Untold);
    assert!(is_moved(moved(&low, &high, 0.0)));
}
