#![allow(clippy::unwrap_used, reason = "test code")]

use super::faults::FaultOutcome;
use super::{Judgement, Verdict, judge, so_far};
use crate::history::testing::{PAY, Recording, SECOND, fail, fault_event};
use crate::session::record::{
    Alert, AlertState, Effect, EndReason, ErrorKind, FaultPlan, FaultState, GaugePlan, Happening,
    Ledger, Number, TargetPlan, Tick,
};

fn window() -> Recording {
    Recording::new(&[("steady", 600, 1.0), ("failover", 120, 1.0)])
        .gate("most is answered", "", "errors < 50%", &[])
        .window(|window| {
            window.faults = vec![
                FaultPlan {
                    name: "slow database".into(),
                    recover_within_us: Some(30 * SECOND),
                    service: Some("postgres".into()),
                    ..FaultPlan::default()
                },
                FaultPlan {
                    name: "kill primary".into(),
                    detect: Some("Down".into()),
                    ..FaultPlan::default()
                },
            ];
            window.targets = vec![TargetPlan {
                kind: "alertmanager".into(),
                ..TargetPlan::default()
            }];
        })
        .gate("errors stay few", "", "errors < 2%", &[])
        .advisory()
        .phase(0)
        .ticks(150)
}

fn state(fault: usize, state: FaultState) -> Happening {
    let text = match state {
        FaultState::Failed => "the proxy does not answer".into(),
        _ => String::new(),
    };
    Happening::Fault {
        fault,
        state,
        text,
        forced: false,
        in_place: false,
        proven: state == FaultState::Recovering,
        until: None,
    }
}

/// Undone, as far as its own word goes.
fn taken_back(fault: usize) -> Happening {
    fault_event(fault, FaultState::Recovering)
}

fn broken(tick: &mut Tick) {
    fail(tick, PAY, ErrorKind::Status5xx, Some(503), 36);
}

/// A fault that is on for 30 s and hurts for so many seconds after it was cleared.
fn hurt(fault: usize, after: u64, well: u64) -> Recording {
    window()
        .event(state(fault, FaultState::Injecting))
        .event(state(fault, FaultState::Active))
        .ticks_with(30, broken)
        .event(state(fault, FaultState::Reverting))
        .event(state(fault, FaultState::Recovering))
        .ticks_with(after, broken)
        .ticks(well)
}

fn ended(recording: Recording) -> Judgement {
    judge(&recording.end(EndReason::Finished).history())
}

fn one(judgement: &Judgement) -> &FaultOutcome {
    assert_eq!(judgement.faults.len(), 1);
    &judgement.faults[0]
}

fn says(judgement: &Judgement, words: &str) -> bool {
    judgement.findings.iter().any(|found| found.contains(words))
}

#[test]
fn a_system_that_comes_back_in_time_is_no_finding() {
    let judgement = ended(strict(hurt(0, 4, 150)));
    assert_eq!(one(&judgement).effective, Some(true));
    assert_eq!(judgement.scores.len(), 1);
    assert!(!says(&judgement, "database"), "{:?}", judgement.findings);
}

#[test]
fn a_fault_that_was_not_undone_is_a_no_go_at_once_and_in_the_end() {
    let stuck = window()
        .event(state(0, FaultState::Injecting))
        .event(state(0, FaultState::Active))
        .ticks_with(30, broken)
        .event(state(0, FaultState::Reverting))
        .event(state(0, FaultState::Failed))
        .ticks(60);
    let words = "slow database was not undone and may still be in place: the proxy does not answer";
    let now = so_far(&stuck.history());
    assert_eq!(now.verdict, Verdict::NoGo);
    assert!(says(&now, words), "{:?}", now.findings);
    let judgement = ended(stuck);
    assert_eq!(judgement.verdict, Verdict::NoGo);
    assert!(says(&judgement, words), "{:?}", judgement.findings);
}

#[test]
fn a_fault_that_could_not_be_put_in_leaves_its_question_open() {
    let judgement = ended(
        window()
            .event(state(0, FaultState::Injecting))
            .event(state(0, FaultState::Failed))
            .ticks(60),
    );
    assert_eq!(judgement.verdict, Verdict::Conditional);
    assert!(says(
        &judgement,
        "slow database could not be put in: the proxy"
    ));
    assert_eq!(judgement.scores, []);
}

fn strict(recording: Recording) -> Recording {
    recording.window(|window| {
        window.gates.retain(|gate| gate.name != "most is answered");
    })
}

