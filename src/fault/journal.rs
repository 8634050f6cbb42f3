//! The journal of outstanding faults: what is broken now and how it is brought back, on the disk before it is broken.
//!
//! ```text
//! DIR/outstanding/SESSION/lock      locked by the engine and its watchdog: somebody is in charge
//!                         0.json    one outstanding fault
//!                         0.done    one that was brought back after its engine was gone, until somebody was told
//! ```
//!
//! The invariant: an entry that [`Journal::write`] returned for survives a crash of the process and of the machine, and it
//! goes only when the fault is known to be back. It names secrets and never holds them.

mod entry;
mod place;

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use self::entry::{DONE, OUTSTANDING, numbered, put, read, read_entry};
pub use self::entry::{Entry, Returned, Unread};
pub use self::place::Place;
pub(super) use self::place::Validity;
use super::undo::Undo;

/// The folder in the directory of sessions.
const FOLDER: &str = "outstanding";
const LOCK: &str = "lock";

/// How often the lock is tried: whoever looks for leftovers holds it for a moment.
const TRIES: u32 = 100;
const AGAIN: Duration = Duration::from_millis(5);

/// The outstanding faults of one window.
#[derive(Debug)]
pub struct Journal {
    dir: PathBuf,
    lock: File,
    next: u64,
    /// Whether this process took charge, and was not only handed the lock.
    took: bool,
}

/// What was left in a journal.
#[derive(Debug)]
pub struct Leftover {
    /// Name of the session.
    pub session: String,
    /// Its journal, locked now; `None` when somebody is in charge of it.
    pub journal: Option<Journal>,
}

impl Journal {
    /// Opens the journal of a session and takes charge of it. `sessions` is the directory of sessions. Nothing else is
    /// made on the disk before the first entry.
    ///
    /// # Errors
    /// When the disk refuses, or somebody else is in charge.
    pub fn open(sessions: &Path, session: &str) -> io::Result<Self> {
        let dir = sessions.join(FOLDER).join(session);
        let mut tries = 1;
        loop {
            make(sessions, &dir)?;
            match Self::take(dir.clone()) {
                // Somebody else had it, or was just taking the empty folder away.
                Err(error)
                    if tries < TRIES
                        && matches!(
                            error.kind(),
                            io::ErrorKind::WouldBlock | io::ErrorKind::NotFound
                        ) =>
                {
                    tries += 1;
                    std::thread::sleep(AGAIN);
                }
                taken => return taken,
            }
        }
    }

    /// Takes charge of a folder that is there.
    fn take(dir: PathBuf) -> io::Result<Self> {
        let lock = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(dir.join(LOCK))?;
        lock.try_lock().map_err(|refused| match refused {
            fs::TryLockError::WouldBlock => io::Error::new(
                io::ErrorKind::WouldBlock,
                "another process is in charge of these faults",
            ),
            fs::TryLockError::Error(error) => error,
        })?;
        // Not a lock that its last owner took away between the two.
        let there = fs::metadata(dir.join(LOCK))?;
        if there.ino() != lock.metadata()?.ino() {
            return Err(io::ErrorKind::NotFound.into());
        }
        let next = numbered(&dir)?.last().map_or(0, |(number, _)| number + 1);
        Ok(Self {
            dir,
            lock,
            next,
            took: true,
        })
    }

