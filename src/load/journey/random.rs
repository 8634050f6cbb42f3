//! Where everything random about a user comes from.
//!
//! In: the window's seed, a scenario's salt, a user's or arrival's number, an iteration. Out: a generator of its own.
//! The invariant: the same four give the same values, whichever worker runs them and whatever ran before.

use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;

/// A user's own generator: 32 bytes, and the same on every platform.
pub(super) type Rng = Xoshiro256PlusPlus;

/// One step of splitmix64: a bijection of 64 bits that passes for random.
pub(super) fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Many numbers mixed to one.
pub(super) fn mix_all(values: &[u64]) -> u64 {
    values
        .iter()
        .fold(0, |state, &value| mix(state ^ mix(value)))
}

/// The generator that belongs to a mixed seed.
pub(super) fn rng(seed: u64) -> Rng {
    Rng::seed_from_u64(seed)
}

/// A number for a name, so that two scenarios with one seed differ.
pub(super) fn salt(name: &str) -> u64 {
    xxhash_rust::xxh64::xxh64(name.as_bytes(), 0)
}
