use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::header::{HeaderName, HeaderValue};
use hyper::{HeaderMap, Request, StatusCode};

use super::*;
use crate::load::http::{Exchange, Failure, Response};
use crate::profile::model::*;
use crate::profile::secret::Text;
use crate::profile::units::{Factor, Rate};
use crate::session::record::ErrorKind;

fn step(name: &str, method: &str, url: &str) -> Step {
    Step {
        name: name.into(),
        method: method.into(),
        url: Text::plain(url),
        headers: Vec::new(),
        body: Body::None,
        save: Vec::new(),
        expect: Expect::default(),
        optional: false,
        think: None,
        timeout: None,
        ledger: None,
    }
}

fn profile(steps: Vec<Step>) -> Profile {
    let scenario = Scenario {
        name: "shoppers".into(),
        key: None,
        target: Text::plain("http://shop.test"),
        model: Model::Open {
            rate: Rate(1.0),
            arrivals: Arrivals::Even,
            max_in_flight: 1,
        },
        scale: true,
        timeout: Duration::from_secs(5),
        connect_timeout: Duration::from_secs(5),
        journeys: vec![JourneyShare {
            journey: 0,
            weight: 1,
        }],
        http: HttpVersion::Auto,
        connections: Connections::PerUser,
        tls: Tls::default(),
        headers: vec![("x-run".into(), Text::plain("all"))],
        trace: false,
        cookies: true,
        max_body: 1 << 20,
        start: true,
    };
    Profile {
        secrets: crate::profile::Secrets::default(),
        window: Window {
            name: "test".into(),
            about: String::new(),
            allow_hosts: Vec::new(),
            seed: 42,
            runbook: None,
            environment: None,
            predicted: BTreeMap::new(),
            duration: None,
            tick: Duration::from_secs(1),
            drain: Duration::from_secs(1),
            metrics: None,
            spike: Factor(2.0),
            max_faults: 1,
        },
        scenarios: vec![scenario],
        journeys: vec![Journey {
            name: "buy".into(),
            think: ThinkTime::Fixed(Duration::from_secs(1)),
            steps,
        }],
        ledgers: Vec::new(),
        data: Vec::new(),
        targets: Vec::new(),
        gauges: Vec::new(),
        faults: Vec::new(),
        phases: Vec::new(),
        gates: Vec::new(),
        notify: Notify::default(),
        source: String::new(),
        path: "test.toml".into(),
        variables: BTreeMap::new(),
        time_scale: 1.0,
    }
}

