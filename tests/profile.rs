//! Profiles as a user meets them: files that are right, files that are wrong, and files that are neither.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    reason = "this is a test"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use proptest::prelude::*;
use stormdeck::profile::model::{
    Body, Connections, FaultDriver, Model, Phase, Save, Scope, Severity, ToxicKind,
};
use stormdeck::profile::plan::{Expected, Plan};
use stormdeck::profile::units::{Factor, Rate};
use stormdeck::profile::{self, LoadError, Options, Profile};

const SECRET: &str = "hunter2-äß";

fn options() -> Options {
    let env = [("TOKEN", SECRET), ("PASSWORD", SECRET)];
    Options {
        env: env
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        ..Options::default()
    }
}

fn fixtures(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new("tests/profiles").join(folder);
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "toml"))
        .collect();
    files.sort();
    files
}

fn load(path: &str) -> Profile {
    match profile::load(path, &options()) {
        Ok(profile) => profile,
        Err(error) => panic!("{error}"),
    }
}

fn parse(text: &str) -> Profile {
    match profile::parse(text, Path::new("."), &options()) {
        Ok(profile) => profile,
        Err(error) => panic!("{error}"),
    }
}

/// The messages of everything that is wrong with a text.
fn mistakes(text: &str) -> Vec<String> {
    match profile::parse(text, Path::new("."), &options()) {
        Err(LoadError::Profile(error)) => {
            error.diagnostics.into_iter().map(|d| d.message).collect()
        }
        other => panic!("{other:?}"),
    }
}

const MINIMAL: &str = r#"
[window]
duration = "1m"
[[scenario]]
name = "a"
target = "http://127.0.0.1:1"
rate = "10/s"
get = "/"
"#;

#[test]
fn every_mistake_is_shown_at_once_with_its_place() {
    for path in fixtures("invalid") {
        let error = profile::load(path.to_str().unwrap(), &options()).unwrap_err();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        insta::assert_snapshot!(format!("invalid_{name}"), error.render(false));
    }
}

#[test]
fn colour_is_used_when_asked_for_and_only_then() {
    let error = profile::load("tests/profiles/invalid/keys.toml", &options()).unwrap_err();
    assert!(error.render(true).contains("\u{1b}["));
    assert!(!error.render(false).contains('\u{1b}'));
}

#[test]
fn what_a_profile_will_do_is_told_before_it_does_it() {
    for path in fixtures("valid") {
        let profile = load(path.to_str().unwrap());
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        insta::assert_snapshot!(format!("plan_{name}"), Plan::of(&profile).to_string());
    }
}

#[test]
fn every_shipped_profile_can_be_run_as_it_is() {
    for name in profile::shipped_names() {
        let loaded = profile::load(name, &Options::default());
        let profile = loaded.unwrap_or_else(|error| panic!("{error}"));
        let plan = Plan::of(&profile);
        assert_eq!(plan.warnings, Vec::<String>::new(), "{name}");
        assert_eq!(plan.hosts, ["embedded://shop"], "{name}");
        assert!(plan.requests.count() > 0.0, "{name}");
        assert_eq!(profile.window.name, name);
    }
}

#[test]
fn a_shipped_profile_can_be_pointed_at_ones_own_service() {
    let mut options = Options::default();
    for (name, value) in [
        ("TARGET", "http://127.0.0.1:8080"),
        ("RATE", "50/s"),
        ("GET", "/x"),
    ] {
        options.variables.push((name.to_owned(), value.to_owned()));
    }
    let profile = profile::load("spike", &options).unwrap();
    assert_eq!(
        profile.scenarios[0].target.reveal(),
        "http://127.0.0.1:8080"
    );
    assert_eq!(profile.journeys[0].steps[0].url.reveal(), "/x");
    assert_eq!(profile.scenarios[0].amount(10.0).to_string(), "500");
}

