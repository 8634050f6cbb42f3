//! What a well-behaved target is asked, and what comes of its answer.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::sync::Mutex;

use flate2::Compression;
use flate2::write::GzEncoder;
use rcgen::generate_simple_self_signed;
use stormdeck::profile::model::Tls;
use stormdeck::profile::secret::Text;
use stormdeck::scrape::client::{Client, Endpoint, EndpointError, FetchError};
use tempfile::TempDir;

use crate::support::server::{Server, answer};
use crate::{client, endpoint, failure, fetch};

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// Answers every request with these bytes after a head of 200.
fn bytes(headers: &str, body: Vec<u8>) -> Server {
    let head = format!(
        "HTTP/1.1 200 OK\r\n{headers}content-length: {}\r\n\r\n",
        body.len()
    );
    Server::raw(move |mut stream| {
        let mut request = [0; 4096];
        while stream.read(&mut request).is_ok_and(|read| read > 0) {
            if stream
                .write_all(head.as_bytes())
                .and_then(|()| stream.write_all(&body))
                .is_err()
            {
                return;
            }
        }
    })
}

#[test]
fn a_target_is_asked_as_prometheus_asks() {
    let server = Server::answering(|_| answer("200 OK", "content-type: text/plain\r\n", "a 1\n"));
    let mut client = client(endpoint(&format!("{}/metrics?x=1", server.url)));
    let fetched = fetch(&mut client).unwrap();
    assert_eq!(fetched.body, b"a 1\n");
    assert_eq!(fetched.content_type.as_deref(), Some("text/plain"));
    assert_eq!((fetched.status, fetched.wire), (200, 4));
    let asked = &server.asked()[0];
    assert_eq!(asked.line, "GET /metrics?x=1 HTTP/1.1");
    let agent = concat!("stormdeck/", env!("CARGO_PKG_VERSION"));
    assert_eq!(asked.header("user-agent"), Some(agent));
    assert_eq!(asked.header("accept-encoding"), Some("gzip"));
    assert_eq!(
        asked.header("x-prometheus-scrape-timeout-seconds"),
        Some("30")
    );
    let accept = asked.header("accept").unwrap();
    assert!(
        accept.starts_with("application/openmetrics-text;version=1.0.0,"),
        "{accept}"
    );
    assert!(accept.contains("text/plain;version=0.0.4"), "{accept}");
}

#[test]
fn one_connection_is_enough() {
    let ports = Mutex::new(Vec::new());
    let ports: &'static Mutex<Vec<u16>> = Box::leak(Box::new(ports));
    let server = Server::raw(move |mut stream| {
        ports
            .lock()
            .unwrap()
            .push(stream.peer_addr().unwrap().port());
        let mut request = [0; 4096];
        while stream.read(&mut request).is_ok_and(|read| read > 0) {
            stream
                .write_all(answer("200 OK", "", "a 1\n").as_bytes())
                .unwrap();
        }
    });
    let mut client = client(endpoint(&server.url));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        for _ in 0..5 {
            assert_eq!(client.fetch().await.unwrap().body, b"a 1\n");
        }
    });
    assert_eq!(ports.lock().unwrap().len(), 1);
}

#[test]
fn gzip_is_taken_and_its_sizes_are_told() {
    let text = "some_metric_with_a_name 1\n".repeat(1000);
    let packed = gzip(&text);
    let wire = packed.len();
    let server = bytes("content-encoding: gzip\r\n", packed);
    let fetched = fetch(&mut client(endpoint(&server.url))).unwrap();
    assert_eq!(fetched.body, text.as_bytes());
    assert_eq!(fetched.wire, wire);
}

#[test]
fn gzip_that_is_cut_or_none_is_an_error() {
    let packed = gzip(&"a 1\n".repeat(1000));
    for broken in [
        &packed[..packed.len() - 1],
        &packed[..packed.len() / 2],
        &packed[..5],
        b"a 1\n",
    ] {
        let server = bytes("content-encoding: gzip\r\n", broken.to_vec());
        assert_eq!(
            failure(endpoint(&server.url)),
            FetchError::Gzip,
            "{}",
            broken.len()
        );
    }
    let server = bytes("content-encoding: br\r\n", packed);
    assert_eq!(
        failure(endpoint(&server.url)),
        FetchError::Encoding("br".into())
    );
}

#[test]
fn a_body_may_be_as_large_as_the_limit_and_no_larger() {
    let body = vec![b'a'; 1000];
    for (headers, body) in [
        ("", body.clone()),
        ("content-encoding: gzip\r\n", gzip(&"a".repeat(1000))),
    ] {
        let server = bytes(headers, body);
        let limited = |max_body| Endpoint {
            max_body,
            ..endpoint(&server.url)
        };
        assert_eq!(fetch(&mut client(limited(1000))).unwrap().body.len(), 1000);
        assert_eq!(failure(limited(999)), FetchError::TooLarge { max: 999 });
    }
}

