//! The whole planned window on one line, what was done and what failed on it, and the newest events in words.
//!
//! ```text
//! steady────────────┊2x──────◆───────────┊spike▓▓▓▓▓✗                ┊failover             ┊cool
//! 00:41:36  fault on  kill primary (by ops@bastion)      00:41:58  gate failed  errors < 2% (3.1%)
//! ```

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::Scene;
use super::happening;
use crate::console::happening::of_history;
use crate::console::model::PlaceKind;
use crate::console::moment::moment;
use crate::console::text;
use crate::console::widget::Canvas;
use crate::console::widget::signs::{self, Sign};
use crate::history::History;
use crate::session::record::{Event, Happening};
use crate::verdict::format;

/// What the panel shows.
pub fn title(scene: &Scene<'_>) -> String {
    let title = "timeline".to_owned();
    let planned = stretches(scene.history).last().map_or(0, |last| last.end);
    if planned == 0 {
        return title;
    }
    let planned = format::span(planned as f64 / 1e6);
    format!("{title} {} {planned}", scene.theme.glyphs.dot)
}

/// Draws the panel without a border or a title.
pub fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let mut canvas = Canvas::new(buf, area, &scene.theme.glyphs);
    if canvas.height() == 0 || canvas.width() == 0 {
        return;
    }
    draw_phases(scene, &mut canvas);
    match canvas.height() {
        1 => {}
        2 => draw_newest(scene, &mut canvas),
        lines => draw_list(scene, lines - 1, &mut canvas),
    }
}

/// A phase, as it was or as it is planned, µs since the window began.
#[derive(Debug, Clone, PartialEq)]
struct Stretch {
    phase: usize,
    begin: u64,
    end: u64,
}

/// The phases that were and are, then those that are planned.
fn stretches(history: &History) -> Vec<Stretch> {
    let plans = history.window().map_or(&[][..], |window| &window.phases);
    let now = history.last().map_or(0, |last| last.at);
    let mut begun = begun(history);
    if begun.is_empty() && !plans.is_empty() {
        begun.push((0, 0));
    }
    let mut stretches: Vec<Stretch> = Vec::new();
    for (place, &(phase, begin)) in begun.iter().enumerate() {
        let length = plans.get(phase).map_or(0, |plan| plan.length_us);
        let planned = begin
            .saturating_add(length)
            .saturating_add(extended(history, phase, begin));
        let next = begun.get(place + 1).map(|next| next.1);
        let over = history.end().map(|end| end.at);
        let end = next.or(over).unwrap_or_else(|| planned.max(now));
        stretches.push(Stretch {
            phase,
            begin,
            end: end.max(begin),
        });
    }
    let running = history.end().is_none();
    if let Some(last) = stretches.last().cloned().filter(|_| running) {
        let mut next = last.end;
        for (phase, plan) in plans.iter().enumerate().skip(last.phase + 1) {
            let end = next.saturating_add(plan.length_us);
            stretches.push(Stretch {
                phase,
                begin: next,
                end,
            });
            next = end;
        }
    }
    stretches
}

/// Phases in the order in which they began, and when, µs.
fn begun(history: &History) -> Vec<(usize, u64)> {
    if history.events_seen() == history.events().len() as u64 {
        let phases = history
            .events()
            .iter()
            .filter_map(|event| match event.what {
                Happening::Phase { phase } => Some((phase, event.at)),
                _ => None,
            });
        return phases.collect();
    }
    // The first events are no longer kept; when each phase first began is.
    let phases = 0..history.names().phases.len();
    let begun = phases.filter_map(|phase| Some((phase, history.phase(phase)?.start)));
    let mut begun: Vec<(usize, u64)> = begun.collect();
    begun.sort_by_key(|&(_, begin)| begin);
    begun
}

/// By how much a phase that began then was made longer, µs.
fn extended(history: &History, phase: usize, begin: u64) -> u64 {
    let events = history.events().iter().filter(|event| event.at >= begin);
    events.fold(0, |sum, event| match event.what {
        Happening::Extend { phase: of, by_us } if of == phase => sum.saturating_add(by_us),
        _ => sum,
    })
}

/// Where moments lie on a line of so many columns.
#[derive(Debug, Clone, Copy)]
struct Line {
    width: usize,
    end: u64,
}

impl Line {
    fn x(self, at: u64) -> usize {
        let place = at as f64 / self.end.max(1) as f64 * self.width as f64;
        (place as usize).min(self.width.saturating_sub(1))
    }
}

