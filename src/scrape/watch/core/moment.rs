//! The end of a tick: gauges are evaluated, and everything that was seen is handed over.

use std::collections::BTreeMap;
use std::time::Instant;

use tokio::sync::mpsc::{self, error::TrySendError};

use super::Core;
use crate::scrape::gauge::Reading;
use crate::scrape::watch::Observed;
use crate::session::record::Number;

impl Core {
    /// Evaluates every gauge over what was recorded up to now.
    pub(super) fn on_tick(&mut self) {
        if self.gauges.is_empty() && self.remote.is_empty() {
            return;
        }
        let gauged = self.at(Instant::now());
        let at = self.recorded.moment(gauged);
        let mut now = BTreeMap::new();
        let mut said = Vec::new();
        for gauge in &mut self.gauges {
            let (reading, trouble) = gauge.read(self.recorded.store(), at);
            said.extend(trouble.map(|why| format!("gauge `{}` has no value: {why}", gauge.name())));
            let before = std::mem::replace(&mut gauge.beyond, reading.beyond);
            said.extend(too_many(gauge.name(), before, &reading));
            now.extend(reading.values);
        }
        for remote in &mut self.remote {
            let before = std::mem::replace(&mut remote.beyond, remote.reading.beyond);
            said.extend(too_many(remote.naming.name(), before, &remote.reading));
            now.extend(remote.reading.values.clone());
        }
        for text in said {
            self.warn(text);
        }
        let now: BTreeMap<usize, f64> = now
            .into_iter()
            .filter_map(|(name, value)| Some((self.book.gauge(&name)?, value)))
            .collect();
        self.pending.series.extend(changes(&self.values, &now));
        self.pending.gauged = Some(gauged);
        self.values = now;
        self.recorded.forget(at);
    }

    /// Hands over what there is; what cannot be taken now is kept for the next time.
    pub(super) fn hand_over(&mut self, observed: &mpsc::Sender<Observed>) {
        if let Some(names) = self.book.fresh(Instant::now()) {
            self.pending.names = Some(names);
        }
        if self.pending.is_empty() {
            return;
        }
        if let Err(TrySendError::Full(kept)) = observed.try_send(std::mem::take(&mut self.pending))
        {
            self.pending = kept;
        }
    }
}

/// The series whose value is another one now, by index.
fn changes(
    before: &BTreeMap<usize, f64>,
    now: &BTreeMap<usize, f64>,
) -> Vec<(usize, Option<Number>)> {
    let gone = before.keys().filter(|index| !now.contains_key(index));
    let gone = gone.map(|&index| (index, None));
    let changed = now.iter().filter(|(index, value)| {
        let before = before.get(index);
        before.is_none_or(|before| before.to_bits() != value.to_bits())
    });
    let changed = changed.map(|(&index, &value)| (index, Some(Number(value))));
    gone.chain(changed).collect()
}

/// A sentence when a gauge begins to have more series than are kept.
fn too_many(name: &str, before: usize, reading: &Reading) -> Option<String> {
    (before == 0 && reading.beyond > 0).then(|| {
        format!(
            "gauge `{name}` has {} series more than are kept; the largest are",
            reading.beyond
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_changed_is_handed_over_and_what_is_gone_is_said() {
        let before = BTreeMap::from([(0, 1.0), (1, f64::NAN), (2, 0.0), (3, 5.0)]);
        let now = BTreeMap::from([(0, 1.0), (1, f64::NAN), (2, -0.0), (4, 7.0)]);
        let changes = changes(&before, &now);
        assert_eq!(
            changes,
            [(3, None), (2, Some(Number(-0.0))), (4, Some(Number(7.0)))]
        );
    }
}
