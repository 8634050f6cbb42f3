//! A pseudo terminal with a program in it, and somebody who looks at it.
//!
//! A thread reads what the program writes into a `vt100` screen; [`Pty::until`] waits for the screen to be as a test
//! expects and otherwise fails with a picture of it. Nothing sleeps where the screen can be waited for.

#![allow(dead_code, reason = "each module uses its own part")]

use std::io::{Read, Write};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

/// How long a screen has to become what is expected. A debug build on a busy machine is slow.
const PATIENCE: Duration = Duration::from_secs(30);

/// What to start, and in what kind of terminal.
pub struct Start {
    command: CommandBuilder,
    size: (u16, u16),
}

impl Start {
    /// stormdeck with these arguments, in a terminal of 120 by 36 with 256 colours and UTF-8, and with none of the variables
    /// of whoever runs the tests.
    pub fn new<'a>(args: impl IntoIterator<Item = &'a str>) -> Self {
        let start = Self::program(env!("CARGO_BIN_EXE_stormdeck"));
        args.into_iter().fold(start, Self::arg)
    }

    /// With one more argument.
    pub fn arg(mut self, arg: &str) -> Self {
        self.command.arg(arg);
        self
    }

    /// Another program.
    pub fn program(program: &str) -> Self {
        let mut command = CommandBuilder::new(program);
        command.env_clear();
        for name in ["PATH", "LLVM_PROFILE_FILE"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command.env("TERM", "xterm-256color");
        command.env("LANG", "C.UTF-8");
        // Nobody in this terminal answers questions for its colours.
        command.env("COLORFGBG", "15;0");
        Self {
            command,
            size: (120, 36),
        }
    }

    /// Columns and rows.
    pub fn size(mut self, columns: u16, rows: u16) -> Self {
        self.size = (columns, rows);
        self
    }

    /// With a variable.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// With its sessions, its sockets, its settings and its home in a folder of the test's own.
    pub fn home(self, folder: &Path) -> Self {
        let path = folder.to_str().expect("a test's folder is text").to_owned();
        self.env("HOME", &path)
            .env("STORMDECK_DIR", &path)
            .env("XDG_RUNTIME_DIR", &path)
            .env("XDG_CONFIG_HOME", &path)
            .within(folder)
    }

    /// In this folder.
    pub fn within(mut self, folder: &Path) -> Self {
        self.command.cwd(folder);
        self
    }
}

#[derive(Default)]
struct Reading {
    /// Everything that the program wrote so far.
    bytes: Vec<u8>,
    /// How much of it the screen has taken in.
    seen: usize,
    stopped: bool,
    closed: bool,
    over: bool,
}

#[derive(Default)]
struct Shared {
    reading: Mutex<Reading>,
    changed: Condvar,
}

/// A running program and its terminal. Dropping it kills the program.
pub struct Pty {
    master: Option<Box<dyn MasterPty + Send>>,
    keyboard: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    shared: Arc<Shared>,
    parser: vt100::Parser,
    /// The mode of the terminal before the program began.
    mode: String,
}

impl Pty {
    /// Starts it.
    pub fn start(start: &Start) -> Self {
        let (columns, rows) = start.size;
        let pair = native_pty_system().openpty(size(columns, rows)).unwrap();
        let mode = mode(&*pair.master);
        let child = pair.slave.spawn_command(start.command.clone()).unwrap();
        // Or the end of the program would not be the end of what can be read.
        drop(pair.slave);
        let shared = Arc::new(Shared::default());
        let mut from = pair.master.try_clone_reader().unwrap();
        let to = Arc::clone(&shared);
        std::thread::spawn(move || read(&mut *from, &to));
        Self {
            keyboard: pair.master.take_writer().unwrap(),
            master: Some(pair.master),
            child,
            shared,
            parser: parser(columns, rows),
            mode,
        }
    }

    /// Types. Keys are what a terminal sends for them: `"\x1b[A"` is up, `"\x03"` Ctrl-C, `"\t"` Tab.
    pub fn send(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
        self.keyboard.flush().unwrap();
    }

    /// Waits until the screen is as expected, and fails with a picture of it when that takes too long.
    pub fn until(&mut self, what: &str, expected: impl Fn(&vt100::Screen) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let over = self.look();
            if expected(self.parser.screen()) {
                return;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let picture = self.parser.screen().contents();
            assert!(
                !over,
                "the program ended before: {what}\n{picture}\nand wrote at last: {:?}",
                self.last_written(2000)
            );
            assert!(!left.is_zero(), "waited in vain for: {what}\n{picture}");
            let reading = self.shared.reading.lock().unwrap();
            let nothing_new =
                |reading: &mut Reading| reading.seen == reading.bytes.len() && !reading.over;
            drop(
                self.shared
                    .changed
                    .wait_timeout_while(reading, left, nothing_new)
                    .unwrap(),
            );
        }
    }

    /// Waits until this text is somewhere on the screen.
    pub fn shows(&mut self, text: &str) {
        self.until(&format!("{text:?} on the screen"), |screen| {
            screen.contents().contains(text)
        });
    }

    /// Waits until this text is nowhere on the screen.
    pub fn hides(&mut self, text: &str) {
        self.until(&format!("no {text:?} on the screen"), |screen| {
            !screen.contents().contains(text)
        });
    }

