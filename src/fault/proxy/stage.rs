//! One toxic on one direction of one connection: what goes in, and when it comes out.
//!
//! Pure: the time comes as a number (ns of the monotonic clock), nothing is read or written here. Whatever goes in is
//! stamped with the moment at which it was read; how late it is taken out does not add up. The invariant: what comes out
//! is what went in, in its order, but for what a toxic swallows, and that it says.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;

use super::chance::Dice;
use super::counts::Touch;

/// What flows through a direction of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Item {
    /// Bytes, at least one.
    Data(Bytes),
    /// The sender has no more.
    Fin,
    /// The sender is gone with a reset.
    Reset,
    /// A toxic ends the connection here, both ways.
    Close,
}

impl Item {
    fn len(&self) -> usize {
        match self {
            Self::Data(bytes) => bytes.len(),
            Self::Fin | Self::Reset | Self::Close => 0,
        }
    }
}

/// Which toxic of which injection: the order in which stages stand, and what tells an old one from a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub fault: usize,
    pub toxic: usize,
    /// Number of the injection.
    pub epoch: u64,
}

/// What a stage does, in ns and bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    Delay {
        latency: u64,
        jitter: u64,
    },
    SlowClose {
        delay: u64,
    },
    Pace {
        rate: u64,
    },
    Slice {
        average: u64,
        variation: u64,
        delay: u64,
    },
    Hole,
    Limit {
        bytes: u64,
    },
}

/// Bytes that a stage may hold before its direction stops reading: a sender must not run ahead of a slow link,
/// while what is merely late is on its way, as on a long line.
const ON_THE_LINE: usize = 4 << 20;
const BEFORE_A_SLOW_LINK: usize = 128 << 10;

/// Pieces of a paced stream in a second: one every 8 ms.
const QUANTA: u64 = 125;

/// A toxic at work.
#[derive(Debug)]
pub(super) struct Stage {
    pub key: Key,
    work: Work,
    dice: Dice,
    touch: Rc<Touch>,
    /// Whether bytes are counted here; a fault counts them once a direction.
    counts_bytes: bool,
    queue: VecDeque<(Item, u64)>,
    held: usize,
    /// No item leaves before this.
    clock: u64,
    /// Bytes that may still pass a limit, or that are left of a slice.
    left: u64,
    swallowed: bool,
    ended: bool,
}

pub(super) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX / 4)
}

impl Stage {
    pub fn new(key: Key, work: Work, dice: Dice, touch: Rc<Touch>, counts_bytes: bool) -> Self {
        let left = match work {
            Work::Limit { bytes } => bytes,
            Work::Delay { .. }
            | Work::SlowClose { .. }
            | Work::Pace { .. }
            | Work::Slice { .. }
            | Work::Hole => 0,
        };
        Self {
            key,
            work,
            dice,
            touch,
            counts_bytes,
            queue: VecDeque::new(),
            held: 0,
            clock: 0,
            left,
            swallowed: false,
            ended: false,
        }
    }

    /// Takes what came at a moment.
    pub fn push(&mut self, item: Item, at: u64) {
        self.count(&item);
        match self.work {
            Work::Delay { latency, jitter } => {
                let spread = self.dice.up_to(2 * jitter);
                let at = at.saturating_add((latency + spread).saturating_sub(jitter));
                self.hold(item, at);
            }
            Work::SlowClose { delay } => {
                let late = matches!(item, Item::Fin | Item::Close);
                let at = at.saturating_add(if late { delay } else { 0 });
                self.hold(item, at);
            }
            Work::Pace { .. } | Work::Slice { .. } => {
                self.held += item.len();
                self.queue.push_back((item, at));
            }
            Work::Hole => match item {
                Item::Data(_) => self.swallowed = true,
                Item::Fin | Item::Reset => self.ended = true,
                Item::Close => self.hold(item, at),
            },
            Work::Limit { .. } => self.limit(item, at),
        }
    }

    fn count(&self, item: &Item) {
        let felt = match (self.work, item) {
            (Work::Delay { .. } | Work::Hole, _) => true,
            (Work::SlowClose { .. }, item) => matches!(item, Item::Fin | Item::Close),
            (Work::Pace { .. } | Work::Slice { .. }, item) => matches!(item, Item::Data(_)),
            (Work::Limit { .. }, item) => item.len() as u64 >= self.left && item.len() > 0,
        };
        if felt {
            self.touch.felt();
            if self.counts_bytes {
                self.touch.bytes(item.len());
            }
        }
    }

