//! The line at the top: what runs, whether what is shown is now, where the window is in its plan, and the verdict so far.
//!
//! The parts stand in four groups with equal room between them. When there is no room, parts go whole, the least
//! important first; the state, the clock and the verdict stay longest.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::Span;

use super::Scene;
use crate::console::derived::Derived;
use crate::console::event::Speed;
use crate::console::model::Kind;
use crate::console::text::{Part, clean, cut, put};
use crate::history::{History, Schedule};
use crate::profile::model::Severity;
use crate::session::record::{Bottleneck, EndReason};
use crate::verdict::{Judgement, Verdict, format};

/// Columns below which two lines are worth their room.
const NARROW: u16 = 100;

/// Lines that the header wants at this width.
pub fn height(width: u16) -> u16 {
    if width < NARROW { 2 } else { 1 }
}

/// Draws it.
pub fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let state = state(scene);
    let schedule = Schedule::of(scene.history);
    let (names, alarms, verdict) = (names(scene), alarms(scene), verdict(scene));
    let clock = clock(scene, &state, schedule.as_ref(), area.width);
    let plan = schedule.map_or_else(Vec::new, |at| plan(scene, &at));
    match area.height {
        0 => {}
        1 => line(
            scene,
            area,
            buf,
            0,
            vec![names, clock, plan, alarms, verdict],
        ),
        _ => {
            line(scene, area, buf, 0, vec![names, clock, verdict]);
            line(scene, area, buf, 1, vec![plan, alarms]);
        }
    }
}

/// Groups of parts on one line: the first at the left, the last at the right, equal room between them.
fn line(scene: &Scene<'_>, area: Rect, buf: &mut Buffer, y: usize, groups: Vec<Vec<Part<'_>>>) {
    // One column is left free at either side, as long as there is any to spare.
    let margin = usize::from(area.width > 40);
    let room = usize::from(area.width).saturating_sub(2 * margin);
    let groups = groups.into_iter().enumerate();
    let mut parts: Vec<(usize, Part<'_>)> = groups
        .flat_map(|(number, group)| group.into_iter().map(move |part| (number, part)))
        .collect();
    let wanted = |parts: &[(usize, Part<'_>)]| {
        let words: usize = parts.iter().map(|(_, part)| part.width()).sum();
        words + 2 * parts.len().saturating_sub(1)
    };
    while !parts.is_empty() && wanted(&parts) > room {
        let worst = (0..parts.len()).max_by_key(|&place| parts[place].1.rank);
        parts.remove(worst.unwrap_or(0));
    }
    let taken: usize = parts.iter().map(|(_, part)| part.width()).sum();
    let breaks = parts.windows(2).filter(|pair| pair[0].0 != pair[1].0);
    let breaks = breaks.count();
    let joins = parts.len().saturating_sub(1) - breaks;
    let spare = room.saturating_sub(taken + 2 * joins);
    let (mut x, mut seen) = (margin, 0);
    for (place, (group, part)) in parts.iter().enumerate() {
        if place > 0 {
            x += if *group == parts[place - 1].0 {
                2
            } else {
                seen += 1;
                spare * seen / breaks - spare * (seen - 1) / breaks
            };
        }
        put(buf, area, x, y, &part.words, &scene.theme.glyphs);
        x += part.width();
    }
}

fn names<'a>(scene: &Scene<'a>) -> Vec<Part<'a>> {
    let theme = scene.theme;
    let mut parts = vec![Part::one(9, "stormdeck", theme.dim)];
    if let Some(window) = scene.history.window() {
        let name = cut(&clean(&window.name), 32).into_owned();
        let mut words = vec![Span::styled(name, theme.title)];
        if let Some(environment) = &window.environment {
            let environment = cut(&clean(environment), 20).into_owned();
            words.push(Span::styled(format!(" {} ", theme.glyphs.dot), theme.dim));
            words.push(Span::styled(environment, theme.text));
        }
        parts.push(Part::new(6, words));
    }
    parts
}

/// Whether what is shown is now.
struct State {
    glyph: &'static str,
    word: String,
    style: Style,
}

