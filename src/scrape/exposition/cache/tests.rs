#![allow(
    clippy::unwrap_used,
    reason = "a test says what it expects by unwrapping"
)]

use std::fmt::Write as _;

use super::*;

/// A caller that numbers what it is asked for and does not want what begins with `no`.
#[derive(Default)]
struct Caller {
    cache: Cache,
    ids: HashMap<Labels, u32>,
    asked: Vec<String>,
    out: Scraped,
}

impl Caller {
    fn scrape(&mut self, body: &str) -> &Scraped {
        let (ids, asked) = (&mut self.ids, &mut self.asked);
        asked.clear();
        let (cache, out) = (&mut self.cache, &mut self.out);
        cache.scrape(
            body.as_bytes(),
            Format::guess(body.as_bytes()),
            1000,
            out,
            |labels| {
                asked.push(labels.to_string());
                let next = ids.len() as u32;
                (!labels.name().starts_with("no")).then(|| *ids.entry(labels).or_insert(next))
            },
        );
        out
    }

    fn values(&mut self, body: &str) -> Vec<(u32, f64)> {
        let points = self.scrape(body).points.iter();
        points.map(|point| (point.id, point.value)).collect()
    }

    fn reasons(&self) -> Vec<(usize, Reason)> {
        self.out
            .bad
            .iter()
            .map(|bad| (bad.line, bad.reason))
            .collect()
    }
}

#[test]
fn labels_are_asked_for_once() {
    let mut caller = Caller::default();
    assert_eq!(
        caller.values("a 1\nb{c=\"d\"} 2\nno 3\n"),
        [(0, 1.0), (1, 2.0)]
    );
    assert_eq!(caller.asked, ["a", "b{c=\"d\"}", "no"]);
    assert_eq!(caller.out.samples, 3);
    assert_eq!(
        caller.values("a 4\nb{c=\"d\"} 5\nno 6\n"),
        [(0, 4.0), (1, 5.0)]
    );
    assert_eq!(
        caller.values("no 6\nb{c=\"d\"} 8\n# x\na 7\n"),
        [(1, 8.0), (0, 7.0)]
    );
    assert!(caller.asked.is_empty());
}

#[test]
fn a_text_that_only_begins_like_the_expected_one_is_read() {
    let mut caller = Caller::default();
    caller.scrape("a 1\nb 2\n");
    for (body, series) in [
        ("a{x=\"y\"} 1\n", "a{x=\"y\"}"),
        ("a {x=\"z\"} 1\n", "a{x=\"z\"}"),
        ("a\t{x=\"1\"} 1\n", "a{x=\"1\"}"),
        ("ab 1\n", "ab"),
    ] {
        caller.scrape("a 1\n");
        caller.scrape(body);
        assert_eq!(caller.asked, [series]);
        assert_eq!(caller.out.bad_lines, 0, "{body}");
    }
    assert_eq!(caller.values("a\t1\n"), [(0, 1.0)]);
    assert_eq!(caller.values("a  1\n"), [(0, 1.0)]);
    caller.scrape("a \n");
    assert_eq!(caller.reasons(), [(1, Reason::NoValue)]);
}

#[test]
fn the_first_of_several_counts() {
    let mut caller = Caller::default();
    for _ in 0..2 {
        assert_eq!(
            caller.values("a{b=\"\"} 1\na 2\na{} 1\nb 3\n"),
            [(0, 1.0), (1, 3.0)]
        );
        assert_eq!(caller.reasons(), [(2, Reason::Twice), (3, Reason::Twice)]);
        assert_eq!(caller.out.samples, 4);
    }
}

#[test]
fn several_times_of_one_series_count_in_their_order() {
    let mut caller = Caller::default();
    assert_eq!(
        caller.values("a 1 10\na 2 20\na 3 20\na 4 15\n"),
        [(0, 1.0), (0, 2.0)]
    );
    assert_eq!(caller.reasons(), [(3, Reason::Twice), (4, Reason::Older)]);
    // Without a time it is that of the scrape.
    assert_eq!(caller.values("a 1 10\na 2\na 3 1000\n").len(), 2);
}

