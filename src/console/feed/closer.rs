//! The seconds around faults, where a history was folded by the sums of minutes.
//!
//! In: a history with injections in it whose traffic is known by sums only. Out: the same with the newest of them by the
//! second, read from their own frames. The invariant: what was read of an injection that is over is kept, and never read
//! again.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::recording::Recording;
use crate::history::injections::BEFORE_US;
use crate::history::{History, Injection};
use crate::session::ReadError;
use crate::session::record::{Key, Record};

/// Injections that are looked at in one history: the newest, which a screen shows.
const NEWEST: usize = 6;
/// Injections that are kept.
const KEPT: usize = 60;

/// What was read, by fault and moment.
pub(super) type Closer = BTreeMap<(usize, u64), Arc<Injection>>;

impl Recording {
    /// Gives the newest injections of a history their seconds.
    pub(super) fn look_closer(&mut self, history: &mut History) -> Result<(), ReadError> {
        let blurred = |it: &&Arc<Injection>| {
            let wanted = BEFORE_US.min(it.injecting) / self.tick_us().max(1_000_000);
            it.picture.unseen > 0 || (it.picture.baseline().len() as u64) < wanted
        };
        let newest = history.injections().iter().rev().take(NEWEST);
        let blurred: Vec<Arc<Injection>> = newest.filter(blurred).cloned().collect();
        for injection in blurred {
            let id = (injection.fault, injection.injecting);
            let known = self.closer.get(&id).cloned();
            let seen = match known {
                Some(seen) => Some(seen),
                None => self.read_around(&injection, history)?,
            };
            let Some(seen) = seen else {
                continue;
            };
            history.adopt(&seen);
            if injection.closed.is_some() {
                if self.closer.len() == KEPT {
                    self.closer.pop_first();
                }
                self.closer.insert(id, seen);
            }
        }
        Ok(())
    }

    /// The injection as its own frames and those around it tell it.
    fn read_around(
        &self,
        injection: &Injection,
        history: &History,
    ) -> Result<Option<Arc<Injection>>, ReadError> {
        let tick = |at: u64| at / self.tick_us();
        let until = injection.closed.or(history.last().map(|last| last.at));
        let from = tick(injection.injecting.saturating_sub(BEFORE_US));
        let until = tick(until.unwrap_or(injection.injecting)) + 1;
        let mut closer = History::without_rollups();
        closer.apply(&Record::Key(Key {
            names: self.names.clone(),
            ..Key::default()
        }));
        if let Some(window) = self.window() {
            closer.apply(&Record::Window(Box::new(window.clone())));
        }
        let frames = &self.index().frames;
        let begin = frames.partition_point(|frame| frame.ticks.end <= from);
        let near = frames[begin..]
            .iter()
            .take_while(|frame| frame.ticks.start <= until);
        for frame in near {
            let mut reader = self.index().read_frame(frame)?;
            while let Some(record) = reader.next_record()? {
                closer.apply(&record);
            }
        }
        let same = |it: &&Arc<Injection>| {
            (it.fault, it.injecting) == (injection.fault, injection.injecting)
        };
        Ok(closer.injections().iter().find(same).cloned())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use std::fs::File;

    use super::*;
    use crate::history::testing::{PAY, Recording as Script, fail, fault_event};
    use crate::session::Writer;
    use crate::session::record::{EndReason, ErrorKind, FaultPlan, FaultState};
    use crate::verdict::recovery::assess;

    fn script() -> Script {
        let state = |state| fault_event(0, state);
        Script::new(&[("steady", 3_000, 0.1)])
            .window(|window| window.faults = vec![FaultPlan::default()])
            .phase(0)
            .ticks(205)
            .event(state(FaultState::Injecting))
            .event(state(FaultState::Active))
            .ticks_with(60, |tick| fail(tick, PAY, ErrorKind::Timeout, None, 3))
            .event(state(FaultState::Recovering))
            .ticks(45)
            .event(state(FaultState::Recovered))
            .ticks(1_800)
            .end(EndReason::Finished)
    }

    #[test]
    fn an_injection_is_measured_the_same_however_far_back_it_lies() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.jsonl.zst");
        let records = script().records();
        let (Record::Key(key), Some(Record::End(end))) = (&records[0], records.last()) else {
            panic!("no key, or no end");
        };
        let mut writer = Writer::create(&path, key.names.clone()).unwrap();
        for record in &records[1..records.len() - 1] {
            writer.append(record).unwrap();
        }
        writer.finish(end.clone()).unwrap();
        let mut exact = History::new();
        for record in &records {
            exact.apply(record);
        }
        let right = exact.injection(0).unwrap();
        let mut recording = Recording::of(File::open(&path).unwrap()).unwrap();
        for tick in [2_000, 1_200, 2_000, 2_105, 3_000] {
            let (found, _) = recording.history(tick).unwrap();
            let injection = found.injection(0).unwrap();
            assert_eq!(injection.picture.cells(), right.picture.cells(), "{tick}");
            let (found, right) = (assess(&found, injection), assess(&exact, right));
            assert_eq!(found.recovery, right.recovery);
            assert_eq!(found.cost, right.cost);
            assert!(found.recovery.is_recovered());
        }
    }
}
