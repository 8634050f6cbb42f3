#![allow(clippy::unwrap_used, reason = "test code")]

use super::*;

const SECOND: Nanos = 1_000_000_000;

fn write(number: u64, at: Nanos) -> Write {
    Write {
        ledger: 0,
        number,
        at,
        acknowledged: true,
    }
}

/// Nothing is near.
fn nowhere() -> Near {
    Near::default()
}

#[test]
fn a_moment_is_near_from_one_end_of_a_stretch_to_the_other() {
    let near = Near::new([(50, 60), (10, 20), (15, 30), (31, 31), (12, 13)]);
    assert_eq!(near, Near(vec![(10, 30), (31, 31), (50, 60)]));
    for at in [10, 20, 30, 31, 50, 60] {
        assert!(near.holds(at), "{at}");
    }
    for at in [0, 9, 32, 49, 61, Nanos::MAX] {
        assert!(!near.holds(at), "{at}");
    }
    assert!(!nowhere().holds(0));
}

#[test]
fn what_was_found_is_counted_by_what_was_acknowledged() {
    let mut book = Book::new(1);
    let found = [
        (true, 5_000_000, Found::There(1)),
        (true, 6_000_000, Found::Gone),
        (true, 1_009_000_000, Found::Gone),
        (true, 7_000_000, Found::Gone),
        (true, 1_000, Found::There(2)),
        (false, 1_100_000_000, Found::There(3)),
        (false, 5_000_000, Found::There(1)),
        (false, 5_000_000, Found::Gone),
        (true, 1_000, Found::Unknown),
    ];
    for (number, (acknowledged, at, _)) in (1..).zip(&found) {
        let (at, acknowledged) = (*at, *acknowledged);
        book.add(Write {
            acknowledged,
            ..write(number, at)
        });
    }
    book.close(&nowhere());
    let found: Vec<Found> = found.iter().map(|(.., found)| *found).collect();
    let missing = |at, lost, duplicated| Missing {
        at,
        lost,
        duplicated,
    };
    let expected = Ledger {
        name: "orders".into(),
        sent: 9,
        acknowledged: 6,
        looked_at: Some(5),
        lost: 3,
        duplicated: 2,
        surplus: 2,
        unknown: 1,
        lost_between: Some((6_000, 1_009_000)),
        sampled: false,
        step_us: 1_000_000,
        by_time: vec![missing(0, 2, 1), missing(1_000_000, 1, 1)],
    };
    assert_eq!(book.judge("orders", &found), expected);
    assert_eq!(book.sampled("orders"), None);
}

#[test]
fn of_too_many_writes_far_from_any_injection_each_is_kept_with_the_same_chance() {
    let mut book = Book::new(7);
    let all = 4 * FAR as u64;
    for number in 0..all {
        book.add(write(number, number * SECOND));
        book.decide(number * SECOND, &nowhere());
    }
    assert_eq!(book.far.kept.len(), FAR);
    book.close(&nowhere());
    assert_eq!((book.kept().count(), book.sent), (FAR, all));
    let late = book.kept().filter(|write| write.number >= all / 2);
    let share = late.count() as f64 / FAR as f64;
    assert!((0.49..0.51).contains(&share), "{share}");
    let said = book.sampled("orders").unwrap();
    let words = "400000 writes were sent; 100000 of them, drawn at random, are read back";
    assert!(said.ends_with(words), "{said}");
}

#[test]
fn every_write_near_an_injection_is_kept_also_those_before_it() {
    let mut book = Book::new(7);
    // A thousand a second for ten minutes; a fault at 300 s, of which nothing is known before.
    let near = Near::new([(240 * SECOND, 400 * SECOND)]);
    for tick in 1..=600_u64 {
        for place in 0..1_000 {
            let at = (tick - 1) * SECOND + place * (SECOND / 1_000);
            book.add(write(tick * 1_000 + place, at));
        }
        let known = if tick < 300 { &nowhere() } else { &near };
        book.decide((tick * SECOND).saturating_sub(60 * SECOND), known);
        assert!(book.recent.len() <= 61_000, "{}", book.recent.len());
    }
    book.close(&near);
    let kept = |from: u64, to: u64| {
        let within = |write: &&Write| (from * SECOND..to * SECOND).contains(&write.at);
        book.kept().filter(within).count()
    };
    assert_eq!(kept(240, 400), 160_000.min(NEAR));
    assert!(
        book.sampled("orders")
            .unwrap()
            .contains("100000 of those near")
    );
    let near = Near::new([(240 * SECOND, 290 * SECOND)]);
    let mut book = Book::new(7);
    for number in 0..600_000_u64 {
        let at = number * (SECOND / 1_000);
        book.add(write(number, at));
        let known = if at < 280 * SECOND { &nowhere() } else { &near };
        book.decide(at.saturating_sub(60 * SECOND), known);
    }
    book.close(&near);
    assert_eq!(book.near.kept.len(), 50_001);
    assert_eq!(book.far.kept.len(), NEAR - 50_001);
    assert!(book.kept().take(50_001).all(|write| near.holds(write.at)));
    let words = "all 50001 near an injection and 49999 of the others, drawn at random";
    assert!(book.sampled("orders").unwrap().contains(words));
    let found = vec![Found::There(1); book.kept().count()];
    let ledger = book.judge("orders", &found);
    assert_eq!((ledger.looked_at, ledger.sampled), (Some(100_000), false));
    assert_eq!((ledger.step_us, ledger.by_time.len()), (0, 0));
}

#[test]
fn writes_that_came_too_fast_to_wait_for_an_injection_are_a_sample_and_it_says_so() {
    let fast = |injected: bool| {
        let mut book = Book::new(7);
        let near = Near::new([(0, 90 * SECOND)]);
        // 10,000 a second: the room is for 20 s.
        for number in 0..300_000_u64 {
            book.add(write(number, number * (SECOND / 10_000)));
            book.decide(0, &nowhere());
        }
        assert_eq!(book.recent.len(), RECENT);
        let near = if injected { near } else { nowhere() };
        book.close(&near);
        book
    };
    let found = vec![Found::There(1); NEAR + LEAST_FAR];
    let book = fast(true);
    assert_eq!(book.kept().count(), NEAR + LEAST_FAR);
    assert!(book.judge("orders", &found).sampled);
    assert!(book.sampled("orders").unwrap().contains("of those near"));
    let book = fast(false);
    assert!(!book.judge("orders", &found).sampled);
    assert!(book.sampled("orders").unwrap().contains("of them"));
}

#[test]
fn losses_over_a_long_time_are_told_in_longer_moments_and_none_is_forgotten() {
    let mut book = Book::new(1);
    for second in 0..5_000 {
        book.add(write(second, second * SECOND + 500));
    }
    book.close(&nowhere());
    let ledger = book.judge("orders", &vec![Found::Gone; 5_000]);
    assert_eq!((ledger.step_us, ledger.by_time.len()), (4_000_000, 1_250));
    assert!(ledger.by_time.iter().all(|it| it.lost == 4));
    assert_eq!(ledger.by_time[2].at, 8_000_000);
}
