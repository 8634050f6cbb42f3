//! Readers that pause, senders that do not: a connection goes on as soon as there is room again.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use crate::stage::{Stage, server, source};

const MS: Duration = Duration::from_millis(1);
const BIG: usize = 50_000_000;

/// Reads to the end, with pauses in which everything before the reader fills up; how many bytes there were.
fn read_with_pauses(stream: &mut TcpStream) -> usize {
    let (mut all, mut pause_at, mut bytes) = (0, 0, vec![0; 1 << 20]);
    loop {
        match stream.read(&mut bytes).unwrap() {
            0 => return all,
            length => all += length,
        }
        if all > pause_at {
            pause_at += BIG / 5;
            std::thread::sleep(200 * MS);
        }
    }
}

#[test]
fn a_reader_that_pauses_gets_everything() {
    for toxics in ["{ latency = \"1ms\" }", "{ slicer = 1000 }"] {
        let stage = Stage::new(&source(BIG), &[toxics]);
        assert_eq!(read_with_pauses(&mut stage.connect()), BIG, "no fault");
        stage.inject(0);
        assert_eq!(read_with_pauses(&mut stage.connect()), BIG, "{toxics}");
    }
}

#[test]
fn a_proxy_that_looks_at_requests_passes_on_a_great_answer() {
    let stage = Stage::new(&source(BIG), &["{ status = 503 }"]);
    assert_eq!(read_with_pauses(&mut stage.connect()), BIG);
}

#[test]
fn a_download_goes_on_when_its_bandwidth_is_given_back() {
    let stage = Stage::new(&source(BIG), &["{ bandwidth = \"100KB/s\" }"]);
    stage.inject(0);
    let mut stream = stage.connect();
    let mut got = vec![0; 50_000];
    stream.read_exact(&mut got).unwrap();
    stage.revert(0);
    assert_eq!(got.len() + read_with_pauses(&mut stream), BIG);
}

#[test]
fn a_great_request_that_is_held_back_arrives_whole() {
    const BODY: usize = 5_000_000;
    let upstream = server(|mut stream| {
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        stream.write_all(all.len().to_string().as_bytes()).unwrap();
    });
    let stage = Stage::new(&upstream, &["{ delay = \"300ms\" }"]);
    stage.inject(0);
    let mut stream = stage.connect();
    let head = format!("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: {BODY}\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    stream
        .set_write_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    stream.write_all(&vec![b'x'; BODY]).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut got = String::new();
    stream.read_to_string(&mut got).unwrap();
    assert_eq!(got, (head.len() + BODY).to_string());
}
