use super::super::arrivals::Part;
use super::super::schedule::{FOREVER, Piece};
use super::super::sim::{Fake, MS, S, drain, fleet, latencies, scenario, simulate, sum};
use super::*;
use crate::profile::model::Arrivals::{Even, Poisson};
use crate::session::record::{ErrorKind, ScenarioState, StepTick};

fn open(max_in_flight: u32) -> Traffic {
    Traffic::Open {
        arrivals: Even,
        max_in_flight,
    }
}

fn closed(iterations: Option<u64>) -> Traffic {
    Traffic::Closed { iterations }
}

fn ramp(from: Nanos, to: Nanos, start: f64, end: f64) -> Curve {
    Curve::new([Piece {
        from,
        to,
        start,
        end,
    }])
}

fn level(to: Nanos, value: f64) -> Curve {
    Curve::new([Piece::level(0, to, value)])
}

fn near(value: f64, expected: f64, share: f64) {
    let error = (value - expected).abs() / expected;
    assert!(error <= share, "{value} for {expected}");
}

#[test]
fn a_ramp_sends_half_its_rate_times_its_time_and_each_tick_its_own() {
    for workers in [1, 3] {
        let work = scenario(Fake::taking(MS), open(1000), ramp(0, 60 * S, 0.0, 1000.0));
        let ticks = simulate(fleet(workers, vec![work]), &[drain(60 * S, 61 * S)]);
        assert_eq!(sum(&ticks, |s| s.begun), 30_000);
        assert_eq!(sum(&ticks, |s| s.finished), 30_000);
        for (second, tick) in (0u64..60).zip(&ticks) {
            let expected = (1000 * (2 * second + 1)) / 120;
            let due = tick.scenarios[0].due;
            assert!(due.abs_diff(expected) <= 1, "{due} for {expected}");
        }
    }
}

#[test]
fn a_stall_of_a_parallel_server_shows_in_the_response_times_of_all_that_were_due_in_it() {
    let stalled = Fake {
        // A tick ends just before the stall does, at the peak.
        stall: (S + 10 * MS, 3 * S + 10 * MS),
        ..Fake::taking(0)
    };
    let work = scenario(stalled, open(5000), level(10 * S, 1000.0));
    let ticks = simulate(fleet(2, vec![work]), &[drain(10 * S, 12 * S)]);
    let (response, _) = latencies(&ticks);
    assert_eq!(response.count(), 10_000);
    near(response.mean() / 1000.0, 200.0, 0.01);
    for (q, ms) in [(0.9, 1000.0), (0.95, 1500.0), (0.99, 1900.0), (1.0, 2000.0)] {
        near(response.quantile(q) as f64 / 1000.0, ms, 0.01);
    }
    let peak = ticks.iter().map(|tick| tick.scenarios[0].in_flight).max();
    assert!(peak.unwrap().abs_diff(1990) <= 2, "{peak:?}");
}

#[test]
fn a_stall_shows_in_response_time_not_in_service_time_when_connections_limit_sending() {
    let stalled = Fake {
        stall: (S, 2 * S),
        lanes: 10,
        ..Fake::taking(MS)
    };
    let work = scenario(stalled, open(100_000), level(10 * S, 1000.0));
    let ticks = simulate(fleet(1, vec![work]), &[drain(10 * S, 12 * S)]);
    let (response, service) = latencies(&ticks);
    assert_eq!(response.count(), service.count());
    // Ten requests were sent into the stall; a thousand felt it.
    assert!((service.share_above(500_000) * 10_000.0).round() <= 10.0);
    assert!((response.share_above(500_000) * 10_000.0).round() >= 500.0);
}

