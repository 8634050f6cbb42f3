//! How long a request takes to serve: a distribution, as an operator writes it, and draws from it.
//!
//! Text flows in (`fixed:5ms`, `exp:1ms`, `lognormal:median=2ms,sigma=0.5`, `uniform:1ms..3ms`), nanoseconds flow out.
//! What parses prints back as text that parses to the same value, and every draw lies in `0..=LONGEST`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use rand::Rng;
use rand_distr::Distribution as _;

use crate::profile::units::{Span, parse_duration};

/// The longest duration that is accepted or drawn. A heavier tail is cut off here.
pub const LONGEST: Duration = Duration::from_hours(1);

/// A distribution of durations.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Distribution {
    /// Always the same.
    Fixed(Duration),
    /// Exponential, the memoryless service of M/M/1.
    Exponential {
        /// The mean.
        mean: Duration,
    },
    /// Log-normal, which is what most services look like.
    LogNormal {
        /// Half of the draws lie below it.
        median: Duration,
        /// Standard deviation of the natural logarithm, from 0 to 5.
        sigma: f64,
    },
    /// Evenly spread.
    Uniform {
        /// The shortest.
        low: Duration,
        /// The longest; not below `low`.
        high: Duration,
    },
}

/// Why a text is not a distribution.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DistributionError {
    /// The word before the colon is none that is known.
    #[error(
        "`{0}` is no distribution; write `fixed:5ms`, `exp:1ms`, `lognormal:median=2ms,sigma=0.5` or `uniform:1ms..3ms`"
    )]
    Unknown(String),
    /// A duration does not parse or is too long.
    #[error(
        "`{0}` is no duration from 0 to 1 h; write a number and a unit, such as `250us`, `1.5ms` or `2s`"
    )]
    Duration(String),
    /// A sigma does not parse or is out of range.
    #[error("`{0}` is no sigma; write a number from 0 to 5, such as `sigma=0.5`")]
    Sigma(String),
    /// The parts of the distribution are not what it takes.
    #[error("`{0}` lacks a part; write `{1}`")]
    Shape(String, &'static str),
}

impl Distribution {
    /// The mean, before the cut at [`LONGEST`].
    pub fn mean(&self) -> Duration {
        match *self {
            Self::Fixed(value) => value,
            Self::Exponential { mean } => mean,
            Self::LogNormal { median, sigma } => median.mul_f64((sigma * sigma / 2.0).exp()),
            Self::Uniform { low, high } => (low + high) / 2,
        }
    }

    /// The distribution made ready to draw from.
    pub fn sampler(&self) -> Sampler {
        match *self {
            Self::Fixed(value) => Sampler::Fixed(nanos(value)),
            Self::Exponential { mean } => Sampler::Exponential(mean.as_nanos() as f64),
            Self::LogNormal { median, sigma } => {
                Sampler::LogNormal(median.as_nanos() as f64, sigma)
            }
            Self::Uniform { low, high } => Sampler::Uniform(
                low.as_nanos() as f64,
                high.saturating_sub(low).as_nanos() as f64,
            ),
        }
    }
}

/// A distribution ready to draw from. A draw takes one or two random words and no allocation.
#[derive(Debug, Clone, Copy)]
pub enum Sampler {
    /// The value, ns.
    Fixed(u64),
    /// The mean, ns.
    Exponential(f64),
    /// The median, ns, and sigma.
    LogNormal(f64, f64),
    /// The lowest value and the width, ns.
    Uniform(f64, f64),
}

impl Sampler {
    /// The next draw, ns.
    pub fn draw(&self, random: &mut impl Rng) -> u64 {
        let value = match *self {
            Self::Fixed(value) => return value,
            Self::Exponential(mean) => {
                let unit: f64 = rand_distr::Exp1.sample(random);
                mean * unit
            }
            Self::LogNormal(median, sigma) => {
                let unit: f64 = rand_distr::StandardNormal.sample(random);
                median * (sigma * unit).exp()
            }
            Self::Uniform(low, width) => {
                let unit: f64 = rand_distr::StandardUniform.sample(random);
                low + width * unit
            }
        };
        (value.round() as u64).min(nanos(LONGEST))
    }
}

impl FromStr for Distribution {
    type Err = DistributionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Some((kind, rest)) = text.trim().split_once(':') else {
            return Err(DistributionError::Unknown(text.to_owned()));
        };
        match kind.trim() {
            "fixed" => Ok(Self::Fixed(duration(rest)?)),
            "exp" => Ok(Self::Exponential {
                mean: duration(rest)?,
            }),
            "lognormal" => log_normal(text, rest),
            "uniform" => {
                let shape =
                    || DistributionError::Shape(text.to_owned(), "uniform:LOW..HIGH, LOW first");
                let (low, high) = rest.split_once("..").ok_or_else(shape)?;
                let (low, high) = (duration(low)?, duration(high)?);
                if low > high {
                    return Err(shape());
                }
                Ok(Self::Uniform { low, high })
            }
            _ => Err(DistributionError::Unknown(text.to_owned())),
        }
    }
}