#[test]
fn the_whole_example_arrives_in_the_model() {
    let profile = load("tests/profiles/valid/whole.toml");
    assert_eq!(profile.window.predicted["pay p99"], "80ms");
    assert_eq!(profile.window.spike, Factor(10.0));
    let shoppers = &profile.scenarios[0];
    assert!(
        matches!(shoppers.model, Model::Open { rate: Rate(rate), max_in_flight: 5000, .. } if rate.to_string() == "200")
    );
    let weights: Vec<_> = shoppers
        .journeys
        .iter()
        .map(|j| (j.journey, j.weight))
        .collect();
    assert_eq!(weights, [(0, 8), (1, 2)]);
    let login = &profile.journeys[1].steps[0];
    let Body::Json(body) = &login.body else {
        panic!("{login:?}")
    };
    assert_eq!(
        body.reveal(),
        r#"{"user":"{{ user.name }}","password":"{{ user.password }}"}"#
    );
    assert_eq!(
        login.save,
        [("token".to_owned(), Save::Json("$.token".to_owned()))]
    );
    let FaultDriver::Proxy { toxics, .. } = &profile.faults[0].driver else {
        panic!()
    };
    assert_eq!(
        toxics[0].kind,
        ToxicKind::Latency {
            latency: Duration::from_millis(200),
            jitter: Duration::from_millis(50)
        }
    );
    assert_eq!(profile.phases[2].faults[0].after, Duration::from_secs(30));
    let gate = &profile.gates[0];
    assert_eq!(
        gate.of,
        Scope::Step {
            journey: None,
            step: "pay".to_owned()
        }
    );
    assert_eq!(gate.abort_after, Some(Duration::from_secs(30)));
    assert_eq!(profile.gates[1].name, "errors < 2% in spike");
    assert_eq!(
        (profile.gates[1].severity, &profile.gates[1].during[..]),
        (Severity::Blocker, &[1][..])
    );
    assert_eq!(profile.notify.webhook, None);
    assert_eq!(profile.variables["SHOP_URL"], "http://127.0.0.1:8080");
}

#[test]
fn a_journey_of_one_request_needs_no_journey() {
    let profile = parse(MINIMAL);
    assert_eq!(profile.journeys[0].name, "a");
    assert_eq!(profile.journeys[0].steps[0].name, "a");
    assert_eq!(profile.phases[0].name, "main");
    assert_eq!(profile.phases[0].length, Duration::from_mins(1));
}

#[test]
fn a_journey_named_like_a_shorthand_is_a_clash() {
    let text = format!("{MINIMAL}[[journey]]\nname = \"a\"\nsteps = [{{ get = \"/\" }}]\n");
    assert_eq!(mistakes(&text), ["there are two journeys named `a`"]);
}

#[test]
fn work_that_ends_by_itself_needs_no_length() {
    let text = MINIMAL
        .replace("duration = \"1m\"", "")
        .replace("rate = \"10/s\"", "iterations = 100");
    let profile = parse(&text);
    assert_eq!(profile.length(), Duration::from_mins(10));
    let plan = Plan::of(&profile);
    assert!(plan.ends_with_work);
    assert_eq!(plan.requests, Expected::About(100.0));
    let open = text.replace("iterations = 100", "rate = \"1/s\"");
    assert_eq!(
        mistakes(&open),
        ["this profile does not say how long it lasts"]
    );
}

#[test]
fn a_climb_becomes_a_phase_for_each_step() {
    let profile = load("tests/profiles/valid/everything.toml");
    let steps: Vec<&Phase> = profile
        .phases
        .iter()
        .filter(|p| p.climb.is_some())
        .collect();
    let names: Vec<&str> = steps.iter().map(|phase| phase.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "climb 0.1x",
            "climb 0.2x",
            "climb 0.3x",
            "climb 0.4x",
            "climb 0.5x"
        ]
    );
    assert_eq!(profile.gates[0].during, [0, 1, 2, 3, 4, 5]);
    assert_eq!(profile.gates[1].during, [3]);
    let phase_gate = profile.gates.last().unwrap();
    assert_eq!(phase_gate.name, "dropped < 0.1% in climb");
    assert_eq!(phase_gate.during, [1, 2, 3, 4, 5]);
}

