//! Recorded series as text: a line `@` with times in milliseconds (one by one, or `first+stepxcount`), then a line a series
//! with a value for each time. `_` is no sample, `s` a staleness marker, `a+bxn` a value and n more, each by b higher.

use stormdeck::scrape::store::{STALE, Sample};
use stormdeck::scrape::{Labels, Store};

/// A series and all its samples.
pub struct Recorded {
    pub labels: Labels,
    pub samples: Vec<Sample>,
}

pub fn read(text: &str) -> Vec<Recorded> {
    let mut times = Vec::new();
    let mut recorded = Vec::new();
    for line in text.lines() {
        if let Some(line) = line.strip_prefix('@') {
            times = line.split_whitespace().flat_map(self::times).collect();
        } else if !line.is_empty() && !line.starts_with('#') {
            let (labels, values) = labels(line);
            let values: Vec<Option<f64>> =
                values.split_whitespace().flat_map(self::values).collect();
            assert!(
                values.len() <= times.len(),
                "{} values: {line}",
                values.len()
            );
            let samples = times.iter().zip(values);
            let samples = samples.filter_map(|(&at, value)| Some(Sample { at, value: value? }));
            recorded.push(Recorded {
                labels,
                samples: samples.collect(),
            });
        }
    }
    recorded
}

fn times(text: &str) -> Vec<i64> {
    let Some((first, rest)) = text.split_once('+') else {
        return vec![text.parse().unwrap()];
    };
    let (step, count) = rest.split_once('x').unwrap();
    let (first, step): (i64, i64) = (first.parse().unwrap(), step.parse().unwrap());
    (0..count.parse().unwrap())
        .map(|n| first + n * step)
        .collect()
}

fn values(text: &str) -> Vec<Option<f64>> {
    match text {
        "_" => return vec![None],
        "s" => return vec![Some(STALE)],
        _ => {}
    }
    if let Some((start, count)) = text.split_once('x') {
        let sign = start[1..].rfind(['+', '-']).unwrap() + 1;
        let (from, step): (f64, f64) = (
            start[..sign].parse().unwrap(),
            start[sign..].parse().unwrap(),
        );
        let count: u32 = count.parse().unwrap();
        return (0..=count)
            .map(|n| Some(from + f64::from(n) * step))
            .collect();
    }
    vec![Some(text.parse().unwrap())]
}

/// `name{label="value",...} rest`; values without escapes.
fn labels(line: &str) -> (Labels, &str) {
    let end = line.find(['{', ' ']).unwrap();
    let mut pairs = vec![("__name__".to_owned(), line[..end].to_owned())];
    let mut rest = &line[end..];
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner;
        while !rest.starts_with('}') {
            let (name, tail) = rest.split_once("=\"").unwrap();
            let (value, tail) = tail.split_once('"').unwrap();
            pairs.push((name.to_owned(), value.to_owned()));
            rest = tail.strip_prefix(',').unwrap_or(tail);
        }
        rest = &rest[1..];
    }
    (Labels::new(pairs), rest)
}

/// All of it in a store that forgets nothing.
pub fn store(recorded: &[Recorded]) -> Store {
    let mut store = Store::new(i64::MAX);
    for series in recorded {
        let id = store.id(&series.labels);
        for sample in &series.samples {
            store.append(id, sample.at, sample.value);
        }
    }
    store
}
