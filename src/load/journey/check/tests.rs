use bytes::Bytes;
use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};

use super::super::save::Saver;
use super::*;
use crate::profile::model::Save;

fn response(status: u16, headers: &[(&str, &str)], body: &str) -> Response {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(
            HeaderName::from_bytes(name.as_bytes()).unwrap(),
            HeaderValue::from_str(value).unwrap(),
        );
    }
    Response {
        status: StatusCode::from_u16(status).unwrap(),
        headers: map,
        body: Bytes::copy_from_slice(body.as_bytes()),
        length: body.len() as u64,
    }
}

fn answer() -> Response {
    response(
        201,
        &[
            ("location", "/orders/7"),
            ("set-cookie", "sid=abc; Path=/"),
            ("set-cookie", "b=2"),
        ],
        r#"{"token": "t1", "n": 3, "items": [{"id": 9}], "none": null}"#,
    )
}

fn check(expect: &Expect, response: &Response) -> Result<(), (ErrorKind, String)> {
    let checks = Checks::compile(expect).unwrap();
    checks.check(&Answer::new(response), Duration::from_millis(50))
}

#[test]
fn an_answer_that_is_as_expected_passes_every_check() {
    let expect = Expect {
        status: vec![200, 201],
        headers: vec![("Location".into(), "/orders".into())],
        json: vec![
            ("$.token".into(), None),
            ("$.none".into(), Some(serde_json::Value::Null)),
            ("$.n".into(), Some(3.0.into())),
            ("$.items[0].id".into(), Some(9.into())),
        ],
        body_contains: Some("token".into()),
        body_matches: Some(r#""n": \d"#.into()),
        min_size: Some(10),
        max_size: Some(1000),
        within: Some(Duration::from_millis(50)),
    };
    assert_eq!(check(&expect, &answer()), Ok(()));
    assert_eq!(check(&Expect::default(), &answer()), Ok(()));
}

#[test]
fn each_broken_expectation_says_what_was_expected_and_what_was_found() {
    let e = Expect::default;
    for (expect, part) in [
        (
            Expect {
                status: vec![200],
                ..e()
            },
            "expected status 200, found 201",
        ),
        (
            Expect {
                headers: vec![("location".into(), "/x".into())],
                ..e()
            },
            "with \"/x\", found \"/orders/7\"",
        ),
        (
            Expect {
                headers: vec![("etag".into(), String::new())],
                ..e()
            },
            "found no such header",
        ),
        (
            Expect {
                json: vec![("$.absent".into(), None)],
                ..e()
            },
            "found nothing there",
        ),
        (
            Expect {
                json: vec![("$.n".into(), Some(4.into()))],
                ..e()
            },
            "expected \"4\" at JSON path",
        ),
        (
            Expect {
                body_contains: Some("nope".into()),
                ..e()
            },
            "expected \"nope\" in the body, found",
        ),
        (
            Expect {
                body_matches: Some("^x".into()),
                ..e()
            },
            "expected a match of \"^x\"",
        ),
        (
            Expect {
                min_size: Some(1000),
                ..e()
            },
            "at least 1000 bytes",
        ),
        (
            Expect {
                max_size: Some(10),
                ..e()
            },
            "at most 10 bytes",
        ),
        (
            Expect {
                within: Some(Duration::from_millis(49)),
                ..e()
            },
            "within 49ms, it took 50ms",
        ),
    ] {
        let (kind, told) = check(&expect, &answer()).unwrap_err();
        assert_eq!(kind, ErrorKind::Expectation);
        assert!(told.contains(part), "{told}");
    }
}

#[test]
fn an_error_status_has_a_kind_of_its_own_unless_it_was_expected() {
    let kind = |status| {
        check(&Expect::default(), &response(status, &[], ""))
            .unwrap_err()
            .0
    };
    assert_eq!(kind(404), ErrorKind::Status4xx);
    assert_eq!(kind(503), ErrorKind::Status5xx);
    let expect = Expect {
        status: vec![404],
        ..Expect::default()
    };
    assert_eq!(check(&expect, &response(404, &[], "")), Ok(()));
    assert_eq!(
        check(&expect, &response(302, &[], "")).unwrap_err().0,
        ErrorKind::Expectation
    );
}

#[test]
fn a_body_that_is_not_json_or_not_whole_is_said_so_in_few_words() {
    let expect = Expect {
        json: vec![("$.a".into(), None)],
        ..Expect::default()
    };
    let (_, told) = check(&expect, &response(200, &[], &"<html>\n".repeat(10_000))).unwrap_err();
    assert!(
        told.contains("the body is not JSON") && told.len() < 300,
        "{told}"
    );
    let mut cut = response(200, &[], "{}");
    cut.length = 100;
    let (_, told) = check(&expect, &cut).unwrap_err();
    assert!(told.contains("only 2 were kept"), "{told}");
}

#[test]
fn bad_paths_and_patterns_are_all_told_before_the_start() {
    let expect = Expect {
        headers: vec![("a b".into(), String::new())],
        json: vec![("token".into(), None)],
        body_matches: Some("(".into()),
        ..Expect::default()
    };
    let fields: Vec<_> = Checks::compile(&expect)
        .unwrap_err()
        .into_iter()
        .map(|(field, _)| field)
        .collect();
    assert_eq!(
        fields,
        ["expect.headers", "expect.json", "expect.body_matches"]
    );
}

fn save(from: &Save) -> Result<String, String> {
    let saver = Saver::compile("it", from).unwrap();
    saver
        .find(&Answer::new(&answer()))
        .map(|value| value.to_string())
}

#[test]
fn values_are_saved_from_json_header_regex_and_cookie() {
    assert_eq!(save(&Save::Json("$.token".into())).unwrap(), "t1");
    assert_eq!(save(&Save::Json("$.n".into())).unwrap(), "3");
    assert_eq!(
        save(&Save::Json("$.items".into())).unwrap(),
        r#"[{"id":9}]"#
    );
    assert_eq!(save(&Save::Header("Location".into())).unwrap(), "/orders/7");
    assert_eq!(save(&Save::Regex(r#""n": (\d+)"#.into())).unwrap(), "3");
    assert_eq!(save(&Save::Regex("tok..".into())).unwrap(), "token");
    assert_eq!(save(&Save::Cookie("sid".into())).unwrap(), "abc");
}

#[test]
fn a_value_that_is_not_there_says_which_and_where() {
    for (from, place) in [
        (Save::Json("$.x".into()), "JSON path `$"),
        (Save::Header("etag".into()), "header `etag`"),
        (Save::Regex("zz".into()), "a match of `\"zz\"`"),
        (Save::Cookie("zz".into()), "cookie `zz`"),
    ] {
        let told = save(&from).unwrap_err();
        assert!(
            told.starts_with("`it` was not saved: ") && told.contains(place),
            "{told}"
        );
    }
}
