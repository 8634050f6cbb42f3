//! Which connections and requests a toxic hits, and every other random choice: all from the window's seed.
//!
//! A decision is a hash, not a roll: the same connection is hit every time, in both directions, and a higher share hits
//! those that a lower one hit, and more.

use xxhash_rust::xxh64::xxh64;

/// A number in [0, 1) that belongs to these words.
fn share(words: &[u64]) -> f64 {
    let mut bytes = Vec::with_capacity(words.len() * 8);
    for word in words {
        bytes.extend_from_slice(&word.to_le_bytes());
    }
    (xxh64(&bytes, 0) >> 11) as f64 / (1_u64 << 53) as f64
}

/// Whether a toxic of a fault hits a connection.
pub(super) fn hits(seed: u64, connection: u64, fault: usize, toxicity: f64) -> bool {
    share(&[seed, connection, fault as u64]) < toxicity
}

/// Whether a toxic of a fault hits a request, by its number on the connection.
pub(super) fn hits_request(
    seed: u64,
    connection: u64,
    fault: usize,
    request: u64,
    toxicity: f64,
) -> bool {
    share(&[seed, connection, fault as u64, request]) < toxicity
}

/// Random numbers that belong to one toxic of one connection.
#[derive(Debug)]
pub(super) struct Dice(u64);

impl Dice {
    pub fn new(seed: u64, connection: u64, fault: usize, toxic: usize) -> Self {
        let mut bytes = [0; 32];
        let words = [seed, connection, fault as u64, toxic as u64];
        for (place, word) in bytes.chunks_exact_mut(8).zip(words) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        Self(xxh64(&bytes, 1))
    }

    /// Uniform in `0..=most`. This is `splitmix64`; its low bits are as good as its high ones.
    pub fn up_to(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        // The high half of the product, which is uniform enough for spans far below 2^64.
        ((u128::from(z) * (u128::from(most) + 1)) >> 64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_share_of_connections_is_hit_as_near_as_chance_has_it() {
        let hit = (0..1_000).filter(|n| hits(42, *n, 3, 0.3)).count();
        assert!((257..=343).contains(&hit), "{hit}");
        assert_eq!((0..1_000).filter(|n| hits(42, *n, 3, 1.0)).count(), 1_000);
        assert_eq!((0..1_000).filter(|n| hits(42, *n, 3, 0.0)).count(), 0);
    }

    proptest! {
        #[test]
        fn a_higher_share_hits_those_that_a_lower_one_hit(
            seed: u64, connection: u64, fault in 0..100_usize, low in 0.0..1.0, more in 0.0..1.0
        ) {
            let high = f64::min(1.0, low + more);
            prop_assert!(!hits(seed, connection, fault, low) || hits(seed, connection, fault, high));
            prop_assert!(
                !hits_request(seed, connection, fault, 7, low) || hits_request(seed, connection, fault, 7, high)
            );
        }

        #[test]
        fn dice_stay_within_their_span(seed: u64, most: u64) {
            let mut dice = Dice::new(seed, 1, 2, 3);
            for _ in 0..10 {
                prop_assert!(dice.up_to(most) <= most);
            }
        }
    }
}
