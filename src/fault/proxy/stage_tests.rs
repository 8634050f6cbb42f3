use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::fault::proxy::counts::Counts;

const MS: u64 = 1_000_000;

fn stage(work: Work) -> Stage {
    let key = Key {
        fault: 0,
        toxic: 0,
        epoch: 1,
    };
    let touch = Rc::new(Touch::new(Arc::<Counts>::default()));
    Stage::new(key, work, Dice::new(42, 1, 0, 0), touch, true)
}

fn data(bytes: usize) -> Item {
    Item::Data(vec![7; bytes].into())
}

/// Everything that comes out, with its moments, up to a last one.
fn all(stage: &mut Stage, until: u64) -> Vec<(Item, u64)> {
    std::iter::from_fn(|| stage.pop(until)).collect()
}

#[test]
fn what_is_late_is_as_late_as_it_was_read_and_the_end_too() {
    let mut stage = stage(Work::Delay {
        latency: 200 * MS,
        jitter: 0,
    });
    for n in 0..20 {
        stage.push(data(10), n * 20 * MS);
    }
    stage.push(Item::Fin, 380 * MS);
    assert_eq!(stage.pop(199 * MS), None);
    assert_eq!(stage.pop(200 * MS), Some((data(10), 200 * MS)));
    let rest = all(&mut stage, 900 * MS);
    assert_eq!(rest[18], (data(10), 580 * MS));
    assert_eq!(rest[19], (Item::Fin, 580 * MS));
}

#[test]
fn jitter_is_uniform_around_the_latency() {
    let mut stage = stage(Work::Delay {
        latency: 100 * MS,
        jitter: 50 * MS,
    });
    let count = 2_000;
    let mut late: Vec<f64> = (0..count)
        .map(|n| {
            let at = n * 1_000 * MS;
            stage.push(data(1), at);
            let (_, out) = stage.pop(u64::MAX).unwrap();
            (out - at) as f64 / MS as f64
        })
        .collect();
    late.sort_by(f64::total_cmp);
    // Kolmogorov and Smirnov: the largest distance from a uniform distribution over 50 ms to 150 ms, at 1 %.
    let distance = late.iter().enumerate().map(|(rank, late)| {
        let expected = (late - 50.0) / 100.0;
        (expected - rank as f64 / count as f64).abs()
    });
    let distance = distance.fold(0.0, f64::max);
    assert!(distance < 1.63 / (count as f64).sqrt(), "{distance}");
}

#[test]
fn a_slow_link_takes_its_time_and_saves_none_up() {
    let mut stage = stage(Work::Pace { rate: 100_000 });
    stage.push(data(10_000), 0);
    let first = all(&mut stage, u64::MAX);
    assert_eq!(first.last().unwrap().1, 100 * MS);
    assert_eq!(first.len(), 13, "pieces of 8 ms");
    // Idle for a second, and no faster after it.
    stage.push(data(10_000), 1_100 * MS);
    let second = all(&mut stage, u64::MAX);
    assert_eq!(second.first().unwrap().1, 1_108 * MS);
    assert_eq!(second.last().unwrap().1, 1_200 * MS);
}

#[test]
fn a_stream_is_cut_into_pieces_wherever_it_was_read() {
    let mut stage = stage(Work::Slice {
        average: 100,
        variation: 0,
        delay: MS,
    });
    stage.push(data(6_050), 0);
    stage.push(data(3_950), 30 * MS);
    let pieces = all(&mut stage, u64::MAX);
    let mut moments: Vec<u64> = pieces.iter().map(|(_, at)| *at).collect();
    assert_eq!(moments.len(), 101);
    moments.dedup();
    assert_eq!(moments.len(), 100);
    assert_eq!(pieces.last().unwrap().1, 99 * MS);
}

#[test]
fn a_limit_is_kept_to_the_byte() {
    let mut stage = stage(Work::Limit { bytes: 10 });
    stage.push(data(4), 0);
    stage.push(data(9), 0);
    stage.push(data(9), 0);
    stage.push(Item::Fin, 0);
    let out: Vec<Item> = all(&mut stage, 0)
        .into_iter()
        .map(|(item, _)| item)
        .collect();
    assert_eq!(out, [data(4), data(6), Item::Close]);
}

#[test]
fn only_the_end_is_slow_to_close() {
    let mut stage = stage(Work::SlowClose { delay: 70 * MS });
    stage.push(data(4), 5 * MS);
    stage.push(Item::Fin, 6 * MS);
    assert_eq!(
        all(&mut stage, u64::MAX),
        [(data(4), 5 * MS), (Item::Fin, 76 * MS)]
    );
}

#[test]
fn what_falls_into_a_hole_is_known_to_be_gone() {
    let mut stage = stage(Work::Hole);
    assert!(!stage.swallowed());
    stage.push(data(1), 0);
    assert_eq!(stage.pop(u64::MAX), None);
    assert!(stage.swallowed());
}

fn work() -> impl Strategy<Value = Work> {
    let time = 0..300 * MS;
    prop_oneof![
        (time.clone(), time.clone()).prop_map(|(latency, jitter)| Work::Delay { latency, jitter }),
        (1..10_000_000_u64).prop_map(|rate| Work::Pace { rate }),
        time.clone().prop_map(|delay| Work::SlowClose { delay }),
        (1..5_000_u64, time).prop_flat_map(|(average, delay)| {
            (0..=average).prop_map(move |variation| Work::Slice {
                average,
                variation,
                delay,
            })
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn nothing_is_lost_reordered_or_early(
        work in work(),
        reads in proptest::collection::vec((1..2_000_usize, 0..50 * MS), 1..20),
    ) {
        let mut stage = stage(work);
        let (mut at, mut sent) = (0, Vec::new());
        for (number, (bytes, pause)) in reads.iter().enumerate() {
            at += pause;
            let bytes = vec![number as u8; *bytes];
            sent.extend_from_slice(&bytes);
            stage.push(Item::Data(bytes.into()), at);
        }
        stage.push(Item::Fin, at);
        let (mut got, mut last) = (Vec::new(), 0);
        let mut ended = false;
        while let Some(due) = stage.due() {
            prop_assert_eq!(stage.pop(due.saturating_sub(1)), None);
            let (item, at) = stage.pop(due).unwrap();
            prop_assert!(at >= last && !ended);
            last = at;
            match item {
                Item::Data(bytes) => got.extend_from_slice(&bytes),
                Item::Fin => ended = true,
                Item::Reset | Item::Close => prop_assert!(false),
            }
        }
        prop_assert!(ended && stage.held() == 0);
        prop_assert_eq!(got, sent);
    }
}