#[test]
fn a_series_vanishes_once() {
    let mut caller = Caller::default();
    caller.scrape("a 1\nb 1\ntimed 1 5\n");
    assert_eq!(caller.scrape("b 1\n").vanished, [0]);
    assert_eq!(caller.scrape("b 1\n").vanished, [0_u32; 0]);
    assert_eq!(caller.scrape("a 1\nb 1\n").vanished, [0_u32; 0]);
    assert_eq!(caller.scrape("").vanished, [0, 1]);
}

#[test]
fn a_failed_scrape_loses_all_and_gives_nothing() {
    let mut caller = Caller::default();
    caller.scrape("a 1\n# EOF\n");
    let mut out = Scraped::default();
    caller
        .cache
        .scrape(b"a 2\nb 1\n", Format::OpenMetrics, 0, &mut out, |_| Some(7));
    assert_eq!(out.failed, Some(Failed::NoEnd));
    assert_eq!((out.points.len(), out.vanished), (0, vec![0]));
    assert!(caller.scrape("a 3\n# EOF\n").vanished.is_empty());
    assert_eq!(caller.cache.lost(), [0]);
    assert!(caller.cache.lost().is_empty());
}

#[test]
fn a_body_that_changes_its_format_is_read_by_the_rules_of_each() {
    let mut caller = Caller::default();
    assert_eq!(caller.values("a {b=\"c\"} 1\nd 2\n").len(), 2);
    caller.scrape("a {b=\"c\"} 1\nd 2\n# EOF\n");
    assert_eq!(caller.reasons(), [(1, Reason::Value)]);
    assert_eq!(
        caller.values("a{b=\"c\"} 1\nd 2 1.5\n# EOF\n"),
        [(0, 1.0), (1, 2.0)]
    );
    assert_eq!(caller.out.points[1].ts_ms, Some(1500));
    assert_eq!(
        caller.values("a{b=\"c\"} 1\nd 2 15\n"),
        [(0, 1.0), (1, 2.0)]
    );
    assert_eq!(caller.out.points[1].ts_ms, Some(15));
}

#[test]
fn names_that_change_with_every_scrape_do_not_fill_the_memory() {
    let mut caller = Caller::default();
    for round in 0..30 {
        let mut body = String::new();
        (0..500).for_each(|n| writeln!(body, "# TYPE a{round}_{n} gauge\na{round}_{n} 1").unwrap());
        caller.scrape(&body);
        assert_eq!(caller.out.vanished.len(), if round == 0 { 0 } else { 500 });
        assert!(
            caller.cache.len() <= 3 * 500 + SPARE,
            "{}",
            caller.cache.len()
        );
    }
    for _ in 0..=2 * KEPT {
        caller.scrape("a 1\n");
    }
    assert_eq!((caller.cache.len(), caller.cache.series.len()), (1, 1));
    assert_eq!(caller.cache.metadata.len(), 0);
    assert!(caller.cache.described.is_empty());
}

#[test]
fn what_is_said_of_a_metric_is_kept_and_may_change() {
    let mut caller = Caller::default();
    caller.scrape("# TYPE a counter\n# HELP a one\na 1\n");
    caller.scrape("# TYPE a gauge\n# HELP a two\na 1\n");
    let known = caller.cache.metadata("a").unwrap();
    assert_eq!(
        (known.kind, known.help.as_str()),
        (Some(Kind::Gauge), "two")
    );
}

#[test]
fn ids_that_go_out_of_use_are_asked_for_again() {
    let mut caller = Caller::default();
    caller.scrape("a 1\nb 1\nno 1\n");
    caller.cache.retain(|id| id == 1);
    caller.scrape("a 1\nb 1\nno 1\n");
    assert_eq!(caller.asked, ["a", "no"]);
}

#[test]
fn lines_are_counted_over_values_with_line_breaks() {
    let mut caller = Caller::default();
    for _ in 0..3 {
        caller.scrape("a{b=\"x\ny\"} 1\nc 2\n!\n");
        assert_eq!(caller.reasons(), [(4, Reason::Start)]);
        assert_eq!(caller.out.points.len(), 2);
    }
}

#[test]
fn exemplars_come_with_the_id_of_their_series() {
    let mut caller = Caller::default();
    for _ in 0..2 {
        let out = caller.scrape("b 1\na_total 1 # {t=\"x\"} 2 3\n# EOF\n");
        let found = &out.exemplars[0];
        assert_eq!((found.id, found.value, found.ts_ms), (1, 2.0, Some(3000)));
        assert_eq!(found.labels.to_string(), "{t=\"x\"}");
    }
}
