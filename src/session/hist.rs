//! A sparse latency histogram, in the bucket layout of `HdrHistogram`.
//!
//! A value `v` in µs is counted with 3 significant figures: exactly below 2,048, else in a bucket of
//! `2^(floor(log2 v) - 10)` values, 1,024 buckets to each doubling. The layout is that of an `HdrHistogram` with lowest
//! value 1 and 3 significant figures (sub-bucket count 2,048), so that the two convert without loss; only the buckets
//! that hold something are kept, in ascending order. Merging adds counts: distributions are never averaged.
//!
//! In the file a histogram is text: pairs in ascending order, separated by a space, each the distance to the previous
//! bucket's index (the first: from 0), then `*` and the count when it is not 1. `"5 0*3"` cannot occur: a distance
//! after the first is at least 1.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

const SUB_BUCKETS: u64 = 2048;
const HALF: u64 = SUB_BUCKETS / 2;

/// Largest value that is told apart, µs: a little over 71 minutes, the top of a doubling. Larger ones count as this.
pub const MAX_VALUE: u64 = (1 << 32) - 1;

/// Counts by bucket, ascending, without empty buckets.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hist {
    buckets: Vec<(u32, u64)>,
}

/// Index of the bucket that holds `value`.
pub fn index_of(value: u64) -> u32 {
    let value = value.min(MAX_VALUE);
    if value < SUB_BUCKETS {
        return value as u32;
    }
    let shift = value.ilog2() - 10;
    shift * HALF as u32 + (value >> shift) as u32
}

/// Lowest value of a bucket.
pub fn lowest(index: u32) -> u64 {
    let index = u64::from(index);
    if index < SUB_BUCKETS {
        return index;
    }
    let shift = index / HALF - 1;
    (index - shift * HALF) << shift
}

/// Highest value of a bucket, which is what a quantile reports.
pub fn highest(index: u32) -> u64 {
    lowest(index + 1) - 1
}

/// The value in the middle of a bucket, which stands for it in a mean.
fn middle(index: u32) -> f64 {
    f64::midpoint(lowest(index) as f64, highest(index) as f64)
}

impl Hist {
    /// An empty histogram.
    pub fn new() -> Self {
        Self::default()
    }

    /// From buckets in ascending order of index; empty ones are left out. `None` if they are not ascending or an
    /// index is out of range.
    pub fn from_buckets(buckets: impl IntoIterator<Item = (u32, u64)>) -> Option<Self> {
        let last = index_of(MAX_VALUE);
        let buckets: Vec<_> = buckets
            .into_iter()
            .filter(|&(_, count)| count > 0)
            .collect();
        let ascending = buckets.windows(2).all(|pair| pair[0].0 < pair[1].0);
        let in_range = buckets.last().is_none_or(|&(index, _)| index <= last);
        (ascending && in_range).then_some(Self { buckets })
    }

    /// From buckets that are known to be ascending, in range and not empty.
    pub(super) fn from_ascending(buckets: Vec<(u32, u64)>) -> Self {
        Self { buckets }
    }

    /// From a dense histogram of µs with 3 significant figures and lowest value 1.
    pub fn from_dense(dense: &hdrhistogram::Histogram<u64>) -> Self {
        let buckets = dense
            .iter_recorded()
            .map(|step| (index_of(step.value_iterated_to()), step.count_at_value()));
        Self {
            buckets: buckets.collect(),
        }
    }

    /// Adds one value. Costs a binary search; hot paths use a dense histogram and convert.
    pub fn record(&mut self, value: u64) {
        let index = index_of(value);
        match self.buckets.binary_search_by_key(&index, |&(i, _)| i) {
            Ok(place) => self.buckets[place].1 += 1,
            Err(place) => self.buckets.insert(place, (index, 1)),
        }
    }

