//! `PromQL` as stormdeck evaluates it beside a real Prometheus over the same samples.
//!
//! The samples are real scrapes of `node_exporter` and Prometheus (`scrapes.txt.zst`, with a restart and a gap) and made up
//! ones (`made_up.txt`: resets, gaps, `NaN`, infinities, odd histograms, series that end). They reach Prometheus by remote
//! write, which carries staleness markers too. The expressions are in `table.txt`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test says what it expects by unwrapping"
)]

#[path = "../support/mod.rs"]
mod support;

mod remote_write;
mod series;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::Value as Json;
use stormdeck::scrape::promql::{Query, Value};
use stormdeck::scrape::{Labels, Store};

use series::Recorded;
use support::daemons::{Daemon, encoded};

/// What is compared of an answer: labels and values in their order, or that there is none.
#[derive(Debug)]
enum Answer {
    Scalar(f64),
    Vector(Vec<(Labels, f64)>),
    /// No value at this moment.
    Failed(String),
    /// No expression at all.
    Refused(String),
}

fn file(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/promql")
        .join(name)
}

fn recorded() -> Vec<Recorded> {
    let packed = fs::read(file("scrapes.txt.zst")).unwrap();
    let scrapes = String::from_utf8(zstd::decode_all(&packed[..]).unwrap()).unwrap();
    let made_up = fs::read_to_string(file("made_up.txt")).unwrap();
    let mut recorded = series::read(&scrapes);
    recorded.extend(series::read(&made_up));
    recorded
}

fn prometheus() -> Daemon {
    Daemon::start("prometheus", "/-/ready", |address, dir| {
        fs::write(dir.join("prometheus.yml"), "").unwrap();
        vec![
            format!("--config.file={}", dir.join("prometheus.yml").display()),
            format!("--storage.tsdb.path={}", dir.join("data").display()),
            "--storage.tsdb.retention.time=100y".into(),
            "--web.enable-remote-write-receiver".into(),
            format!("--web.listen-address={address}"),
            "--log.level=warn".into(),
        ]
    })
}

fn theirs(prometheus: &Daemon, expr: &str, at: i64) -> Answer {
    let path = format!(
        "/api/v1/query?query={}&time={}.{:03}",
        encoded(expr),
        at / 1000,
        at % 1000
    );
    let (_, body) = prometheus.get(&path).unwrap();
    let answer: Json = serde_json::from_str(&body).unwrap();
    let number = |value: &Json| -> f64 { value[1].as_str().unwrap().parse().unwrap() };
    if answer["status"] != "success" {
        let error = answer["error"].as_str().unwrap().to_owned();
        return match answer["errorType"].as_str() {
            Some("bad_data") => Answer::Refused(error),
            _ => Answer::Failed(error),
        };
    }
    let result = &answer["data"]["result"];
    match answer["data"]["resultType"].as_str().unwrap() {
        "scalar" => Answer::Scalar(number(result)),
        "vector" => {
            let rows = result.as_array().unwrap().iter().map(|row| {
                let labels = row["metric"].as_object().unwrap().iter();
                let labels =
                    labels.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()));
                (Labels::new(labels), number(&row["value"]))
            });
            Answer::Vector(rows.collect())
        }
        kind => Answer::Refused(kind.to_owned()),
    }
}

fn ours(store: &Store, expr: &str, at: i64) -> Answer {
    let query = match Query::parse(expr) {
        Ok(query) => query,
        Err(refused) => return Answer::Refused(refused.to_string()),
    };
    match query.eval(store, at) {
        Ok(Value::Scalar(value)) => Answer::Scalar(value),
        Ok(Value::Vector(rows)) => Answer::Vector(rows),
        Err(error) => Answer::Failed(error.to_string()),
    }
}

#[allow(clippy::float_cmp, reason = "infinities are equal to themselves only")]
fn equal(a: f64, b: f64) -> bool {
    a.is_nan() && b.is_nan() || a == b || (a - b).abs() <= 1e-9 * a.abs().max(b.abs())
}

