use std::collections::BTreeSet;

use proptest::prelude::*;

use super::super::random;
use super::*;

fn known() -> Known {
    Known {
        feeds: vec!["user".into(), "word".into()],
        saved: vec!["token".into()],
    }
}

fn scope() -> Value {
    let user = Value::from_pairs([
        ("name", Value::from("a \"b\"\n\\é")),
        ("id", Value::from(7)),
    ]);
    Value::from_pairs([("user", user), ("token", Value::from("t&=? x"))])
}

fn json(text: &str) -> Result<String, String> {
    let known = known();
    let mut compiler = Compiler::new(environment(&Arc::default()), &known);
    let pattern = compiler.json(text)?;
    let mut out = Vec::new();
    pattern.render(&compiler.env, &scope(), &mut out)?;
    Ok(String::from_utf8(out).unwrap())
}

fn complaint(text: &str) -> String {
    let known = known();
    let mut compiler = Compiler::new(environment(&Arc::default()), &known);
    compiler.text(text).unwrap_err()
}

#[test]
fn every_function_works_and_the_seed_decides_what_it_says() {
    for call in [
        "uuid()",
        "random_int(-5, 5)",
        "random_float(0, 1)",
        "random_string(12)",
        "choice(['a', 'b', 'c'])",
        "choice('a', 'b')",
        "zipf(1000, 1.1)",
        "name()",
        "first_name()",
        "last_name()",
        "email()",
        "word()",
        "sentence()",
        "phone()",
        "city()",
        "user_number()",
        "iteration()",
        "product(3, 4)",
        "range(3) | join",
        "timestamp()",
        "timestamp_ms()",
        "now()",
        "counter()",
        "'a b' | urlencode",
        "'a' | base64",
        "[1, 'x'] | json",
        "'7' | number",
        "7 | pad(3)",
    ] {
        let text = format!("{{{{ {call} }}}}");
        let first = render_once(&text, 42).unwrap_or_else(|error| panic!("{call}: {error}"));
        assert!(!first.is_empty(), "{call}");
        if !call.starts_with("now") && !call.starts_with("timestamp") {
            assert_eq!(first, render_once(&text, 42).unwrap(), "{call}");
        }
    }
    let uuid = |seed| render_once("{{ uuid() }}", seed).unwrap();
    assert_ne!(uuid(1), uuid(2));
    assert_eq!(uuid(1).as_bytes()[14], b'4');
}

