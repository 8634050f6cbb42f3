//! Targets that do what they should not: each costs its own scrape, in time, memory and words, and nothing else.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};

use flate2::Compression;
use flate2::write::GzEncoder;
use stormdeck::profile::secret::Text;
use stormdeck::scrape::client::{Endpoint, FetchError};
use stormdeck::scrape::exposition::cache::{Cache, Scraped};
use stormdeck::scrape::exposition::{Failed, Format};

use crate::support::server::{Server, answer};
use crate::support::{free_port, wait_for};
use crate::{BRIEF, client, endpoint, failure, fetch};

/// Reads a request and leaves the rest to `serve`.
fn asked(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Server {
    Server::raw(move |mut stream| {
        let mut request = [0; 4096];
        if stream.read(&mut request).is_ok_and(|read| read > 0) {
            serve(stream);
        }
    })
}

/// Waits until the other side has gone.
fn hold(mut stream: TcpStream) {
    let mut rest = [0; 64];
    while stream.read(&mut rest).is_ok_and(|read| read > 0) {}
}

fn brief(url: &str) -> Endpoint {
    Endpoint {
        timeout: BRIEF,
        ..endpoint(url)
    }
}

#[test]
fn one_that_hangs_is_left_at_the_timeout() {
    let server = asked(hold);
    let error = failure(brief(&server.url));
    let limit = BRIEF;
    assert_eq!(error, FetchError::Timeout { limit, got: 0 });
    assert_eq!(error.to_string(), "no answer within 300ms");
}

#[test]
fn one_that_trickles_is_left_at_the_timeout() {
    let server = asked(|mut stream| {
        let head = "HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n";
        if stream.write_all(head.as_bytes()).is_ok() {
            let _ = stream.write_all(b"a");
        }
        hold(stream);
    });
    let error = failure(brief(&server.url));
    assert!(
        matches!(error, FetchError::Timeout { got: 1, .. }),
        "{error}"
    );
    assert_eq!(
        error.to_string(),
        "the body was not complete within 300ms: 1B had come"
    );
}

#[test]
fn nobody_there_is_said_so() {
    let port = free_port();
    let error = failure(endpoint(&format!("http://127.0.0.1:{port}/metrics")));
    assert_eq!(
        error.to_string(),
        format!("nothing listens at 127.0.0.1:{port}")
    );
}

#[test]
fn one_that_hangs_up_or_speaks_something_else_gave_no_answer() {
    for said in [
        "",
        "SSH-2.0-OpenSSH_9.2\r\n",
        "HTTP/1.1 two hundred\r\n\r\n",
    ] {
        let server = asked(move |mut stream| {
            let _ = stream.write_all(said.as_bytes());
        });
        let error = failure(endpoint(&server.url));
        assert!(
            matches!(error, FetchError::Unanswered { .. }),
            "{said}: {error}"
        );
    }
}

#[test]
fn half_a_body_is_an_error() {
    for head in [
        "content-length: 100\r\n\r\nm 1\n",
        "transfer-encoding: chunked\r\n\r\n4\r\nm 1\n\r\n",
    ] {
        let server = asked(move |mut stream| {
            let _ = write!(stream, "HTTP/1.1 200 OK\r\n{head}");
        });
        assert_eq!(failure(endpoint(&server.url)), FetchError::Cut { got: 4 });
    }
}

#[test]
fn a_gzip_bomb_is_cut_at_the_limit() {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let zeros = vec![b'0'; 1 << 20];
    (0..200).for_each(|_| encoder.write_all(&zeros).unwrap());
    let bomb = encoder.finish().unwrap();
    assert!(bomb.len() < 1 << 20);
    let server = asked(move |mut stream| {
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n",
            bomb.len()
        );
        let _ = stream
            .write_all(head.as_bytes())
            .and_then(|()| stream.write_all(&bomb));
        hold(stream);
    });
    let error = failure(endpoint(&server.url));
    assert_eq!(
        error.to_string(),
        "the body is larger than 10MB, the most that is read"
    );
}

#[test]
fn two_million_series_stay_within_the_limit() {
    static SENT: AtomicUsize = AtomicUsize::new(0);
    let server = asked(|mut stream| {
        if stream
            .write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")
            .is_err()
        {
            return;
        }
        for block in 0..2000 {
            let mut lines = String::new();
            for n in 0..1000 {
                writeln!(lines, "series_{block}{{n=\"{n}\"}} 1").unwrap();
            }
            if stream.write_all(lines.as_bytes()).is_err() {
                return;
            }
            SENT.fetch_add(lines.len(), Ordering::Relaxed);
        }
    });
    let error = failure(endpoint(&server.url));
    assert_eq!(error, FetchError::TooLarge { max: 10_000_000 });
    // Nobody reads on: it has not been able to send much more.
    let sent = wait_for("the end of the connection", || {
        let before = SENT.load(Ordering::Relaxed);
        std::thread::yield_now();
        (before == SENT.load(Ordering::Relaxed)).then_some(before)
    });
    assert!(sent < 40_000_000, "{sent}");
}

#[test]
fn a_page_for_people_is_a_failed_scrape() {
    let page = "<!DOCTYPE html>\n<title>502</title>\nm 1\n";
    let server = Server::answering(move |_| answer("200 OK", "content-type: text/html\r\n", page));
    let fetched = fetch(&mut client(endpoint(&server.url))).unwrap();
    let format = Format::of(fetched.content_type.as_deref()).unwrap();
    let mut out = Scraped::default();
    Cache::new().scrape(&fetched.body, format, 0, &mut out, |_| Some(0));
    assert_eq!((out.failed, out.points.len()), (Some(Failed::Html), 0));
}

