//! What the tests of panels share: the test window with faults in it, themes, and every size.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

use super::{Draw, Scene};
use crate::console::model::Model;
use crate::console::testing;
use crate::console::theme::{Glyphs, Theme};
use crate::history::History;
use crate::history::testing::fault_event;
use crate::session::record::{Decision, Event, FaultPlan, FaultState, Happening, Record};

const SECOND: u64 = 1_000_000;

/// The window of the tests with faults: the primary is killed in the failover phase.
pub(crate) fn records(seconds: u64) -> Vec<Record> {
    let mut records = testing::records(seconds);
    for record in &mut records {
        if let Record::Window(window) = record {
            window.faults = vec![
                FaultPlan {
                    name: "slow database".into(),
                    key: Some('d'),
                    kind: "latency".into(),
                    max_us: 120 * SECOND,
                    recover_within_us: Some(30 * SECOND),
                    ..FaultPlan::default()
                },
                FaultPlan {
                    name: "kill primary".into(),
                    key: Some('k'),
                    kind: "command".into(),
                    max_us: 300 * SECOND,
                    recover_within_us: Some(120 * SECOND),
                    ..FaultPlan::default()
                },
            ];
        }
    }
    let ops = Some("ops@bastion".to_owned());
    let happened = [
        (650, ops.clone(), fault_event(0, FaultState::Injecting)),
        (651, None, fault_event(0, FaultState::Active)),
        (691, ops.clone(), fault_event(0, FaultState::Reverting)),
        (692, None, fault_event(0, FaultState::Recovering)),
        (710, None, fault_event(0, FaultState::Recovered)),
        (740, ops.clone(), fault_event(1, FaultState::Injecting)),
        (743, None, fault_event(1, FaultState::Active)),
        (800, ops.clone(), fault_event(1, FaultState::Reverting)),
        (802, None, fault_event(1, FaultState::Recovering)),
        (
            845,
            ops,
            Happening::SignOff {
                decision: Decision::NoGo,
                text: "the pool must grow before the release".into(),
            },
        ),
    ];
    for (second, by, what) in happened {
        let at = second * SECOND;
        let place = records.iter().position(|record| match record {
            Record::Tick(tick) => tick.at > at,
            _ => false,
        });
        if let Some(place) = place {
            let wall = testing::BEGAN + at;
            let event = Event { at, wall, by, what };
            records.insert(place, Record::Event(event));
        }
    }
    records
}

/// A console on it, so many seconds after its beginning.
pub(crate) fn model(seconds: u64) -> Model {
    let mut model = testing::model(1);
    let mut history = History::new();
    for record in records(seconds) {
        history.apply(&record);
    }
    model.decks[0].live = history;
    model
}

/// Without any colour.
pub(crate) fn plain() -> Theme {
    let bold = Style::new().add_modifier(Modifier::BOLD);
    Theme {
        text: Style::new(),
        dim: Style::new(),
        title: bold,
        border: Style::new(),
        good: Style::new(),
        warn: Style::new(),
        bad: bold,
        accent: bold,
        selected: Style::new().add_modifier(Modifier::REVERSED),
        series: [Style::new(); 6],
        heat: vec![Style::new(); 8],
        glyphs: Glyphs::UNICODE,
    }
}

/// The text of a buffer, line for line.
pub(crate) fn lines(buffer: &Buffer) -> Vec<String> {
    let area = buffer.area;
    let line = |y| (area.left()..area.right()).map(move |x| buffer[(x, y)].symbol());
    (area.top()..area.bottom())
        .map(|y| line(y).collect::<String>().trim_end().to_owned())
        .collect()
}

/// A panel drawn into a buffer of its own.
pub(crate) fn buffer(model: &Model, draw: Draw, width: u16, height: u16) -> Buffer {
    // A frame around the area, so that what is written outside of it is seen.
    let whole = Rect::new(0, 0, width + 2, height + 2);
    let area = Rect::new(1, 1, width, height);
    let mut buffer = Buffer::filled(whole, ratatui::buffer::Cell::new("~"));
    for y in area.top()..area.bottom() {
        for x in area.left()..area.right() {
            buffer[(x, y)].reset();
        }
    }
    draw(&scene(model), area, &mut buffer);
    for y in 0..whole.height {
        for x in 0..whole.width {
            let inside = area.contains((x, y).into());
            assert!(
                inside || buffer[(x, y)].symbol() == "~",
                "{width}x{height}: wrote outside at {x},{y}"
            );
        }
    }
    buffer
}

/// The first deck as it is shown.
pub(crate) fn scene(model: &Model) -> Scene<'_> {
    Scene {
        deck: &model.decks[0],
        history: model.decks[0].shown(),
        ui: &model.ui,
        theme: &model.theme,
        keymap: &model.keymap,
    }
}

/// Draws at every size that is odd enough, in Unicode and ASCII: no panic, nothing outside, and in ASCII only ASCII.
pub(crate) fn at_every_size(model: &mut Model, draw: Draw) {
    const WIDTHS: [u16; 14] = [0, 1, 2, 3, 5, 11, 19, 27, 37, 57, 79, 93, 121, 300];
    for glyphs in [Glyphs::UNICODE, Glyphs::ASCII] {
        model.theme.glyphs = glyphs;
        for width in WIDTHS {
            for height in [0, 1, 2, 3, 5, 11, 100] {
                let buffer = buffer(model, draw, width, height);
                let text = lines(&buffer).concat();
                assert!(!glyphs.ascii || text.is_ascii(), "{text}");
            }
        }
    }
    model.theme.glyphs = Glyphs::UNICODE;
}

/// Snapshots of a panel at these sizes with colours, and at the second of them without.
pub(crate) fn pictures(model: &mut Model, draw: Draw, sizes: [(u16, u16); 3]) -> String {
    let mut text = String::new();
    for (width, height) in sizes {
        text.extend([&format!("=== {width}x{height}"), "\n"]);
        text += &testing::drawn(model, draw, width, height);
    }
    let dark = std::mem::replace(&mut model.theme, plain());
    let (width, height) = sizes[1];
    text.extend([&format!("=== {width}x{height} without colours"), "\n"]);
    text += &testing::drawn(model, draw, width, height);
    model.theme = dark;
    text
}
