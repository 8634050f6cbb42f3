use proptest::prelude::*;

use super::*;
use crate::scrape::labels::NAME;
use crate::scrape::store::STALE;

fn labels(name: &str, pairs: &[(&str, &str)]) -> Labels {
    let pairs = pairs.iter().copied();
    Labels::new(pairs.chain([(NAME, name)]))
}

fn store(series: &[(Labels, &[(i64, f64)])]) -> Store {
    let mut store = Store::new(3_600_000);
    for (labels, samples) in series {
        let id = store.id(labels);
        for (at, value) in *samples {
            store.append(id, *at, *value);
        }
    }
    store
}

fn eval(store: &Store, text: &str, at: i64) -> Value {
    let query = Query::parse(text).unwrap_or_else(|refused| panic!("{text}: {refused}"));
    query.eval(store, at).unwrap()
}

fn numbers(value: Value) -> Vec<f64> {
    match value {
        Value::Scalar(value) => vec![value],
        Value::Vector(rows) => rows.into_iter().map(|(_, value)| value).collect(),
    }
}

fn refused(text: &str) -> (String, String) {
    let refused = Query::parse(text).unwrap_err();
    let place = refused.span.map_or("", |span| &text[span]);
    (refused.message, place.to_owned())
}

#[test]
fn what_is_not_supported_is_refused_by_name_and_with_its_place() {
    for (text, message, place) in [
        (
            "1 + holt_winters(x[5m], 1, 1)",
            "the function `holt_winters` is not supported",
            "holt_winters",
        ),
        (
            "sum(rat(x[5m]))",
            "the function `rat` is not supported; did you mean `rate`?",
            "rat",
        ),
        ("hour()", "the function `hour` is not supported", "hour"),
        ("limitk(2, x)", "`limitk` is not supported", "limitk"),
        (
            "x[5m]",
            "the expression gives a range vector, not numbers of one moment",
            "x[5m]",
        ),
        (
            "\"x\"",
            "the expression gives a string, not numbers of one moment",
            "\"x\"",
        ),
        ("x[300]", "a duration needs a unit: `300s`", "300"),
        ("x offset 5", "a duration needs a unit: `5s`", "5"),
        (
            "5m",
            "a duration stands within `[…]` or after `offset`; here a number does, in seconds",
            "5m",
        ),
        ("x + (y", "`(` is not closed", "("),
        ("x $ y", "unexpected `$`", "$"),
        ("x{a=\"b}", "this string is not closed", "\""),
        ("x + * y", "this cannot stand here", "*"),
        ("x +", "something has to follow here", "+"),
        (
            "x{a=~\"(\"}",
            "`(` is not a regular expression: unclosed group",
            "\"(\"",
        ),
        (
            "x{a=\"\\xff\"}",
            "this escape is none that a string of UTF-8 can have",
            "\\x",
        ),
        (
            "{a=\"\"}",
            "a selector needs at least one matcher that does not match the empty string",
            "{a=\"\"}",
        ),
        (
            "max_over_time(x[1d:1s])",
            "subqueries of more than 11000 steps are not supported",
            "max_over_time(x[1d:1s])",
        ),
        ("", "the expression is empty", ""),
    ] {
        assert_eq!(
            refused(text),
            (message.to_owned(), place.to_owned()),
            "{text}"
        );
    }
}

#[test]
fn what_is_too_long_or_too_deep_is_refused() {
    for text in [
        format!("{}x{}", "(".repeat(10_000), ")".repeat(10_000)),
        format!("{}x{}", "abs(".repeat(60), ")".repeat(60)),
        format!("{}1", "-".repeat(10_000)),
        format!("1{}", " + 1".repeat(3_000)),
        format!("1{}", " ^ 1".repeat(3_000)),
        format!("x{}", " and x".repeat(1_000)),
        "x".repeat(100_000),
        format!("x{{a=~\"{}\"}}", "(".repeat(5000)),
        format!(
            "x{{a=~\"{}\"}}",
            "(((((a{1000}){1000}){1000}){1000}){1000})"
        ),
    ] {
        assert!(Query::parse(&text).is_err(), "{text:.40}");
    }
    // As deep as it may be, on the smallest stack that anyone gets, without optimization.
    let deepest = || {
        let store = Store::new(0);
        for text in [
            format!("{}1{}", "(".repeat(32), ")".repeat(32)),
            format!("{}1", "-".repeat(64)),
            format!("1{}", " + 1".repeat(64)),
            format!("1{}", " ^ 1".repeat(64)),
            format!("{}vector(1){}", "abs(- -".repeat(31), ")".repeat(31)),
            format!("{}vector(1){}", "sum(1 + 1 ^ ".repeat(31), ")".repeat(31)),
            format!(
                "{}vector(1){}",
                "max_over_time(".repeat(31),
                "[1ms:1s])".repeat(31)
            ),
            format!(
                "{}vector(1){}",
                "label_replace(- ".repeat(31),
                ",\"a\",\"\",\"\",\"\")".repeat(31)
            ),
        ] {
            let query = Query::parse(&text).unwrap_or_else(|refused| panic!("{text}: {refused}"));
            let _ = query.eval(&store, 0);
        }
    };
    let thread = std::thread::Builder::new().stack_size(2 << 20);
    thread.spawn(deepest).unwrap().join().unwrap();
}

