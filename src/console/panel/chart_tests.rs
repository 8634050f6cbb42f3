//! What the charts look like, at the sizes that matter, with and without colours.
#![allow(clippy::unwrap_used, reason = "tests")]

use ratatui::style::Style;

use super::{Draw, latency};
use crate::console::model::Model;
use crate::console::testing::{drawn, model};
use crate::console::theme::{Glyphs, Theme};

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