#[test]
fn arrivals_past_max_in_flight_are_dropped_and_counted() {
    // A server of 1,000/s asked 1,200/s for a minute, held at 100 in flight.
    let server = Fake {
        lanes: 1,
        ..Fake::taking(MS)
    };
    let work = scenario(server, open(100), level(60 * S, 1200.0));
    let ticks = simulate(fleet(1, vec![work]), &[drain(60 * S, 61 * S)]);
    let dropped = sum(&ticks, |s| s.dropped);
    near(dropped as f64, 11_900.0, 0.01);
    assert_eq!(sum(&ticks, |s| s.begun) + dropped, 72_000);
    assert_eq!(sum(&ticks, |s| s.due), 72_000);
    near(latencies(&ticks).0.quantile(0.9) as f64, 100_000.0, 0.01);
    assert!(ticks.iter().all(|tick| tick.scenarios[0].in_flight <= 100));
    assert_eq!(ticks.iter().map(|tick| tick.dropped).sum::<u64>(), dropped);
}

#[test]
fn a_limit_smaller_than_the_number_of_workers_still_lets_arrivals_through() {
    let work = scenario(Fake::taking(MS), open(1), level(10 * S, 100.0));
    let ticks = simulate(fleet(4, vec![work]), &[drain(10 * S, 11 * S)]);
    assert_eq!(sum(&ticks, |s| s.finished), 1000);
}

#[test]
fn queueing_theory_holds_for_the_arrivals_as_sent() {
    // M/D/1 at 80 %: mean response 3 ms; D/D/1 waits for nothing.
    let server = Fake {
        lanes: 1,
        ..Fake::taking(MS)
    };
    for (arrivals, mean) in [(Even, 1.0), (Poisson, 3.0)] {
        let traffic = Traffic::Open {
            arrivals,
            max_in_flight: 10_000,
        };
        let work = scenario(server, traffic, level(300 * S, 800.0));
        let ticks = simulate(fleet(1, vec![work]), &[drain(300 * S, 310 * S)]);
        near(latencies(&ticks).0.mean() / 1000.0, mean, 0.05);
    }
}

#[test]
fn a_thousand_users_with_a_second_of_thought_make_952_requests_a_second() {
    let user = Fake {
        think: S,
        ..Fake::taking(50 * MS)
    };
    let work = scenario(user, closed(None), ramp(0, 10 * S, 0.0, 1000.0));
    let steady = (10 * S, set(0, 10 * S, Curve::constant(1000.0)));
    let ticks = simulate(fleet(2, vec![work]), &[steady, drain(60 * S, 61 * S)]);
    let finished: u64 = ticks[20..60].iter().map(|t| t.scenarios[0].finished).sum();
    near(finished as f64 / 40.0, 952.4, 0.005);
    assert_eq!(ticks[30].scenarios[0].users, 1000);
    let (response, service) = latencies(&ticks);
    assert_eq!(response, service);
}

#[test]
fn users_join_and_leave_one_by_one_along_a_ramp() {
    let user = Fake {
        think: 10 * S,
        ..Fake::taking(MS)
    };
    let curve = Curve::new([
        Piece {
            from: 0,
            to: 10 * S,
            start: 0.0,
            end: 100.0,
        },
        Piece {
            from: 10 * S,
            to: 20 * S,
            start: 100.0,
            end: 0.0,
        },
    ]);
    let work = scenario(user, closed(None), curve);
    let ticks = simulate(fleet(3, vec![work]), &[drain(21 * S, 22 * S)]);
    for second in 0..10u64 {
        let up = ticks[second as usize].scenarios[0].users;
        let down = ticks[second as usize + 10].scenarios[0].users;
        assert!(up.abs_diff(10 * (second + 1)) <= 1, "{up} at {second}");
        assert!(
            down.abs_diff(100 - 10 * (second + 1)) <= 1,
            "{down} at {second}"
        );
    }
    assert_eq!(sum(&ticks, |s| s.begun), sum(&ticks, |s| s.finished));
}

#[test]
fn iterations_are_exact_over_all_workers_and_end_the_scenario() {
    for workers in [1, 2, 5] {
        let work = scenario(
            Fake::taking(3 * MS),
            closed(Some(1003)),
            Curve::constant(7.0),
        );
        let ticks = simulate(fleet(workers, vec![work]), &[drain(60 * S, 61 * S)]);
        assert_eq!(sum(&ticks, |s| s.finished), 1003);
        assert_eq!(ticks[30].scenarios[0].state, ScenarioState::Done);
        assert_eq!(ticks[30].scenarios[0].users, 0);
    }
}

