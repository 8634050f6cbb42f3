//! The same bodies, scraped by real Prometheus: what it takes is taken as it takes it, what it refuses is refused.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use stormdeck::scrape::Labels;
use stormdeck::scrape::exposition::cache::{Cache, Scraped};
use stormdeck::scrape::exposition::{Format, printed};
use stormdeck::scrape::labels::NAME;

use crate::support::daemons::{Prometheus, get, node_exporter};
use crate::support::server::{Server, answer};
use crate::support::wait_for;

/// Bodies of text, without their line break: what Prometheus 2.42 takes.
const TAKEN: &[&str] = &[
    "m 1",
    "m{} 1",
    "m{a=\"b\"}1",
    "m\t{ a = \"b\" ,\tc=\"d\" , }\t1 ",
    "m{a=\"b\"c=\"d\"} 1",
    "m{a=\"/orders/{id}\",b=\"x,y=z\"} 1",
    "m{a=\"\\\"\\\\\\n\\d\"} 1",
    "m{a=\"x\ny\"} 1",
    "m{a=\"\",b=\"ä\"} 1",
    "m{le=\"+Inf\"} 1",
    "m nan",
    "m Inf",
    "m -iNFinity",
    "m +1.5e3",
    "m .5",
    "m 5.",
    "m 1e-400",
    "m 123456789012345678",
    "m 1e21",
    "m -0",
    "m 4.71e-7",
    "m 0.000001",
    "a:b 1",
    "# HELP m\n# HELP m  x \\n \\\\\n# TYPE m untyped\n#\n# x\n#x\n\n  \t\nm 1",
    "  # TYPE m counter\nm 1",
    "m 1\nm 2",
    "m{a=\"1\",b=\"2\"} 1\nm{b=\"2\",a=\"1\"} 2",
    "m{a=\"\"} 1\nm 2",
];

/// And what it refuses.
const REFUSED: &[&str] = &[
    "m",
    "m ",
    "m{a='b'} 1",
    "m{a=b} 1",
    "m{,} 1",
    "m{a=\"b\",,} 1",
    "m{=\"\"} 1",
    "m{1a=\"b\"} 1",
    "m{a:b=\"c\"} 1",
    "m{a=\"b\"}{c=\"d\"} 1",
    "m{a=\"b\",a=\"c\"} 1",
    "m{__name__=\"b\"} 1",
    "m{a=\"b",
    "{a=\"b\"} 1",
    "1m 1",
    "m-n 1",
    "é 1",
    " m 1",
    "\tm 1",
    "m true",
    "m 0x10",
    "m 0x1p4",
    "m 1_000",
    "m +NaN",
    "m 1e309",
    "m 1 -5",
    "m 1 1.5",
    "m 1 x",
    "m 1 9223372036854775808",
    "m 1 5 6",
    "m_total 1 # {a=\"b\"} 1",
    "m 1\r",
    "\u{feff}m 1",
    "# TYPE ",
    "# TYPE m",
    "# TYPE m counter ",
    "# TYPE m  counter",
    "# TYPE m unknown",
    "<html>",
];

/// The same for `OpenMetrics`; `# EOF` follows.
const OPEN_TAKEN: &[&str] = &[
    "m 1",
    "m{a=\"b\",c=\"d\"} 1",
    "# TYPE m counter\n# UNIT m \n# HELP m x \\\"\nm_total 1",
    "m_total 1 # {a=\"b\"} 5 1.5",
    "m_bucket{le=\"1\"} 1 # {} 5",
    "# TYPE m info\nm_info{v=\"1\"} 1",
];

/// And what it refuses.
const OPEN_REFUSED: &[&str] = &[
    "",
    "m  1",
    "m\t1",
    "m 1 ",
    "m 1 NaN",
    "m 1 1z",
    "m {a=\"b\"} 1",
    "m{a=\"b\"}1",
    "m{a=\"b\",} 1",
    "m{a=\"b\"c=\"d\"} 1",
    "m{a=\"b\", c=\"d\"} 1",
    "m{a=\"x\ny\"} 1",
    "m 1 # {a=\"b\"} 1",
    "m_total 1 # {a=\"b\"}",
    "m_total 1 # {a=\"b\"} 1 NaN",
    "# a comment",
    "# TYPE m untyped",
    "# TYPE m",
    "# HELP m",
    "# UNIT m_bytes seconds",
    "# EOF\nm 1",
    "# EOF",
];

struct Case {
    body: String,
    open: bool,
    taken: bool,
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (bodies, open, taken) in [
        (TAKEN, false, true),
        (REFUSED, false, false),
        (OPEN_TAKEN, true, true),
        (OPEN_REFUSED, true, false),
    ] {
        let end = if open { "\n# EOF\n" } else { "\n" };
        cases.extend(bodies.iter().map(|body| Case {
            body: format!("{body}{end}"),
            open,
            taken,
        }));
    }
    cases.push(Case {
        body: "m 1\n".to_owned(),
        open: true,
        taken: false,
    });
    cases
}

/// Values by series, or nothing when a line is bad.
fn ours(body: &str, open: bool) -> Option<BTreeMap<String, String>> {
    let format = if open {
        Format::OpenMetrics
    } else {
        Format::Text
    };
    let (mut cache, mut out, mut series) = (Cache::new(), Scraped::default(), Vec::<Labels>::new());
    cache.scrape(body.as_bytes(), format, 1, &mut out, |labels| {
        let known = series.iter().position(|known| *known == labels);
        series.push(labels);
        Some(known.unwrap_or(series.len() - 1) as u32)
    });
    let only_twice = out
        .bad
        .iter()
        .all(|bad| bad.reason == stormdeck::scrape::exposition::Reason::Twice);
    let points = out.points.iter();
    let points = points.map(|it| (series[it.id as usize].to_string(), printed(it.value)));
    // Prometheus drops the second of two, and takes the scrape.
    (only_twice && out.failed.is_none()).then(|| points.collect())
}