fn draw_phases(scene: &Scene<'_>, canvas: &mut Canvas<'_>) {
    let (history, theme) = (scene.history, scene.theme);
    let stretches = stretches(history);
    let Some(end) = stretches.last().map(|last| last.end) else {
        canvas.put_cut(0, 0, usize::MAX, "no phases", theme.dim);
        return;
    };
    let now = history.last().map_or(0, |last| last.at);
    let line = Line {
        width: canvas.width(),
        end: end.max(now),
    };
    let mut named = vec![false; line.width];
    let ended = history.end().is_some();
    for (place, stretch) in stretches.iter().enumerate() {
        let (from, to) = (line.x(stretch.begin), line.x(stretch.end));
        let to = if place + 1 == stretches.len() {
            line.width
        } else {
            to
        };
        let current = !ended && stretch.begin <= now && now < stretch.end.max(stretch.begin + 1);
        let (style, name_style) = match (current, stretch.begin <= now) {
            (true, _) => (theme.accent, theme.accent),
            (false, true) => (theme.border, theme.text),
            (false, false) => (theme.border, theme.dim),
        };
        let so_far = if stretch.end <= now {
            to
        } else {
            (line.x(now) + 1).min(to)
        };
        if stretch.begin <= now {
            let glyph = if current { theme.glyphs.heat[3] } else { "─" };
            canvas.fill(from, so_far, 0, glyph, style);
        }
        let begin = from + usize::from(place > 0);
        if place > 0 && to > from {
            canvas.put(from, 0, "┊", theme.dim);
        }
        let name = history
            .names()
            .phases
            .get(stretch.phase)
            .map_or("?", String::as_str);
        let room = to.saturating_sub(begin);
        let name = text::cut(name, room);
        if room > 1 && canvas.put(begin, 0, &name, name_style) {
            let taken = begin + text::width(&name);
            named[begin..taken.min(line.width)].fill(true);
        }
    }
    draw_signs(scene, line, &named, canvas);
    if let Some(tick) = scene.ui.cursor {
        let at = tick.saturating_mul(history.tick_us());
        canvas.tint(line.x(at), 0, theme.selected);
    }
}

/// Marks, breaches and faults on the line, beside the names and not on them.
fn draw_signs(scene: &Scene<'_>, line: Line, named: &[bool], canvas: &mut Canvas<'_>) {
    let theme = scene.theme;
    let mut signs: Vec<Sign> = Vec::new();
    for event in scene.history.events() {
        let sign = happening::sign(theme, &event.what);
        if sign.rank > 0 {
            signs.push(Sign {
                x: line.x(event.at),
                glyph: sign.glyph,
                style: sign.style,
                rank: sign.rank,
            });
        }
    }
    // What a recording has still to show is known already.
    let shown = scene.history.last().map_or(0, |last| last.tick);
    let places = scene.deck.overview.places.iter();
    for place in places.filter(|place| place.tick > shown) {
        let glyph = match place.kind {
            PlaceKind::Breach => theme.glyphs.no,
            PlaceKind::Mark => theme.glyphs.mark,
            PlaceKind::Fault => theme.glyphs.on,
            PlaceKind::Phase | PlaceKind::Other => continue,
        };
        signs.push(Sign {
            x: line.x(place.tick.saturating_mul(scene.history.tick_us())),
            glyph,
            style: theme.dim,
            rank: 0,
        });
    }
    signs::draw(canvas, 0, signs, named);
}

/// An event in words, when and by whom, and the columns that this takes.
struct Words {
    at: String,
    text: String,
    style: Style,
    by: String,
}

impl Words {
    fn of(scene: &Scene<'_>, event: &Event) -> Self {
        let by = event
            .by
            .as_ref()
            .map_or_else(String::new, |by| format!(" (by {by})"));
        let sign = happening::sign(scene.theme, &event.what);
        Self {
            at: moment(scene.history, event.at),
            text: of_history(scene.history, &event.what).whole(),
            // Most are read as what they are; only what is marked on the line above, or is good again, stands out.
            style: match event.what {
                Happening::Gate { .. } => sign.style,
                _ if sign.rank > 0 => sign.style,
                _ => scene.theme.text,
            },
            by,
        }
    }

    fn width(&self) -> usize {
        text::width(&self.at) + 2 + text::width(&self.text) + text::width(&self.by)
    }

    fn draw(&self, scene: &Scene<'_>, x: usize, y: usize, room: usize, canvas: &mut Canvas<'_>) {
        canvas.put(x, y, &self.at, scene.theme.dim);
        let text = x + text::width(&self.at) + 2;
        let room = room.saturating_sub(text - x);
        canvas.put_cut(text, y, room, &self.text, self.style);
        let taken = text::width(&self.text);
        if room > taken {
            canvas.put_cut(text + taken, y, room - taken, &self.by, scene.theme.dim);
        }
    }
}

/// Columns between two events on one line.
const APART: usize = 4;

/// As many of the newest events as fit on the second line, the newest last.
fn draw_newest(scene: &Scene<'_>, canvas: &mut Canvas<'_>) {
    let room = canvas.width();
    let mut taken = 0;
    let mut shown: Vec<Words> = Vec::new();
    for event in scene.history.events().iter().rev() {
        let words = Words::of(scene, event);
        let more = words.width() + if shown.is_empty() { 0 } else { APART };
        if taken + more > room && !shown.is_empty() {
            break;
        }
        taken += more;
        shown.push(words);
    }
    let mut x = 0;
    for words in shown.iter().rev() {
        words.draw(scene, x, 1, room - x, canvas);
        x += words.width() + APART;
    }
}

/// The newest events, a line each, the newest last.
fn draw_list(scene: &Scene<'_>, lines: usize, canvas: &mut Canvas<'_>) {
    let newest = scene.history.events().iter().rev();
    let words = newest.map(|event| Words::of(scene, event));
    let words: Vec<Words> = words.take(lines).collect();
    let room = canvas.width();
    for (line, words) in words.iter().rev().enumerate() {
        words.draw(scene, 0, 1 + line, room, canvas);
    }
}
