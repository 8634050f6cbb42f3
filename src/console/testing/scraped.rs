//! What is scraped in the window of the tests: a shop, its workers, of which one dies in the spike, a database whose
//! replicas lag, and the alerts of all that.

use super::SECOND;
use crate::session::record::{
    Alert, AlertState, Happening, Instance, Number, ScrapeTick, TargetPlan,
};

use super::BEGAN;

/// Gauges of one series each, which come first.
const PLAIN: usize = 4;
/// Workers; the third of them dies.
const WORKERS: usize = 9;
const DIES: usize = 2;
/// When it does, s, and when it is back.
const DEAD: std::ops::Range<u64> = 631..760;
/// Series of each endpoint.
const OWN: usize = 7;

/// Target and endpoint, in the order of the instances.
fn endpoints() -> Vec<(&'static str, String)> {
    let workers = (1..=WORKERS).map(|n| ("workers", format!("10.0.0.{n}:9100")));
    let mut endpoints = vec![("shop", "127.0.0.1:8080".to_owned())];
    endpoints.extend(workers);
    endpoints
}

pub(super) fn instances() -> Vec<Instance> {
    let asked = ["prom", "pager"].map(|target| (target, "127.0.0.1:9090".to_owned()));
    let all = endpoints().into_iter().chain(asked);
    all.map(|(target, instance)| Instance {
        target: target.to_owned(),
        instance,
    })
    .collect()
}

pub(super) fn targets() -> Vec<TargetPlan> {
    let target = |name: &str, kind: &str, url: &str| TargetPlan {
        name: name.into(),
        kind: kind.into(),
        url: url.into(),
        every_us: SECOND,
    };
    vec![
        target("shop", "scrape", "http://127.0.0.1:8080/metrics"),
        target(
            "workers",
            "scrape",
            "http://10.0.0.1:9100/metrics and 8 more",
        ),
        target("prom", "prometheus", "http://127.0.0.1:9090"),
        target("pager", "alertmanager", "http://127.0.0.1:9093"),
    ]
}

/// Names of series: plain gauges, a gauge of all workers, one of one labelled series, then each endpoint's own.
pub(super) fn series() -> Vec<String> {
    let plain = super::gauges().into_iter().take(PLAIN);
    let mut series: Vec<String> = plain.map(|gauge| gauge.name).collect();
    for (job, instance) in endpoints().into_iter().skip(1) {
        series.push(format!(
            r#"worker cpu{{instance="{instance}",job="{job}"}}"#
        ));
    }
    series.push(r#"replica lag{instance="db-2:5432",job="db"}"#.into());
    for (job, instance) in endpoints() {
        let labels = format!(r#"{{instance="{instance}",job="{job}"}}"#);
        for metric in [
            "up",
            "scrape_duration_seconds",
            "scrape_samples_scraped",
            "scrape_bad_lines",
            "scrape_intervals_missed_total",
            "process_resident_memory_bytes",
            "process_cpu_seconds_total",
        ] {
            series.push(format!("{metric}{labels}"));
        }
    }
    series
}

/// Where each series was scraped.
pub(super) fn scraped() -> Vec<Option<usize>> {
    let gauges = vec![None; PLAIN + WORKERS + 1];
    let own = (0..=WORKERS).flat_map(|endpoint| [Some(endpoint); OWN]);
    gauges.into_iter().chain(own).collect()
}

/// Values of the gauges that have labels.
pub(super) fn gauges(n: u64, load: f64) -> Vec<(usize, Option<Number>)> {
    let mut values: Vec<_> = (0..WORKERS)
        .map(|worker| {
            let busy = (0.06 * load + 0.03 * worker as f64 + 0.001 * (n % 7) as f64).min(0.97);
            let alive = worker != DIES || !DEAD.contains(&n);
            (PLAIN + worker, alive.then_some(Number(busy)))
        })
        .collect();
    values.push((PLAIN + WORKERS, Some(Number(0.02 * load + 0.001))));
    values
}

pub(super) fn scrapes(n: u64, load: f64) -> Vec<ScrapeTick> {
    let scrapes = (0..=WORKERS).map(|endpoint| {
        let first = PLAIN + WORKERS + 1 + endpoint * OWN;
        let dead = endpoint == DIES + 1 && DEAD.contains(&n);
        let own = [
            f64::from(u8::from(!dead)),
            if dead {
                0.000_4
            } else {
                0.003 + 0.000_2 * endpoint as f64
            },
            if dead { 0.0 } else { 412.0 },
            f64::from(u8::from(endpoint == 0)) * 2.0,
            if n > 640 && endpoint == 4 { 3.0 } else { 0.0 },
        ];
        let process = [6.4e7 + 1e4 * n as f64, 0.2 * load * n as f64];
        let process = process.map(|value| (!dead).then_some(Number(value)));
        let own = own.into_iter().map(|value| Some(Number(value)));
        ScrapeTick {
            of: endpoint,
            at: n * SECOND - 300_000,
            series: (first..).zip(own.chain(process)).collect(),
            stamped: Vec::new(),
        }
    });
    scrapes.collect()
}

/// What the targets and their alerts did.
pub(super) fn happenings() -> Vec<(u64, Option<&'static str>, Happening)> {
    let count = instances().len();
    let up = (0..count).map(|instance| (1, target(instance, "")));
    let dies = DIES + 1;
    let happened = up.chain([
        (
            31,
            alert("DiskFull", "10.0.0.7:9100", AlertState::Silenced, 20),
        ),
        (
            621,
            alert("DatabaseSlow", "db-1:5432", AlertState::Pending, 620),
        ),
        (631, target(dies, "connection refused")),
        (
            636,
            alert("DatabaseSlow", "db-1:5432", AlertState::Firing, 635),
        ),
        (
            640,
            alert("WorkersDown", "10.0.0.3:9100", AlertState::Firing, 639),
        ),
        (
            655,
            alert("QueueLong", "127.0.0.1:8080", AlertState::Pending, 654),
        ),
        (
            735,
            alert("DatabaseSlow", "db-1:5432", AlertState::Resolved, 734),
        ),
        (760, target(dies, "")),
    ]);
    happened
        .map(|(second, what)| (second, None, what))
        .collect()
}

fn target(instance: usize, why: &str) -> Happening {
    Happening::Target {
        instance,
        up: why.is_empty(),
        text: why.into(),
    }
}

fn alert(name: &str, instance: &str, state: AlertState, since: u64) -> Happening {
    Happening::Alert(Box::new(Alert {
        name: name.into(),
        labels: format!(r#"{{instance="{instance}",severity="page"}}"#),
        from: "pager".into(),
        state,
        since: Some(BEGAN + since * SECOND),
    }))
}
