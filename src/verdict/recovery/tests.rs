#![allow(clippy::unwrap_used, reason = "test code")]

use std::collections::BTreeMap;

use super::*;
use crate::history::testing::{Recording, SECOND, fault_event};
use crate::session::hist::{Hist, index_of};
use crate::session::record::{
    Alert, AlertState, EndReason, ErrorKind, FaultPlan, FaultState, Happening, StepTick,
    TargetPlan, Tick,
};

mod beside;
mod detected;
mod measure;

/// When the fault comes, and when it goes, seconds.
const ON: u64 = 180;
const OFF: u64 = 240;

/// Chance, the same every time.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A Poisson number; by its normal shape when it is large.
    fn poisson(&mut self, mean: f64) -> u64 {
        if mean > 50.0 {
            let sum: f64 = (0..12).map(|_| self.next()).sum();
            return (mean + (sum - 6.0) * mean.sqrt()).round().max(0.0) as u64;
        }
        let (mut count, mut product) = (0, self.next());
        while product > (-mean).exp() {
            count += 1;
            product *= self.next();
        }
        count
    }
}

/// A simulated system: at each second, the share of requests that fail and their response time.
struct System {
    rate: f64,
    seed: u64,
    at: fn(u64) -> (f64, u64),
}

impl System {
    fn tick(&self, tick: &mut Tick) {
        let mut chance = Chance(self.seed.wrapping_mul(7_919).wrapping_add(tick.n));
        let (share, response) = (self.at)(tick.n);
        let failed = chance.poisson(self.rate * share);
        let fine = chance.poisson(self.rate * (1.0 - share));
        let requests = failed + fine;
        let slow = requests / 100;
        let times = [
            (index_of(response), requests - slow),
            (index_of(response * 2), slow),
        ];
        let mut status = BTreeMap::new();
        let mut errors = BTreeMap::new();
        if fine > 0 {
            status.insert(200, fine);
        }
        if failed > 0 {
            status.insert(503, failed);
            errors.insert(ErrorKind::Status5xx, failed);
        }
        tick.steps = vec![StepTick {
            step: 0,
            requests,
            errors,
            status,
            response: Hist::from_buckets(times).unwrap(),
            ..StepTick::default()
        }];
        if requests == 0 {
            tick.steps.clear();
        }
    }

    /// A window in which the fault comes and goes, `after` seconds recorded after it went.
    fn recording(&self, after: u64) -> Recording {
        self.recording_until_ordered_back()
            .event(state(FaultState::Recovering))
            .ticks_with(after, |tick| self.tick(tick))
    }

    /// A window in which the fault comes.
    fn recording_until_ordered_back(&self) -> Recording {
        Recording::new(&[("steady", 600, 1.0)])
            .window(|window| {
                window.faults = vec![FaultPlan {
                    name: "kill primary".into(),
                    detect: Some("Down".into()),
                    ..FaultPlan::default()
                }];
            })
            .phase(0)
            .ticks_with(ON, |tick| self.tick(tick))
            .event(state(FaultState::Injecting))
            .event(state(FaultState::Active))
            .ticks_with(OFF - ON, |tick| self.tick(tick))
    }

    fn assess(&self, after: u64) -> Assessment {
        assessed(&self.recording(after).end(EndReason::Finished).history())
    }
}

fn state(state: FaultState) -> Happening {
    fault_event(0, state)
}

fn assessed(history: &History) -> Assessment {
    let assessment = assess(history, history.injection(0).unwrap());
    // The live answer is the same.
    let live = recovery(history, history.injection(0).unwrap());
    assert_eq!(live, assessment.recovery);
    assessment
}

/// The interval in whole seconds.
fn seconds(measured: Measured) -> (u64, u64) {
    let took = measured.took().unwrap_or_else(|| panic!("{measured:?}"));
    (took.least / SECOND, took.most / SECOND)
}

/// One request in ten fails from the injection until 32 s after the clearing.
fn back_after_32_s(second: u64) -> (f64, u64) {
    let broken = second > ON && second <= OFF + 32;
    (if broken { 0.1 } else { 0.0 }, 20_000)
}

