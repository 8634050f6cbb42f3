//! Passing over the ticks before the wanted one.
//!
//! A frame holds a minute, and a reader may want the middle of it: what lies before is not parsed whole, only the series
//! that changed are kept. The invariant: the key that then comes out, and the ticks after it, say of every series what
//! reading the whole frame would have said.

use super::{Decoder, ReadError};
use crate::session::line::{self, LineError, Skimmed};
use crate::session::record::{Key, Record};

/// What a decoder keeps until the wanted tick comes.
pub(super) struct Skim {
    /// The wanted tick.
    until: u64,
    /// The latest key, with what the ticks after it changed.
    key: Option<Key>,
}

impl Decoder {
    /// Passes over what comes before the tick `until`: out come a key that stands for that moment, then all the rest.
    pub fn beginning_at(mut self, until: u64) -> Self {
        self.skim = Some(Skim { until, key: None });
        self
    }

    /// Whether the line was passed over. What is damaged is left to the one who reads it whole.
    pub(super) fn pass_over(&mut self, start: usize, end: usize) -> Result<bool, ReadError> {
        let Some(skim) = &mut self.skim else {
            return Ok(false);
        };
        let line = &self.text[start..end];
        match line::skim(line) {
            Ok(Some(tick)) if tick.n < skim.until => {
                self.last_tick = self.last_tick.max(Some(tick.n));
                if let Some(key) = &mut skim.key {
                    bring_forward(key, tick);
                }
                return Ok(true);
            }
            Ok(Some(_)) => {
                if let Some(key) = self.skim.take().and_then(|skim| skim.key) {
                    self.ready.push_back(Record::Key(key));
                }
                return Ok(false);
            }
            Ok(None) | Err(_) => {}
        }
        match line::decode(line) {
            Ok(Record::Key(key)) => {
                let record = Record::Key(key);
                if self.known.admit(&record).is_ok()
                    && let Record::Key(key) = record
                {
                    self.last_tick.get_or_insert(key.tick - 1);
                    skim.key = Some(key);
                }
                Ok(true)
            }
            Err(LineError::Newer { found }) => Err(ReadError::Newer { found }),
            Ok(_) | Err(_) => Ok(true),
        }
    }
}

/// Makes of a key one that stands for the moment after this tick.
fn bring_forward(key: &mut Key, tick: Skimmed) {
    (key.tick, key.at, key.wall) = (tick.n + 1, tick.at, tick.wall);
    let scraped = tick.scrapes.into_iter().flat_map(|scrape| scrape.series);
    for (index, value) in scraped.chain(tick.series) {
        if index >= key.names.series.len() {
            continue;
        }
        if index >= key.series.len() {
            key.series.resize(index + 1, None);
        }
        key.series[index] = value;
    }
}