#[test]
fn a_body_that_changes_its_encoding_is_read_each_time() {
    static ROUND: AtomicUsize = AtomicUsize::new(0);
    let server = Server::raw(|mut stream| {
        let mut request = [0; 4096];
        while stream.read(&mut request).is_ok_and(|read| read > 0) {
            let round = ROUND.fetch_add(1, Ordering::Relaxed);
            let (kind, body) = match round % 2 {
                0 => ("text/plain", format!("a {round}\n")),
                _ => (
                    "application/openmetrics-text",
                    format!("a {round}\n# EOF\n"),
                ),
            };
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(body.as_bytes()).unwrap();
            let (encoding, body) = match round % 3 {
                0 => ("identity", body.into_bytes()),
                _ => ("gzip", encoder.finish().unwrap()),
            };
            let length = body.len();
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-encoding: {encoding}\r\ncontent-length: {length}\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).unwrap();
            stream.write_all(&body).unwrap();
        }
    });
    let (mut client, mut cache, mut out) = (
        client(endpoint(&server.url)),
        Cache::new(),
        Scraped::default(),
    );
    for round in 0..12 {
        let fetched = fetch(&mut client).unwrap();
        let format = Format::of(fetched.content_type.as_deref()).unwrap();
        cache.scrape(&fetched.body, format, round, &mut out, |labels| {
            assert_eq!((round, labels.name()), (0, "a"));
            Some(7)
        });
        let points: Vec<_> = out
            .points
            .iter()
            .map(|point| (point.id, point.value))
            .collect();
        assert_eq!(points, [(7, round as f64)]);
        assert_eq!(
            (out.bad_lines, out.failed, out.vanished.len()),
            (0, None, 0)
        );
    }
}

#[test]
fn other_answers_than_200_are_said_so() {
    for (status, said) in [
        (
            "401 Unauthorized",
            "the target answered 401 Unauthorized: it asks for a bearer token, or a user and a password",
        ),
        (
            "500 Internal Server Error",
            "the target answered 500 Internal Server Error",
        ),
        (
            "404 Not Found",
            "the target answered 404 Not Found: is the path right?",
        ),
        ("204 No Content", "the target answered 204 No Content"),
        ("599 x", "the target answered 599"),
    ] {
        let server = Server::answering(move |_| answer(status, "", "m 1\n"));
        assert_eq!(failure(endpoint(&server.url)).to_string(), said);
    }
}

#[test]
fn redirects_are_followed_when_asked_for_and_within_the_host() {
    let server = Server::answering(|asked| match asked.path() {
        "/here" => answer("302 Found", "location: /there\r\n", ""),
        "/away" => answer("302 Found", "location: http://localhost:1/\r\n", ""),
        "/round" => answer("307 Temporary Redirect", "location: /round\r\n", ""),
        _ => answer("200 OK", "", "m 1\n"),
    });
    let at = |path: &str, redirects| Endpoint {
        redirects,
        ..endpoint(&format!("{}{path}", server.url))
    };
    let error = failure(at("/here", false)).to_string();
    assert_eq!(
        error,
        "the target redirects to /there (302): redirects are not followed"
    );
    assert_eq!(
        fetch(&mut client(at("/here", true))).unwrap().body,
        b"m 1\n"
    );
    let error = failure(at("/away", true)).to_string();
    assert!(
        error.contains("only redirects within the same host"),
        "{error}"
    );
    assert!(matches!(
        failure(at("/round", true)),
        FetchError::Redirect { .. }
    ));
    assert!(server.asked().len() < 20);
}

#[test]
fn no_error_tells_a_secret() {
    let secret = "hunter2";
    let text = || Text::with_secret(secret, "‹secret:KEY›");
    let server = Server::answering(move |asked| match asked.path() {
        "/moved/hunter2" => answer("302 Found", "location: /hunter2\r\n", ""),
        _ => answer("401 hunter2", "x: hunter2\r\n", "hunter2"),
    });
    let shown = format!("{}/moved/‹secret:KEY›", server.url);
    let url = |path: &str| Text::with_secret(format!("{path}/{secret}"), "http://x/‹secret:KEY›");
    let endpoints = [
        Endpoint::new(Text::with_secret(
            format!("{}/moved/{secret}", server.url),
            shown,
        )),
        Endpoint::new(url(&server.url)),
        Endpoint::new(url(&format!("http://{secret}.invalid"))),
        Endpoint::new(url(&format!("http://127.0.0.1:{}", free_port()))),
        Endpoint {
            bearer: Some(text()),
            basic: None,
            headers: vec![("x".into(), text())],
            ..endpoint(&server.url)
        },
    ];
    for mut endpoint in endpoints {
        endpoint.timeout = crate::support::SOON;
        let mut client = client(endpoint);
        let error = fetch(&mut client).unwrap_err();
        let all = format!("{error} {error:?} {:?}", client.endpoint());
        assert!(!all.contains(secret), "{all}");
    }
    let wrong = Endpoint::new(Text::with_secret(
        format!("ftp://{secret}"),
        "ftp://‹secret:KEY›",
    ));
    let error = stormdeck::scrape::client::Client::new(wrong).unwrap_err();
    assert!(!format!("{error} {error:?}").contains(secret));
}