#[test]
fn json_bodies_keep_their_order_and_their_expressions() {
    let profile = load("tests/profiles/valid/everything.toml");
    let Body::Json(body) = &profile.journeys[0].steps[2].body else {
        panic!()
    };
    assert_eq!(
        body.reveal(),
        format!(r#"{{"z":["{{{{ pick("a", "b") }}}}",1,2.5,true],"a":"q\"uote {SECRET}"}}"#)
    );
    assert!(
        matches!(&profile.journeys[0].steps[3].body, Body::Text(text) if text.reveal().starts_with("$5 "))
    );
    assert_eq!(profile.scenarios[0].connections, Connections::Shared(64));
}

#[test]
fn drift_is_counted_an_hour() {
    let profile = load("tests/profiles/valid/everything.toml");
    let drifts: Vec<f64> = profile
        .gauges
        .iter()
        .filter_map(|g| g.drift)
        .map(|d| d.value)
        .collect();
    assert!(
        (drifts[0] - 1.0 / 60.0).abs() < 1e-12 && (drifts[1] - 1.0).abs() < 1e-12,
        "{drifts:?}"
    );
}

#[test]
fn no_secret_is_in_anything_that_can_be_printed() {
    let profile = load("tests/profiles/valid/everything.toml");
    assert!(profile.scenarios[0].headers[0].1.reveal().contains(SECRET));
    let printed = format!(
        "{profile:?} {} {} {:?} {:?}",
        Plan::of(&profile),
        profile.source,
        profile.variables,
        profile.redactor()
    );
    assert!(!printed.contains("hunter2"), "{printed}");
    assert_eq!(
        profile.redactor().text(&format!("<{SECRET}>")),
        "<‹secret:TOKEN›>"
    );
    for path in fixtures("invalid") {
        let error = profile::load(path.to_str().unwrap(), &options()).unwrap_err();
        assert!(
            !format!("{error} {error:?}").contains("hunter2"),
            "{path:?}"
        );
    }
    assert!(!format!("{:?}", options()).contains("hunter2"));
}

#[test]
fn a_secret_that_looks_like_a_template_is_refused_and_not_shown() {
    let mut options = options();
    options
        .env
        .insert("BRACES".to_owned(), "hunter2 {{ x".to_owned());
    let text = MINIMAL.replace("get = \"/\"", "post = \"/\"\nbody = \"${secret:BRACES}\"");
    let error = profile::parse(&text, Path::new("."), &options)
        .unwrap_err()
        .to_string();
    assert!(error.contains("would be read as a template"), "{error}");
    assert!(!error.contains("hunter2"), "{error}");
}

#[test]
fn the_time_scale_shortens_what_a_gate_looks_back_over() {
    let mut options = options();
    options.time_scale = 0.1;
    let path = "tests/profiles/valid/everything.toml";
    let spans = |profile: &Profile| -> Vec<Duration> {
        profile.gates.iter().map(|gate| gate.over).collect()
    };
    let whole = spans(&load(path));
    // Of a gate that says it, of one that does not, and of a phase's own `expect`.
    assert!(whole.contains(&Duration::from_secs(30)) && whole.contains(&Duration::from_secs(10)));
    let tenth: Vec<_> = whole.iter().map(|span| *span / 10).collect();
    assert_eq!(spans(&profile::load(path, &options).unwrap()), tenth);
}

#[test]
fn the_time_scale_shortens_the_schedule_and_nothing_else() {
    let mut options = options();
    options.time_scale = 0.1;
    let path = "tests/profiles/valid/whole.toml";
    let whole = load(path);
    let short = profile::load(path, &options).unwrap();
    assert_eq!(short.length(), whole.length() / 10);
    assert_eq!(short.phases[0].ramp, Duration::from_secs(6));
    assert_eq!(
        short.phases[2].faults[0].length,
        Some(Duration::from_secs(6))
    );
    assert_eq!(short.faults[0].max, Duration::from_secs(12));
    assert_eq!(
        short.faults[0].recover_within,
        whole.faults[0].recover_within
    );
    assert_eq!(short.gates[0].abort_after, Some(Duration::from_secs(3)));
    assert_eq!(short.window.tick, whole.window.tick);
    assert_eq!(short.window.drain, whole.window.drain);
    assert_eq!(short.scenarios[0].timeout, whole.scenarios[0].timeout);
    assert_eq!(short.journeys[0].think, whole.journeys[0].think);
    options.time_scale = f64::NAN;
    assert!(matches!(
        profile::load(path, &options),
        Err(LoadError::TimeScale(_))
    ));
}

#[test]
fn a_ramp_from_nothing_makes_half_the_requests() {
    let text = MINIMAL.replace("duration = \"1m\"", "")
        + "[[phase]]\nname = \"up\"\nfor = \"60s\"\nramp = \"60s\"\n";
    let plan = Plan::of(&parse(&text));
    assert_eq!(plan.requests, Expected::About(300.0));
}

#[test]
fn a_host_is_reached_only_if_it_is_allowed() {
    let away = MINIMAL.replace("http://127.0.0.1:1", "https://a.example.com");
    assert_eq!(mistakes(&away).len(), 1);
    for allow in ["*.example.com", "a.example.com"] {
        parse(&away.replace(
            "[window]",
            &format!("[window]\nallow_hosts = [\"{allow}\"]"),
        ));
    }
    for own in [
        "http://localhost:1",
        "http://[::1]:1",
        "unix:/run/x.sock",
        "embedded://shop?servers=8",
    ] {
        parse(&MINIMAL.replace("http://127.0.0.1:1", own));
    }
}

#[test]
fn what_is_no_profile_is_refused_in_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        profile::load(path.to_str().unwrap(), &Options::default()).unwrap_err()
    };
    assert!(matches!(
        at("binary", b"\x7fELF\0\0\xff"),
        LoadError::Binary(_)
    ));
    assert!(matches!(at("zeros", &[0; 100]), LoadError::Binary(_)));
    assert!(matches!(
        at("large", &vec![b'#'; 10 << 20]),
        LoadError::TooLarge(_)
    ));
    let path = folder.path().to_str().unwrap();
    let error = profile::load(path, &Options::default()).unwrap_err();
    assert!(matches!(error, LoadError::Folder(_)));
    let error = profile::load("demmo", &Options::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is no file `demmo` and no shipped profile of that name; shipped are \
         demo, smoke, baseline, steps, stress, spike, soak, breakpoint, chaos"
    );
}

