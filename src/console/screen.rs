//! Where everything is on screen, and how it is put together.
//!
//! ```text
//!  header                                   what runs, how far it is, the verdict so far
//! ┌ panels ──────┬───────────────────┐
//! │              │                   │      those of the view, laid out by [`layout`]
//! ├──────────────┴───────────────────┤
//! └──────────────────────────────────┘
//!  footer                                   the keys that mean something now, or the word said last
//! ```
//!
//! Two sessions share the middle, each with its own panels of the same view.

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::symbols::merge::MergeStrategy;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Widget as _};

use super::layout::{self, Facts, Panel};
use super::model::{Deck, Model, Overlay, View};
use super::panel::{self, Draw, Scene};
use crate::session::record::Window;

/// Draws everything.
pub fn draw(model: &Model, frame: &mut Frame<'_>) {
    let area = frame.area();
    paint(model, area, frame.buffer_mut());
}

/// Likewise, into a buffer.
pub fn paint(model: &Model, area: Rect, buf: &mut Buffer) {
    if area.is_empty() {
        return;
    }
    let first = scene(model, &model.decks[0]);
    let head = panel::header::height(area.width).min(area.height);
    let foot = u16::from(area.height > head + 1);
    panel::header::draw(
        &first,
        Rect {
            height: head,
            ..area
        },
        buf,
    );
    let middle = Rect {
        y: area.y + head,
        height: area.height - head - foot,
        ..area
    };
    for (deck, area) in model.decks.iter().zip(shares(middle, model.decks.len())) {
        paint_deck(&scene(model, deck), area, buf);
    }
    if foot > 0 {
        let bottom = Rect {
            y: area.bottom() - 1,
            height: 1,
            ..area
        };
        panel::footer::draw(&first, bottom, buf);
    }
    paint_overlay(&first, area, buf);
}

fn scene<'a>(model: &'a Model, deck: &'a Deck) -> Scene<'a> {
    Scene {
        deck,
        history: deck.shown(),
        ui: &model.ui,
        theme: &model.theme,
        keymap: &model.keymap,
    }
}

/// What each of the decks gets: side by side where there is room, else one above the other.
fn shares(area: Rect, decks: usize) -> Vec<Rect> {
    if decks < 2 {
        return vec![area];
    }
    let halves = [Constraint::Fill(1), Constraint::Fill(1)];
    let [first, second] = if area.width >= 120 {
        Layout::horizontal(halves).areas(area)
    } else {
        Layout::vertical(halves).areas(area)
    };
    vec![first, second]
}

fn facts(scene: &Scene<'_>) -> Facts {
    let planned = |count: fn(&Window) -> usize| scene.history.window().map_or(0, count);
    let width = layout::LEFT - 2;
    Facts {
        view: scene.ui.view,
        scenarios: panel::scenarios::height(scene, width).max(2),
        faults: match planned(|window| window.faults.len()) {
            0 => 0,
            _ => panel::faults::height(scene, width),
        },
        resources: panel::resources::height(scene),
        targets: panel::targets::height(scene),
        alerts: panel::alerts::height(scene),
        past: scene.deck.past.is_some() && !scene.ui.frozen,
    }
}

fn paint_deck(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    for (panel, area) in layout::panels(facts(scene), area) {
        let (title, draw) = entry(panel);
        let block = frame(scene, &title(scene), area.width);
        let inner = block.inner(area);
        block.render(area, buf);
        draw(scene, inner, buf);
    }
    if scene.theme.glyphs.ascii {
        spell_borders(area, buf);
    }
}

/// Borders in ASCII. Only once all are drawn, because lines of ASCII do not join: one would erase its neighbour's title.
fn spell_borders(area: Rect, buf: &mut Buffer) {
    for position in area.positions() {
        let sign = match buf[position].symbol() {
            "─" => "-",
            "│" => "|",
            "┌" | "┐" | "└" | "┘" | "├" | "┤" | "┬" | "┴" | "┼" => "+",
            _ => continue,
        };
        buf[position].set_symbol(sign);
    }
}

/// The border with its title; neighbours' borders join.
fn frame<'a>(scene: &Scene<'_>, title: &str, width: u16) -> Block<'a> {
    let theme = scene.theme;
    let title = format!(
        " {} ",
        fitted(
            title,
            usize::from(width).saturating_sub(4),
            theme.glyphs.dot
        )
    );
    Block::bordered()
        .border_style(theme.border)
        .merge_borders(MergeStrategy::Exact)
        .title(Line::from(Span::styled(title, theme.title)))
}

/// As many whole parts of a title as there is room for.
fn fitted(title: &str, room: usize, dot: &str) -> String {
    let separator = format!(" {dot} ");
    let mut fitted = String::new();
    for part in title.split(&separator) {
        let longer = if fitted.is_empty() {
            part.to_owned()
        } else {
            format!("{fitted}{separator}{part}")
        };
        if !fitted.is_empty() && unicode_width::UnicodeWidthStr::width(longer.as_str()) > room {
            break;
        }
        fitted = longer;
    }
    fitted
}

