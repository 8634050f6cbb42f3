//! One lane and one server: what comes of a request, and how it is told.

use std::rc::Rc;

use tokio::io::AsyncWriteExt;

use super::servers::{Speaks, raw, read_head, shop};
use super::*;

/// What a server that always answers these bytes and then closes leads to.
async fn answered_with(bytes: impl Into<Vec<u8>>, limits: Limits) -> Exchange {
    let bytes: Rc<[u8]> = bytes.into().into();
    let (port, _) = raw(move |_, mut stream| {
        let bytes = Rc::clone(&bytes);
        async move {
            read_head(&mut stream).await;
            let _ = stream.write_all(&bytes).await;
        }
    })
    .await;
    let transport = per_lane(&format!("http://127.0.0.1:{port}"));
    let exchange = transport.lane().send(get("/"), limits).await;
    if exchange.result.is_err() {
        assert_eq!(transport.open(), 0, "a failed connection is dropped");
    }
    exchange
}

#[test]
fn a_lane_keeps_its_connection_and_counts_real_bytes() {
    on_a_worker(async {
        let (port, log) = shop(Speaks::Http1, None).await;
        let transport = per_lane(&format!("http://127.0.0.1:{port}"));
        let mut lane = transport.lane();
        assert_eq!(lane.last_sent(), None);
        let first = lane.send(get("/a"), LIMITS).await;
        assert!(first.connect > 0 && first.tls == 0 && first.queued == 0);
        let second = lane.send(post("/b", "hello"), LIMITS).await;
        assert_eq!((second.connect, second.tls), (0, 0));
        assert_eq!(second.sent, lane.last_sent());
        let sent = second.sent.unwrap();
        assert!(first.done <= sent && sent + second.first_byte <= second.done);
        let head =
            format!("POST /b HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\ncontent-length: 5\r\n\r\nhello");
        assert_eq!(second.bytes_out, head.len() as u64);
        assert!(second.bytes_in > 40, "{}", second.bytes_in);
        let response = answer(second);
        assert_eq!((response.body, response.length), ("/b".into(), 2));
        assert_eq!(log.requests.borrow()[1].method, "POST");
        assert_eq!(log.requests.borrow()[1].body, "hello");
        assert_eq!(
            log.requests.borrow()[1].headers["host"],
            format!("127.0.0.1:{port}")
        );
        assert_eq!((log.connections.get(), transport.open()), (1, 1));
        drop(lane);
        assert_eq!(transport.open(), 0);
    });
}

#[test]
fn a_base_path_comes_first_and_an_absolute_url_goes_elsewhere() {
    on_a_worker(async {
        let (port, log) = shop(Speaks::Http1, None).await;
        let (other_port, other) = shop(Speaks::Http1, None).await;
        let transport = per_lane(&format!("http://127.0.0.1:{port}/v1/"));
        let mut lane = transport.lane();
        for _ in 0..2 {
            answer(lane.send(get("/a?b=c"), LIMITS).await);
            answer(
                lane.send(get(&format!("http://127.0.0.1:{port}/d")), LIMITS)
                    .await,
            );
            answer(
                lane.send(get(&format!("http://localhost:{other_port}/e")), LIMITS)
                    .await,
            );
        }
        let uris = |log: &super::servers::Log| -> Vec<String> {
            log.requests
                .borrow()
                .iter()
                .map(|seen| seen.uri.clone())
                .collect()
        };
        assert_eq!(uris(&log), ["/v1/a?b=c", "/d", "/v1/a?b=c", "/d"]);
        assert_eq!(uris(&other), ["/e", "/e"]);
        assert_eq!(
            other.requests.borrow()[0].headers["host"],
            format!("localhost:{other_port}")
        );
        assert_eq!((log.connections.get(), other.connections.get()), (1, 1));
    });
}

