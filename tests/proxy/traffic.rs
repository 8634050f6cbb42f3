//! A thousand connections under faults that come and go.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use crate::stage::{Stage, connect, wide_echo};

const CONNECTIONS: usize = 1_000;
const THREADS: usize = 8;

/// What connection `number` sends as its `round`-th message.
fn message(number: usize, round: usize) -> Vec<u8> {
    let length = 1 + (number * 31 + round * 977) % 3_000;
    (0..length)
        .map(|n| (n * 7 + number + round * 13) as u8)
        .collect()
}

/// Sends and gets back messages on many connections, several of them under way at a time, until it is over.
fn converse(first: usize, streams: &mut [TcpStream], over: &AtomicBool) {
    for round in 0.. {
        for (n, stream) in streams.iter_mut().enumerate() {
            stream.write_all(&message(first + n, round)).unwrap();
        }
        for (n, stream) in streams.iter_mut().enumerate() {
            let sent = message(first + n, round);
            let mut got = vec![0; sent.len()];
            stream.read_exact(&mut got).unwrap();
            assert!(got == sent, "connection {} in round {round}", first + n);
        }
        if over.load(Relaxed) {
            return;
        }
    }
}

#[test]
fn toxics_come_and_go_under_a_thousand_connections_and_no_byte_is_lost_or_reordered() {
    let faults = [
        "{ latency = \"20ms\", jitter = \"20ms\", toxicity = \"50%\" }",
        "{ bandwidth = \"1MB/s\", upstream = true }, { slicer = 200, size_variation = 100, delay = \"100us\" }",
        "{ slow_close = \"1s\" }, { latency = \"5ms\", upstream = true }",
    ];
    let stage = Stage::new(&wide_echo(), &faults);
    let mut streams: Vec<TcpStream> = (0..CONNECTIONS).map(|_| connect(&stage.address)).collect();
    let over = AtomicBool::new(false);
    let mut slowest = Duration::ZERO;
    std::thread::scope(|scope| {
        for (n, part) in streams.chunks_mut(CONNECTIONS / THREADS).enumerate() {
            let over = &over;
            scope.spawn(move || converse(n * (CONNECTIONS / THREADS), part, over));
        }
        for turn in 0..30_usize {
            let fault = turn % 3;
            slowest = slowest.max(stage.inject(fault));
            std::thread::sleep(Duration::from_millis(10 + 7 * (turn as u64 % 5)));
            let before = (turn + 1) % 3;
            slowest = slowest.max(stage.revert(before));
        }
        for fault in 0..3 {
            stage.revert(fault);
        }
        over.store(true, Relaxed);
    });
    // The benchmark holds it to 50 ms.
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
    let touched = stage.touched(0).unwrap();
    assert_eq!(touched.seen, CONNECTIONS as u64);
}
