//! Quantiles, of values and of a classic histogram's buckets.

use std::collections::HashMap;

use super::rows::{Row, Rows, Signature};

/// The label that holds a bucket's upper bound.
const BOUND: &str = "le";

/// The quantile of values, which are sorted on the way; between two of them by their weight.
pub(super) fn quantile(q: f64, values: &mut [f64]) -> f64 {
    match q {
        _ if values.is_empty() || q.is_nan() => return f64::NAN,
        _ if q < 0.0 => return f64::NEG_INFINITY,
        _ if q > 1.0 => return f64::INFINITY,
        _ => {}
    }
    // A `NaN` comes first.
    values.sort_by(|a, b| b.is_nan().cmp(&a.is_nan()).then(a.total_cmp(b)));
    let last = values.len() - 1;
    let rank = q * last as f64;
    let lower = rank.floor().max(0.0);
    let upper = (lower + 1.0).min(last as f64);
    let weight = rank - rank.floor();
    values[lower as usize] * (1.0 - weight) + values[upper as usize] * weight
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    bound: f64,
    count: f64,
}

/// `histogram_quantile`: one result for all series that differ in `le` only. Rows without a bound are left out.
pub(super) fn of_buckets(q: f64, rows: Rows) -> Rows {
    let bound_label = [BOUND.to_owned()];
    let all_but_bound = Signature {
        labels: &bound_label,
        without: true,
    };
    let mut key = Vec::new();
    let mut places: HashMap<Vec<u8>, usize> = HashMap::new();
    let mut histograms: Vec<(Row, Vec<Bucket>)> = Vec::new();
    for row in rows.rows {
        let Some(bound) = bound(row.tags.get(BOUND)) else {
            continue;
        };
        // Unlike a match, this one minds the name: two histograms in one vector stay two, and end in an error.
        all_but_bound.write(&row.tags, &mut key);
        key.extend_from_slice(row.tags.get(crate::scrape::labels::NAME).as_bytes());
        let bucket = Bucket {
            bound,
            count: row.value,
        };
        if let Some(&place) = places.get(&key) {
            histograms[place].1.push(bucket);
        } else {
            places.insert(key.clone(), histograms.len());
            histograms.push((row, vec![bucket]));
        }
    }
    let rows = histograms.into_iter().map(|(row, buckets)| Row {
        tags: all_but_bound.labels(&row.tags).into(),
        value: in_buckets(q, buckets),
    });
    Rows::unknown(rows.collect())
}

/// A bound as Go reads numbers, decimal ones at least.
fn bound(text: &str) -> Option<f64> {
    let value: f64 = text.parse().ok()?;
    // What is written in digits and does not fit is none.
    let spelled = text.contains(['i', 'I']);
    (value.is_finite() || value.is_nan() || spelled).then_some(value)
}

/// The quantile by straight lines within buckets, which count everything up to their bound.
fn in_buckets(q: f64, mut buckets: Vec<Bucket>) -> f64 {
    match q {
        _ if q.is_nan() => return f64::NAN,
        _ if q < 0.0 => return f64::NEG_INFINITY,
        _ if q > 1.0 => return f64::INFINITY,
        _ => {}
    }
    buckets.sort_by(|a, b| a.bound.total_cmp(&b.bound));
    if buckets
        .last()
        .is_none_or(|last| last.bound != f64::INFINITY)
    {
        return f64::NAN;
    }
    // Bounds that are spelled differently may be the same.
    buckets.dedup_by(|later, kept| {
        let same = later.bound == kept.bound;
        if same {
            kept.count += later.count;
        }
        same
    });
    // Buckets that were not read at the same moment may shrink.
    let mut most = buckets[0].count;
    for bucket in &mut buckets[1..] {
        if bucket.count > most {
            most = bucket.count;
        } else if bucket.count < most {
            bucket.count = most;
        }
    }
    let last = buckets.len() - 1;
    let all = buckets[last].count;
    if last == 0 || all == 0.0 {
        return f64::NAN;
    }
    let rank = q * all;
    let place = first_with(&buckets[..last], rank);
    match place {
        _ if place == last => return buckets[last - 1].bound,
        0 if buckets[0].bound <= 0.0 => return buckets[0].bound,
        _ => {}
    }
    let Bucket { bound, count } = buckets[place];
    let (start, before) = match place.checked_sub(1) {
        Some(before) => (buckets[before].bound, buckets[before].count),
        None => (0.0, 0.0),
    };
    start + (bound - start) * ((rank - before) / (count - before))
}

/// The first bucket that counts `rank`, found the way Go does: with a `NaN` among them it matters where one looks.
fn first_with(buckets: &[Bucket], rank: f64) -> usize {
    let (mut from, mut to) = (0, buckets.len());
    while from < to {
        let middle = usize::midpoint(from, to);
        if buckets[middle].count >= rank {
            to = middle;
        } else {
            from = middle + 1;
        }
    }
    from
}
