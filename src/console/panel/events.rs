//! What happened, newest last: when, what, and who did it.
//!
//! The row selected counts from the newest, so that a list that is not scrolled stays at what happens now.

use jiff::Timestamp;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Span;

use super::Scene;
use super::header::long;
use super::scenarios::has;
use crate::console::model::View;
use crate::console::table::{Cell, Column, Table};
use crate::console::text::{clean, cut, put};
use crate::console::theme::Theme;
use crate::history::History;
use crate::session::record::{Decision, Event, FaultState, GatePlan, Happening, ScenarioState};
use crate::verdict::format;
use crate::verdict::generator::cause_words;

/// Columns from which the wall clock has room.
const WIDE: u16 = 90;

/// An event in words.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// Its kind.
    pub glyph: &'static str,
    /// How much it matters.
    pub style: Style,
    /// Its kind in a word or two.
    pub word: &'static str,
    /// What it is about; may be empty.
    pub text: String,
}

/// Its title.
pub fn title(scene: &Scene<'_>) -> String {
    let (seen, kept) = (scene.history.events_seen(), scene.history.events().len());
    let count = match scene.ui.filter.as_str() {
        "" if seen > kept as u64 => format!("newest {kept} of {seen}"),
        "" => seen.to_string(),
        filter => format!("{} of {seen} with {}", count(scene), clean(filter)),
    };
    format!("events · {count}")
}

/// Events that the filter leaves, for the bounds of the selected row.
pub fn count(scene: &Scene<'_>) -> usize {
    if scene.ui.filter.is_empty() {
        return scene.history.events().len();
    }
    let events = scene.history.events().iter();
    events.filter(|event| wanted(scene, event)).count()
}

fn wanted(scene: &Scene<'_>, event: &Event) -> bool {
    let filter = &scene.ui.filter;
    if filter.is_empty() {
        return true;
    }
    let told = tell(scene.history, scene.theme, event);
    let by = event.by.as_deref().unwrap_or_default();
    has(told.word, filter) || has(&told.text, filter) || has(by, filter)
}

/// Draws it.
pub fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let theme = scene.theme;
    let room = usize::from(area.height);
    // Backwards from the newest, and no further than can be seen.
    let back = match scene.ui.view {
        View::Events => scene.ui.row,
        _ => 0,
    };
    let wide = area.width >= WIDE;
    let rows = room.saturating_sub(usize::from(wide && room > 1)).max(1);
    let events = scene.history.events().iter().rev();
    let events = events.filter(|event| wanted(scene, event));
    let back = if back == 0 {
        0
    } else {
        back.min(count(scene).saturating_sub(1))
    };
    let skip = (back + 1).saturating_sub(rows);
    let mut shown: Vec<&Event> = events.skip(skip).take(rows).collect();
    shown.reverse();
    if shown.is_empty() {
        let text = if scene.history.events().is_empty() {
            "nothing happened yet".into()
        } else {
            format!("none contains {}", clean(&scene.ui.filter))
        };
        let text = cut(&text, usize::from(area.width)).into_owned();
        return put(
            buf,
            area,
            0,
            0,
            &[Span::styled(text, theme.dim)],
            &theme.glyphs,
        );
    }
    let mut table = Table::new(&[
        Column::number(if wide { "window" } else { "" }, 1),
        Column::number(if wide { "UTC" } else { "" }, 5),
        Column::word("", 0),
        Column::word("", 3).close(),
        Column::words("", 0, 8),
        Column::words(if wide { "by" } else { "" }, 4, 8),
    ]);
    // A list that follows what happens has no selected row.
    if back > 0 {
        table.selected = Some(shown.len() - 1 - (back - skip).min(shown.len() - 1));
    }
    for event in shown {
        let told = tell(scene.history, theme, event);
        table.row(vec![
            Cell::new(long(event.at), theme.dim),
            Cell::new(
                if wide {
                    wall(event.wall)
                } else {
                    String::new()
                },
                theme.dim,
            ),
            Cell::new(told.glyph, told.style),
            Cell::new(told.word, told.style),
            Cell::new(told.text, theme.text),
            Cell::new(
                clean(event.by.as_deref().unwrap_or_default()).into_owned(),
                theme.dim,
            ),
        ]);
    }
    table.draw(area, buf, theme);
}

