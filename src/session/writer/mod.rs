//! Puts records into a session file, so that what was acknowledged stays.
//!
//! Records go in, in the order in which they happened; bytes are in the file when [`Writer::append`] returns. It is the
//! only writer of the file (`flock`), and it only appends. The invariant: up to `good` the file is a sequence of whole
//! zstd blocks that decompress to whole lines, whatever happens after.
//!
//! When a write fails, the file is cut back to `good`, and the writer remembers that the frame must be ended by hand
//! before anything else is written, since its compressor is ahead of the file. Each later append tries that again; the
//! first that succeeds starts a new frame, whose key is followed by a gap that states the ticks that were lost, and by
//! the events of the meantime. The caller calls `append` once a record and carries on, whatever it returns.

mod close;
mod put;

use std::collections::VecDeque;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};
use xxhash_rust::xxh64::Xxh64;

use self::put::Failure;
use crate::session::check::Known;
use crate::session::compress::{Compressor, LEVEL};
use crate::session::fold::Folder;
use crate::session::record::{End, Key, Names, Number, Record};
use crate::session::sync::Syncer;

/// Ticks in a frame.
pub const FRAME_TICKS: u32 = 60;

/// Content after which a frame ends even before [`FRAME_TICKS`], bytes.
const FRAME_CONTENT: u64 = 16 << 20;

/// Records other than ticks that are kept while the file cannot be written.
const MAX_WAITING: usize = 1024;

/// Why a writer could not be had.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process, or this one, writes it.
    #[error("`{0}` is being written by a running window")]
    Busy(PathBuf),
    /// There is such a file.
    #[error("`{0}` exists already; a session is never overwritten")]
    Exists(PathBuf),
    /// It was closed.
    #[error("the window in `{0}` has ended; an ended session is not written again")]
    Ended(PathBuf),
    /// Nothing of it can be read.
    #[error("`{0}` holds no whole record to go on from")]
    Empty(PathBuf),
    /// It cannot be read.
    #[error("`{path}`: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: crate::session::decode::ReadError,
    },
    /// It cannot be made, locked or written.
    #[error("the session file `{path}` cannot be written: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Why a record is not in the file.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The file cannot be written now. Carry on: the writer repairs it and states the loss once it can.
    #[error("the session file cannot be written ({source}); {ticks} ticks are lost so far")]
    Lost {
        /// Ticks lost since the window began.
        ticks: u64,
        /// Why.
        source: io::Error,
    },
    /// The record itself is not one that a session can hold. Nothing else is affected.
    #[error("the record does not belong in a session: {0}")]
    Refused(String),
}

/// The frame that is being written: what is in the file of it.
pub(in crate::session) struct Frame {
    pub offset: u64,
    pub number: u64,
    pub first_tick: u64,
    pub from: u64,
    pub ticks: u32,
    pub content: u64,
    pub sha: Sha256,
    pub xxh: Xxh64,
    /// CRC-32C of its bytes as they are stored.
    pub stored: u32,
    pub fold: Folder,
    /// The zstd frame is whole, only its trailer is missing.
    pub ended: bool,
}

impl Frame {
    /// Takes in lines that are in the file, as `stored`, and the records in them.
    pub fn add<'a>(
        &mut self,
        stored: &[u8],
        text: &[u8],
        records: impl Iterator<Item = &'a Record>,
    ) {
        self.stored = crc32c::crc32c_append(self.stored, stored);
        self.content += text.len() as u64;
        self.sha.update(text);
        self.xxh.update(text);
        for record in records {
            self.fold.add(record);
            self.ticks += u32::from(matches!(record, Record::Tick(_)));
        }
    }

    /// A frame of which nothing is in the file yet.
    pub fn new(offset: u64, key: &Key) -> Self {
        Self {
            offset,
            number: key.frame,
            first_tick: key.tick,
            from: key.at,
            ticks: 0,
            content: 0,
            sha: Sha256::new(),
            xxh: Xxh64::new(0),
            stored: 0,
            fold: Folder::default(),
            ended: false,
        }
    }
}