    /// Keeps an item until a moment, or until the one before it has left.
    fn hold(&mut self, item: Item, at: u64) {
        self.clock = self.clock.max(at);
        self.held += item.len();
        self.queue.push_back((item, self.clock));
    }

    fn limit(&mut self, item: Item, at: u64) {
        match item {
            // The end was sent already.
            _ if self.ended => {}
            Item::Data(mut bytes) => {
                let room = usize::try_from(self.left).unwrap_or(usize::MAX);
                bytes.truncate(room);
                self.left -= bytes.len() as u64;
                if !bytes.is_empty() {
                    self.hold(Item::Data(bytes), at);
                }
                if self.left == 0 {
                    self.ended = true;
                    self.hold(Item::Close, at);
                }
            }
            item @ (Item::Fin | Item::Reset | Item::Close) => self.hold(item, at),
        }
    }

    /// When the next item leaves; it may have passed.
    pub fn due(&self) -> Option<u64> {
        let (item, at) = self.queue.front()?;
        Some(match self.work {
            Work::Delay { .. } | Work::SlowClose { .. } | Work::Hole | Work::Limit { .. } => *at,
            // A piece that has begun goes on as soon as there is more of it.
            Work::Slice { delay, .. } if self.left > 0 && item.len() > 0 => {
                self.clock.saturating_sub(delay).max(*at)
            }
            Work::Slice { .. } => self.clock.max(*at),
            Work::Pace { rate } => {
                let piece = quantum(rate).min(item.len() as u64);
                self.clock.max(*at).saturating_add(time_for(piece, rate))
            }
        })
    }

    /// The next item if its moment has come, with that moment.
    pub fn pop(&mut self, now: u64) -> Option<(Item, u64)> {
        let due = self.due().filter(|due| *due <= now)?;
        let most = match self.work {
            Work::Pace { rate } => {
                self.clock = due;
                quantum(rate)
            }
            Work::Slice { .. } => self.slice(due),
            Work::Delay { .. } | Work::SlowClose { .. } | Work::Hole | Work::Limit { .. } => {
                u64::MAX
            }
        };
        let (item, at) = self.queue.pop_front()?;
        let item = match item {
            Item::Data(mut bytes) if bytes.len() as u64 > most => {
                let piece = bytes.split_to(most as usize);
                self.queue.push_front((Item::Data(bytes), at));
                Item::Data(piece)
            }
            whole => whole,
        };
        self.held -= item.len();
        if let Work::Slice { .. } = self.work {
            self.left = self.left.saturating_sub(item.len() as u64);
        }
        Some((item, due))
    }

    /// Bytes left of the piece that is being sent, or of the next one, which then begins.
    fn slice(&mut self, now: u64) -> u64 {
        let Work::Slice {
            average,
            variation,
            delay,
        } = self.work
        else {
            return u64::MAX;
        };
        if self.left == 0 {
            let size = average - variation.min(average) + self.dice.up_to(2 * variation);
            self.left = size.max(1);
            self.clock = now.saturating_add(delay);
        }
        self.left
    }

    /// Everything that is still here, in its order.
    pub fn empty(&mut self) -> impl Iterator<Item = Item> + use<> {
        self.held = 0;
        std::mem::take(&mut self.queue)
            .into_iter()
            .map(|(item, _)| item)
    }

    /// Whether it can take more.
    pub fn room(&self) -> bool {
        match self.work {
            Work::Delay { .. } => self.held < ON_THE_LINE,
            Work::Pace { .. } | Work::Slice { .. } => self.held < BEFORE_A_SLOW_LINK,
            Work::SlowClose { .. } | Work::Hole | Work::Limit { .. } => true,
        }
    }

    /// Bytes that it holds.
    pub fn held(&self) -> usize {
        self.held
    }

    /// Whether something of the stream is gone for good.
    pub fn swallowed(&self) -> bool {
        matches!(self.work, Work::Hole) && (self.swallowed || self.ended)
    }

    /// Whether it swallows what comes.
    pub fn is_hole(&self) -> bool {
        self.work == Work::Hole
    }
}

/// Bytes of one piece of a paced stream.
fn quantum(rate: u64) -> u64 {
    (rate / QUANTA).max(1)
}

/// ns that so many bytes take.
fn time_for(bytes: u64, rate: u64) -> u64 {
    (u128::from(bytes) * 1_000_000_000 / u128::from(rate.max(1))) as u64
}

#[cfg(test)]
#[path = "stage_tests.rs"]
mod tests;