fn answer(headers: &[(&'static str, &'static str)], body: &'static str) -> Response {
    let mut map = HeaderMap::new();
    for &(name, value) in headers {
        map.append(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    }
    Response {
        status: StatusCode::OK,
        headers: map,
        body: Bytes::from_static(body.as_bytes()),
        length: body.len() as u64,
    }
}

fn exchange() -> Exchange {
    Exchange {
        result: Ok(answer(&[], "")),
        sent: Some(0),
        done: 1_000_000,
        queued: 0,
        connect: 0,
        tls: 0,
        first_byte: 1,
        bytes_in: 0,
        bytes_out: 0,
    }
}

fn body_of(request: Request<Full<Bytes>>) -> String {
    let mut body = std::pin::pin!(request.into_body().collect());
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match body.as_mut().poll(&mut context) {
        std::task::Poll::Ready(Ok(whole)) => String::from_utf8(whole.to_bytes().to_vec()).unwrap(),
        _ => panic!("a full body is there at once"),
    }
}

/// The first request of a journey with this one step.
fn first(step: Step) -> Result<Request<Full<Bytes>>, Failure> {
    let program = Program::compile(&profile(vec![step]), 0, 0).unwrap();
    let mut user = User::new(42, 1, true);
    user.begin(&program.journeys[0], &Feeds::default(), 0)?;
    program.journeys[0].steps[0].request(&mut user)
}

fn shop() -> (Profile, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("users.csv");
    std::fs::write(&file, "name,password\nann,\"p\"\"1\"\n").unwrap();
    let mut login = step("login", "POST", "/login");
    login.body = Body::Json(Text::plain(
        r#"{"user":"{{ user.name }}","password":"{{ user.password }}"}"#,
    ));
    login.save = vec![("token".into(), Save::Json("$.token".into()))];
    let mut pay = step("pay", "POST", "/orders/{{ random_int(1, 9) }}");
    pay.headers = vec![("authorization".into(), Text::plain("Bearer {{ token }}"))];
    let mut profile = profile(vec![login, pay]);
    profile.data = vec![DataFeed {
        name: "user".into(),
        file,
        format: DataFormat::Csv,
        pick: Pick::Unique,
    }];
    (profile, dir)
}

#[test]
fn a_user_logs_in_and_the_next_step_sends_the_token_and_the_cookie() {
    let (profile, _dir) = shop();
    let feeds = Feeds::load(&profile).unwrap();
    let program = Program::compile(&profile, 0, 10).unwrap();
    program.check_feeds(&feeds).unwrap();
    let journey = &program.journeys[0];
    let [login, pay] = journey.steps.as_slice() else {
        panic!("two steps")
    };
    assert_eq!((login.index, pay.index), (10, 11));
    assert_eq!((login.keep, pay.keep), (1 << 20, 0));
    assert_eq!(
        (login.think, pay.think),
        (ThinkTime::Fixed(Duration::from_secs(1)), ThinkTime::None)
    );

    let mut user = User::new(42, 1, true);
    user.begin(journey, &feeds, 0).unwrap();
    let request = login.request(&mut user).unwrap();
    assert_eq!(request.headers()["content-type"], "application/json");
    assert_eq!(request.headers()["x-run"], "all");
    assert_eq!(body_of(request), r#"{"user":"ann","password":"p\"1"}"#);
    let told = pay.request(&mut user).unwrap_err();
    assert_eq!(told.kind, ErrorKind::Data);
    assert!(
        told.detail.contains("header `authorization`")
            && told.detail.contains("`token` has no value"),
        "{}",
        told.detail
    );

    let response = answer(&[("set-cookie", "sid=9; Path=/")], r#"{"token":"t1"}"#);
    login.check(&mut user, &response, &exchange()).unwrap();
    let request = pay.request(&mut user).unwrap();
    assert_eq!(request.headers()["authorization"], "Bearer t1");
    assert_eq!(request.headers()["cookie"], "sid=9");
    assert!(request.uri().path().starts_with("/orders/"));

    let mut other = User::new(42, 2, true);
    let told = other.begin(journey, &feeds, 0).unwrap_err();
    assert!(
        told.kind == ErrorKind::Data && told.detail.contains("all 1 rows are taken"),
        "{}",
        told.detail
    );
    user.begin(journey, &feeds, 1).unwrap();
    assert!(
        pay.request(&mut user).is_err(),
        "saved values are gone in the next iteration"
    );
    drop(user);
    other.begin(journey, &feeds, 0).unwrap();
}

#[test]
fn a_missing_save_fails_the_step_with_its_place() {
    let (profile, _dir) = shop();
    let program = Program::compile(&profile, 0, 0).unwrap();
    let login = &program.journeys[0].steps[0];
    let told = login
        .check(&mut User::new(1, 1, false), &answer(&[], "{}"), &exchange())
        .unwrap_err();
    assert_eq!(
        (told.kind, told.status),
        (ErrorKind::Expectation, Some(StatusCode::OK))
    );
    assert!(
        told.detail
            .starts_with("journey `buy`, step `login`: `token` was not saved"),
        "{}",
        told.detail
    );
}

#[test]
fn the_same_seed_and_number_give_the_same_request_whatever_ran_before() {
    let text = "/{{ uuid() }}/{{ name() | urlencode }}/{{ zipf(9, 1) }}";
    let program = Program::compile(&profile(vec![step("a", "GET", text)]), 0, 0).unwrap();
    let journey = &program.journeys[0];
    let uri = |user: &mut User, iteration| {
        user.begin(journey, &Feeds::default(), iteration).unwrap();
        journey.steps[0].request(user).unwrap().uri().clone()
    };
    let mut user = User::new(42, 7, false);
    let (zero, one) = (uri(&mut user, 0), uri(&mut user, 1));
    assert_ne!(zero, one);
    assert_eq!(uri(&mut User::new(42, 7, false), 1), one);
    assert_ne!(uri(&mut User::new(42, 8, false), 1), one);
    assert_ne!(uri(&mut User::new(43, 7, false), 1), one);
}

#[test]
fn a_value_cannot_break_the_request_line_or_smuggle_a_header() {
    let request = first(step("a", "GET", "/s?q={{ 'a b\\r\\nX: é#' }}")).unwrap();
    assert_eq!(request.uri(), "/s?q=a%20b%0D%0AX:%20%C3%A9%23");
    let mut smuggle = step("a", "GET", "/");
    smuggle.headers = vec![("x-name".into(), Text::plain("{{ 'a\\r\\nX-Evil: 1' }}"))];
    let told = first(smuggle).unwrap_err();
    assert_eq!(told.kind, ErrorKind::Data);
    assert!(
        told.detail.contains("header `x-name` holds a line break"),
        "{}",
        told.detail
    );
    assert!(first(step("a", "GET", "{{ 'ftp://x/' }}")).is_err());
    let request = first(step("a", "GET", "/{{ '/evil.test/x' }}")).unwrap();
    assert_eq!(request.uri().authority(), None);
}

#[test]
fn a_trace_changes_no_data_and_its_id_is_the_one_sent() {
    let mut profile = profile(vec![step("a", "GET", "/{{ uuid() }}")]);
    let plain = Program::compile(&profile, 0, 0).unwrap();
    profile.scenarios[0].trace = true;
    let traced = Program::compile(&profile, 0, 0).unwrap();
    let send = |program: &Program| {
        let mut user = User::new(42, 1, false);
        user.begin(&program.journeys[0], &Feeds::default(), 0)
            .unwrap();
        let request = program.journeys[0].steps[0].request(&mut user).unwrap();
        (request, user.trace_id())
    };
    let ((untraced, none), (request, id)) = (send(&plain), send(&traced));
    assert_eq!(untraced.uri(), request.uri());
    assert_eq!(none, None);
    let header = request.headers()["traceparent"]
        .to_str()
        .unwrap()
        .to_owned();
    assert_eq!(&header[3..35], id.unwrap());
}

#[test]
fn every_mistake_is_told_at_once_with_journey_step_and_field() {
    let mut bad = step("bad", "GE T", "home");
    bad.headers = vec![
        ("a b".into(), Text::plain("x")),
        ("ok".into(), Text::plain("{{ usr.name }}")),
    ];
    bad.save = vec![("it".into(), Save::Regex("(".into()))];
    bad.body = Body::File("/nowhere/at/all".into());
    let early = step("early", "GET", "/{{ late }}");
    let mut late = step("late", "GET", "/");
    late.save = vec![("late".into(), Save::Header("x".into()))];
    let errors = Program::compile(&profile(vec![bad, early, late]), 0, 0).unwrap_err();
    let told: Vec<_> = errors.iter().map(ToString::to_string).collect();
    for part in [
        "step `bad`: method:",
        "step `bad`: url: `home` begins neither",
        "step `bad`: header `a b`:",
        "step `bad`: header `ok`: there is no data feed",
        "step `bad`: body: /nowhere",
        "step `bad`: save.it:",
        "step `early`: url: there is no data feed, value saved by an earlier step, or function `late`",
    ] {
        assert!(
            told.iter()
                .any(|line| line.starts_with("journey `buy`, ") && line.contains(part)),
            "{part}: {told:#?}"
        );
    }
    assert_eq!(told.len(), 7, "{told:#?}");
}

#[test]
fn a_column_that_is_not_in_the_file_is_told() {
    let (mut profile, _dir) = shop();
    profile.journeys[0].steps[0].url = Text::plain("/{{ user.nmae }}");
    let feeds = Feeds::load(&profile).unwrap();
    let told = Program::compile(&profile, 0, 0)
        .unwrap()
        .check_feeds(&feeds)
        .unwrap_err();
    assert!(
        told[0]
            .0
            .contains("no column `nmae`; there are `name`, `password`"),
        "{told:?}"
    );
}

#[test]
fn a_secret_is_sent_and_never_said() {
    let mut secret = step("a", "GET", "/");
    secret.headers = vec![(
        "authorization".into(),
        Text::with_secret("hunter2\n", "‹secret:P›"),
    )];
    let told = Program::compile(&profile(vec![secret]), 0, 0).unwrap_err();
    assert!(!format!("{told:?}").contains("hunter2"));
}

#[test]
fn a_user_is_small() {
    assert!(size_of::<User>() <= 200, "{}", size_of::<User>());
}

#[test]
fn a_step_without_templates_sends_the_same_bytes_without_copying_them() {
    let mut plain = step("a", "POST", "/fixed#part");
    plain.body = Body::Form(vec![("a b".into(), Text::plain("c&d"))]);
    let program = Program::compile(&profile(vec![plain]), 0, 0).unwrap();
    let (step, mut user) = (&program.journeys[0].steps[0], User::new(1, 1, false));
    let (one, two) = (
        step.request(&mut user).unwrap(),
        step.request(&mut user).unwrap(),
    );
    assert_eq!(one.uri(), "/fixed");
    assert_eq!(
        one.headers()["content-type"],
        "application/x-www-form-urlencoded"
    );
    assert_eq!(
        (body_of(one), body_of(two)),
        ("a+b=c%26d".into(), "a+b=c%26d".into())
    );
    assert!(user.scope.is_none(), "nothing was allocated for the user");
}
