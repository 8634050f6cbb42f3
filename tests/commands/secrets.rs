//! A secret goes to the server and nowhere else.

use std::fs;

use tempfile::TempDir;

use crate::said;
use crate::support::server::{Asked, Server, answer};
use crate::support::{only_session, records, stormdeck};

/// Quotes and a slash, so that JSON, URLs and `{:?}` each write it in a way of their own.
const TOKEN: &str = "t0K\"en/ÄzQ9x";

/// Where the sample of a body is cut, bytes.
const CUT: usize = 2048;

const PROFILE: &str = r#"
[window]
name = "secrets"
[[scenario]]
name = "s"
target = "URL"
users = 1
iterations = 2
headers = { x-key = "${secret:TOKEN}" }
journeys = ["leaky"]
[[journey]]
name = "leaky"
steps = [
  { name = "echo", post = "/echo?key=${secret:TOKEN}", json = { key = "${secret:TOKEN}" }, optional = true },
  { name = "cut", get = "/cut", optional = true },
  { name = "half", get = "/half", optional = true },
  { name = "quoted", get = "/quoted", expect = { body_contains = "welcome" }, optional = true },
  { name = "json", get = "/json", expect = { json = { "$.key" = "another" } }, optional = true },
  { name = "header", get = "/quoted", expect = { headers = { x-told = "another" } }, optional = true },
]
"#;

/// So much that the cut falls inside the token's letter of two bytes, after most of the secret.
fn filler() -> String {
    "-".repeat(CUT - TOKEN.find('Ä').unwrap() - 1)
}

/// Tells every secret that it was told, in every way a server may.
fn blabber() -> Server {
    Server::answering(|asked| {
        let json = serde_json::json!({ "key": TOKEN }).to_string();
        match asked.path().split('?').next().unwrap() {
            "/echo" => {
                let told = format!("{} {:?} {}", asked.line, asked.headers, asked.body);
                answer("500 Sorry", "", &told)
            }
            "/cut" => answer("500 Sorry", "", &(filler() + TOKEN)),
            "/half" => {
                let half: String = TOKEN.chars().take(6).collect();
                format!(
                    "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 100\r\n\r\nhalf={half}"
                )
            }
            "/quoted" => {
                let told = format!("x-told: {}\r\n", asked.header("x-key").unwrap());
                let body = "-".repeat(75) + TOKEN;
                answer("200 OK", &told, &body)
            }
            "/json" => answer("200 OK", "", &json),
            other => panic!("{other}"),
        }
    })
}

#[test]
fn a_secret_reaches_the_server_and_is_found_nowhere_else() {
    let server = blabber();
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("profile.toml");
    fs::write(&path, PROFILE.replace("URL", &server.url)).unwrap();
    let with_token = |args: &[&str]| {
        let mut command = stormdeck(dir.path());
        command.env("TOKEN", TOKEN).env("STORMDECK_LOG", "trace");
        let output = command.args(args).arg(&path).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap()
    };
    let mut seen = vec![
        ("plan", with_token(&["check"])),
        (
            "screen",
            with_token(&["run", "--headless", "--name", "told"]),
        ),
    ];

    let asked = server.asked();
    assert_eq!(asked.len(), 12, "six steps, twice");
    let echo = &asked[0];
    assert_eq!(echo.header("x-key").unwrap(), TOKEN);
    let sent: serde_json::Value = serde_json::from_str(&echo.body).unwrap();
    assert_eq!(sent["key"], TOKEN);

    let session = only_session(dir.path());
    let records = records(&session);
    let samples: Vec<_> = records
        .iter()
        .filter(|record| record["k"] == "sample")
        .collect();
    assert_eq!(samples.len(), 6, "{samples:?}");
    let text = |place: usize, member: &str| samples[place][member].as_str().unwrap();
    assert_eq!(text(1, "body"), filler(), "cut before the secret");
    assert_eq!(text(2, "body"), "half=");
    assert_eq!(
        (
            &samples[2]["kind"],
            text(0, "body").matches("‹secret:TOKEN›").count()
        ),
        (&"closed_early".into(), 3)
    );

    let mut whole = String::new();
    for record in &records {
        whole += &record.to_string();
    }
    // As it stands, and as a reader sees it after JSON's escapes are undone.
    let strings: String = samples
        .iter()
        .flat_map(|sample| [&sample["detail"], &sample["body"]])
        .map(|text| text.as_str().unwrap_or("").to_owned() + "\n")
        .collect();
    seen.push(("session", whole));
    seen.push(("samples", strings));
    seen.push((
        "log",
        fs::read_to_string(dir.path().join("told.log")).unwrap(),
    ));
    for (place, text) in seen {
        hides_the_token(place, &text);
    }
}

fn hides_the_token(place: &str, text: &str) {
    assert!(!text.is_empty(), "{place}");
    for piece in ["t0K", "zQ9x"] {
        if let Some(found) = text.find(piece) {
            let around = text.floor_char_boundary(found.saturating_sub(60))
                ..text.floor_char_boundary(found + 60);
            panic!("{place}: {piece} in {}", &text[around]);
        }
    }
}

/// What each step of the profile is told, with the token in it wherever the request had it.
fn told(asked: &Asked) -> (u16, String) {
    let everything = format!("{} {:?} {}", asked.line, asked.headers, asked.body);
    match asked.path().split('?').next().unwrap() {
        "/echo" | "/cut" => (500, everything),
        _ => (200, everything),
    }
}

#[test]
fn a_secret_from_a_file_reaches_the_server_and_is_found_nowhere_else() {
    let over_one = Server::answering(|asked| match told(asked) {
        (500, body) => answer("500 Sorry", "", &body),
        (_, body) => answer("200 OK", "", &body),
    });
    let over_two = Server::answering_http2(told);
    for (http, server) in [("1.1", &over_one), ("2", &over_two)] {
        let dir = TempDir::new().unwrap();
        let (path, file) = (dir.path().join("profile.toml"), dir.path().join("token"));
        let target = format!("{}\"\nhttp = \"{http}", server.url);
        fs::write(&path, PROFILE.replace("URL", &target)).unwrap();
        fs::write(&file, format!("{TOKEN}\n")).unwrap();
        let output = stormdeck(dir.path())
            .env("TOKEN_FILE", &file)
            .env("STORMDECK_LOG", "trace")
            .args(["run", "--headless", "--name", "told"])
            .arg(&path)
            .output()
            .unwrap();
        let (out, err, code) = said(&output);
        assert_eq!(code, 0, "{out}{err}");

        let asked = server.asked();
        assert_eq!(asked.len(), 12, "six steps, twice");
        for request in &asked {
            assert_eq!(request.header("x-key"), Some(TOKEN));
            assert!(
                request.line.contains(&format!("HTTP/{http}")),
                "{request:?}"
            );
        }
        let sent: serde_json::Value = serde_json::from_str(&asked[0].body).unwrap();
        assert_eq!(sent["key"], TOKEN);

        let packed = fs::File::open(only_session(dir.path())).unwrap();
        let session = String::from_utf8(zstd::decode_all(packed).unwrap()).unwrap();
        assert!(session.contains("‹secret:TOKEN›"), "it was told");
        let log = fs::read_to_string(dir.path().join("told.log")).unwrap();
        for (place, text) in [
            ("out", out),
            ("err", err),
            ("session", session),
            ("log", log),
        ] {
            hides_the_token(place, &text);
        }
    }
}