fn state(scene: &Scene<'_>) -> State {
    let (theme, deck, ui) = (scene.theme, scene.deck, scene.ui);
    let glyphs = theme.glyphs;
    let ended = scene.history.end().map(|end| match end.reason {
        EndReason::Finished => "finished",
        EndReason::Stopped => "stopped",
        EndReason::Aborted => "aborted",
    });
    let loud = theme.warn.add_modifier(Modifier::BOLD);
    match (deck.kind, &deck.past, ui.playing) {
        (Kind::Replay, _, Some(speed)) => State {
            glyph: glyphs.runs,
            word: format!("REPLAY {}", speed_word(speed)),
            style: theme.accent,
        },
        (Kind::Replay, _, None) => State {
            glyph: glyphs.stopped,
            word: ended.map_or_else(
                || "REPLAY paused".into(),
                |ended| format!("REPLAY paused, {ended}"),
            ),
            style: theme.accent,
        },
        (Kind::Live, Some(past), playing) => {
            let now = deck.live.last().map_or(0, |last| last.at);
            let shown = past.last().map_or(0, |last| last.at);
            let behind = now.saturating_sub(shown);
            let word = match playing {
                Some(speed) => format!("REWOUND {}", speed_word(speed)),
                None if ui.frozen => "FROZEN".into(),
                None => "REWOUND".into(),
            };
            State {
                glyph: if playing.is_some() {
                    glyphs.runs
                } else {
                    glyphs.stopped
                },
                word: format!("{word} −{}", long(behind)),
                style: loud,
            }
        }
        (Kind::Live, None, _) => match ended {
            Some(ended) => State {
                glyph: glyphs.stopped,
                word: format!("ENDED {ended}"),
                style: theme.title,
            },
            None => State {
                glyph: glyphs.on,
                word: "REC".into(),
                style: theme.bad,
            },
        },
    }
}

fn speed_word(speed: Speed) -> String {
    match speed {
        Speed::Times(times) => format::factor(times),
        Speed::Step => "one tick".into(),
        Speed::Unbounded => "at full speed".into(),
    }
}

fn clock<'a>(
    scene: &Scene<'a>,
    state: &State,
    schedule: Option<&Schedule>,
    width: u16,
) -> Vec<Part<'a>> {
    let theme = scene.theme;
    let now = scene.history.last().map_or(0, |last| last.at);
    let word = format!("{} {} ", state.glyph, state.word);
    let mut words = vec![
        Span::styled(word, state.style),
        Span::styled(long(now), theme.title),
    ];
    if crate::console::text::width_of(&words) > usize::from(width) {
        words.remove(0);
    }
    let ends = schedule.filter(|at| !at.over).and_then(|at| at.window_ends);
    if let Some(ends) = ends.filter(|_| width >= 60) {
        words.push(Span::styled(format!(" / {}", long(ends)), theme.dim));
    }
    vec![Part::new(0, words)]
}

fn plan<'a>(scene: &Scene<'a>, at: &Schedule) -> Vec<Part<'a>> {
    let theme = scene.theme;
    let mut parts = Vec::new();
    let name = scene.history.names().phases.get(at.phase);
    let name = cut(&clean(name.map_or("", String::as_str)), 24).into_owned();
    parts.push(Part::new(
        5,
        vec![
            Span::styled("phase ", theme.dim),
            Span::styled(format!("{}/{}", at.phase + 1, at.phases), theme.text),
            Span::styled(format!(" {name}"), theme.accent),
            Span::styled(format!(" {}", format::factor(round(at.load))), theme.text),
        ],
    ));
    if at.is_by_hand() && !at.over {
        parts.push(Part::one(4, "by hand", theme.warn));
    }
    match (at.over, at.held_since, at.left()) {
        (true, ..) if scene.history.end().is_none() => {
            parts.push(Part::one(3, "draining", theme.warn));
        }
        (false, Some(since), _) => {
            let held = format::clock(at.now.saturating_sub(since));
            let style = theme.warn.add_modifier(Modifier::BOLD);
            parts.push(Part::one(3, format!("HELD {held}"), style));
        }
        (false, None, Some(left)) => parts.push(Part::new(
            3,
            vec![
                Span::styled(format::clock(left), theme.text),
                Span::styled(" left", theme.dim),
            ],
        )),
        (true, ..) | (false, None, None) => {}
    }
    parts
}

/// What must not be overlooked.
fn alarms<'a>(scene: &Scene<'a>) -> Vec<Part<'a>> {
    let theme = scene.theme;
    let loud = theme.bad.add_modifier(Modifier::REVERSED);
    let mut words = Vec::new();
    if scene.deck.broken.is_some() {
        words.push(" FILE BROKEN ".to_owned());
    }
    if let Some(cause) = bottleneck(scene.history) {
        words.push(format!(" GENERATOR {cause} "));
    }
    if lost_just_now(scene.history) {
        words.push(" TICKS LOST ".to_owned());
    }
    let words = words.into_iter();
    words.map(|word| Part::one(2, word, loud)).collect()
}

/// Why the latest tick says more about the generator than about the system.
fn bottleneck(history: &History) -> Option<&'static str> {
    let (&cause, _) = history.last_tick()?.generator.causes.first_key_value()?;
    Some(match cause {
        Bottleneck::SentLate => "LATE",
        Bottleneck::Cpu => "OUT OF CPU",
        Bottleneck::Files => "OUT OF FILES",
        Bottleneck::FellBehind => "BEHIND",
        Bottleneck::Stalled => "STALLED",
    })
}

