//! Toxics on requests, with a real server and plain clients.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use crate::stage::Stage;
use crate::support::Nginx;

/// Asks for these on one connection, all at once; the statuses in the order in which they come.
fn statuses(stage: &Stage, requests: &str) -> Vec<u16> {
    let mut stream = stage.connect();
    stream.write_all(requests.as_bytes()).unwrap();
    stream
        .write_all(b"GET /last HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
        .unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text.split("HTTP/1.1 ")
        .skip(1)
        .map(|answer| answer[..3].parse().unwrap())
        .collect()
}

const GET: &str = "GET /items HTTP/1.1\r\nhost: a\r\n\r\n";
const POST: &str =
    "POST /orders/7?x HTTP/1.1\r\nhost: a\r\ncontent-length: 11\r\n\r\nhello\r\n\r\nGE";

#[test]
fn some_requests_are_answered_by_the_proxy_and_the_others_by_the_server() {
    let nginx = Nginx::start();
    let toxic = "{ status = 503, path = \"/orders*\", method = \"POST\" }";
    let stage = Stage::new(&nginx.address, &[toxic]);
    let requests = [GET, POST, POST, GET, POST].concat();
    assert_eq!(statuses(&stage, &requests), [200; 6]);
    stage.inject(0);
    assert_eq!(statuses(&stage, &requests), [200, 503, 503, 200, 503, 200]);
    let touched = stage.touched(0).unwrap();
    assert_eq!((touched.seen, touched.affected), (6, 3));
    stage.revert(0);
    assert_eq!(statuses(&stage, &requests), [200; 6]);
    assert_eq!(nginx.stop_and_read_log().len(), 6 + 3 + 6);
}

#[test]
fn a_request_is_held_back_and_the_rest_of_its_connection_with_it() {
    let nginx = Nginx::start();
    let stage = Stage::new(
        &nginx.address,
        &["{ delay = \"150ms\", path = \"/items\" }"],
    );
    stage.inject(0);
    assert_eq!(statuses(&stage, POST), [200; 2]);
    let began = Instant::now();
    assert_eq!(statuses(&stage, GET), [200; 2]);
    let held = began.elapsed();
    assert!(held >= Duration::from_millis(150), "{held:?}");
}
