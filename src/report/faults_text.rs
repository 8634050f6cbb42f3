//! Faults and how the system took them, as text.

use super::faults::{Fault, Line, Measure, Picture};
use super::format::{clock, count_short, duration_short, rate_short, span};
use super::summary::Summary;
use super::table::{Align, Table, cut, wrap};
use super::text::WIDTH;
use crate::verdict::scorecard::{Points, WEIGHTS};

/// Injections that are told one by one, the newest.
const TOLD: usize = 10;
/// Columns before the picture's first.
const MARGIN: usize = 22;

/// One block an injection.
pub(super) fn faults(summary: &Summary) -> Vec<String> {
    let faults = &summary.faults;
    if faults.is_empty() {
        return Vec::new();
    }
    let mut lines = vec!["faults".to_owned()];
    let more = faults.len().saturating_sub(TOLD);
    if more > 0 {
        lines.push(format!("  {more} earlier ones are in the JSON"));
    }
    for fault in &faults[more..] {
        lines.extend(one(fault));
    }
    lines
}

fn one(fault: &Fault) -> Vec<String> {
    let moment = |seconds: f64| clock((seconds * 1e6) as u64);
    let mut head = vec![format!("{} at {}", fault.name, moment(fault.at_s))];
    head.push(match fault.cleared_s {
        Some(cleared) => format!("for {}", span((cleared - fault.at_s).round())),
        None => fault.state.name().to_owned(),
    });
    head.extend(fault.by.as_ref().map(|by| format!("by {by}")));
    if fault.forced {
        head.push("forced".into());
    }
    head.push(format!("on {}", fault.service));
    let mut lines = vec![cut(&format!("  {}", head.join(" · ")), WIDTH)];
    if !fault.done {
        lines.extend(wrap(
            "    ",
            &format!("was not put in: {}", fault.said),
            WIDTH,
        ));
        lines.extend(losses(fault));
        return lines;
    }
    lines.extend(wrap("    ", &measured(fault), WIDTH));
    lines.extend(wrap("    ", &cost(fault), WIDTH));
    lines.extend(losses(fault));
    lines.extend(picture(&fault.picture));
    lines
}

fn measured(fault: &Fault) -> String {
    let by = fault.detected_by.as_ref();
    let by = by.map_or_else(String::new, |alert| format!(" by {alert}"));
    let of = fault.recover_within_s;
    let of = of.map_or_else(String::new, |of| format!(" of {}", span(of)));
    let said = |what: &str, measure: &Measure| format!("{what} {}", measure.text);
    let mut parts = vec![
        said("hurt", &fault.impact),
        said("noticed", &fault.detection) + &by,
        said("mitigated", &fault.mitigation),
        said("back", &fault.recovery) + &of,
    ];
    match fault.breaches_s.len() {
        0 => {}
        1 => parts.push("out of bounds again once".into()),
        times => parts.push(format!("out of bounds again {times} times")),
    }
    parts.join(" · ")
}

fn cost(fault: &Fault) -> String {
    let mut parts = vec![format!("{} failed", count_short(fault.failed as f64))];
    if let (Some(spent), Some(limit)) = (fault.user_seconds, fault.limit_ms)
        && fault.slow > 0
    {
        let limit = duration_short(limit * 1e3);
        let spent = count_short(spent.round());
        let slow = count_short(fault.slow as f64);
        parts.push(format!(
            "{slow} slower than {limit}, {spent} user-seconds beyond it"
        ));
    }
    if let Some(effect) = &fault.effect {
        let (affected, seen) = (effect.affected as f64, effect.seen as f64);
        parts.push(if effect.seen > 0 {
            format!("touched {} of {}", count_short(affected), count_short(seen))
        } else if effect.text.is_empty() {
            "touched nothing".into()
        } else {
            effect.text.clone()
        });
    }
    parts.extend(fault.gauges.text.clone());
    if fault.effective == Some(false) {
        parts.push("did nothing that was seen".into());
    }
    parts.push(format!("good is {}", fault.objective));
    parts.join(" · ")
}

/// A ledger each.
fn losses(fault: &Fault) -> Vec<String> {
    let told = fault.losses.iter();
    told.flat_map(|it| wrap("    ", &format!("{}: {}", it.ledger, it.text), WIDTH))
        .collect()
}

fn picture(picture: &Picture) -> Vec<String> {
    let is_plain = |line: &&Line| line.of != "2xx";
    let mut lines: Vec<String> = picture.lines.iter().filter(is_plain).map(bars).collect();
    let width = picture.lines.first().map_or(0, |line| line.values.len());
    let mut marks = vec![' '; width + 8];
    for (name, place) in &picture.marks {
        // Where two fall together, the later one is told.
        for (offset, letter) in format!("^{name}").chars().enumerate() {
            if let Some(cell) = marks.get_mut(place + offset) {
                *cell = letter;
            }
        }
    }
    let marks: String = marks.into_iter().collect();
    let length = format!("{} a column", span(picture.column_s));
    lines.push(format!("    {length:<18}{marks}").trim_end().to_owned());
    lines
}

/// A line of bars, with the most of it before it.
fn bars(line: &Line) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let most = line.values.iter().flatten().copied().fold(0.0, f64::max);
    let bar = |value: &Option<f64>| match value {
        None => '╌',
        Some(value) if *value <= 0.0 => BARS[0],
        Some(value) => BARS[((value / most * 7.0).round() as usize).clamp(1, 7)],
    };
    let head = format!("    {:<9}{:>8}", line.of, rate_short(most));
    let bars: String = line.values.iter().map(bar).collect();
    format!("{head:<MARGIN$}{bars}")
}

/// A table, and the reasons for what is not whole.
pub(super) fn scorecard(summary: &Summary) -> Vec<String> {
    if summary.scorecard.is_empty() {
        return Vec::new();
    }
    let mut table = Table::new(&[
        (Align::Left, 40),
        (Align::Right, 12),
        (Align::Right, 12),
        (Align::Right, 12),
        (Align::Right, 12),
        (Align::Right, 10),
    ]);
    let heads = WEIGHTS.map(|(of, _)| of.to_owned());
    let weights = WEIGHTS.map(|(_, weight)| format!("x{weight}"));
    let row = |first: String, cells: Vec<String>, last: String| {
        std::iter::once(first)
            .chain(cells)
            .chain([last])
            .collect::<Vec<_>>()
    };
    table.row(row(String::new(), heads.to_vec(), "of 100".into()));
    table.row(row("weight".into(), weights.to_vec(), String::new()));
    for score in &summary.scorecard {
        let shown = |it: &Points| it.points.map_or("?".into(), |points| points.to_string());
        let points = score.points.iter().map(shown).collect();
        table.row(row(
            format!("{}: {}", score.service, score.fault),
            points,
            score.total(),
        ));
    }
    let mut lines = vec!["scorecard".to_owned()];
    lines.extend(table.lines());
    for score in &summary.scorecard {
        for it in score.points.iter().filter(|it| it.points != Some(100)) {
            let reason = format!("{}, {}: {}", score.fault, it.of, it.reason);
            lines.extend(wrap("    ", &reason, WIDTH));
        }
    }
    lines
}