    /// The journal of a folder whose lock this process was handed.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn of_lock(dir: PathBuf, lock: File) -> io::Result<Self> {
        let next = numbered(&dir)?.last().map_or(0, |(number, _)| number + 1);
        Ok(Self {
            dir,
            lock,
            next,
            took: false,
        })
    }

    /// Its folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// A handle of the lock, to hand to another process: both are in charge until the last of them ends.
    ///
    /// # Errors
    /// When the system has no more handles.
    pub fn share(&self) -> io::Result<File> {
        self.lock.try_clone()
    }

    /// Writes an entry down. It is on the disk, under its name, when this returns. Gives its number.
    ///
    /// # Errors
    /// When the disk refuses; nothing is outstanding then.
    pub fn write(&mut self, fault: &str, undo: &Undo) -> io::Result<u64> {
        let number = self.next;
        let entry = Entry::of(fault, undo);
        put(&self.file(number, OUTSTANDING), &entry)?;
        self.next += 1;
        Ok(number)
    }

    /// Strikes an entry out: the fault is back.
    ///
    /// # Errors
    /// When the disk refuses. The entry stays, and the fault is brought back once more, which does no harm.
    pub fn strike(&self, number: u64) -> io::Result<()> {
        fs::remove_file(self.file(number, OUTSTANDING))
    }

    /// Strikes an entry out and leaves word of it for whoever comes next. Whether that could be left: a full disk takes no
    /// word, and the fault is back all the same.
    ///
    /// # Errors
    /// When the entry cannot be struck out. No word is left then.
    pub fn strike_with_word(&self, number: u64, returned: &Returned) -> io::Result<bool> {
        // Word first: a fault that is told twice is better than one that is gone without a word.
        let word = self.file(number, DONE);
        let left = put(&word, returned);
        match self.strike(number) {
            // The engine, which only stood still, was faster.
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                let _ = fs::remove_file(word);
                Err(error)
            }
            Ok(()) | Err(_) => Ok(left.is_ok()),
        }
    }

    /// Whether an entry still stands, as far as is known.
    pub fn holds(&self, number: u64) -> bool {
        self.file(number, OUTSTANDING).try_exists().unwrap_or(true)
    }

    /// The word that was left of an entry that is struck out.
    pub fn word(&self, number: u64) -> Option<Returned> {
        if self.holds(number) {
            return None;
        }
        read(&self.file(number, DONE)).ok()
    }

    /// An entry, read once more.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn entry(&self, number: u64) -> Result<Entry, Unread> {
        read_entry(&self.file(number, OUTSTANDING))
    }

    /// Everything that is outstanding, by number; an entry that cannot be read with the reason.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn outstanding(&self) -> io::Result<Vec<(u64, Result<Entry, Unread>)>> {
        let files = numbered(&self.dir)?.into_iter();
        let entries = files
            .filter(|(_, path)| path.extension().is_some_and(|it| it == OUTSTANDING))
            .map(|(number, path)| (number, read_entry(&path)))
            // One that was struck out meanwhile is none that cannot be read.
            .filter(|(number, entry)| entry.is_ok() || self.holds(*number));
        Ok(entries.collect())
    }

    /// Takes the word that was left of faults that are back.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn take_words(&self) -> io::Result<Vec<Returned>> {
        let mut words = Vec::new();
        for (_, path) in numbered(&self.dir)? {
            if path.extension().is_some_and(|it| it == DONE) {
                words.extend(read::<Returned>(&path));
                fs::remove_file(&path)?;
            }
        }
        Ok(words)
    }

    fn file(&self, number: u64, extension: &str) -> PathBuf {
        self.dir.join(format!("{number}.{extension}"))
    }
}

impl Drop for Journal {
    /// Whoever took charge leaves no empty folder behind.
    fn drop(&mut self) {
        let empty = numbered(&self.dir).is_ok_and(|files| files.is_empty());
        if self.took && empty {
            let _ = fs::remove_file(self.dir.join(LOCK));
            let _ = fs::remove_dir(&self.dir);
        }
    }
}

/// Makes the folder of a journal. It outlives a crash of the machine when this returns.
fn make(sessions: &Path, dir: &Path) -> io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    File::open(sessions.join(FOLDER))?.sync_all()?;
    File::open(sessions)?.sync_all()
}