/// The list of panels: what each is titled, and what draws it.
fn entry(panel: Panel) -> (fn(&Scene<'_>) -> String, Draw) {
    match panel {
        Panel::Scenarios => (panel::scenarios::title, panel::scenarios::draw),
        Panel::Faults => (|_| "faults".into(), panel::faults::draw),
        Panel::Recovery => (|_| "recovery".into(), panel::recovery::draw),
        Panel::Latency => (panel::latency::title, panel::latency::draw),
        Panel::Resources => (panel::resources::title, panel::resources::draw),
        Panel::Targets => (panel::targets::title, panel::targets::draw),
        Panel::Alerts => (panel::alerts::title, panel::alerts::draw),
        Panel::Gates => (panel::gates::title, panel::gates::draw),
        Panel::Rates => (panel::rates::title, panel::rates::draw),
        Panel::Timeline => (panel::timeline::title, panel::timeline::draw),
        Panel::Scrubber => (panel::scrubber::title, panel::scrubber::draw),
        Panel::Histogram => (panel::histogram::title, panel::histogram::draw),
        Panel::Percentiles => (panel::percentiles::title, panel::percentiles::draw),
        Panel::Steps => (panel::steps::title, panel::steps::draw),
        Panel::Events => (panel::events::title, panel::events::draw),
        Panel::Exemplars => (|_| "slowest requests".into(), panel::exemplars::draw),
        Panel::Samples => (
            |_| "first answer of each error".into(),
            panel::samples::draw,
        ),
        Panel::Log => (|_| "engine log".into(), panel::log::draw),
    }
}

fn paint_overlay(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    match scene.ui.overlay {
        Overlay::None => {}
        Overlay::Help => panel::help::draw(scene, area, buf),
        Overlay::Palette { .. } => panel::palette::draw(scene, area, buf),
        Overlay::Pick { .. } => panel::pick::draw(scene, area, buf),
        Overlay::Prompt { .. } => panel::prompt::draw(scene, area, buf),
        Overlay::Confirm { .. } => panel::confirm::draw(scene, area, buf),
        Overlay::Menu(_) => panel::menu::draw(scene, area, buf),
    }
}

/// Ticks that one cell of the heat map stands for, in the view that is shown.
pub fn ticks_per_cell(model: &Model) -> u64 {
    let scene = scene(model, &model.decks[0]);
    let latency = placed(model, Panel::Latency);
    let width = latency.map_or(model.ui.size.0, |area| area.width);
    panel::latency::axis(&scene, width.saturating_sub(2)).ticks_per_cell
}

/// Where the first deck's panel of this kind is, its border included.
fn placed(model: &Model, wanted: Panel) -> Option<Rect> {
    let (columns, rows) = model.ui.size;
    let head = panel::header::height(columns);
    let middle = Rect::new(0, head, columns, rows.saturating_sub(head + 1));
    let area = shares(middle, model.decks.len())[0];
    let placed = layout::panels(facts(&scene(model, &model.decks[0])), area);
    let found = placed.into_iter().find(|(panel, _)| *panel == wanted);
    found.map(|(_, area)| area)
}

/// The gauge that is selected in the view of resources, and whether its series are shown; `None` where there is nothing
/// to open.
pub fn selected_gauge(model: &Model) -> Option<(String, bool)> {
    let area = placed(model, Panel::Resources).filter(|_| model.ui.view == View::Resources)?;
    let inner = area.inner(ratatui::layout::Margin::new(1, 1));
    panel::resources::selected(&scene(model, &model.decks[0]), inner)
}

/// Rows of what the view lets select.
pub fn rows(model: &Model) -> usize {
    let scene = scene(model, &model.decks[0]);
    let planned = |count: fn(&Window) -> usize| scene.history.window().map_or(0, count);
    match model.ui.view {
        View::Overview => planned(|window| window.scenarios.len()),
        View::Latency => panel::steps::order(&scene).len(),
        View::Resources => panel::resources::rows(&scene),
        View::Faults => planned(|window| window.faults.len()),
        View::Gates => planned(|window| window.gates.len()),
        View::Events => panel::events::count(&scene),
    }
}

/// How far the help can be scrolled.
pub fn most_scroll(model: &Model) -> usize {
    let (columns, rows) = model.ui.size;
    panel::help::most_scroll(
        &scene(model, &model.decks[0]),
        Rect::new(0, 0, columns, rows),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::testing;
    use crate::console::theme::{Depth, Glyphs, Name, Theme};

    fn painted(model: &Model, width: u16, height: u16) -> Buffer {
        let area = Rect::new(0, 0, width, height);
        let mut buffer = Buffer::empty(area);
        paint(model, area, &mut buffer);
        buffer
    }

    #[test]
    fn every_view_at_the_three_sizes_dark_light_and_without_colour() {
        let themes = [
            ("dark", Theme::default()),
            (
                "light",
                Theme::new(Name::Light, false, Depth::Indexed, Glyphs::UNICODE),
            ),
            (
                "plain",
                Theme::new(Name::Auto, true, Depth::None, Glyphs::UNICODE),
            ),
        ];
        let mut model = testing::model(680);
        for (look, theme) in themes {
            model.theme = theme;
            for (width, height) in [(80, 24), (120, 36), (200, 60)] {
                for view in View::ALL {
                    model.ui.view = view;
                    let name = format!("{}_{width}x{height}_{look}", view.name());
                    insta::assert_snapshot!(name, testing::dump(&painted(&model, width, height)));
                }
            }
        }
    }

    #[test]
    fn the_view_of_faults_has_every_time_and_the_traffic_around_it() {
        let mut model = crate::console::panel::fixture::model(820);
        model.ui.view = View::Faults;
        for (width, height) in [(80, 24), (120, 36), (200, 60)] {
            let name = format!("measured_faults_{width}x{height}");
            insta::assert_snapshot!(name, testing::dump(&painted(&model, width, height)));
        }
    }

    #[test]
    fn every_view_at_any_size_draws_something_and_never_panics() {
        for view in View::ALL {
            let mut model = testing::model(30);
            model.ui.view = view;
            for width in (1..=130).step_by(7) {
                for height in (1..=50).step_by(3) {
                    let buffer = painted(&model, width, height);
                    let drawn = buffer.content.iter().any(|cell| cell.symbol() != " ");
                    assert!(
                        drawn || width < 20 || height < 3,
                        "{view:?} {width}x{height}"
                    );
                }
            }
        }
    }
}
