//! What the series of a bucket did, at rest: the same numbers as a list of ranges, in a quarter of the memory.
//!
//! A window of hundreds of series has a range of each in every bucket, which would be most of what a history takes. At
//! rest they are a run of bytes: for each series the distance to the index of the one before, shifted left by one, its
//! lowest bit set when there is a value at the end, as LEB128; then the value at the end, the smallest and the largest.
//! Each number is what differs from the one at the end, bit by bit, without the zero bytes in front and behind: a byte
//! that says how many there are of which, then the rest. Numbers that people and programs count in have few bits that
//! are not 0, and those of one series have most of them in common. The invariant: every number comes back to the bit.

use super::bucket::Range;
use super::packed::{put, take};

/// Ranges by index of their series, ascending, as bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SeriesRanges(Box<[u8]>);

impl SeriesRanges {
    /// Whether no series changed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Memory that they take, bytes.
    pub(super) fn bytes(&self) -> usize {
        self.0.len()
    }

    /// Index and range of each series that changed, ascending. Decodes as it goes, without allocating.
    pub fn iter(&self) -> impl Iterator<Item = (usize, Range)> + '_ {
        let mut rest = &self.0[..];
        let mut index = 0;
        std::iter::from_fn(move || {
            let head = take(&mut rest)?;
            index += (head >> 1) as usize;
            let last = take_bits(&mut rest)?;
            let min = f64::from_bits(last ^ take_bits(&mut rest)?);
            let max = f64::from_bits(last ^ take_bits(&mut rest)?);
            let last = (head & 1 == 1).then(|| f64::from_bits(last));
            Some((index, Range { min, max, last }))
        })
    }

    /// What this series did; `None` when it did not change. Costs a look at each series before it.
    pub fn get(&self, index: usize) -> Option<Range> {
        let found = self.iter().find(|&(place, _)| place >= index);
        found
            .filter(|&(place, _)| place == index)
            .map(|(_, range)| range)
    }
}

/// Indexes must ascend.
impl FromIterator<(usize, Range)> for SeriesRanges {
    fn from_iter<I: IntoIterator<Item = (usize, Range)>>(ranges: I) -> Self {
        let ranges = ranges.into_iter();
        let mut bytes = Vec::with_capacity(ranges.size_hint().0 * 16);
        let mut previous = 0;
        for (index, range) in ranges {
            let distance = (index - previous) as u64;
            put(&mut bytes, distance << 1 | u64::from(range.last.is_some()));
            let last = range.last.unwrap_or_default().to_bits();
            put_bits(&mut bytes, last);
            put_bits(&mut bytes, range.min.to_bits() ^ last);
            put_bits(&mut bytes, range.max.to_bits() ^ last);
            previous = index;
        }
        Self(bytes.into_boxed_slice())
    }
}

/// How many bytes in front are 0, how many follow that are kept, and these.
fn put_bits(bytes: &mut Vec<u8>, bits: u64) {
    if bits == 0 {
        bytes.push(0);
        return;
    }
    let front = bits.leading_zeros() / 8;
    let length = 8 - front - bits.trailing_zeros() / 8;
    bytes.push((front << 4 | length) as u8);
    let front = front as usize;
    bytes.extend_from_slice(&bits.to_be_bytes()[front..front + length as usize]);
}

fn take_bits(rest: &mut &[u8]) -> Option<u64> {
    let (&head, tail) = rest.split_first()?;
    let (front, length) = (usize::from(head >> 4), usize::from(head & 15));
    let (kept, tail) = tail.split_at_checked(length)?;
    *rest = tail;
    let mut bits = [0; 8];
    bits.get_mut(front..front + length)?.copy_from_slice(kept);
    Some(u64::from_be_bytes(bits))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bits(ranges: impl Iterator<Item = (usize, Range)>) -> Vec<(usize, u64, u64, Option<u64>)> {
        let bits = |(index, range): (usize, Range)| {
            let last = range.last.map(f64::to_bits);
            (index, range.min.to_bits(), range.max.to_bits(), last)
        };
        ranges.map(bits).collect()
    }

    proptest! {
        #[test]
        fn what_was_packed_comes_back_to_the_bit(
            parts in prop::collection::btree_map(0usize..2_000, (any::<u64>(), any::<u64>(), any::<Option<u64>>()), 0..50),
        ) {
            let ranges: Vec<_> = parts.into_iter().map(|(index, (min, max, last))| {
                let (min, max) = (f64::from_bits(min), f64::from_bits(max));
                (index, Range { min, max, last: last.map(f64::from_bits) })
            }).collect();
            let packed: SeriesRanges = ranges.iter().copied().collect();
            prop_assert_eq!(bits(packed.iter()), bits(ranges.iter().copied()));
            prop_assert_eq!(packed.is_empty(), ranges.is_empty());
            for &(index, range) in &ranges {
                let found = packed.get(index).map(|range| (index, range));
                prop_assert_eq!(bits(found.into_iter()), bits(std::iter::once((index, range))));
            }
        }
    }

    #[test]
    fn numbers_as_they_are_measured_take_a_third() {
        let range = |index: usize| {
            let min = 100_000.0 + index as f64 * 1_000.0;
            let (max, last) = (min + 731.25, Some(min + 12.5));
            (index, Range { min, max, last })
        };
        let packed: SeriesRanges = (0..300).map(range).collect();
        let loose = 300 * size_of::<(usize, Range)>();
        assert!(packed.bytes() * 3 < loose, "{} of {loose}", packed.bytes());
        let unchanged = |index| (index, Range::of(Some(0.1 + index as f64)));
        let packed: SeriesRanges = (0..300).map(unchanged).collect();
        assert!(packed.bytes() * 3 < loose, "{} of {loose}", packed.bytes());
        assert_eq!(packed.get(300), None);
    }
}
