//! The demo service, in a process of its own, stopped and killed.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use stormdeck::fault::driver::Driver;
use stormdeck::fault::process::ProcessFault;
use stormdeck::profile::model::{CommandLine, ProcessAct, Which};
use stormdeck::profile::secret::Text;

use super::support::{Nginx, free_port, wait_for};
use super::{break_it, bring_back, refusal};

const STORMDECK: &str = env!("CARGO_BIN_EXE_stormdeck");

struct Shop(Child, u16);

impl Shop {
    fn start() -> Self {
        let mut child = Command::new(STORMDECK)
            .args(["target", "--with-parent"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap())
            .read_line(&mut line)
            .unwrap();
        let port = line.trim().rsplit_once(':').unwrap().1.parse().unwrap();
        Self(child, port)
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Whether the shop answers within so long.
fn answers(port: u16, within: Duration) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else {
        return false;
    };
    stream.set_read_timeout(Some(within)).unwrap();
    let asked = stream.write_all(b"GET /healthz HTTP/1.0\r\n\r\n");
    let mut byte = [0];
    asked.is_ok() && stream.read(&mut byte).is_ok_and(|count| count == 1)
}

#[test]
fn a_service_found_by_its_port_stands_still_and_goes_on() {
    let shop = Shop::start();
    let fault = ProcessFault::new(Which::Port(shop.1), ProcessAct::Pause);
    assert!(answers(shop.1, Duration::from_secs(20)));
    let undo = break_it(&fault);
    assert!(!answers(shop.1, Duration::from_millis(300)));
    bring_back(&undo);
    assert!(answers(shop.1, Duration::from_secs(20)));
}

#[test]
fn a_service_that_is_killed_is_started_again_by_its_program() {
    let port = free_port();
    let words = [
        STORMDECK,
        "target",
        "--listen",
        &format!("127.0.0.1:{port}"),
    ]
    .map(Text::plain);
    let restart = CommandLine {
        words: words.to_vec(),
        ..CommandLine::default()
    };
    let mut first = restart.words.iter().map(Text::reveal);
    let mut shop = Command::new(first.next().unwrap())
        .args(first)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    wait_for("the shop", || {
        answers(port, Duration::from_secs(1)).then_some(())
    });
    let kill = ProcessAct::Kill {
        restart: Some(restart),
        within: Duration::from_secs(30),
    };
    let fault = ProcessFault::new(Which::Port(port), kill);
    let undo = break_it(&fault);
    shop.wait().unwrap();
    assert!(!answers(port, Duration::from_secs(1)));
    let done = bring_back(&undo);
    assert!(answers(port, Duration::from_secs(20)), "{}", done.said);
    // The second one is nobody's child here: what is found by the port is ended.
    let nobody = ProcessAct::Kill {
        restart: None,
        within: Duration::from_millis(1),
    };
    break_it(&ProcessFault::new(Which::Port(port), nobody));
}

#[test]
fn a_limit_on_cpu_is_imposed_and_lifted_or_what_is_missing_is_said() {
    let shop = Shop::start();
    let act = ProcessAct::Cpu {
        share: stormdeck::profile::units::Ratio(0.2),
    };
    let fault = ProcessFault::new(Which::Port(shop.1), act);
    let cgroup = || std::fs::read_to_string(format!("/proc/{}/cgroup", shop.0.id())).unwrap();
    let before = cgroup();
    let prepared = super::block_on(async { fault.prepare().await });
    if let Err(why) = prepared {
        println!("skipped here: {why}");
        assert!(why.0.contains("a limit on CPU needs"), "{why}");
        assert_eq!(refusal(&fault), why.0);
        return;
    }
    let undo = break_it(&fault);
    assert!(cgroup().contains("stormdeck-"), "{}", cgroup());
    bring_back(&undo);
    assert_eq!(cgroup(), before);
}

#[test]
fn a_server_is_found_above_its_workers_and_hit_with_them() {
    let nginx = Nginx::start();
    let port = nginx.address.rsplit_once(':').unwrap().1.parse().unwrap();
    let undo = break_it(&ProcessFault::new(Which::Port(port), ProcessAct::Pause));
    assert!(!answers(port, Duration::from_millis(300)));
    let said = bring_back(&undo).said;
    assert!(said.ends_with("and 1 descendant go on"), "{said}");
    assert!(answers(port, Duration::from_secs(20)));
    let kill = ProcessAct::Kill {
        restart: None,
        within: Duration::from_millis(100),
    };
    let undo = break_it(&ProcessFault::new(Which::Port(port), kill));
    // A worker that outlived its master would still listen.
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    let why = super::block_on(undo.revert()).unwrap_err();
    assert!(why.0.starts_with("nothing has started it again"), "{why}");
}
