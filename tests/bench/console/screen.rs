//! A console in a pseudo terminal, with every frame that comes out of it and when it came.
//!
//! A thread notes each piece that can be read and its moment; [`Screen`] puts the pieces together into frames, by the marks
//! of synchronized output, and shows them to a `vt100` screen. Nothing is done between a piece and its moment, so that
//! what is measured is the console and not the one who measures.

use std::io::{Read, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

/// What ends a frame.
const COMMIT: &[u8] = b"\x1b[?2026l";

/// How long anything that has to come may take.
const PATIENCE: Duration = Duration::from_mins(2);

/// Columns and rows.
const SIZE: (u16, u16) = (120, 36);

/// One frame, as it arrived.
#[derive(Debug, Clone, Copy)]
pub struct Frame {
    /// When its first byte could be read.
    pub first: Instant,
    /// When its last byte could be read.
    pub last: Instant,
    /// Its size.
    pub bytes: usize,
}

/// Bytes that could be read at once, and when.
struct Piece {
    at: Instant,
    bytes: Vec<u8>,
}

#[derive(Default)]
struct Gate {
    closed: Mutex<bool>,
    changed: Condvar,
}

/// A console and its terminal. Dropping it kills the console.
pub struct Screen {
    /// When it was started.
    pub begun: Instant,
    keyboard: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    pieces: Receiver<Piece>,
    gate: Arc<Gate>,
    /// What came of a frame that is not whole yet, and when its first byte did.
    open: Vec<u8>,
    since: Option<Instant>,
    /// What came after the end of a frame.
    rest: Option<Piece>,
    parser: vt100::Parser,
    _master: Box<dyn MasterPty + Send>,
}

impl Screen {
    /// Starts stormdeck with these arguments, and with its sessions, sockets and settings in this folder.
    pub fn start(home: &Path, args: &[&str]) -> Self {
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_stormdeck"));
        command.args(args);
        command.env_clear();
        command.cwd(home);
        for name in [
            "HOME",
            "STORMDECK_DIR",
            "XDG_RUNTIME_DIR",
            "XDG_CONFIG_HOME",
        ] {
            command.env(name, home);
        }
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("TERM", "xterm-256color");
        command.env("LANG", "C.UTF-8");
        // Nobody in this terminal answers questions for its colours.
        command.env("COLORFGBG", "15;0");
        let size = PtySize {
            rows: SIZE.1,
            cols: SIZE.0,
            ..PtySize::default()
        };
        let pair = native_pty_system().openpty(size).unwrap();
        let from = pair.master.try_clone_reader().unwrap();
        let begun = Instant::now();
        let child = pair.slave.spawn_command(command).unwrap();
        // Or the end of the console would not be the end of what can be read.
        drop(pair.slave);
        let (to, pieces) = channel();
        let gate = Arc::new(Gate::default());
        let theirs = Arc::clone(&gate);
        std::thread::spawn(move || read(from, &to, &theirs));
        Self {
            begun,
            keyboard: pair.master.take_writer().unwrap(),
            child,
            pieces,
            gate,
            open: Vec::new(),
            since: None,
            rest: None,
            parser: vt100::Parser::new(SIZE.1.try_into().unwrap(), SIZE.0.try_into().unwrap(), 0),
            _master: pair.master,
        }
    }

    /// Types. When that was.
    pub fn send(&mut self, keys: &str) -> Instant {
        let at = Instant::now();
        self.keyboard.write_all(keys.as_bytes()).unwrap();
        self.keyboard.flush().unwrap();
        at
    }

    /// The next frame, if one is whole before `until`.
    pub fn frame(&mut self, until: Instant) -> Option<Frame> {
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let next = match self.rest.take() {
                Some(rest) => Ok(rest),
                None => self.pieces.recv_timeout(left),
            };
            let piece = match next {
                Ok(piece) => piece,
                Err(RecvTimeoutError::Timeout) => return None,
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("the console ended\n{}", self.contents())
                }
            };
            if let Some(frame) = self.add(piece) {
                return Some(frame);
            }
        }
    }

    fn add(&mut self, piece: Piece) -> Option<Frame> {
        let first = *self.since.get_or_insert(piece.at);
        let seen = self.open.len().saturating_sub(COMMIT.len());
        self.open.extend(piece.bytes);
        let end = seen + find(&self.open[seen..], COMMIT)? + COMMIT.len();
        let rest = self.open.split_off(end);
        self.parser.process(&self.open);
        self.open.clear();
        self.since = None;
        self.rest = (!rest.is_empty()).then_some(Piece {
            at: piece.at,
            bytes: rest,
        });
        Some(Frame {
            first,
            last: piece.at,
            bytes: end,
        })
    }

    /// The first frame after which the screen is as expected.
    pub fn until(&mut self, what: &str, expected: impl Fn(&str) -> bool) -> Frame {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let Some(frame) = self.frame(deadline) else {
                panic!("waited in vain for {what}\n{}", self.contents());
            };
            if expected(&self.contents()) {
                return frame;
            }
        }
    }

    /// The first frame after which this text is on the screen.
    pub fn shows(&mut self, text: &str) -> Frame {
        self.until(text, |screen| screen.contains(text))
    }

    /// Takes in every frame for so long.
    pub fn look_on(&mut self, span: Duration) -> Vec<Frame> {
        let until = Instant::now() + span;
        std::iter::from_fn(|| self.frame(until)).collect()
    }

    /// Takes in frames until none has come for so long.
    pub fn settle(&mut self, quiet: Duration) {
        while self.frame(Instant::now() + quiet).is_some() {}
    }

    /// The text on the screen.
    pub fn contents(&self) -> String {
        self.parser.screen().contents()
    }

    /// The terminal reads nothing from now on, or reads again.
    pub fn read(&self, on: bool) {
        *self.gate.closed.lock().unwrap() = !on;
        self.gate.changed.notify_all();
    }

    /// The id of the console's process.
    pub fn id(&self) -> u32 {
        self.child.process_id().expect("it was started")
    }

    /// CPU time that its process has used.
    pub fn cpu(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.id())).unwrap();
        let fields = stat.rsplit_once(") ").unwrap().1.split(' ');
        let ticks: u64 = fields
            .skip(11)
            .take(2)
            .map(|field| field.parse::<u64>().unwrap())
            .sum();
        // The unit of /proc is a hundredth of a second on every Linux.
        Duration::from_millis(ticks * 10)
    }

    /// Its memory, MB: now, and at its highest.
    pub fn memory(&self) -> (f64, f64) {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let kilobytes = line.unwrap().trim().trim_end_matches(" kB");
            kilobytes.parse::<f64>().unwrap() * 1024.0 / 1e6
        };
        (field("VmRSS:"), field("VmHWM:"))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.read(true);
        // Fails when it has ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The thread that reads.
fn read(mut from: Box<dyn Read + Send>, to: &Sender<Piece>, gate: &Gate) {
    let mut buffer = vec![0; 1 << 16];
    loop {
        let closed = gate.closed.lock().unwrap();
        drop(gate.changed.wait_while(closed, |closed| *closed).unwrap());
        let count = from.read(&mut buffer).unwrap_or(0);
        let piece = Piece {
            at: Instant::now(),
            bytes: buffer[..count].to_vec(),
        };
        if count == 0 || to.send(piece).is_err() {
            return;
        }
    }
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|part| part == wanted)
}
