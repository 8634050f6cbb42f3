//! The summary for people, at the end of a window: at most 100 columns, the verdict first and last.

use super::format::{
    clock, count_short, duration_short, factor, percent, rate_short, span, unknown,
};
use super::summary::{Figures, Gate, Latencies, Signature, Slow, Summary};
use super::table::{Align, Table, cut, wrap};
use crate::session::record::{EndReason, ErrorKind};
use crate::verdict::State;

/// Most columns of a line. Only the session's path may be longer, since a path that is cut is of no use.
pub const WIDTH: usize = 100;
/// Most characters of a gate's name.
const NAME: usize = 24;
/// Most rows of a table; a line says how many more there are.
const ROWS: usize = 30;
/// Most characters of a signature.
const SIGNED: usize = 300;

/// The summary as text, with a line break at the end.
pub fn text(summary: &Summary) -> String {
    let blocks = [
        head(summary),
        gates(summary),
        breakpoint(summary),
        latency(summary),
        errors(summary),
        super::faults_text::faults(summary),
        super::faults_text::scorecard(summary),
        scenarios(summary),
        phases(summary),
        steps(summary),
        predicted(summary),
        closing(summary),
        vec![summary.verdict.to_string()],
    ];
    let blocks: Vec<String> = blocks
        .into_iter()
        .filter(|lines| !lines.is_empty())
        .map(|lines| lines.join("\n"))
        .collect();
    blocks.join("\n\n") + "\n"
}

fn head(summary: &Summary) -> Vec<String> {
    let figures = &summary.figures;
    let environment = summary.environment.as_ref();
    let title = match (summary.window.as_str(), environment) {
        ("", _) => "a window without a name".to_owned(),
        (name, Some(environment)) => format!("{name} · {environment}"),
        (name, None) => name.to_owned(),
    };
    let end = match summary.end {
        Some(EndReason::Finished) => "finished",
        Some(EndReason::Stopped) => "stopped by hand",
        Some(EndReason::Aborted) => "ended early",
        None => "no end recorded",
    };
    let mut facts = vec![
        format!("{} ({end})", span(summary.elapsed_s)),
        format!("{} requests", count_short(figures.requests as f64)),
    ];
    facts.extend(figures.rate.map(rate_short));
    if let Some(ratio) = figures.error_ratio() {
        facts.push(format!("{} errors", percent(ratio)));
    }
    if let Some(dropped) = figures.dropped.filter(|&dropped| dropped > 0) {
        facts.push(format!("{} dropped", count_short(dropped as f64)));
    }
    let verdict = summary.verdict;
    let mut lines = vec![
        cut(&format!("{verdict}  {title}"), WIDTH),
        format!("  {}", facts.join(" · ")),
    ];
    if !summary.findings.is_empty() {
        lines.push(String::new());
        for finding in &summary.findings {
            lines.extend(wrap("  · ", finding, WIDTH));
        }
    }
    lines
}

fn gates(summary: &Summary) -> Vec<String> {
    if summary.gates.is_empty() {
        return Vec::new();
    }
    let mut table = Table::new(&[
        (Align::Left, 1),
        (Align::Left, NAME),
        (Align::Left, 26),
        (Align::Left, 18),
        (Align::Right, 10),
        (Align::Left, 8),
    ]);
    for gate in &summary.gates {
        let severity = match gate.severity {
            "advisory" => "advisory",
            _ => "",
        };
        let (name, expect) = named(gate);
        table.row([
            glyph(gate.state),
            name,
            expect,
            &whereabouts(gate),
            &gate.shown,
            severity,
        ]);
    }
    let mut lines = vec!["gates".to_owned()];
    for (line, gate) in table.lines().into_iter().zip(&summary.gates) {
        lines.push(line);
        // A reason that already stands at the top is not said twice.
        let said = |reason: &&String| summary.findings.iter().any(|f| f.contains(*reason));
        if let Some(reason) = gate.reason.as_ref().filter(|reason| !said(reason)) {
            lines.extend(wrap("     ", reason, WIDTH));
        }
    }
    lines
}

/// A gate's name and what it expects, said once: one without a name of its own is called by its expectation.
fn named(gate: &Gate) -> (&str, &str) {
    let Some(more) = gate.name.strip_prefix(&gate.expect) else {
        return (&gate.name, &gate.expect);
    };
    let more = match gate.of.as_str() {
        "" => more,
        of => more
            .strip_prefix(" of ")
            .and_then(|more| more.strip_prefix(of))
            .unwrap_or(more),
    };
    let phases = more.strip_prefix(" in ").unwrap_or(more);
    if phases == gate.during.join(", ") {
        // The rest of such a name stands in the next column.
        (&gate.expect, "")
    } else if gate.name.chars().count() <= NAME {
        (&gate.name, "")
    } else {
        (&gate.name, &gate.expect)
    }
}