#[test]
fn as_much_of_a_body_is_kept_as_was_asked_for_and_of_errors_always_the_start() {
    on_a_worker(async {
        let (port, _) = shop(Speaks::Http1, None).await;
        let transport = per_lane(&format!("http://127.0.0.1:{port}"));
        let mut lane = transport.lane();
        for (path, keep, kept) in [
            ("/size/100000", 0, 0),
            ("/size/100000", 10, 10),
            ("/size/100000", 99_999, 99_999),
            ("/size/100000", 100_001, 100_000),
        ] {
            let response = answer(lane.send(get(path), Limits { keep, ..LIMITS }).await);
            assert_eq!(
                (response.body.len(), response.length),
                (kept, 100_000),
                "{keep}"
            );
        }
        let response = answer(
            lane.send(get("/status/404"), Limits { keep: 0, ..LIMITS })
                .await,
        );
        assert_eq!(
            (response.status.as_u16(), &*response.body),
            (404, &b"/status/404"[..])
        );
    });
}

#[test]
fn a_redirect_is_an_answer_and_an_encoded_body_stays_as_it_is() {
    on_a_worker(async {
        let (port, log) = shop(Speaks::Http1, None).await;
        let transport = per_lane(&format!("http://127.0.0.1:{port}"));
        let response = answer(transport.lane().send(get("/redirect"), LIMITS).await);
        assert_eq!(response.status, 302);
        assert_eq!(log.count(), 1);
        assert!(
            !log.requests.borrow()[0]
                .headers
                .contains_key("accept-encoding")
        );
        // The start of a gzip stream that would swell without end.
        let bomb = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 12\r\n\r\n\x1f\x8b\x08\0\0\0\0\0\0\x03\xed\xc1";
        let response = answer(answered_with(&bomb[..], LIMITS).await);
        assert_eq!(
            (response.length, &response.body[..2]),
            (12, &b"\x1f\x8b"[..])
        );
    });
}

#[test]
fn answers_without_a_length_in_chunks_and_after_interim_ones_are_read() {
    on_a_worker(async {
        let to_the_end = answered_with("HTTP/1.0 200 OK\r\n\r\nhello", LIMITS).await;
        assert_eq!(answer(to_the_end).body, "hello");
        let chunks =
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n";
        assert_eq!(answer(answered_with(chunks, LIMITS).await).body, "hello");
        let interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n";
        assert_eq!(answer(answered_with(interim, LIMITS).await).status, 204);
    });
}

#[test]
fn what_is_not_http_is_a_protocol_error() {
    on_a_worker(async {
        for garbage in [
            "\0\x01\x02 garbage\r\n\r\n",
            "SSH-2.0-OpenSSH_9.2\r\n",
            "HTTP/1.1 two hundred\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        ] {
            let failure = failure(answered_with(garbage, LIMITS).await, ErrorKind::Protocol);
            assert!(
                failure.detail.starts_with("127.0.0.1:"),
                "{}",
                failure.detail
            );
        }
    });
}

#[test]
fn an_answer_cut_short_is_closed_early_and_one_too_long_is_a_protocol_error() {
    on_a_worker(async {
        for cut in ["", "HTTP/1.1 200 OK\r\ncontent-len"] {
            let failure = failure(answered_with(cut, LIMITS).await, ErrorKind::ClosedEarly);
            assert_eq!(failure.status, None);
        }
        for cut in [
            "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
        ] {
            let failure = failure(answered_with(cut, LIMITS).await, ErrorKind::ClosedEarly);
            assert_eq!(failure.status.unwrap(), 200);
            assert_eq!(failure.body, "hello");
        }
        let long = answered_with("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhello", LIMITS).await;
        failure(long, ErrorKind::Protocol);
    });
}

