use std::collections::BTreeMap;

use super::*;
use crate::history::History;
use crate::history::testing::{PAY, Recording, climb, fail, fault_event, overload};
use crate::session::record::{
    Decision, EndReason, ErrorKind, FaultPlan, FaultState, GaugePlan, Happening, Ledger, Missing,
    Number, Record, Sample, Tick,
};
use crate::verdict::judge;

fn window() -> Recording {
    Recording::new(&[("steady", 60, 1.0), ("spike", 30, 2.0)])
        .gate("pay stays fast", "pay", "p99 < 100ms", &[0])
        .gate("errors", "", "errors < 0.5%", &[])
        .gate("rate of shoppers", "shoppers", "rate > 350/s", &[0])
        .advisory()
}

fn summary(history: &History) -> Summary {
    let session = "/var/lib/stormdeck/2026-11-21-checkout-4-2.jsonl.zst";
    Summary::new(history, &judge(history), session)
}

/// Every line must fit, whatever the snapshot says.
fn told(history: &History) -> String {
    let text = text(&summary(history));
    for line in text.lines() {
        assert!(line.chars().count() <= text::WIDTH, "{line}");
    }
    text
}

fn good() -> Recording {
    let predicted = [
        ("pay p99", "80ms"),
        ("rate", "500/s"),
        ("service p50 browse", "9ms"),
        ("the weather", "fine"),
    ];
    let predicted: BTreeMap<String, String> = predicted
        .map(|(what, value)| (what.to_owned(), value.to_owned()))
        .into();
    let fail_once = |tick: &mut Tick| {
        if tick.n.is_multiple_of(20) {
            fail(tick, PAY, ErrorKind::Timeout, None, 1);
        }
    };
    window()
        .window(|window| window.predicted = predicted)
        .phase(0)
        .ticks_with(60, fail_once)
        .phase(1)
        .ticks(30)
        .end(EndReason::Finished)
}

fn no_go() -> History {
    let broken = |tick: &mut Tick| {
        fail(tick, PAY, ErrorKind::Status5xx, Some(503), 30);
        fail(tick, 0, ErrorKind::Timeout, None, 4);
        tick.scenarios[0].due += 60;
        tick.scenarios[0].dropped = 60;
    };
    let mut history = window()
        .phase(0)
        .ticks(60)
        .phase(1)
        .ticks_with(30, broken)
        .end(EndReason::Finished)
        .history();
    history.apply(&Record::Sample(Sample {
        at: 61_000_000,
        step: PAY,
        kind: ErrorKind::Status5xx,
        status: Some(503),
        detail: "status 503 Service Unavailable".into(),
        body: String::new(),
    }));
    history
}

fn bottleneck() -> History {
    let recording = window().phase(0).ticks(40).ticks_with(20, overload);
    let recording = recording.phase(1).ticks(30).end(EndReason::Finished);
    recording.history()
}

fn torn() -> History {
    window()
        .phase(0)
        .ticks(25)
        .gap(3, "disk full")
        .ticks(9)
        .history()
}

fn breakpoint() -> History {
    climb()
        .abort_after(20)
        .event(Happening::Stop {
            reason: EndReason::Aborted,
            text: "gate `fast` failed for 20s".into(),
        })
        .end(EndReason::Aborted)
        .history()
}

#[test]
fn who_signed_is_told_and_changes_no_verdict() {
    let signed = |text: &str| {
        let (decision, text) = (Decision::NoGo, text.to_owned());
        good().event(Happening::SignOff { decision, text })
    };
    let before = summary(&good().history());
    let after = summary(&signed("payments are\x1b[2J slow").history());
    assert_eq!((before.signed.len(), after.signed.len()), (0, 1));
    assert_eq!(before.verdict, after.verdict);
    let text = text(&after);
    let line = text.lines().find(|line| line.starts_with("signed"));
    let line = line.unwrap();
    assert!(
        line.starts_with("signed     no-go by someone at "),
        "{line}"
    );
    assert!(line.ends_with(": payments are [2J slow"), "{line}");
    told(&signed(&"long ".repeat(500)).history());
}

#[test]
fn a_good_run_as_text() {
    insta::assert_snapshot!(told(&good().history()));
}

#[test]
fn a_good_run_as_json() {
    insta::assert_snapshot!(summary(&good().history()).json().unwrap());
}

#[test]
fn a_no_go_with_errors_as_text() {
    insta::assert_snapshot!(told(&no_go()));
}

#[test]
fn a_no_go_with_errors_as_json() {
    insta::assert_snapshot!(summary(&no_go()).json().unwrap());
}

#[test]
fn a_generator_that_was_the_bottleneck_as_text() {
    insta::assert_snapshot!(told(&bottleneck()));
}

#[test]
fn a_window_of_which_nothing_is_known_as_text() {
    insta::assert_snapshot!(told(&History::new()));
}

#[test]
fn a_window_of_which_nothing_is_known_as_json() {
    insta::assert_snapshot!(summary(&History::new()).json().unwrap());
}

