//! What the themes promise, computed.

#![allow(
    clippy::unwrap_used,
    reason = "a test says what it expects by unwrapping"
)]

use ratatui::style::{Color, Modifier, Style};

use super::{Depth, Glyphs, Name, Theme};

type Rgb = [f64; 3];

fn rgb(style: Style) -> Rgb {
    match style.fg.unwrap() {
        Color::Rgb(r, g, b) => [r, g, b].map(f64::from),
        other => panic!("{other:?} is not a true colour"),
    }
}

fn linear(channel: f64) -> f64 {
    let c = channel / 255.0;
    if c <= 0.040_45 {
        c / 12.92
    } else {
        ((c + 0.055) / 1.055).powf(2.4)
    }
}

fn luminance(colour: Rgb) -> f64 {
    let [r, g, b] = colour.map(linear);
    0.2126 * r + 0.7152 * g + 0.0722 * b
}

/// As WCAG 2 defines it.
fn contrast(one: Rgb, other: Rgb) -> f64 {
    let (a, b) = (luminance(one), luminance(other));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

const BLACK: Rgb = [0.0; 3];
const WHITE: Rgb = [255.0; 3];

/// A colour as seen without one of the three kinds of cones: Machado, Oliveira and Fernandes (2009), severity 1.
fn seen(colour: Rgb, matrix: [Rgb; 3]) -> Rgb {
    let colour = colour.map(linear);
    matrix.map(|row| {
        row.iter()
            .zip(colour)
            .map(|(m, c)| m * c)
            .sum::<f64>()
            .clamp(0.0, 1.0)
    })
}

const PROTANOPIA: [Rgb; 3] = [
    [0.152_286, 1.052_583, -0.204_868],
    [0.114_503, 0.786_281, 0.099_216],
    [-0.003_882, -0.048_116, 1.051_998],
];
const DEUTERANOPIA: [Rgb; 3] = [
    [0.367_322, 0.860_646, -0.227_968],
    [0.280_085, 0.672_501, 0.047_413],
    [-0.011_820, 0.042_940, 0.968_881],
];
const TRITANOPIA: [Rgb; 3] = [
    [1.255_528, -0.076_749, -0.178_779],
    [-0.078_411, 0.930_809, 0.147_602],
    [0.004_733, 0.691_367, 0.303_900],
];

/// How different two linear colours look: the distance in CIELAB, of which 2.3 can just be noticed.
fn difference(one: Rgb, other: Rgb) -> f64 {
    let lab = |[r, g, b]: Rgb| {
        let f = |t: f64| {
            if t > 0.008_856 {
                t.cbrt()
            } else {
                7.787 * t + 16.0 / 116.0
            }
        };
        let x = f((0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.9505);
        let y = f(0.2126 * r + 0.7152 * g + 0.0722 * b);
        let z = f((0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.089);
        [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
    };
    let (a, b) = (lab(one), lab(other));
    a.iter()
        .zip(b)
        .map(|(a, b)| (a - b).powi(2))
        .sum::<f64>()
        .sqrt()
}

fn theme(name: Name, dark: bool) -> Theme {
    Theme::new(name, dark, Depth::True, Glyphs::UNICODE)
}

fn states(theme: &Theme) -> [(&'static str, Style); 4] {
    [
        ("good", theme.good),
        ("warn", theme.warn),
        ("bad", theme.bad),
        ("accent", theme.accent),
    ]
}

#[test]
fn every_state_can_be_read_on_its_background() {
    let cases = [
        (Name::Dark, true, 4.5),
        (Name::Light, false, 4.5),
        (Name::HighContrast, true, 7.0),
        (Name::HighContrast, false, 7.0),
        (Name::ColourBlind, true, 4.5),
        (Name::ColourBlind, false, 3.5),
    ];
    for (name, dark, least) in cases {
        let theme = theme(name, dark);
        let back = if dark { BLACK } else { WHITE };
        for (state, style) in states(&theme) {
            let ratio = contrast(rgb(style), back);
            assert!(ratio >= least, "{name} dark={dark} {state}: {ratio:.1}");
        }
        for (line, style) in theme.series.iter().enumerate() {
            let ratio = contrast(rgb(*style), back);
            let least = least.min(if name == Name::HighContrast { 7.0 } else { 3.0 });
            assert!(ratio >= least, "{name} dark={dark} line {line}: {ratio:.1}");
        }
        if let Some(Color::Rgb(..)) = theme.dim.fg {
            assert!(
                contrast(rgb(theme.dim), back) >= 4.5,
                "{name} dark={dark} dim"
            );
        }
    }
}

#[test]
fn the_colour_blind_theme_keeps_states_and_lines_apart_for_every_eye() {
    for dark in [true, false] {
        let theme = theme(Name::ColourBlind, dark);
        for (kind, matrix) in [
            ("protanopia", PROTANOPIA),
            ("deuteranopia", DEUTERANOPIA),
            ("tritanopia", TRITANOPIA),
        ] {
            let states = states(&theme).map(|(name, style)| (name, seen(rgb(style), matrix)));
            for (at, one) in states[..3].iter().enumerate() {
                for other in &states[..at] {
                    let apart = difference(one.1, other.1);
                    assert!(
                        apart > 20.0,
                        "{kind} dark={dark} {} {}: {apart:.0}",
                        one.0,
                        other.0
                    );
                }
            }
            let lines = theme.series.map(|style| seen(rgb(style), matrix));
            for (at, one) in lines.iter().enumerate() {
                for (before, other) in lines[..at].iter().enumerate() {
                    let apart = difference(*one, *other);
                    assert!(
                        apart > 11.0,
                        "{kind} dark={dark} lines {before} {at}: {apart:.0}"
                    );
                }
            }
        }
    }
}

#[test]
fn without_colours_every_state_still_differs_and_no_colour_is_left() {
    let theme = Theme::new(Name::Dark, true, Depth::None, Glyphs::UNICODE);
    let all = states(&theme);
    for (at, (name, style)) in all.iter().enumerate() {
        assert_eq!((style.fg, style.bg), (None, None), "{name}");
        for (other, before) in &all[..at] {
            assert_ne!(style, before, "{name} {other}");
        }
    }
    let rest = theme.series.iter().chain(&theme.heat);
    assert!(
        rest.chain([&theme.dim, &theme.selected])
            .all(|style| style.fg.is_none())
    );
    assert!(theme.selected.add_modifier.contains(Modifier::REVERSED));
}

#[test]
fn with_16_colours_only_those_are_used() {
    for name in Name::ALL {
        for dark in [true, false] {
            let theme = Theme::new(name, dark, Depth::Basic, Glyphs::CONSOLE);
            let states = states(&theme).map(|(_, style)| style);
            for style in theme.series.iter().chain(&theme.heat).chain(&states) {
                assert!(!matches!(
                    style.fg,
                    Some(Color::Indexed(_) | Color::Rgb(..))
                ));
            }
            assert_ne!(theme.good.fg, theme.bad.fg, "{name}");
            assert_ne!(theme.warn.fg, theme.bad.fg, "{name}");
            assert_ne!(theme.good.fg, theme.warn.fg, "{name}");
        }
    }
}

#[test]
fn heat_rises_in_the_glyph_and_has_as_many_shades_everywhere() {
    for glyphs in [Glyphs::UNICODE, Glyphs::CONSOLE, Glyphs::ASCII] {
        let theme = Theme::new(Name::Auto, false, Depth::None, glyphs);
        assert_eq!(theme.heat.len(), Theme::default().heat.len());
        let mut distinct = glyphs.heat.to_vec();
        distinct.dedup();
        assert_eq!(distinct.len(), glyphs.heat.len());
    }
}

#[test]
fn every_glyph_takes_one_column() {
    use unicode_width::UnicodeWidthStr as _;
    for glyphs in [Glyphs::UNICODE, Glyphs::CONSOLE, Glyphs::ASCII] {
        let words = [
            glyphs.yes,
            glyphs.no,
            glyphs.unknown,
            glyphs.runs,
            glyphs.stopped,
            glyphs.off,
            glyphs.on,
            glyphs.mark,
            glyphs.up,
            glyphs.down,
            glyphs.alert,
            glyphs.gap,
            glyphs.dot,
        ];
        for glyph in glyphs.bars.iter().chain(&glyphs.heat).chain(&words) {
            assert_eq!(glyph.width(), 1, "{glyph}");
            assert!(!glyphs.ascii || glyph.is_ascii(), "{glyph}");
        }
    }
}

#[test]
fn names_are_read_as_they_are_written() {
    for name in Name::ALL {
        assert_eq!(name.to_string().parse(), Ok(name));
    }
    for depth in Depth::ALL {
        assert_eq!(depth.to_string().parse(), Ok(depth));
    }
    let error = "sepia".parse::<Name>().unwrap_err().to_string();
    assert_eq!(
        error,
        "`sepia` is not one of auto, dark, light, high-contrast, colour-blind"
    );
}