/// Every journal with something in it that was left in a directory of sessions, by name of the session. Nothing is made
/// or taken away where there is nothing.
///
/// # Errors
/// When the directory cannot be read.
pub fn leftovers(sessions: &Path) -> io::Result<Vec<Leftover>> {
    let folder = sessions.join(FOLDER);
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        let session = entry.file_name().to_string_lossy().into_owned();
        let taken = numbered(&entry.path()).and_then(|files| {
            let left = !files.is_empty();
            left.then(|| Journal::take(entry.path())).transpose()
        });
        let journal = match taken {
            Ok(Some(journal)) => Some(journal),
            Ok(None) => continue,
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock => None,
                // It vanished meanwhile, or is no journal.
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => continue,
                _ => return Err(error),
            },
        };
        found.push(Leftover { session, journal });
    }
    found.sort_by(|a, b| a.session.cmp(&b.session));
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_found_by_whoever_comes_next_and_what_is_struck_out_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(dir.path(), "a").unwrap();
        let first = journal.write("slow", &Undo::WithEngine).unwrap();
        let second = journal.write("kill", &Undo::WithEngine).unwrap();
        journal.strike(first).unwrap();
        let held = leftovers(dir.path()).unwrap();
        assert!(held[0].journal.is_none(), "somebody is in charge");
        drop(journal);
        let mut left = leftovers(dir.path()).unwrap();
        let journal = left.pop().unwrap().journal.unwrap();
        let outstanding = journal.outstanding().unwrap();
        let [(number, Ok(entry))] = &outstanding[..] else {
            panic!("{outstanding:?}");
        };
        assert_eq!((*number, entry.fault.as_str()), (second, "kill"));
        let returned = Returned {
            fault: "kill".into(),
            wall: 7,
            said: "done".into(),
        };
        journal.strike_with_word(second, &returned).unwrap();
        drop(journal);
        let journal = Journal::open(dir.path(), "a").unwrap();
        assert!(journal.outstanding().unwrap().is_empty());
        assert_eq!(journal.take_words().unwrap(), [returned]);
        drop(journal);
        assert!(leftovers(dir.path()).unwrap().is_empty());
        assert!(!dir.path().join(FOLDER).join("a").exists());
    }

    #[test]
    fn an_entry_that_cannot_be_read_is_told_and_stays() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::open(dir.path(), "a").unwrap();
        std::fs::write(journal.dir().join("3.json"), b"{\"v\":1,").unwrap();
        let outstanding = journal.outstanding().unwrap();
        assert!(matches!(&outstanding[..], [(3, Err(why))] if why.to_string().contains("3.json")));
        drop(journal);
        assert_eq!(leftovers(dir.path()).unwrap().len(), 1);
        let mut journal = Journal::open(dir.path(), "a").unwrap();
        assert_eq!(journal.write("x", &Undo::WithEngine).unwrap(), 4);
    }

    #[test]
    fn an_entry_that_does_not_say_where_it_is_valid_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::open(dir.path(), "a").unwrap();
        let entry = br#"{"v":1,"fault":"x","wall":7,"undo":{"way":"with_engine"}}"#;
        std::fs::write(journal.dir().join("0.json"), entry).unwrap();
        let outstanding = journal.outstanding().unwrap();
        let [(0, Ok(entry))] = &outstanding[..] else {
            panic!("{outstanding:?}");
        };
        assert_eq!(entry.place, Place::default());
    }

    #[test]
    fn an_entry_of_a_newer_version_is_told_and_stays() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::open(dir.path(), "a").unwrap();
        let entry = b"{\"v\":2,\"way\":\"a better one\"}";
        std::fs::write(journal.dir().join("0.json"), entry).unwrap();
        let outstanding = journal.outstanding().unwrap();
        assert!(
            matches!(&outstanding[..], [(0, Err(why))] if why.to_string().contains("version 2"))
        );
    }

    #[test]
    fn who_looks_for_leftovers_changes_nothing_where_there_is_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let empty = dir.path().join(FOLDER).join("a");
        fs::create_dir_all(&empty).unwrap();
        fs::write(dir.path().join(FOLDER).join("file"), b"").unwrap();
        assert!(leftovers(dir.path()).unwrap().is_empty());
        assert_eq!(fs::read_dir(&empty).unwrap().count(), 0);
        let live = Journal::open(dir.path(), "b").unwrap();
        assert!(leftovers(dir.path()).unwrap().is_empty());
        assert!(live.dir().join(LOCK).exists());
    }

    #[test]
    fn a_lock_that_somebody_holds_for_a_moment_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let passing = Journal::open(dir.path(), "a").unwrap();
        let leaves = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(50));
            // It takes the empty folder with it.
            drop(passing);
        });
        let mut journal = Journal::open(dir.path(), "a").unwrap();
        leaves.join().unwrap();
        journal.write("x", &Undo::WithEngine).unwrap();
    }

    #[test]
    fn a_disk_that_takes_no_word_still_lets_an_entry_be_struck_out() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(dir.path(), "a").unwrap();
        let number = journal.write("x", &Undo::WithEngine).unwrap();
        std::fs::create_dir(journal.dir().join("0.new")).unwrap();
        let returned = Returned {
            fault: "x".into(),
            wall: 7,
            said: String::new(),
        };
        assert!(!journal.strike_with_word(number, &returned).unwrap());
        assert!(journal.outstanding().unwrap().is_empty());
    }

    #[test]
    fn a_disk_that_refuses_is_an_error_and_leaves_nothing_outstanding() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(dir.path(), "a").unwrap();
        std::fs::create_dir(journal.dir().join("0.new")).unwrap();
        assert!(journal.write("x", &Undo::WithEngine).is_err());
        assert!(journal.outstanding().unwrap().is_empty());
    }
}
