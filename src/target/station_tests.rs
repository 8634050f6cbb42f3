//! The station against a simulation step by step, against queueing theory, and under stalls, all in virtual time.

use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::super::distribution::{Distribution, Sampler};
use super::super::work::{Pattern, WorkClock};
use super::*;

const SECOND: u64 = 1_000_000_000;

/// Plays servers and a queue one moment at a time; departures in the order of arrivals, `None` for those turned away.
fn simulate(servers: usize, queue: usize, arrivals: &[(u64, u64)]) -> Vec<Option<u64>> {
    let mut left = vec![None; arrivals.len()];
    let mut serving: Vec<(u64, usize)> = Vec::new();
    let mut waiting: VecDeque<usize> = VecDeque::new();
    let mut next = 0;
    let mut now = 0;
    while next < arrivals.len() || !serving.is_empty() || !waiting.is_empty() {
        serving.retain(|(end, who)| {
            if *end <= now {
                left[*who] = Some(*end);
            }
            *end > now
        });
        while serving.len() < servers {
            let Some(who) = waiting.pop_front() else {
                break;
            };
            serving.push((now + arrivals[who].1, who));
        }
        if serving.iter().any(|(end, _)| *end <= now) {
            continue;
        }
        while next < arrivals.len() && arrivals[next].0 == now {
            if waiting.is_empty() && serving.len() < servers {
                if arrivals[next].1 == 0 {
                    left[next] = Some(now);
                } else {
                    serving.push((now + arrivals[next].1, next));
                }
            } else if waiting.len() < queue {
                waiting.push_back(next);
            }
            next += 1;
        }
        now += 1;
    }
    left
}

proptest! {
    #[test]
    fn the_recursion_equals_a_simulation_moment_by_moment(
        servers in 1..5_usize,
        queue in 0..6_usize,
        steps in prop::collection::vec((0..4_u64, 0..12_u64), 1..120),
    ) {
        let mut at = 0;
        let arrivals: Vec<(u64, u64)> = steps.iter().map(|(gap, service)| { at += gap; (at, *service) }).collect();
        let mut station = Station::new(servers, queue);
        let computed: Vec<Option<u64>> =
            arrivals.iter().map(|(at, service)| station.arrive(*at, *service).ok()).collect();
        prop_assert_eq!(computed, simulate(servers, queue, &arrivals));
    }

    #[test]
    fn never_more_wait_or_are_served_than_allowed(
        servers in 1..5_usize,
        queue in 0..6_usize,
        steps in prop::collection::vec((0..4_u64, 0..12_u64), 1..120),
    ) {
        let mut station = Station::new(servers, queue);
        let mut now = 0;
        for (gap, service) in steps {
            now += gap;
            let _ = station.arrive(now, service);
            prop_assert!(station.waiting(now) <= queue);
            prop_assert!(station.busy(now) <= servers);
        }
    }
}

/// Mean response in ms of a million arrivals at one server, and the sorted responses in ns.
fn responses(between: &str, service: &str) -> (f64, Vec<u64>) {
    let sampler = |text: &str| -> Sampler { text.parse::<Distribution>().unwrap().sampler() };
    let (between, service) = (sampler(between), sampler(service));
    let mut random = StdRng::seed_from_u64(20);
    let mut station = Station::new(1, usize::MAX);
    let mut now = 0;
    let mut taken: Vec<u64> = (0..1_000_000)
        .map(|_| {
            now += between.draw(&mut random);
            let service = service.draw(&mut random);
            station.arrive(now, service).unwrap() - now
        })
        .collect();
    taken.sort_unstable();
    let mean = taken.iter().sum::<u64>() as f64 / taken.len() as f64 / 1e6;
    (mean, taken)
}

fn quantile(sorted: &[u64], q: f64) -> f64 {
    sorted[((sorted.len() as f64 * q) as usize).min(sorted.len() - 1)] as f64 / 1e6
}

fn assert_within(share: f64, got: f64, want: f64) {
    assert!((got / want - 1.0).abs() < share, "got {got}, want {want}");
}

#[test]
fn poisson_arrivals_at_an_exponential_server_take_what_m_m_1_says() {
    let (mean, sorted) = responses("exp:1250us", "exp:1ms");
    assert_within(0.02, mean, 5.0);
    assert_within(0.02, quantile(&sorted, 0.5), 3.466);
    assert_within(0.03, quantile(&sorted, 0.95), 14.979);
    assert_within(0.03, quantile(&sorted, 0.99), 23.026);
}