#[test]
fn the_true_recovery_is_found_where_the_first_good_second_would_be_wrong_by_a_factor() {
    let mut naive = Vec::new();
    for seed in 0..20 {
        let system = System {
            rate: 20.0,
            seed,
            at: back_after_32_s,
        };
        let history = system.recording(120).end(EndReason::Finished).history();
        let cells = history.injection(0).unwrap().picture.since().iter();
        let mut cleared = cells.filter(|cell| cell.at > OFF * SECOND);
        let good = cleared.find(|cell| cell.failed() == 0).unwrap();
        naive.push(good.at / SECOND - OFF);
        let assessment = assessed(&history);
        assert!(assessment.recovery.is_recovered(), "{assessment:?}");
        let (least, most) = seconds(assessment.recovery.took);
        assert!((37..=44).contains(&most), "seed {seed}: {least} to {most}");
        assert!((27..=34).contains(&least), "seed {seed}: {least} to {most}");
    }
    naive.sort_unstable();
    assert!(naive[10] <= 10, "{naive:?}");
}

#[test]
fn what_the_way_back_takes_is_part_of_the_recovery() {
    /// Everything fails from the injection until 20 s after it was ordered back.
    fn back_after_20_s(second: u64) -> (f64, u64) {
        let broken = (ON..OFF + 20).contains(&second);
        (if broken { 1.0 } else { 0.0 }, back_after_32_s(0).1)
    }
    let system = System {
        rate: 100.0,
        seed: 1,
        at: back_after_20_s,
    };
    // The way back is only done when the system has been well for 5 s.
    let recording = system
        .recording_until_ordered_back()
        .event(state(FaultState::Reverting))
        .ticks_with(25, |tick| system.tick(tick))
        .event(state(FaultState::Recovering))
        .ticks_with(90, |tick| system.tick(tick));
    let measured = assessed(&recording.end(EndReason::Finished).history());
    let (least, most) = seconds(measured.recovery.took);
    assert!((18..=20).contains(&least), "{least} to {most}");
    assert!((20..=31).contains(&most), "{least} to {most}");
}

#[test]
fn what_one_fault_does_is_laid_neither_on_the_one_before_nor_on_the_one_after() {
    fn twice(second: u64) -> (f64, u64) {
        let broken = (ON + 1..=OFF).contains(&second) || (OFF + 81..=OFF + 140).contains(&second);
        (if broken { 0.5 } else { 0.0 }, 20_000)
    }
    let system = System {
        rate: 100.0,
        seed: 1,
        at: twice,
    };
    let history = system
        .recording(60)
        .event(state(FaultState::Recovered))
        .ticks_with(20, |tick| system.tick(tick))
        .event(state(FaultState::Injecting))
        .event(state(FaultState::Active))
        .ticks_with(60, |tick| system.tick(tick))
        .event(state(FaultState::Recovering))
        .ticks_with(90, |tick| system.tick(tick))
        .end(EndReason::Finished)
        .history();
    let [first, second] = [0, 1].map(|place| assess(&history, &history.injections()[place]));
    assert_eq!(first.breaches, []);
    let normal = second.bounds.normal_errors;
    assert!(normal.is_none_or(|share| share < 0.05), "{normal:?}");
    assert!(matches!(second.impact, Measured::Took(_)), "{second:?}");
}

#[test]
fn at_many_requests_a_second_the_interval_holds_the_truth() {
    for seed in 0..10 {
        let system = System {
            rate: 2_000.0,
            seed,
            at: back_after_32_s,
        };
        let assessment = system.assess(120);
        let (least, most) = seconds(assessment.recovery.took);
        assert!(least <= 32 && 32 <= most, "{least} to {most}");
        assert!(most <= 42, "{least} to {most}");
        let (least, most) = seconds(assessment.impact);
        assert!(least == 0 && most <= 2, "{least} to {most}");
        assert!((assessment.cost.failed as f64 - 0.1 * 2_000.0 * 92.0).abs() < 1_000.0);
        assert_eq!(assessment.mitigation, Measured::Never(60 * SECOND));
    }
}

