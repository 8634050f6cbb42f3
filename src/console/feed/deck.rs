//! The thread of a deck: moments of a recording, playing, the overview, the log.
//!
//! In: what is asked for, and the clock. Out: events of the past of one session; of a window that runs also the thread
//! that follows it. The invariant: it waits for the next thing that is due, and for nothing else.

use std::collections::VecDeque;
use std::fs::File;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::live;
use super::log::Log;
use super::play::{Clock, Played, Player};
use super::recording::Recording;
use super::{Ask, Post};
use crate::console::event::{Event, Speed};
use crate::console::model::Side;
use crate::session::dir::log_of;
use crate::session::follow::Stopper;
use crate::session::record::Record;
use crate::session::{Follower, ReadError};

/// How often the overview of a growing file is made anew.
const OVERVIEW: Duration = Duration::from_secs(10);
/// How often a log is looked at.
const LOG: Duration = Duration::from_secs(1);

/// How a deck's session comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Live,
    Recording,
    Stream,
}

/// One deck.
pub struct Deck<S> {
    file: File,
    path: Option<PathBuf>,
    kind: Kind,
    post: Post<S>,
    /// `None` until the file is a session.
    recording: Option<Recording>,
    /// Whoever reads on from the moment sought last.
    player: Option<Player>,
    clock: Option<Clock>,
    /// Playing waits for more of a stream.
    starved: bool,
    /// More may come.
    growing: bool,
    overview: Option<Instant>,
    /// An overview was sent; another one takes a change of the file.
    glanced: bool,
    log: Log,
    log_due: Option<Instant>,
    follower: Option<(JoinHandle<()>, Stopper)>,
}

