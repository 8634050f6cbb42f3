//! One direction of a connection: the toxics on it, in the order of the profile, and what may be written by now.
//!
//! ```text
//!   read ─▶ stage ─▶ stage ─▶ … ─▶ out ─▶ written
//! ```
//!
//! Without stages nothing is kept but what the other side does not take. A stage that goes away hands on what it holds,
//! at once and in order; so toxics come and go while bytes are under way.

use std::collections::VecDeque;

use bytes::{Buf, Bytes};

use super::stage::{Item, Stage};

/// Bytes that may wait to be written before reading stops.
const UNWRITTEN: usize = 64 << 10;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Link {
    stages: Vec<Stage>,
    out: VecDeque<Item>,
    unwritten: usize,
}

impl Link {
    /// Takes what came at a moment.
    pub fn feed(&mut self, item: Item, at: u64) {
        match self.stages.first_mut() {
            Some(stage) => stage.push(item, at),
            None => self.emit(item),
        }
    }

    fn emit(&mut self, item: Item) {
        if let Item::Data(bytes) = &item {
            self.unwritten += bytes.len();
        }
        self.out.push_back(item);
    }

    /// Moves on whatever may by now.
    pub fn advance(&mut self, now: u64) {
        for index in 0..self.stages.len() {
            while let Some((item, at)) = self.stages[index].pop(now) {
                match self.stages.get_mut(index + 1) {
                    Some(next) => next.push(item, at),
                    None => self.emit(item),
                }
            }
        }
    }

    /// When [`advance`](Self::advance) has something to do next.
    pub fn due(&self) -> Option<u64> {
        self.stages.iter().filter_map(Stage::due).min()
    }

    /// What is to be written next.
    pub fn front(&self) -> Option<&Item> {
        self.out.front()
    }

    /// So many bytes of the front were written.
    pub fn wrote(&mut self, written: usize) {
        let Some(Item::Data(bytes)) = self.out.front_mut() else {
            return;
        };
        bytes.advance(written);
        self.unwritten -= written;
        if bytes.is_empty() {
            self.out.pop_front();
        }
        self.shrink();
    }

    /// The front, which is no data, was dealt with.
    pub fn passed(&mut self) {
        self.out.pop_front();
        self.shrink();
    }

    /// An idle connection holds nothing.
    fn shrink(&mut self) {
        if self.out.is_empty() && self.out.capacity() > 0 {
            self.out = VecDeque::new();
        }
    }

    /// What was read can be written straight away.
    pub fn is_direct(&self) -> bool {
        self.stages.is_empty() && self.out.is_empty()
    }

    /// Keeps what could not be written straight away.
    pub fn keep(&mut self, bytes: &[u8]) {
        self.emit(Item::Data(Bytes::copy_from_slice(bytes)));
    }

    /// Whether more may be read.
    pub fn room(&self) -> bool {
        self.unwritten < UNWRITTEN && self.stages.iter().all(Stage::room)
    }

    /// Bytes held.
    pub fn held(&self) -> usize {
        self.unwritten + self.stages.iter().map(Stage::held).sum::<usize>()
    }

    /// Gives up what is not written yet; nothing will be any more.
    pub fn give_up(&mut self) {
        *self = Self::default();
    }

    /// Puts these toxics in the place of those before, which keep their state where they stay. Returns whether one went
    /// that had swallowed a part of the stream, which can therefore not go on.
    pub fn change(&mut self, wanted: Vec<Stage>, now: u64) -> bool {
        let mut torn = false;
        let mut next: Vec<Stage> = Vec::with_capacity(wanted.len());
        let old = std::mem::take(&mut self.stages);
        let stays = |stage: &Stage| wanted.iter().any(|new| new.key == stage.key);
        // From the end, so that what a stage hands on arrives behind what is further on its way.
        let mut behind: Vec<Stage> = Vec::new();
        for mut stage in old.into_iter().rev() {
            if stays(&stage) {
                behind.push(stage);
                continue;
            }
            torn |= stage.swallowed();
            for item in stage.empty() {
                match behind.last_mut() {
                    Some(next) => next.push(item, now),
                    None => self.emit(item),
                }
            }
        }
        for new in wanted {
            match behind.iter().position(|old| old.key == new.key) {
                Some(place) => next.push(behind.swap_remove(place)),
                None => next.push(new),
            }
        }
        self.stages = next;
        torn
    }

    /// Whether a toxic swallows what comes.
    pub fn is_hole(&self) -> bool {
        self.stages.iter().any(Stage::is_hole)
    }
}

#[cfg(test)]
#[path = "link_tests.rs"]
mod tests;