/// The wall clock in UTC; empty when it makes no sense.
pub fn wall(micros: u64) -> String {
    let moment = i64::try_from(micros).ok().map(Timestamp::from_microsecond);
    match moment {
        Some(Ok(moment)) => moment.strftime("%H:%M:%S").to_string(),
        Some(Err(_)) | None => String::new(),
    }
}

/// An event on a line of its own: `gate failed  errors < 2% (3.1%)`, and who did it.
pub fn in_words(history: &History, event: &Event) -> String {
    let told = tell(history, &Theme::default(), event);
    let by = event.by.as_deref().map(clean).unwrap_or_default();
    let by = if by.is_empty() {
        String::new()
    } else {
        format!("  (by {by})")
    };
    format!("{}  {}{by}", told.word, told.text)
        .trim_end()
        .to_owned()
}

/// An event in words.
pub fn tell(history: &History, theme: &Theme, event: &Event) -> Told {
    let glyphs = &theme.glyphs;
    let told = |glyph, style, word, text: String| Told {
        glyph,
        style,
        word,
        text,
    };
    match &event.what {
        Happening::Phase { phase } => {
            let load = history
                .window()
                .and_then(|window| window.phases.get(*phase));
            let load = load.map_or_else(String::new, |plan| {
                format!(" {}", format::factor(plan.load))
            });
            let name = name(&history.names().phases, *phase);
            told(glyphs.runs, theme.accent, "phase", format!("{name}{load}"))
        }
        Happening::Scenario { scenario, state } => {
            let name = name(&history.names().scenarios, *scenario);
            let (glyph, style, word) = match state {
                ScenarioState::Stopped => (glyphs.stopped, theme.dim, "stopped"),
                ScenarioState::Running => (glyphs.runs, theme.good, "started"),
                ScenarioState::Draining => (glyphs.stopped, theme.warn, "stopping"),
                ScenarioState::Done => (glyphs.yes, theme.dim, "done"),
            };
            told(glyph, style, word, name)
        }
        Happening::Load {
            scenario: None,
            factor,
        } => told(
            glyphs.up,
            theme.warn,
            "load",
            format!("{} for all", format::factor(*factor)),
        ),
        Happening::Load {
            scenario: Some(scenario),
            factor,
        } => {
            let name = name(&history.names().scenarios, *scenario);
            told(
                glyphs.up,
                theme.warn,
                "load",
                format!("{name} at {}", format::count_short(*factor)),
            )
        }
        Happening::Extend { by_us, .. } => {
            let by = format::span(*by_us as f64 / 1e6);
            told(glyphs.dot, theme.warn, "extended", format!("by {by}"))
        }
        Happening::Hold { on: true } => told(glyphs.stopped, theme.warn, "held", String::new()),
        Happening::Hold { on: false } => told(glyphs.runs, theme.text, "goes on", String::new()),
        Happening::Gate { gate, holds, value } => {
            let plan = history.window().and_then(|window| window.gates.get(*gate));
            let text = plan.map_or_else(|| (gate + 1).to_string(), expects);
            let text = format!("{text} ({})", clean(value));
            match holds {
                true => told(glyphs.yes, theme.good, "gate holds", text),
                false => told(glyphs.no, theme.bad, "gate failed", text),
            }
        }
        Happening::Fault { fault, state, text } => tell_fault(history, theme, *fault, *state, text),
        Happening::Mark { text } => {
            told(glyphs.mark, theme.accent, "mark", clean(text).into_owned())
        }
        Happening::SignOff { decision, text } => {
            let (glyph, style, word) = match decision {
                Decision::Go => (glyphs.yes, theme.good, "signed go"),
                Decision::NoGo => (glyphs.no, theme.bad, "signed no-go"),
            };
            told(glyph, style, word, clean(text).into_owned())
        }
        Happening::Generator { causes } if causes.is_empty() => {
            told(glyphs.yes, theme.good, "generator", "keeps up again".into())
        }
        Happening::Generator { causes } => {
            let causes: Vec<&str> = causes.iter().map(|&cause| cause_words(cause)).collect();
            told(glyphs.alert, theme.bad, "generator", causes.join(", "))
        }
        Happening::Warning { text } => told(
            glyphs.alert,
            theme.warn,
            "warning",
            clean(text).into_owned(),
        ),
        Happening::Stop { text, .. } => {
            told(glyphs.stopped, theme.title, "end", clean(text).into_owned())
        }
        Happening::Unknown => told(
            glyphs.unknown,
            theme.dim,
            "unknown",
            "of a later version".into(),
        ),
    }
}