#[test]
fn a_torn_recording_as_text() {
    insta::assert_snapshot!(told(&torn()));
}

#[test]
fn a_climb_that_broke_as_text() {
    insta::assert_snapshot!(told(&breakpoint()));
}

#[test]
fn a_climb_that_broke_as_json() {
    let json: serde_json::Value =
        serde_json::from_str(&summary(&breakpoint()).json().unwrap()).unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(&json["breakpoint"]).unwrap());
}

#[test]
fn names_of_any_length_leave_the_lines_in_bounds() {
    let long = "a name that somebody thought about for a very long time ".repeat(3);
    let history = window()
        .gate(&long, "pay", "service p99.99 <= 100.25ms", &[0, 1])
        .window(|window| {
            window.name = long.clone();
            for phase in &mut window.phases {
                phase.name = long.clone();
            }
        })
        .phase(0)
        .ticks_with(60, |tick| tick.scenarios[0].dropped = 1)
        .end(EndReason::Stopped)
        .history();
    told(&history);
}

#[test]
fn absurd_numbers_are_told_without_a_panic() {
    let absurd = |tick: &mut Tick| {
        tick.load = f64::NAN;
        tick.at = u64::MAX - tick.n % 3;
        tick.generator.cpu = f64::INFINITY;
        tick.generator.worker_cpu = f64::NAN;
        tick.generator.due = u64::MAX;
        for scenario in &mut tick.scenarios {
            scenario.due = u64::MAX;
            scenario.dropped = u64::MAX;
        }
        for step in &mut tick.steps {
            step.requests = u64::MAX;
            step.bytes_in = u64::MAX;
            step.errors = [(ErrorKind::Timeout, u64::MAX), (ErrorKind::Reset, u64::MAX)].into();
            step.status = [(0, u64::MAX), (u16::MAX, u64::MAX)].into();
        }
    };
    let recording = window().phase(0).ticks_with(40, absurd).phase(1);
    let recording = recording.ticks_with(2_000, absurd).end(EndReason::Finished);
    let history = recording.history();
    told(&history);
    summary(&history).json().unwrap();
}

#[test]
fn a_gate_without_a_name_of_its_own_says_what_it_expects_once() {
    let history = Recording::new(&[("steady", 60, 1.0), ("spike", 30, 2.0)])
        .gate("errors < 1%", "", "errors < 1%", &[])
        .gate("p99 < 1s of pay in steady", "pay", "p99 < 1s", &[0])
        .gate("p50 < 1s in climb", "", "p50 < 1s", &[0, 1])
        .gate("quick enough", "", "p90 < 1s", &[])
        .phase(0)
        .ticks(60)
        .phase(1)
        .ticks(30)
        .end(EndReason::Finished)
        .history();
    let text = told(&history);
    let mut rows = text.lines().filter(|line| line.starts_with("  ✓"));
    for (expect, row) in [
        ("errors < 1%", "✓ errors < 1% everything 0%"),
        ("p99 < 1s", "✓ p99 < 1s pay in steady"),
        ("p50 < 1s", "✓ p50 < 1s in climb in 2 phases"),
        ("p90 < 1s", "✓ quick enough p90 < 1s everything"),
    ] {
        let line = rows.next().unwrap();
        let words: Vec<_> = line.split_whitespace().collect();
        assert!(words.join(" ").starts_with(row), "{line}");
        assert_eq!(line.matches(expect).count(), 1, "{line}");
    }
}

/// A shop whose database is slow for half a minute, and that takes its time to come back.
fn broken() -> Recording {
    let state = |state| fault_event(0, state);
    let hurt = |tick: &mut Tick| fail(tick, PAY, ErrorKind::Status5xx, Some(503), 36);
    window()
        .window(|window| {
            window.faults = vec![FaultPlan {
                name: "slow database".into(),
                recover_within_us: Some(60_000_000),
                detect: Some("DatabaseSlow".into()),
                service: Some("postgres".into()),
                ..FaultPlan::default()
            }];
        })
        .phase(0)
        .ticks(60)
        .event(state(FaultState::Injecting))
        .event(state(FaultState::Active))
        .ticks_with(30, hurt)
        .event(state(FaultState::Reverting))
        .event(state(FaultState::Recovering))
        .ticks_with(12, hurt)
        .ticks(40)
        .event(state(FaultState::Recovered))
        .ticks(10)
        .end(EndReason::Finished)
}

#[test]
fn a_fault_and_how_the_system_took_it_as_text() {
    insta::assert_snapshot!(told(&broken().history()));
}

