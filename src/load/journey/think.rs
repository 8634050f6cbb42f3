//! Pauses: a think time drawn to a duration.

use std::time::Duration;

use rand::RngExt;
use rand_distr::{Distribution, Exp1};

use super::random::Rng;
use crate::profile::model::ThinkTime;

/// Longest pause that is drawn, so that an exponential tail cannot park a user for ever.
const LONGEST: f64 = 24.0 * 3600.0;

/// A pause. A range is uniform and includes both ends; `exp` has the mean that was asked for.
pub(super) fn draw(think: ThinkTime, rng: &mut Rng) -> Duration {
    match think {
        ThinkTime::None => Duration::ZERO,
        ThinkTime::Fixed(pause) => pause,
        ThinkTime::Range(low, high) => {
            let (low, high) = (low.min(high), low.max(high));
            let span = u64::try_from(high.saturating_sub(low).as_nanos()).unwrap_or(u64::MAX);
            low + Duration::from_nanos(rng.random_range(0..=span))
        }
        ThinkTime::Exponential(mean) => {
            let factor: f64 = Exp1.sample(rng);
            Duration::from_secs_f64((mean.as_secs_f64() * factor).clamp(0.0, LONGEST))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::random;
    use super::*;

    fn draws(think: ThinkTime) -> Vec<f64> {
        let mut rng = random::rng(42);
        let mut all: Vec<_> = (0..20_000)
            .map(|_| draw(think, &mut rng).as_secs_f64())
            .collect();
        all.sort_by(f64::total_cmp);
        all
    }

    /// The Kolmogorov-Smirnov distance from a distribution function.
    fn distance(sorted: &[f64], cdf: impl Fn(f64) -> f64) -> f64 {
        let n = sorted.len() as f64;
        sorted
            .iter()
            .enumerate()
            .map(|(i, &x)| {
                let f = cdf(x);
                (f - i as f64 / n).abs().max(((i + 1) as f64 / n - f).abs())
            })
            .fold(0.0, f64::max)
    }

    // 1.95 / sqrt(20,000): the 99.9 % quantile of the distance.
    const BOUND: f64 = 0.0138;

    #[test]
    fn exponential_think_times_are_exponential_with_the_mean_asked_for() {
        let all = draws(ThinkTime::Exponential(Duration::from_secs(2)));
        assert!(distance(&all, |x| 1.0 - (-x / 2.0).exp()) < BOUND);
    }

    #[test]
    fn a_range_is_uniform_between_its_ends() {
        let all = draws(ThinkTime::Range(
            Duration::from_secs(1),
            Duration::from_secs(3),
        ));
        assert!(distance(&all, |x| (x - 1.0) / 2.0) < BOUND);
        assert!(all[0] >= 1.0 && all[all.len() - 1] <= 3.0);
    }

    #[test]
    fn a_fixed_pause_is_what_was_written() {
        let mut rng = random::rng(1);
        let pause = Duration::from_millis(250);
        assert_eq!(draw(ThinkTime::Fixed(pause), &mut rng), pause);
        assert_eq!(draw(ThinkTime::None, &mut rng), Duration::ZERO);
    }
}