#[test]
fn users_whose_requests_cannot_leave_do_not_spin() {
    let refused = Fake {
        unsendable: true,
        ..Fake::taking(0)
    };
    let work = scenario(refused, closed(None), Curve::constant(10.0));
    let ticks = simulate(fleet(1, vec![work]), &[drain(10 * S, 11 * S)]);
    let failed: u64 = ticks
        .iter()
        .flat_map(|t| &t.steps)
        .map(StepTick::failed)
        .sum();
    assert!((900..=1010).contains(&failed), "{failed}");
    let samples: usize = ticks.iter().map(|tick| tick.samples.len()).sum();
    assert_eq!(samples, 1);
}

#[test]
fn what_is_in_flight_at_the_bound_counts_with_the_latency_it_had_reached() {
    let hung = Fake {
        stall: (0, FOREVER),
        lanes: 3,
        ..Fake::taking(0)
    };
    let work = scenario(hung, open(1000), level(S, 10.0));
    let ticks = simulate(fleet(1, vec![work]), &[drain(S, 5 * S)]);
    let (response, service) = latencies(&ticks);
    // Ten were due, at 50, 150, … 950 ms; three found a connection.
    assert_eq!((response.count(), service.count()), (10, 3));
    assert!(
        (4_045_000..=4_055_000).contains(&response.min()),
        "{}",
        response.min()
    );
    assert!(
        (4_945_000..=4_955_000).contains(&response.max()),
        "{}",
        response.max()
    );
    let last = ticks.last().unwrap();
    assert_eq!(last.steps[0].errors[&ErrorKind::Unfinished], 10);
    assert_eq!(last.scenarios[0].in_flight, 0);
    assert_eq!(sum(&ticks, |s| s.finished), 0);
}

#[test]
fn a_drain_ends_as_soon_as_nothing_is_in_flight() {
    let work = || {
        vec![
            scenario(Fake::taking(300 * MS), open(1000), level(FOREVER, 100.0)),
            scenario(Fake::taking(500 * MS), closed(None), Curve::constant(5.0)),
        ]
    };
    let ticks = simulate(fleet(2, work()), &[drain(3 * S, 60 * S)]);
    assert_eq!(ticks.len(), 4);
    assert_eq!(sum(&ticks, |s| s.finished), 300);
    assert_eq!(sum(&ticks, |s| s.begun), 300);
}

fn set(scenario: usize, at: Nanos, curve: Curve) -> Command {
    Command::SetCurve {
        scenario,
        at,
        curve: Arc::new(curve),
    }
}

#[test]
fn a_scenario_that_is_stopped_owes_nothing_when_it_starts_again() {
    let work = scenario(Fake::taking(MS), open(1000), Curve::constant(100.0));
    let script = [
        (
            5 * S - 10 * MS,
            Command::Stop {
                scenario: 0,
                at: 5 * S,
            },
        ),
        (
            15 * S - 10 * MS,
            Command::Start {
                scenario: 0,
                at: 15 * S,
            },
        ),
        drain(20 * S, 21 * S),
    ];
    let ticks = simulate(fleet(2, vec![work]), &script);
    let begun: Vec<_> = ticks.iter().map(|t| t.scenarios[0].begun).collect();
    assert_eq!(begun[..5], [100; 5]);
    assert_eq!(begun[5..15], [0; 10]);
    assert!(
        begun[15..20].iter().all(|b| b.abs_diff(100) <= 1),
        "{begun:?}"
    );
    assert_eq!(sum(&ticks, |s| s.dropped), 0);
    let state = |tick: usize| ticks[tick].scenarios[0].state;
    assert_eq!(state(9), ScenarioState::Stopped);
    assert_eq!(state(16), ScenarioState::Running);
}

