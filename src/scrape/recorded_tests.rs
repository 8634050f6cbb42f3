use super::*;
use crate::scrape::promql::{Query, Value};
use crate::session::record::{Instance, VERSION, Window};

const BEGAN: u64 = 1_700_000_000_000_000;
const NAMES: [&str; 3] = [
    r#"a{instance="x:1",job="x"}"#,
    "gauge",
    r#"b{instance="x:1",job="x"}"#,
];

fn recorded() -> Recorded {
    let mut recorded = Recorded::new(600_000);
    recorded.apply(&Record::Key(key(0, vec![])));
    recorded.apply(&Record::Window(Box::new(Window {
        wall: BEGAN,
        ..Window::default()
    })));
    recorded
}

fn key(at: u64, series: Vec<Option<Number>>) -> Key {
    Key {
        v: VERSION,
        tick: 1,
        at,
        names: Names {
            series: NAMES.map(Into::into).to_vec(),
            scraped: vec![Some(0), None, Some(0)],
            instances: vec![Instance::default()],
            ..Names::default()
        },
        series,
        ..Key::default()
    }
}

/// A scrape at so many seconds.
fn scrape(second: u64, series: &[(usize, Option<f64>)]) -> ScrapeTick {
    let series = series
        .iter()
        .map(|&(index, value)| (index, value.map(Number)));
    ScrapeTick {
        of: 0,
        at: second * 1_000_000,
        series: series.collect(),
        stamped: Vec::new(),
    }
}

fn ask(recorded: &Recorded, second: u64, expr: &str) -> Vec<f64> {
    let at = recorded.moment(second * 1_000_000);
    match Query::parse(expr)
        .unwrap()
        .eval(recorded.store(), at)
        .unwrap()
    {
        Value::Vector(vector) => vector.into_iter().map(|(_, value)| value).collect(),
        Value::Scalar(value) => vec![value],
    }
}

#[test]
fn a_value_that_does_not_change_is_a_sample_of_every_scrape() {
    let mut recorded = recorded();
    recorded.apply_scrape(&scrape(1, &[(0, Some(5.0)), (2, Some(1.0))]));
    recorded.apply_scrape(&scrape(2, &[(2, Some(3.0))]));
    recorded.apply_scrape(&scrape(3, &[]));
    assert_eq!(ask(&recorded, 3, "count_over_time(a[10s])"), [3.0]);
    assert_eq!(ask(&recorded, 3, "sum_over_time(b[10s])"), [7.0]);
    assert_eq!(ask(&recorded, 3, "timestamp(a) - 1.7e9"), [3.0]);
}

#[test]
fn a_series_that_is_gone_has_no_value_at_once_and_can_come_back() {
    let mut recorded = recorded();
    recorded.apply_scrape(&scrape(1, &[(0, Some(5.0))]));
    recorded.apply_scrape(&scrape(2, &[(0, None)]));
    recorded.apply_scrape(&scrape(3, &[]));
    assert!(ask(&recorded, 3, "a").is_empty());
    assert_eq!(ask(&recorded, 3, "count_over_time(a[10s])"), [1.0]);
    recorded.apply_scrape(&scrape(4, &[(0, Some(6.0))]));
    assert_eq!(ask(&recorded, 4, "a"), [6.0]);
}

#[test]
fn a_sample_with_a_time_of_its_own_has_that_and_its_end_is_not_marked() {
    let mut recorded = recorded();
    let stamp = (BEGAN / 1_000).cast_signed() + 500;
    let mut first = scrape(1, &[(0, Some(5.0))]);
    first.stamped = vec![(0, stamp)];
    recorded.apply_scrape(&first);
    assert_eq!(ask(&recorded, 1, "timestamp(a) - 1.7e9"), [0.5]);
    // The same sample once more is none.
    let mut second = scrape(2, &[]);
    second.stamped = vec![(0, stamp)];
    recorded.apply_scrape(&second);
    assert_eq!(ask(&recorded, 2, "count_over_time(a[10s])"), [1.0]);
    recorded.apply_scrape(&scrape(3, &[(0, None)]));
    assert_eq!(
        ask(&recorded, 3, "a"),
        [5.0],
        "for five minutes, as in Prometheus"
    );
    assert!(ask(&recorded, 302, "a").is_empty());
}

#[test]
fn after_a_gap_the_key_says_what_is_there() {
    let mut recorded = recorded();
    recorded.apply_scrape(&scrape(1, &[(0, Some(5.0)), (2, Some(1.0))]));
    // Ticks are missing in which `a` became 7 and `b` went away.
    recorded.apply(&Record::Key(key(
        60_000_000,
        vec![Some(Number(7.0)), Some(Number(9.0)), None],
    )));
    assert!(ask(&recorded, 61, "b").is_empty());
    recorded.apply_scrape(&scrape(61, &[]));
    assert_eq!(ask(&recorded, 61, "a"), [7.0]);
    assert_eq!(ask(&recorded, 61, r#"{job="x"}"#), [7.0]);
}

#[test]
fn names_that_are_no_series_are_passed_over() {
    let mut recorded = Recorded::new(0);
    let mut odd = key(0, vec![]);
    odd.names.series = vec!["{{{".into(), String::new(), "a{".into(), "a b".into()];
    odd.names.scraped = vec![Some(0); 4];
    recorded.apply(&Record::Key(odd));
    recorded.apply_scrape(&scrape(
        1,
        &[(0, Some(1.0)), (3, Some(1.0)), (9, Some(1.0))],
    ));
}
