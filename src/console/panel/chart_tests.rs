//! What the charts look like, at the sizes that matter, with and without colours.
#![allow(clippy::unwrap_used, reason = "tests")]

use ratatui::backend::{Backend, CrosstermBackend};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::{Draw, Scene, histogram, latency, percentiles, rates, resources, scrubber, timeline};
use crate::console::model::{Cell, Kind, Model, Over, Overview, Place, PlaceKind, Span, View};
use crate::console::testing::{drawn, model, records};
use crate::console::theme::{Glyphs, Theme};
use crate::history::History;
use crate::session::record::Record;

const DRAWS: [Draw; 7] = [
    histogram::draw,
    latency::draw,
    percentiles::draw,
    rates::draw,
    resources::draw,
    scrubber::draw,
    timeline::draw,
];

/// Without colours: what is bold or reversed stays so.
fn plain(theme: &Theme) -> Theme {
    let strip = |style: Style| Style {
        fg: None,
        bg: None,
        ..style
    };
    Theme {
        text: strip(theme.text),
        dim: strip(theme.dim),
        title: strip(theme.title),
        border: strip(theme.border),
        good: strip(theme.good),
        warn: strip(theme.warn),
        bad: strip(theme.bad),
        accent: strip(theme.accent),
        selected: strip(theme.selected),
        series: theme.series.map(strip),
        heat: theme.heat.iter().copied().map(strip).collect(),
        glyphs: Glyphs::ASCII,
    }
}

/// A panel at these sizes in the colours of the default theme, then at the second size in ASCII without colours.
fn sheet(model: &mut Model, draw: Draw, sizes: &[(u16, u16)]) -> String {
    let of = |model: &Model, (width, height): (u16, u16), what: &str| {
        let drawn = drawn(model, draw, width, height);
        format!("=== {width}x{height}{what}\n{drawn}")
    };
    let sheet = sizes.iter().map(|&size| of(model, size, ""));
    let mut sheet: Vec<String> = sheet.collect();
    let colours = model.theme.clone();
    model.theme = plain(&colours);
    let size = sizes[sizes.len().min(2) - 1];
    sheet.push(of(model, size, ", ASCII without colours"));
    model.theme = colours;
    sheet.concat()
}

#[test]
fn latency_is_a_heat_map_with_its_percentiles() {
    let mut model = model(700);
    let sizes = [(30, 6), (65, 11), (150, 24)];
    insta::assert_snapshot!(sheet(&mut model, latency::draw, &sizes));
}

#[test]
fn rates_stand_beside_what_went_wrong() {
    let mut model = model(700);
    let sizes = [(40, 1), (131, 1), (100, 2), (150, 10)];
    insta::assert_snapshot!(sheet(&mut model, rates::draw, &sizes));
}

#[test]
fn the_timeline_shows_the_plan_and_what_happened() {
    let mut model = model(700);
    let sizes = [(40, 1), (131, 2), (150, 8)];
    insta::assert_snapshot!(sheet(&mut model, timeline::draw, &sizes));
}

/// Every size up to that of a large terminal, with and without colours, over every span, with and without a moment.
#[test]
fn nothing_panics_at_any_size() {
    let mut model = model(90);
    for (place, span) in Span::ALL.into_iter().cycle().take(12).enumerate() {
        model.ui.span = span;
        model.ui.cursor = (place % 2 == 0).then_some(350);
        model.ui.step = (place % 3 == 0).then_some(place);
        model.ui.over = [Over::Ten, Over::Phase, Over::Window][place % 3];
        model.theme = if place % 2 == 0 {
            Theme::default()
        } else {
            plain(&Theme::default())
        };
        for (width, height) in sizes(place as u16) {
            for draw in DRAWS {
                let text = drawn(&model, draw, width, height);
                assert!(place % 2 == 0 || text.is_ascii(), "{text}");
            }
        }
    }
}

/// Nothing of a window is known yet.
#[test]
fn nothing_panics_before_the_first_tick() {
    let mut model = model(0);
    for draw in DRAWS {
        drawn(&model, draw, 80, 12);
    }
    model.decks[0].live = History::new();
    for (width, height) in sizes(3) {
        for draw in DRAWS {
            drawn(&model, draw, width, height);
        }
    }
}

/// Small sizes whole, large ones here and there.
fn sizes(seed: u16) -> Vec<(u16, u16)> {
    let small = (0..18u16).map(|n| (1 + (n * 7 + seed * 3) % 60, 1 + (n + seed) % 12));
    let large = (0..3u16).map(|n| {
        (
            61 + (n * 83 + seed * 31) % 240,
            1 + (n * 37 + seed * 7) % 100,
        )
    });
    small
        .chain(large)
        .chain([(0, 0), (1, 1), (300, 100)])
        .collect()
}

#[test]
fn resources_have_a_course_a_value_and_a_trend() {
    let mut model = model(700);
    let sizes = [(24, 4), (37, 5), (80, 3), (120, 4)];
    insta::assert_snapshot!(sheet(&mut model, resources::draw, &sizes));
}

#[test]
fn the_view_of_resources_has_the_generator_too() {
    let mut model = model(700);
    model.ui.view = View::Resources;
    let sizes = [(80, 8), (120, 20)];
    insta::assert_snapshot!(sheet(&mut model, resources::draw, &sizes));
}