fn glyph(state: State) -> &'static str {
    match state {
        State::Pass => "✓",
        State::Fail => "✗",
        State::Inconclusive => "?",
    }
}

fn whereabouts(gate: &Gate) -> String {
    let during = match gate.during.as_slice() {
        [] => String::new(),
        [phase] => phase.clone(),
        phases => format!("{} phases", phases.len()),
    };
    match (gate.of.is_empty(), during.is_empty()) {
        (true, true) => "everything".into(),
        (false, true) => gate.of.clone(),
        (true, false) => format!("in {during}"),
        (false, false) => format!("{} in {during}", gate.of),
    }
}

fn breakpoint(summary: &Summary) -> Vec<String> {
    let Some(found) = &summary.breakpoint else {
        return Vec::new();
    };
    let held = match &found.held {
        Some(held) => format!(
            "held at {} ({}), {} measured",
            factor(held.load),
            held.phase,
            rate_short(held.rate)
        ),
        None => "no step of the climb held".into(),
    };
    let broke = match &found.broke {
        Some(broke) => format!(
            "broke at {} ({}): {} was {}",
            factor(broke.load),
            broke.phase,
            broke.gate,
            broke.shown
        ),
        None => "nothing broke".into(),
    };
    let mut lines = vec![cut(&format!("breakpoint  {}", found.climb), WIDTH)];
    lines.extend(wrap("  ", &held, WIDTH));
    lines.extend(wrap("  ", &broke, WIDTH));
    lines
}

fn latency(summary: &Summary) -> Vec<String> {
    let figures = &summary.figures;
    if figures.response_ms.mean.is_none() {
        return Vec::new();
    }
    let mut columns = [(Align::Right, 10); 8];
    columns[0].0 = Align::Left;
    let mut table = Table::new(&columns);
    table.row(["", "mean", "p50", "p90", "p95", "p99", "p99.9", "max"]);
    for (name, latencies) in [
        ("response", figures.response_ms),
        ("service", figures.service_ms),
    ] {
        let Latencies {
            mean,
            p50,
            p90,
            p95,
            p99,
            p999,
            max,
        } = latencies;
        let n = figures.requests;
        table.row([
            name.to_owned(),
            shown(mean),
            quantile(p50, 0.5, n),
            quantile(p90, 0.9, n),
            quantile(p95, 0.95, n),
            quantile(p99, 0.99, n),
            quantile(p999, 0.999, n),
            shown(max),
        ]);
    }
    titled("latency", &table)
}

fn errors(summary: &Summary) -> Vec<String> {
    let figures = &summary.figures;
    if figures.errors_by_kind.is_empty() {
        return Vec::new();
    }
    let mut table = Table::new(&[
        (Align::Left, 15),
        (Align::Right, 8),
        (Align::Right, 8),
        (Align::Left, 60),
    ]);
    for (&kind, &count) in &figures.errors_by_kind {
        let share = count as f64 / figures.requests.max(1) as f64;
        let name = kind.name().to_owned();
        let count = count_short(count as f64);
        table.row([name, count, percent(share), first_of(summary, kind)]);
    }
    titled("errors", &table)
}

/// What the first answer of a kind said, and where.
fn first_of(summary: &Summary, kind: ErrorKind) -> String {
    let sample = summary.samples.iter().find(|sample| sample.kind == kind);
    sample.map_or_else(String::new, |sample| {
        format!("{}: {}", sample.step, sample.detail)
    })
}

fn scenarios(summary: &Summary) -> Vec<String> {
    let rows = summary.scenarios.iter();
    rows_of(
        "scenarios",
        rows.map(|row| (row.name.clone(), &row.figures)),
    )
}

fn phases(summary: &Summary) -> Vec<String> {
    let rows = summary.phases.iter().map(|phase| {
        let name = match (phase.start_s, phase.load) {
            (None, _) => format!("{} (did not run)", phase.name),
            (Some(_), Some(load)) if !phase.name.ends_with(&factor(load)) => {
                format!("{} {}", phase.name, factor(load))
            }
            (Some(_), _) => phase.name.clone(),
        };
        (name, &phase.figures)
    });
    rows_of("phases", rows)
}

fn steps(summary: &Summary) -> Vec<String> {
    if summary.steps.len() == summary.scenarios.len() {
        // Each scenario has a single step: the table of scenarios has said it all.
        return Vec::new();
    }
    let rows = summary.steps.iter();
    rows_of("steps", rows.map(|row| (row.name.clone(), &row.figures)))
}