#[test]
fn users_of_a_stopped_scenario_leave_and_come_back() {
    let user = Fake {
        think: 100 * MS,
        ..Fake::taking(10 * MS)
    };
    let work = scenario(user, closed(None), Curve::constant(9.0));
    let script = [
        (
            5 * S,
            Command::Stop {
                scenario: 0,
                at: 5 * S,
            },
        ),
        (
            8 * S,
            Command::Start {
                scenario: 0,
                at: 8 * S,
            },
        ),
        drain(12 * S, 13 * S),
    ];
    let ticks = simulate(fleet(2, vec![work]), &script);
    let users = |tick: usize| ticks[tick].scenarios[0].users;
    assert_eq!((users(3), users(6), users(10)), (9, 0, 9));
    assert_eq!(sum(&ticks, |s| s.begun), sum(&ticks, |s| s.finished));
}

#[test]
fn a_live_change_of_rate_takes_effect_at_its_moment() {
    let work = scenario(Fake::taking(MS), open(1000), Curve::constant(10.0));
    let script = [
        (5 * S - 10 * MS, set(0, 5 * S, Curve::constant(1000.0))),
        drain(10 * S, 11 * S),
    ];
    let ticks = simulate(fleet(2, vec![work]), &script);
    let due: Vec<_> = ticks.iter().map(|t| t.scenarios[0].due).collect();
    assert_eq!(
        due[..10],
        [10, 10, 10, 10, 10, 1000, 1000, 1000, 1000, 1000]
    );
}

#[test]
fn what_is_asked_from_a_boundary_on_belongs_to_the_interval_after_it() {
    let curve = || {
        Curve::new([
            Piece::level(0, 2 * S, 10.0),
            Piece::level(2 * S, 4 * S, 30.0),
        ])
    };
    let work = vec![
        scenario(Fake::taking(MS), open(100), curve()),
        scenario(Fake::taking(MS), closed(None), curve()),
    ];
    let ticks = simulate(fleet(2, work), &[drain(4 * S, 5 * S)]);
    for scenario in 0..2 {
        let asked = ticks.iter().map(|tick| tick.scenarios[scenario].asked);
        assert_eq!(asked.take(4).collect::<Vec<_>>(), [10.0, 10.0, 30.0, 30.0]);
    }
}

#[test]
fn real_workers_run_report_and_end() {
    let clock = Clock::start();
    let spec = FleetSpec {
        tick: Duration::from_millis(50),
        ..fleet(
            2,
            vec![
                scenario(Fake::taking(MS), open(1000), Curve::constant(200.0)),
                scenario(Fake::taking(MS), closed(Some(20)), Curve::constant(2.0)),
            ],
        )
    };
    let mut fleet = Fleet::start(spec, clock).unwrap();
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let ticks = runtime.block_on(async {
        let mut ticks = Vec::new();
        while let Some(tick) = fleet.tick().await {
            if tick.n == 6 {
                fleet.send(&Command::Drain { until: FOREVER });
            }
            ticks.push(tick);
        }
        ticks
    });
    assert!(fleet.join().is_empty());
    let all = |scenario: usize, count: fn(&crate::session::record::ScenarioTick) -> u64| {
        ticks
            .iter()
            .map(|tick| count(&tick.scenarios[scenario]))
            .sum::<u64>()
    };
    assert_eq!(all(0, |s| s.begun), all(0, |s| s.finished));
    assert!(all(0, |s| s.begun) > 0);
    assert_eq!(all(1, |s| s.finished), 20);
    let requests: u64 = ticks
        .iter()
        .flat_map(|t| &t.steps)
        .map(|s| s.requests)
        .sum();
    assert_eq!(requests, all(0, |s| s.finished) + all(1, |s| s.finished));
    let late: u64 = ticks.iter().map(|tick| tick.late.count()).sum();
    assert_eq!(late, all(0, |s| s.begun));
}

