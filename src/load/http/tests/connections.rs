//! One lane and its connections: kept, replaced, dropped, refused.

use std::cell::Cell;
use std::rc::Rc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::Notify;

use super::servers::{Speaks, raw, read_head, shop, shop_at, unix_shop};
use super::*;

#[test]
fn a_connection_closed_while_idle_is_replaced_and_nobody_hears_of_it() {
    on_a_worker(async {
        let closed = Rc::new(Notify::new());
        let (seen, tell) = (Rc::new(Cell::new(0)), Rc::clone(&closed));
        let count = Rc::clone(&seen);
        let (port, connections) = raw(move |_, mut stream| {
            let (count, tell) = (Rc::clone(&count), Rc::clone(&tell));
            async move {
                if read_head(&mut stream).await {
                    count.set(count.get() + 1);
                    let _ = stream
                        .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
                        .await;
                }
                drop(stream);
                tell.notify_one();
            }
        })
        .await;
        let transport = per_lane(&format!("http://127.0.0.1:{port}"));
        let mut lane = transport.lane();
        for n in 1..=5 {
            answer(lane.send(get("/"), LIMITS).await);
            closed.notified().await;
            // The end of the stream is there; one turn of the reactor brings it.
            tokio::time::sleep(Duration::from_millis(1)).await;
            assert_eq!((seen.get(), connections.get()), (n, n));
        }
    });
}

#[test]
fn a_request_that_the_server_saw_is_never_sent_again() {
    on_a_worker(async {
        let seen = Rc::new(Cell::new(0));
        let count = Rc::clone(&seen);
        let (port, _) = raw(move |_, mut stream| {
            let count = Rc::clone(&count);
            async move {
                while read_head(&mut stream).await {
                    count.set(count.get() + 1);
                    if count.get() == 2 {
                        return;
                    }
                    let _ = stream
                        .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
                        .await;
                }
            }
        })
        .await;
        let transport = per_lane(&format!("http://127.0.0.1:{port}"));
        let mut lane = transport.lane();
        answer(lane.send(get("/"), LIMITS).await);
        failure(lane.send(get("/"), LIMITS).await, ErrorKind::ClosedEarly);
        assert_eq!(seen.get(), 2);
        answer(lane.send(get("/"), LIMITS).await);
        assert_eq!(seen.get(), 3);
    });
}

#[test]
fn a_connection_that_the_server_wants_closed_is_closed() {
    on_a_worker(async {
        let exchange = {
            let (port, _) = raw(|_, mut stream| async move {
                read_head(&mut stream).await;
                let _ = stream
                    .write_all(
                        b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok",
                    )
                    .await;
                let _ = stream.read_u8().await;
            })
            .await;
            let transport = per_lane(&format!("http://127.0.0.1:{port}"));
            let mut lane = transport.lane();
            let exchange = lane.send(get("/"), LIMITS).await;
            assert_eq!(transport.open(), 0);
            exchange
        };
        assert_eq!(answer(exchange).body, "ok");
    });
}

#[test]
fn dropping_a_request_drops_its_connection_and_still_tells_that_it_was_sent() {
    on_a_worker(async {
        let (port, log) = shop(Speaks::Http1, None).await;
        let transport = per_lane(&format!("http://127.0.0.1:{port}"));
        let mut lane = transport.lane();
        let watched = Rc::clone(&log);
        tokio::select! {
            biased;
            _ = lane.send(get("/never"), LIMITS) => panic!("it answered"),
            () = async { while watched.count() == 0 { tokio::task::yield_now().await } } => {}
        }
        assert!(lane.last_sent().is_some());
        assert_eq!(transport.open(), 0);
        answer(lane.send(get("/"), LIMITS).await);
        assert_eq!((log.count(), log.connections.get()), (2, 2));
    });
}

#[test]
fn a_port_where_nobody_listens_refuses() {
    on_a_worker(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let transport = per_lane(&format!("http://127.0.0.1:{port}"));
        let mut lane = transport.lane();
        let exchange = lane.send(get("/"), LIMITS).await;
        assert_eq!(
            (exchange.sent, exchange.bytes_out, lane.last_sent()),
            (None, 0, None)
        );
        let said = failure(exchange, ErrorKind::Refused);
        assert!(
            said.detail.contains(&format!("127.0.0.1:{port} refused")),
            "{}",
            said.detail
        );
        let missing = per_lane("unix:/no/such/socket");
        failure(
            missing.lane().send(get("/"), LIMITS).await,
            ErrorKind::Connect,
        );
        let unusual = transport.lane().send(get("ftp://x/"), LIMITS).await;
        failure(unusual, ErrorKind::Data);
    });
}

#[test]
fn unix_sockets_and_ipv6_are_spoken() {
    on_a_worker(async {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("app.sock");
        let log = unix_shop(&path);
        let transport = per_lane(&format!("unix:{}", path.display()));
        let mut lane = transport.lane();
        for _ in 0..2 {
            assert_eq!(answer(lane.send(get("/a"), LIMITS).await).body, "/a");
        }
        assert_eq!(log.connections.get(), 1);
        assert_eq!(log.requests.borrow()[0].headers["host"], "localhost");

        // Machines without IPv6 have nothing to show here.
        if let Ok((port, log)) = shop_at("[::1]:0", Speaks::Http1, None).await {
            let transport = per_lane(&format!("http://[::1]:{port}"));
            answer(transport.lane().send(get("/"), LIMITS).await);
            assert_eq!(
                log.requests.borrow()[0].headers["host"],
                format!("[::1]:{port}")
            );
        }
    });
}

#[test]
fn a_name_that_cannot_be_looked_up_is_a_dns_error() {
    on_a_worker(async {
        let lookup: Lookup =
            Rc::new(|_, _| Box::pin(async { Err(std::io::Error::other("no such host is known")) }));
        let transport = Transport::with_lookup(
            plan("http://shop.invalid"),
            Clock::start(),
            None,
            true,
            lookup,
        );
        let said = failure(
            transport.lane().send(get("/"), LIMITS).await,
            ErrorKind::Dns,
        );
        assert!(said.detail.contains("`shop.invalid`"), "{}", said.detail);
        assert_eq!(transport.lookup_failures(), 1);
    });
}

#[test]
fn a_host_is_refused_after_lookup_unless_it_is_listed_or_local() {
    on_a_worker(async {
        let (port, log) = shop(Speaks::Http1, None).await;
        let target = format!("http://shop.invalid:{port}");
        let to = |address: &str, allow: &[&str]| {
            let allow: Vec<String> = allow.iter().map(ToString::to_string).collect();
            let plan = TransportPlan::compile(&scenario(&target), &allow).unwrap();
            let lookup = always(&["192.0.2.1:9", address]);
            Transport::with_lookup(plan, Clock::start(), None, true, lookup)
        };
        let refused = to("192.0.2.2:9", &["other.invalid"]);
        let exchange = refused.lane().send(get("/"), LIMITS).await;
        assert_eq!(exchange.sent, None);
        let said = failure(exchange, ErrorKind::Forbidden);
        assert!(
            said.detail.contains("`shop.invalid` (192.0.2.1)"),
            "{}",
            said.detail
        );

        // Of two addresses only the local one may be used, so that is the one tried.
        let local = to(&format!("127.0.0.1:{port}"), &[]);
        answer(local.lane().send(get("/"), LIMITS).await);
        assert_eq!(log.count(), 1);
    });
}
