//! The small language of gates: `p99 < 100ms`, `errors < 2%`, `rate > 100/s`, `dropped = 0`.
//!
//! In: a line of a profile, or of a session recorded long ago. Out: an [`Expectation`], or what the line should have
//! been. Printing one gives text that parses to the same expectation, since that text is all that a session keeps.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::units::{self, Rate, Ratio, Span};

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cmp {
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `=` or `==`
    Equal,
}

/// What a gate expects: a measure, a comparison, a bound.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Expectation {
    /// A latency: `p99 < 100ms`, `service mean <= 5ms`.
    Latency {
        /// Response time unless `service` was said.
        which: Latency,
        /// The statistic.
        stat: Stat,
        /// The comparison.
        cmp: Cmp,
        /// The bound.
        bound: Duration,
    },
    /// Failed requests over all requests: `errors < 0.1%`.
    Errors {
        /// The comparison.
        cmp: Cmp,
        /// The bound, a ratio.
        bound: f64,
    },
    /// Finished requests a second: `rate > 190/s`.
    Rate {
        /// The comparison.
        cmp: Cmp,
        /// The bound, a second.
        bound: f64,
    },
    /// Dropped arrivals: a count (`dropped = 0`), or a share of the arrivals due (`dropped < 0.1%`).
    Dropped {
        /// The comparison.
        cmp: Cmp,
        /// The bound.
        bound: Amount,
    },
    /// Finished requests in all: `requests > 1000`.
    Requests {
        /// The comparison.
        cmp: Cmp,
        /// The bound.
        bound: f64,
    },
}

/// A count, or a share.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Amount {
    /// So many.
    Count(f64),
    /// So much of the whole, 0 to 1.
    Share(f64),
}

/// Which of the two latencies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Latency {
    /// From due to the last byte.
    #[default]
    Response,
    /// From sent to the last byte.
    Service,
}

/// A statistic of a latency distribution.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Stat {
    /// A quantile between 0 and 1: `p99.9` is 0.999.
    Quantile(f64),
    /// The arithmetic mean.
    Mean,
    /// The largest value.
    Max,
}

/// A line that is not an expectation, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExpectError {
    /// There is no comparison in it.
    #[error("`{0}` compares nothing; write it like `p99 < 100ms`, `errors < 2%` or `rate > 190/s`")]
    NoComparison(String),
    /// The measure is not known.
    #[error(
        "`{0}` is not a measure; known are `p50` to `p99.99`, `mean`, `max` (each of which may follow `service` or `response`), `errors`, `rate`, `dropped` and `requests`"
    )]
    Measure(String),
    /// A quantile outside of the possible.
    #[error("`{0}` is not a percentile; write `p50` to `p99.9999`, or `max` for the largest")]
    Percentile(String),
    /// The bound is not of the measure's unit.
    #[error(transparent)]
    Bound(#[from] units::UnitError),
}

impl Cmp {
    /// Operators, the longer ones first so that `<=` is not read as `<`.
    const ALL: [(&'static str, Self); 6] = [
        ("<=", Self::LessOrEqual),
        (">=", Self::GreaterOrEqual),
        ("==", Self::Equal),
        ("<", Self::Less),
        (">", Self::Greater),
        ("=", Self::Equal),
    ];

    /// Whether `a` stands in this relation to `b`. Nothing holds of a NaN.
    pub fn holds(self, a: f64, b: f64) -> bool {
        match self {
            Self::Less => a < b,
            Self::LessOrEqual => a <= b,
            Self::Greater => a > b,
            Self::GreaterOrEqual => a >= b,
            #[allow(clippy::float_cmp, reason = "`=` is for counts, which are exact")]
            Self::Equal => a == b,
        }
    }

    /// Splits `left < right` at its first operator.
    pub(super) fn split(text: &str) -> Option<(&str, Self, &str)> {
        let at = text.find(['<', '>', '='])?;
        let (sign, cmp) = Self::ALL
            .iter()
            .find(|(sign, _)| text[at..].starts_with(sign))?;
        Some((text[..at].trim(), *cmp, text[at + sign.len()..].trim()))
    }
}

impl fmt::Display for Cmp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Equal => "=",
        })
    }
}

