use std::rc::Rc;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::fault::proxy::chance::Dice;
use crate::fault::proxy::counts::{Counts, Touch};
use crate::fault::proxy::stage::{Key, Work};

const MS: u64 = 1_000_000;

fn stage(toxic: usize, work: Work) -> Stage {
    let key = Key {
        fault: 0,
        toxic,
        epoch: 1,
    };
    let touch = Rc::new(Touch::new(Arc::<Counts>::default()));
    Stage::new(key, work, Dice::new(1, 1, 0, toxic), touch, toxic == 0)
}

fn slow() -> Work {
    Work::Delay {
        latency: 100 * MS,
        jitter: 0,
    }
}

/// What can be taken out by now.
fn taken(link: &mut Link, now: u64) -> Vec<u8> {
    link.advance(now);
    let mut bytes = Vec::new();
    while let Some(Item::Data(front)) = link.front() {
        bytes.extend_from_slice(front);
        let length = front.len();
        link.wrote(length);
    }
    bytes
}

#[test]
fn latency_and_bandwidth_add_up() {
    let mut link = Link::default();
    link.change(
        vec![stage(0, slow()), stage(1, Work::Pace { rate: 100_000 })],
        0,
    );
    link.feed(Item::Data(vec![1; 50_000].into()), 0);
    let (mut got, mut last) = (0, 0);
    while let Some(due) = link.due() {
        last = due;
        got += taken(&mut link, due).len();
    }
    assert_eq!((got, last), (50_000, 600 * MS));
}

#[test]
fn what_waits_goes_on_at_once_when_its_toxic_goes() {
    let mut link = Link::default();
    link.change(vec![stage(0, slow())], 0);
    link.feed(Item::Data("late".into()), 0);
    assert!(!link.change(vec![], MS));
    assert_eq!(taken(&mut link, MS), b"late");
    assert!(link.is_direct());
}

#[test]
fn a_stream_that_lost_bytes_cannot_go_on() {
    let mut link = Link::default();
    link.change(vec![stage(0, Work::Hole)], 0);
    assert!(link.is_hole());
    assert!(!link.change(vec![], 0), "nothing was lost yet");
    link.change(vec![stage(0, Work::Hole)], 0);
    link.feed(Item::Data("gone".into()), 0);
    assert!(link.change(vec![], 0));
}

#[test]
fn reading_stops_when_a_slow_link_is_full() {
    let mut link = Link::default();
    link.change(vec![stage(0, Work::Pace { rate: 1_000 })], 0);
    let mut reads = 0;
    while link.room() {
        link.feed(Item::Data(vec![0; 16 << 10].into()), 0);
        reads += 1;
    }
    assert_eq!(reads, 8);
}

proptest! {
    #[test]
    fn toxics_come_and_go_and_no_byte_is_lost_or_reordered(
        steps in proptest::collection::vec((0..8_u8, 0..40 * MS, 0..3_000_usize), 1..60)
    ) {
        let works = [slow(), Work::Pace { rate: 200_000 }, Work::Slice { average: 64, variation: 32, delay: MS }];
        let mut link = Link::default();
        let (mut now, mut sent, mut got) = (0, Vec::new(), Vec::new());
        for (on, pause, bytes) in steps {
            now += pause;
            let chosen = works.iter().enumerate().filter(|(n, _)| on & (1 << n) != 0);
            let stages = chosen.map(|(n, work)| stage(n, *work)).collect();
            prop_assert!(!link.change(stages, now));
            if bytes > 0 {
                let bytes: Vec<u8> = (0..bytes).map(|n| (n + sent.len()) as u8).collect();
                sent.extend_from_slice(&bytes);
                link.feed(Item::Data(bytes.into()), now);
            }
            got.extend(taken(&mut link, now));
        }
        link.change(vec![], now);
        got.extend(taken(&mut link, now));
        prop_assert_eq!(link.held(), 0);
        prop_assert_eq!(got, sent);
    }
}
