//! Where a window is in its plan: which phase, since when, until when, and what people changed of it.
//!
//! In: the window as planned, the events that changed it, the latest tick. Out: a [`Schedule`]. It repeats from records
//! what the conductor decided, so that a viewer, a replay and a second viewer say the same. The invariant: an end is
//! only given where one is known; while a phase is held there is none.

use std::collections::BTreeMap;

use super::History;
use crate::session::record::{Event, Happening, Window};

/// Where a window is in its plan. Times are µs since the window began.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Schedule {
    /// The current phase, an index into the window's phases.
    pub phase: usize,
    /// Phases in the plan.
    pub phases: usize,
    /// The latest moment that is known.
    pub now: u64,
    /// When the phase began.
    pub began: u64,
    /// When the phase ends if nobody changes anything, extensions and time held included; `None` while held.
    pub ends: Option<u64>,
    /// When the last phase ends if nobody changes anything; `None` while held.
    pub window_ends: Option<u64>,
    /// Time that was added to this phase by hand.
    pub extended: u64,
    /// Time for which this phase was held, up to now.
    pub held: u64,
    /// Since when the phase has been held.
    pub held_since: Option<u64>,
    /// The load factor asked for.
    pub load: f64,
    /// The load factor that a person set in this phase, as long as it is in force.
    pub by_hand: Option<f64>,
    /// Amounts (arrivals a second, or users) that a person set in this phase, by scenario.
    pub amounts: BTreeMap<usize, f64>,
    /// Whether a person began this phase, by going to the next or by a jump.
    pub jumped: bool,
    /// Whether the phase is over and only what is in flight is waited for, or the window has ended.
    pub over: bool,
}

impl Schedule {
    /// What the records say so far; `None` before a phase began, and in a recording that does not say what was planned.
    pub fn of(history: &History) -> Option<Self> {
        let window = history.window()?;
        let last = history.last();
        let mut at = Self {
            phases: window.phases.len(),
            now: last.map_or(0, |last| last.at),
            load: last.map_or(0.0, |last| last.load),
            ..Self::default()
        };
        let mut set = None;
        let mut begun = false;
        for event in history.events() {
            begun |= matches!(event.what, Happening::Phase { .. });
            at.take(event, &mut set);
        }
        if !begun {
            // Its event is among the oldest, which are no longer kept.
            at.phase = last?.phase?;
            at.began = history.phase(at.phase)?.start;
        }
        at.now = at.now.max(at.began);
        at.over |= history.end().is_some();
        if let Some(since) = at.held_since {
            at.held = at.held.saturating_add(at.now.saturating_sub(since));
        }
        at.by_hand = set
            .filter(|&(since, factor)| at.in_force(history, window, since, factor))
            .map(|(_, factor)| factor);
        at.set_ends(window);
        Some(at)
    }

    /// Time left of the phase, µs; `None` while held.
    pub fn left(&self) -> Option<u64> {
        self.ends.map(|ends| ends.saturating_sub(self.now))
    }

    /// Time left of the window, µs; `None` while held.
    pub fn window_left(&self) -> Option<u64> {
        self.window_ends.map(|ends| ends.saturating_sub(self.now))
    }

    /// Whether the profile's spike can be on: the answer is `false` where the load goes by the schedule. A recording does
    /// not say which factor the profile's spike has, so any factor set by hand may be one.
    pub fn may_spike(&self) -> bool {
        self.by_hand.is_some()
    }

    /// Whether a person's setting overrides any part of the schedule's load.
    pub fn is_by_hand(&self) -> bool {
        self.by_hand.is_some() || !self.amounts.is_empty()
    }

    /// Takes the next event in; `set` is the load factor set by hand and when.
    fn take(&mut self, event: &Event, set: &mut Option<(u64, f64)>) {
        match event.what {
            Happening::Phase { phase } => {
                *self = Self {
                    phase,
                    began: event.at,
                    jumped: event.by.is_some(),
                    phases: self.phases,
                    now: self.now,
                    load: self.load,
                    ..Self::default()
                };
                *set = None;
            }
            Happening::Extend { phase, by_us } if phase == self.phase => {
                self.extended = self.extended.saturating_add(by_us);
            }
            Happening::Hold { on: true } => {
                self.held_since.get_or_insert(event.at);
            }
            Happening::Hold { on: false } => {
                if let Some(since) = self.held_since.take() {
                    self.held = self.held.saturating_add(event.at.saturating_sub(since));
                }
            }
            Happening::Load {
                scenario: None,
                factor,
            } => *set = Some((event.at, factor)),
            Happening::Load {
                scenario: Some(scenario),
                factor,
            } => {
                self.amounts.insert(scenario, factor);
            }
            Happening::Stop { .. } => {
                self.over = true;
                self.now = self.now.max(event.at);
            }
            Happening::Extend { .. }
            | Happening::Scenario { .. }
            | Happening::Gate { .. }
            | Happening::Fault { .. }
            | Happening::Mark { .. }
            | Happening::Undo { .. }
            | Happening::Effect(_)
            | Happening::Output { .. }
            | Happening::Ledger(_)
            | Happening::SignOff { .. }
            | Happening::Generator { .. }
            | Happening::Target { .. }
            | Happening::Alert(_)
            | Happening::Gauge(_)
            | Happening::Warning { .. }
            | Happening::Unknown => {}
        }
    }