impl FromStr for Stat {
    type Err = ExpectError;

    fn from_str(text: &str) -> Result<Self, ExpectError> {
        let quantile = match text {
            "mean" => return Ok(Self::Mean),
            "max" => return Ok(Self::Max),
            _ => text
                .strip_prefix('p')
                .filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
                .ok_or_else(|| ExpectError::Measure(text.to_owned()))?,
        };
        let wrong = || ExpectError::Percentile(text.to_owned());
        let decimals = quantile.split_once('.').map_or(0, |(_, d)| d.len());
        let plain = quantile.chars().all(|c| c.is_ascii_digit() || c == '.');
        let percent: f64 = quantile.parse().map_err(|_| wrong())?;
        if plain && decimals <= 4 && percent > 0.0 && percent < 100.0 {
            Ok(Self::Quantile(percent / 100.0))
        } else {
            Err(wrong())
        }
    }
}

impl fmt::Display for Stat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Quantile(q) => {
                let text = format!("{:.6}", q * 100.0);
                write!(f, "p{}", text.trim_end_matches('0').trim_end_matches('.'))
            }
            Self::Mean => f.write_str("mean"),
            Self::Max => f.write_str("max"),
        }
    }
}

impl FromStr for Amount {
    type Err = units::UnitError;

    fn from_str(text: &str) -> Result<Self, units::UnitError> {
        if text.ends_with('%') {
            text.parse::<Ratio>().map(|ratio| Self::Share(ratio.0))
        } else {
            units::parse_count(text).map(Self::Count)
        }
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Count(count) => write!(f, "{count}"),
            Self::Share(share) => match units::percent(share) {
                Some(text) => f.write_str(&text),
                None => write!(f, "{}%", share * 100.0),
            },
        }
    }
}

impl FromStr for Expectation {
    type Err = ExpectError;

    fn from_str(text: &str) -> Result<Self, ExpectError> {
        let (measure, cmp, bound) =
            Cmp::split(text).ok_or_else(|| ExpectError::NoComparison(text.trim().to_owned()))?;
        Ok(match measure {
            "errors" => Self::Errors {
                cmp,
                bound: bound.parse::<Ratio>()?.0,
            },
            "rate" => Self::Rate {
                cmp,
                bound: bound.parse::<Rate>()?.0,
            },
            "dropped" => Self::Dropped {
                cmp,
                bound: bound.parse()?,
            },
            "requests" => Self::Requests {
                cmp,
                bound: units::parse_count(bound)?,
            },
            latency => {
                let (which, stat) = match latency.split_once(char::is_whitespace) {
                    Some(("service", stat)) => (Latency::Service, stat),
                    Some(("response", stat)) => (Latency::Response, stat),
                    _ => (Latency::Response, latency),
                };
                Self::Latency {
                    which,
                    stat: stat.trim().parse()?,
                    cmp,
                    bound: units::parse_duration(bound)?,
                }
            }
        })
    }
}

impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Latency {
                which,
                stat,
                cmp,
                bound,
            } => {
                let prefix = match which {
                    Latency::Response => "",
                    Latency::Service => "service ",
                };
                write!(f, "{prefix}{stat} {cmp} {}", Span(bound))
            }
            Self::Errors { cmp, bound } => write!(f, "errors {cmp} {}", Ratio(bound)),
            Self::Rate { cmp, bound } => write!(f, "rate {cmp} {}", Rate(bound)),
            Self::Dropped { cmp, bound } => write!(f, "dropped {cmp} {bound}"),
            Self::Requests { cmp, bound } => write!(f, "requests {cmp} {bound}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Expectation {
        text.parse().unwrap()
    }

    #[test]
    fn a_gate_reads_as_it_is_written() {
        for text in [
            "p99 < 100ms",
            "p50 <= 1.5s",
            "p99.9 >= 10us",
            "p99.99 > 2m",
            "service p95 < 20ms",
            "mean < 5ms",
            "service max <= 1s",
            "errors < 2%",
            "errors = 0%",
            "rate > 190/s",
            "dropped = 0",
            "dropped < 0.1%",
            "requests > 1000",
        ] {
            assert_eq!(parse(text).to_string(), text);
        }
    }

    #[test]
    fn response_time_is_meant_unless_service_time_is_said() {
        assert_eq!(parse("response p99<100ms"), parse("p99 < 100ms"));
        assert_ne!(parse("service p99 < 100ms"), parse("p99 < 100ms"));
        assert_eq!(parse("dropped == 0"), parse("dropped = 0"));
    }

    #[test]
    fn nonsense_is_refused_with_the_forms_that_work() {
        for text in [
            "",
            "p99",
            "p101 < 1s",
            "p100 < 1s",
            "p0 < 1s",
            "p < 1s",
            "p99 < 100",
            "p99 <> 1s",
            "p99 < 1s < 2s",
            "errors < 5ms",
            "errors < 200%",
            "rate > 100",
            "speed < 1s",
            "service errors < 1%",
            "p1e1 < 1s",
            "pNaN < 1s",
        ] {
            assert!(text.parse::<Expectation>().is_err(), "{text}");
        }
        let error = "p101 < 1s".parse::<Expectation>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "`p101` is not a percentile; write `p50` to `p99.9999`, or `max` for the largest"
        );
    }

    #[test]
    fn nothing_holds_of_a_value_that_is_missing() {
        for (_, cmp) in Cmp::ALL {
            assert!(!cmp.holds(f64::NAN, 1.0), "{cmp}");
        }
        assert!(Cmp::LessOrEqual.holds(1.0, 1.0) && !Cmp::Less.holds(1.0, 1.0));
        assert!(Cmp::Equal.holds(0.0, 0.0) && Cmp::Greater.holds(2.0, 1.0));
        assert!(Cmp::GreaterOrEqual.holds(2.0, 2.0));
    }

    fn cmp() -> impl Strategy<Value = Cmp> {
        prop::sample::select(Cmp::ALL.map(|(_, cmp)| cmp).to_vec())
    }

    fn bound() -> impl Strategy<Value = String> {
        prop_oneof![
            (1u32..1_000_000, 0u32..5).prop_map(|(n, d)| {
                let value = f64::from(n) / f64::from(10u32.pow(d));
                format!("p99.9 < {value}ms")
            }),
            (0u32..=100_000).prop_map(|n| format!("errors < {}%", f64::from(n) / 1000.0)),
            (0u32..=100_000).prop_map(|n| format!("dropped < {}%", f64::from(n) / 1000.0)),
            (0u32..1_000_000).prop_map(|n| format!("rate > {}/min", f64::from(n) / 10.0)),
            (1u32..999_999).prop_map(|n| format!("service p{} < 1s", f64::from(n) / 10_000.0)),
            any::<u32>().prop_map(|n| format!("requests > {n}")),
        ]
    }

    proptest! {
        #[test]
        fn what_is_printed_parses_to_the_same(text in bound(), cmp in cmp()) {
            let text = text.replacen(['<', '>'], &cmp.to_string(), 1);
            let expectation: Expectation = text.parse().unwrap();
            prop_assert_eq!(expectation.to_string().parse::<Expectation>(), Ok(expectation));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,30}|(service )?p?[0-9.]{0,8} ?[<>=]{0,3} ?[0-9.]{0,5}[a-z%/]{0,3}") {
            let _ = text.parse::<Expectation>();
        }
    }
}
