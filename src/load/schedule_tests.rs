use proptest::prelude::*;

use super::*;

const S: Nanos = 1_000_000_000;

fn ramp(from: Nanos, to: Nanos, start: f64, end: f64) -> Piece {
    Piece {
        from,
        to,
        start,
        end,
    }
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1.0)
}

#[test]
fn a_ramp_has_half_its_area_after_the_root_of_half_its_time() {
    let curve = Curve::new([ramp(0, 60 * S, 0.0, 1000.0)]);
    assert!(close(curve.cumulative(60 * S), 30_000.0));
    let half = curve.time_of(15_000.0).unwrap();
    assert!((seconds(half) - 42.426).abs() < 0.001, "{half}");
}

#[test]
fn a_falling_ramp_is_inverted_to_its_very_end() {
    let curve = Curve::new([ramp(S, 11 * S, 100.0, 0.0)]);
    assert_eq!(curve.time_of(500.0), Some(11 * S));
    assert_eq!(curve.time_of(500.001), None);
    let half = curve.time_of(375.0).unwrap();
    assert!(half.abs_diff(6 * S) <= 1, "{half}");
}

#[test]
fn nothing_is_due_in_a_gap_nor_before_a_curve_that_starts_at_zero() {
    let curve = Curve::new([
        Piece::level(0, S, 10.0),
        Piece::level(3 * S, 4 * S, 10.0),
        ramp(4 * S, 5 * S, 0.0, 2.0),
    ]);
    assert_eq!(curve.time_of(10.5), Some(3 * S + S / 20));
    assert!(close(curve.value(2 * S), 0.0));
    assert!(close(curve.value(3 * S), 10.0));
    assert!(close(curve.cumulative(2 * S), 10.0));
    assert_eq!(curve.time_of(21.0), Some(5 * S));
    assert_eq!(Curve::default().time_of(0.5), None);
}

#[test]
fn a_level_that_lasts_for_ever_reaches_any_area() {
    let curve = Curve::constant(200.0);
    assert_eq!(curve.time_of(200.0 * 86_400.0), Some(86_400 * S));
    assert_eq!(Curve::constant(0.0).time_of(0.5), None);
    assert_eq!(Curve::constant(1e-30).time_of(0.5), None);
}

#[test]
fn values_that_are_no_rate_count_as_zero() {
    let curve = Curve::new([
        Piece::level(0, S, f64::NAN),
        Piece::level(S, 2 * S, -5.0),
        Piece::level(2 * S, 2 * S, 7.0),
    ]);
    assert!(close(curve.cumulative(10 * S), 0.0));
}

#[test]
fn a_curve_that_changes_all_day_stays_small() {
    let mut curve = Curve::constant(1.0);
    for second in 1..10_000 {
        curve.splice(second * S, &Curve::constant((second % 7) as f64));
        curve.forget(second * S);
    }
    assert!(curve.pieces.len() <= 2, "{}", curve.pieces.len());
    let expected: u64 = 1 + (1..9_999).map(|second| second % 7).sum::<u64>();
    assert!(close(curve.cumulative(9_999 * S), expected as f64));
}

#[test]
fn users_cross_each_whole_number_once_on_the_way_up_and_down() {
    let curve = Curve::new([
        ramp(0, 10 * S, 0.0, 5.0),
        Piece::level(10 * S, 20 * S, 5.0),
        ramp(20 * S, 25 * S, 5.0, 0.0),
    ]);
    let mut changes = Vec::new();
    let (mut t, mut users) = (0, curve.users(0));
    while let Some(next) = curve.next_crossing(t, users, users + 1) {
        assert!(next > t);
        (t, users) = (next, curve.users(next));
        changes.push((seconds(t).round(), users));
    }
    assert_eq!(
        changes,
        [
            (2.0, 1),
            (4.0, 2),
            (6.0, 3),
            (8.0, 4),
            (10.0, 5),
            (20.0, 4),
            (21.0, 3),
            (22.0, 2),
            (23.0, 1),
            (24.0, 0)
        ]
    );
}

#[test]
fn users_that_end_at_once_are_noticed_at_the_end() {
    let curve = Curve::new([Piece::level(S, 2 * S, 3.0)]);
    assert_eq!(curve.next_crossing(0, 0, 1), Some(S));
    assert_eq!(curve.next_crossing(S, 3, 4), Some(2 * S));
    assert_eq!(curve.next_crossing(2 * S, 0, 1), None);
    assert_eq!(Curve::constant(4.0).next_crossing(0, 4, 5), None);
}

fn curves() -> impl Strategy<Value = Curve> {
    prop::collection::vec((1u64..20_000, 0.0f64..500.0, 0.0f64..500.0), 1..8).prop_map(|parts| {
        let mut from = 0;
        Curve::new(parts.into_iter().map(|(ms, start, end)| {
            let to = from + ms * 1_000_000;
            let piece = ramp(from, to, start, end);
            from = to;
            piece
        }))
    })
}

proptest! {
    #[test]
    fn the_time_of_an_area_is_when_the_integral_reaches_it(curve in curves(), share in 0.001f64..1.0) {
        let area = curve.cumulative(FOREVER - 1) * share;
        prop_assume!(area > 1e-3);
        let t = curve.time_of(area).unwrap();
        // A nanosecond at 500/s is 5e-7.
        prop_assert!((curve.cumulative(t) - area).abs() < 1e-5);
    }

    #[test]
    fn a_splice_keeps_the_past_and_takes_the_future_without_a_step(old in curves(), new in curves(), at in 0u64..60_000_000_000, later in 0u64..60_000_000_000) {
        let mut spliced = old.clone();
        spliced.splice(at, &new);
        for t in [at / 2, at] {
            prop_assert!(close(spliced.cumulative(t), old.cumulative(t)));
        }
        let after = at + later;
        let expected = old.cumulative(at) + new.cumulative(after) - new.cumulative(at);
        prop_assert!(close(spliced.cumulative(after), expected));
        prop_assert!((spliced.value(after) - new.value(after)).abs() < 1e-6);
    }

    #[test]
    fn the_next_crossing_is_the_first_change_of_users(curve in curves(), start in 0u64..10_000_000_000) {
        let users = curve.users(start);
        let crossing = curve.next_crossing(start, users, users + 1);
        if let Some(t) = crossing {
            prop_assert!(t > start);
            prop_assert_ne!(curve.users(t), users);
        }
        let end = crossing.unwrap_or(200 * S);
        for step in 0..50 {
            let t = start + (end - start) / 50 * step;
            prop_assert_eq!(curve.users(t), users, "at {}", t);
        }
    }
}