#[test]
fn a_recovery_over_its_budget_is_a_no_go_with_a_sentence() {
    let late = ended(strict(hurt(0, 60, 100)));
    assert_eq!(late.verdict, Verdict::NoGo);
    let words = "to come back from slow database, 30s were allowed";
    assert!(says(&late, words), "{:?}", late.findings);
    let never = ended(strict(hurt(0, 60, 0)));
    assert_eq!(never.verdict, Verdict::NoGo);
    let words = "had not come back from slow database within 1m, 30s were allowed";
    assert!(says(&never, words), "{:?}", never.findings);
    let in_time = ended(strict(hurt(0, 5, 100)));
    assert_ne!(in_time.verdict, Verdict::NoGo, "{:?}", in_time.findings);
    assert!(!says(&in_time, "come back"), "{:?}", in_time.findings);
    // While it runs, it is no worse than what is known.
    let running = so_far(&strict(hurt(0, 20, 0)).history());
    assert_ne!(running.verdict, Verdict::NoGo, "{:?}", running.findings);
    let running = so_far(&strict(hurt(0, 65, 0)).history());
    assert_ne!(running.verdict, Verdict::NoGo, "{:?}", running.findings);
    let running = so_far(&strict(hurt(0, 75, 0)).history());
    assert_eq!(running.verdict, Verdict::NoGo, "{:?}", running.findings);
}

#[test]
fn a_recovery_that_was_seen_for_too_short_a_time_is_no_go_ahead() {
    let judgement = ended(strict(hurt(0, 5, 20)));
    assert!(judgement.verdict != Verdict::Go);
    assert!(
        says(&judgement, "cannot be told"),
        "{:?}",
        judgement.findings
    );
}

#[test]
fn what_was_late_once_stays_late_when_the_fault_comes_again() {
    let again = strict(hurt(0, 50, 100))
        .event(state(0, FaultState::Injecting))
        .event(state(0, FaultState::Active))
        .ticks(5);
    for _ in 0..2 {
        let running = so_far(&again.history());
        assert_eq!(running.verdict, Verdict::NoGo, "{:?}", running.findings);
    }
    let twice = again
        .ticks_with(20, broken)
        .event(state(0, FaultState::Recovering))
        .ticks_with(75, broken);
    let running = so_far(&twice.history());
    let late = (running.findings.iter()).filter(|found| found.contains("was not back"));
    assert_eq!(late.count(), 1, "{:?}", running.findings);
}

#[test]
fn what_ends_soon_after_the_order_back_is_too_early_to_tell() {
    // The last window reaches back into the fault.
    for (after, well) in [(0, 3), (0, 9), (20, 0), (35, 0)] {
        let judgement = ended(strict(hurt(0, after, well)));
        assert_ne!(judgement.verdict, Verdict::NoGo, "{:?}", judgement.findings);
        assert_ne!(judgement.verdict, Verdict::Go, "{:?}", judgement.findings);
        let points = &judgement.scores[0].points[2];
        assert_eq!(points.points, None, "{}", points.reason);
    }
    // The engine was killed: nothing says that this is the end.
    let torn = judge(&strict(hurt(0, 30, 5)).history());
    assert!(!says(&torn, "come back"), "{:?}", torn.findings);
    assert!(says(&torn, "cannot be told"), "{:?}", torn.findings);
    // Without a budget, too.
    let judgement = ended(strict(hurt(1, 0, 3)));
    assert_ne!(judgement.verdict, Verdict::NoGo, "{:?}", judgement.findings);
    assert!(
        says(&judgement, "ends too early"),
        "{:?}",
        judgement.findings
    );
}

#[test]
fn a_way_back_that_nothing_proves_is_a_condition() {
    let window = window()
        .event(state(0, FaultState::Injecting))
        .event(state(0, FaultState::Active))
        .event(Happening::Effect(Box::new(Effect {
            affected: 12,
            ..Effect::default()
        })))
        .ticks(30)
        .event(taken_back(0))
        .ticks(60);
    let judgement = ended(window);
    assert_eq!(judgement.verdict, Verdict::Conditional);
    assert!(
        says(&judgement, "nothing proves that slow database was undone"),
        "{:?}",
        judgement.findings
    );
}