fn log_normal(text: &str, rest: &str) -> Result<Distribution, DistributionError> {
    let shape =
        || DistributionError::Shape(text.to_owned(), "lognormal:median=DURATION,sigma=NUMBER");
    let (mut median, mut sigma) = (None, None);
    for part in rest.split(',') {
        match part.split_once('=').map(|(key, value)| (key.trim(), value)) {
            Some(("median", value)) => median = Some(duration(value)?),
            Some(("sigma", value)) => {
                let number = value.trim().parse::<f64>().ok();
                let number = number.filter(|number| (0.0..=5.0).contains(number));
                sigma =
                    Some(number.ok_or_else(|| DistributionError::Sigma(value.trim().to_owned()))?);
            }
            Some(_) | None => return Err(shape()),
        }
    }
    match (median, sigma) {
        (Some(median), Some(sigma)) => Ok(Distribution::LogNormal { median, sigma }),
        _ => Err(shape()),
    }
}

impl fmt::Display for Distribution {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Fixed(value) => write!(out, "fixed:{}", Span(value)),
            Self::Exponential { mean } => write!(out, "exp:{}", Span(mean)),
            Self::LogNormal { median, sigma } => {
                write!(out, "lognormal:median={},sigma={sigma}", Span(median))
            }
            Self::Uniform { low, high } => write!(out, "uniform:{}..{}", Span(low), Span(high)),
        }
    }
}

/// A duration as profiles write them; a bare `0` needs no unit.
///
/// Fails on what is no duration and on anything above [`LONGEST`].
pub(super) fn duration(text: &str) -> Result<Duration, DistributionError> {
    match text.trim() {
        "0" => Ok(Duration::ZERO),
        text => parse_duration(text)
            .ok()
            .filter(|duration| *duration <= LONGEST)
            .ok_or_else(|| DistributionError::Duration(text.to_owned())),
    }
}

/// A duration in whole nanoseconds; some 584 years at most.
pub(super) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    fn any_distribution() -> impl Strategy<Value = Distribution> {
        let time = (0..=3_600_000_000_000_u64).prop_map(Duration::from_nanos);
        prop_oneof![
            time.clone().prop_map(Distribution::Fixed),
            time.clone()
                .prop_map(|mean| Distribution::Exponential { mean }),
            (time.clone(), 0.0..=5.0)
                .prop_map(|(median, sigma)| Distribution::LogNormal { median, sigma }),
            (time.clone(), time).prop_map(|(one, other)| Distribution::Uniform {
                low: one.min(other),
                high: one.max(other)
            }),
        ]
    }

    proptest! {
        #[test]
        fn what_is_printed_parses_back(distribution in any_distribution()) {
            prop_assert_eq!(distribution.to_string().parse::<Distribution>(), Ok(distribution));
        }

        #[test]
        fn any_text_is_a_distribution_or_an_error(text in "\\PC{0,40}") {
            let _ = text.parse::<Distribution>();
            let _ = duration(&text);
        }

        #[test]
        fn a_draw_is_never_above_the_longest(distribution in any_distribution(), seed: u64) {
            let mut random = StdRng::seed_from_u64(seed);
            prop_assert!(distribution.sampler().draw(&mut random) <= nanos(LONGEST));
        }
    }

    #[test]
    fn the_mean_of_many_draws_is_the_stated_mean() {
        for text in [
            "fixed:5ms",
            "exp:1ms",
            "lognormal:median=2ms,sigma=0.5",
            "uniform:1ms..3ms",
        ] {
            let distribution: Distribution = text.parse().unwrap();
            let mut random = StdRng::seed_from_u64(7);
            let sampler = distribution.sampler();
            let sum: u64 = (0..200_000).map(|_| sampler.draw(&mut random)).sum();
            let ratio = sum as f64 / 200_000.0 / distribution.mean().as_nanos() as f64;
            assert!((ratio - 1.0).abs() < 0.01, "{text}: {ratio}");
        }
    }

    #[test]
    fn a_mistake_is_answered_with_what_to_write() {
        for (text, says) in [
            ("5ms", "`5ms` is no distribution"),
            ("gamma:1ms", "`gamma:1ms` is no distribution"),
            ("fixed:5", "`5` is no duration"),
            ("exp:-1ms", "`-1ms` is no duration"),
            ("exp:2h", "`2h` is no duration"),
            ("uniform:3ms..1ms", "LOW first"),
            ("lognormal:median=2ms", "lacks a part"),
            ("lognormal:median=2ms,sigma=NaN", "`NaN` is no sigma"),
        ] {
            let said = text.parse::<Distribution>().unwrap_err().to_string();
            assert!(said.contains(says), "{text}: {said}");
        }
    }
}
