//! Where a climb broke: the last load that held, and what gave way at the next.

use serde::Serialize;

use crate::history::History;
use crate::profile::model::Scope;

use super::gates::{GateSpec, State, judge_over};

/// The outcome of a climb.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Breakpoint {
    /// The climb's name.
    pub climb: String,
    /// The last step, before anything broke, in which every gate that looks at it held.
    pub held: Option<Held>,
    /// The first step in which a gate failed; `None` when the climb was climbed whole, or ended otherwise.
    pub broke: Option<Broke>,
}

/// A step that held.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Held {
    /// The phase.
    pub phase: String,
    /// Its load factor as planned.
    pub load: f64,
    /// Finished requests a second, all scenarios, measured.
    pub rate: f64,
}

/// A step that did not.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Broke {
    /// The phase.
    pub phase: String,
    /// Its load factor as planned.
    pub load: f64,
    /// The gate.
    pub gate: String,
    /// What it measured: `132ms`.
    pub shown: String,
}

/// Follows the first climb of the window; `None` when it has none, or none of its steps ran.
pub fn find(history: &History, gates: &[GateSpec]) -> Option<Breakpoint> {
    let phases = &history.window()?.phases;
    let climb = phases.iter().find_map(|phase| phase.climb.as_ref())?;
    let mut found = Breakpoint {
        climb: climb.clone(),
        held: None,
        broke: None,
    };
    let mut climbed = false;
    for (index, phase) in phases.iter().enumerate() {
        if phase.climb.as_ref() != Some(climb) || history.phase(index).is_none() {
            continue;
        }
        climbed = true;
        let readings: Vec<_> = gates
            .iter()
            .filter(|gate| gate.applies_to(index))
            .map(|gate| (gate, judge_over(history, gate, &[index])))
            .collect();
        let failed = readings
            .iter()
            .find(|(_, reading)| reading.state == State::Fail);
        if let Some((gate, reading)) = failed {
            found.broke = Some(Broke {
                phase: phase.name.clone(),
                load: phase.load,
                gate: gate.name.clone(),
                shown: reading.shown.clone(),
            });
            break;
        }
        let all_held = readings
            .iter()
            .all(|(_, reading)| reading.state == State::Pass);
        if all_held && !readings.is_empty() {
            found.held = Some(Held {
                phase: phase.name.clone(),
                load: phase.load,
                rate: history.totals(&Scope::All, &[index]).rate().unwrap_or(0.0),
            });
        }
    }
    climbed.then_some(found)
}