#[test]
fn selectors_tell_what_they_need_and_how_far_back() {
    const MINUTE: i64 = 60_000;
    for (text, reach) in [
        ("x", 5 * MINUTE),
        ("x offset 1m", 6 * MINUTE),
        ("x offset -1m", 4 * MINUTE),
        ("x offset -1h", 0),
        ("rate(x[1m])", MINUTE),
        ("rate(x[1m] offset 2m)", 3 * MINUTE),
        ("max_over_time(rate(x[1m])[10m:1m])", 11 * MINUTE),
        ("max_over_time(rate(x[1m])[10m:1m] offset 5m)", 16 * MINUTE),
        ("x @ start()", 5 * MINUTE),
        ("x @ 1000", i64::MAX),
    ] {
        let query = Query::parse(text).unwrap();
        assert_eq!(query.selectors()[0].reach, reach, "{text}");
        assert_eq!(query.looks_at_fixed_moments(), reach == i64::MAX);
    }
    let query = Query::parse("rate(x{a=~\"1|2\"}[1m]) / on() y + 1").unwrap();
    let wanted = |labels: &Labels| query.selectors().iter().any(|s| s.matches(labels));
    assert!(wanted(&labels("x", &[("a", "1")])) && wanted(&labels("y", &[])));
    assert!(!wanted(&labels("x", &[("a", "12")])) && !wanted(&labels("z", &[])));
}

#[test]
fn a_bare_selector_is_read_alone() {
    let selector = Selector::parse("http_requests_total{code=~\"5..\"}").unwrap();
    assert_eq!(selector.metric(), Some("http_requests_total"));
    assert!(selector.matches(&labels("http_requests_total", &[("code", "503")])));
    assert!(!selector.matches(&labels("http_requests_total", &[("code", "200")])));
    for text in [
        "x + 1",
        "x offset 1m",
        "x @ 1",
        "x[5m]",
        "",
        "x{",
        "sum(x)",
        "1",
    ] {
        assert!(Selector::parse(text).is_err(), "{text}");
    }
    assert_eq!(
        Selector::parse("{__name__=~\"a|b\"}").unwrap().metric(),
        None
    );
}

#[test]
fn names_in_quotes_are_understood() {
    let store = store(&[(labels("a.b", &[("c d", "e"), ("or", "1")]), &[(0, 3.0)])]);
    for text in [
        "{\"a.b\"}",
        "{\"a.b\",\"c d\"=\"e\"}",
        "{__name__=\"a.b\"}",
        "{or=\"1\"}",
        "sum by (\"c d\") ({\"a.b\"})",
    ] {
        assert_eq!(numbers(eval(&store, text, 0)), [3.0], "{text}");
    }
    let Value::Vector(rows) = eval(&store, "sum by (\"c d\") ({\"a.b\"})", 0) else {
        panic!("no vector");
    };
    assert_eq!(rows[0].0, Labels::new([("c d", "e")]));
}

#[test]
fn a_series_ends_where_it_says_so_or_after_five_minutes() {
    let store = store(&[
        (labels("x", &[("end", "said")]), &[(0, 1.0), (1000, STALE)]),
        (labels("x", &[("end", "silent")]), &[(0, 2.0)]),
    ]);
    assert_eq!(numbers(eval(&store, "sum(x)", 999)), [3.0]);
    assert_eq!(numbers(eval(&store, "sum(x)", 1000)), [2.0]);
    assert_eq!(numbers(eval(&store, "sum(x)", LOOKBACK)), [2.0]);
    assert!(numbers(eval(&store, "sum(x)", LOOKBACK + 1)).is_empty());
    // A marker is no value of a range either.
    assert_eq!(
        numbers(eval(&store, "sum(count_over_time(x[10s]))", 1000)),
        [2.0]
    );
}

