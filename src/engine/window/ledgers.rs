//! Writes of ledgers: gathered with each tick, those near an injection before all others, and read back when the load has
//! ended, before the recording is closed.

use std::time::Duration;

use super::{Signals, Window, breaking};
use crate::history::History;
use crate::history::injections::WRITES_US;
use crate::load::clock::Nanos;
use crate::load::ledger::{Book, Near, Reader, Reading, Write};
use crate::session::record::Happening;

/// How long the reading may hold up the end of a window. What has not been read by then stays unknown.
const LIMIT: Duration = Duration::from_mins(5);

/// The ledgers of a window.
pub(super) struct Ledgers(Vec<(Reader, Book)>);

impl Ledgers {
    /// `seed` decides which writes are kept when there are too many.
    pub(super) fn new(readers: Vec<Reader>, seed: u64) -> Self {
        let books = readers.into_iter().map(|reader| (reader, Book::new(seed)));
        Self(books.collect())
    }

    /// Takes in what was written until `now`, and decides what of it is worth keeping: what is near an injection.
    pub(super) fn add(&mut self, writes: Vec<Write>, now: Nanos, history: &History) {
        if self.0.is_empty() {
            return;
        }
        for write in writes {
            if let Some((_, book)) = self.0.get_mut(write.ledger) {
                book.add(write);
            }
        }
        let near = near(history);
        for (_, book) in &mut self.0 {
            book.decide(now.saturating_sub(WRITES_US * 1000), &near);
        }
    }
}

fn near(history: &History) -> Near {
    let nanos = |micros: u64| micros.saturating_mul(1000);
    let injections = history.injections().iter();
    Near::new(injections.map(|it| {
        let (from, until) = it.near();
        (nanos(from), nanos(until))
    }))
}

impl Window {
    /// Reads the writes back and notes what became of them. A signal ends it; people are answered meanwhile.
    pub(super) async fn read_back(&mut self, signals: &mut Signals) {
        let mut ledgers = std::mem::take(&mut self.ledgers.0);
        ledgers.retain(|(_, book)| !book.is_empty());
        if ledgers.is_empty() {
            return;
        }
        let near = near(&self.history);
        for (reader, book) in &mut ledgers {
            book.close(&near);
            if let Some(text) = book.sampled(&reader.read.name) {
                self.warn(text);
            }
        }
        let mut reading = match Reading::start(ledgers, LIMIT) {
            Ok(reading) => reading,
            Err(error) => {
                self.warn(format!("the ledgers are not read back: {error}"));
                return;
            }
        };
        let mut orders_open = true;
        loop {
            tokio::select! {
                found = &mut reading.found => {
                    let failed = found.is_err();
                    for ledger in found.unwrap_or_default() {
                        self.note(None, Happening::Ledger(Box::new(ledger)));
                    }
                    if failed {
                        self.warn("the ledgers were not read back".into());
                    }
                    return;
                }
                order = self.orders.recv(), if orders_open => match order {
                    Some(call) => self.on_call(call),
                    None => orders_open = false,
                },
                seen = breaking::next(&mut self.keeper) => self.on_seen(seen),
                _ = signals.next() => reading.stop(),
            }
        }
    }
}
