//! Clients that do what they should not: each harms itself alone.

use std::fs;
use std::io::Write;
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::window::{Line, Window, events, ticks};

/// The window still answers, and its ticks are all there.
fn goes_on(window: &Window) {
    let answer = window.connect().ask(json!({"do": "hello"}));
    assert_eq!(answer["ok"], true, "{answer}");
    window.let_pass(Duration::from_millis(200));
    let records = window.stop();
    for (place, tick) in ticks(&records).iter().enumerate() {
        assert_eq!(tick["n"], place as u64 + 1, "no tick is missing");
    }
    assert!(events(&records, "load").is_empty(), "nothing was changed");
}

#[test]
fn nonsense_is_answered_and_the_conversation_goes_on() {
    let window = Window::start();
    let mut line = window.connect();
    let deep = format!("{}\n", "[".repeat(50_000));
    let table: [(&[u8], &str); 12] = [
        (b"nonsense\n", "no JSON"),
        (b"\n", "no JSON"),
        (b"\x00\xff\xfe\x1b[2J\n", "no JSON"),
        (b"[]\n", "has `\"v\":1`"),
        (b"{}\n", "has `\"v\":1`"),
        (b"{\"v\":\"1\"}\n", "has `\"v\":1`"),
        (
            b"{\"v\":2,\"id\":5,\"do\":\"load\",\"to\":\"2x\"}\n",
            "version 1 of the protocol, not 2",
        ),
        (b"{\"v\":1,\"id\":5,\"by\":\"x\"}\n", "not understood"),
        (
            b"{\"v\":1,\"id\":5,\"by\":\"x\",\"do\":\"explode\"}\n",
            "not understood",
        ),
        (
            b"{\"v\":1,\"id\":5,\"by\":\"x\",\"do\":\"load\",\"to\":2}\n",
            "not understood",
        ),
        (
            b"{\"v\":1,\"id\":-5,\"by\":\"x\",\"do\":\"load\",\"to\":\"2x\"}\n",
            "not understood",
        ),
        (deep.as_bytes(), "no JSON"),
    ];
    for (bytes, expected) in table {
        line.write(bytes);
        let answer = line.read().unwrap();
        let error = answer["error"].as_str().unwrap();
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(60)]);
        assert!(error.contains(expected), "{shown:?}: {error}");
        assert_eq!(answer["ok"], false);
        if shown.contains("\"id\":5") {
            assert_eq!(answer["id"], 5, "the id comes back where there is one");
        }
    }
    assert_eq!(line.ask(json!({"do": "hello"}))["ok"], true);
    // Several lines in one portion, and one line in many.
    let hello = b"{\"v\":1,\"id\":1,\"by\":\"x\",\"do\":\"hello\"}\n";
    line.write(&[&hello[..], b"?\n", &hello[..]].concat());
    let answers =
        [line.read(), line.read(), line.read()].map(|answer| answer.unwrap()["ok"].clone());
    assert_eq!(answers, [json!(true), json!(false), json!(true)]);
    for byte in hello {
        line.write(&[*byte]);
    }
    assert_eq!(line.read().unwrap()["ok"], true);
    goes_on(&window);
}

#[test]
fn a_line_without_an_end_is_cut_off_and_never_acted_on() {
    let window = Window::start();
    let mut long = window.connect();
    // The engine may close before all of it is written.
    let _ = long.stream.write_all(&vec![b'x'; 200_000]);
    let answer = long.read().unwrap();
    assert!(
        answer["error"]
            .as_str()
            .unwrap()
            .contains("at most 65536 bytes"),
        "{answer}"
    );
    assert_eq!(long.read(), None);
    let mut cut = window.connect();
    cut.write(b"{\"v\":1,\"id\":1,\"by\":\"x\",\"do\":\"load\",\"to\":\"2x\"}");
    cut.stream.shutdown(Shutdown::Write).unwrap();
    let answer = cut.read().unwrap();
    assert_eq!(answer["error"], "the line has no end");
    assert_eq!(cut.read(), None);
    goes_on(&window);
}