/// A table of figures; nothing for a single row, which would repeat the whole.
fn rows_of<'a>(title: &str, rows: impl Iterator<Item = (String, &'a Figures)>) -> Vec<String> {
    let rows: Vec<_> = rows.collect();
    if rows.len() < 2 {
        return Vec::new();
    }
    let any_dropped = rows
        .iter()
        .any(|(_, figures)| figures.dropped.is_some_and(|dropped| dropped > 0));
    let mut table = Table::new(&[
        (Align::Left, if any_dropped { 20 } else { 29 }),
        (Align::Right, 8),
        (Align::Right, 8),
        (Align::Right, 7),
        (Align::Right, 7),
        (Align::Right, 7),
        (Align::Right, 7),
        (Align::Right, 7),
        (Align::Right, 11),
    ]);
    let dropped = if any_dropped { "dropped" } else { "" };
    table.row([
        "",
        "requests",
        "rate",
        "errors",
        dropped,
        "p50",
        "p99",
        "max",
        "service p99",
    ]);
    for (name, figures) in rows.iter().take(ROWS) {
        let n = figures.requests;
        let (response, service) = (&figures.response_ms, &figures.service_ms);
        table.row([
            name.clone(),
            count_short(n as f64),
            figures.rate.map_or_else(unknown, rate_short),
            figures.error_ratio().map_or_else(unknown, percent),
            match figures.dropped {
                Some(dropped) if any_dropped => count_short(dropped as f64),
                Some(_) | None => String::new(),
            },
            quantile(response.p50, 0.5, n),
            quantile(response.p99, 0.99, n),
            shown(response.max),
            quantile(service.p99, 0.99, n),
        ]);
    }
    let mut lines = titled(title, &table);
    if rows.len() > ROWS {
        lines.push(format!("  and {} more", rows.len() - ROWS));
    }
    lines
}

fn predicted(summary: &Summary) -> Vec<String> {
    if summary.predicted.is_empty() {
        return Vec::new();
    }
    let mut table = Table::new(&[
        (Align::Left, 36),
        (Align::Right, 14),
        (Align::Right, 14),
        (Align::Left, 24),
    ]);
    table.row(["", "predicted", "measured", ""]);
    for line in &summary.predicted {
        let difference = match line.difference {
            None => String::new(),
            Some(more) if more > 0.0 => format!("{} more", percent(more)),
            Some(less) if less < 0.0 => format!("{} less", percent(-less)),
            Some(_) => "as predicted".into(),
        };
        table.row([&line.what, &line.predicted, &line.shown, &difference]);
    }
    titled("predicted", &table)
}

fn closing(summary: &Summary) -> Vec<String> {
    let mut lines = wrap("generator  ", &summary.generator.sentence, WIDTH);
    if let Some(slow) = summary.slowest.first() {
        lines.extend(wrap("slowest    ", &slowest(slow), WIDTH));
        if let Some(trace) = &slow.trace {
            lines.push(cut(&format!("           trace {trace}"), WIDTH));
        }
    }
    for signature in &summary.signed {
        lines.extend(wrap("signed     ", &signed(signature), WIDTH));
    }
    lines.push(format!("session    {}", summary.session));
    lines
}

fn signed(signature: &Signature) -> String {
    let by = signature.by.as_deref().unwrap_or("someone");
    let at = clock((signature.at_s * 1e6) as u64);
    let why = match signature.text.as_str() {
        "" => String::new(),
        text => format!(": {text}"),
    };
    let line = format!("{} by {by} at {at}{why}", signature.decision.name());
    cut(&line, SIGNED)
}

fn slowest(slow: &Slow) -> String {
    let mut facts = vec![format!(
        "{} {} at {}",
        shown(Some(slow.response_ms)),
        slow.step,
        clock((slow.at_s * 1e6) as u64)
    )];
    match (slow.error, slow.status) {
        (Some(error), _) => facts.push(error.name().to_owned()),
        (None, Some(status)) => facts.push(format!("status {status}")),
        (None, None) => {}
    }
    let split = &slow.split_ms;
    let parts = [
        ("wait", split.wait),
        ("connect", split.connect),
        ("tls", split.tls),
        ("first byte", split.first_byte),
        ("body", split.body),
    ];
    let parts: Vec<String> = parts
        .iter()
        .filter(|&&(_, ms)| ms > 0.0)
        .map(|&(name, ms)| format!("{name} {}", shown(Some(ms))))
        .collect();
    if !parts.is_empty() {
        facts.push(parts.join(", "));
    }
    facts.join(" · ")
}

fn titled(title: &str, table: &Table) -> Vec<String> {
    let mut lines = table.lines();
    // The heading row has no name of its own, so the title stands in its place.
    match lines.first_mut() {
        Some(first) if first.starts_with(&" ".repeat(title.len() + 2)) => {
            first.replace_range(..title.len(), title);
        }
        Some(_) | None => lines.insert(0, title.to_owned()),
    }
    lines
}

fn shown(ms: Option<f64>) -> String {
    ms.map_or_else(unknown, |ms| duration_short(ms * 1e3))
}

/// A quantile, unless so few requests lie beyond it that it would only repeat the largest.
fn quantile(ms: Option<f64>, q: f64, requests: u64) -> String {
    if requests as f64 * (1.0 - q) < 1.0 - 1e-9 {
        return unknown();
    }
    shown(ms)
}
