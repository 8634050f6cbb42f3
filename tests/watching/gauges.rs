//! Gauges while a window runs, and the same of its recording.

use serde_json::Value;
use tempfile::TempDir;

use crate::support::postgres::Postgres;
use crate::support::{only_session, stormdeck};
use crate::{Running, course, is_event, names, profile, run};

const WATCHED: &str = r#"
[[target]]
name = "shop"
url = "embedded://shop/metrics?servers=0&service=fixed:1ms"
every = "200ms"
[[gauge]]
name = "rate"
of = "shop"
expr = 'sum(rate(http_requests_total[2s]))'
unit = "per_second"
[[gauge]]
name = "p99"
of = "shop"
expr = 'histogram_quantile(0.99, sum by (le, route) (rate(http_request_duration_seconds_bucket[2s])))'
unit = "seconds"
[[gauge]]
name = "two"
expr = '1 + 1'
"#;

/// What `query` gives for each moment of a range, by the moment in µs.
fn asked(session: &std::path::Path, expr: &str, args: &[&str]) -> Vec<(u64, f64)> {
    let output = stormdeck(session.parent().unwrap())
        .arg("query")
        .arg(session)
        .args([expr, "--range", "--as", "json"])
        .args(args)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    let series = answer["series"].as_array().unwrap();
    assert!(series.len() <= 1, "{answer}");
    let values = series
        .iter()
        .flat_map(|series| series["values"].as_array().unwrap());
    values
        .map(|point| {
            let at = (point[0].as_f64().unwrap() * 1e6).round() as u64;
            (at, point[1].as_str().unwrap().parse().unwrap())
        })
        .collect()
}

#[test]
fn a_recording_gives_the_gauges_again_to_the_digit_and_answers_what_was_not_asked() {
    let dir = TempDir::new().unwrap();
    let records = run(dir.path(), &profile(4, WATCHED));
    let session = only_session(dir.path());
    for (series, expr) in [
        ("rate", "sum(rate(http_requests_total[2s]))"),
        (
            r#"p99{route="/"}"#,
            r#"histogram_quantile(0.99, sum by (le, route) (rate(http_request_duration_seconds_bucket{route="/"}[2s])))"#,
        ),
        ("two", "1 + 1"),
    ] {
        let shown: Vec<(u64, f64)> = course(&records, series)
            .into_iter()
            .filter_map(|(at, value)| Some((at, value?)))
            .collect();
        assert!(shown.len() > 8, "{series}: {shown:?}");
        let again = asked(&session, expr, &["--of", "shop"]);
        let bits = |course: &[(u64, f64)]| -> Vec<(u64, u64)> {
            course
                .iter()
                .map(|&(at, value)| (at, value.to_bits()))
                .collect()
        };
        assert_eq!(bits(&shown), bits(&again), "{series}");
    }
    let rate = course(&records, "rate")
        .into_values()
        .flatten()
        .last()
        .unwrap();
    assert!(
        (25.0..100.0).contains(&rate),
        "50/s are sent, {rate} are told"
    );
    // Nobody asked for this one, and it is there all the same.
    let counted = asked(&session, r#"count(http_requests_total{route="/"})"#, &[]);
    assert!(
        counted
            .iter()
            .all(|&(_, count)| (count - 1.0).abs() < f64::EPSILON),
        "{counted:?}"
    );
    assert!(
        !names(&records)
            .iter()
            .any(|name| name.starts_with("shop_leak_bytes"))
    );
}

#[test]
fn what_is_recognized_is_shown_without_writing_a_gauge() {
    let dir = TempDir::new().unwrap();
    let watched = "[[target]]\nname = \"shop\"\nurl = \"embedded://shop/metrics?servers=0&service=fixed:1ms\"\n\
                   every = \"200ms\"\nauto = true\n";
    let records = run(dir.path(), &profile(3, watched));
    let added: Vec<&str> = records
        .iter()
        .filter(|record| is_event(record, "gauge"))
        .map(|record| record["name"].as_str().unwrap())
        .collect();
    assert!(
        added.contains(&"shop requests") && added.contains(&"shop in flight"),
        "{added:?}"
    );
    let names = names(&records);
    let name = names
        .iter()
        .find(|name| name.starts_with("shop requests{"))
        .unwrap();
    let last = course(&records, name).into_values().flatten().last();
    assert!(last.is_some_and(|rate| rate > 0.0), "{last:?}");
}

#[test]
fn a_series_is_found_and_pinned_while_the_window_runs() {
    let dir = TempDir::new().unwrap();
    let window = Running::start(dir.path(), &profile(60, WATCHED));
    window.wait("a scrape", |record| {
        record["k"] == "tick"
            && record["scrapes"]
                .as_array()
                .is_some_and(|all| !all.is_empty())
    });
    let found = window.ctl(&["series", "LEAK", "bytes"]).unwrap();
    assert!(found.contains("shop_leak_bytes{"), "{found}");
    let said = window.ctl(&["pin", "shop_leak_bytes"]).unwrap();
    assert!(said.contains("`shop_leak_bytes` is shown"), "{said}");
    let again = window.ctl(&["pin", "shop_leak_bytes"]).unwrap_err();
    assert!(again.contains("already"), "{again}");
    let wrong = window.ctl(&["pin", "rate(shop_leak_bytes)"]).unwrap_err();
    assert!(wrong.contains("rate"), "{wrong}");
    let none = window.ctl(&["gauges", "shp"]).unwrap_err();
    assert!(none.contains("did you mean `shop`?"), "{none}");
    let offer = window.wait("the offer", |record| is_event(record, "target"));
    assert!(
        offer["text"]
            .as_str()
            .unwrap()
            .contains("`gauges shop` shows"),
        "{offer}"
    );
    let said = window.ctl(&["gauges", "shop"]).unwrap();
    assert!(said.contains("gauges more"), "{said}");
    let event = window.wait("the pin", |record| is_event(record, "gauge"));
    assert_eq!(event["expr"], "shop_leak_bytes");
    assert!(event["by"].is_string(), "{event}");
    let is_there = |record: &Value| {
        let names = record["names"]["series"].as_array();
        names.is_some_and(|names| {
            names.iter().any(|name| {
                name.as_str()
                    .is_some_and(|name| name.starts_with("shop_leak_bytes{"))
            })
        })
    };
    window.wait("its series", is_there);
    window.end();
}

#[test]
fn an_expression_that_is_not_supported_is_refused_before_the_window_with_its_place() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("profile.toml");
    let wrong = WATCHED.replace("1 + 1", "holt_winters(x[1m], 0.5, 0.5)");
    std::fs::write(&path, profile(3, &wrong)).unwrap();
    for command in ["check", "run"] {
        let output = stormdeck(dir.path())
            .arg(command)
            .arg(&path)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("holt_winters"), "{said}");
    }
}