#[test]
fn who_never_reads_and_who_never_writes_hold_nobody_up() {
    let window = Window::start();
    let idle: Vec<Line> = (0..10).map(|_| window.connect()).collect();
    let mut deaf = window.connect();
    deaf.stream
        .set_write_timeout(Some(Duration::from_millis(200)))
        .unwrap();
    let hello = b"{\"v\":1,\"id\":1,\"by\":\"x\",\"do\":\"hello\"}\n".repeat(1000);
    // Until neither side has room for more, or the engine gives it up.
    for _ in 0..1000 {
        if deaf.stream.write_all(&hello).is_err() {
            break;
        }
    }
    goes_on(&window);
    drop((idle, deaf));
}

#[test]
fn of_a_hundred_connections_thirty_two_are_taken_and_the_rest_is_told() {
    let window = Window::start();
    let socket = window.place.socket();
    let lines = std::thread::scope(|scope| {
        let dials: Vec<_> = (0..100)
            .map(|_| scope.spawn(|| Line::to(&socket)))
            .collect();
        dials
            .into_iter()
            .map(|dial| dial.join().unwrap())
            .collect::<Vec<_>>()
    });
    let hello = b"{\"v\":1,\"id\":1,\"by\":\"x\",\"do\":\"hello\"}\n";
    let answers: Vec<Value> = lines
        .into_iter()
        .map(|mut line| {
            // One that was turned away is closed already.
            let _ = line.stream.write_all(hello);
            let answer = line.read().unwrap();
            // Kept open until all have asked.
            std::mem::forget(line);
            answer
        })
        .collect();
    let taken = answers.iter().filter(|answer| answer["ok"] == true).count();
    // The one that the test itself made before may not be gone yet.
    assert!((31..=32).contains(&taken), "{taken}");
    let told = answers.iter().filter(|answer| {
        let error = answer["error"].as_str().unwrap_or_default();
        error.contains("32 connections already")
    });
    assert_eq!(told.count(), 100 - taken);
}

#[test]
fn a_flood_of_notes_costs_no_tick() {
    const CLIENTS: usize = 8;
    const EACH: usize = 50;
    let window = Window::start();
    let note = "n".repeat(5000);
    std::thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let mut line = window.connect();
                for _ in 0..EACH {
                    let answer = line.ask(json!({"do": "mark", "text": note}));
                    assert_eq!(answer["said"], "noted");
                }
            });
        }
    });
    let records = window.stop();
    assert_eq!(events(&records, "mark").len(), CLIENTS * EACH);
    assert_eq!(records.last().unwrap()["lost"], 0);
}

#[test]
fn places_that_are_given_up_are_taken_again() {
    let window = Window::start();
    for _ in 0..200 {
        drop(window.connect());
    }
    crate::support::wait_for("a free place", || {
        let mut line = window.connect();
        let _ = line.stream.write_all(b"?\n");
        let answer = line.read()?;
        (answer["error"].as_str()?.contains("no JSON")).then_some(())
    });
    goes_on(&window);
}

#[test]
fn only_the_same_user_and_root_are_let_in() {
    let window = Window::start();
    let socket = window.place.socket();
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(&socket), 0o600);
    assert_eq!(mode(&window.place.sockets()), 0o700);
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root can become another user");
        return;
    }
    // Even where the file's mode would let them.
    let open = |path: &std::path::Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    open(window.place.path(), 0o755);
    open(&window.place.path().join("run"), 0o755);
    open(&window.place.sockets(), 0o755);
    open(&socket, 0o666);
    let script = "$s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die $!; print scalar <$s>";
    let output = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .args(["perl", "-MIO::Socket::UNIX", "-e", script])
        .arg(&socket)
        .output();
    match output {
        Ok(output) if output.status.success() => {
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(said.contains("only who started the window"), "{said}");
        }
        other => eprintln!("skipped: setpriv and perl are needed: {other:?}"),
    }
    open(&window.place.sockets(), 0o700);
    goes_on(&window);
}
