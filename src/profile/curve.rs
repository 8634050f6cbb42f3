//! The load factor over a window, as straight lines.
//!
//! In: phases. Out: [`Piece`]s that follow each other without a gap from the window's start to its end. Before the
//! first phase the factor is 0, so that a ramp in the first phase starts from nothing.

use std::time::Duration;

use super::model::{Model, Phase, Profile, Scenario};

/// A stretch in which the load factor goes in a straight line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Piece {
    /// Its start, from the window's start.
    pub from: Duration,
    /// Its end, after `from`.
    pub to: Duration,
    /// The factor at its start.
    pub start: f64,
    /// The factor at its end.
    pub end: f64,
}

impl Piece {
    /// How long it lasts.
    pub fn length(&self) -> Duration {
        self.to.saturating_sub(self.from)
    }

    /// The factor at a moment within it; before and after it, that of its start and end.
    pub fn at(&self, at: Duration) -> f64 {
        let length = self.length().as_secs_f64();
        let share = at.saturating_sub(self.from).as_secs_f64() / length;
        self.start + (self.end - self.start) * share.clamp(0.0, 1.0)
    }

    /// The area under it: factor times seconds.
    pub fn area(&self) -> f64 {
        f64::midpoint(self.start, self.end) * self.length().as_secs_f64()
    }
}

/// The load curve of phases.
pub fn load_curve(phases: &[Phase]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut now = Duration::ZERO;
    let mut factor = 0.0;
    for phase in phases {
        let end = now + phase.length;
        let held = now + phase.ramp.min(phase.length);
        let load = phase.load.0;
        if held > now {
            pieces.push(Piece {
                from: now,
                to: held,
                start: factor,
                end: load,
            });
        }
        if end > held {
            pieces.push(Piece {
                from: held,
                to: end,
                start: load,
                end: load,
            });
        }
        now = end;
        factor = load;
    }
    pieces
}

impl Profile {
    /// The load factor over the whole window.
    pub fn load_curve(&self) -> Vec<Piece> {
        load_curve(&self.phases)
    }

    /// How long the window lasts: all its phases.
    pub fn length(&self) -> Duration {
        self.phases.iter().map(|phase| phase.length).sum()
    }

    /// The curve that one scenario follows: that of the window, or 1x throughout with `scale = false`.
    pub fn scenario_curve(&self, scenario: &Scenario) -> Vec<Piece> {
        if scenario.scale {
            return self.load_curve();
        }
        let to = self.length();
        if to.is_zero() {
            return Vec::new();
        }
        vec![Piece {
            from: Duration::ZERO,
            to,
            start: 1.0,
            end: 1.0,
        }]
    }
}

impl Scenario {
    /// Arrivals a second (open) or users (closed) at a load factor, which `scale = false` ignores.
    pub fn amount(&self, factor: f64) -> f64 {
        let factor = if self.scale { factor } else { 1.0 };
        match self.model {
            Model::Open { rate, .. } => rate.0 * factor,
            Model::Closed { users, .. } => (f64::from(users) * factor).round(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::units::Factor;

    fn phase(seconds: u64, load: f64, ramp: u64) -> Phase {
        Phase {
            name: String::new(),
            length: Duration::from_secs(seconds),
            load: Factor(load),
            ramp: Duration::from_secs(ramp),
            faults: Vec::new(),
            climb: None,
        }
    }

    #[test]
    fn a_ramp_starts_where_the_phase_before_left_off() {
        let curve = load_curve(&[phase(60, 1.0, 10), phase(30, 3.0, 0), phase(20, 1.0, 20)]);
        let lines: Vec<_> = curve
            .iter()
            .map(|p| (p.from.as_secs(), p.to.as_secs(), p.start, p.end))
            .collect();
        assert_eq!(
            lines,
            [
                (0, 10, 0.0, 1.0),
                (10, 60, 1.0, 1.0),
                (60, 90, 3.0, 3.0),
                (90, 110, 3.0, 1.0),
            ]
        );
    }

    #[test]
    fn a_ramp_from_nothing_holds_half_of_what_a_step_would() {
        let curve = load_curve(&[phase(60, 1.0, 60)]);
        let area: f64 = curve.iter().map(Piece::area).sum();
        assert!((area * 1000.0 - 30_000.0).abs() < 1e-6);
        assert!((curve[0].at(Duration::from_secs(15)) - 0.25).abs() < 1e-12);
        assert!((curve[0].at(Duration::from_secs(99)) - 1.0).abs() < 1e-12);
    }
}