/// Where the window stands, for the next key.
#[derive(Debug, Clone, Default)]
pub(in crate::session) struct Standing {
    pub names: Names,
    pub series: Vec<Option<Number>>,
    pub known: Known,
    pub at: u64,
    pub wall: u64,
    /// Last tick that is in the file or stated as a gap.
    pub written: u64,
    /// Last tick that was given to the writer.
    pub seen: u64,
    /// Last tick that is in the file, and its `at`.
    pub tick: Option<(u64, u64)>,
}

impl Standing {
    fn of(names: Names) -> Self {
        Self {
            series: vec![None; names.series.len()],
            known: Known {
                names: Some(names.clone()),
                gates: None,
                faults: None,
            },
            names,
            ..Self::default()
        }
    }

    /// Takes over what a record says, whether or not it gets into the file.
    pub fn note(&mut self, record: &Record) {
        match record {
            Record::Key(key) => {
                self.names = key.names.clone();
                self.series.clone_from(&key.series);
                self.series.resize(self.names.series.len(), None);
                (self.at, self.wall) = (self.at.max(key.at), key.wall);
            }
            Record::Window(window) => self.wall = window.wall,
            Record::Tick(tick) => {
                for (index, value) in tick.changes() {
                    if let Some(place) = self.series.get_mut(index) {
                        *place = value;
                    }
                }
                (self.at, self.wall) = (self.at.max(tick.at), tick.wall);
                self.seen = self.seen.max(tick.n);
            }
            Record::Event(event) => (self.at, self.wall) = (self.at.max(event.at), event.wall),
            Record::End(end) => (self.at, self.wall) = (self.at.max(end.at), end.wall),
            Record::Sample(_) | Record::Gap(_) | Record::Unknown => {}
        }
    }
}

/// Writes one session file.
pub struct Writer {
    path: PathBuf,
    file: File,
    sync: Syncer,
    compressor: Compressor,
    /// For trailers.
    packer: zstd::bulk::Compressor<'static>,
    /// Length of the file up to which everything is whole.
    pub(in crate::session) good: u64,
    /// The file may be longer than `good`, or the frame cannot be continued.
    pub(in crate::session) broken: bool,
    pub(in crate::session) frame: Option<Frame>,
    pub(in crate::session) next_number: u64,
    pub(in crate::session) prev: String,
    pub(in crate::session) standing: Standing,
    /// Why ticks may be missing before the next one.
    pub(in crate::session) hole: Option<String>,
    waiting: VecDeque<Record>,
    dropped: u64,
    lost: u64,
    /// Compressed and decompressed size of every frame and trailer, for the seek table: 16 bytes a minute.
    pub(in crate::session) sizes: Vec<(u32, u32)>,
    text: Vec<u8>,
    bytes: Vec<u8>,
}