fn tell_fault(
    history: &History,
    theme: &Theme,
    fault: usize,
    state: FaultState,
    text: &str,
) -> Told {
    let plan = history.window().and_then(|window| window.faults.get(fault));
    let name = plan.map_or_else(
        || (fault + 1).to_string(),
        |plan| clean(&plan.name).into_owned(),
    );
    let style = match state {
        FaultState::Armed => theme.dim,
        FaultState::Injecting | FaultState::Active => theme.warn,
        FaultState::Reverting | FaultState::Recovering => theme.text,
        FaultState::Recovered => theme.good,
        FaultState::Failed => theme.bad,
    };
    let word = match state {
        FaultState::Armed => "fault armed",
        FaultState::Injecting => "fault goes in",
        FaultState::Active => "fault on",
        FaultState::Reverting => "fault goes out",
        FaultState::Recovering => "fault off",
        FaultState::Recovered => "recovered",
        FaultState::Failed => "fault failed",
    };
    let text = if text.is_empty() {
        name
    } else {
        format!("{name}: {}", clean(text))
    };
    Told {
        glyph: super::faults::glyph(theme, state),
        style,
        word,
        text,
    }
}

/// What a gate expects, of what.
fn expects(plan: &GatePlan) -> String {
    let text = match plan.of.as_str() {
        "" => plan.expect.clone(),
        of => format!("{of} {}", plan.expect),
    };
    clean(&text).into_owned()
}

fn name(names: &[String], index: usize) -> String {
    let name = names.get(index).map(|name| clean(name).into_owned());
    name.unwrap_or_else(|| (index + 1).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::panel::fixture::{at_every_size, buffer, lines, model, pictures};

    fn events(seconds: u64) -> crate::console::Model {
        let mut model = model(seconds);
        model.ui.view = View::Events;
        model
    }

    #[test]
    fn it_lists_what_happened_newest_last() {
        let pictures = pictures(&mut events(850), draw, [(40, 6), (80, 12), (140, 24)]);
        insta::assert_snapshot!(pictures);
    }

    #[test]
    fn it_fits_everywhere() {
        at_every_size(&mut events(850), draw);
        at_every_size(&mut events(0), draw);
    }

    #[test]
    fn scrolling_back_keeps_the_selected_event_in_sight() {
        let mut model = events(850);
        model.ui.row = 21;
        let text = lines(&buffer(&model, draw, 80, 5)).join("\n");
        assert!(text.contains("cache warm"), "{text}");
        assert!(!text.contains("signed"), "{text}");
        model.ui.row = 1_000;
        let text = lines(&buffer(&model, draw, 80, 5)).join("\n");
        assert!(text.contains("steady 1x"), "{text}");
    }

    #[test]
    fn a_filter_leaves_only_what_contains_it() {
        let mut model = events(850);
        model.ui.filter = "KILL".into();
        let text = lines(&buffer(&model, draw, 80, 8)).join("\n");
        assert!(
            text.contains("kill primary") && !text.contains("mark"),
            "{text}"
        );
        assert!(title(&crate::console::panel::fixture::scene(&model)).contains("4 of"));
    }
}
