//! A session file, and the fold of it up to any moment.
//!
//! In: an open session file, which may still grow. Out: histories. All but the last 15 minutes before the moment are
//! folded by the sums of their frames, see [`crate::history::stretch`]; these are kept: four minutes of a frame's sums in
//! one for the whole recording, single frames as far as `SINGLES` bytes go. The invariant: what is kept does not depend
//! on the moments asked for, and is shared with the histories that were made of it.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::closer::Closer;
use super::count::Counted;
use super::play::Player;
use crate::history::{History, MINUTES_JOINED, Stretch, TENS, full_ticks};
use crate::session::record::{Key, Names, Record, Window};
use crate::session::{FrameInfo, Index, ReadError};

/// Memory that the sums of single frames may take, bytes.
const SINGLES: usize = 7 << 20;
/// Frames whose sums are decoded at once, by all cores.
pub(super) const AHEAD: usize = 64;
/// Records that are handed over at once between the thread that reads and the one that folds.
const PORTION: usize = 16;

/// A session file with what is known of it.
#[derive(Debug)]
pub struct Recording {
    file: File,
    length: u64,
    index: Index,
    window: Option<Window>,
    pub(super) names: Names,
    singles: Singles,
    joined: BTreeMap<u64, Joined>,
    /// The cell that is not whole yet: its number, and what was joined of it.
    joining: Option<(u64, Joined)>,
    /// Frames that are part of `joined` and `joining`.
    gathered: usize,
    /// They could not be read the last time, and are not tried again before they are needed.
    unreadable: bool,
    pub(super) counted: Counted,
    pub(super) closer: Closer,
    /// How far before a moment frames are folded one by one, µs: less than a history of a running window keeps minutes,
    /// since a moment that was sought should show at once.
    pub(super) apart_us: u64,
}

/// The sums of frames that lie in one cell of the coarsest level.
#[derive(Debug, Clone)]
struct Joined {
    /// Places in the index.
    frames: Range<usize>,
    /// In order; one a phase. `None` when a frame has to be read.
    stretches: Option<Vec<Stretch>>,
}

/// Sums of frames by place; the oldest entries go first.
#[derive(Debug, Default)]
struct Singles {
    by_place: HashMap<usize, Option<Arc<Stretch>>>,
    order: VecDeque<usize>,
    bytes: usize,
}

impl Recording {
    /// Takes a look at an open session file.
    pub fn of(file: File) -> Result<Self, ReadError> {
        let length = file.metadata()?.len();
        let index = Index::of(file.try_clone()?)?;
        let mut recording = Self {
            file,
            length,
            index,
            window: None,
            names: Names::default(),
            singles: Singles::default(),
            joined: BTreeMap::new(),
            joining: None,
            gathered: 0,
            unreadable: false,
            counted: Counted::default(),
            closer: Closer::default(),
            apart_us: TENS,
        };
        recording.look()?;
        Ok(recording)
    }

    /// Takes another look if the file has changed; says whether it has.
    pub fn refresh(&mut self) -> Result<bool, ReadError> {
        let length = self.file.metadata()?.len();
        if length == self.length {
            return Ok(false);
        }
        self.index = Index::of(self.file.try_clone()?)?;
        self.length = length;
        self.look()?;
        Ok(true)
    }

    /// Reads the window, which follows the first key, and the newest names.
    fn look(&mut self) -> Result<(), ReadError> {
        if self.window.is_none() && !self.index.frames.is_empty() {
            let mut reader = self.index.read_from(0)?;
            for _ in 0..3 {
                if let Some(Record::Window(window)) = reader.next_record()? {
                    self.window = Some(*window);
                }
            }
        }
        if let Some(last) = self.index.frames.len().checked_sub(1)
            && let Some(Record::Key(key)) = self.index.read_from(last)?.next_record()?
        {
            self.names = key.names;
        }
        Ok(())
    }

    /// Its frames.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// What is run; `None` as long as its record has not been seen.
    pub fn window(&self) -> Option<&Window> {
        self.window.as_ref()
    }

    /// Length of a tick, µs.
    pub fn tick_us(&self) -> u64 {
        self.window
            .as_ref()
            .map_or(1_000_000, |window| window.tick_us)
            .max(1)
    }

    /// The fold of everything up to a tick, and whoever reads on from there. Past the end it is the fold of all.
    pub fn history(&mut self, tick: u64) -> Result<(History, Player), ReadError> {
        let last = self.index.last_tick();
        let until = if tick >= last { u64::MAX } else { tick };
        self.up_to(tick.min(last), until)
    }