#[test]
fn a_file_wins_over_a_shipped_name_and_paths_start_at_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("soak");
    let body = MINIMAL.replace("get = \"/\"", "post = \"/\"\nfile = \"body.bin\"");
    std::fs::write(&path, body).unwrap();
    std::fs::write(folder.path().join("body.bin"), [0xff]).unwrap();
    let profile = load(path.to_str().unwrap());
    assert_eq!(
        profile.journeys[0].steps[0].body,
        Body::File(folder.path().join("body.bin"))
    );
}

#[test]
fn a_thousand_mistakes_are_shown_in_part_and_counted() {
    let lines: Vec<String> = (0..5000).map(|n| format!("k{n} = 1")).collect();
    let text = lines.join("\n");
    let error = profile::parse(&text, Path::new("."), &Options::default()).unwrap_err();
    let shown = error.to_string();
    assert!(shown.lines().count() < 1000);
    assert!(
        shown.ends_with("5002 mistakes (4952 not shown)"),
        "{}",
        shown.lines().last().unwrap()
    );
}

#[test]
fn nesting_without_end_is_no_crash() {
    for value in (0..=15).map(|shift| 1 << shift).flat_map(nestings) {
        let text = MINIMAL.replace("get = \"/\"", &value);
        let _ = profile::parse(&text, Path::new("."), &options());
    }
}

