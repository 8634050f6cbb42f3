//! Many lanes over few connections.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use tokio::io::AsyncWriteExt;
use tokio::sync::Notify;

use super::servers::{Speaks, raw, read_head, shop};
use super::*;

#[test]
fn a_thousand_lanes_share_four_connections_in_turn_and_lose_nothing() {
    on_a_worker(async {
        let (port, log) = shop(Speaks::Http1, None).await;
        let transport = pooled(&format!("http://127.0.0.1:{port}"), Some(4));
        let order = Rc::new(RefCell::new(Vec::new()));
        let mut lanes = Vec::new();
        for n in 0..1000_usize {
            let (transport, order) = (Rc::clone(&transport), Rc::clone(&order));
            lanes.push(tokio::task::spawn_local(async move {
                let mut lane = transport.lane();
                for round in 0..3_usize {
                    let exchange = lane.send(get("/"), LIMITS).await;
                    order.borrow_mut().push((round, n));
                    assert!(transport.open() <= 4);
                    answer(exchange);
                }
            }));
        }
        for lane in lanes {
            lane.await.unwrap();
        }
        assert_eq!(log.count(), 3000);
        assert_eq!((log.connections.get(), transport.open()), (4, 4));
        // In turn: no lane is a round ahead of another, but for those in flight together.
        for (at, (round, n)) in order.borrow().iter().enumerate() {
            let fair = round * 1000 + n;
            assert!(
                at.abs_diff(fair) <= 8,
                "lane {n} came {at} in round {round}"
            );
        }
    });
}

#[test]
fn waiting_for_a_connection_is_measured_and_the_last_used_one_goes_first() {
    on_a_worker(async {
        let (port, log) = shop(Speaks::Http1, None).await;
        let transport = pooled(&format!("http://127.0.0.1:{port}"), Some(1));
        let (mut one, mut two) = (transport.lane(), transport.lane());
        let (first, second) =
            tokio::join!(one.send(get("/slow"), LIMITS), two.send(get("/"), LIMITS));
        assert_eq!(first.queued, 0);
        assert!(second.queued >= first.done - first.sent.unwrap() - 1_000_000);
        assert!(second.sent.unwrap() >= first.done);
        assert_eq!((second.connect, log.connections.get()), (0, 1));

        let unbounded = pooled(&format!("http://127.0.0.1:{port}"), None);
        let (mut one, mut two) = (unbounded.lane(), unbounded.lane());
        let both = tokio::join!(
            one.send(get("/slow"), LIMITS),
            two.send(get("/slow"), LIMITS)
        );
        assert_eq!((both.0.queued, both.1.queued, unbounded.open()), (0, 0, 2));
        for _ in 0..5 {
            answer(one.send(get("/"), LIMITS).await);
        }
        assert_eq!(unbounded.open(), 2);
    });
}

#[test]
fn a_lane_that_gives_up_waiting_or_sending_leaves_its_place_to_the_next() {
    on_a_worker(async {
        let (port, log) = shop(Speaks::Http1, None).await;
        let transport = pooled(&format!("http://127.0.0.1:{port}"), Some(1));
        let mut sending = transport.lane();
        let mut waiting = transport.lane();
        let mut next = transport.lane();
        {
            let mut holds = Box::pin(sending.send(get("/never"), LIMITS));
            let mut waits = Box::pin(waiting.send(get("/lost"), LIMITS));
            let arrived = async {
                while log.count() == 0 {
                    tokio::task::yield_now().await;
                }
            };
            tokio::select! {
                biased;
                _ = &mut holds => panic!("it answered"),
                _ = &mut waits => panic!("it was sent"),
                () = arrived => {}
            }
        }
        assert!(sending.last_sent().is_some());
        assert_eq!(waiting.last_sent(), None);
        answer(next.send(get("/next"), LIMITS).await);
        assert_eq!(log.requests.borrow().last().unwrap().uri, "/next");
        assert_eq!(transport.open(), 1);
    });
}

/// A server that takes a moment for each answer and, when told, closes all connections from number `from` on.
async fn mortal(from: usize) -> (u16, Rc<Notify>, Rc<Cell<usize>>, Rc<Cell<usize>>) {
    let (die, seen) = (Rc::new(Notify::new()), Rc::new(Cell::new(0)));
    let (told, count) = (Rc::clone(&die), Rc::clone(&seen));
    let (port, connections) = raw(move |n, mut stream| {
        let (told, count) = (Rc::clone(&told), Rc::clone(&count));
        async move {
            loop {
                tokio::select! {
                    head = read_head(&mut stream) => if !head { return },
                    () = told.notified(), if n >= from => return,
                }
                count.set(count.get() + 1);
                tokio::time::sleep(Duration::from_millis(5)).await;
                let _ = stream
                    .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
                    .await;
            }
        }
    })
    .await;
    (port, die, connections, seen)
}

async fn send_at_once(transport: &Rc<Transport>, lanes: usize) {
    let lanes: Vec<_> = (0..lanes)
        .map(|_| {
            let mut lane = transport.lane();
            tokio::task::spawn_local(async move { lane.send(get("/"), LIMITS).await })
        })
        .collect();
    for lane in lanes {
        answer(lane.await.unwrap());
    }
}

#[test]
fn dead_connections_at_rest_in_the_pool_are_passed_over_in_silence() {
    on_a_worker(async {
        let (port, die, connections, seen) = mortal(1).await;
        let transport = pooled(&format!("http://127.0.0.1:{port}"), Some(3));
        send_at_once(&transport, 3).await;
        assert_eq!((connections.get(), transport.open()), (3, 3));
        die.notify_waiters();
        // The ends are written by the time this returns, and the reactor has turned once.
        tokio::time::sleep(Duration::from_millis(2)).await;
        answer(transport.lane().send(get("/"), LIMITS).await);
        assert_eq!((seen.get(), connections.get(), transport.open()), (4, 4, 1));
    });
}

#[test]
fn a_pool_that_needed_many_connections_once_lets_go_of_those_that_died() {
    on_a_worker(async {
        let (port, die, connections, _) = mortal(2).await;
        let transport = pooled(&format!("http://127.0.0.1:{port}"), None);
        send_at_once(&transport, 5).await;
        die.notify_waiters();
        tokio::time::sleep(Duration::from_millis(2)).await;
        let mut lane = transport.lane();
        while transport.open() > 1 {
            answer(lane.send(get("/"), LIMITS).await);
        }
        assert_eq!(connections.get(), 5);
    });
}
