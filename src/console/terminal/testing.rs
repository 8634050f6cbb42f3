//! A terminal for tests.

#![allow(
    clippy::unwrap_used,
    reason = "a test says what it expects by unwrapping"
)]

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex};

use super::writer::Out;

/// A terminal that keeps every write, and that can be made to stop reading or to die.
#[derive(Debug, Default)]
pub struct Screen {
    writes: Mutex<Vec<Vec<u8>>>,
    blocked: Mutex<bool>,
    released: Condvar,
    /// How often what waited for it was thrown away.
    pub discarded: AtomicUsize,
    /// Nobody is there any more.
    pub gone: AtomicBool,
}

impl Out for Screen {
    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let blocked = self.blocked.lock().unwrap();
        drop(self.released.wait_while(blocked, |blocked| *blocked));
        if self.gone.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.writes.lock().unwrap().push(bytes.to_vec());
        Ok(())
    }

    fn discard(&self) {
        self.discarded.fetch_add(1, Ordering::SeqCst);
        self.block(false);
    }
}

impl Screen {
    /// Makes it stop reading, or read on.
    pub fn block(&self, blocked: bool) {
        *self.blocked.lock().unwrap() = blocked;
        self.released.notify_all();
    }

    /// Every write, in order.
    pub fn writes(&self) -> Vec<String> {
        let writes = self.writes.lock().unwrap();
        let text = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).into_owned();
        writes.iter().map(text).collect()
    }

    /// What a person sees.
    pub fn seen(&self, (columns, rows): (u16, u16)) -> vt100::Parser {
        let mut parser =
            vt100::Parser::new(rows.try_into().unwrap(), columns.try_into().unwrap(), 0);
        for bytes in self.writes.lock().unwrap().iter() {
            parser.process(bytes);
        }
        parser
    }
}
