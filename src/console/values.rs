//! What is on screen in words: a moment's values to copy, and the question about a wish.

use std::fmt::Write as _;

use super::model::{Model, TimeKind};
use super::moment::moment;
use crate::engine::command::Switch;
use crate::engine::control::Wish;
use crate::history::{Bucket, History, Selection, Slot, Totals};
use crate::verdict::format::{duration_short, percent, rate_short, unknown};

/// The values at the selected moment, or at the newest, one a line: name and value, a tab between them.
pub fn of_moment(model: &Model) -> String {
    let history = model.decks[0].shown();
    let newest = history.last().map_or(0, |last| last.tick);
    let tick = model.ui.cursor.unwrap_or(newest);
    let slot = history.slots(tick, tick, 1).next();
    let Some(Slot::Seen(bucket)) = slot else {
        return format!("nothing was recorded at tick {tick}\n");
    };
    let mut text = format!("time\t{}\n", moment(history, bucket.at));
    let phases = &history.names().phases;
    if let Some(phase) = bucket.phase.and_then(|phase| phases.get(phase)) {
        let _ = writeln!(text, "phase\t{phase}");
    }
    latencies(
        &mut text,
        "all",
        &bucket.totals(&Selection::all()),
        model.ui.time,
    );
    for (index, step) in history.names().steps.iter().enumerate() {
        if bucket.steps.iter().any(|found| found.step == index) {
            let name = format!("{}/{}", step.journey, step.step);
            let selection = Selection::step(history.names(), index);
            latencies(&mut text, &name, &bucket.totals(&selection), model.ui.time);
        }
    }
    series(&mut text, history, &bucket);
    // A name from a file may hold anything.
    text.retain(|c| !c.is_control() || c == '\t' || c == '\n');
    text
}

fn latencies(text: &mut String, name: &str, totals: &Totals, time: TimeKind) {
    let hist = match time {
        TimeKind::Response => &totals.response,
        TimeKind::Service => &totals.service,
    };
    let rate = totals.rate().map_or_else(unknown, rate_short);
    let errors = totals.error_ratio().map_or_else(unknown, percent);
    let _ = write!(text, "{name}\t{rate}\terrors {errors}");
    if !hist.is_empty() {
        for (label, q) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999)] {
            let _ = write!(
                text,
                "\t{label} {}",
                duration_short(hist.quantile(q) as f64)
            );
        }
        let _ = write!(text, "\tmax {}", duration_short(hist.max() as f64));
    }
    text.push('\n');
}

fn series(text: &mut String, history: &History, bucket: &Bucket) {
    for (index, range) in bucket.series.iter() {
        if let (Some(name), Some(value)) = (history.names().series.get(index), range.last) {
            let _ = writeln!(text, "{name}\t{value}");
        }
    }
}

/// A wish as the question asks about it: `end the phase now`.
pub fn of_wish(wish: &Wish, model: &Model) -> String {
    let phase = |name: &str| {
        let phases = &model.decks[0].shown().names().phases;
        let number = name.parse::<usize>().ok().and_then(|n| n.checked_sub(1));
        number
            .and_then(|n| phases.get(n))
            .cloned()
            .unwrap_or_else(|| name.to_owned())
    };
    let to = |switch: &Switch| match switch {
        Switch::On => "on",
        Switch::Off => "off",
        Switch::Toggle => "on or off",
    };
    match wish {
        Wish::Start { scenario } => format!("let {scenario} put load"),
        Wish::Stop { scenario } => format!("let {scenario} put no load"),
        Wish::Rate { scenario, .. } | Wish::Users { scenario, .. } => {
            format!("change the load of {scenario}")
        }
        Wish::Load { .. } => "change the load".into(),
        Wish::Spike { to: switch } => format!("switch the spike {}", to(switch)),
        Wish::Hold { to: switch } => format!("switch the hold of the phase {}", to(switch)),
        Wish::Next => "end this phase now".into(),
        Wish::Jump { phase: name } => format!("end this phase now and begin {}", phase(name)),
        Wish::Extend { .. } => "let this phase last longer".into(),
        Wish::Mark { .. } => "put a note on the timeline".into(),
        Wish::Fault {
            fault, to: switch, ..
        } => format!("switch the fault {fault} {}", to(switch)),
        Wish::Clear => "clear every fault".into(),
        Wish::SignOff { decision, .. } => format!("sign the window off as {}", decision.name()),
        Wish::End { .. } => "end the window, once what is in flight has finished".into(),
        Wish::Abort { .. } => "end the window without waiting for what is in flight".into(),
        Wish::Gauges { target } => format!("show the gauges for `{target}`"),
        Wish::Pin { expr } => format!("show `{expr}`"),
        Wish::Status | Wish::Hello | Wish::Series { .. } => "ask how the window stands".into(),
    }
}
