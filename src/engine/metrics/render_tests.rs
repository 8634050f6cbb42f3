//! Pages of a window in which everything that has a metric happened.

use std::collections::HashSet;
use std::io::Write as _;
use std::process::{Command, Stdio};

use promql_parser::parser::{Expr, VectorSelector};
use promql_parser::util::{ExprVisitor, walk_expr};

use super::*;
use crate::history::testing::{PAY, Recording, fail, fault_event};
use crate::session::record::{ErrorKind, FaultPlan, Happening};

fn snapshot() -> Snapshot {
    let recording = Recording::new(&[("steady", 30, 1.0), ("spike \"10x\"", 30, 10.0)])
        .gate("errors stay few", "buy/pay", "errors < 2%", &[])
        .window(|window| {
            window.faults.push(FaultPlan {
                name: "slow \\ database".into(),
                ..FaultPlan::default()
            });
        })
        .phase(0)
        .ticks(2)
        .phase(1)
        .ticks_with(1, |tick| {
            fail(tick, PAY, ErrorKind::Status5xx, Some(503), 7);
            tick.generator.bottleneck = vec![Bottleneck::Cpu];
        })
        .event(Happening::Gate {
            gate: 0,
            holds: false,
            value: "3.1%".into(),
        })
        .event(fault_event(0, FaultState::Active));
    let mut snapshot = Snapshot {
        session: "checkout-4.2".into(),
        lost: 1,
        ..Snapshot::default()
    };
    for record in recording.records() {
        snapshot.fold.apply(&record);
    }
    snapshot
}

/// What `promtool check metrics` says of a page, and whether it is content.
fn promtool(page: &str) -> (String, bool) {
    let mut child = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the package prometheus is installed");
    let mut input = child.stdin.take().unwrap();
    input.write_all(page.as_bytes()).unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (
        String::from_utf8_lossy(&said).into_owned(),
        output.status.success(),
    )
}

#[test]
fn a_page_has_everything_that_there_is_to_know_of_a_window() {
    let version = env!("CARGO_PKG_VERSION");
    let page = render(&snapshot(), Format::OpenMetrics).replace(version, "VERSION");
    insta::assert_snapshot!(page);
}

#[test]
fn promtool_has_no_complaint() {
    for snapshot in [Snapshot::default(), snapshot()] {
        let said = promtool(&render(&snapshot, Format::Text));
        assert_eq!(said, (String::new(), true));
    }
}

#[test]
fn both_formats_have_the_same_samples() {
    let samples = |format| {
        let page = render(&snapshot(), format);
        let lines = page.lines().filter(|line| !line.starts_with('#'));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(samples(Format::Text), samples(Format::OpenMetrics));
}

/// The names of the metrics that expressions ask for.
#[derive(Default)]
struct Asked(HashSet<String>);

impl ExprVisitor for Asked {
    type Error = String;

    fn pre_visit(&mut self, expr: &Expr) -> Result<bool, String> {
        let mut note = |selector: &VectorSelector| {
            let name = selector.name.clone();
            self.0.insert(name.ok_or("a selector without a name")?);
            Ok::<_, String>(())
        };
        match expr {
            Expr::VectorSelector(selector) => note(selector)?,
            Expr::MatrixSelector(matrix) => note(&matrix.vs)?,
            _ => {}
        }
        Ok(true)
    }
}

/// Every `expr` and every variable's `query` in a dashboard.
fn expressions(dashboard: &serde_json::Value, found: &mut Vec<String>) {
    match dashboard {
        serde_json::Value::Object(members) => {
            for (name, value) in members {
                match value.as_str() {
                    Some(text) if name == "expr" || name == "definition" => {
                        found.push(text.to_owned());
                    }
                    _ => expressions(value, found),
                }
            }
        }
        serde_json::Value::Array(values) => {
            for value in values {
                expressions(value, found);
            }
        }
        _ => {}
    }
}

#[test]
fn the_dashboard_asks_for_nothing_that_a_page_does_not_have() {
    let text = include_str!("../../../assets/grafana/stormdeck.json");
    let dashboard = serde_json::from_str(text).unwrap();
    let mut found = Vec::new();
    expressions(&dashboard, &mut found);
    assert!(found.len() > 20, "{found:?}");
    let mut asked = Asked::default();
    for text in &found {
        // A variable's values come from a metric's label: `label_values(metric, label)`.
        let expr = text
            .strip_prefix("label_values(")
            .and_then(|rest| rest.rsplit_once(','))
            .map_or(text.as_str(), |(metric, _)| metric)
            .replace("$__rate_interval", "1m");
        let expr =
            promql_parser::parser::parse(&expr).unwrap_or_else(|error| panic!("{error}: {expr}"));
        walk_expr(&mut asked, &expr).unwrap();
    }
    let page = render(&snapshot(), Format::Text);
    let samples = page.lines().filter(|line| !line.starts_with('#'));
    let names: HashSet<&str> = samples
        .filter_map(|line| line.split(['{', ' ']).next())
        .collect();
    let mut missing: Vec<_> = asked
        .0
        .iter()
        .filter(|name| !names.contains(name.as_str()))
        .collect();
    missing.sort();
    assert!(missing.is_empty(), "{missing:?}");
}