#[test]
fn a_fault_that_nothing_felt_did_nothing() {
    let quiet = window()
        .event(state(0, FaultState::Injecting))
        .event(state(0, FaultState::Active))
        .ticks(30)
        .event(state(0, FaultState::Recovering))
        .ticks(60);
    let judgement = ended(quiet.clone());
    assert_eq!(judgement.verdict, Verdict::Conditional);
    assert!(
        says(&judgement, "slow database did nothing"),
        "{:?}",
        judgement.findings
    );
    let touched = ended(quiet.event(Happening::Effect(Box::new(Effect {
        fault: 0,
        seen: 50,
        affected: 12,
        ..Effect::default()
    }))));
    assert_eq!(one(&touched).effective, Some(true));
    assert_eq!(touched.verdict, Verdict::Go, "{:?}", touched.findings);
}

#[test]
fn an_alert_that_was_on_its_way_already_is_no_effect() {
    let alert = |state| {
        Happening::Alert(Box::new(Alert {
            name: "DiskSlow".into(),
            labels: String::new(),
            from: "prom".into(),
            state,
            since: None,
        }))
    };
    let fires = |recording: Recording| {
        let recording = recording
            .event(state(0, FaultState::Injecting))
            .event(state(0, FaultState::Active))
            .ticks(10)
            .event(alert(AlertState::Firing))
            .ticks(20)
            .event(state(0, FaultState::Recovering))
            .ticks(60);
        one(&ended(recording)).effective
    };
    assert_eq!(fires(window()), Some(true));
    assert_eq!(
        fires(window().event(alert(AlertState::Pending))),
        Some(false)
    );
}

/// Gauges of memory and connections, of a target that is scraped so often.
fn gauged(every_us: u64, ticks: u64) -> Recording {
    let plan = |name: &str, unit: &str| GaugePlan {
        name: name.into(),
        of: Some("shop".into()),
        unit: unit.into(),
        ..GaugePlan::default()
    };
    let scraped = TargetPlan {
        name: "shop".into(),
        kind: "scrape".into(),
        every_us,
        ..TargetPlan::default()
    };
    window()
        .window(|window| {
            window.gauges = vec![plan("shop memory", "bytes"), plan("pg conns", "")];
            window.targets.push(scraped);
        })
        .ticks_with(ticks, |tick| gauges(tick, 400.0))
}

/// Memory of about so many MiB, and always 94 connections.
fn gauges(tick: &mut Tick, memory: f64) {
    let noise = (tick.n * 7 % 10) as f64;
    let bytes = (memory + noise) * f64::from(1 << 20);
    tick.series = vec![(0, Some(Number(bytes))), (1, Some(Number(94.0)))];
}

fn filled(recording: Recording, memory: f64, ticks: u64) -> Judgement {
    ended(
        recording
            .event(state(0, FaultState::Injecting))
            .event(state(0, FaultState::Active))
            .ticks_with(ticks, |tick| gauges(tick, memory))
            .event(state(0, FaultState::Reverting))
            .event(state(0, FaultState::Recovering))
            .ticks_with(60, |tick| gauges(tick, 400.0)),
    )
}

#[test]
fn a_fault_that_only_a_gauge_felt_did_something() {
    let judgement = filled(gauged(SECOND, 60), 600.0, 30);
    assert_eq!(one(&judgement).effective, Some(true));
    let gauged_of_it = &one(&judgement).measured.gauges;
    assert_eq!((gauged_of_it.looked_at, gauged_of_it.moved.len()), (2, 1));
    let told = gauged_of_it.text(3).unwrap();
    assert_eq!(told, "moved: shop memory 404MiB then 604MiB");
    assert_eq!(judgement.verdict, Verdict::Go, "{:?}", judgement.findings);
}

#[test]
fn a_fault_that_no_gauge_felt_either_did_nothing_and_says_so() {
    let judgement = filled(gauged(SECOND, 60), 401.0, 30);
    assert_eq!(one(&judgement).effective, Some(false));
    let words =
        "slow database did nothing that was seen: no connection, no request, none of 2 gauges";
    assert!(says(&judgement, words), "{:?}", judgement.findings);
    // Seen by three scrapes only, nobody knows of gauges.
    let judgement = filled(gauged(10 * SECOND, 60), 600.0, 30);
    assert_eq!(one(&judgement).measured.gauges.looked_at, 0);
    let words = "slow database did nothing that was seen: no connection, no request";
    assert!(judgement.findings.iter().any(|it| it == words));
}

