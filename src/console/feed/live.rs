//! The growing end of a session file.
//!
//! In: a follower. Out: its records, as many at once as there are. The invariants: a batch is never waited for, so that
//! what was written is seen at once; one who catches up gets few large batches.

use std::fs::File;
use std::time::Duration;

use super::{BATCH, BATCH_TICKS, Post};
use crate::console::event::Event;
use crate::console::model::Side;
use crate::session::dir::is_being_written;
use crate::session::record::Record;
use crate::session::{Followed, Follower};

/// After this long without a record it is looked whether anybody still writes.
const QUIET: Duration = Duration::from_secs(1);

/// Follows until the window ends or the follower is stopped. `file` is another handle of the same file.
pub fn follow<S: Fn(Event)>(mut follower: Follower, file: &File, post: &Post<S>) {
    let deck = post.deck;
    let mut batch = Batch::default();
    let mut said = false;
    loop {
        let wait = if batch.records.is_empty() {
            QUIET
        } else {
            Duration::ZERO
        };
        let outcome = follower.next(wait);
        let full = match &outcome {
            Ok(Followed::Record(_)) => batch.is_full(),
            Ok(Followed::Nothing | Followed::Ended | Followed::Stopped) | Err(_) => true,
        };
        let quiet = batch.records.is_empty();
        if full && !quiet {
            post.send(Event::Records {
                deck,
                side: Side::Live,
                records: std::mem::take(&mut batch).records,
            });
        }
        match outcome {
            Ok(Followed::Record(record)) => {
                said = false;
                batch.push(record);
            }
            Ok(Followed::Nothing) if quiet && !said && !is_being_written(file) => {
                said = true;
                post.broken(&"the engine is gone: the end of its window is not in the session");
            }
            Ok(Followed::Nothing) => {}
            Ok(Followed::Ended) => return post.send(Event::PlayedOut { deck }),
            Ok(Followed::Stopped) => return,
            Err(error) => return post.broken(&error),
        }
    }
}

/// Records on their way.
#[derive(Default)]
struct Batch {
    records: Vec<Record>,
    ticks: usize,
}

impl Batch {
    fn push(&mut self, record: Record) {
        self.ticks += usize::from(matches!(record, Record::Tick(_)));
        self.records.push(record);
    }

    fn is_full(&self) -> bool {
        self.records.len() >= BATCH || self.ticks >= BATCH_TICKS
    }
}
