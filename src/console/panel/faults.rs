//! What is broken on purpose, and how far the way back has come.
//!
//! In: the faults as planned and the events that changed them. Out: for each its state, and the clock that matters in
//! it: since the injection, until it is cleared by itself, since the clearing against the recovery budget.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Span;

use super::Scene;
use crate::console::derived::Derived;
use crate::console::moment::moment;
use crate::console::table::{Cell, Column, Table};
use crate::console::text::{Part, bar, clean, cut, fit, note, put};
use crate::console::theme::Theme;
use crate::history::{History, Injection};
use crate::session::record::{FaultPlan, FaultState};
use crate::verdict::format::clock;

/// Columns from which each fault takes one row.
const WIDE: u16 = 72;

/// A fault at the moment shown. Times are µs since the window began.
#[derive(Debug, Clone, Copy)]
pub struct Now<'a> {
    /// As planned.
    pub plan: &'a FaultPlan,
    /// Its state.
    pub state: FaultState,
    /// The latest time that it was put in.
    latest: Option<&'a Injection>,
    /// Since when the system is well after that, as measured: for good, or as far as has been seen.
    well: Option<u64>,
    /// The latest moment that is known.
    last: u64,
}

/// Every fault of the window, in the order of the profile.
pub fn all(history: &History) -> Vec<Now<'_>> {
    let plans = history.window().map_or(&[][..], |window| &window.faults);
    let last = history.last().map_or(0, |last| last.at);
    let derived = Derived::of(history);
    let measured = derived.injections(history);
    let fault = |(index, plan)| {
        let latest = history.injection(index);
        let measured = measured
            .iter()
            .find(|(injection, _)| injection.fault == index);
        Now {
            plan,
            state: latest.map_or(FaultState::Armed, |latest| latest.state),
            latest,
            well: measured.and_then(|(_, measured)| measured.recovery.since),
            last: latest.map_or(last, |latest| last.max(latest.since)),
        }
    };
    plans.iter().enumerate().map(fault).collect()
}

impl Now<'_> {
    /// Whether something is broken, or on its way in or out.
    pub fn is_on(&self) -> bool {
        match self.state {
            FaultState::Injecting | FaultState::Active | FaultState::Reverting => true,
            FaultState::Armed
            | FaultState::Recovering
            | FaultState::Recovered
            | FaultState::Failed => false,
        }
    }

    /// The injection that matters now: that of a fault at rest does not.
    fn current(&self) -> Option<&Injection> {
        self.latest.filter(|_| self.state != FaultState::Armed)
    }

    /// When it goes out by itself: as was said, or else its longest time after the injection.
    fn ends(&self) -> Option<u64> {
        let latest = self.latest?;
        let max = Some(self.plan.max_us).filter(|max| *max > 0);
        let longest = max.map(|max| latest.injecting.saturating_add(max));
        latest.until.or(longest)
    }

    /// How long the system took, or has taken so far, to come back, µs, since the fault was ordered back. That it was back
    /// is said only when it has stayed so for a while, which is no part of it.
    fn recovery(&self) -> Option<u64> {
        let latest = self.latest?;
        let until = match latest.recovered {
            Some(said) => self.well.map_or(said, |well| well.min(said)),
            None => self.last,
        };
        Some(until.saturating_sub(latest.ordered_back()?))
    }

    fn is_over_budget(&self) -> bool {
        let ordered = self.latest.and_then(Injection::ordered_back);
        let open = self.latest.is_some_and(|latest| latest.recovered.is_none());
        let well = self.well.zip(ordered).filter(|_| open);
        let well = well.map(|(well, ordered)| well.saturating_sub(ordered));
        let budget = self.plan.recover_within_us;
        budget
            .zip(well.or_else(|| self.recovery()))
            .is_some_and(|(most, took)| took > most)
    }

    /// Time since the injection, while there is something to wait for.
    fn clock(&self) -> Option<u64> {
        match self.state {
            FaultState::Armed | FaultState::Recovered | FaultState::Failed => None,
            FaultState::Injecting
            | FaultState::Active
            | FaultState::Reverting
            | FaultState::Recovering => {
                let injected = self.latest.map(|latest| latest.injecting);
                injected.map(|at| self.last.saturating_sub(at))
            }
        }
    }

    /// What can be said beside the state, in two parts of which the second may be left out.
    fn detail(&self) -> (String, String) {
        let since = self.latest.map_or(0, |latest| latest.since);
        let since = clock(self.last.saturating_sub(since));
        let budget = self.plan.recover_within_us;
        let one = |text: String| (text, String::new());
        match self.state {
            FaultState::Armed => one(String::new()),
            FaultState::Injecting | FaultState::Reverting => one(since),
            FaultState::Active => match self.ends() {
                Some(ends) => one(format!(
                    "clears in {}",
                    clock(ends.saturating_sub(self.last))
                )),
                None => one(since),
            },
            FaultState::Recovering => match budget.zip(self.recovery()) {
                Some((most, took)) if took > most && !self.is_over_budget() => {
                    let well = self.well.unwrap_or(self.last);
                    one(format!(
                        "well for {}",
                        clock(self.last.saturating_sub(well))
                    ))
                }
                Some((most, took)) if took > most => {
                    (format!("{} over", clock(took - most)), " budget".into())
                }
                Some((most, took)) => one(format!("budget {}", clock(most - took))),
                None => one(since),
            },
            FaultState::Recovered => {
                let took = self.recovery().map(clock).unwrap_or_default();
                let of = budget.map(|budget| format!(" of {}", clock(budget)));
                (format!("in {took}"), of.unwrap_or_default())
            }
            FaultState::Failed => {
                let said = self.latest.map_or("", |latest| &latest.text);
                one(clean(said).into_owned())
            }
        }
    }

    fn style(&self, theme: &Theme) -> Style {
        match self.state {
            FaultState::Armed => theme.dim,
            FaultState::Recovered if !self.is_over_budget() => theme.good,
            FaultState::Recovering if !self.is_over_budget() => theme.warn,
            FaultState::Injecting | FaultState::Active | FaultState::Reverting => theme.warn,
            FaultState::Recovering | FaultState::Recovered | FaultState::Failed => theme.bad,
        }
    }
}

