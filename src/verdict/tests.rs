use std::time::Duration;

use super::gates::{judge_gate, read, requests_needed};
use super::*;
use crate::history::Totals;
use crate::history::testing::{PAY, Recording, SECOND, climb, fail, overload, step};
use crate::session::record::{ErrorKind, Tick};

/// A minute at 1x, 30 s at 2x.
fn window() -> Recording {
    Recording::new(&[("steady", 60, 1.0), ("spike", 30, 2.0)])
}

fn run(recording: Recording) -> Recording {
    let recording = recording.phase(0).ticks(60).phase(1).ticks(30);
    recording.end(EndReason::Finished)
}

fn state(judgement: &Judgement, gate: usize) -> (State, &str) {
    let reading = &judgement.gates[gate].reading;
    (reading.state, reading.reason.as_str())
}

fn expect(text: &str) -> crate::profile::expect::Expectation {
    text.parse().unwrap()
}

/// Sums over some requests of the pay step, of which so many take 500 ms and the rest 1 ms.
fn totals(fast: u64, slow: u64) -> Totals {
    let mut totals = Totals {
        ticks: 10,
        micros: 10 * SECOND,
        requests: fast + slow,
        ..Totals::default()
    };
    for (count, micros) in [(fast, 1_000), (slow, 500_000)] {
        totals
            .response
            .merge(&step(PAY, count, micros, micros).response);
    }
    totals
}

#[test]
fn a_window_that_keeps_its_promises_goes() {
    let judgement = judge(
        &run(window()
            .gate("fast", "pay", "p99 < 100ms", &[0])
            .gate("errors", "", "errors < 1%", &[])
            .gate("rate", "shoppers", "rate > 390/s", &[0])
            .gate("none dropped", "", "dropped = 0", &[])
            .gate("enough", "", "requests > 10000", &[]))
        .history(),
    );
    assert_eq!(judgement.verdict, Verdict::Go, "{:?}", judgement.findings);
    assert!(judgement.findings.is_empty());
    assert!(judgement.generator.ok);
    assert_eq!(judgement.verdict.exit_code(), 0);
}

#[test]
fn a_failed_blocker_is_no_go_and_a_failed_advisory_a_condition() {
    let blocker = window().gate("fast", "pay", "p99 < 50ms", &[0]);
    let judgement = judge(&run(blocker.clone()).history());
    assert_eq!(judgement.verdict, Verdict::NoGo);
    assert_eq!(judgement.verdict.exit_code(), 1);
    assert!(judgement.findings[0].starts_with("fast failed: p99 < 50ms"));
    let judgement = judge(&run(blocker.advisory()).history());
    assert_eq!(judgement.verdict, Verdict::Conditional);
}

#[test]
fn a_gate_named_after_its_expectation_says_it_once() {
    let recording = window().gate("p99 < 50ms in steady", "pay", "p99 < 50ms", &[0]);
    let judgement = judge(&run(recording).history());
    assert_eq!(judgement.findings, ["p99 < 50ms in steady failed (80ms)"]);
}

#[test]
fn a_gate_looks_only_at_its_scope_and_phases() {
    let failing = |tick: &mut Tick| fail(tick, PAY, ErrorKind::Status5xx, Some(503), 8);
    let history = window()
        .gate("all", "", "errors < 0.5%", &[])
        .gate("steady", "", "errors < 0.5%", &[0])
        .gate("browse", "browse", "errors < 0.5%", &[])
        .gate("pay", "buy/pay", "errors < 9%", &[1])
        .phase(0)
        .ticks(60)
        .phase(1)
        .ticks_with(30, failing)
        .end(EndReason::Finished)
        .history();
    let judgement = judge(&history);
    let states: Vec<State> = judgement.gates.iter().map(|g| g.reading.state).collect();
    assert_eq!(states, [State::Pass, State::Pass, State::Pass, State::Fail]);
    let value = judgement.gates[3].reading.value.unwrap();
    assert!((value - 0.1).abs() < 1e-9, "{value}");
}

#[test]
fn a_quantile_needs_ten_requests_beyond_it() {
    assert_eq!(requests_needed(0.99), 1_000);
    assert_eq!(requests_needed(0.999), 10_000);
    assert_eq!(requests_needed(0.5), 20);
    let p99 = expect("p99 < 100ms");
    assert_eq!(read(&p99, &totals(999, 0)).state, State::Inconclusive);
    assert_eq!(read(&p99, &totals(1_000, 0)).state, State::Pass);
    let reading = read(&p99, &totals(98, 2));
    assert_eq!(reading.state, State::Inconclusive);
    assert_eq!(reading.reason, "100 requests are too few: p99 needs 1000");
}