#[test]
fn who_asks_is_told_in_each_way() {
    let server = Server::answering(|_| answer("200 OK", "", ""));
    let asked = |endpoint: Endpoint, header: &str| {
        fetch(&mut client(endpoint)).unwrap();
        let asked = server.asked();
        asked.last().unwrap().header(header).map(str::to_owned)
    };
    let bearer = Endpoint {
        bearer: Some(Text::plain("t0ken")),
        ..endpoint(&server.url)
    };
    assert_eq!(asked(bearer, "authorization").unwrap(), "Bearer t0ken");
    let basic = Endpoint {
        basic: Some(("me".into(), Text::plain("pass"))),
        ..endpoint(&server.url)
    };
    assert_eq!(asked(basic, "authorization").unwrap(), "Basic bWU6cGFzcw==");
    let headers = Endpoint {
        headers: vec![
            ("X-Scope".into(), Text::plain("7")),
            ("Accept".into(), Text::plain("text/plain")),
        ],
        ..endpoint(&server.url)
    };
    assert_eq!(asked(headers.clone(), "x-scope").unwrap(), "7");
    assert_eq!(asked(headers, "accept").unwrap(), "text/plain");
    let twice = Endpoint {
        basic: Some(("me".into(), Text::plain("pass"))),
        bearer: Some(Text::plain("t0ken")),
        ..endpoint(&server.url)
    };
    assert_eq!(Client::new(twice).unwrap_err(), EndpointError::TwoWays);
}

#[test]
fn a_token_in_a_file_is_read_again_when_it_changes() {
    let server = Server::answering(|_| answer("200 OK", "", ""));
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("token");
    let mut client = client(Endpoint {
        bearer_file: Some(path.clone()),
        ..endpoint(&server.url)
    });
    let error = fetch(&mut client).unwrap_err();
    assert!(matches!(error, FetchError::BearerFile { .. }), "{error}");
    for token in ["one", "two!"] {
        fs::write(&path, format!("{token}\n")).unwrap();
        fetch(&mut client).unwrap();
        let asked = server.asked();
        let expected = format!("Bearer {token}");
        assert_eq!(
            asked.last().unwrap().header("authorization"),
            Some(expected.as_str())
        );
    }
    fs::write(&path, "three\nfour").unwrap();
    let error = fetch(&mut client).unwrap_err().to_string();
    assert!(
        !error.contains("four") && error.contains("more than a token"),
        "{error}"
    );
}

#[test]
fn a_unix_socket_takes_the_place_of_the_host() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 4096];
        let read = stream.read(&mut request).unwrap();
        let asked = String::from_utf8_lossy(&request[..read]).to_lowercase();
        assert!(asked.contains("host: exporter"), "{asked}");
        stream
            .write_all(answer("200 OK", "", "a 1\n").as_bytes())
            .unwrap();
    });
    let unix = Endpoint {
        unix: Some(path),
        ..endpoint("http://exporter/metrics")
    };
    assert_eq!(fetch(&mut client(unix)).unwrap().body, b"a 1\n");
    let nowhere = Endpoint {
        unix: Some(dir.path().join("nothing")),
        ..endpoint("http://exporter/metrics")
    };
    assert!(matches!(failure(nowhere), FetchError::Refused(_)));
}

/// Serves TLS with a certificate of its own for `exporter.test`, whose PEM is given.
fn tls_server() -> (Server, String) {
    let certified = generate_simple_self_signed(vec!["exporter.test".to_owned()]).unwrap();
    let pem = certified.cert.pem();
    let key =
        rustls::pki_types::PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)
        .unwrap();
    let config = std::sync::Arc::new(config);
    let server = Server::raw(move |mut stream| {
        let mut session = rustls::ServerConnection::new(config.clone()).unwrap();
        let mut tls = rustls::Stream::new(&mut session, &mut stream);
        let mut request = [0; 4096];
        while tls.read(&mut request).is_ok_and(|read| read > 0) {
            if tls
                .write_all(answer("200 OK", "", "a 1\n").as_bytes())
                .is_err()
            {
                return;
            }
        }
    });
    (server, pem)
}

#[test]
fn certificates_are_verified_against_what_the_profile_trusts() {
    let (server, pem) = tls_server();
    let dir = TempDir::new().unwrap();
    let ca = dir.path().join("ca.pem");
    fs::write(&ca, pem).unwrap();
    let with = |tls| Endpoint {
        tls,
        ..endpoint(&server.url.replace("http://", "https://"))
    };
    let tls = |ca: Option<&std::path::PathBuf>, name: Option<&str>, insecure| Tls {
        ca: ca.cloned(),
        server_name: name.map(str::to_owned),
        insecure,
        ..Tls::default()
    };
    let named = fetch(&mut client(with(tls(
        Some(&ca),
        Some("exporter.test"),
        false,
    ))));
    assert_eq!(named.unwrap().body, b"a 1\n");
    assert!(fetch(&mut client(with(tls(None, None, true)))).is_ok());
    for refused in [
        tls(None, Some("exporter.test"), false),
        tls(Some(&ca), None, false),
    ] {
        let error = failure(with(refused));
        assert!(matches!(error, FetchError::Tls { .. }), "{error}");
    }
    let missing = dir.path().join("missing.pem");
    let error = Client::new(with(tls(Some(&missing), None, false))).unwrap_err();
    assert!(matches!(error, EndpointError::Tls(_)), "{error}");
}

#[test]
fn what_is_no_address_is_said_at_once() {
    for url in ["127.0.0.1:9100", "ftp://127.0.0.1/", "http://", "metrics"] {
        let error = Client::new(endpoint(url)).unwrap_err();
        assert!(matches!(error, EndpointError::Url { .. }), "{url}: {error}");
    }
}