impl Writer {
    /// Makes a new file, mode 0600, and locks it. The first record must be the window.
    pub fn create(path: impl AsRef<Path>, names: Names) -> Result<Self, OpenError> {
        let path = path.as_ref().to_path_buf();
        let opened = OpenOptions::new()
            .append(true)
            .read(true)
            .create_new(true)
            .mode(0o600)
            .open(&path);
        let file = match opened {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(OpenError::Exists(path));
            }
            Err(source) => return Err(OpenError::Io { path, source }),
        };
        lock(&file, &path)?;
        // The name must survive a crash too. A directory that cannot be synced is no reason not to record.
        if let Some(parent) = path.parent().and_then(|parent| File::open(parent).ok()) {
            let _ = parent.sync_all();
        }
        Self::with(path.clone(), file, Standing::of(names))
            .map_err(|source| OpenError::Io { path, source })
    }

    /// Writes to an empty file that is open for reading and appending, and which nobody else can write.
    pub(crate) fn on(file: File, names: Names) -> io::Result<Self> {
        Self::with(PathBuf::new(), file, Standing::of(names))
    }

    /// A writer at the end of an empty file.
    pub(in crate::session) fn with(
        path: PathBuf,
        file: File,
        standing: Standing,
    ) -> io::Result<Self> {
        Ok(Self {
            sync: Syncer::start(file.try_clone()?)?,
            compressor: Compressor::new()?,
            packer: zstd::bulk::Compressor::new(LEVEL)?,
            path,
            file,
            good: 0,
            broken: false,
            frame: None,
            next_number: 0,
            prev: String::new(),
            standing,
            hole: None,
            waiting: VecDeque::new(),
            dropped: 0,
            lost: 0,
            sizes: Vec::new(),
            text: Vec::new(),
            bytes: Vec::new(),
        })
    }
    /// Puts a record into the file. It is there, though perhaps not yet on the disk, when this returns `Ok`.
    ///
    /// A key is the writer's own affair and refused, as are records whose indices are not in the names. After
    /// [`AppendError::Lost`] the caller carries on: a lost tick becomes part of a gap, other records are kept and
    /// written when that is possible again.
    pub fn append(&mut self, record: &Record) -> Result<(), AppendError> {
        self.admit(record)?;
        if let Record::Window(_) = record {
            self.standing.note(record);
        }
        let outcome = self.write(record);
        self.standing.note(record);
        match outcome {
            Ok(()) => Ok(()),
            Err(Failure::Line(error)) => Err(AppendError::Refused(error.to_string())),
            Err(Failure::Io(source)) => {
                self.miss(record, &source);
                let ticks = self.lost;
                Err(AppendError::Lost { ticks, source })
            }
        }
    }

    fn admit(&mut self, record: &Record) -> Result<(), AppendError> {
        let reason = match record {
            Record::Key(_) | Record::Unknown => Err("it is not a record to append".to_owned()),
            Record::Tick(tick) if tick.n <= self.standing.seen => {
                Err(format!("tick {} after tick {}", tick.n, self.standing.seen))
            }
            other => self.standing.known.admit(other),
        };
        reason.map_err(AppendError::Refused)
    }

    /// Ticks that could not be written so far.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Records other than ticks that were given up, because too many of them waited for the file.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// How often the disk refused to make durable what was written.
    pub fn sync_failures(&self) -> u64 {
        self.sync.failures()
    }

    /// Waits until everything that was appended is on the disk.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn make_durable(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Length of what is whole in the file, bytes.
    pub fn length(&self) -> u64 {
        self.good
    }

    /// Replaces the names by a longer list that begins with the present one. A new frame begins.
    pub fn set_names(&mut self, names: Names) -> Result<(), AppendError> {
        let now = &self.standing.names;
        let longer = names.scenarios.starts_with(&now.scenarios)
            && names.steps.starts_with(&now.steps)
            && names.phases.starts_with(&now.phases)
            && names.series.starts_with(&now.series)
            && names.scraped.starts_with(&now.scraped)
            && names.instances.starts_with(&now.instances);
        if !longer {
            return Err(AppendError::Refused(
                "names may only be added at the end".to_owned(),
            ));
        }
        self.standing.series.resize(names.series.len(), None);
        self.standing.known.names = Some(names.clone());
        self.standing.names = names;
        // Should this fail, the frame is ended before the next record.
        let _ = self.end_frame();
        Ok(())
    }

    /// Writes the end, closes the frame, puts the seek table after it and makes all of it durable.
    ///
    /// On an error the file is as valid as before, but not closed.
    pub fn finish(mut self, end: End) -> Result<Finished, AppendError> {
        self.append(&Record::End(end))?;
        let closing = self.close();
        closing.map_err(|source| AppendError::Lost {
            ticks: self.lost,
            source,
        })?;
        Ok(Finished {
            path: self.path.clone(),
            head: self.prev.clone(),
            bytes: self.good,
        })
    }
}

/// A session that was closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// The file.
    pub path: PathBuf,
    /// SHA-256 of the last frame, hexadecimal: what a sign-off covers.
    pub head: String,
    /// Length of the file, bytes.
    pub bytes: u64,
}

impl Drop for Writer {
    fn drop(&mut self) {
        // The thread that syncs may hold the file a little longer; the lock must not last as long.
        let _ = self.file.unlock();
    }
}

/// Locks the file against a second writer, until it is closed.
pub(in crate::session) fn lock(file: &File, path: &Path) -> Result<(), OpenError> {
    // Whoever lists sessions holds the lock for a moment, to see whether it can be had.
    for _ in 0..20 {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(5)),
            Err(TryLockError::Error(source)) => {
                let path = path.to_path_buf();
                return Err(OpenError::Io { path, source });
            }
        }
    }
    Err(OpenError::Busy(path.to_path_buf()))
}
