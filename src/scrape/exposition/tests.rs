#![allow(
    clippy::unwrap_used,
    reason = "a test says what it expects by unwrapping"
)]

use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;
use crate::scrape::Labels;

/// Series, value and time of each sample, bad lines with their reasons, and the failure.
type Read = (
    Vec<(String, String, Option<i64>)>,
    Vec<(usize, Reason)>,
    Option<Failed>,
);

fn read(body: &[u8], format: Format) -> Read {
    let mut entries = parse(body, format);
    let (mut samples, mut bad) = (Vec::new(), Vec::new());
    for entry in &mut entries {
        match entry {
            Entry::Sample(it) => {
                samples.push((labels(it.series).to_string(), printed(it.value), it.ts_ms));
            }
            Entry::Bad(it) => bad.push((it.line, it.reason)),
            Entry::Meta(_) => {}
        }
    }
    (samples, bad, entries.failed())
}

fn text(body: &str) -> Read {
    read(body.as_bytes(), Format::Text)
}

fn open(body: &str) -> Read {
    read(format!("{body}\n# EOF\n").as_bytes(), Format::OpenMetrics)
}

#[test]
fn good_lines_of_text() {
    for (line, series, value, ts_ms) in [
        ("a 1", "a", "1", None),
        ("a{} 1", "a", "1", None),
        ("a{b=\"c\"} 1", "a{b=\"c\"}", "1", None),
        ("a{b=\"c\"}1", "a{b=\"c\"}", "1", None),
        (
            "a\t{ b = \"c\" ,\td=\"e\" , }\t1 \t 5 \t",
            "a{b=\"c\",d=\"e\"}",
            "1",
            Some(5),
        ),
        ("a{b=\"c\"d=\"e\"} 1", "a{b=\"c\",d=\"e\"}", "1", None),
        ("a{d=\"e\",b=\"c\"} 1", "a{b=\"c\",d=\"e\"}", "1", None),
        ("a{b=\"\"} 1", "a", "1", None),
        ("a:b:c 1", "a:b:c", "1", None),
        (":a 1", ":a", "1", None),
        ("_ 1", "_", "1", None),
        (
            "a{r=\"/orders/{id}\"} 1",
            "a{r=\"/orders/{id}\"}",
            "1",
            None,
        ),
        ("a{r=\"a,b=c} 7\"} 1", "a{r=\"a,b=c} 7\"}", "1", None),
        (r#"a{b="\"\\\n\d"} 1"#, r#"a{b="\"\\\n\\d"}"#, "1", None),
        ("a{b=\"x\ny\"} 1", r#"a{b="x\ny"}"#, "1", None),
        ("a{b=\"ä\u{0}\"} 1", "a{b=\"ä\u{0}\"}", "1", None),
        ("a{le=\"+Inf\"} 1", "a{le=\"+Inf\"}", "1", None),
        ("a nan", "a", "NaN", None),
        ("a NaN 7", "a", "NaN", Some(7)),
        ("a Inf", "a", "+Inf", None),
        ("a +iNFinity", "a", "+Inf", None),
        ("a -inf", "a", "-Inf", None),
        ("a -0", "a", "-0", None),
        ("a +1.5e3", "a", "1500", None),
        ("a .5", "a", "0.5", None),
        ("a 5.", "a", "5", None),
        ("a 1E-400", "a", "0", None),
        ("a 1.5e-7", "a", "1.5e-07", None),
        ("a -1e-100", "a", "-1e-100", None),
        ("a 0.000001", "a", "0.000001", None),
        ("a 123456789012345678", "a", "123456789012345680", None),
        ("a 1e21", "a", "1e+21", None),
        ("a 1 0", "a", "1", Some(0)),
        ("a 1 9223372036854775807", "a", "1", Some(i64::MAX)),
        (r#"{"a.b", c="d"} 1"#, r#"{"a.b",c="d"}"#, "1", None),
        (r#"{"a.b"} 1"#, r#"{"a.b"}"#, "1", None),
        (r#"{c="d","plain"} 1"#, r#"plain{c="d"}"#, "1", None),
        (r#"a{"b c"="d"} 1"#, r#"a{"b c"="d"}"#, "1", None),
        (r#"{"a\"b",}1"#, r#"{"a\"b"}"#, "1", None),
    ] {
        let sample = (series.to_owned(), value.to_owned(), ts_ms);
        for end in ["", "\n", "\n\n"] {
            let read = text(&format!("{line}{end}"));
            assert_eq!(read, (vec![sample.clone()], vec![], None), "{line}");
        }
    }
}

#[test]
fn bad_lines_of_text() {
    for (line, reason) in [
        ("a", Reason::NoValue),
        ("a ", Reason::NoValue),
        ("a{", Reason::LabelName),
        ("a{b", Reason::Equals),
        ("a{b=", Reason::LabelValue),
        ("a{b=\"", Reason::Unclosed),
        ("a{b=\"c", Reason::Unclosed),
        ("a{b=\"c\\", Reason::Unclosed),
        ("a{b=\"c\"", Reason::LabelName),
        ("a{b='c'} 1", Reason::LabelValue),
        ("a{b=c} 1", Reason::LabelValue),
        ("a{,} 1", Reason::LabelName),
        ("a{b=\"c\",,} 1", Reason::LabelName),
        ("a{=\"\"} 1", Reason::LabelName),
        ("a{1b=\"c\"} 1", Reason::LabelName),
        ("a{é=\"c\"} 1", Reason::LabelName),
        ("a{b:c=\"c\"} 1", Reason::Equals),
        ("a{\"\"=\"c\"} 1", Reason::LabelName),
        ("a{b=\"c\"}{d=\"e\"} 1", Reason::NoValue),
        ("a{b=\"c\",b=\"d\"} 1", Reason::LabelTwice),
        ("a{b=\"c\",d=\"\",b=\"c\"} 1", Reason::LabelTwice),
        ("a{__name__=\"b\"} 1", Reason::LabelTwice),
        ("a{b=\"c\",\"b\"=\"d\"} 1", Reason::LabelTwice),
        (r#"a{"b\x"="c","b\\x"="d"} 1"#, Reason::LabelTwice),
        ("{b=\"c\"} 1", Reason::NoName),
        ("{} 1", Reason::NoName),
        ("a{\"b\"} 1", Reason::TwoNames),
        ("{\"a\",\"b\"} 1", Reason::TwoNames),
        ("{\"\"} 1", Reason::LabelName),
        ("1a 1", Reason::Start),
        ("-", Reason::Start),
        ("a-b 1", Reason::Value),
        ("a.b 1", Reason::Value),
        ("é 1", Reason::Start),
        (" a 1", Reason::Indented),
        ("\ta 1", Reason::Indented),
        ("a true", Reason::Value),
        ("a 0x10", Reason::Value),
        ("a 0x1p4", Reason::Value),
        ("a 1_000", Reason::Value),
        ("a 1,5", Reason::Value),
        ("a +NaN", Reason::Value),
        ("a -nan", Reason::Value),
        ("a infi", Reason::Value),
        ("a 1e", Reason::Value),
        ("a .", Reason::Value),
        ("a ١", Reason::Value),
        ("a 1e309", Reason::Range),
        ("a -1e999", Reason::Range),
        ("a 1 -5", Reason::Timestamp),
        ("a 1 1.5", Reason::Garbage),
        ("a 1 1e3", Reason::Garbage),
        ("a 1 x", Reason::Timestamp),
        ("a 1 9223372036854775808", Reason::Timestamp),
        ("a 1 5 6", Reason::Garbage),
        ("a 1 5 # {b=\"c\"} 1", Reason::Garbage),
        ("a_total 1 # {b=\"c\"} 1", Reason::Timestamp),
        ("a 1{", Reason::Timestamp),
        ("a 1\r", Reason::Value),
        ("a 1 5\r", Reason::Garbage),
        ("\u{feff}a 1", Reason::Start),
        ("\0", Reason::Start),
        ("# TYPE ", Reason::MetaName),
        ("# TYPE 1 counter", Reason::MetaName),
        ("# TYPE a", Reason::Type),
        ("# TYPE a counter ", Reason::Type),
        ("# TYPE a  counter", Reason::Type),
        ("# TYPE a Counter", Reason::Type),
        ("# TYPE a unknown", Reason::Type),
        ("# TYPE a counter\r", Reason::Type),
        ("# HELP ", Reason::MetaName),
        ("# HELP \"a", Reason::MetaName),
    ] {
        let body = format!("before 1\n{line}\nafter 2\n");
        let (samples, bad, failed) = text(&body);
        assert_eq!(bad, [(2, reason)], "{line}");
        assert_eq!((samples.len(), failed), (2, None), "{line}");
    }
}

#[test]
fn good_lines_of_openmetrics() {
    for (line, series, value, ts_ms) in [
        ("a 1", "a", "1", None),
        ("a{} 1", "a", "1", None),
        (
            "a{b=\"c\",d=\"e\"} 1 1.5",
            "a{b=\"c\",d=\"e\"}",
            "1",
            Some(1500),
        ),
        ("a 1 1520879607.789", "a", "1", Some(1_520_879_607_789)),
        ("a 1 -0.0019", "a", "1", Some(-1)),
        ("a 1 1e3", "a", "1", Some(1_000_000)),
        ("a_total 1 # {} 5", "a_total", "1", None),
        (
            "a_bucket{le=\"1\"} 1 2 # {t=\"x y\"} 0.5 3.5",
            "a_bucket{le=\"1\"}",
            "1",
            Some(2000),
        ),
        (r#"{"a.b",c="d"} 1"#, r#"{"a.b",c="d"}"#, "1", None),
        ("a{b=\"\u{0}\"} 1", "a{b=\"\u{0}\"}", "1", None),
    ] {
        let sample = (series.to_owned(), value.to_owned(), ts_ms);
        assert_eq!(open(line), (vec![sample], vec![], None), "{line}");
    }
}

#[test]
fn bad_lines_of_openmetrics() {
    for (line, reason) in [
        ("", Reason::Blank),
        (" a 1", Reason::Start),
        ("a", Reason::NoValue),
        ("a  1", Reason::Space),
        ("a\t1", Reason::Space),
        ("a 1\t2", Reason::Value),
        ("a 1 ", Reason::Space),
        ("a 1 2 ", Reason::Garbage),
        ("a 1 2 3", Reason::Garbage),
        ("a 1 NaN", Reason::Timestamp),
        ("a 1 Inf", Reason::Timestamp),
        ("a 1 1z", Reason::Timestamp),
        ("a 1 1e300", Reason::Timestamp),
        ("a {b=\"c\"} 1", Reason::Value),
        ("a{b=\"c\"}1", Reason::Space),
        ("a{b=\"c\",} 1", Reason::LabelName),
        ("a{,b=\"c\"} 1", Reason::LabelName),
        ("a{b=\"c\"d=\"e\"} 1", Reason::Comma),
        ("a{b=\"c\", d=\"e\"} 1", Reason::LabelName),
        ("a{ b=\"c\"} 1", Reason::LabelName),
        ("a{b=\"x\ny\"} 1", Reason::Unclosed),
        ("a 1 # {b=\"c\"} 1", Reason::Exemplar),
        ("a_total 1 # {b=\"c\"}", Reason::NoValue),
        ("a_total 1 # {b=c} 1", Reason::LabelValue),
        ("a_total 1 # {b=\"c\",} 1", Reason::LabelName),
        ("a_total 1 # {b=\"c\"} true", Reason::Value),
        ("a_total 1 # {b=\"c\"} 1 NaN", Reason::Timestamp),
        ("a_total 1 # {b=\"c\"} 1 2 3", Reason::Garbage),
        ("a_total 1 #{b=\"c\"} 1", Reason::Timestamp),
        ("# a comment", Reason::Comment),
        ("#", Reason::Comment),
        ("#EOF", Reason::Comment),
        ("# EOFa", Reason::Comment),
        ("#  TYPE a counter", Reason::Comment),
        ("# TYPE a untyped", Reason::Type),
        ("# TYPE a counter ", Reason::Type),
        ("# TYPE a", Reason::MetaText),
        ("# HELP a", Reason::MetaText),
        ("# UNIT a_bytes seconds", Reason::Unit),
        ("# UNIT abytes bytes", Reason::Unit),
        ("# UNIT bytes bytes", Reason::Unit),
        ("a 1\r", Reason::Value),
    ] {
        let (_, bad, failed) = open(&format!("before 1\n{line}\nafter 2"));
        assert_eq!(bad[0], (2, reason), "{line}");
        assert_eq!(failed, None, "{line}");
    }
}

#[test]
fn a_body_as_a_whole_may_fail() {
    let fails = |body: &[u8], format| read(body, format).2;
    let open = |body: &str| fails(body.as_bytes(), Format::OpenMetrics);
    assert_eq!(open(""), Some(Failed::NoEnd));
    assert_eq!(open("a 1\n"), Some(Failed::NoEnd));
    assert_eq!(open("a 1"), Some(Failed::NoEnd));
    assert_eq!(open("a 1\n# EO"), Some(Failed::NoEnd));
    assert_eq!(open("a 1\n# EOF"), None);
    for page in ["<html>", " \n<!DOCTYPE html>", "\u{feff}<html>"] {
        assert_eq!(open(page), Some(Failed::Html));
        assert_eq!(text(page), (vec![], vec![], Some(Failed::Html)));
    }
    assert_eq!(
        fails(b"\x1f\x8b\x08", Format::Text),
        Some(Failed::Compressed)
    );
    assert_eq!(fails(b"\xff\xfea\0", Format::Text), Some(Failed::Utf16));
    assert_eq!(text(""), (vec![], vec![], None));
}

#[test]
fn what_follows_the_end_is_one_bad_line() {
    let (samples, bad, failed) = read(b"a 1\n# EOF\nb 2\nc 3\n", Format::OpenMetrics);
    assert_eq!((samples.len(), failed), (1, None));
    assert_eq!(bad, [(3, Reason::AfterEnd)]);
}

#[test]
fn bytes_that_are_not_utf8_are_bad_only_where_they_matter() {
    let body = b"a{b=\"\xff\"} 1\n# HELP a \xff\n# \xff\nb 2\n";
    let (samples, bad, _) = read(body, Format::Text);
    assert_eq!(samples.len(), 1);
    assert_eq!(bad, [(1, Reason::NotUtf8), (2, Reason::NotUtf8)]);
}

#[test]
fn an_open_quote_costs_its_line_only() {
    let (samples, bad, _) = text("a{b=\"c} 1\nd{e=\"f\"} 2\nx{y=\"1\n2\n3\"} 4\nz z\n");
    assert_eq!(samples.len(), 2);
    assert_eq!(bad, [(1, Reason::Equals), (6, Reason::Value)]);
}

#[test]
fn what_is_said_of_metrics() {
    let told = |body: &'static str, format| {
        let metas = parse(body.as_bytes(), format).map(|entry| match entry {
            Entry::Meta(meta) => (meta.name.into_owned(), meta.told),
            other => panic!("{other:?}"),
        });
        metas.collect::<Vec<_>>()
    };
    let help = |text: &'static str| Told::Help(text.into());
    assert_eq!(
        told(
            " #\tHELP  a.b \\\\ \\n \\\" x\n# HELP c  two\n# HELP d\n#HELP e f\n# HELPx\n# TYPE\n#\n# TYPE g\tuntyped\n# TYPE \"h i\" gauge",
            Format::Text
        ),
        [
            ("a".to_owned(), help("b \\ \n \\\" x")),
            ("c".to_owned(), help(" two")),
            ("d".to_owned(), help("")),
            ("g".to_owned(), Told::Type(Kind::Unknown)),
            ("h i".to_owned(), Told::Type(Kind::Gauge)),
        ]
    );
    assert_eq!(
        told(
            "# TYPE a_bytes gaugehistogram\n# UNIT a_bytes bytes\n# HELP a_bytes x \\\"y\\\"\n# UNIT b \n# EOF\n",
            Format::OpenMetrics
        ),
        [
            ("a_bytes".to_owned(), Told::Type(Kind::GaugeHistogram)),
            ("a_bytes".to_owned(), Told::Unit("bytes")),
            ("a_bytes".to_owned(), help("x \"y\"")),
            ("b".to_owned(), Told::Unit("")),
        ]
    );
}

#[test]
fn exemplars_have_labels_a_value_and_perhaps_a_time() {
    let body = b"a_total 1 # {trace_id=\"x \\\"y\\\"\",n=\"1\"} 0.25 1.5\n# EOF";
    let mut entries = parse(body, Format::OpenMetrics);
    let Some(Entry::Sample(sample)) = entries.next() else {
        panic!("a sample");
    };
    let exemplar = sample.exemplar.unwrap();
    assert_eq!((exemplar.value, exemplar.ts_ms), (0.25, Some(1500)));
    let labels = Labels::new(pairs(exemplar.labels));
    assert_eq!(labels.to_string(), r#"{n="1",trace_id="x \"y\""}"#);
}

#[test]
fn the_content_type_says_how_to_read() {
    let of = |text| Format::of(Some(text));
    assert_eq!(
        of("application/openmetrics-text; version=1.0.0; charset=utf-8"),
        Ok(Format::OpenMetrics)
    );
    assert_eq!(of("Application/OpenMetrics-Text"), Ok(Format::OpenMetrics));
    assert_eq!(of("text/plain; version=0.0.4"), Ok(Format::Text));
    assert_eq!(of("text/html"), Ok(Format::Text));
    assert_eq!(of(""), Ok(Format::Text));
    assert_eq!(Format::of(None), Ok(Format::Text));
    assert_eq!(
        of("application/vnd.google.protobuf; proto=x"),
        Err(Failed::Protobuf)
    );
    assert_eq!(Format::guess(b"a 1\n# EOF\n\n"), Format::OpenMetrics);
    assert_eq!(Format::guess(b"a 1\n# EOF x\n"), Format::Text);
    assert_eq!(Format::guess(b""), Format::Text);
}

#[test]
fn a_sample_finds_what_was_said_of_it() {
    let kind = |name: &str| match name {
        "latency" => Some(Kind::Histogram),
        "requests" | "b_total" => Some(Kind::Counter),
        "temp" => Some(Kind::Gauge),
        _ => None,
    };
    for (sample, name) in [
        ("latency_bucket", "latency"),
        ("latency_total", "latency_total"),
        ("requests_total", "requests"),
        ("b_total", "b_total"),
        ("temp_total", "temp_total"),
        ("x", "x"),
    ] {
        assert_eq!(family(sample, kind), name);
    }
}

/// Texts that stand at the edges of the grammar.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        "a",
        "b_total",
        "{",
        "}",
        "\"",
        "\\",
        "=",
        ",",
        " ",
        "\t",
        "\n",
        "1",
        "NaN",
        "+Inf",
        "1e9",
        "-",
        "#",
        "# ",
        "HELP ",
        "TYPE ",
        "UNIT ",
        "EOF",
        "counter",
        "le",
        "x=\"y\"",
        "{x=\"y\"} 1\n",
        " # {",
        "\0",
        "é",
        "<",
        "_",
        "# EOF\n",
    ]);
    let part = prop_oneof![
        8 => piece.prop_map(|text| text.as_bytes().to_vec()),
        1 => any::<u8>().prop_map(|byte| vec![byte]),
    ];
    prop::collection::vec(part, 0..60).prop_map(|parts| parts.concat())
}

/// Bodies of good lines.
fn good() -> impl Strategy<Value = Vec<(Labels, f64, Option<i64>)>> {
    let label = ("[a-c][a-z_]{0,3}|[a-zé .\"\\\\]{1,4}", "[^\0]{0,6}");
    let series = (
        "[a-z:_]{1,5}|[a-zé .\"\\\\]{1,4}",
        prop::collection::vec(label, 0..5),
    )
        .prop_map(|(name, labels)| {
            let name = [(crate::scrape::labels::NAME.to_owned(), name)];
            let labels = labels
                .into_iter()
                .filter(|(label, _)| label != crate::scrape::labels::NAME);
            Labels::new(labels.chain(name))
        });
    let value = prop_oneof![
        any::<f64>(),
        any::<u32>().prop_map(f64::from),
        Just(f64::NAN)
    ];
    prop::collection::vec((series, value, prop::option::of(0..i64::MAX >> 12)), 0..12)
}

proptest! {
    #[test]
    fn numbers_are_read_as_exactly_as_they_can_be(text in "-?[0-9]{0,20}(\\.[0-9]{0,20})?(e[+-][0-9]{2})?") {
        let (samples, ..) = read(format!("a {text}\n").as_bytes(), Format::Text);
        let expected = text.parse::<f64>().ok().map(printed);
        prop_assert_eq!(samples.first().map(|(_, value, _)| value.clone()), expected);
    }

    #[test]
    fn a_known_body_reads_as_an_unknown_one(first in pieces(), second in pieces(), open in any::<bool>()) {
        let format = if open { Format::OpenMetrics } else { Format::Text };
        let scrapes = |bodies: &[&[u8]]| {
            let (mut ids, mut out) = (Vec::new(), cache::Scraped::default());
            let mut cache = cache::Cache::new();
            for body in bodies {
                cache.scrape(body, format, 0, &mut out, |labels| {
                    let place = ids.iter().position(|known| *known == labels).unwrap_or(ids.len());
                    ids.push(labels);
                    Some(place as u32)
                });
            }
            let points = out.points.iter().map(|it| (ids[it.id as usize].to_string(), printed(it.value), it.ts_ms));
            (points.collect::<Vec<_>>(), out.bad, out.bad_lines, out.samples, out.failed)
        };
        prop_assert_eq!(scrapes(&[&first, &second, &first]), scrapes(&[&first]));
        let both = [&first[..], b"\n", &second].concat();
        prop_assert_eq!(scrapes(&[&first, &both]), scrapes(&[&both]));
    }

    #[test]
    fn any_bytes_are_read_to_their_end(body in pieces(), open in any::<bool>()) {
        let format = if open { Format::OpenMetrics } else { Format::Text };
        let mut entries = parse(&body, format);
        let mut line = 0;
        for entry in &mut entries {
            let at = match entry {
                Entry::Sample(it) => {
                    prop_assert!(!labels(it.series).name().is_empty());
                    prop_assert!(!pairs(it.series).any(|(name, _)| name.is_empty()));
                    it.line
                }
                Entry::Bad(it) => {
                    prop_assert!(!it.to_string().contains('\n'));
                    it.line
                }
                Entry::Meta(_) => continue,
            };
            prop_assert!(at > line && at <= body.split(|&byte| byte == b'\n').count());
            line = at;
        }
        prop_assert_eq!(entries.next(), None);
    }

    #[test]
    fn a_printed_body_reads_back_as_the_same(samples in good(), open in any::<bool>()) {
        let format = if open { Format::OpenMetrics } else { Format::Text };
        let mut body = String::new();
        for (labels, value, ts_ms) in &samples {
            write!(body, "{labels} {}", printed(*value)).unwrap();
            match (ts_ms, format) {
                (None, _) => {}
                (Some(ts_ms), Format::Text) => write!(body, " {ts_ms}").unwrap(),
                (Some(ts_ms), Format::OpenMetrics) => write!(body, " {}.{:03}", ts_ms / 1000, ts_ms % 1000).unwrap(),
            }
            body.push('\n');
        }
        if open {
            body.push_str("# EOF\n");
        }
        let (read, bad, failed) = read(body.as_bytes(), format);
        prop_assert_eq!((bad, failed), (vec![], None), "{}", body);
        prop_assert_eq!(read.len(), samples.len());
        for ((labels, value, ts_ms), (series, read, read_ms)) in samples.iter().zip(read) {
            prop_assert_eq!((labels.to_string(), printed(*value)), (series, read));
            // Seconds are floats: the last digit of a millisecond may be lost, as in Prometheus.
            prop_assert!(ts_ms.unwrap_or(0).abs_diff(read_ms.unwrap_or(0)) <= u64::from(open));
        }
    }
}