#[test]
fn the_filters_of_our_own_do_what_they_say() {
    let of = |text| render_once(text, 1).unwrap();
    assert_eq!(of("{{ 'a b/c?é' | urlencode }}"), "a%20b%2Fc%3F%C3%A9");
    assert_eq!(
        of("{{ 'a' | base64 }} {{ 'ab' | base64 }} {{ 'abc' | base64 }}"),
        "YQ== YWI= YWJj"
    );
    assert_eq!(of("{{ {'a': [1, true]} | json }}"), r#"{"a":[1,true]}"#);
    assert_eq!(of("{{ ' 7 ' | number }}"), "7");
    assert_eq!(of("{{ 7 | pad(3) }}"), "007");
}

#[test]
fn random_int_includes_both_ends_and_nothing_else() {
    let text = "{% for i in range(500) %}{{ random_int(1, 3) }}{% endfor %}";
    let drawn = render_once(text, 3).unwrap();
    let seen: BTreeSet<char> = drawn.chars().collect();
    assert_eq!(seen, BTreeSet::from(['1', '2', '3']));
}

#[test]
fn zipf_draws_ranks_as_often_as_the_law_says() {
    let (n, draws) = (20u32, 20_000);
    let mut counts = vec![0u32; n as usize];
    for seed in 0..40 {
        let text = "{% for i in range(500) %}{{ zipf(20, 1.0) }} {% endfor %}";
        for rank in render_once(text, seed).unwrap().split_whitespace() {
            counts[rank.parse::<usize>().unwrap() - 1] += 1;
        }
    }
    let harmonic: f64 = (1..=n).map(|k| 1.0 / f64::from(k)).sum();
    let chi: f64 = (1..=n)
        .zip(&counts)
        .map(|(k, &seen)| {
            let due = f64::from(draws) / (f64::from(k) * harmonic);
            (f64::from(seen) - due).powi(2) / due
        })
        .sum();
    // 43.8 is the 99.9 % quantile of chi-square with 19 degrees of freedom.
    assert!(chi < 43.8, "chi-square {chi}, counts {counts:?}");
}

#[test]
fn no_value_can_break_a_json_body() {
    let body =
        json(r#"{"name":"{{ user.name }}","{{ token }}":["x{{ user.name }}",1],"plain":"a\"b"}"#)
            .unwrap();
    let parsed: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(parsed["name"], "a \"b\"\n\\é");
    assert_eq!(parsed["t&=? x"][0], "xa \"b\"\n\\é");
    assert_eq!(parsed["plain"], "a\"b");
}

#[test]
fn a_lone_expression_stays_a_string_unless_its_last_filter_asks_for_a_bare_value() {
    let body = json(
        r#"{"a":"{{ user.id }}","b":"{{ user.id | number }}","c":"{{ user.id | int }} x","d":"{{ user | json }}","e":"{{ true | bool }}"}"#,
    );
    // A map built by hand lists its members in order of name.
    assert_eq!(
        body.unwrap(),
        r#"{"a":"7","b":7,"c":"7 x","d":{"id":7,"name":"a \"b\"\n\\é"},"e":true}"#
    );
    assert!(
        json(r#"["{{ 'nan' | float }}"]"#)
            .unwrap_err()
            .contains("not JSON")
    );
    assert!(
        json(r#"["{{ 'x' | number }}"]"#)
            .unwrap_err()
            .contains("not a number")
    );
}

#[test]
fn a_form_is_url_encoded() {
    let known = known();
    let mut compiler = Compiler::new(environment(&Arc::default()), &known);
    let pattern = compiler
        .form([("a b", "{{ token }}"), ("c", "x&y")].into_iter())
        .unwrap();
    let mut out = Vec::new();
    pattern.render(&compiler.env, &scope(), &mut out).unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), "a+b=t%26%3D%3F+x&c=x%26y");
}

#[test]
fn mistakes_are_told_before_the_start_with_the_nearest_name() {
    for (text, part) in [
        (
            "{{ uuuid() }}",
            "there is no function `uuuid`; did you mean `uuid`?",
        ),
        ("{{ tokn }}", "`tokn`; did you mean `token`?"),
        (
            "{{ token | uper }}",
            "there is no filter `uper`; did you mean `upper`?",
        ),
        (
            "{% if token is definde %}{% endif %}",
            "there is no test `definde`; did you mean `defined`?",
        ),
        ("{{ uuid }}", "write `uuid()`"),
        ("{{ word() }}", "cannot be called"),
        ("{{ token", "syntax error"),
        ("{% include 'x' %}", "cannot be used"),
    ] {
        let told = complaint(text);
        assert!(told.contains(part), "{text}: {told}");
    }
}

#[test]
fn a_name_without_a_value_is_an_error_that_names_it() {
    let known = known();
    let mut compiler = Compiler::new(environment(&Arc::default()), &known);
    let pattern = compiler.text("{{ token }}{{ user.nmae }}").unwrap();
    let told = pattern
        .render(&compiler.env, &scope(), &mut Vec::new())
        .unwrap_err();
    assert_eq!(told, "`user.nmae` has no value");
    assert_eq!(compiler.used, BTreeSet::from(["user.nmae".to_owned()]));
}

#[test]
fn a_template_that_would_go_on_is_stopped() {
    let long =
        "{% for a in range(10000) %}{% for b in range(10000) %}{{ a }}{% endfor %}{% endfor %}";
    let told = render_once(long, 1).unwrap_err();
    assert!(told.contains("stopped"), "{told}");
}

#[test]
fn a_template_that_prints_too_much_is_stopped() {
    let wide = "{% for a in range(100) %}{{ random_string(100000) }}{% endfor %}";
    let told = render_once(wide, 1).unwrap_err();
    assert!(told.contains("more than 1 MiB"), "{told}");
    let grown = "{{ random_string(100000) | replace('a', random_string(100000)) }}";
    assert!(render_once(grown, 1).is_err());
}

#[test]
fn the_counter_never_says_the_same_twice_across_threads() {
    let counter = Arc::default();
    let env = environment(&counter);
    let mut compiler = Compiler::new(env, Box::leak(Box::default()));
    let pattern = compiler.text("{{ counter() }}").unwrap();
    let (env, pattern) = (&compiler.env, &pattern);
    let seen: Vec<String> = std::thread::scope(|threads| {
        let work = || {
            let mut out = Vec::new();
            let one = |_| {
                pattern.render(env, &Value::from(()), &mut out).unwrap();
                String::from_utf8(out.clone()).unwrap()
            };
            (0..500).map(one).collect::<Vec<_>>()
        };
        let threads: Vec<_> = (0..4).map(|_| threads.spawn(work)).collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    });
    assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), 2000);
}

#[test]
fn the_generator_is_the_same_on_every_machine() {
    assert_eq!(random::mix(0), 0xe220_a839_7b1d_cdaf);
    assert_eq!(
        render_once("{{ random_int(0, 1000000) }}", 42),
        render_once("{{ random_int(0, 1000000) }}", 42)
    );
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(text in ".{0,80}", seed: u64) {
        let _ = render_once(&text, seed);
        let _ = render_once(&format!("{{{{ {text} }}}}"), seed);
        let _ = json(&serde_json::to_string(&[&text]).unwrap());
    }

    #[test]
    fn arbitrary_pieces_of_templates_never_panic(
        pieces in proptest::collection::vec(
            proptest::sample::select(vec![
                "{{", "}}", "{%", "%}", "{#", "#}", "if", "for a in", "endfor", "endif", "|", "(", ")", "[", "]", "'",
                "random_int", "zipf", "1", "-9223372036854775808", "1e308", ",", ".", "~", "**", "range", "choice",
                "replace", "join", "is", "not", "defined", " ", "a", "pad", "random_string", "\\", "é",
            ]),
            0..24,
        )
    ) {
        let text = pieces.concat();
        let _ = render_once(&text, 1);
        let spaced = pieces.join(" ");
        let _ = render_once(&format!("{{{{ {spaced} }}}}"), 1);
    }

    #[test]
    fn a_rendered_json_body_is_json_whatever_the_value(value in "\\PC*|.*") {
        let known = known();
        let mut compiler = Compiler::new(environment(&Arc::default()), &known);
        let pattern = compiler.json(r#"{"a":"<{{ token }}>"}"#).unwrap();
        let mut out = Vec::new();
        let scope = Value::from_pairs([("token", Value::from(value.as_str()))]);
        pattern.render(&compiler.env, &scope, &mut out).unwrap();
        let parsed: serde_json::Value = serde_json::from_slice(&out).unwrap();
        prop_assert_eq!(parsed["a"].as_str().unwrap(), format!("<{}>", value));
    }
}