#[test]
fn even_arrivals_at_an_exponential_server_take_what_d_m_1_says() {
    // sigma solves sigma = exp(-(1 - sigma) / rho); the response is exponential with mean 1 / (mu (1 - sigma)).
    let mut sigma = 0.5_f64;
    for _ in 0..200 {
        sigma = (-(1.0 - sigma) / 0.8).exp();
    }
    let (mean, sorted) = responses("fixed:1250us", "exp:1ms");
    assert_within(0.02, mean, 1.0 / (1.0 - sigma));
    assert_within(
        0.03,
        quantile(&sorted, 0.99),
        100.0_f64.ln() / (1.0 - sigma),
    );
}

#[test]
fn poisson_arrivals_at_a_fixed_server_take_what_m_d_1_says() {
    let (mean, _) = responses("exp:1250us", "fixed:1ms");
    assert_within(0.02, mean, 1.0 + 0.8 / (2.0 * (1.0 - 0.8)));
}

#[test]
fn poisson_arrivals_at_several_servers_wait_what_erlang_c_says() {
    // 3 servers, offered load 2.4: Erlang C = 0.6472, mean wait C / (c mu - lambda) = 1.0787 ms.
    let mut random = StdRng::seed_from_u64(3);
    let between = "exp:416667ns".parse::<Distribution>().unwrap().sampler();
    let service = "exp:1ms".parse::<Distribution>().unwrap().sampler();
    let mut station = Station::new(3, usize::MAX);
    let (mut now, mut waits) = (0, 0.0);
    for _ in 0..1_000_000 {
        now += between.draw(&mut random);
        let service = service.draw(&mut random);
        waits += (station.arrive(now, service).unwrap() - now - service) as f64;
    }
    assert_within(0.02, waits / 1e12, 1.0787);
}

/// Sorted responses, ns, of even arrivals a second over so many seconds while the servers follow a pattern.
fn under(
    pattern: Pattern,
    rate: u64,
    seconds: u64,
    mut station: Station,
    service: u64,
) -> Vec<u64> {
    let clock = WorkClock::new(0, pattern);
    let mut taken: Vec<u64> = (0..rate * seconds)
        .map(|count| {
            let now = count * SECOND / rate;
            let due = station.arrive(clock.working(now), service).unwrap();
            clock.real(due).unwrap() - now
        })
        .collect();
    taken.sort_unstable();
    taken
}

const TWO_IN_TEN: Pattern = Pattern::Periodic {
    lead: 0,
    stall: 2 * SECOND,
    every: 10 * SECOND,
};

#[test]
fn a_backlog_drains_at_capacity_after_a_stall() {
    let station = Station::new(1, 10_000);
    let sorted = under(TWO_IN_TEN, 1000, 100, station, SECOND / 2000);
    let late = sorted
        .iter()
        .filter(|taken| **taken > SECOND / 1000)
        .count();
    assert_within(0.01, late as f64 / sorted.len() as f64, 0.4);
    assert_within(0.01, quantile(&sorted, 0.9), 1500.0);
    assert_within(0.01, quantile(&sorted, 0.95), 1750.0);
    assert_within(0.01, quantile(&sorted, 0.99), 1950.0);
}

#[test]
fn without_a_limit_of_servers_a_stall_only_holds_the_answers() {
    let sorted = under(TWO_IN_TEN, 1000, 100, Station::new(0, 0), 0);
    let mean = sorted.iter().sum::<u64>() as f64 / sorted.len() as f64 / 1e6;
    assert_within(0.01, mean, 200.0);
    assert_within(0.01, quantile(&sorted, 0.9), 1000.0);
    assert_within(0.01, quantile(&sorted, 0.99), 1900.0);
    let above = sorted.iter().filter(|taken| **taken > SECOND).count();
    assert_eq!(above, 10_000, "1,000 above 1 s in each of ten cycles");
}

#[test]
fn under_overload_latency_grows_by_a_fifth_of_the_time_passed() {
    let station = Station::new(1, 20_000);
    let sorted = under(Pattern::Running, 1200, 60, station, SECOND / 1000);
    assert_within(0.01, quantile(&sorted, 0.5), 6000.0);
    assert_within(0.01, quantile(&sorted, 0.9), 10_800.0);
    assert_within(0.01, quantile(&sorted, 0.99), 11_880.0);
    assert_within(0.01, quantile(&sorted, 1.0), 12_000.0);
}

#[test]
fn a_full_queue_turns_arrivals_away_until_someone_starts() {
    let mut station = Station::new(1, 2);
    assert_eq!(station.arrive(0, 10), Ok(10));
    assert_eq!(station.arrive(0, 10), Ok(20));
    assert_eq!(station.arrive(0, 10), Ok(30));
    assert_eq!(station.arrive(9, 10), Err(Full));
    assert_eq!(station.arrive(10, 10), Ok(40));
}