#[test]
fn endless_headers_and_endless_bodies_end_within_bounds() {
    on_a_worker(async {
        let line =
            b"x-filler: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n".repeat(1 << 16);
        let endless = [&b"HTTP/1.1 200 OK\r\n"[..], &line].concat();
        let exchange = answered_with(endless, LIMITS).await;
        assert!(exchange.bytes_in < 1 << 20, "{}", exchange.bytes_in);
        failure(exchange, ErrorKind::Protocol);

        let one = [&b"HTTP/1.1 200 OK\r\nx: "[..], &vec![b'a'; 4 << 20]].concat();
        let exchange = answered_with(one, LIMITS).await;
        assert!(exchange.bytes_in < 1 << 20, "{}", exchange.bytes_in);
        failure(exchange, ErrorKind::Protocol);

        let limits = Limits {
            max_body: 10_000,
            ..LIMITS
        };
        let body = [&b"HTTP/1.1 200 OK\r\n\r\n"[..], &vec![b'a'; 4 << 20]].concat();
        let exchange = answered_with(body, limits).await;
        assert!(exchange.bytes_in < 1 << 20, "{}", exchange.bytes_in);
        let said = failure(exchange, ErrorKind::Protocol);
        assert_eq!(
            (said.body.len(), said.status.unwrap().as_u16()),
            (2048, 200)
        );

        let promised = "HTTP/1.1 200 OK\r\ncontent-length: 10001\r\n\r\n";
        failure(answered_with(promised, limits).await, ErrorKind::Protocol);
    });
}

#[test]
fn a_server_that_says_nothing_or_drips_runs_into_the_timeout() {
    on_a_worker(async {
        let (port, _) = raw(|n, mut stream| async move {
            read_head(&mut stream).await;
            if n == 2 {
                let _ = stream
                    .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\nx")
                    .await;
            }
            std::future::pending::<()>().await;
        })
        .await;
        let transport = per_lane(&format!("http://127.0.0.1:{port}"));
        let mut lane = transport.lane();
        for status in [None, Some(200)] {
            let exchange = lane.send(get("/"), SHORT).await;
            assert!(exchange.done - exchange.sent.unwrap() >= 60_000_000);
            let failure = failure(exchange, ErrorKind::Timeout);
            assert_eq!(failure.status.map(|status| status.as_u16()), status);
            assert_eq!(transport.open(), 0);
        }
    });
}

#[test]
fn a_timeout_without_end_is_no_timeout() {
    on_a_worker(async {
        let limits = Limits {
            timeout: Duration::MAX,
            connect_timeout: Duration::MAX,
            ..LIMITS
        };
        for speaks in [Speaks::Http1, Speaks::Http2 { streams: 10 }] {
            let (port, _) = shop(speaks, None).await;
            let version = match speaks {
                Speaks::Http2 { .. } => HttpVersion::Http2,
                Speaks::Http1 | Speaks::Either => HttpVersion::Http1,
            };
            let transport = speaking(&format!("http://127.0.0.1:{port}"), version, None);
            answer(transport.lane().send(get("/"), limits).await);
        }
    });
}

#[test]
fn a_flood_does_not_outrun_the_timeout() {
    on_a_worker(async {
        let (port, _) = raw(|_, mut stream| async move {
            read_head(&mut stream).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
            let chunk = vec![b'x'; 1 << 20];
            while stream.write_all(&chunk).await.is_ok() {}
        })
        .await;
        let transport = per_lane(&format!("http://127.0.0.1:{port}"));
        let limits = Limits {
            max_body: u64::MAX,
            ..SHORT
        };
        failure(
            transport.lane().send(get("/"), limits).await,
            ErrorKind::Timeout,
        );
    });
}

#[test]
fn a_reset_is_told_from_a_close() {
    on_a_worker(async {
        for head in [&b""[..], b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\nx"] {
            let (port, _) = raw(move |_, mut stream| async move {
                read_head(&mut stream).await;
                let _ = stream.write_all(head).await;
                stream.set_zero_linger().unwrap();
            })
            .await;
            let transport = per_lane(&format!("http://127.0.0.1:{port}"));
            failure(
                transport.lane().send(get("/"), LIMITS).await,
                ErrorKind::Reset,
            );
        }
    });
}