    /// Whether a load factor set at `since` still overrides the schedule. The same event also says that the schedule is
    /// in force again, with the factor that the schedule asks for; the ticks after it tell the two apart.
    fn in_force(&self, history: &History, window: &Window, since: u64, factor: f64) -> bool {
        let tick = history.last_tick();
        let tick = tick.filter(|tick| tick.at >= since.saturating_add(history.tick_us()));
        let flags: Vec<bool> = tick
            .map_or(&[][..], |tick| &tick.scenarios)
            .iter()
            .enumerate()
            .filter(|(index, _)| !self.amounts.contains_key(index))
            .map(|(_, flow)| flow.by_hand)
            .collect();
        if flags.is_empty() {
            let planned = window.phases.get(self.phase).map(|phase| phase.load);
            planned.is_none_or(|planned| (planned - factor).abs() > 1e-9)
        } else {
            flags.contains(&true)
        }
    }

    fn set_ends(&mut self, window: &Window) {
        if self.over {
            self.ends = Some(self.now);
            self.window_ends = Some(self.now);
            return;
        }
        if self.held_since.is_some() {
            return;
        }
        let length = |index: usize| window.phases.get(index).map_or(0, |phase| phase.length_us);
        let ends = [length(self.phase), self.extended, self.held]
            .iter()
            .fold(self.began, |sum, &part| sum.saturating_add(part));
        self.ends = Some(ends);
        let rest = (self.phase + 1..window.phases.len()).map(length);
        self.window_ends = Some(rest.fold(ends, u64::saturating_add));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::testing::{Recording, SECOND};
    use crate::session::record::{EndReason, Tick};

    fn plan() -> Recording {
        Recording::new(&[
            ("steady", 60, 1.0),
            ("spike", 30, 10.0),
            ("cool down", 20, 1.0),
        ])
    }

    fn at(recording: &Recording) -> Schedule {
        Schedule::of(&recording.history()).unwrap()
    }

    fn by_hand(tick: &mut Tick) {
        for scenario in &mut tick.scenarios {
            scenario.by_hand = true;
        }
    }

    #[test]
    fn time_left_follows_the_plan() {
        let now = at(&plan().phase(0).ticks(60).phase(1).ticks(10));
        assert_eq!((now.phase, now.phases), (1, 3));
        assert_eq!(now.began, 60 * SECOND);
        assert_eq!(now.left(), Some(20 * SECOND));
        assert_eq!(now.window_left(), Some(40 * SECOND));
        assert!(!now.is_by_hand() && !now.jumped && !now.over);
    }

    #[test]
    fn nothing_is_known_before_a_phase_began() {
        assert_eq!(Schedule::of(&plan().history()), None);
        assert_eq!(Schedule::of(&History::new()), None);
    }

    #[test]
    fn time_held_and_time_added_move_the_end() {
        let held = plan().phase(0).ticks(10);
        let held = held.event(Happening::Hold { on: true }).ticks(5);
        let now = at(&held);
        assert_eq!((now.left(), now.window_left()), (None, None));
        assert_eq!((now.held_since, now.held), (Some(10 * SECOND), 5 * SECOND));
        let goes_on = held.event(Happening::Hold { on: false }).ticks(5);
        let now = at(&goes_on);
        assert_eq!((now.held_since, now.ends), (None, Some(65 * SECOND)));
        let longer = goes_on.event(Happening::Extend {
            phase: 0,
            by_us: 60 * SECOND,
        });
        assert_eq!(at(&longer).left(), Some(105 * SECOND));
        assert_eq!(at(&longer.phase(1)).ends, Some(50 * SECOND));
    }

    #[test]
    fn a_factor_set_by_hand_counts_until_the_schedule_is_in_force_again() {
        let set = Happening::Load {
            scenario: None,
            factor: 3.0,
        };
        let back = Happening::Load {
            scenario: None,
            factor: 1.0,
        };
        let set = plan().phase(0).ticks(10).event(set);
        assert_eq!(at(&set).by_hand, Some(3.0));
        let set = set.ticks_with(5, by_hand);
        assert_eq!(at(&set).by_hand, Some(3.0));
        let back = set.event(back);
        assert_eq!(at(&back).by_hand, None);
        assert_eq!(at(&back.clone().ticks_with(2, by_hand)).by_hand, Some(1.0));
        assert_eq!(at(&back.ticks(2)).by_hand, None);
    }

    #[test]
    fn an_amount_set_by_hand_ends_with_the_phase() {
        let set = plan().phase(0).ticks(10).event(Happening::Load {
            scenario: Some(1),
            factor: 80.0,
        });
        assert_eq!(at(&set).amounts, BTreeMap::from([(1, 80.0)]));
        assert!(at(&set).is_by_hand());
        assert!(!at(&set.phase(1)).is_by_hand());
    }

    #[test]
    fn a_phase_can_come_early_late_or_again() {
        let back = plan().phase(0).ticks(60).phase(1).ticks(5).phase(0);
        let now = at(&back.ticks(10));
        assert_eq!((now.phase, now.began), (0, 65 * SECOND));
        assert_eq!(now.window_left(), Some(100 * SECOND));
    }

    #[test]
    fn after_a_stop_nothing_is_left() {
        let stopped = plan().phase(0).ticks(10).event(Happening::Stop {
            reason: EndReason::Stopped,
            text: "enough".into(),
        });
        let now = at(&stopped.clone());
        assert!(now.over);
        assert_eq!((now.left(), now.window_left()), (Some(0), Some(0)));
        assert!(at(&stopped.end(EndReason::Stopped)).over);
    }
}