/// What the operator pinned and opened, where there is little room.
#[test]
fn pinned_series_have_rows_and_an_opened_gauge_has_a_few_lines_at_least() {
    let mut model = model(700);
    let memory = r#"process_resident_memory_bytes{instance="10.0.0.2:9100",job="workers"}"#;
    model.ui.pinned = vec![memory.to_owned(), "was_never_recorded".to_owned()];
    let beside = sheet(&mut model, resources::draw, &[(37, 12), (80, 8)]);
    model.ui.view = View::Resources;
    model.ui.opened.insert("worker cpu".into(), true);
    model.ui.row = 4;
    let view = sheet(&mut model, resources::draw, &[(80, 11), (110, 26)]);
    insta::assert_snapshot!(beside + &view);
}

/// A moment that is selected shows the values of its column.
#[test]
fn the_worst_of_several_series_is_that_of_the_moment_selected() {
    let text = |cursor| {
        let mut model = model(700);
        model.ui.cursor = cursor;
        drawn(&model, resources::draw, 120, 6)
    };
    assert!(text(None).contains("84%               · 8 series warn"));
    assert!(
        text(Some(500)).contains("36%               · 9 series"),
        "{}",
        text(Some(500))
    );
}

#[test]
fn the_histogram_has_shares_counts_and_percentiles() {
    let mut model = model(580);
    let sizes = [(20, 5), (60, 10), (100, 16)];
    insta::assert_snapshot!(sheet(&mut model, histogram::draw, &sizes));
}

#[test]
fn percentile_curves_tell_response_from_service_time() {
    let mut model = model(700);
    let sizes = [(30, 6), (60, 14), (110, 22)];
    insta::assert_snapshot!(sheet(&mut model, percentiles::draw, &sizes));
}

#[test]
fn the_scrubber_shows_a_whole_recording_and_the_place_in_it() {
    let mut model = model(700);
    let cells = (0..300).map(|n| Cell {
        rate: (!(200..206).contains(&n)).then_some(match n {
            0..75 => 200.0,
            75..150 => 400.0,
            150..180 => 2_000.0,
            _ => 200.0 + f64::from(n % 7),
        }),
        errors: match n {
            152..180 => 0.03,
            180..186 => 0.001,
            _ => 0.0,
        },
    });
    let place = |tick, kind, text: &str| Place {
        tick,
        kind,
        text: text.into(),
    };
    let deck = &mut model.decks[0];
    deck.kind = Kind::Replay;
    deck.overview = Overview {
        from: 1,
        to: 1_200,
        cells: cells.collect(),
        places: vec![
            place(1, PlaceKind::Phase, "steady"),
            place(120, PlaceKind::Mark, "cache warm"),
            place(301, PlaceKind::Phase, "2x"),
            place(601, PlaceKind::Phase, "spike"),
            place(660, PlaceKind::Breach, "errors < 2%"),
            place(721, PlaceKind::Phase, "failover"),
            place(800, PlaceKind::Fault, "kill primary"),
            place(1_021, PlaceKind::Phase, "cool"),
        ],
    };
    let sizes = [(40, 1), (118, 4), (60, 2), (150, 8)];
    insta::assert_snapshot!(sheet(&mut model, scrubber::draw, &sizes));
}

#[test]
fn a_selected_moment_is_marked_and_its_numbers_are_written() {
    let mut model = model(700);
    model.ui.cursor = Some(606);
    model.ui.step = Some(3);
    insta::assert_snapshot!(sheet(&mut model, latency::draw, &[(65, 11), (80, 8)]));
}

/// The charts of the overview at 120x36 in one buffer.
fn overview(model: &Model) -> Buffer {
    let mut buffer = Buffer::empty(Rect::new(0, 0, 120, 16));
    let deck = &model.decks[0];
    let scene = Scene {
        deck,
        history: deck.shown(),
        ui: &model.ui,
        theme: &model.theme,
        keymap: &model.keymap,
    };
    latency::draw(&scene, Rect::new(0, 0, 62, 12), &mut buffer);
    resources::draw(&scene, Rect::new(64, 0, 56, 6), &mut buffer);
    rates::draw(&scene, Rect::new(0, 12, 118, 1), &mut buffer);
    timeline::draw(&scene, Rect::new(0, 13, 118, 2), &mut buffer);
    buffer
}

/// Bytes that a terminal is sent for each of the seconds after `from`.
fn bytes_a_second(from: u64, to: u64) -> Vec<usize> {
    let mut model = model(0);
    let mut before = None;
    let mut bytes = Vec::new();
    for record in records(to) {
        model.decks[0].live.apply(&record);
        if !matches!(record, Record::Tick(_)) || model.decks[0].tick() < from {
            continue;
        }
        let now = overview(&model);
        if let Some(before) = before.replace(now.clone()) {
            let mut sent = Vec::new();
            let changes: Vec<_> = Buffer::diff(&before, &now);
            CrosstermBackend::new(&mut sent)
                .draw(changes.into_iter())
                .unwrap();
            bytes.push(sent.len());
        }
    }
    bytes
}

#[test]
fn a_second_of_the_overviews_charts_takes_few_bytes() {
    let bytes = bytes_a_second(320, 420);
    let mean = bytes.iter().sum::<usize>() / bytes.len();
    assert!(mean < 2_000, "{bytes:?}");
}

#[test]
fn what_was_not_recorded_is_a_gap_on_every_chart() {
    let mut model = model(0);
    for record in records(200) {
        let lost = matches!(&record, Record::Tick(tick) if (61..=90).contains(&tick.n));
        if !lost {
            model.decks[0].live.apply(&record);
        }
    }
    let sheet = [
        drawn(&model, latency::draw, 65, 8),
        drawn(&model, rates::draw, 65, 4),
        drawn(&model, resources::draw, 65, 2),
    ];
    insta::assert_snapshot!(sheet.concat());
}
