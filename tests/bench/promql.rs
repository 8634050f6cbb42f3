//! What gauges cost: `cargo bench --bench promql`.
//!
//! A store of 10,000 series from 100 targets, scraped every second for five minutes, and 50 expressions as gauges have them:
//! rates by label, ratios, quantiles of histograms, the largest few. Together they read every series at least once a tick.
//! Prints the CPU time of a tick (all 50 expressions), of a scrape's samples into the store, and of the first tick, which
//! selects. Times are CPU time of the measuring thread, which other load on the machine disturbs least.

#![allow(clippy::expect_used)]

use std::hint::black_box;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use stormdeck::engine::process::resident_bytes;
use stormdeck::scrape::promql::{Query, Value};
use stormdeck::scrape::store::SeriesId;
use stormdeck::scrape::{Labels, Store};

const TARGETS: usize = 100;
const TICKS: i64 = 300;
/// The clock of the first sample, in milliseconds.
const START: i64 = 1_700_000_000_000;

fn main() {
    // Cargo runs benches without this argument in `cargo test`; there is nothing to test here.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let before = resident_bytes();
    let mut store = Store::new(2 * 60_000);
    let series = series(&mut store);
    let queries: Vec<Query> = expressions()
        .iter()
        .map(|text| Query::parse(text).unwrap_or_else(|refused| panic!("{text}: {refused}")))
        .collect();
    let mut appends = Vec::new();
    for n in 0..TICKS {
        let begun = cpu();
        tick(&mut store, &series, n);
        appends.push(cpu().saturating_sub(begun));
    }
    let read: usize = queries
        .iter()
        .flat_map(Query::selectors)
        .map(|selector| {
            store
                .series()
                .filter(|(_, labels)| selector.matches(labels))
                .count()
        })
        .sum();
    println!(
        "{} expressions over {} series, of which they read {read}; in brackets: what it may cost",
        queries.len(),
        store.len()
    );
    let first = evaluate(&queries, &store, TICKS - 1).0;
    let mut costs = Vec::new();
    let mut values = 0;
    for n in TICKS..2 * TICKS {
        tick(&mut store, &series, n);
        let (cost, count) = evaluate(&queries, &store, n);
        costs.push(cost);
        values = count;
    }
    println!(
        "a tick          {:8.2} ms median, {:.2} ms p99, {values} values  [10 ms]",
        ms(quantile(&mut costs, 50)),
        ms(quantile(&mut costs, 99)),
    );
    println!("the first one   {:8.2} ms", ms(first));
    println!(
        "append          {:8.2} ms for each scrape of all, {:.0} ns a sample",
        ms(quantile(&mut appends, 50)),
        ms(quantile(&mut appends, 50)) * 1e6 / series.len() as f64
    );
    println!(
        "memory          {:8.1} MB for 120 samples of each series",
        (resident_bytes() - before) as f64 / 1e6
    );
    let mut each: Vec<(Duration, &str)> = queries
        .iter()
        .map(|query| {
            let mut costs: Vec<Duration> = (0..20)
                .map(|_| evaluate(std::slice::from_ref(query), &store, 2 * TICKS - 1).0)
                .collect();
            (quantile(&mut costs, 50), query.text())
        })
        .collect();
    each.sort_unstable();
    for (cost, text) in each.iter().rev().take(5) {
        println!("  {:8.3} ms  {text}", ms(*cost));
    }
}

/// 100 series of each target.
fn series(store: &mut Store) -> Vec<SeriesId> {
    let mut ids = Vec::new();
    for target in 0..TARGETS {
        let instance = format!("10.0.{}.{}:9100", target / 256, target % 256);
        let job = ["api", "web", "worker", "cache"][target % 4];
        let mut add = |name: &str, labels: &[(&str, &str)]| {
            let own = [("__name__", name), ("instance", &instance), ("job", job)];
            let labels = labels.iter().copied().chain(own);
            ids.push(store.id(&Labels::new(labels)));
        };
        for cpu in ["0", "1"] {
            for mode in [
                "idle", "user", "system", "iowait", "irq", "nice", "softirq", "steal",
            ] {
                add("node_cpu_seconds_total", &[("cpu", cpu), ("mode", mode)]);
            }
        }
        for handler in ["/", "/search", "/orders/{id}", "/login"] {
            for code in ["200", "404", "500"] {
                add(
                    "http_requests_total",
                    &[("handler", handler), ("code", code)],
                );
            }
            for le in [
                "0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10",
                "+Inf",
            ] {
                add(
                    "http_request_duration_seconds_bucket",
                    &[("handler", handler), ("le", le)],
                );
            }
        }
        for number in 0..24 {
            add(&format!("process_gauge_{number}"), &[]);
        }
    }
    ids
}

fn tick(store: &mut Store, series: &[SeriesId], n: i64) {
    for (number, id) in series.iter().enumerate() {
        let value = n as f64 * (1 + number % 7) as f64;
        store.append(*id, START + n * 1000, value);
    }
}

fn expressions() -> Vec<String> {
    let mut texts: Vec<String> = [
        "100 - avg by (instance) (rate(node_cpu_seconds_total{mode=\"idle\"}[1m])) * 100",
        "sum by (mode) (rate(node_cpu_seconds_total[1m]))",
        "max(sum without (mode, cpu) (rate(node_cpu_seconds_total{mode!=\"idle\"}[1m])))",
        "sum(rate(http_requests_total[1m]))",
        "sum by (job) (rate(http_requests_total[1m]))",
        "sum by (handler) (rate(http_requests_total{code=~\"5..\"}[1m]))",
        "sum(rate(http_requests_total{code=~\"5..\"}[1m])) / sum(rate(http_requests_total[1m]))",
        "topk(5, sum by (instance) (rate(http_requests_total[1m])))",
        "histogram_quantile(0.99, sum by (le) (rate(http_request_duration_seconds_bucket[1m])))",
        "histogram_quantile(0.9, sum by (le, handler) (rate(http_request_duration_seconds_bucket[1m])))",
    ]
    .iter()
    .map(|text| (*text).to_owned())
    .collect();
    for number in 0..24 {
        texts.push(format!("max by (job) (process_gauge_{number})"));
    }
    for number in 0..8 {
        texts.push(format!(
            "deriv(process_gauge_{number}{{job=\"api\"}}[2m]) > 0"
        ));
    }
    for number in 0..8 {
        let next = number + 8;
        texts.push(format!(
            "process_gauge_{number} / process_gauge_{next} * 100"
        ));
    }
    texts
}

fn evaluate(queries: &[Query], store: &Store, n: i64) -> (Duration, usize) {
    let begun = cpu();
    let mut values = 0;
    for query in queries {
        let value = query.eval(store, START + n * 1000).expect("a value");
        values += match black_box(value) {
            Value::Scalar(_) => 1,
            Value::Vector(rows) => rows.len(),
        };
    }
    (cpu().saturating_sub(begun), values)
}

fn quantile(costs: &mut [Duration], percent: usize) -> Duration {
    costs.sort_unstable();
    costs[(costs.len() - 1) * percent / 100]
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
