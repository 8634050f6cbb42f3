use std::io::{BufRead, BufReader, pipe};
use std::net::TcpStream;

use clap::Parser;

use super::*;

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    args: Args,
}

fn parsed(flags: &[&str]) -> Result<Args, clap::Error> {
    Cli::try_parse_from(std::iter::once(&"target").chain(flags)).map(|cli| cli.args)
}

#[test]
fn it_says_where_it_listens_and_ends_when_its_standard_input_does() {
    let (input, parent) = pipe().unwrap();
    let (said, mut output) = pipe().unwrap();
    let args = parsed(&["--with-parent", "--service", "fixed:0"]).unwrap();
    let service = std::thread::spawn(move || run_with(&args, input, &mut output));
    let mut line = String::new();
    BufReader::new(said).read_line(&mut line).unwrap();
    let address = line
        .trim_end()
        .strip_prefix("listening on http://")
        .unwrap();
    let mut client = TcpStream::connect(address).unwrap();
    client
        .write_all(b"GET /healthz HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");

    drop(parent);
    service.join().unwrap().unwrap();
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn it_refuses_an_address_that_is_not_loopback() {
    let args = parsed(&["--listen", "0.0.0.0:0"]).unwrap();
    let error = run_with(&args, io::empty(), &mut Vec::new()).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("loopback only, and 0.0.0.0:0 is not"),
        "{error}"
    );
}

#[test]
fn an_address_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let args = parsed(&["--listen", &address]).unwrap();
    let error = run_with(&args, io::empty(), &mut Vec::new()).unwrap_err();
    assert!(
        error
            .to_string()
            .contains(&format!("cannot listen on {address}")),
        "{error}"
    );
}

#[test]
fn flags_say_the_same_as_the_query_of_a_url() {
    let flags = [
        "--servers",
        "1",
        "--service",
        "exp:1ms",
        "--service-of",
        "home=fixed:3ms",
        "--queue",
        "100",
        "--seed",
        "7",
        "--stall",
        "2s/10s",
        "--metrics",
        "off",
    ];
    let query = "servers=1&service=exp:1ms&service.home=fixed:3ms&queue=100&seed=7&stall=2s/10s&metrics=off";
    assert_eq!(
        parsed(&flags).unwrap().options(),
        Options::from_query(query).unwrap()
    );
    assert_eq!(parsed(&[]).unwrap().options(), Options::default());
}

#[test]
fn a_wrong_flag_is_answered_with_what_to_write() {
    for (flags, says) in [
        (["--service", "fast"], "write `fixed:5ms`"),
        (
            ["--service-of", "shed=exp:1ms"],
            "the shop has no page `shed`",
        ),
        (["--stall", "10s/2s"], "write `2s/10s`"),
        (["--servers", "65537"], "0..=65536"),
        (["--metrics", "maybe"], "[possible values: on, off]"),
    ] {
        let error = parsed(&flags).unwrap_err().to_string();
        assert!(error.contains(says), "{flags:?}: {error}");
    }
}