/// The glyph of a state.
pub fn glyph(theme: &Theme, state: FaultState) -> &'static str {
    let glyphs = &theme.glyphs;
    match state {
        FaultState::Armed => glyphs.off,
        FaultState::Injecting | FaultState::Active | FaultState::Reverting => glyphs.on,
        FaultState::Recovering => glyphs.up,
        FaultState::Recovered => glyphs.yes,
        FaultState::Failed => glyphs.no,
    }
}

/// Lines that it wants at this width.
pub fn height(scene: &Scene<'_>, width: u16) -> u16 {
    let faults = all(scene.history);
    let quiet = faults
        .iter()
        .filter(|fault| fault.state == FaultState::Armed)
        .count();
    let lines = match faults.len() {
        0 => 1,
        count if width >= WIDE => count + 1,
        count => 2 * count - quiet,
    };
    lines as u16
}

/// Draws it.
pub fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let faults = all(scene.history);
    if faults.is_empty() {
        note(buf, area, "nothing is broken in this window", scene.theme);
    } else if area.width >= WIDE {
        table(scene, &faults, area, buf);
    } else {
        lines(scene, &faults, area, buf);
    }
}

fn table(scene: &Scene<'_>, faults: &[Now<'_>], area: Rect, buf: &mut Buffer) {
    let theme = scene.theme;
    let mut table = Table::new(&[
        Column::word("", 1),
        Column::word("", 0).close(),
        Column::words("fault", 0, 16).close(),
        Column::words("kind", 5, 6),
        Column::word("state", 0),
        Column::number("injected", 3),
        Column::number("for", 2),
        Column::word("", 0),
        Column::word("recovery", 4),
        Column::words("by", 6, 8),
    ]);
    for fault in faults {
        let style = fault.style(theme);
        let name = if fault.state == FaultState::Armed {
            theme.dim
        } else {
            theme.text
        };
        let current = fault.current();
        let injected = current.map(|it| moment(scene.history, it.injecting));
        let lasted = current.map(|it| {
            let until = it.cleared.unwrap_or(fault.last);
            clock(until.saturating_sub(it.injecting))
        });
        let by = fault.latest.and_then(|it| it.last_by.as_deref());
        let share = fault.recovery().zip(fault.plan.recover_within_us);
        let share = share.map(|(took, most)| took as f64 / most.max(1) as f64);
        let bar = share.map_or_else(Vec::new, |share| bar(share, 10, style, theme.dim));
        table.row(vec![
            Cell::new(
                fault.plan.key.map_or_else(String::new, String::from),
                theme.accent,
            ),
            Cell::new(glyph(theme, fault.state), style),
            Cell::new(clean(&fault.plan.name), name),
            Cell::new(clean(&fault.plan.kind), theme.dim),
            Cell::new(fault.state.name(), style),
            Cell::new(injected.unwrap_or_default(), theme.text),
            Cell::new(lasted.unwrap_or_default(), theme.text),
            detail_cell(fault, style),
            Cell(bar),
            Cell::new(clean(by.unwrap_or_default()), theme.dim),
        ]);
    }
    table.draw(area, buf, theme);
}

fn detail_cell<'a>(fault: &Now<'_>, style: Style) -> Cell<'a> {
    let (said, more) = fault.detail();
    Cell::new(cut(&(said + &more), 60).into_owned(), style)
}