    /// Adds all of `other`: the exact sum of the two distributions.
    pub fn merge(&mut self, other: &Self) {
        if self.buckets.is_empty() {
            self.buckets.clone_from(&other.buckets);
            return;
        }
        let mut merged = Vec::with_capacity(self.buckets.len() + other.buckets.len());
        let (mut a, mut b) = (
            self.buckets.iter().peekable(),
            other.buckets.iter().peekable(),
        );
        while let (Some(&&x), Some(&&y)) = (a.peek(), b.peek()) {
            match x.0.cmp(&y.0) {
                std::cmp::Ordering::Less => merged.extend(a.next()),
                std::cmp::Ordering::Greater => merged.extend(b.next()),
                std::cmp::Ordering::Equal => {
                    merged.push((x.0, x.1.saturating_add(y.1)));
                    a.next();
                    b.next();
                }
            }
        }
        merged.extend(a);
        merged.extend(b);
        self.buckets = merged;
    }

    /// Values counted.
    pub fn count(&self) -> u64 {
        self.buckets
            .iter()
            .fold(0, |sum, &(_, count)| sum.saturating_add(count))
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.buckets.is_empty()
    }

    /// Buckets in ascending order: index and count.
    pub fn buckets(&self) -> &[(u32, u64)] {
        &self.buckets
    }

    /// The smallest value at or below which a share `q` of the values lies, as the top of its bucket; 0 when empty.
    pub fn quantile(&self, q: f64) -> u64 {
        let total = self.count();
        let rank = ((q.clamp(0.0, 1.0) * total as f64).ceil() as u64).clamp(1, total.max(1));
        let mut seen = 0u64;
        for &(index, count) in &self.buckets {
            seen = seen.saturating_add(count);
            if seen >= rank {
                return highest(index);
            }
        }
        0
    }

    /// The arithmetic mean, each bucket by its middle; 0 when empty.
    pub fn mean(&self) -> f64 {
        let sum: f64 = self
            .buckets
            .iter()
            .map(|&(index, count)| middle(index) * count as f64)
            .sum();
        sum / self.count().max(1) as f64
    }

    /// The top of the highest bucket that holds a value; 0 when empty.
    pub fn max(&self) -> u64 {
        self.buckets.last().map_or(0, |&(index, _)| highest(index))
    }

    /// The bottom of the lowest bucket that holds a value; 0 when empty.
    pub fn min(&self) -> u64 {
        self.buckets.first().map_or(0, |&(index, _)| lowest(index))
    }

    /// The share of values above `value`'s bucket; 0 when empty.
    pub fn share_above(&self, value: u64) -> f64 {
        let limit = index_of(value);
        let above: u64 = self
            .buckets
            .iter()
            .filter(|&&(index, _)| index > limit)
            .map(|&(_, count)| count)
            .sum();
        above as f64 / self.count().max(1) as f64
    }
}

impl fmt::Display for Hist {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut previous = 0;
        for (place, &(index, count)) in self.buckets.iter().enumerate() {
            if place > 0 {
                f.write_str(" ")?;
            }
            write!(f, "{}", index - previous)?;
            if count != 1 {
                write!(f, "*{count}")?;
            }
            previous = index;
        }
        Ok(())
    }
}

/// Text that is not a histogram.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a part of a histogram (a distance, then `*` and a count)")]
pub struct ParseHistError(String);

impl FromStr for Hist {
    type Err = ParseHistError;

    fn from_str(text: &str) -> Result<Self, ParseHistError> {
        if let Some(buckets) = parse_as_written(text.as_bytes()) {
            return Ok(Self { buckets });
        }
        let last = index_of(MAX_VALUE);
        let mut buckets: Vec<(u32, u64)> = Vec::with_capacity(text.len() / 4);
        let mut index = 0u32;
        for part in text.split(' ').filter(|part| !part.is_empty()) {
            let bad = || ParseHistError(part.to_owned());
            let (distance, count) = part.split_once('*').unwrap_or((part, "1"));
            let distance: u32 = distance.parse().map_err(|_| bad())?;
            let count: u64 = count.parse().map_err(|_| bad())?;
            index = index
                .checked_add(distance)
                .filter(|&i| i <= last)
                .ok_or_else(bad)?;
            if count == 0 || (distance == 0 && !buckets.is_empty()) {
                return Err(bad());
            }
            buckets.push((index, count));
        }
        Ok(Self { buckets })
    }
}