    /// The fold of everything up to `until`, the ticks before `tick` from as far back as they are kept one by one.
    pub(super) fn up_to(&mut self, tick: u64, until: u64) -> Result<(History, Player), ReadError> {
        let cut = tick.saturating_sub(full_ticks(self.tick_us()));
        let sealed = self.index.frames.iter().take_while(|frame| {
            frame.ticks.end <= cut.saturating_add(1) && frame.ticks.start <= frame.ticks.end
        });
        let place = sealed.count();
        let mut history = History::new();
        if place == 0 {
            let mut player = Player::new(self.index.read_from(0)?);
            player.read_to(until, |record| history.apply(&record))?;
            return Ok((history, player));
        }
        let mut player = Player::new(self.index.read_from(place)?);
        let (portions, ready) = sync_channel(2);
        let player = std::thread::scope(|scope| {
            // Ticks are parsed on another thread while the sums are folded here.
            let reading = scope.spawn(move || {
                let outcome = read_portions(&mut player, until, &portions);
                outcome.map(|()| player)
            });
            let folded = self.fold(&mut history, place, tick, &ready);
            drop(ready);
            let player = reading.join().map_err(|_| {
                ReadError::Io(io::Error::other("the thread that reads the session died"))
            })?;
            folded.and(player)
        })?;
        self.look_closer(&mut history)?;
        Ok((history, player))
    }

    /// Folds the frames before `place` by their sums, then what comes.
    fn fold(
        &mut self,
        history: &mut History,
        place: usize,
        tick: u64,
        ready: &Receiver<Vec<Record>>,
    ) -> Result<(), ReadError> {
        let names = Record::Key(Key {
            names: self.names.clone(),
            ..Key::default()
        });
        history.apply(&names);
        if let Some(window) = &self.window {
            history.apply(&Record::Window(Box::new(window.clone())));
        }
        let old = tick.saturating_sub(self.apart_us / self.tick_us());
        let frames = &self.index.frames;
        let apart = frames.partition_point(|frame| frame.ticks.end <= old);
        while self.gathered < apart && self.gather()? {}
        let mut next = 0;
        while next < place {
            let cell = self.cell(&self.index.frames[next]);
            let end = (cell + 1).saturating_mul(self.cell_width());
            let joined = self.joined.get(&cell).filter(|joined| {
                end <= old && joined.frames.start == next && joined.frames.end <= place
            });
            if let Some(Joined {
                frames,
                stretches: Some(stretches),
            }) = joined
            {
                for stretch in stretches {
                    history.apply_stretch(stretch);
                }
                next = frames.end;
                continue;
            }
            if let Some(stretch) = self.single(next, place)? {
                history.apply_stretch(&stretch);
            } else {
                let mut reader = self.index.read_frame(&self.index.frames[next])?;
                while let Some(record) = reader.next_record()? {
                    history.apply(&record);
                }
            }
            next += 1;
        }
        for portion in ready {
            for record in &portion {
                history.apply(record);
            }
        }
        Ok(())
    }

    fn cell_width(&self) -> u64 {
        (60_000_000 * MINUTES_JOINED / self.tick_us()).max(1)
    }

    fn cell(&self, frame: &FrameInfo) -> u64 {
        frame.ticks.start.saturating_sub(1) / self.cell_width()
    }

    /// The sums of the frame at this place, and in one go of those up to `end` that will be wanted next; `None` when its records have to be read.
    fn single(&mut self, place: usize, end: usize) -> io::Result<Option<Arc<Stretch>>> {
        if let Some(known) = self.singles.by_place.get(&place) {
            return Ok(known.clone());
        }
        // What has no trailer yet may get one, and is not kept.
        if !self.index.frames[place].has_trailer() {
            return Ok(None);
        }
        self.decode_from(place, end)?;
        Ok(self.singles.by_place.get(&place).cloned().flatten())
    }

    /// Decodes the sums of the next frames that are not known, before `end`.
    fn decode_from(&mut self, place: usize, end: usize) -> io::Result<()> {
        let unknown = |place: &usize| {
            let known = self.singles.by_place.contains_key(place);
            self.index.frames[*place].has_trailer() && !known
        };
        let wanted: Vec<usize> = (place..end).take(AHEAD).filter(unknown).collect();
        let decoded = self.on_all_cores(&wanted, Self::decode)?;
        for (place, stretch) in wanted.into_iter().zip(decoded) {
            self.singles.keep(place, stretch.map(Arc::new));
        }
        Ok(())
    }