#[test]
fn a_query_sees_series_that_came_or_went_since_it_was_last_asked() {
    let mut store = Store::new(10_000);
    let query = Query::parse("count({__name__=~\"x|y\"}) or vector(0)").unwrap();
    let named = Query::parse("count(x) or vector(0)").unwrap();
    let both = |store: &Store, at: i64| {
        let ask = |query: &Query| numbers(query.eval(store, at).unwrap())[0];
        (ask(&query), ask(&named))
    };
    assert_eq!(both(&store, 0), (0.0, 0.0));
    let x = store.id(&labels("x", &[]));
    store.append(x, 0, 1.0);
    assert_eq!(both(&store, 0), (1.0, 1.0));
    let y = store.id(&labels("y", &[]));
    store.append(y, 9_000, 1.0);
    assert_eq!(both(&store, 9_000), (2.0, 1.0));
    store.forget(15_000);
    assert_eq!(both(&store, 15_000), (1.0, 0.0));
    // Another store is another store.
    assert_eq!(both(&Store::new(0), 15_000), (0.0, 0.0));
}

#[test]
fn what_prometheus_calls_an_error_is_one() {
    let store = store(&[
        (labels("x", &[("a", "1"), ("b", "1")]), &[(0, 1.0)]),
        (labels("x", &[("a", "1"), ("b", "2")]), &[(0, 1.0)]),
        (labels("y", &[("a", "1"), ("b", "1")]), &[(0, 1.0)]),
    ]);
    for (text, error) in [
        (
            "y * on(a) x",
            "found duplicate series for the match group {a=\"1\"} on the right hand-side of the operation: \
             [x{a=\"1\",b=\"2\"}, x{a=\"1\",b=\"1\"}]; many-to-many matching not allowed: matching labels must be unique on one side",
        ),
        (
            "x * on(a) y",
            "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)",
        ),
        (
            "x * on(a) group_left(b) y",
            "multiple matches for labels: grouping labels must ensure unique matches",
        ),
        (
            "abs({b=\"1\"})",
            "vector cannot contain metrics with the same labelset: {a=\"1\",b=\"1\"}",
        ),
        ("topk(NaN, x)", "Scalar value NaN overflows int64"),
    ] {
        let found = Query::parse(text).unwrap().eval(&store, 0).unwrap_err();
        assert_eq!(found.to_string(), error, "{text}");
    }
}

/// Pieces of expressions, which put together by chance are sometimes one.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            "x",
            "y{a=\"1\"}",
            "{a=~\"b|c\"}",
            "[5m]",
            "[1m:10s]",
            "(",
            ")",
            ",",
            "+",
            "-",
            "*",
            "/",
            "^",
            "%",
            "==",
            "bool",
            "and",
            "or",
            "unless",
            "on(a)",
            "ignoring(a)",
            "group_left",
            "by (a)",
            "without (b)",
            "sum",
            "topk",
            "rate(",
            "abs(",
            "vector(",
            "time()",
            "1",
            "0.5",
            "NaN",
            "offset 1m",
            "@ 5",
            "@ end()",
            "\"s\"",
            "`r`",
            "count_values(",
            "{:",
            ":",
            "quantile(",
            "histogram_quantile(0.9,",
            "label_replace(",
            "#",
            "\n",
            "'",
            "{",
            "}",
            "é",
        ])
        .prop_map(str::to_owned),
        "[ -~]{0,4}",
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.join(" "))
}

proptest! {
    #[test]
    fn any_text_is_refused_or_evaluated(text in prop_oneof![any::<String>(), pieces()]) {
        let store = store(&[
            (labels("x", &[("a", "1")]), &[(0, 1.0), (1000, 2.0), (2000, f64::NAN)]),
            (labels("x", &[("a", "2")]), &[(0, 1.0), (1000, f64::INFINITY)]),
            (labels("y", &[("a", "1")]), &[(0, -1.0), (1500, STALE)]),
        ]);
        match Query::parse(&text) {
            Ok(query) => {
                for at in [i64::MIN, -1, 0, 1000, i64::MAX] {
                    let _ = query.eval(&store, at);
                }
            }
            Err(refused) => {
                // Its place can be shown.
                prop_assert!(refused.span.is_none_or(|span| text.get(span).is_some()), "{}", text);
            }
        }
    }
}