/// The buckets in text exactly as it is written; `None` for anything else, which the general parser then judges.
fn parse_as_written(text: &[u8]) -> Option<Vec<(u32, u64)>> {
    let last = u64::from(index_of(MAX_VALUE));
    let mut buckets: Vec<(u32, u64)> = Vec::with_capacity(text.len() / 3);
    let mut index = 0u64;
    let mut at = 0;
    while at < text.len() {
        let distance = digits(text, &mut at)?;
        let count = if text.get(at) == Some(&b'*') {
            at += 1;
            digits(text, &mut at)?
        } else {
            1
        };
        index += distance;
        if index > last || count == 0 || (distance == 0 && !buckets.is_empty()) {
            return None;
        }
        buckets.push((index as u32, count));
        if at < text.len() {
            (text[at] == b' ').then_some(())?;
            at += 1;
        }
    }
    Some(buckets)
}

/// The number of at most 15 digits at `at`, which is moved past it.
fn digits(text: &[u8], at: &mut usize) -> Option<u64> {
    let rest = text.get(*at..)?;
    if let Some((number, length)) = rest.first_chunk().copied().and_then(short_number) {
        *at += length;
        return Some(number);
    }
    let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    *at += length;
    let number = |number, digit: &u8| number * 10 + u64::from(digit - b'0');
    (1..=15)
        .contains(&length)
        .then(|| rest[..length].iter().fold(0, number))
}

/// The number at the start of eight bytes and its length, if it has 1 to 7 digits; all at once, since the end of each
/// number is a branch that no processor can foresee.
fn short_number(bytes: [u8; 8]) -> Option<(u64, usize)> {
    const ZEROS: u64 = 0x3030_3030_3030_3030;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    // A digit becomes its value, any other byte more than 9; adding 0x76 lifts those above 0x7F. What is carried out of
    // a byte falsifies only bytes after it, and the first that is no digit is all that is looked for.
    let values = u64::from_le_bytes(bytes) ^ ZEROS;
    let others = (values.wrapping_add(0x7676_7676_7676_7676) | values) & HIGH;
    let length = others.trailing_zeros() / 8;
    if !(1..8).contains(&length) {
        return None;
    }
    // Zeros in front make it eight digits, which are then joined to pairs, fours and one.
    let digits = values << (64 - 8 * length);
    let pairs = (digits.wrapping_mul(10) + (digits >> 8)) & 0x00FF_00FF_00FF_00FF;
    let fours = (pairs.wrapping_mul(100) + (pairs >> 16)) & 0x0000_FFFF_0000_FFFF;
    let number = (fours.wrapping_mul(10_000) + (fours >> 32)) & 0xFFFF_FFFF;
    Some((number, length as usize))
}

/// The numbers below 1,000 as left-aligned digits. Most distances and counts are among them, and the formatting
/// machinery costs several times as much as a look-up; a day has a billion.
const SMALL: [[u8; 4]; 1000] = {
    let mut all = [[b' '; 4]; 1000];
    let mut number = 0;
    while number < all.len() {
        let digits = [number / 100, number / 10 % 10, number % 10];
        let skipped = 3 - width(number as u64);
        let mut place = skipped;
        while place < 3 {
            all[number][place - skipped] = b'0' + digits[place] as u8;
            place += 1;
        }
        number += 1;
    }
    all
};

/// How many digits a number below 1,000 has.
const fn width(number: u64) -> usize {
    1 + (number >= 10) as usize + (number >= 100) as usize
}