fn nestings(deep: usize) -> [String; 14] {
    [
        format!("get = \"/{{{{ {} }}}}\"", "(".repeat(deep)),
        format!("get = \"/{{{{ {} }}}}\"", "[".repeat(deep)),
        format!("get = \"/{{{{ {}1 }}}}\"", "-".repeat(deep)),
        format!("get = \"/{{{{ {}1 }}}}\"", "not ".repeat(deep)),
        format!("get = \"/{{{{ 1{} }}}}\"", "**1".repeat(deep)),
        format!("get = \"/{}\"", "{% if x %}".repeat(deep)),
        format!(
            "get = \"/\"\nsave = {{ x = \"json:$[?{}\" }}",
            "(".repeat(deep)
        ),
        format!(
            "get = \"/\"\nsave = {{ x = \"json:$[?{}\" }}",
            "!(".repeat(deep)
        ),
        format!(
            "get = \"/\"\nsave = {{ x = \"json:{}\" }}",
            "$[?@".repeat(deep)
        ),
        format!(
            "get = \"/\"\nsave = {{ x = \"json:$[?{}\" }}",
            "length(".repeat(deep)
        ),
        format!(
            "get = \"/\"\nsave = {{ x = \"regex:{}\" }}",
            "(".repeat(deep)
        ),
        format!("get = \"/\"\njson = {}", "[".repeat(deep)),
        format!("get = \"/\"\njson = {}", "{ a = ".repeat(deep)),
        format!("get = \"{}\"", "${A:-".repeat(deep)),
    ]
}

/// A fixture with one stretch of bytes replaced.
fn mutated() -> impl Strategy<Value = String> {
    let sources: Vec<String> = fixtures("valid")
        .into_iter()
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect();
    (
        prop::sample::select(sources),
        any::<prop::sample::Index>(),
        0usize..40,
        "\\PC{0,6}|[\"'\\[\\]{}=.,#$\n0-9a-z]{0,8}",
    )
        .prop_map(|(source, at, length, text)| {
            let start = source.floor_char_boundary(at.index(source.len()));
            let end = source.floor_char_boundary((start + length).min(source.len()));
            format!("{}{text}{}", &source[..start], &source[end..])
        })
}

fn never_panics(text: &str) {
    let base = Path::new("tests/profiles/valid");
    match profile::parse(text, base, &options()) {
        Ok(profile) => {
            let printed = format!("{} {profile:?}", Plan::of(&profile));
            assert!(!printed.contains("hunter2"));
        }
        Err(error) => {
            let printed = format!("{} {}", error.render(true), error.render(false));
            assert!(!printed.contains("hunter2"));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_profiles_never_panic(text in mutated()) {
        never_panics(&text);
    }

    #[test]
    fn arbitrary_text_never_panics(text in "(?s).{0,200}") {
        never_panics(&text);
    }

    #[test]
    fn arbitrary_values_never_panic(
        key in prop::sample::select(vec!["rate", "users", "target", "get", "json", "timeout", "tls", "journeys", "key", "connections"]),
        value in "\\PC{0,30}",
    ) {
        let value = toml::Value::String(value).to_string();
        never_panics(&format!("{MINIMAL}{key} = {value}\n"));
    }
}

#[test]
fn variables_on_the_command_line_win_over_the_environment() {
    let text = MINIMAL.replace("10/s", "${RATE}");
    let options = Options {
        variables: vec![("RATE".to_owned(), "7/s".to_owned())],
        env: BTreeMap::from([("RATE".to_owned(), "5/s".to_owned())]),
        ..Options::default()
    };
    let profile = profile::parse(&text, Path::new("."), &options).unwrap();
    assert!((profile.scenarios[0].amount(1.0) - 7.0).abs() < f64::EPSILON);
    assert_eq!(profile.variables["RATE"], "7/s");
}
