//! Which journey an arrival runs: a pure function of seed, scenario and number.

use super::random;

/// Weights of a scenario's journeys, summed up. Never empty, the last sum is at least 1.
#[derive(Debug)]
pub(super) struct Weights {
    sums: Vec<u64>,
    salt: u64,
}

impl Weights {
    pub(super) fn new(weights: impl IntoIterator<Item = u32>, salt: u64) -> Self {
        let sums = weights
            .into_iter()
            .scan(0u64, |sum, weight| {
                *sum += u64::from(weight.max(1));
                Some(*sum)
            })
            .collect();
        Self { sums, salt }
    }

    /// The place in the list of weights. Costs three multiplications and a search, and no state.
    pub(super) fn pick(&self, seed: u64, number: u64) -> usize {
        let total = self.sums.last().copied().unwrap_or(1);
        let hash = random::mix_all(&[seed, self.salt, number]);
        // The high half of a product is below `total`; its bias is under one in 2^31 for any weights.
        let point = ((u128::from(hash) * u128::from(total)) >> 64) as u64;
        self.sums.partition_point(|&sum| sum <= point)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn journeys_are_picked_in_proportion_to_their_weights() {
        let weights = Weights::new([8, 2, 1], 7);
        let mut counts = [0u32; 3];
        for number in 0..110_000 {
            counts[weights.pick(42, number)] += 1;
        }
        let chi: f64 = counts
            .iter()
            .zip([80_000.0, 20_000.0, 10_000.0])
            .map(|(&seen, due)| (f64::from(seen) - due).powi(2) / due)
            .sum();
        // 13.8 is the 99.9 % quantile of chi-square with 2 degrees of freedom.
        assert!(chi < 13.8, "chi-square {chi}, counts {counts:?}");
    }

    #[test]
    fn the_same_number_picks_the_same_journey_and_another_seed_another() {
        let weights = Weights::new([1, 1], 7);
        let of = |seed| -> Vec<_> { (0..64).map(|n| weights.pick(seed, n)).collect() };
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
    }
}
