//! What happened, newest last: when, what, and who did it.
//!
//! The row selected counts from the newest, so that a list that is not scrolled stays at what happens now.

use jiff::Timestamp;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::Scene;
use super::happening::sign;
use super::scenarios::has;
use crate::console::happening::of_history;
use crate::console::model::View;
use crate::console::moment::moment;
use crate::console::table::{Cell, Column, Table};
use crate::console::text::{clean, note};
use crate::session::record::{Event, Happening};

/// Columns from which the wall clock has room.
const WIDE: u16 = 90;

/// Columns below which words of the kind have none.
const NARROW: u16 = 45;

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
    let told = of_history(scene.history, &event.what);
    let by = event.by.as_deref().unwrap_or_default();
    has(told.word, filter) || has(&told.text, filter) || has(by, filter)
}

/// Draws it.
pub fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let theme = scene.theme;
    let room = usize::from(area.height);
    let wide = area.width >= WIDE;
    let rows = room.saturating_sub(usize::from(wide && room > 1)).max(1);
    let narrow = area.width < NARROW;
    let joined = narrow && scene.ui.view != View::Events;
    let (shown, selected) = shown(scene, rows, joined);
    if shown.is_empty() {
        let text = if scene.history.events().is_empty() {
            "nothing happened yet".into()
        } else {
            format!("none contains {}", clean(&scene.ui.filter))
        };
        return note(buf, area, &text, theme);
    }
    let mut table = if narrow {
        short(scene, &shown, joined, rows)
    } else {
        whole(scene, &shown, wide)
    };
    table.selected = selected;
    table.draw(area, buf, theme);
}

/// The events to be seen, oldest first, and which of them is selected.
fn shown<'a>(scene: &Scene<'a>, rows: usize, joined: bool) -> (Vec<&'a Event>, Option<usize>) {
    let back = match scene.ui.view {
        View::Events => scene.ui.row,
        _ => 0,
    };
    let back = match back {
        0 => 0,
        back => back.min(count(scene).saturating_sub(1)),
    };
    // Backwards from the newest, and no further than can be seen; of those that are joined, many have one row.
    let skip = (back + 1).saturating_sub(rows);
    let take = if joined { usize::MAX } else { rows };
    let events = scene.history.events().iter().rev();
    let events = events.filter(|event| wanted(scene, event));
    let mut shown: Vec<&Event> = events.skip(skip).take(take).collect();
    shown.reverse();
    // A list that follows what happens has no selected row.
    let selected = (back > 0).then(|| (shown.len() - 1).saturating_sub(back - skip));
    (shown, selected)
}

/// Kind and text beside each other, and who did it.
fn whole<'a>(scene: &Scene<'a>, shown: &[&'a Event], wide: bool) -> Table<'a> {
    let theme = scene.theme;
    let mut table = Table::new(&[
        Column::number(if wide { "window" } else { "" }, 1),
        Column::number(if wide { "UTC" } else { "" }, 5),
        Column::word("", 0),
        Column::word("", 3).close(),
        Column::words("", 0, 8),
        Column::words(if wide { "by" } else { "" }, 4, 8),
    ]);
    for event in shown {
        let told = of_history(scene.history, &event.what);
        let sign = sign(theme, &event.what);
        let wall = if wide {
            wall(event.wall)
        } else {
            String::new()
        };
        let by = clean(event.by.as_deref().unwrap_or_default());
        table.row(vec![
            Cell::new(moment(scene.history, event.at), theme.dim),
            Cell::new(wall, theme.dim),
            Cell::new(sign.glyph, sign.style),
            Cell::new(told.word, sign.style),
            Cell::new(told.text, theme.text),
            Cell::new(by, theme.dim),
        ]);
    }
    table
}

/// A sign and a few words. Where each need not have a row of its own, a generator that comes and goes has one.
fn short<'a>(scene: &Scene<'a>, shown: &[&'a Event], joined: bool, rows: usize) -> Table<'a> {
    let theme = scene.theme;
    let mut table = Table::new(&[
        Column::number("", 1),
        Column::word("", 0).close(),
        Column::words("", 0, 4).close(),
    ]);
    let mut newest_first = Vec::new();
    let mut left = shown;
    while let Some((event, before)) = left.split_last().filter(|_| newest_first.len() < rows) {
        let told = of_history(scene.history, &event.what);
        let flips = if joined { flips(left) } else { &[] };
        let (text, before) = match flips.iter().filter(|event| is_late(event)).count() {
            0 | 1 => (told.short, before),
            times => {
                let text = format!("{} ×{times}: {}", told.word, told.text);
                (text, &left[..left.len() - flips.len()])
            }
        };
        let sign = sign(theme, &event.what);
        newest_first.push(vec![
            Cell::new(moment(scene.history, event.at), theme.dim),
            Cell::new(sign.glyph, sign.style),
            Cell::new(text, theme.text),
        ]);
        left = before;
    }
    table.rows.extend(newest_first.into_iter().rev());
    table
}

/// The events at the end that only tell of the generator.
fn flips<'a, 'b>(events: &'b [&'a Event]) -> &'b [&'a Event] {
    let other = |event: &&Event| !matches!(event.what, Happening::Generator { .. });
    let begin = events.iter().rposition(other).map_or(0, |other| other + 1);
    &events[begin..]
}

fn is_late(event: &Event) -> bool {
    matches!(&event.what, Happening::Generator { causes } if !causes.is_empty())
}

/// The wall clock in UTC; empty when it makes no sense.
pub fn wall(micros: u64) -> String {
    let moment = i64::try_from(micros).ok().map(Timestamp::from_microsecond);
    match moment {
        Some(Ok(moment)) => moment.strftime("%H:%M:%S").to_string(),
        Some(Err(_)) | None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::panel::fixture::{at_every_size, buffer, lines, model, pictures};
    use crate::session::record::{Bottleneck, Record};

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
        let events = model.decks[0].live.events().iter().rev();
        let is_mark = |event: &Event| matches!(event.what, Happening::Mark { .. });
        let mut marks = events.enumerate().filter(|(_, event)| is_mark(event));
        model.ui.row = marks.next_back().unwrap().0;
        let text = lines(&buffer(&model, draw, 80, 5)).join("\n");
        assert!(text.contains("cache warm"), "{text}");
        assert!(!text.contains("signed"), "{text}");
        model.ui.row = 1_000;
        let text = lines(&buffer(&model, draw, 80, 5)).join("\n");
        assert!(text.contains("steady 1x"), "{text}");
    }

    #[test]
    fn a_generator_that_comes_and_goes_has_one_line_where_there_is_little_room() {
        let mut model = events(850);
        for flip in 0..24 {
            let causes = match flip % 2 {
                0 => vec![Bottleneck::SentLate],
                _ => Vec::new(),
            };
            let (at, wall, by) = ((851 + flip) * 1_000_000, 0, None);
            let what = Happening::Generator { causes };
            let event = Event { at, wall, by, what };
            model.decks[0].live.apply(&Record::Event(event));
        }
        let text = |model: &_| lines(&buffer(model, draw, 34, 4)).join("\n");
        assert!(!text(&model).contains('×'), "{}", text(&model));
        assert!(text(&model).contains("⚠ generator: requests left…"));
        model.ui.view = View::Overview;
        let told = text(&model);
        assert!(
            told.contains("14:34 ✓ generator ×12: keeps up a…"),
            "{told}"
        );
        assert!(told.contains("✗ signed no-go: the pool"), "{told}");
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