/// Two lines a fault that is not at rest, one for the others; as many as fit, those not at rest first.
fn lines(scene: &Scene<'_>, faults: &[Now<'_>], area: Rect, buf: &mut Buffer) {
    let (theme, width) = (scene.theme, usize::from(area.width));
    let height = usize::from(area.height);
    let busy = |fault: &&Now<'_>| fault.state != FaultState::Armed;
    let all = faults.len() + faults.iter().filter(busy).count();
    let short = height < faults.len();
    let mut y = 0;
    for fault in faults.iter().filter(|fault| !short || busy(fault)) {
        if y >= height {
            break;
        }
        let style = fault.style(theme);
        let name_style = if busy(&fault) { theme.text } else { theme.dim };
        let key = fault.plan.key.map_or(" ".into(), String::from);
        let name = clean(&fault.plan.name);
        let names = vec![
            Span::styled(key, theme.accent),
            Span::styled(format!(" {} ", glyph(theme, fault.state)), style),
            Span::styled(cut(&name, width.saturating_sub(4)).into_owned(), name_style),
        ];
        let mut parts = vec![Part::new(0, names)];
        if let Some(on) = fault.clock() {
            parts.push(Part::one(1, clock(on), style));
        }
        fit(&mut parts, width, 2);
        for (place, part) in parts.iter().enumerate() {
            let x = if place == 0 { 0 } else { width - part.width() };
            put(buf, area, x, y, &part.words, &theme.glyphs);
        }
        y += 1;
        if busy(&fault) && all <= height {
            beside(scene, fault, area, y, buf);
            y += 1;
        }
    }
}

/// The line below a fault that is not at rest.
fn beside(scene: &Scene<'_>, fault: &Now<'_>, area: Rect, y: usize, buf: &mut Buffer) {
    let theme = scene.theme;
    let room = usize::from(area.width).saturating_sub(2);
    let (said, more) = fault.detail();
    let state = fault.state.name();
    let said = if fault.state == FaultState::Failed {
        cut(&said, room.saturating_sub(state.len() + 3)).into_owned()
    } else {
        said
    };
    let dot = format!(" {} ", theme.glyphs.dot);
    let mut parts = vec![Part::one(0, state, fault.style(theme))];
    if !said.is_empty() {
        let words = vec![Span::styled(dot, theme.dim), Span::styled(said, theme.text)];
        parts.push(Part::new(1, words));
        parts.push(Part::one(2, more, theme.dim));
    }
    fit(&mut parts, room, 0);
    let mut x = 2;
    for part in &parts {
        put(buf, area, x, y, &part.words, &theme.glyphs);
        x += part.width();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::panel::fixture::{at_every_size, buffer, lines, model, pictures};

    fn told(second: u64) -> String {
        lines(&buffer(&model(second), draw, 34, 4)).join("\n")
    }

    #[test]
    fn it_shows_how_far_the_way_back_has_come() {
        let pictures = pictures(&mut model(820), draw, [(27, 4), (72, 3), (140, 3)]);
        insta::assert_snapshot!(pictures);
    }

    #[test]
    fn it_fits_everywhere() {
        at_every_size(&mut model(820), draw);
        at_every_size(&mut model(655), draw);
        at_every_size(&mut model(0), draw);
    }

    #[test]
    fn each_state_has_the_clock_that_matters_in_it() {
        assert!(told(640).contains("○ slow database"));
        assert!(
            told(661).contains("active · clears in 01:49"),
            "{}",
            told(661)
        );
        assert!(
            told(700).contains("recovering · budget 00:21"),
            "{}",
            told(700)
        );
        assert!(told(720).contains("recovered · in 00:19 of 00:30"));
        assert!(told(742).contains("injecting · 00:02"), "{}", told(742));
        assert!(
            told(932).contains("recovering · well for 02:12"),
            "{}",
            told(932)
        );
    }

    #[test]
    fn it_clears_when_the_record_says_so() {
        use crate::history::testing::{Recording, SECOND};
        use crate::session::record::Happening;
        let happening = Happening::Fault {
            fault: 0,
            state: FaultState::Active,
            text: String::new(),
            forced: false,
            in_place: false,
            proven: false,
            until: Some(40 * SECOND),
        };
        let history = Recording::new(&[("steady", 600, 1.0)])
            .window(|window| {
                window.faults = vec![FaultPlan {
                    max_us: 120 * SECOND,
                    ..FaultPlan::default()
                }];
            })
            .phase(0)
            .ticks(10)
            .event(happening)
            .ticks(5)
            .history();
        let said = all(&history)[0].detail();
        assert_eq!(said, ("clears in 00:25".into(), String::new()));
    }

    #[test]
    fn a_window_without_faults_says_so_quietly() {
        let model = crate::console::testing::model(10);
        let text = lines(&buffer(&model, draw, 40, 2)).concat();
        assert!(text.contains("nothing is broken"), "{text}");
    }
}