    /// The screen as it is now.
    pub fn screen(&mut self) -> &vt100::Screen {
        self.look();
        self.parser.screen()
    }

    /// Bytes that the program wrote so far and that were read.
    pub fn bytes(&self) -> usize {
        self.shared.reading.lock().unwrap().bytes.len()
    }

    /// What it wrote after the first so many bytes.
    pub fn written_after(&self, bytes: usize) -> String {
        let reading = self.shared.reading.lock().unwrap();
        String::from_utf8_lossy(&reading.bytes[bytes..]).into_owned()
    }

    /// The last so many bytes that it wrote: what scrolled off the screen, too.
    fn last_written(&self, bytes: usize) -> String {
        self.written_after(self.bytes().saturating_sub(bytes))
    }

    /// Gives the terminal another size, which the program is told by a signal.
    pub fn resize(&mut self, columns: u16, rows: u16) {
        self.look();
        let master = self.master.as_ref().expect("it did not hang up");
        master.resize(size(columns, rows)).unwrap();
        self.parser
            .screen_mut()
            .set_size(rows.try_into().unwrap(), columns.try_into().unwrap());
    }

    /// The terminal reads nothing more, as with a connection that stalls.
    pub fn stop_reading(&mut self) {
        self.shared.reading.lock().unwrap().stopped = true;
    }

    /// It reads on.
    pub fn read_on(&mut self) {
        self.shared.reading.lock().unwrap().stopped = false;
        self.shared.changed.notify_all();
    }

    /// Sends the program a signal: `TERM`, `HUP`, `STOP`, `CONT`.
    pub fn signal(&mut self, name: &str) {
        let id = self.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status();
        assert!(sent.unwrap().success());
    }

    /// Whether the terminal is in the mode in which the program found it: it echoes, it has lines.
    pub fn has_its_mode(&self) -> bool {
        let master = self.master.as_ref().expect("it did not hang up");
        mode(&**master) == self.mode
    }

    /// The id of its process.
    pub fn id(&self) -> u32 {
        self.child.process_id().expect("it was started")
    }

    /// The state of its process as `/proc` has it: `R` runs, `S` sleeps, `T` is stopped.
    pub fn state(&self) -> Option<char> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.id())).ok()?;
        stat.rsplit_once(") ")?.1.chars().next()
    }

    /// Closes the terminal, as when the window of the terminal is closed.
    pub fn hang_up(&mut self) {
        // The reader holds the terminal open until it has something to read: a new size makes the console draw.
        let (rows, columns) = self.screen().size();
        self.shared.reading.lock().unwrap().closed = true;
        self.resize(columns.get() - 1, rows.get());
        self.keyboard = Box::new(std::io::sink());
        self.master = None;
    }

    /// Waits for the end of the program and gives its exit code; `None` when a signal ended it.
    pub fn ends(&mut self, within: Duration) -> Option<u32> {
        let deadline = Instant::now() + within;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            let late = Instant::now() >= deadline;
            assert!(!late, "it did not end\n{}", self.screen().contents());
            std::thread::sleep(Duration::from_millis(2));
        };
        // What it wrote last is still on its way.
        let reading = self.shared.reading.lock().unwrap();
        let open = |reading: &mut Reading| !reading.over && !reading.stopped;
        let left = deadline.saturating_duration_since(Instant::now());
        drop(
            self.shared
                .changed
                .wait_timeout_while(reading, left, open)
                .unwrap(),
        );
        self.look();
        status.signal().is_none().then(|| status.exit_code())
    }

    /// Takes in what was read; whether that is all there will ever be.
    fn look(&mut self) -> bool {
        let mut reading = self.shared.reading.lock().unwrap();
        self.parser.process(&reading.bytes[reading.seen..]);
        reading.seen = reading.bytes.len();
        reading.over
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        // Fails when it has ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The thread that reads what the program writes.
fn read(from: &mut dyn Read, to: &Shared) {
    let mut buffer = [0; 4096];
    loop {
        let reading = to.reading.lock().unwrap();
        drop(
            to.changed
                .wait_while(reading, |reading| reading.stopped)
                .unwrap(),
        );
        let count = from.read(&mut buffer).unwrap_or(0);
        let reading = to.reading.lock().unwrap();
        let mut reading = to
            .changed
            .wait_while(reading, |reading| reading.stopped)
            .unwrap();
        reading.bytes.extend_from_slice(&buffer[..count]);
        reading.over = count == 0 || reading.closed;
        let over = reading.over;
        drop(reading);
        to.changed.notify_all();
        if over {
            return;
        }
    }
}

/// The mode of a terminal, in words that say nothing but whether it is the same as another time.
fn mode(terminal: &dyn MasterPty) -> String {
    format!("{:?}", terminal.get_termios().expect("it has a mode"))
}

fn size(columns: u16, rows: u16) -> PtySize {
    PtySize {
        rows,
        cols: columns,
        ..PtySize::default()
    }
}

fn parser(columns: u16, rows: u16) -> vt100::Parser {
    vt100::Parser::new(rows.try_into().unwrap(), columns.try_into().unwrap(), 0)
}