    /// Does the same for each of these frames, in order.
    pub(super) fn on_all_cores<T: Send>(
        &self,
        places: &[usize],
        each: impl Fn(&Self, &FrameInfo) -> io::Result<T> + Sync,
    ) -> io::Result<Vec<T>> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let part = places.len().div_ceil(cores.min(4)).max(8);
        let each = |&place: &usize| each(self, &self.index.frames[place]);
        let each = &each;
        let done = std::thread::scope(|scope| {
            let parts: Vec<_> = places
                .chunks(part)
                .map(|part| scope.spawn(move || part.iter().map(each).collect()))
                .collect();
            let died = |_| Err(io::Error::other("a thread that decodes sums died"));
            parts
                .into_iter()
                .map(|part| part.join().unwrap_or_else(died))
                .collect::<io::Result<Vec<Vec<T>>>>()
        })?;
        Ok(done.into_iter().flatten().collect())
    }

    fn decode(&self, frame: &FrameInfo) -> io::Result<Option<Stretch>> {
        let sums = self.index.aggregates(frame)?;
        Ok(sums.and_then(|sums| Stretch::of(frame, &sums, self.tick_us())))
    }

    /// Whether there are sums left to gather.
    pub(super) fn is_behind(&self) -> bool {
        let last = self.index.frames.len().saturating_sub(1);
        let next = self.index.frames.get(self.gathered);
        !self.unreadable && next.is_some_and(|next| next.has_trailer() || self.gathered < last)
    }

    /// Joins the sums of the next frames for histories to come, about as many as are decoded at once. False when there
    /// are no more.
    pub(super) fn gather(&mut self) -> io::Result<bool> {
        let end = self.gathered.saturating_add(AHEAD);
        while self.gathered < end {
            let Some(frame) = self.index.frames.get(self.gathered).cloned() else {
                return Ok(false);
            };
            if !frame.has_trailer() && self.gathered + 1 == self.index.frames.len() {
                return Ok(false);
            }
            let single = self.single(self.gathered, end.min(self.index.frames.len()));
            self.unreadable = single.is_err();
            self.join(&frame, single?.as_deref());
            self.gathered += 1;
        }
        Ok(true)
    }

    fn join(&mut self, frame: &FrameInfo, stretch: Option<&Stretch>) {
        let (place, cell) = (self.gathered, self.cell(frame));
        if self.joining.as_ref().is_some_and(|&(open, _)| open != cell)
            && let Some((whole, joined)) = self.joining.take()
        {
            self.joined.insert(whole, joined);
        }
        let (_, joined) = self.joining.get_or_insert_with(|| {
            let stretches = Some(Vec::new());
            (
                cell,
                Joined {
                    frames: place..place,
                    stretches,
                },
            )
        });
        joined.frames.end = place + 1;
        let Some(stretch) = stretch else {
            joined.stretches = None;
            return;
        };
        if let Some(stretches) = &mut joined.stretches {
            let rest = match stretches.last_mut() {
                Some(last) => last.join(stretch.clone()),
                None => Some(stretch.clone()),
            };
            stretches.extend(rest);
        }
    }
}

impl Singles {
    fn keep(&mut self, place: usize, stretch: Option<Arc<Stretch>>) {
        self.bytes += stretch.as_ref().map_or(0, |stretch| stretch.bytes());
        self.by_place.insert(place, stretch);
        self.order.push_back(place);
        // What was decoded ahead must last until it is used.
        while self.bytes > SINGLES
            && self.order.len() > AHEAD
            && let Some(oldest) = self.order.pop_front()
        {
            if let Some(Some(stretch)) = self.by_place.remove(&oldest) {
                self.bytes -= stretch.bytes();
            }
        }
    }
}

/// Hands over the records up to a tick.
fn read_portions(
    player: &mut Player,
    until: u64,
    portions: &SyncSender<Vec<Record>>,
) -> Result<(), ReadError> {
    let mut portion = Vec::with_capacity(PORTION);
    player.read_to(until, |record| {
        portion.push(record);
        if portion.len() == PORTION {
            // Nobody listens any more: whoever folds has failed and says so.
            let _ = portions.send(std::mem::replace(&mut portion, Vec::with_capacity(PORTION)));
        }
    })?;
    let _ = portions.send(portion);
    Ok(())
}