#[test]
fn an_ordinary_rate_of_errors_is_no_impact_and_no_obstacle() {
    for seed in 0..10 {
        let system = System {
            rate: 20.0,
            seed,
            at: |_| (0.003, 20_000),
        };
        let assessment = system.assess(120);
        assert!(assessment.recovery.is_recovered(), "seed {seed}");
    }
}

#[test]
fn a_fault_that_hurts_nobody_has_no_impact() {
    let system = System {
        rate: 200.0,
        seed: 1,
        at: |_| (0.0, 20_000),
    };
    let assessment = system.assess(60);
    assert!(matches!(assessment.impact, Measured::Never(_)));
    assert_eq!(assessment.mitigation, Measured::Unknown(Why::NoImpact));
    assert_eq!(seconds(assessment.recovery.took).0, 0);
    assert_eq!(assessment.cost.failed, 0);
}

#[test]
fn what_was_out_of_bounds_before_is_not_laid_on_the_fault() {
    let system = System {
        rate: 200.0,
        seed: 2,
        at: |second| {
            let bad = second > ON - 15 && second <= OFF;
            (if bad { 0.4 } else { 0.0 }, 20_000)
        },
    };
    let assessment = system.assess(60);
    assert_eq!(assessment.impact, Measured::Unknown(Why::Already));
    let (least, most) = seconds(assessment.recovery.took);
    assert!(least == 0 && most <= 10, "{least} to {most}");
}

#[test]
fn slowness_hurts_as_errors_do_and_is_counted_in_user_seconds() {
    let system = System {
        rate: 100.0,
        seed: 3,
        at: |second| {
            let slow = second > ON && second <= OFF + 5;
            (0.0, if slow { 1_000_000 } else { 20_000 })
        },
    };
    let assessment = system.assess(90);
    assert!(seconds(assessment.impact).1 <= 2);
    let (least, most) = seconds(assessment.recovery.took);
    assert!(least <= 5 && (5..=16).contains(&most), "{least} to {most}");
    let cost = assessment.cost;
    let beyond = cost.user_seconds.unwrap();
    assert!((5_000.0..7_500.0).contains(&beyond), "{beyond}");
    assert!(cost.during.p50_us.unwrap() > 40 * cost.before.p50_us.unwrap());
}

#[test]
fn a_system_that_helps_itself_is_mitigated_before_the_fault_is_gone() {
    let system = System {
        rate: 200.0,
        seed: 4,
        at: |second| {
            let hurt = second > ON && second <= ON + 10;
            (if hurt { 0.5 } else { 0.0 }, 20_000)
        },
    };
    let assessment = system.assess(60);
    let (least, most) = seconds(assessment.mitigation);
    assert!(
        least <= 10 && (10..=20).contains(&most),
        "{least} to {most}"
    );
    assert_eq!(seconds(assessment.recovery.took).0, 0);
}

#[test]
fn being_well_for_a_while_only_is_no_recovery_and_a_later_fall_is_told() {
    // Good from 5 to 25 s, bad to 40, good to 120, bad again to 125.
    let system = System {
        rate: 200.0,
        seed: 5,
        at: |second| {
            let since = second.saturating_sub(OFF);
            let bad = second > ON
                && (second <= OFF
                    || since <= 5
                    || (26..=40).contains(&since)
                    || (121..=125).contains(&since));
            (if bad { 0.3 } else { 0.0 }, 20_000)
        },
    };
    let assessment = system.assess(200);
    let (least, most) = seconds(assessment.recovery.took);
    assert!(
        least <= 40 && (40..=50).contains(&most),
        "{least} to {most}"
    );
    let falls: Vec<u64> = assessment
        .breaches
        .iter()
        .map(|breach| breach.from / SECOND - OFF)
        .collect();
    assert!(matches!(falls[..], [26..=28, 121..=123]), "{falls:?}");
}