#[test]
fn few_requests_are_enough_to_fail_when_chance_cannot_explain_them() {
    let p99 = expect("p99 < 100ms");
    // With 1 % really above the bound, 4 of 50 come up once in 600 windows, 3 of 50 once in 70.
    assert_eq!(read(&p99, &totals(46, 4)).state, State::Fail);
    assert_eq!(read(&p99, &totals(47, 3)).state, State::Inconclusive);
    assert_eq!(read(&p99, &totals(0, 50)).state, State::Fail);
    assert_eq!(read(&p99, &totals(0, 1)).state, State::Inconclusive);
    assert_eq!(
        read(&expect("p99.9 <= 100ms"), &totals(4_970, 30)).state,
        State::Fail
    );
}

#[test]
fn one_slow_request_breaks_a_maximum_but_not_a_mean() {
    assert_eq!(
        read(&expect("max < 100ms"), &totals(3, 1)).state,
        State::Fail
    );
    assert_eq!(
        read(&expect("mean < 100ms"), &totals(99, 1)).state,
        State::Pass
    );
    assert_eq!(
        read(&expect("mean < 100ms"), &totals(3, 0)).state,
        State::Inconclusive
    );
}

#[test]
fn nothing_measured_is_never_a_pass() {
    let nothing = Totals::default();
    let idle = Totals {
        ticks: 10,
        micros: 10 * SECOND,
        ..nothing.clone()
    };
    for text in [
        "p99 < 1s",
        "mean < 1s",
        "max < 1s",
        "errors < 1%",
        "dropped = 0",
        "dropped < 1%",
    ] {
        assert_eq!(
            read(&expect(text), &nothing).state,
            State::Inconclusive,
            "{text}"
        );
        assert_eq!(
            read(&expect(text), &idle).state,
            State::Inconclusive,
            "{text}"
        );
    }
    assert_eq!(
        read(&expect("requests < 5"), &nothing).state,
        State::Inconclusive
    );
    assert_eq!(read(&expect("rate > 1/s"), &idle).state, State::Fail);
}

#[test]
fn dropped_is_a_count_or_a_share_of_what_was_due() {
    let totals = Totals {
        due: 1_000,
        dropped: 5,
        ..totals(995, 0)
    };
    for (text, state) in [
        ("dropped = 0", State::Fail),
        ("dropped <= 5", State::Pass),
        ("dropped < 1%", State::Pass),
        ("dropped < 0.5%", State::Fail),
    ] {
        assert_eq!(read(&expect(text), &totals).state, state, "{text}");
    }
}

#[test]
fn latency_is_not_judged_when_the_generator_was_the_bottleneck() {
    let recording = |slow| {
        window()
            .gate("fast", "pay", "p99 < 100ms", &[])
            .gate("errors", "", "errors < 1%", &[])
            .phase(0)
            .ticks(60)
            .phase(1)
            .ticks(30 - slow)
            .ticks_with(slow, overload)
            .end(EndReason::Finished)
            .history()
    };
    let judgement = judge(&recording(9));
    assert_eq!(judgement.verdict, Verdict::Inconclusive);
    let (gate, reason) = state(&judgement, 0);
    assert_eq!(gate, State::Inconclusive);
    assert!(
        reason.starts_with("the generator was the bottleneck in 10% of the ticks"),
        "{reason}"
    );
    assert_eq!(state(&judgement, 1).0, State::Pass);
    assert!(!judgement.generator.ok);
    assert_eq!(
        judge(&recording(4)).verdict,
        Verdict::Go,
        "a few ticks are tolerated"
    );
}

#[test]
fn missing_ticks_are_said_and_too_many_leave_it_open() {
    let recording = |lost| {
        let recording = window().gate("errors", "", "errors < 1%", &[0]);
        let recording = recording.phase(0).ticks(30).skip(lost).ticks(30 - lost);
        recording.end(EndReason::Finished).history()
    };
    let few = judge(&recording(2));
    assert_eq!(state(&few, 0), (State::Pass, "2 of 60 ticks are missing"));
    assert_eq!(few.verdict, Verdict::Go);
    assert_eq!(
        few.findings,
        ["2 of 60 ticks are missing from the recording"]
    );
    let many = judge(&recording(6));
    assert_eq!(
        state(&many, 0),
        (
            State::Inconclusive,
            "10% of the ticks are missing from the recording"
        )
    );
    assert_eq!(many.verdict, Verdict::Inconclusive);
}