/// What a query gave, by series, without the labels of the target.
fn theirs(data: &Value) -> BTreeMap<String, String> {
    let of = |row: &Value| {
        let labels = row["metric"].as_object().unwrap().iter();
        let labels = labels.filter(|(name, _)| !matches!(name.as_str(), "job" | "instance"));
        let labels = labels.map(|(name, value)| (name.clone(), value.as_str().unwrap()));
        let value = row["value"][1].as_str().unwrap().to_owned();
        (Labels::new(labels).to_string(), value)
    };
    data["result"].as_array().unwrap().iter().map(of).collect()
}

#[test]
fn what_prometheus_takes_is_taken_and_what_it_refuses_is_refused() {
    let cases = Arc::new(cases());
    let copy = Arc::clone(&cases);
    let server = Server::answering(move |asked| {
        let case = &copy[asked.path()[1..].parse::<usize>().unwrap()];
        let kind = if case.open {
            "application/openmetrics-text; version=1.0.0"
        } else {
            "text/plain; version=0.0.4"
        };
        answer("200 OK", &format!("content-type: {kind}\r\n"), &case.body)
    });
    let address = server.url.trim_start_matches("http://").to_owned();
    let targets: Vec<(String, String)> = (0..cases.len())
        .map(|n| (format!("c{n}"), format!("/{n}")))
        .collect();
    let targets: Vec<(&str, &str, &str)> = targets
        .iter()
        .map(|(job, path)| (job.as_str(), address.as_str(), path.as_str()))
        .collect();
    let prometheus = Prometheus::scraping(&targets);
    let up = wait_for("a scrape of each", || {
        let up = prometheus.query("up", None);
        let rows = up["result"].as_array().unwrap().clone();
        (rows.len() == cases.len()).then_some(rows)
    });
    let mut wrong = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        let job = format!("c{number}");
        let row = up
            .iter()
            .find(|row| row["metric"]["job"] == job.as_str())
            .unwrap();
        let taken = row["value"][1] == "1";
        let ours = ours(&case.body, case.open);
        if taken != case.taken || taken != ours.is_some() {
            wrong.push(format!(
                "{:?}: Prometheus {taken}, we {}",
                case.body,
                ours.is_some()
            ));
            continue;
        }
        let Some(ours) = ours else { continue };
        let expr = format!("{{job=\"{job}\",__name__!~\"up|scrape_.*\"}}");
        let theirs = theirs(&prometheus.query(&expr, None));
        if ours != theirs {
            wrong.push(format!("{:?}: {theirs:?}, not {ours:?}", case.body));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn times_of_their_own_are_those_of_prometheus() {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    // Within what Prometheus looks back to, and not in the future.
    let at = now.as_millis() as i64 - 60_000;
    let text = format!("m 1 {}\nm 2 {at}\n", at - 1500);
    let open = format!("n 3 {}.{:03}\n# EOF\n", at / 1000, at % 1000);
    let bodies = [text, open.clone()];
    let server = Server::answering(move |asked| match asked.path() {
        "/text" => answer("200 OK", "content-type: text/plain\r\n", &bodies[0]),
        _ => answer(
            "200 OK",
            "content-type: application/openmetrics-text\r\n",
            &bodies[1],
        ),
    });
    let address = server.url.trim_start_matches("http://");
    let prometheus = Prometheus::scraping(&[("t", address, "/text"), ("o", address, "/open")]);
    let read = |query: &str| {
        wait_for("a scrape", || {
            let data = prometheus.query(query, None);
            let value = data["result"][0]["value"][1].as_str()?;
            Some((value.parse::<f64>().unwrap() * 1000.0).round() as i64)
        })
    };
    assert_eq!(read("timestamp(m)"), at);
    let mut out = Scraped::default();
    Cache::new().scrape(open.as_bytes(), Format::OpenMetrics, 0, &mut out, |_| {
        Some(0)
    });
    assert_eq!(out.points[0].ts_ms, Some(read("timestamp(n)")));
}

#[test]
fn a_real_exporter_is_read_as_prometheus_reads_it() {
    let node = node_exporter();
    let body: Arc<Mutex<String>> = Arc::new(Mutex::new(get(&node.address, "/metrics").unwrap().1));
    let copy = Arc::clone(&body);
    let server = Server::answering(move |_| {
        answer(
            "200 OK",
            "content-type: text/plain\r\n",
            &copy.lock().unwrap(),
        )
    });
    let address = server.url.trim_start_matches("http://");
    let prometheus = Prometheus::scraping(&[("node", address, "/metrics")]);
    let theirs = wait_for("a scrape", || {
        let found = theirs(&prometheus.query("{job=\"node\",__name__!~\"up|scrape_.*\"}", None));
        (!found.is_empty()).then_some(found)
    });
    let ours = ours(&body.lock().unwrap(), false).unwrap();
    assert!(ours.len() > 300, "{}", ours.len());
    for (series, value) in &theirs {
        assert_eq!(ours.get(series), Some(value), "{series}");
    }
    assert_eq!(ours.len(), theirs.len());
    assert!(ours.keys().all(|series| !series.contains(NAME)));
}
