//! `[[gauge]]`: named numbers and the levels that matter.

use super::journey::choice;
use super::names::Names;
use super::table::{Node, Table};
use crate::profile::diagnostic::Diagnostic;
use crate::profile::expect::Cmp;
use crate::profile::model::{Gauge, GaugeUnit, Level};
use crate::profile::units::{Rate, Ratio, UnitError, parse_bytes, parse_count, parse_duration};

pub(super) fn read_all(top: &mut Table<'_, '_>, targets: &Names) -> Vec<Gauge> {
    let mut names = Names::new("gauge");
    let mut gauges = Vec::new();
    if let Some(node) = top.take("gauge") {
        for table in node.tables("a gauge") {
            gauges.push(read(table, &mut names, targets));
        }
    }
    gauges
}

fn read(mut owned: Table<'_, '_>, names: &mut Names, targets: &Names) -> Gauge {
    let table = &mut owned;
    let name = names.read(table);
    let of = table.take("of").and_then(|node| {
        let target = node.string()?;
        targets.resolve(node.cx, &target, node.place())
    });
    let expr = table.need("expr").and_then(|node| {
        let expr = node.string()?;
        if expr.trim().is_empty() {
            node.wrong("`expr` is empty");
        }
        Some(expr)
    });
    let unit = table.take("unit").and_then(|node| {
        choice(
            &node,
            &[
                ("count", GaugeUnit::Count),
                ("bytes", GaugeUnit::Bytes),
                ("seconds", GaugeUnit::Seconds),
                ("ratio", GaugeUnit::Ratio),
                ("per_second", GaugeUnit::PerSecond),
            ],
        )
    });
    let unit = unit.unwrap_or_default();
    let gauge = Gauge {
        name,
        of,
        expr: expr.unwrap_or_default(),
        unit,
        warn: table.take("warn").and_then(|node| level(&node, unit)),
        crit: table.take("crit").and_then(|node| level(&node, unit)),
        drift: table.take("drift").and_then(|node| drift(&node, unit)),
    };
    owned.finish();
    gauge
}

/// `> 400MiB`.
fn level(node: &Node<'_, '_>, unit: GaugeUnit) -> Option<Level> {
    let text = node.string()?;
    let parts = Cmp::split(&text).filter(|(left, _, _)| left.is_empty());
    let Some((_, cmp, bound)) = parts else {
        not_a_level(node, &text, "> 400MiB");
        return None;
    };
    let value = noted(node, value(bound, unit))?;
    Some(Level { cmp, value })
}

/// `< 5MiB/h`, as a change an hour.
fn drift(node: &Node<'_, '_>, unit: GaugeUnit) -> Option<Level> {
    let text = node.string()?;
    let parts = Cmp::split(&text)
        .filter(|(left, _, _)| left.is_empty())
        .and_then(|(_, cmp, bound)| {
            let (amount, per) = bound.rsplit_once('/')?;
            let an_hour = match per.trim() {
                "s" => 3600.0,
                "m" | "min" => 60.0,
                "h" => 1.0,
                "d" => 1.0 / 24.0,
                _ => return None,
            };
            Some((cmp, amount.trim(), an_hour))
        });
    let Some((cmp, amount, an_hour)) = parts else {
        not_a_level(node, &text, "< 5MiB/h");
        return None;
    };
    let value = noted(node, value(amount, unit))? * an_hour;
    Some(Level { cmp, value })
}

fn not_a_level(node: &Node<'_, '_>, text: &str, example: &str) {
    node.cx.report(
        Diagnostic::new(format!("`{text}` is not a bound"), node.place())
            .help(format!("write a comparison and a value: `{example}`")),
    );
}

fn noted(node: &Node<'_, '_>, value: Result<f64, UnitError>) -> Option<f64> {
    match value {
        Ok(value) => Some(value),
        Err(error) => {
            node.wrong(error.to_string());
            None
        }
    }
}

/// A value in a gauge's unit, as a number of base units.
fn value(text: &str, unit: GaugeUnit) -> Result<f64, UnitError> {
    match unit {
        GaugeUnit::Count => parse_count(text),
        GaugeUnit::Bytes => parse_bytes(text).map(|bytes| bytes as f64),
        GaugeUnit::Seconds => parse_duration(text).map(|time| time.as_secs_f64()),
        GaugeUnit::Ratio => text.parse::<Ratio>().map(|ratio| ratio.0),
        GaugeUnit::PerSecond => text.parse::<Rate>().map(|rate| rate.0),
    }
}