impl<S: Fn(Event) + Send + Clone + 'static> Deck<S> {
    pub fn new(file: File, path: Option<PathBuf>, kind: Kind, post: Post<S>) -> Self {
        let log = Log::new(path.as_deref().map(log_of).unwrap_or_default());
        Self {
            file,
            path,
            kind,
            post,
            recording: None,
            player: None,
            clock: None,
            starved: false,
            growing: kind != Kind::Recording,
            overview: None,
            glanced: false,
            log,
            log_due: None,
            follower: None,
        }
    }

    /// Works until it is told to stop.
    pub fn run(mut self, asked: &Receiver<Ask>) {
        self.attempt(Self::begin);
        let mut waiting = VecDeque::new();
        while !self.post.stopped() {
            if !self.listen(asked, &mut waiting) {
                break;
            }
            while let Some(ask) = next(&mut waiting) {
                if ask == Ask::Stop {
                    break;
                }
                self.attempt(|deck| deck.answer(ask));
            }
            self.attempt(Self::work);
        }
        if let Some((thread, stopper)) = self.follower.take() {
            stopper.stop();
            let _ = thread.join();
        }
    }

    /// Does something; what goes wrong is said, and playing stops.
    fn attempt(&mut self, what: impl FnOnce(&mut Self) -> Result<(), ReadError>) {
        if let Err(error) = what(self) {
            self.clock = None;
            self.post.broken(&error);
        }
    }

    /// Waits until something is asked for or due. False when nobody can ask any more.
    fn listen(&mut self, asked: &Receiver<Ask>, waiting: &mut VecDeque<Ask>) -> bool {
        let playing = match (&self.clock, &mut self.player) {
            (Some(clock), Some(player)) if !self.starved => {
                // At its end, or where it cannot be read: work says so.
                let due = player.next_due(clock).ok().flatten();
                Some(due.unwrap_or_else(Instant::now))
            }
            _ => None,
        };
        // For the moments that will be sought, while nothing else is due.
        let behind = self.recording.as_ref().is_some_and(Recording::is_behind);
        let gathering = behind.then(Instant::now);
        let due = [playing, self.overview, self.log_due, gathering]
            .into_iter()
            .flatten()
            .min();
        let first = match due {
            None => asked.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(due) => asked.recv_timeout(due.saturating_duration_since(Instant::now())),
        };
        match first {
            Ok(ask) => waiting.push_back(ask),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return false,
        }
        waiting.extend(asked.try_iter());
        true
    }

    fn begin(&mut self) -> Result<(), ReadError> {
        if self.kind == Kind::Stream {
            return Ok(());
        }
        self.look()?;
        let Some(recording) = &mut self.recording else {
            if self.kind == Kind::Live {
                return self.follow(0);
            }
            self.post.broken(&"the session holds no whole record");
            return Ok(());
        };
        let stop = self.post.clone();
        match self.kind {
            Kind::Recording => self.seek(1)?,
            Kind::Live => {
                while !stop.stopped() && recording.gather()? {}
                self.attach()?;
            }
            Kind::Stream => {}
        }
        self.overview = Some(Instant::now());
        Ok(())
    }

    /// Looks at the file; says whether there is something new.
    fn look(&mut self) -> Result<bool, ReadError> {
        if let Some(recording) = &mut self.recording {
            return recording.refresh();
        }
        let recording = Recording::of(self.file.try_clone()?)?;
        let any = !recording.index().frames.is_empty();
        self.recording = any.then_some(recording);
        Ok(any)
    }

    /// Shows what there is of a window and follows it from there.
    fn attach(&mut self) -> Result<(), ReadError> {
        let Some(recording) = &mut self.recording else {
            return Ok(());
        };
        let sealed = recording
            .index()
            .frames
            .iter()
            .rfind(|frame| frame.has_trailer());
        let Some(sealed) = sealed.cloned() else {
            return self.follow(0);
        };
        // No further: whoever follows begins there, and the file grows meanwhile.
        let last = sealed.ticks.end - 1;
        let (mut history, mut player) = recording.up_to(last, last)?;
        player.read_frame(|record| history.apply(&record))?;
        let ended = history.end().is_some();
        let deck = self.post.deck;
        self.post.send(Event::Sought {
            deck,
            side: Side::Live,
            history: Box::new(history),
        });
        if ended {
            self.post.send(Event::PlayedOut { deck });
            return Ok(());
        }
        self.follow(sealed.next_offset())
    }

    fn follow(&mut self, offset: u64) -> Result<(), ReadError> {
        let follower = match &self.path {
            Some(path) => Follower::from_offset(path, offset)?,
            None => Follower::of(self.file.try_clone()?, offset)?,
        };
        let stopper = follower.stopper();
        let (file, post) = (self.file.try_clone()?, self.post.clone());
        let thread = std::thread::Builder::new()
            .name(format!("live-{}", post.deck))
            .spawn(move || live::follow(follower, &file, &post))?;
        self.follower = Some((thread, stopper));
        self.overview = Some(Instant::now() + OVERVIEW);
        Ok(())
    }

    fn answer(&mut self, ask: Ask) -> Result<(), ReadError> {
        match ask {
            Ask::Seek(tick) => self.seek(tick)?,
            Ask::Play(speed) => {
                if self.player.is_none() {
                    self.seek(1)?;
                }
                let at = self.player.as_ref().map_or(0, |player| player.at);
                self.clock = Some(Clock::start(speed, at, Instant::now()));
                self.starved = false;
            }
            Ask::Pause => self.clock = None,
            Ask::WatchLog(on) => {
                self.log = Log::new(self.path.as_deref().map(log_of).unwrap_or_default());
                self.log_due = on.then(Instant::now);
            }
            Ask::Grown => {
                self.starved = false;
                if self.recording.is_none() && self.look()? {
                    self.seek(1)?;
                }
                self.overview
                    .get_or_insert_with(|| Instant::now() + OVERVIEW);
            }
            Ask::Complete => {
                (self.growing, self.starved) = (false, false);
                if self.recording.is_none() && !self.look()? {
                    self.post.broken(&"standard input held no whole record");
                } else if self.player.is_none() {
                    self.seek(1)?;
                }
                self.overview = Some(Instant::now());
            }
            Ask::Stop => {}
        }
        Ok(())
    }

    fn seek(&mut self, tick: u64) -> Result<(), ReadError> {
        self.look()?;
        let Some(recording) = &mut self.recording else {
            return Ok(());
        };
        let (history, player) = recording.history(tick)?;
        if let Some(clock) = &self.clock {
            self.clock = Some(Clock::start(clock.speed(), player.at, Instant::now()));
        }
        self.player = Some(player);
        self.starved = false;
        self.post.send(Event::Sought {
            deck: self.post.deck,
            side: Side::Past,
            history: Box::new(history),
        });
        Ok(())
    }

    /// Does what is due.
    fn work(&mut self) -> Result<(), ReadError> {
        let now = Instant::now();
        let past = |due: Option<Instant>| due.is_some_and(|due| due <= now);
        if past(self.log_due) {
            self.log_due = Some(now + LOG);
            if let Some(lines) = self.log.changed() {
                let deck = self.post.deck;
                self.post.send(Event::Log { deck, lines });
            }
        }
        if past(self.overview) {
            self.glance(now)?;
        } else if let Some(recording) = self.recording.as_mut().filter(|it| it.is_behind()) {
            recording.gather()?;
        }
        self.play(now)
    }

    fn glance(&mut self, now: Instant) -> Result<(), ReadError> {
        // A live window is looked at again and again, a stream when there is more of it.
        self.overview = (self.growing && self.kind == Kind::Live).then_some(now + OVERVIEW);
        let new = self.look()?;
        let Some(recording) = self.recording.as_mut().filter(|_| new || !self.glanced) else {
            return Ok(());
        };
        self.glanced = self.kind != Kind::Stream;
        let stop = self.post.clone();
        recording.survey(|| stop.stopped())?;
        let overview = Box::new(recording.overview()?);
        let deck = self.post.deck;
        self.post.send(Event::Overview { deck, overview });
        Ok(())
    }

    fn play(&mut self, now: Instant) -> Result<(), ReadError> {
        let (Some(clock), Some(player)) = (&mut self.clock, &mut self.player) else {
            return Ok(());
        };
        if self.starved {
            return Ok(());
        }
        let deck = self.post.deck;
        let (records, at_end) = match player.play(clock, now)? {
            Played::Some(records) => (records, false),
            Played::Last(records) => (records, true),
        };
        let stepped = clock.speed() == Speed::Step
            && records
                .iter()
                .any(|record| matches!(record, Record::Tick(_)));
        if !records.is_empty() {
            let side = Side::Past;
            self.post.send(Event::Records {
                deck,
                side,
                records,
            });
        }
        if stepped {
            self.clock = None;
        } else if at_end && !self.go_on()? {
            match self.kind {
                Kind::Stream if self.growing => self.starved = true,
                Kind::Stream | Kind::Live | Kind::Recording => {
                    self.clock = None;
                    self.post.send(Event::PlayedOut { deck });
                }
            }
        }
        Ok(())
    }

    /// Opens a file that has grown again, to read on from where its end was. False when nothing has come.
    fn go_on(&mut self) -> Result<bool, ReadError> {
        let new = self.look()?;
        let (Some(recording), Some(player)) = (&self.recording, &mut self.player) else {
            return Ok(false);
        };
        if !new && recording.index().last_tick() <= player.tick {
            return Ok(false);
        }
        player.go_on_with(recording.index().seek(player.tick + 1)?);
        player.has_more()
    }
}

/// The next thing to do. Of several places to seek in a row, only the last is.
fn next(waiting: &mut VecDeque<Ask>) -> Option<Ask> {
    let mut first = waiting.pop_front()?;
    while let (Ask::Seek(_), Some(Ask::Seek(_))) = (first, waiting.front()) {
        first = waiting.pop_front()?;
    }
    if first == Ask::Grown {
        while waiting.front() == Some(&Ask::Grown) {
            waiting.pop_front();
        }
    }
    Some(first)
}
