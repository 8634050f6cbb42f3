//! Real bodies, read by another parser that is right about bodies like these.

use std::collections::BTreeMap;

use prometheus_parse::{Scrape, Value};
use stormdeck::scrape::Labels;
use stormdeck::scrape::exposition::cache::{Cache, Scraped};
use stormdeck::scrape::exposition::{Entry, Format, labels, parse, printed};
use stormdeck::scrape::labels::NAME;

const BODIES: [(&str, &str); 3] = [
    ("node_exporter", include_str!("bodies/node_exporter.txt")),
    ("prometheus", include_str!("bodies/prometheus.txt")),
    ("alertmanager", include_str!("bodies/alertmanager.txt")),
];

/// Values by series, as the other parser has them.
fn theirs(body: &str) -> BTreeMap<String, f64> {
    let lines = body.lines().map(|line| Ok(line.to_owned()));
    let mut all = BTreeMap::new();
    for sample in Scrape::parse(lines).unwrap().samples {
        let series = |name: &str, more: Option<(&str, String)>| {
            let own = sample
                .labels
                .iter()
                .map(|(name, value)| (name.clone(), value.clone()));
            let more = more.map(|(name, value)| (name.to_owned(), value));
            let name = (NAME.to_owned(), name.to_owned());
            Labels::new(own.chain(more).chain([name])).to_string()
        };
        match &sample.value {
            Value::Counter(value) | Value::Gauge(value) | Value::Untyped(value) => {
                all.insert(series(&sample.metric, None), *value);
            }
            Value::Histogram(buckets) => {
                let name = format!("{}_bucket", sample.metric.trim_end_matches("_bucket"));
                for bucket in buckets {
                    let le = ("le", printed(bucket.less_than));
                    all.insert(series(&name, Some(le)), bucket.count);
                }
            }
            Value::Summary(quantiles) => {
                for quantile in quantiles {
                    let label = ("quantile", printed(quantile.quantile));
                    all.insert(series(&sample.metric, Some(label)), quantile.count);
                }
            }
        }
    }
    all
}

/// Bounds as this crate prints them, since the other parser gives numbers.
fn plain(series: &Labels) -> String {
    let pairs = series.iter().map(|(name, value)| match name {
        "le" | "quantile" => (name.to_owned(), printed(value.parse().unwrap())),
        name => (name.to_owned(), value.to_owned()),
    });
    Labels::new(pairs).to_string()
}

#[test]
fn real_bodies_are_read_as_another_parser_reads_them() {
    for (name, body) in BODIES {
        let mut ours = BTreeMap::new();
        for entry in parse(body.as_bytes(), Format::Text) {
            match entry {
                Entry::Sample(it) => {
                    ours.insert(plain(&labels(it.series)), it.value);
                }
                Entry::Meta(_) => {}
                Entry::Bad(bad) => panic!("{name}: {bad}"),
            }
        }
        let theirs = theirs(body);
        assert!(theirs.len() > 200, "{name}: {}", theirs.len());
        for (series, value) in &theirs {
            let ours = ours.get(series).copied();
            let same = ours.is_some_and(|ours| {
                ours.to_bits() == value.to_bits() || ours.is_nan() && value.is_nan()
            });
            assert!(same, "{name}: {series} is {value}, not {ours:?}");
        }
        // It does not give all: a name that a type was not given for is lost there in part.
        assert!(ours.len() >= theirs.len(), "{name}");
    }
}

#[test]
fn a_real_body_that_is_scraped_again_asks_for_nothing() {
    for (_, body) in BODIES {
        let (mut cache, mut out, mut asked) = (Cache::new(), Scraped::default(), 0);
        let mut points = Vec::new();
        for round in 0..3 {
            cache.scrape(body.as_bytes(), Format::Text, round, &mut out, |_| {
                asked += 1;
                Some(asked)
            });
            assert_eq!((out.bad_lines, out.vanished.len()), (0, 0));
            assert_eq!(out.points.len(), asked as usize);
            let first = points.is_empty();
            let now: Vec<_> = out
                .points
                .iter()
                .map(|it| (it.id, it.value.to_bits()))
                .collect();
            assert!(first || points == now);
            points = now;
        }
    }
}
