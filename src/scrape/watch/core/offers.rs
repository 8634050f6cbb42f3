//! Gauges for what is recognized: the sets that fit what a target was seen to have.

use super::Core;
use crate::scrape::Labels;
use crate::scrape::sets::gauges_for;
use crate::session::record::GaugePlan;

impl Core {
    /// Shows the gauges of every set that fits a target. Says what is shown.
    pub(super) fn use_sets(&mut self, target: usize, by: Option<&str>) -> Result<String, String> {
        let name = self.targets[target].plan.name.clone();
        let of = self.endpoints.values().filter(|live| live.target == target);
        let seen: Vec<_> = of.map(|live| live.endpoint.metrics()).collect();
        let has = |metric: &str| seen.iter().any(|metrics| metrics.contains(metric));
        // For all endpoints of the target at once: each has a series of its own.
        let labels = Labels::new([("job", name.as_str())]);
        let mut plans = Vec::new();
        let mut sets = Vec::new();
        for set in self.sets.matching(has) {
            sets.push(set.name.clone());
            for gauge in gauges_for(set, &labels, target) {
                plans.push(GaugePlan {
                    name: gauge_name(&name, &gauge.name),
                    of: Some(name.clone()),
                    expr: gauge.expr.clone(),
                    unit: gauge.unit.name().to_owned(),
                    warn: gauge.warn.map(|level| level.text(gauge.unit)),
                    crit: gauge.crit.map(|level| level.text(gauge.unit)),
                });
            }
        }
        if sets.is_empty() {
            return Err(format!("`{name}` is nothing that gauges are known for"));
        }
        let mut shown = 0;
        for plan in plans {
            // One that is there already stays.
            shown += usize::from(self.add_gauge(plan, by.map(ToOwned::to_owned)).is_ok());
        }
        Ok(format!(
            "`{name}` is {}: {shown} gauges more",
            sets.join(", ")
        ))
    }
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