#[test]
fn without_traffic_gauges_that_were_looked_at_are_a_look() {
    let silent = |tick: &mut Tick, memory: f64| {
        gauges(tick, memory);
        tick.steps.clear();
    };
    let dark = |every_us: u64, memory: f64| {
        let dark = gauged(every_us, 0)
            .ticks_with(60, |tick| silent(tick, 400.0))
            .event(state(0, FaultState::Injecting))
            .event(state(0, FaultState::Active))
            .ticks_with(30, |tick| silent(tick, memory))
            .event(state(0, FaultState::Recovering))
            .ticks_with(60, |tick| silent(tick, 400.0));
        one(&ended(dark)).effective
    };
    assert_eq!(dark(SECOND, 600.0), Some(true));
    assert_eq!(dark(SECOND, 400.0), Some(false));
    assert_eq!(dark(20 * SECOND, 400.0), None);
}

#[test]
fn what_another_fault_may_have_done_to_a_gauge_is_not_laid_on_this_one() {
    let other_first = gauged(SECOND, 60)
        .event(state(1, FaultState::Injecting))
        .event(state(1, FaultState::Active))
        .ticks_with(2, |tick| gauges(tick, 400.0))
        .event(state(0, FaultState::Injecting))
        .event(state(0, FaultState::Active))
        .ticks_with(30, |tick| gauges(tick, 900.0))
        .event(state(0, FaultState::Recovering))
        .ticks_with(5, |tick| gauges(tick, 900.0))
        .event(state(1, FaultState::Recovering))
        .ticks_with(60, |tick| gauges(tick, 400.0));
    let judgement = ended(other_first.clone());
    let looked_at = judgement
        .faults
        .iter()
        .map(|it| it.measured.gauges.looked_at);
    assert_eq!(looked_at.collect::<Vec<_>>(), [0, 0]);
    // As members of a group they are one with it.
    let group = other_first.window(|window| window.faults[1].members = vec![0]);
    let judgement = ended(group);
    let moved = judgement
        .faults
        .iter()
        .map(|it| it.measured.gauges.moved.len());
    assert_eq!(moved.collect::<Vec<_>>()[0], 1);
}

#[test]
fn an_alert_that_should_have_fired_and_did_not_is_advice() {
    let silent = ended(strict(hurt(1, 2, 100)));
    let words = "Down did not fire for kill primary";
    assert!(says(&silent, words), "{:?}", silent.findings);
    let alert = Happening::Alert(Box::new(Alert {
        name: "Down".into(),
        labels: String::new(),
        from: "am".into(),
        state: AlertState::Firing,
        since: None,
    }));
    let seen = ended(strict(hurt(1, 2, 10).event(alert).ticks(90)));
    assert!(!says(&seen, "Down"), "{:?}", seen.findings);
}

#[test]
fn what_was_planned_and_never_ran_keeps_from_a_go() {
    let planned = window().window(|window| window.phases[1].faults = vec![1]);
    let judgement = ended(planned);
    assert_eq!(judgement.verdict, Verdict::Conditional);
    assert!(says(
        &judgement,
        "kill primary was planned for failover and never ran"
    ));
}

#[test]
fn a_lost_write_is_a_no_go() {
    let ledger = Ledger {
        name: "orders".into(),
        sent: 100,
        acknowledged: 90,
        lost: 3,
        ..Ledger::default()
    };
    let judgement = ended(window().event(Happening::Ledger(Box::new(ledger))));
    assert_eq!(judgement.verdict, Verdict::NoGo);
    let words = "orders: 3 of 90 acknowledged writes were lost";
    assert!(says(&judgement, words), "{:?}", judgement.findings);
}

#[test]
fn the_scorecard_gives_reasons_and_never_a_figure_for_what_nobody_saw() {
    let told = |judgement: &Judgement| {
        let lines = judgement.scores.iter().flat_map(|score| {
            let head = format!("{} · {} · {}", score.service, score.fault, score.total());
            let rows = score.points.iter().map(|it| {
                let points = it.points.map_or("-".into(), |points| points.to_string());
                format!("  {} {points}: {}", it.of, it.reason)
            });
            std::iter::once(head).chain(rows)
        });
        lines.collect::<Vec<_>>().join("\n")
    };
    let known = ended(strict(hurt(0, 60, 100)));
    let unknown = ended(strict(hurt(1, 5, 10)).window(|window| window.targets.clear()));
    insta::assert_snapshot!(format!("{}\n{}", told(&known), told(&unknown)));
}