/// Whether ticks of the last half minute are missing.
fn lost_just_now(history: &History) -> bool {
    let Some(last) = history.last() else {
        return false;
    };
    let span = (30_000_000 / history.tick_us()).max(1);
    let gap = history.gaps().back();
    gap.is_some_and(|gap| gap.to.saturating_add(span) >= last.tick)
}

fn verdict<'a>(scene: &Scene<'a>) -> Vec<Part<'a>> {
    let theme = scene.theme;
    if scene.history.last().is_none() {
        return Vec::new();
    }
    let derived = Derived::of(scene.history);
    let judgement = derived.judgement(scene.history);
    let (text, style) = sentence(judgement, scene.history.end().is_some());
    let style = match style {
        Verdict::Go => theme.good,
        Verdict::Conditional | Verdict::Inconclusive => theme.warn,
        Verdict::NoGo => theme.bad,
    };
    vec![Part::one(0, text, style.add_modifier(Modifier::BOLD))]
}

/// The verdict in a few words: `GO so far`, `NO-GO 1 blocker`.
pub fn sentence(judgement: &Judgement, ended: bool) -> (String, Verdict) {
    let verdict = judgement.verdict;
    let many = |count: usize, word: &str| match count {
        0 => String::new(),
        1 => format!(" 1 {word}"),
        count => format!(" {count} {word}s"),
    };
    let text = match verdict {
        Verdict::NoGo => format!(
            "{verdict}{}",
            many(judgement.failed(Severity::Blocker), "blocker")
        ),
        Verdict::Conditional => {
            format!(
                "{verdict}{}",
                many(judgement.failed(Severity::Advisory), "advisory")
                    .replace("advisorys", "advisories")
            )
        }
        Verdict::Go | Verdict::Inconclusive if ended => verdict.to_string(),
        Verdict::Go | Verdict::Inconclusive => format!("{verdict} so far"),
    };
    (text, verdict)
}

/// `00:42:17`, from µs.
fn long(micros: u64) -> String {
    let seconds = micros / 1_000_000;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{hours:02}:{minutes:02}:{seconds:02}")
}

/// A factor as it is read, without the digits of a ramp.
fn round(factor: f64) -> f64 {
    (factor * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::panel::fixture::{at_every_size, buffer, lines, model, pictures};
    use crate::history::testing::{Recording, overload};

    fn told(model: &crate::console::Model, width: u16) -> String {
        lines(&buffer(model, draw, width, 1))[1]
            .trim_matches('~')
            .trim()
            .to_owned()
    }

    #[test]
    fn it_says_where_the_window_is() {
        let pictures = pictures(&mut model(700), draw, [(40, 2), (120, 1), (200, 1)]);
        insta::assert_snapshot!(pictures);
    }

    #[test]
    fn it_fits_everywhere() {
        at_every_size(&mut model(700), draw);
        at_every_size(&mut model(0), draw);
    }

    #[test]
    fn a_picture_that_is_not_now_says_so() {
        let mut model = model(700);
        model.decks[0].past = Some(crate::console::testing::history(510));
        assert!(told(&model, 160).contains("REWOUND −00:03:10 00:08:30"));
        model.ui.frozen = true;
        assert!(told(&model, 160).contains("FROZEN −00:03:10 00:08:30"));
        model.ui.playing = Some(Speed::Times(2.0));
        assert!(told(&model, 160).contains("REWOUND 2x −00:03:10"));
        model.decks[0].kind = Kind::Replay;
        model.ui.playing = Some(Speed::Times(10.0));
        assert!(told(&model, 160).contains("▶ REPLAY 10x 00:08:30"));
        model.ui.playing = None;
        assert!(told(&model, 160).contains("REPLAY paused"));
    }

    #[test]
    fn what_is_held_ended_or_wrong_is_loud() {
        assert!(told(&model(770), 160).contains("HELD 00:10"));
        let plan = Recording::new(&[("steady", 60, 1.0)]).phase(0).ticks(20);
        let mut model = model(0);
        model.decks[0].live = plan.clone().end(EndReason::Stopped).history();
        assert!(told(&model, 160).contains("ENDED stopped"));
        model.decks[0].live = plan
            .ticks_with(1, overload)
            .gap(3, "disk full")
            .ticks(1)
            .history();
        assert!(told(&model, 160).contains("TICKS LOST"));
        assert!(!told(&model, 160).contains("GENERATOR"));
        model.decks[0].broken = Some("torn".into());
        assert!(told(&model, 80).contains("FILE BROKEN"));
        let late = Recording::new(&[("steady", 60, 1.0)]).phase(0);
        model.decks[0].live = late.ticks_with(1, overload).history();
        assert!(told(&model, 160).contains("GENERATOR LATE"));
    }
}