/// Whether two answers are the same, the order of values minded where the expression sorts.
fn same(expr: &str, ours: &Answer, theirs: &Answer) -> bool {
    match (ours, theirs) {
        (Answer::Scalar(a), Answer::Scalar(b)) => equal(*a, *b),
        (Answer::Failed(a), Answer::Failed(b)) => {
            // The same reason, whatever they say of the series.
            let words = |text: &str| {
                text.split([':', '[', '{'])
                    .next()
                    .unwrap()
                    .trim()
                    .to_owned()
            };
            b.contains(&words(a)) || a.starts_with(&words(b))
        }
        // What fails at every moment is refused at once.
        (Answer::Refused(_), Answer::Refused(_) | Answer::Failed(_)) => true,
        (Answer::Vector(a), Answer::Vector(b)) => {
            let sorted = ["sort", "topk", "bottomk"]
                .iter()
                .any(|word| expr.starts_with(word));
            let in_order = || a.iter().zip(b).all(|(a, b)| equal(a.1, b.1));
            let ours: BTreeMap<_, _> = a.iter().cloned().collect();
            let theirs: BTreeMap<_, _> = b.iter().cloned().collect();
            a.len() == b.len()
                && ours.len() == a.len()
                && ours.keys().eq(theirs.keys())
                && ours
                    .values()
                    .zip(theirs.values())
                    .all(|(a, b)| equal(*a, *b))
                && (!sorted || in_order())
        }
        _ => false,
    }
}

fn shown(answer: &Answer) -> String {
    match answer {
        Answer::Vector(rows) => {
            let mut rows: Vec<String> = rows
                .iter()
                .map(|(labels, value)| format!("{labels} {value:?}"))
                .collect();
            let count = rows.len();
            rows.sort();
            rows.truncate(12);
            format!("{count} rows\n      {}", rows.join("\n      "))
        }
        Answer::Scalar(value) => value.to_string(),
        Answer::Failed(why) => format!("failed: {why}"),
        Answer::Refused(why) => format!("refused: {why}"),
    }
}

/// The table: an expression a line. `! ` before one that Prometheus takes and stormdeck says it does not support.
fn table() -> Vec<(bool, String)> {
    let text = fs::read_to_string(file("table.txt")).unwrap();
    let lines = text.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| match line.strip_prefix("! ") {
            Some(expr) => (true, expr.to_owned()),
            None => (false, line.to_owned()),
        })
        .collect()
}

#[test]
fn every_expression_of_the_table_gives_what_prometheus_gives() {
    let recorded = recorded();
    let store = series::store(&recorded);
    let prometheus = prometheus();
    remote_write::send(&prometheus.address, &recorded);
    let ats: Vec<i64> = recorded[0].samples.iter().map(|sample| sample.at).collect();
    let (first, last) = (ats[0], *ats.last().unwrap());
    // Between scrapes, on one, just after the restart, in the gap, at the end, and when most has gone stale or out of sight.
    let third = first + (last - first) / 3;
    let moments = [
        ats[20],
        third + 1_234,
        first + (last - first) * 6 / 10,
        first + (last - first) * 3 / 4 + 777,
        last,
        last + 299_000,
    ];
    let table = table();
    assert!(table.len() >= 200, "only {} expressions", table.len());
    let mut wrong = String::new();
    let (mut compared, mut rows, mut empty) = (0, 0, Vec::new());
    for (unsupported, expr) in &table {
        let mut seen = 0;
        for at in moments {
            let theirs = theirs(&prometheus, expr, at);
            let ours = ours(&store, expr, at);
            let fine = match (unsupported, &ours) {
                (true, Answer::Refused(_)) => !matches!(theirs, Answer::Refused(_)),
                (true, _) => false,
                (false, _) => same(expr, &ours, &theirs),
            };
            compared += 1;
            seen += match &theirs {
                Answer::Vector(rows) => rows.len(),
                _ => 1,
            };
            if !fine {
                let _ = writeln!(
                    wrong,
                    "{expr}  @ {at}\n    theirs {}\n    ours   {}",
                    shown(&theirs),
                    shown(&ours)
                );
                break;
            }
        }
        rows += seen;
        if seen == 0 {
            empty.push(expr);
        }
    }
    println!(
        "{} expressions at {} moments: {compared} answers with {rows} values",
        table.len(),
        moments.len()
    );
    assert!(wrong.is_empty(), "{wrong}");
    // An expression that never gives anything says nothing; those of the table that mean to are few.
    assert!(
        empty.len() <= table.len() / 20,
        "nothing came of {empty:#?}"
    );
}