#[test]
fn without_traffic_nothing_is_known_and_nothing_is_good() {
    let silent = System {
        rate: 50.0,
        seed: 6,
        at: |second| (if second > ON { 0.2 } else { 0.0 }, 20_000),
    };
    let mut recording = silent.recording(0);
    recording = recording.ticks_with(60, |tick| {
        tick.steps.clear();
        tick.scenarios.clear();
    });
    let running = assessed(&recording.history());
    assert_eq!(running.recovery.took, Measured::Unknown(Why::NoTraffic));
    let assessment = assessed(&recording.end(EndReason::Finished).history());
    assert_eq!(assessment.recovery.took, Measured::Unknown(Why::NoTraffic));
    assert!(assessment.impact.took().is_some());
}

#[test]
fn requests_that_hang_unanswered_are_not_silence() {
    let hanging = System {
        rate: 50.0,
        seed: 7,
        at: |_| (0.0, 20_000),
    };
    let recording = hanging
        .recording(0)
        .ticks_with(60, |tick| tick.steps.clear());
    let assessment = assessed(&recording.end(EndReason::Finished).history());
    assert!(matches!(assessment.recovery.took, Measured::Never(_)));
}

#[test]
fn users_who_think_between_rare_requests_do_not_hang() {
    let sparse = System {
        rate: 0.5,
        seed: 7,
        at: |_| (0.0, 20_000),
    };
    let thinking = |tick: &mut Tick| {
        sparse.tick(tick);
        tick.scenarios[0].in_flight = 40;
    };
    let recording = Recording::new(&[("steady", 600, 1.0)])
        .window(|window| window.faults = vec![FaultPlan::default()])
        .phase(0)
        .ticks_with(ON, thinking)
        .event(state(FaultState::Active))
        .ticks_with(OFF - ON, thinking)
        .event(state(FaultState::Recovering))
        .ticks_with(60, thinking);
    let measured = assessed(&recording.end(EndReason::Finished).history());
    assert_eq!(measured.impact, Measured::Unknown(Why::NoTraffic));
    assert_eq!(measured.recovery.took, Measured::Unknown(Why::NoTraffic));
    assert_eq!(measured.breaches, Vec::new());
}

#[test]
fn a_window_that_ends_too_early_leaves_the_recovery_open() {
    let system = System {
        rate: 200.0,
        seed: 8,
        at: back_after_32_s,
    };
    let early = system.assess(55);
    let Measured::Seems { took, held } = early.recovery.took else {
        panic!("{:?}", early.recovery);
    };
    assert!(took.most / SECOND <= 44 && held / SECOND < 20);
    assert!(matches!(
        system.assess(20).recovery.took,
        Measured::Never(seen) if seen / SECOND == 20
    ));
    let running = assessed(&system.recording(20).history());
    assert_eq!(running.recovery.took, Measured::Waiting(20 * SECOND));
}

#[test]
fn the_gates_of_the_window_say_what_is_good() {
    let tolerant = System {
        rate: 200.0,
        seed: 9,
        at: back_after_32_s,
    };
    let recording = tolerant
        .recording(90)
        .gate("errors stay bearable", "", "errors < 30%", &[])
        .gate("pay stays fast", "pay", "p99 < 1ms", &[])
        .gate("fast", "", "p95 < 500ms", &[0]);
    let assessment = assessed(&recording.end(EndReason::Finished).history());
    assert_eq!(
        assessment.bounds.objective.text,
        "errors < 30%, p95 < 500ms"
    );
    assert_eq!(seconds(assessment.recovery.took).0, 0);
    assert!(matches!(assessment.impact, Measured::Never(_)));
}

fn alert(name: &str, state: AlertState, since: Option<u64>) -> Happening {
    Happening::Alert(Box::new(Alert {
        name: name.into(),
        labels: String::new(),
        from: "prom".into(),
        state,
        since: since.map(|second| second * SECOND),
    }))
}

