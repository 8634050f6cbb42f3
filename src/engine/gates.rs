//! The gates while the window runs: what to record when one fails or heals, and when one ends the window.

use crate::history::History;
use crate::session::record::{GatePlan, Happening};
use crate::verdict::{Change, GateSpec, Watch, live};

/// All gates of a window, each with how long it has been failing.
#[derive(Debug, Default)]
pub struct Gates {
    gates: Vec<(usize, GateSpec, Watch)>,
}

/// What changed at a tick.
#[derive(Debug, Default)]
pub struct Changes {
    /// To record.
    pub events: Vec<Happening>,
    /// Why the window must end, if it must.
    pub abort: Option<String>,
}

impl Gates {
    /// Watches these. A gate that cannot be read was reported when the profile was; it is left to the verdict.
    pub fn new(plans: &[GatePlan]) -> Self {
        let read = plans.iter().enumerate().filter_map(|(index, plan)| {
            let spec = GateSpec::from_plan(plan).ok()?;
            Some((index, spec, Watch::default()))
        });
        Self {
            gates: read.collect(),
        }
    }

    /// Looks at every gate at a moment, µs since the window began.
    pub fn update(&mut self, at: u64, history: &History) -> Changes {
        let mut changes = Changes::default();
        for (gate, spec, watch) in &mut self.gates {
            let reading = live(history, spec);
            if let Some(change) = watch.update(at, reading.as_ref()) {
                let value = reading.map(|reading| reading.shown).unwrap_or_default();
                let holds = change == Change::Healed;
                changes.events.push(Happening::Gate {
                    gate: *gate,
                    holds,
                    value,
                });
            }
            if changes.abort.is_none() && watch.must_abort(spec) {
                changes.abort = Some(format!(
                    "gate `{}` failed for {:?}",
                    spec.name,
                    watch.failing_for()
                ));
            }
        }
        changes
    }
}
