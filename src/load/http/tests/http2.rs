//! HTTP/2: one connection, many lanes.

use std::rc::Rc;

use hyper::Version;

use super::servers::{Speaks, shop};
use super::*;

const MANY: Speaks = Speaks::Http2 { streams: 1000 };

async fn send_all(transport: &Rc<Transport>, lanes: usize, path: &'static str) -> Vec<Exchange> {
    let tasks: Vec<_> = (0..lanes)
        .map(|_| {
            let mut lane = transport.lane();
            tokio::task::spawn_local(async move { lane.send(get(path), LIMITS).await })
        })
        .collect();
    let mut exchanges = Vec::new();
    for task in tasks {
        exchanges.push(task.await.unwrap());
    }
    exchanges
}

/// HTTP/2 to this port of this machine.
fn multiplexed(port: u16, share: Option<u32>) -> Rc<Transport> {
    let target = format!("http://127.0.0.1:{port}");
    speaking(&target, HttpVersion::Http2, share)
}

#[test]
fn many_lanes_share_one_connection_at_the_same_time() {
    on_a_worker(async {
        let (port, log) = shop(MANY, None).await;
        let transport = multiplexed(port, None);
        answer(transport.lane().send(get("/a?b"), LIMITS).await);
        for exchange in send_all(&transport, 200, "/slow").await {
            assert!(exchange.bytes_in > 5 && exchange.bytes_out > 5);
            assert_eq!(answer(exchange).body, "/slow");
        }
        assert_eq!(
            (log.count(), log.connections.get(), transport.open()),
            (201, 1, 1)
        );
        assert!(log.most_in_flight.get() > 1);
        let seen = log.requests.borrow()[0].clone();
        assert_eq!(seen.version, Version::HTTP_2);
        assert_eq!(seen.uri, format!("http://127.0.0.1:{port}/a?b"));
    });
}

#[test]
fn a_share_of_several_connections_is_used_and_not_exceeded() {
    on_a_worker(async {
        let (port, log) = shop(MANY, None).await;
        let transport = multiplexed(port, Some(3));
        for _ in 0..5 {
            for exchange in send_all(&transport, 50, "/slow").await {
                answer(exchange);
            }
        }
        assert_eq!(
            (log.count(), log.connections.get(), transport.open()),
            (250, 3, 3)
        );
    });
}

#[test]
fn the_peers_limit_on_streams_is_respected_and_waiting_for_one_is_measured() {
    on_a_worker(async {
        let (port, log) = shop(Speaks::Http2 { streams: 3 }, None).await;
        let transport = multiplexed(port, None);
        let exchanges = send_all(&transport, 30, "/slow").await;
        assert!(exchanges.iter().any(|exchange| exchange.queued > 0));
        for exchange in exchanges {
            answer(exchange);
        }
        assert_eq!((log.count(), log.connections.get()), (30, 1));
        assert!(
            log.most_in_flight.get() <= 3,
            "{}",
            log.most_in_flight.get()
        );
    });
}

#[test]
fn a_connection_told_to_go_away_is_replaced_without_an_error() {
    on_a_worker(async {
        let (port, log) = shop(MANY, None).await;
        let transport = multiplexed(port, None);
        for n in 1..=3 {
            for exchange in send_all(&transport, 10, "/").await {
                answer(exchange);
            }
            assert_eq!(log.connections.get(), n);
            log.go_away.notify_one();
            while transport.open() > 0 {
                tokio::task::yield_now().await;
            }
        }
        assert_eq!(log.count(), 30);
    });
}

#[test]
fn a_connection_that_goes_away_finishes_what_is_on_it_while_new_requests_go_elsewhere() {
    on_a_worker(async {
        let (port, log) = shop(MANY, None).await;
        let transport = multiplexed(port, None);
        let mut first = transport.lane();
        let held = tokio::task::spawn_local(async move { first.send(get("/held"), LIMITS).await });
        while log.in_flight.get() == 0 {
            tokio::task::yield_now().await;
        }
        log.go_away.notify_one();
        let mut lane = transport.lane();
        while log.connections.get() == 1 {
            answer(lane.send(get("/"), LIMITS).await);
        }
        log.release.notify_waiters();
        assert_eq!(answer(held.await.unwrap()).body, "/held");
    });
}

#[test]
fn a_request_that_times_out_or_is_dropped_leaves_the_connection_to_the_others() {
    on_a_worker(async {
        let (port, log) = shop(MANY, None).await;
        let transport = multiplexed(port, None);
        let mut lane = transport.lane();
        failure(lane.send(get("/never"), SHORT).await, ErrorKind::Timeout);
        let dropped = tokio::time::timeout(SHORT.timeout, lane.send(get("/never"), LIMITS)).await;
        assert!(dropped.is_err() && lane.last_sent().is_some());
        answer(lane.send(get("/"), LIMITS).await);
        assert_eq!((log.count(), log.connections.get()), (3, 1));
    });
}

#[test]
fn a_server_that_does_not_speak_it_is_a_counted_error() {
    on_a_worker(async {
        let (port, _) = shop(Speaks::Http1, None).await;
        let transport = multiplexed(port, None);
        for exchange in send_all(&transport, 3, "/").await {
            assert!(exchange.result.is_err());
        }
        let nobody = speaking("http://127.0.0.1:1", HttpVersion::Http2, None);
        for exchange in send_all(&nobody, 3, "/").await {
            failure(exchange, ErrorKind::Refused);
        }
    });
}

#[test]
fn bodies_larger_than_allowed_are_protocol_errors_here_too() {
    on_a_worker(async {
        let (port, log) = shop(MANY, None).await;
        let transport = multiplexed(port, None);
        let limits = Limits {
            max_body: 1000,
            ..LIMITS
        };
        let mut lane = transport.lane();
        failure(
            lane.send(get("/size/1001"), limits).await,
            ErrorKind::Protocol,
        );
        assert_eq!(
            answer(lane.send(get("/size/1000"), limits).await).length,
            1000
        );
        assert_eq!(log.connections.get(), 1);
    });
}
