//! Gauges for what is recognized: the sets that fit what a target was seen to have.

use std::collections::HashSet;

use super::Core;
use crate::profile::model::GaugeSet;
use crate::scrape::Labels;
use crate::scrape::promql::Query;
use crate::scrape::sets::gauges_for;
use crate::session::record::{GaugePlan, Happening};

impl Core {
    /// Shows the gauges of every set that fits a target of its own accord: that none does is no news.
    pub(super) fn recognize(&mut self, target: usize) {
        let _ = self.use_sets(target, None);
    }

    /// Says once of a target that there are gauges for it.
    pub(super) fn offer(&mut self, target: usize, instance: usize) {
        let sets = self.fitting(target);
        let of = &mut self.targets[target];
        if sets.is_empty() || std::mem::replace(&mut of.offered, true) {
            return;
        }
        let (name, what) = (of.plan.name.clone(), names(&sets));
        self.note(Happening::Target {
            instance,
            up: true,
            text: format!("it is {what}; `gauges {name}` shows its gauges, `auto = true` always"),
        });
    }

    /// The sets that fit what a target has.
    fn fitting(&self, target: usize) -> Vec<GaugeSet> {
        let metrics = self.metrics(target);
        let fitting = self.sets.matching(|metric| has(&metrics, metric));
        fitting.into_iter().cloned().collect()
    }

    /// The names of the metrics of each endpoint of a target.
    fn metrics(&self, target: usize) -> Vec<HashSet<&str>> {
        let of = self.endpoints.values().filter(|live| live.target == target);
        of.map(|live| live.endpoint.metrics()).collect()
    }

    /// Shows the gauges of every set that fits a target. Says what is shown.
    pub(super) fn use_sets(&mut self, target: usize, by: Option<&str>) -> Result<String, String> {
        let name = self.targets[target].plan.name.clone();
        // For all endpoints of the target at once: each has a series of its own.
        let labels = Labels::new([("job", name.as_str())]);
        let scraped = self.targets.iter().filter(|of| of.discovery.is_some());
        let alone = scraped.count() == 1;
        let mut plans = Vec::new();
        let sets = self.fitting(target);
        let mut needs = std::mem::take(&mut self.needs);
        let metrics = self.metrics(target);
        for set in &sets {
            for gauge in gauges_for(set, &labels, target) {
                let named = if alone {
                    gauge.name.clone()
                } else {
                    gauge_name(&name, &gauge.name)
                };
                if self.has_gauge(&named) {
                    continue;
                }
                let needs = needs
                    .entry(gauge.expr.clone())
                    .or_insert_with_key(|expr| metrics_of(expr));
                // A gauge of what an exporter does not have would stay empty.
                if !needs.iter().all(|metric| has(&metrics, metric)) {
                    continue;
                }
                plans.push(GaugePlan {
                    name: named,
                    of: Some(name.clone()),
                    expr: gauge.expr.clone(),
                    unit: gauge.unit.name().to_owned(),
                    warn: gauge.warn.map(|level| level.text(gauge.unit)),
                    crit: gauge.crit.map(|level| level.text(gauge.unit)),
                });
            }
        }
        self.needs = needs;
        if sets.is_empty() {
            return Err(format!("`{name}` is nothing that gauges are known for"));
        }
        let mut shown = 0;
        for plan in plans {
            shown += usize::from(self.add_gauge(plan, by.map(ToOwned::to_owned)).is_ok());
        }
        Ok(format!("`{name}` is {}: {shown} gauges more", names(&sets)))
    }
}

/// Whether any endpoint has a metric.
fn has(metrics: &[HashSet<&str>], metric: &str) -> bool {
    metrics.iter().any(|of| of.contains(metric))
}

fn names(sets: &[GaugeSet]) -> String {
    let names: Vec<&str> = sets.iter().map(|set| set.name.as_str()).collect();
    names.join(", ")
}

/// The names of the metrics that an expression reads.
fn metrics_of(expr: &str) -> Vec<String> {
    // A test reads every expression that is shipped; one's own that cannot be read is told when it is added.
    let query = Query::parse(expr).ok();
    let selectors = query.iter().flat_map(Query::selectors);
    selectors
        .filter_map(|selector| selector.metric().map(ToOwned::to_owned))
        .collect()
}

/// The gauge's own name, with the target's in front unless it begins with that.
fn gauge_name(target: &str, gauge: &str) -> String {
    let begins = gauge.split(' ').next() == Some(target);
    if begins {
        gauge.to_owned()
    } else {
        format!("{target} {gauge}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_named_once() {
        assert_eq!(gauge_name("shop", "shop queue"), "shop queue");
        assert_eq!(gauge_name("db1", "cpu busy"), "db1 cpu busy");
        assert_eq!(gauge_name("no", "node load"), "no node load");
    }
}
