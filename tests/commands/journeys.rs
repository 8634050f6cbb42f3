//! Journeys over the wire: what a user logs in with, keeps, sends on, and stops at.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::server::{Asked, Server, answer};
use crate::support::{only_session, records, run_json};

/// How many requests went to a path.
fn count(asked: &[Asked], path: &str) -> usize {
    asked.iter().filter(|asked| asked.path() == path).count()
}

/// A scenario's requests and errors by step.
fn step<'s>(summary: &'s Value, name: &str) -> &'s Value {
    let steps = summary["steps"].as_array().unwrap();
    let found = steps.iter().find(|step| step["name"] == name);
    found.unwrap_or_else(|| panic!("{name} in {steps:?}"))
}

const BUYERS: &str = r#"
[window]
name = "buyers"
[[scenario]]
name = "s"
target = "URL"
users = 4
iterations = 25
trace = true
journeys = ["buy"]
[[journey]]
name = "buy"
think = "1ms..5ms"
steps = [
  { name = "login", post = "/login", json = { user = "{{ user.name }}", password = "{{ user.password }}" }, save = { token = "json:$.token" } },
  { name = "order", post = "/order", headers = { authorization = "Bearer {{ token }}" }, json = { sku = 1 }, expect = { status = 201 } },
]
[[data]]
name = "user"
file = "users.csv"
pick = "unique"
[[gate]]
expect = "errors = 0%"
"#;

/// Tells everyone their token by name, and lets in who brings token and cookie of the same name.
fn strict_shop() -> Server {
    Server::answering(|asked| match asked.path() {
        "/login" => {
            let told: Value = serde_json::from_str(&asked.body).unwrap();
            let name = told["user"].as_str().unwrap();
            assert_eq!(told["password"], format!("{name}'s own"));
            let cookie = format!("set-cookie: id={name}; Path=/\r\n");
            answer(
                "200 OK",
                &cookie,
                &format!("{{\"token\":\"token-of-{name}\"}}"),
            )
        }
        "/order" => {
            let name = asked
                .header("cookie")
                .and_then(|cookie| cookie.strip_prefix("id="));
            let expected = name.map(|name| format!("Bearer token-of-{name}"));
            match asked.header("authorization") {
                Some(token) if Some(token) == expected.as_deref() => {
                    answer("201 Created", "", "{}")
                }
                _ => answer("401 Unauthorized", "", "who are you"),
            }
        }
        other => panic!("{other}"),
    })
}

#[test]
fn users_log_in_with_a_row_of_their_own_and_carry_token_and_cookie_on() {
    let server = strict_shop();
    let dir = TempDir::new().unwrap();
    let names = ["ada", "bob", "cyd", "dee", "eve"];
    let rows = names.map(|name| format!("{name},{name}'s own\n")).concat();
    fs::write(
        dir.path().join("users.csv"),
        format!("name,password\n{rows}"),
    )
    .unwrap();
    let profile = BUYERS.replace("URL", &server.url);
    let (summary, code) = run_json(dir.path(), &profile, &["--workers", "2"]);
    assert_eq!(
        (&summary["verdict"], code),
        (&"go".into(), 0),
        "{}",
        summary["samples"]
    );
    assert_eq!(step(&summary, "buy/login")["requests"], 25);
    assert_eq!(step(&summary, "buy/order")["status"]["201"], 25);
    let asked = server.asked();
    assert_eq!((count(&asked, "/login"), count(&asked, "/order")), (25, 25));

    // A row belongs to one user at a time: between a login and its order nobody else comes with that name.
    let mut inside = BTreeSet::new();
    for request in &asked {
        if request.path() == "/login" {
            let told: Value = serde_json::from_str(&request.body).unwrap();
            let name = told["user"].as_str().unwrap().to_owned();
            assert!(inside.insert(name.clone()), "{name} is in twice");
        } else {
            let name = request
                .header("cookie")
                .unwrap()
                .strip_prefix("id=")
                .unwrap();
            assert!(inside.remove(name), "{name} did not log in");
        }
    }

    let traces: BTreeSet<String> = asked
        .iter()
        .map(|request| {
            request
                .header("traceparent")
                .expect("every request is traced")
        })
        .map(|header| header.split('-').nth(1).unwrap().to_owned())
        .collect();
    let records = records(&only_session(dir.path()));
    let slow: Vec<&Value> = records
        .iter()
        .filter_map(|record| record["slow"].as_array())
        .flatten()
        .collect();
    assert!(!slow.is_empty());
    for exemplar in slow {
        let trace = exemplar["trace"].as_str().unwrap();
        assert!(traces.contains(trace), "{trace} was on the wire");
    }
}

#[test]
fn a_failed_expectation_ends_the_journey_unless_the_step_is_optional() {
    let server = Server::answering(|_| answer("200 OK", "", "nothing of interest"));
    let dir = TempDir::new().unwrap();
    let journey = |name: &str, optional: bool| {
        format!(
            "[[scenario]]\nname = \"{name}\"\ntarget = \"{}\"\nusers = 1\niterations = 6\njourneys = [\"{name}\"]\n\
             [[journey]]\nname = \"{name}\"\nsteps = [\n\
             {{ name = \"first\", get = \"/{name}/first\", expect = {{ body_contains = \"gold\" }}, optional = {optional} }},\n\
             {{ name = \"second\", get = \"/{name}/second\" }},\n]\n",
            server.url
        )
    };
    let profile = format!(
        "[window]\nname = \"strict\"\n{}{}",
        journey("strict", false),
        journey("lax", true)
    );
    let (summary, _) = run_json(dir.path(), &profile, &[]);
    assert_eq!(
        summary["errors_by_kind"],
        serde_json::json!({ "expectation": 12 })
    );
    assert_eq!(step(&summary, "strict/first")["errors"], 6);
    assert_eq!(step(&summary, "lax/first")["errors"], 6);
    assert_eq!(step(&summary, "lax/second")["requests"], 6);
    let asked = server.asked();
    assert_eq!(count(&asked, "/strict/first"), 6);
    assert_eq!(
        count(&asked, "/strict/second"),
        0,
        "the journey ended before it"
    );
    assert_eq!(count(&asked, "/lax/second"), 6);
}
