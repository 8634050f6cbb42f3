//! What the value of a gauge counts in, and how it is written.
//!
//! In: the words of a profile, or the name of a metric, and a number. Out: the number for people. The screen, the findings
//! and the report all write gauges by it, so that they read the same.

use super::format;
use crate::profile::model::GaugeUnit;

/// What a value counts in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantity {
    /// Bytes.
    Bytes,
    /// Seconds.
    Seconds,
    /// A share of one.
    Ratio,
    /// Something a second.
    Rate,
    /// A plain number.
    Count,
    /// Processor cores.
    Cores,
}

impl Quantity {
    /// From the words of a profile.
    pub fn of(words: &str) -> Self {
        match words {
            "bytes" => Self::Bytes,
            "seconds" => Self::Seconds,
            "ratio" => Self::Ratio,
            "per second" => Self::Rate,
            _ => Self::Count,
        }
    }

    /// By the name of a metric: what Prometheus' conventions have at its end.
    pub fn of_metric(name: &str) -> Self {
        Self::of(GaugeUnit::of_metric(name).name())
    }

    /// A value as it is written.
    pub fn text(self, value: f64) -> String {
        if value < 0.0 {
            format!("-{}", self.amount(-value))
        } else {
            self.amount(value)
        }
    }

    /// Likewise, of a value that is not negative.
    pub fn amount(self, value: f64) -> String {
        match self {
            Self::Bytes => format::bytes(value),
            Self::Seconds => format::duration_short(value * 1e6),
            Self::Ratio => format::percent(value),
            Self::Rate => format::rate_short(value),
            Self::Count | Self::Cores => format::count_short(round(value)),
        }
    }
}

/// At most two decimals, so that a mean does not look more exact than it is.
fn round(value: f64) -> f64 {
    if value >= 99.5 {
        value.round()
    } else {
        (value * 100.0).round() / 100.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_says_by_its_name_what_it_counts_in() {
        for (name, unit) in [
            ("process_resident_memory_bytes", Quantity::Bytes),
            ("node_network_receive_bytes_total", Quantity::Bytes),
            ("scrape_duration_seconds", Quantity::Seconds),
            ("process_start_time_seconds", Quantity::Count),
            ("cache_hit_ratio", Quantity::Ratio),
            ("go_goroutines", Quantity::Count),
        ] {
            assert_eq!(Quantity::of_metric(name), unit, "{name}");
        }
    }
}