fn noticed(before: &[Happening], during: &[Happening]) -> Detection {
    let system = System {
        rate: 50.0,
        seed: 10,
        at: back_after_32_s,
    };
    let mut recording = Recording::new(&[("steady", 600, 1.0)])
        .window(|window| {
            window.faults = vec![FaultPlan {
                detect: Some("Down".into()),
                ..FaultPlan::default()
            }];
            window.targets = vec![TargetPlan {
                kind: "prometheus".into(),
                ..TargetPlan::default()
            }];
        })
        .phase(0)
        .ticks_with(60, |tick| system.tick(tick));
    for event in before {
        recording = recording.event(event.clone());
    }
    recording = recording
        .event(state(FaultState::Injecting))
        .event(state(FaultState::Active))
        .ticks_with(20, |tick| system.tick(tick));
    for event in during {
        recording = recording.event(event.clone());
    }
    let recording = recording.event(state(FaultState::Recovering)).ticks(5);
    assessed(&recording.end(EndReason::Finished).history()).detection
}

#[test]
fn only_an_alert_that_was_not_there_and_is_not_silenced_has_noticed_anything() {
    let down = |state| alert("Down", state, None);
    let seen = noticed(&[], &[alert("Down", AlertState::Firing, Some(74))]);
    assert_eq!(seconds(seen.took), (14, 20));
    assert_eq!(seen.alert.as_deref(), Some("Down"));
    let already = noticed(&[down(AlertState::Firing)], &[down(AlertState::Firing)]);
    assert!(matches!(already.took, Measured::Never(_)));
    assert_eq!(already.note, "Down fired already");
    let silenced = noticed(&[], &[down(AlertState::Silenced)]);
    assert!(matches!(silenced.took, Measured::Never(_)));
    assert_eq!(silenced.note, "Down is silenced");
    let another = noticed(&[], &[alert("Slow", AlertState::Firing, None)]);
    assert!(matches!(another.took, Measured::Never(_)));
    // Told late, and older than the fault.
    let older = noticed(&[], &[alert("Down", AlertState::Firing, Some(40))]);
    assert!(matches!(older.took, Measured::Never(_)), "{older:?}");
    let after_all = noticed(
        &[down(AlertState::Firing), down(AlertState::Resolved)],
        &[down(AlertState::Firing)],
    );
    assert_eq!(seconds(after_all.took).1, 20);
}

#[test]
fn one_that_was_never_in_place_is_not_measured() {
    let system = System {
        rate: 50.0,
        seed: 11,
        at: |_| (0.0, 20_000),
    };
    let recording = Recording::new(&[("steady", 600, 1.0)])
        .phase(0)
        .ticks_with(60, |tick| system.tick(tick))
        .event(state(FaultState::Injecting))
        .event(state(FaultState::Failed))
        .ticks(5);
    let assessment = assessed(&recording.history());
    let unknown = Measured::Unknown(Why::NotDone);
    assert_eq!(assessment.impact, unknown);
    assert_eq!(assessment.recovery.took, unknown);
    assert_eq!(assessment.detection.took, unknown);
}

#[test]
fn a_limit_is_never_rounded_down() {
    let told = |least, most| between(Took { least, most });
    assert_eq!(told(0, 900_000), "under 1s");
    assert_eq!(told(0, 1_400_000), "at most 2s");
    assert_eq!(told(1_400_000, 1_400_000), "1s");
}

#[test]
fn times_read_as_people_say_them() {
    let took = |least: u64, most: u64| Took {
        least: least * SECOND,
        most: most * SECOND,
    };
    let told = [
        Measured::Took(took(0, 1)),
        Measured::Took(took(0, 9)),
        Measured::Took(took(31, 41)),
        Measured::Took(took(61, 61)),
        Measured::Seems {
            took: took(3, 12),
            held: 9 * SECOND,
        },
        Measured::Waiting(12 * SECOND),
        Measured::Never(90 * SECOND),
        Measured::Unknown(Why::NoTraffic),
    ];
    insta::assert_snapshot!(told.map(|one| one.to_string()).join("\n"), @r"
    under 1s
    at most 9s
    31s to 41s
    1m 1s
    3s to 12s, seen for 9s only
    not yet, after 12s
    not within 1m 30s
    unknown: too little traffic to tell
    ");
}