/// Appends the digits of a number.
fn push_digits(number: u64, out: &mut Vec<u8>) {
    if let Some(digits) = SMALL.get(number as usize) {
        // Four bytes are one store; as many as there are digits would be a call.
        out.extend_from_slice(digits);
        out.truncate(out.len() - 4 + width(number));
    } else {
        push_digits(number / 1000, out);
        let rest = number % 1000;
        out.extend([rest / 100, rest / 10 % 10, rest % 10].map(|digit| b'0' + digit as u8));
    }
}

impl Serialize for Hist {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = Vec::with_capacity(self.buckets.len() * 5 + 8);
        let mut previous = 0;
        for &(index, count) in &self.buckets {
            push_digits(u64::from(index - previous), &mut text);
            if count != 1 {
                text.push(b'*');
                push_digits(count, &mut text);
            }
            text.push(b' ');
            previous = index;
        }
        text.pop();
        serializer.serialize_str(std::str::from_utf8(&text).map_err(serde::ser::Error::custom)?)
    }
}

impl<'de> Deserialize<'de> for Hist {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Hist;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a histogram as text")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Hist, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn dense(values: &[u64]) -> hdrhistogram::Histogram<u64> {
        let mut dense = hdrhistogram::Histogram::new_with_bounds(1, MAX_VALUE, 3).unwrap();
        for &value in values {
            dense.saturating_record(value);
        }
        dense
    }

    #[test]
    fn merging_weighs_by_count_where_averaging_percentiles_would_not() {
        let mut all = Hist::from_buckets([(index_of(10_000), 900)]).unwrap();
        all.merge(&Hist::from_buckets([(index_of(1_000_000), 100)]).unwrap());
        assert!(
            (999_000..=1_001_000).contains(&all.quantile(0.99)),
            "{}",
            all.quantile(0.99)
        );
    }

    #[test]
    fn an_empty_histogram_answers_zero() {
        let empty = Hist::new();
        assert_eq!(
            (
                empty.count(),
                empty.quantile(0.99),
                empty.max(),
                empty.min()
            ),
            (0, 0, 0, 0)
        );
        assert_eq!(empty.to_string(), "");
        assert_eq!("".parse::<Hist>().unwrap(), empty);
    }

    #[test]
    fn text_that_is_no_histogram_is_refused() {
        for text in [
            "x",
            "1*",
            "1*0",
            "5 0",
            "-1",
            "1**2",
            "99999999",
            "1 4294967295",
            "1*99999999999999999999",
        ] {
            assert!(text.parse::<Hist>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn it_agrees_with_hdrhistogram(values in prop::collection::vec(0u64..5_000_000_000, 1..400)) {
            let dense = dense(&values);
            let sparse = Hist::from_dense(&dense);
            let mut recorded = Hist::new();
            for &value in &values {
                recorded.record(value);
            }
            prop_assert_eq!(&sparse, &recorded);
            prop_assert_eq!(sparse.count(), dense.len());
            for q in [0.001, 0.5, 0.9, 0.99, 0.999, 1.0] {
                prop_assert_eq!(sparse.quantile(q), dense.value_at_quantile(q));
            }
            prop_assert!((sparse.mean() - dense.mean()).abs() <= dense.mean() * 0.001 + 0.5);
        }

        #[test]
        fn text_comes_back_the_same(values in prop::collection::vec(0u64..4_000_000_000, 0..200)) {
            let mut hist = Hist::new();
            for &value in &values {
                hist.record(value);
            }
            prop_assert_eq!(serde_json::to_string(&hist).unwrap(), format!("\"{hist}\""));
            prop_assert_eq!(hist.to_string().parse::<Hist>().unwrap(), hist);
        }

        #[test]
        fn merging_is_the_same_as_recording_all(a in prop::collection::vec(0u64..10_000_000, 0..100), b in prop::collection::vec(0u64..10_000_000, 0..100)) {
            let build = |values: &[u64]| { let mut h = Hist::new(); for &v in values { h.record(v); } h };
            let mut merged = build(&a);
            merged.merge(&build(&b));
            prop_assert_eq!(merged, build(&[a, b].concat()));
        }
    }
}