#[test]
fn a_query_says_what_is_wrong_with_it() {
    let dir = TempDir::new().unwrap();
    let ask = |args: &[&str]| {
        let output = stormdeck(dir.path())
            .arg("query")
            .args(args)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let said = ask(&["sum(rate(x)"]);
    assert!(said.contains('^'), "{said}");
    assert!(ask(&["x", "--range=20m..10m"]).contains("ends before it begins"));
    assert!(ask(&["nobody", "up"]).contains("nobody"));
}

#[test]
fn a_database_and_a_service_are_shown_side_by_side_and_again_from_the_recording() {
    let postgres = Postgres::start();
    let exporter = postgres.exporter();
    let watched = format!(
        "[[target]]\nname = \"shop\"\nurl = \"embedded://shop/metrics?servers=0&service=fixed:1ms\"\n\
         every = \"200ms\"\nauto = true\n\
         [[target]]\nname = \"pg\"\nurl = \"{}/metrics\"\nevery = \"500ms\"\nauto = true\n",
        exporter.url()
    );
    let dir = TempDir::new().unwrap();
    let records = run(dir.path(), &profile(6, &watched));
    let session = only_session(dir.path());
    let plans: Vec<&Value> = records
        .iter()
        .filter(|record| is_event(record, "gauge"))
        .collect();
    let names = names(&records);
    let mut seen = 0;
    for plan in &plans {
        let (gauge, of) = (plan["name"].as_str().unwrap(), plan["of"].as_str().unwrap());
        let series = names
            .iter()
            .find(|name| name.starts_with(&format!("{gauge}{{")));
        let Some(series) = series else { continue };
        let shown: Vec<u64> = course(&records, series)
            .into_values()
            .flatten()
            .map(f64::to_bits)
            .collect();
        let again: Vec<u64> = asked(&session, plan["expr"].as_str().unwrap(), &["--of", of])
            .into_iter()
            .filter(|(_, value)| value.is_finite())
            .map(|(_, value)| value.to_bits())
            .collect();
        // What was shown is the end of what can be asked: a gauge is added when its target was recognized.
        assert!(again.ends_with(&shown), "{gauge}: {shown:?} {again:?}");
        seen += 1;
    }
    let of = |target: &str| plans.iter().filter(|plan| plan["of"] == target).count();
    assert!(
        of("pg") > 5 && of("shop") > 5 && seen > 8,
        "{seen} of {plans:?}"
    );
}