/// Not a check but a measurement: `cargo test --release --lib pacing_accuracy -- --ignored --nocapture`.
#[test]
#[ignore = "measures this machine"]
fn pacing_accuracy_at_10_000_a_second_on_one_worker() {
    let clock = Clock::starting_at(std::time::Instant::now() + Duration::from_millis(200));
    let work = scenario(Fake::taking(MS), open(100_000), Curve::constant(10_000.0));
    let mut fleet = Fleet::start(fleet(1, vec![work]), clock).unwrap();
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut late = crate::session::Hist::new();
        let (mut begun, mut lag, mut cpu) = (0, 0, 0.0f64);
        for _ in 0..10 {
            let tick = fleet.tick().await.unwrap();
            late.merge(&tick.late);
            begun += tick.begun;
            lag = lag.max(tick.lag_us);
            cpu = cpu.max(tick.worker_cpu);
        }
        let at = |q| late.quantile(q);
        println!(
            "arrivals {begun}, late µs: p50 {} p90 {} p99 {} p99.9 {} max {}; lag {lag} µs, worker cpu {cpu:.2}",
            at(0.5), at(0.9), at(0.99), at(0.999), late.max()
        );
    });
}

#[test]
fn a_cpu_that_does_not_exist_is_an_error_that_names_it() {
    let spec = FleetSpec {
        cpus: vec![1_000_000],
        ..fleet(1, Vec::new())
    };
    let error = Fleet::start(spec, Clock::start()).unwrap_err();
    assert!(error.to_string().contains("1000000"), "{error}");
}

#[test]
fn nothing_begins_before_the_clock_does() {
    let clock = Clock::starting_at(std::time::Instant::now() + Duration::from_hours(1));
    let work = vec![
        scenario(Fake::taking(0), closed(Some(50)), Curve::constant(5.0)),
        scenario(Fake::taking(0), open(1000), Curve::constant(1000.0)),
    ];
    let mut fleet = Fleet::start(fleet(2, work), clock).unwrap();
    // What must not happen gives no event to wait for.
    thread::sleep(Duration::from_millis(20));
    fleet.send(&Command::Drain { until: 0 });
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let tick = runtime.block_on(fleet.tick()).unwrap();
    let begun: Vec<_> = tick.scenarios.iter().map(|s| s.begun).collect();
    assert!(tick.last);
    assert_eq!(begun, [0, 0]);
}

#[test]
fn a_fleet_that_is_dropped_stops() {
    let work = scenario(Fake::taking(3600 * S), open(1000), Curve::constant(1000.0));
    let mut fleet = Fleet::start(fleet(2, vec![work]), Clock::start()).unwrap();
    assert!(fleet.join().is_empty());
}

#[test]
fn a_worker_that_panics_is_named_once_and_the_others_go_on() {
    let broken = Fake {
        panics: true,
        ..Fake::taking(MS)
    };
    // With one arrival at a time in flight, one worker has all of a scenario.
    let work = vec![
        scenario(broken, open(1), Curve::constant(10.0)),
        scenario(Fake::taking(MS), open(1), Curve::constant(10.0)),
    ];
    let spec = FleetSpec {
        tick: Duration::from_millis(20),
        ..fleet(2, work)
    };
    let mut fleet = Fleet::start(spec, Clock::start()).unwrap();
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut dead = Vec::new();
        while dead.is_empty() {
            assert!(!fleet.tick().await.unwrap().last);
            dead = fleet.newly_dead();
        }
        assert_eq!(dead, [0]);
        assert!(fleet.tick().await.unwrap().missing.contains(&0));
        fleet.send(&Command::Drain { until: FOREVER });
        while let Some(tick) = fleet.tick().await {
            drop(tick);
        }
    });
    assert!(fleet.join().is_empty(), "named before");
}

#[test]
fn shares_of_what_workers_may_hold_add_up() {
    let shares: Vec<_> = (0..3)
        .map(|index| Part { index, of: 3 }.share(100))
        .collect();
    assert_eq!(shares, [34, 33, 33]);
}
