//! Signs of events; their words are those of [`crate::console::happening`].

use ratatui::style::Style;

use crate::console::theme::Theme;
use crate::session::record::{AlertState, Decision, FaultState, Happening, ScenarioState};

/// How an event looks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sign {
    /// Its kind.
    pub glyph: &'static str,
    /// How much it matters.
    pub style: Style,
    /// Of two signs in one place on the timeline the higher is shown; 0 for what is not marked there.
    pub rank: u8,
}

/// The sign of an event.
pub fn sign(theme: &Theme, what: &Happening) -> Sign {
    let glyphs = &theme.glyphs;
    let (glyph, style, rank) = match what {
        Happening::Phase { .. } => (glyphs.runs, theme.accent, 0),
        Happening::Scenario { state, .. } => match state {
            ScenarioState::Stopped => (glyphs.stopped, theme.dim, 0),
            ScenarioState::Running => (glyphs.runs, theme.good, 0),
            ScenarioState::Draining => (glyphs.stopped, theme.warn, 0),
            ScenarioState::Done => (glyphs.yes, theme.dim, 0),
        },
        Happening::Load { .. } => (glyphs.up, theme.warn, 1),
        Happening::Extend { .. } => (glyphs.dot, theme.warn, 0),
        Happening::Hold { on: true } => (glyphs.stopped, theme.warn, 0),
        Happening::Hold { on: false } => (glyphs.runs, theme.text, 0),
        Happening::Gate { holds: true, .. } => (glyphs.yes, theme.good, 0),
        Happening::Target { up: true, text, .. } if text.is_empty() => (glyphs.yes, theme.good, 0),
        Happening::Gate { holds: false, .. } => (glyphs.no, theme.bad, 4),
        Happening::Fault { state, .. } => {
            let (style, rank) = match state {
                FaultState::Armed => (theme.dim, 0),
                FaultState::Injecting => (theme.warn, 0),
                FaultState::Active => (theme.warn, 3),
                FaultState::Reverting => (theme.text, 0),
                FaultState::Recovering => (theme.text, 2),
                FaultState::Recovered => (theme.good, 2),
                FaultState::Failed => (theme.bad, 5),
            };
            (super::faults::glyph(theme, *state), style, rank)
        }
        Happening::Effect(effect) if effect.affected == 0 && effect.text.is_empty() => {
            (glyphs.alert, theme.warn, 1)
        }
        Happening::Effect(_) => (glyphs.dot, theme.text, 0),
        Happening::Ledger(ledger) if ledger.lost > 0 => (glyphs.no, theme.bad, 4),
        Happening::Ledger(_) => (glyphs.yes, theme.good, 1),
        Happening::Mark { .. } => (glyphs.mark, theme.accent, 2),
        Happening::SignOff { decision, .. } => match decision {
            Decision::Go => (glyphs.yes, theme.good, 2),
            Decision::NoGo => (glyphs.no, theme.bad, 2),
        },
        Happening::Generator { causes } if causes.is_empty() => (glyphs.yes, theme.good, 0),
        Happening::Generator { .. } => (glyphs.alert, theme.bad, 3),
        Happening::Target { up: true, .. } => (glyphs.dot, theme.warn, 1),
        Happening::Target { up: false, .. } => (glyphs.alert, theme.warn, 2),
        Happening::Alert(alert) => {
            let (glyph, style) = super::alerts::look(theme, alert.state);
            let rank = match alert.state {
                AlertState::Firing => 4,
                AlertState::Pending | AlertState::Silenced | AlertState::Resolved => 1,
            };
            (glyph, style, rank)
        }
        Happening::Gauge(_) | Happening::Undo { .. } | Happening::Output { .. } => {
            (glyphs.dot, theme.dim, 0)
        }
        Happening::Warning { .. } => (glyphs.alert, theme.warn, 1),
        Happening::Stop { .. } => (glyphs.stopped, theme.title, 0),
        Happening::Unknown => (glyphs.unknown, theme.dim, 0),
    };
    Sign { glyph, style, rank }
}