#[test]
fn a_fault_is_told_to_machines_with_its_times_and_its_picture() {
    let summary = summary(&broken().history());
    let [fault] = &summary.faults[..] else {
        panic!("{:?}", summary.faults);
    };
    assert_eq!((fault.at_s, fault.cleared_s), (60.0, Some(90.0)));
    let (least, most) = (
        fault.recovery.least_s.unwrap(),
        fault.recovery.most_s.unwrap(),
    );
    assert!(least <= 12.0 && most >= 12.0 && fault.recovery.known);
    let lengths: Vec<usize> = fault
        .picture
        .lines
        .iter()
        .map(|line| line.values.len())
        .collect();
    assert!(
        lengths
            .iter()
            .all(|&length| length == lengths[0] && length <= faults::COLUMNS)
    );
    let names: Vec<&str> = fault.picture.lines.iter().map(|line| line.of).collect();
    assert_eq!(names, ["requests", "errors", "2xx", "5xx"]);
    assert_eq!(summary.scorecard.len(), 1);
    assert!(summary.json().unwrap().contains("\"scorecard\""));
}

/// The same, and of the orders that it took some are gone, and one is there twice.
fn forgetful() -> History {
    let missing = |second: u64, lost, duplicated| Missing {
        at: second * 1_000_000,
        lost,
        duplicated,
    };
    let ledger = Ledger {
        name: "orders".into(),
        sent: 4_000,
        acknowledged: 3_900,
        looked_at: Some(3_900),
        lost: 13,
        duplicated: 1,
        lost_between: Some((56_400_000, 59_900_000)),
        step_us: 1_000_000,
        by_time: vec![missing(56, 7, 0), missing(58, 5, 1), missing(59, 1, 0)],
        ..Ledger::default()
    };
    broken()
        .event(Happening::Ledger(Box::new(ledger)))
        .history()
}

#[test]
fn lost_writes_are_told_with_the_fault_that_lost_them_and_how_far_back_they_lie() {
    let history = forgetful();
    let summary = summary(&history);
    let [losses] = &summary.faults[0].losses[..] else {
        panic!("{:?}", summary.faults[0].losses);
    };
    assert_eq!((losses.lost, losses.duplicated), (13, 1));
    // In at 60 s, and the first that is lost was acknowledged in the second from 56 s on.
    assert_eq!(
        (losses.rpo_least_s, losses.rpo_most_s),
        (Some(3.0), Some(4.0))
    );
    let text = told(&history);
    let words = "    orders: 13 acknowledged writes lost · recovery point 3s to 4s · 1 write there more than once\n";
    assert!(text.contains(words), "{text}");
    let finding = "orders: 13 acknowledged writes were lost around slow database";
    assert!(
        summary.findings.iter().any(|it| it.starts_with(finding)),
        "{:?}",
        summary.findings
    );
    let json: serde_json::Value = serde_json::from_str(&summary.json().unwrap()).unwrap();
    assert_eq!(json["faults"][0]["losses"][0]["ledger"], "orders");
    assert!(json["faults"][0]["losses"][0]["partial"] == false);
}

/// A fault that traffic does not feel: it takes memory and every connection to the database.
fn unfelt() -> History {
    let state = |state: FaultState| Happening::Fault {
        fault: 0,
        state,
        text: String::new(),
        forced: false,
        in_place: false,
        proven: state == FaultState::Recovering,
        until: None,
    };
    let gauge = |name: &str, unit: &str| GaugePlan {
        name: name.into(),
        unit: unit.into(),
        ..GaugePlan::default()
    };
    let memory = |tick: &mut Tick, share: f64| {
        let noise = (tick.n % 3) as f64 / 100.0;
        tick.series.push((0, Some(Number(share + noise))));
    };
    window()
        .window(|window| {
            window.faults = vec![FaultPlan {
                name: "fill memory".into(),
                ..FaultPlan::default()
            }];
            window.gauges = vec![gauge("shop memory", "ratio"), gauge("pg conns", "")];
        })
        .phase(0)
        .ticks_with(60, |tick| {
            memory(tick, 0.02);
            if tick.n == 1 {
                tick.series.push((1, Some(Number(94.0))));
            }
        })
        .event(state(FaultState::Injecting))
        .event(state(FaultState::Active))
        .ticks_with(30, |tick| {
            memory(tick, 0.96);
            if tick.n == 61 {
                tick.series.push((1, None));
            }
        })
        .event(state(FaultState::Reverting))
        .event(state(FaultState::Recovering))
        .ticks_with(60, |tick| memory(tick, 0.02))
        .end(EndReason::Finished)
        .history()
}

#[test]
fn gauges_that_a_fault_moved_are_told_in_their_units() {
    let history = unfelt();
    let text = told(&history);
    let words = "moved: pg conns 94 then gone, shop memory 3% then 97%";
    assert!(text.contains(words), "{text}");
    assert!(!text.contains("did nothing"), "{text}");
    let json: serde_json::Value = serde_json::from_str(&summary(&history).json().unwrap()).unwrap();
    let fault = &json["faults"][0];
    assert_eq!(fault["effective"], true);
    let gauges = &fault["gauges"];
    assert_eq!(
        (&gauges["looked_at"], &gauges["moved"]),
        (&2.into(), &2.into())
    );
    assert_eq!(gauges["text"], words);
    assert_eq!(gauges["strongest"][0]["then"], serde_json::Value::Null);
    assert_eq!(gauges["strongest"][1]["gauge"], "shop memory");
    assert_eq!(gauges["strongest"][1]["then"], 0.97);
}
