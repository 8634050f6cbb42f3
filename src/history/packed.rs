//! A histogram at rest: the same counts as [`Hist`], in a seventh of the memory.
//!
//! A history keeps thousands of histograms of which few are looked at in any moment. At rest each is a run of bytes:
//! for each bucket the distance to the previous one, shifted left by one, its lowest bit set when a count other than
//! 1 follows; both as LEB128. A busy second of 130 buckets takes about 200 bytes in place of 2,080. The bytes are
//! shared: a clone costs no memory.

use std::sync::Arc;

use crate::session::hist::Hist;

/// Counts by bucket, ascending, as bytes. It is only ever made from a [`Hist`], so what is read back is a valid one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Packed(Arc<[u8]>);

impl Packed {
    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Memory that it takes, bytes.
    pub(super) fn bytes(&self) -> usize {
        self.0.len()
    }

    /// Buckets in ascending order: index (see [`crate::session::hist`]) and count. Decodes as it goes, without
    /// allocating.
    pub fn iter(&self) -> impl Iterator<Item = (u32, u64)> + '_ {
        let mut rest = &self.0[..];
        let mut index = 0;
        std::iter::from_fn(move || {
            let head = take(&mut rest)?;
            let count = if head & 1 == 1 { take(&mut rest)? } else { 1 };
            index += (head >> 1) as u32;
            Some((index, count))
        })
    }

    /// The histogram to ask for quantiles.
    pub fn unpack(&self) -> Hist {
        Hist::from_buckets(self.iter()).unwrap_or_default()
    }

    /// Values counted.
    pub fn count(&self) -> u64 {
        self.iter()
            .fold(0, |sum, (_, count)| sum.saturating_add(count))
    }
}

/// A histogram at rest in the making.
pub(super) struct Packer {
    bytes: Vec<u8>,
    previous: u32,
}

impl Packer {
    /// For about so many buckets.
    pub(super) fn new(expected: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(expected * 2),
            previous: 0,
        }
    }

    /// Adds a bucket that is above all before it, and not empty.
    pub(super) fn push(&mut self, index: u32, count: u64) {
        let distance = u64::from(index - self.previous) << 1;
        if count == 1 {
            put(&mut self.bytes, distance);
        } else {
            put(&mut self.bytes, distance | 1);
            put(&mut self.bytes, count);
        }
        self.previous = index;
    }

    pub(super) fn finish(self) -> Packed {
        Packed(self.bytes.into())
    }
}

impl From<&Hist> for Packed {
    fn from(hist: &Hist) -> Self {
        let mut packer = Packer::new(hist.buckets().len());
        for &(index, count) in hist.buckets() {
            packer.push(index, count);
        }
        packer.finish()
    }
}

/// Appends a number as LEB128.
pub(super) fn put(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

/// Takes a number as LEB128 off the front.
pub(super) fn take(rest: &mut &[u8]) -> Option<u64> {
    // Nearly all are of one byte; charts decode hundreds of thousands of them a frame.
    if let [byte @ 0..0x80, tail @ ..] = *rest {
        *rest = tail;
        return Some(u64::from(*byte));
    }
    let mut value = 0u64;
    let mut shift = 0;
    loop {
        let (&byte, tail) = rest.split_first()?;
        *rest = tail;
        value |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte < 0x80 {
            return Some(value);
        }
        shift += 7;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_busy_second_takes_a_fraction_of_its_loose_form() {
        let hist =
            Hist::from_buckets((2_000..2_130).map(|index| (index, 1 + u64::from(index % 3))));
        let packed = Packed::from(&hist.unwrap());
        assert!(packed.0.len() < 300, "{}", packed.0.len());
    }

    proptest! {
        #[test]
        fn what_was_packed_comes_back(values in prop::collection::vec((0u64..4_000_000_000, 1u64..u64::MAX / 1000), 0..200)) {
            let mut hist = Hist::new();
            for (value, count) in values {
                let one = Hist::from_buckets([(crate::session::hist::index_of(value), count)]).unwrap();
                hist.merge(&one);
            }
            let packed = Packed::from(&hist);
            prop_assert_eq!(packed.count(), hist.count());
            prop_assert_eq!(packed.is_empty(), hist.is_empty());
            prop_assert_eq!(packed.unpack(), hist);
        }
    }
}
