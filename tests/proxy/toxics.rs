//! Each toxic on one connection, and a share of many.

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::time::{Duration, Instant};

use crate::stage::{Stage, connect, echo, median, round_trip, server, source};

const MS: Duration = Duration::from_millis(1);

#[test]
fn latency_is_what_was_asked_for() {
    let stage = Stage::new(&echo(), &["{ latency = \"100ms\" }"]);
    let mut stream = stage.connect();
    round_trip(&mut stream);
    stage.inject(0);
    let times = (0..15).map(|_| round_trip(&mut stream)).collect();
    let p50 = median(times);
    assert!((100 * MS..115 * MS).contains(&p50), "{p50:?}");
    let touched = stage.touched(0).unwrap();
    assert_eq!((touched.seen, touched.affected, touched.bytes), (1, 1, 15));
    assert!(touched.first.unwrap() < 5000 * MS);
    stage.revert(0);
    let times = (0..15).map(|_| round_trip(&mut stream)).collect();
    assert!(median(times) < 50 * MS);
}

#[test]
fn a_stream_is_late_and_not_slow() {
    let upstream = server(|mut stream| {
        let began = Instant::now();
        for n in 0..20 {
            std::thread::sleep((n * 20 * MS).saturating_sub(began.elapsed()));
            stream.write_all(b"chunk").unwrap();
        }
    });
    let stage = Stage::new(&upstream, &["{ latency = \"200ms\" }"]);
    stage.inject(0);
    let began = Instant::now();
    let mut got = Vec::new();
    stage.connect().read_to_end(&mut got).unwrap();
    let took = began.elapsed();
    assert_eq!(got.len(), 100);
    assert!((578 * MS..800 * MS).contains(&took), "{took:?}");
}

#[test]
fn a_bandwidth_is_kept() {
    let stage = Stage::new(&source(200_000), &["{ bandwidth = \"100KB/s\" }"]);
    stage.inject(0);
    let began = Instant::now();
    let mut got = Vec::new();
    stage.connect().read_to_end(&mut got).unwrap();
    let took = began.elapsed();
    assert_eq!(got.len(), 200_000);
    assert!((1980 * MS..2300 * MS).contains(&took), "{took:?}");
}

#[test]
fn latency_and_bandwidth_add_up() {
    let toxics = "{ latency = \"100ms\" }, { bandwidth = \"100KB/s\" }";
    let stage = Stage::new(&source(50_000), &[toxics]);
    stage.inject(0);
    let began = Instant::now();
    let mut got = Vec::new();
    stage.connect().read_to_end(&mut got).unwrap();
    let took = began.elapsed();
    assert!((590 * MS..800 * MS).contains(&took), "{took:?}");
}

#[test]
fn faults_that_are_on_together_add_up_too() {
    let faults = [
        "{ latency = \"60ms\" }",
        "{ latency = \"80ms\", upstream = true }",
    ];
    let stage = Stage::new(&echo(), &faults);
    stage.inject(1);
    stage.inject(0);
    let mut stream = stage.connect();
    assert!(round_trip(&mut stream) >= 140 * MS);
    stage.revert(1);
    let one = round_trip(&mut stream);
    assert!((60 * MS..140 * MS).contains(&one), "{one:?}");
}

#[test]
fn a_slicer_cuts_a_hundred_pieces() {
    let stage = Stage::new(&source(10_000), &["{ slicer = 100, delay = \"3ms\" }"]);
    stage.inject(0);
    let mut stream = stage.connect();
    let (mut pieces, mut bytes, mut all) = (0, [0; 4096], 0);
    let began = Instant::now();
    while let length @ 1.. = stream.read(&mut bytes).unwrap() {
        pieces += 1;
        all += length;
    }
    let took = began.elapsed();
    assert_eq!(all, 10_000);
    // A reader that was kept off the processor finds two at once.
    assert!((80..=100).contains(&pieces), "{pieces}");
    assert!(took >= 99 * 3 * MS, "{took:?}");
}

#[test]
fn a_limit_is_kept_to_the_byte_and_arrives() {
    let stage = Stage::new(&source(100_000), &["{ limit_data = \"10B\" }"]);
    stage.inject(0);
    let mut got = Vec::new();
    stage.connect().read_to_end(&mut got).unwrap();
    assert_eq!(got.len(), 10);
}

