//! The ways in which an upstream is as good as gone, and back.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use crate::stage::{Stage, echo, round_trip};
use crate::support::{free_port, wait_for};

fn refused(stage: &Stage) -> bool {
    TcpStream::connect(&stage.address)
        .is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
}

fn is_reset(stream: &mut TcpStream) -> bool {
    stream
        .read(&mut [0])
        .is_err_and(|error| error.kind() == ErrorKind::ConnectionReset)
}

#[test]
fn refuse_closes_the_port_and_resets_what_is_connected() {
    let stage = Stage::new(&echo(), &["{ down = \"refuse\" }"]);
    let mut before = stage.connect();
    round_trip(&mut before);
    stage.inject(0);
    assert!(is_reset(&mut before));
    assert!(refused(&stage));
    assert_eq!(stage.touched(0).unwrap().affected, 1);
    stage.revert(0);
    round_trip(&mut stage.connect());
}

#[test]
fn drain_refuses_the_new_and_lets_the_old_finish() {
    let stage = Stage::new(&echo(), &["{ down = \"drain\" }"]);
    let mut before = stage.connect();
    round_trip(&mut before);
    stage.inject(0);
    assert!(refused(&stage));
    round_trip(&mut before);
    assert_eq!(stage.touched(0), None, "who is refused cannot be counted");
    stage.revert(0);
    round_trip(&mut stage.connect());
    round_trip(&mut before);
}

#[test]
fn reset_accepts_and_resets() {
    let stage = Stage::new(&echo(), &["{ down = \"reset\" }"]);
    stage.inject(0);
    assert!(is_reset(&mut stage.connect()));
    stage.revert(0);
    round_trip(&mut stage.connect());
}

#[test]
fn hang_accepts_and_never_answers() {
    let stage = Stage::new(&echo(), &["{ down = \"hang\" }"]);
    let mut before = stage.connect();
    round_trip(&mut before);
    stage.inject(0);
    let (mut asking, mut silent) = (stage.connect(), stage.connect());
    for stream in [&mut before, &mut asking] {
        stream.write_all(b"anyone?").unwrap();
        stream
            .set_read_timeout(Some(Duration::from_millis(100)))
            .unwrap();
        let error = stream.read(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
    }
    stage.revert(0);
    assert!(is_reset(&mut before) && is_reset(&mut asking));
    // Of this one nothing was lost.
    round_trip(&mut silent);
}

#[test]
fn a_port_that_someone_took_meanwhile_is_said_and_taken_back() {
    let stage = Stage::new(&echo(), &["{ down = \"refuse\" }"]);
    stage.inject(0);
    let thief = TcpListener::bind(&stage.address).unwrap();
    let why = stage.try_revert(0).unwrap_err().to_string();
    assert!(why.contains("cannot listen on"), "{why}");
    drop(thief);
    wait_for("the port", || stage.try_revert(0).ok());
    round_trip(&mut stage.connect());
}

#[test]
fn an_upstream_that_is_not_there_resets_its_clients() {
    let stage = Stage::new(
        &format!("127.0.0.1:{}", free_port()),
        &["{ down = \"hang\" }"],
    );
    assert!(is_reset(&mut stage.connect()));
}

#[test]
fn everything_ends_with_the_proxies_and_a_fault_with_them() {
    let mut stage = Stage::new(&echo(), &["{ down = \"hang\" }"]);
    stage.inject(0);
    let mut stream = stage.connect();
    drop(stage.proxies.take());
    assert!(matches!(stream.read(&mut [0]), Ok(0) | Err(_)));
    assert!(refused(&stage));
    stage.revert(0);
}
