//! The one way into the loop: what waits for it.
//!
//! In: events from the feed, the keys, the engine's answers, and signals. Out: one at a time, what a person did first.
//! The invariants: a key never waits behind records, nothing but the feed ever waits for the loop, and memory is bounded
//! by [`ROOM`] events of the feed however fast it reads. A plain channel would have the keys queue behind them.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::event::Event;

/// How many events of a feed may wait before it has to.
pub const ROOM: usize = 8;

/// Something for the loop.
#[derive(Debug)]
pub enum Message {
    /// For the model.
    Event(Event),
    /// From the system.
    Notice(Notice),
}

/// What the system says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// The terminal is gone.
    Hangup,
    /// Someone wants the console to end.
    Terminate,
    /// Someone wants it to stop until it is continued.
    Stop,
    /// It was continued.
    Continued,
    /// The terminal has another size.
    Resized,
    /// The terminal has taken what was written, or is dead.
    Drained,
}

/// The console has ended: nobody takes anything in any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the console has ended")]
pub struct Ended;

#[derive(Debug, Default)]
struct Queue {
    urgent: VecDeque<Message>,
    fed: VecDeque<Event>,
    ended: bool,
}

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    arrived: Condvar,
    room: Condvar,
}

impl Shared {
    // A panic elsewhere leaves the queue whole: every change of it is one call.
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where the loop takes from. Dropping it tells every [`Sender`] that the console has ended.
#[derive(Debug, Default)]
pub struct Inbox {
    shared: Arc<Shared>,
}

/// Puts into the inbox, from any thread.
#[derive(Debug, Clone)]
pub struct Sender {
    shared: Arc<Shared>,
}

impl Inbox {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// A way in.
    pub fn sender(&self) -> Sender {
        Sender {
            shared: Arc::clone(&self.shared),
        }
    }

    /// The next message if one waits.
    pub fn take(&self) -> Option<Message> {
        let mut queue = self.shared.queue();
        if let Some(message) = queue.urgent.pop_front() {
            return Some(message);
        }
        let event = queue.fed.pop_front()?;
        self.shared.room.notify_all();
        Some(Message::Event(event))
    }

    /// Waits until a message is there or `until` has come, forever when that is `None`.
    pub fn wait(&self, until: Option<Instant>) {
        let mut queue = self.shared.queue();
        while queue.urgent.is_empty() && queue.fed.is_empty() {
            let arrived = &self.shared.arrived;
            queue = match until.map(|until| until.saturating_duration_since(Instant::now())) {
                None => arrived.wait(queue).unwrap_or_else(PoisonError::into_inner),
                Some(Duration::ZERO) => return,
                Some(left) => {
                    let waited = arrived.wait_timeout(queue, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        self.shared.queue().ended = true;
        self.shared.room.notify_all();
    }
}

impl Sender {
    /// Puts an event in. What a person did and what answers it goes before what a feed reads, and never waits; the
    /// feed's own waits until there is room.
    ///
    /// # Errors
    /// When the console has ended.
    pub fn send(&self, event: Event) -> Result<(), Ended> {
        let mut queue = self.shared.queue();
        match event {
            Event::Key(_)
            | Event::Paste(_)
            | Event::Resize(..)
            | Event::Answer(_)
            | Event::Series { .. }
            | Event::Done(_) => put(&mut queue.urgent, event),
            Event::Records { .. }
            | Event::Sought { .. }
            | Event::Overview { .. }
            | Event::PlayedOut { .. }
            | Event::Broken { .. }
            | Event::Log { .. } => {
                while queue.fed.len() >= ROOM && !queue.ended {
                    let waited = self.shared.room.wait(queue);
                    queue = waited.unwrap_or_else(PoisonError::into_inner);
                }
                queue.fed.push_back(event);
            }
        }
        let ended = queue.ended;
        drop(queue);
        self.shared.arrived.notify_one();
        if ended { Err(Ended) } else { Ok(()) }
    }

    /// Tells the loop what the system says. Never waits.
    pub fn notice(&self, notice: Notice) {
        self.shared
            .queue()
            .urgent
            .push_back(Message::Notice(notice));
        self.shared.arrived.notify_one();
    }
}

/// Appends, but of sizes that follow on each other keeps the last: a window that is dragged sends hundreds.
fn put(urgent: &mut VecDeque<Message>, event: Event) {
    match (urgent.back_mut(), &event) {
        (Some(Message::Event(last @ Event::Resize(..))), Event::Resize(..)) => *last = event,
        _ => urgent.push_back(Message::Event(event)),
    }
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    reason = "a test says what it expects by unwrapping"
)]
mod tests {
    use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

    use super::*;

    fn key(character: char) -> Event {
        Event::Key(KeyEvent::new(KeyCode::Char(character), KeyModifiers::NONE))
    }

    fn fed(deck: usize) -> Event {
        Event::PlayedOut { deck }
    }

    fn shown(inbox: &Inbox) -> Vec<String> {
        std::iter::from_fn(|| inbox.take())
            .map(|message| match message {
                Message::Event(Event::Key(key)) => key.code.to_string(),
                Message::Event(other) => format!("{other:?}"),
                Message::Notice(notice) => format!("{notice:?}"),
            })
            .collect()
    }

    #[test]
    fn a_key_goes_before_what_the_feed_has_read() {
        let inbox = Inbox::new();
        let sender = inbox.sender();
        sender.send(fed(0)).unwrap();
        sender.send(fed(1)).unwrap();
        sender.send(key('a')).unwrap();
        sender.send(key('b')).unwrap();
        let order = ["a", "b", "PlayedOut { deck: 0 }", "PlayedOut { deck: 1 }"];
        assert_eq!(shown(&inbox), order);
    }

    #[test]
    fn of_a_storm_of_sizes_only_the_last_counts_and_the_order_with_keys_stays() {
        let inbox = Inbox::new();
        let sender = inbox.sender();
        for width in 80..200 {
            sender.send(Event::Resize(width, 24)).unwrap();
        }
        sender.send(key('a')).unwrap();
        sender.send(Event::Resize(90, 30)).unwrap();
        assert_eq!(shown(&inbox), ["Resize(199, 24)", "a", "Resize(90, 30)"]);
    }

    #[test]
    fn a_fast_feed_waits_for_room_and_learns_of_the_end() {
        let inbox = Inbox::new();
        let sender = inbox.sender();
        let feed =
            std::thread::spawn(move || (0..10_000).find(|&deck| sender.send(fed(deck)).is_err()));
        for _ in 0..100 {
            inbox.wait(None);
            assert!(inbox.take().is_some());
        }
        drop(inbox);
        let sent = feed.join().unwrap().unwrap();
        assert!((100..=101 + ROOM).contains(&sent), "{sent}");
    }

    #[test]
    fn waiting_ends_when_its_time_has_come() {
        let inbox = Inbox::new();
        inbox.wait(Some(Instant::now() + Duration::from_millis(1)));
        inbox.sender().notice(Notice::Continued);
        inbox.wait(None);
        assert_eq!(shown(&inbox), ["Continued"]);
    }
}