#[test]
fn what_follows_a_half_close_arrives() {
    let upstream = server(|mut stream| {
        let mut asked = String::new();
        stream.read_to_string(&mut asked).unwrap();
        std::thread::sleep(20 * MS);
        stream
            .write_all(format!("trailer after {asked}").as_bytes())
            .unwrap();
    });
    for toxics in ["{ latency = \"30ms\" }", "{ slow_close = \"30ms\" }"] {
        let stage = Stage::new(&upstream, &[toxics]);
        for on in [false, true] {
            if on {
                stage.inject(0);
            }
            let mut stream = stage.connect();
            stream.write_all(b"all").unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
            let mut got = String::new();
            stream.read_to_string(&mut got).unwrap();
            assert_eq!(got, "trailer after all", "{toxics} {on}");
        }
    }
}

#[test]
fn only_the_end_is_slow_to_close() {
    let stage = Stage::new(&source(5), &["{ slow_close = \"150ms\" }"]);
    stage.inject(0);
    let mut stream = stage.connect();
    let began = Instant::now();
    stream.read_exact(&mut [0; 5]).unwrap();
    let data = began.elapsed();
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    assert!(data < 140 * MS && began.elapsed() >= 149 * MS, "{data:?}");
}

#[test]
fn a_timeout_fires_under_steady_traffic_and_lets_nothing_through() {
    let stage = Stage::new(&echo(), &["{ timeout = \"200ms\" }"]);
    let mut stream = stage.connect();
    round_trip(&mut stream);
    let began = Instant::now();
    stage.inject(0);
    let mut writer = stream.try_clone().unwrap();
    let writing = std::thread::spawn(move || {
        while writer.write_all(b"steady").is_ok() && began.elapsed() < 5000 * MS {
            std::thread::sleep(5 * MS);
        }
    });
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    assert!(began.elapsed() >= 200 * MS);
    let _ = stream.shutdown(Shutdown::Both);
    writing.join().unwrap();
}

#[test]
fn a_stream_that_lost_bytes_is_reset_when_the_fault_is_cleared_and_another_goes_on() {
    let stage = Stage::new(&echo(), &["{ timeout = \"0s\" }"]);
    let (mut torn, mut whole) = (stage.connect(), stage.connect());
    round_trip(&mut torn);
    round_trip(&mut whole);
    stage.inject(0);
    torn.write_all(b"lost").unwrap();
    while stage.touched(0).unwrap().affected == 0 {
        std::thread::sleep(MS);
    }
    stage.revert(0);
    let error = torn.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    round_trip(&mut whole);
}

#[test]
fn a_reset_comes_on_idle_connections_too_and_is_one() {
    let stage = Stage::new(&echo(), &["{ reset_peer = \"100ms\" }"]);
    let mut idle = stage.connect();
    round_trip(&mut idle);
    let began = Instant::now();
    stage.inject(0);
    let mut late = stage.connect();
    round_trip(&mut late);
    for stream in [&mut idle, &mut late] {
        let error = stream.read(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        assert!(began.elapsed() >= 100 * MS);
    }
    assert_eq!(stage.touched(0).unwrap().affected, 2);
}

/// Which of 1,000 connections, one after the other, are reset.
fn hit(toxicity: &str) -> Vec<bool> {
    let toxic = format!("{{ down = \"reset\", toxicity = \"{toxicity}\" }}");
    let stage = Stage::new(&echo(), &[&toxic]);
    stage.inject(0);
    let hit: Vec<bool> = (0..1_000)
        .map(|_| {
            let mut stream = connect(&stage.address);
            // One that was reset already says so here or there.
            stream.write_all(b"x").is_err() || stream.read_exact(&mut [0]).is_err()
        })
        .collect();
    let touched = stage.touched(0).unwrap();
    assert_eq!(touched.seen, 1_000);
    assert_eq!(
        touched.affected,
        hit.iter().filter(|hit| **hit).count() as u64
    );
    hit
}

#[test]
fn a_share_of_connections_is_hit_and_a_larger_share_holds_the_smaller() {
    let (few, more) = (hit("30%"), hit("50%"));
    let count = few.iter().filter(|hit| **hit).count();
    assert!((257..=343).contains(&count), "{count}");
    assert!(few.iter().zip(&more).all(|(few, more)| !few || *more));
}