#[test]
fn a_phase_that_did_not_run_cannot_be_passed() {
    let recording = window().gate("fast", "", "errors < 1%", &[0, 1]);
    let history = recording
        .phase(0)
        .ticks(60)
        .end(EndReason::Stopped)
        .history();
    let judgement = judge(&history);
    assert_eq!(
        state(&judgement, 0),
        (State::Inconclusive, "phase spike did not run")
    );
    assert_eq!(judgement.verdict, Verdict::Inconclusive);
}

#[test]
fn a_window_stopped_by_hand_is_at_most_conditional() {
    let recording = window().gate("errors", "", "errors < 1%", &[]);
    let history = recording
        .phase(0)
        .ticks(36)
        .event(Happening::Stop {
            reason: EndReason::Stopped,
            text: "ops@bastion pressed the stop key".into(),
        })
        .end(EndReason::Stopped)
        .history();
    let judgement = judge(&history);
    assert_eq!(judgement.verdict, Verdict::Conditional);
    assert_eq!(
        judgement.findings,
        ["the window was stopped at 40% of its schedule: ops@bastion pressed the stop key"]
    );
}

#[test]
fn without_an_end_without_ticks_or_without_anything_nobody_can_tell() {
    let torn = window()
        .gate("errors", "", "errors < 1%", &[])
        .phase(0)
        .ticks(60);
    let judgement = judge(&torn.history());
    assert_eq!(judgement.verdict, Verdict::Inconclusive);
    assert!(
        judgement.findings[0].contains("without an end"),
        "{:?}",
        judgement.findings
    );
    let empty = window().end(EndReason::Finished);
    assert_eq!(judge(&empty.history()).verdict, Verdict::Inconclusive);
    assert_eq!(judge(&History::new()).verdict, Verdict::Inconclusive);
}

#[test]
fn a_torn_window_with_a_failed_blocker_is_still_no_go() {
    let torn = window()
        .gate("fast", "", "p99 < 1ms", &[])
        .phase(0)
        .ticks(20);
    assert_eq!(judge(&torn.history()).verdict, Verdict::NoGo);
}

#[test]
fn requests_without_gates_are_a_condition() {
    let judgement = judge(&run(window()).history());
    assert_eq!(judgement.verdict, Verdict::Conditional);
    assert_eq!(judgement.findings, ["no gates were set"]);
}

#[test]
fn gates_that_cannot_be_judged_are_inconclusive_and_say_why() {
    let history = run(window().gate("odd", "", "p99 is fine", &[]).gate(
        "lost",
        "refund",
        "errors < 1%",
        &[],
    ))
    .history();
    let judgement = judge(&history);
    assert!(
        state(&judgement, 0)
            .1
            .starts_with("gate `odd` cannot be judged")
    );
    assert_eq!(state(&judgement, 1).1, "nothing that ran is named `refund`");
    assert_eq!(judgement.verdict, Verdict::Inconclusive);
}

#[test]
fn an_abort_is_no_go_unless_the_gate_that_asked_for_it_is_advisory() {
    // The gate failed for a while, and not in the sum: only the abort itself can tell.
    let aborted = |recording: Recording, text: &str| {
        let recording = recording.abort_after(5).phase(0).ticks(60);
        let failed = Happening::Gate {
            gate: 0,
            holds: false,
            value: "3.1%".into(),
        };
        let stop = Happening::Stop {
            reason: EndReason::Aborted,
            text: text.into(),
        };
        let recording = recording.event(failed).event(stop);
        judge(&recording.end(EndReason::Aborted).history())
    };
    let gated = || window().gate("errors stay low", "", "errors < 2%", &[]);
    let named = "gate `errors stay low` failed for 5s";
    assert_eq!(aborted(gated(), named).verdict, Verdict::NoGo);
    let advisory = aborted(gated().advisory(), named);
    assert_eq!(advisory.verdict, Verdict::Conditional);
    assert_eq!(
        advisory.findings,
        ["the window was ended early by errors stay low"]
    );
    assert_eq!(
        aborted(gated().advisory(), "a gate failed").verdict,
        Verdict::Conditional
    );
    assert_eq!(aborted(gated(), "a gate failed").verdict, Verdict::NoGo);
}

#[test]
fn a_climb_ends_at_the_last_step_that_held() {
    let found = judge(&climb().end(EndReason::Aborted).history())
        .breakpoint
        .unwrap();
    let held = found.held.unwrap();
    assert_eq!((held.phase.as_str(), held.rate), ("climb 2x", 900.0));
    let broke = found.broke.unwrap();
    assert_eq!(
        (broke.phase.as_str(), broke.gate.as_str()),
        ("climb 3x", "fast")
    );
}

