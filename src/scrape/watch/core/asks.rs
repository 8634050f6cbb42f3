//! What people ask while targets are watched: which series there are, and to show one.

use super::{Core, FOUND};
use crate::profile::model::GaugeUnit;
use crate::scrape::gauge::Gauge;
use crate::scrape::watch::Ask;
use crate::session::record::{GaugePlan, Happening};

impl Core {
    /// Answers.
    pub(super) fn on_ask(&mut self, ask: Ask) {
        match ask {
            Ask::Find { text, reply } => {
                let _ = reply.send(self.find(&text));
            }
            Ask::Gauges { target, by, reply } => {
                let _ = reply.send(self.use_sets(target, by.as_deref()));
            }
            Ask::Pin { expr, by, reply } => {
                let _ = reply.send(self.pin(&expr, by));
            }
        }
    }

    fn find(&self, text: &str) -> (Vec<String>, usize) {
        let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
        let series = self
            .endpoints
            .values()
            .flat_map(|live| live.endpoint.series());
        let mut found: Vec<String> = series
            .map(ToString::to_string)
            .filter(|name| {
                let name = name.to_lowercase();
                words.iter().all(|word| name.contains(word))
            })
            .collect();
        // The shortest first: a plain name before those that only hold it.
        found.sort_by(|a, b| (a.len(), a).cmp(&(b.len(), b)));
        let more = found.len().saturating_sub(FOUND);
        found.truncate(FOUND);
        (found, more)
    }

    fn pin(&mut self, expr: &str, by: Option<String>) -> Result<GaugePlan, String> {
        let plan = GaugePlan {
            name: expr.to_owned(),
            expr: expr.to_owned(),
            unit: unit_of(expr).name().to_owned(),
            ..GaugePlan::default()
        };
        self.add_gauge(plan, by)
    }

    /// Whether there is a gauge of this name.
    pub(super) fn has_gauge(&self, name: &str) -> bool {
        self.gauges.iter().any(|gauge| gauge.name() == name)
            || self
                .remote
                .iter()
                .any(|remote| remote.naming.name() == name)
    }

    /// Shows a gauge from now on, and records what it needs.
    pub(super) fn add_gauge(
        &mut self,
        plan: GaugePlan,
        by: Option<String>,
    ) -> Result<GaugePlan, String> {
        if self.has_gauge(&plan.name) {
            return Err(format!("there is a gauge `{}` already", plan.name));
        }
        let gauge = Gauge::new(&plan.name, plan.of.as_deref(), &plan.expr)
            .map_err(|error| error.to_string())?;
        self.wanted.add(gauge.selectors());
        self.recorded.reach_at_least(self.wanted.reach());
        self.gauges.push(gauge);
        for live in self.endpoints.values_mut() {
            live.endpoint.reconsider();
        }
        self.note_by(by, Happening::Gauge(Box::new(plan.clone())));
        Ok(plan)
    }
}

/// What an expression counts in, by the name of the metric that it begins with; a rate of seconds is a share of one.
fn unit_of(expr: &str) -> GaugeUnit {
    let is_rate = expr.starts_with("rate(") || expr.starts_with("irate(");
    let end = expr.find(['{', '[']).unwrap_or(expr.len());
    let name = &expr[..end];
    let name = name.rsplit('(').next().unwrap_or(name);
    match GaugeUnit::of_metric(name) {
        GaugeUnit::Seconds if is_rate => GaugeUnit::Ratio,
        GaugeUnit::Count if is_rate => GaugeUnit::PerSecond,
        unit => unit,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_is_told_by_the_name() {
        let cases = [
            ("process_resident_memory_bytes", "bytes"),
            (r#"node_filesystem_size_bytes{mountpoint="/"}"#, "bytes"),
            ("process_start_time_seconds", ""),
            ("rate(http_requests_total[1m])", "per second"),
            ("rate(process_cpu_seconds_total[1m])", "ratio"),
            ("rate(node_network_receive_bytes_total[1m])", "bytes"),
            ("cache_hit_ratio", "ratio"),
            ("go_goroutines", ""),
            ("sum by (pod) (x_bytes)", ""),
        ];
        for (expr, unit) in cases {
            assert_eq!(unit_of(expr).name(), unit, "{expr}");
        }
    }
}
