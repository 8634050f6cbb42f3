//! What became of orders, as the keeper saw it, and what that makes of a fault.

use std::time::Duration;

use super::event::{Change, record, stuck};
use super::{Act, Faults};
use crate::fault::driver::Proof;
use crate::profile::units::format_duration;
use crate::session::record::{FaultState, Happening};

impl Faults {
    /// A fault is in place.
    pub fn is_active(&mut self, fault: usize, proof: Proof) -> Vec<Act> {
        // It was ordered out before the word that it is in place came.
        if self.faults[fault].state == FaultState::Reverting {
            return Vec::new();
        }
        let text = match proof {
            Proof::Checked => "its check fails, as it should",
            Proof::Seen | Proof::None => "",
        };
        let meant = self.faults[fault].until.is_some();
        let mut acts = self.enter(fault, FaultState::Active, text, proof);
        // Whatever made it so, it would never go out by itself.
        if !meant {
            acts.extend(self.go_out(fault, None, "nobody wants it in any more"));
        }
        acts
    }

    /// A fault was called back before anything of it was done.
    pub fn is_called_back(&mut self, fault: usize) -> Vec<Act> {
        let text = "called back before anything was done";
        self.enter(fault, FaultState::Armed, text, Proof::None)
    }

    /// A fault was not done, and nothing is left of the attempt.
    pub fn is_not_done(&mut self, fault: usize, why: &str) -> Vec<Act> {
        self.enter(fault, FaultState::Failed, why, Proof::None)
    }

    /// A fault is undone. Without load nothing but its own check tells more.
    pub fn is_reverted(&mut self, fault: usize, proof: Proof) -> Vec<Act> {
        let text = match proof {
            Proof::Checked => "its check passes",
            Proof::Seen | Proof::None => "",
        };
        let mut acts = self.enter(fault, FaultState::Recovering, text, proof);
        if self.without_load {
            acts.extend(match proof {
                Proof::Checked => self.is_recovered(fault, "its check passes; no load was put"),
                Proof::Seen => self.is_recovered(fault, "it was seen to be out; no load was put"),
                Proof::None => {
                    self.is_unknown(fault, "it was undone; neither a check nor load tells more")
                }
            });
        }
        acts
    }

    /// A fault could not be undone; it is tried again after a pause.
    pub fn is_not_reverted(&mut self, fault: usize, why: &str, pause: Duration) -> Vec<Act> {
        let pause = format_duration(pause);
        let text = format!("it may still be in place, tried again in {pause}: {why}");
        self.set(fault, FaultState::Failed, true);
        let mut acts = vec![record(None, stuck(fault, &text))];
        acts.extend(self.follow(fault));
        acts
    }

    /// The system is back.
    pub fn is_recovered(&mut self, fault: usize, text: &str) -> Vec<Act> {
        self.enter(fault, FaultState::Recovered, text, Proof::None)
    }

    /// It will not be known whether the system is back.
    pub fn is_unknown(&mut self, fault: usize, text: &str) -> Vec<Act> {
        self.enter(fault, FaultState::Armed, text, Proof::None)
    }

    /// Nobody keeps the faults any more. What is on is left to the watchdog, and never known to be back.
    pub fn are_lost(&mut self) -> Vec<Act> {
        let text =
            "it may still be in place: whoever kept it is gone, and its watchdog brings it back";
        let on: Vec<usize> = self
            .leaves()
            .filter(|&it| self.faults[it].outstanding)
            .collect();
        let mut acts = Vec::new();
        for fault in on {
            self.set(fault, FaultState::Failed, true);
            acts.push(record(None, stuck(fault, text)));
        }
        acts
    }

    /// The watchdog is gone, or took over: everything that is on is brought back.
    pub fn are_unguarded(&mut self, why: &str) -> Vec<Act> {
        let text = format!("{why}: everything is brought back that is on");
        let mut acts = vec![record(None, Happening::Warning { text })];
        acts.extend(self.clear(None, why).0);
        acts
    }

    /// A fault comes into another state, and its group with it.
    fn enter(&mut self, fault: usize, to: FaultState, text: &str, proof: Proof) -> Vec<Act> {
        self.set(fault, to, to == FaultState::Active);
        let what = Change {
            proven: proof != Proof::None,
            until: self.faults[fault].ends(),
            ..Change::to(to)
        };
        let mut acts = vec![record(None, what.of(fault, text))];
        acts.extend(self.follow(fault));
        acts
    }

    pub(super) fn set(&mut self, fault: usize, to: FaultState, outstanding: bool) {
        let it = &mut self.faults[fault];
        it.state = to;
        it.outstanding = outstanding;
        if !outstanding {
            it.until = None;
        }
    }
}