#[test]
fn steps_beyond_the_break_are_not_missed() {
    let recording = climb()
        .gate("errors", "", "errors < 1%", &[0, 1, 2, 3])
        .end(EndReason::Aborted);
    let judgement = judge(&recording.history());
    assert_eq!(state(&judgement, 1), (State::Pass, ""));
}

#[test]
fn a_step_whose_gates_nobody_can_judge_has_not_held() {
    let recording = climb()
        .window(|window| window.gates[0].of = "refund".into())
        .end(EndReason::Aborted);
    let found = judge(&recording.history()).breakpoint.unwrap();
    assert_eq!((found.held, found.broke), (None, None));
}

#[test]
fn a_live_gate_follows_the_last_seconds_of_its_phases() {
    let failing = |tick: &mut Tick| fail(tick, PAY, ErrorKind::Timeout, None, 40);
    let base = window().gate("errors", "", "errors < 2%", &[0]).gate(
        "enough",
        "",
        "requests > 1000000",
        &[],
    );
    let spec = |recording: &Recording, gate: usize| {
        let history = recording.history();
        GateSpec::from_plan(&history.window().unwrap().gates[gate]).unwrap()
    };
    let good = base.phase(0).ticks(40);
    let state = |recording: &Recording, gate| {
        live(&recording.history(), &spec(recording, gate)).map(|reading| reading.state)
    };
    assert_eq!(state(&good, 0), Some(State::Pass));
    let bad = good.clone().ticks_with(5, failing);
    assert_eq!(state(&bad, 0), Some(State::Fail));
    assert_eq!(
        judge_gate(&bad.history(), &spec(&bad, 0)).state,
        State::Pass,
        "over the whole phase"
    );
    assert_eq!(state(&bad.clone().ticks(10), 0), Some(State::Pass));
    assert_eq!(state(&bad.phase(1).ticks(1), 0), None, "not its phase");
    assert_eq!(
        state(&good, 1),
        Some(State::Inconclusive),
        "not reached yet"
    );
}

#[test]
fn a_watch_counts_how_long_a_gate_has_been_failing() {
    let reading = |state| Reading {
        state,
        value: None,
        shown: String::new(),
        reason: String::new(),
        samples: 0,
    };
    let history = window()
        .gate("errors", "", "errors < 2%", &[])
        .abort_after(30)
        .history();
    let spec = GateSpec::from_plan(&history.window().unwrap().gates[0]).unwrap();
    let mut watch = Watch::default();
    let mut at = |second: u64, state: Option<State>| {
        let change = watch.update(second * SECOND, state.map(reading).as_ref());
        (change, watch.failing_for(), watch.must_abort(&spec))
    };
    let seconds = Duration::from_secs;
    assert_eq!(at(1, Some(State::Pass)), (None, seconds(0), false));
    assert_eq!(
        at(2, Some(State::Fail)),
        (Some(Change::Failed), seconds(0), false)
    );
    assert_eq!(at(20, Some(State::Fail)), (None, seconds(18), false));
    assert_eq!(
        at(25, Some(State::Inconclusive)),
        (None, seconds(23), false)
    );
    assert_eq!(
        at(10, Some(State::Pass)),
        (None, seconds(23), false),
        "the past is over"
    );
    assert_eq!(at(32, Some(State::Fail)), (None, seconds(30), true));
    assert_eq!(
        at(33, Some(State::Pass)),
        (Some(Change::Healed), seconds(0), false)
    );
    assert_eq!(
        at(34, Some(State::Fail)),
        (Some(Change::Failed), seconds(0), false)
    );
    assert_eq!(
        at(35, None),
        (None, seconds(0), false),
        "its phase is over, and nobody has seen it hold"
    );
}

#[test]
fn a_window_that_stormdeck_had_to_end_itself_is_inconclusive_and_says_why() {
    let text = "load worker 1 panicked: what it had under way is lost";
    let recording = window()
        .gate("errors", "", "errors < 2%", &[])
        .phase(0)
        .ticks(20)
        .event(Happening::Warning { text: text.into() });
    let warned = judge(&recording.clone().end(EndReason::Finished).history());
    assert_eq!(warned.verdict, Verdict::Conditional);
    assert!(warned.findings.iter().any(|finding| finding == text));
    let ended = recording.event(Happening::Stop {
        reason: EndReason::Aborted,
        text: text.into(),
    });
    let judgement = judge(&ended.end(EndReason::Aborted).history());
    assert_eq!(judgement.verdict, Verdict::Inconclusive);
}
