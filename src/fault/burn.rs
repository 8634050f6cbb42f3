//! What the child of a `stress` fault does: burns cores, fills memory and disk, and leaves.
//!
//! In: how much, and a word on its standard input. Out: one line, when it has what it was asked for. The invariant: it
//! holds nothing that outlives it (the file has no name), and leaves when its input ends, whatever else happens.

use std::fs::File;
use std::hint::black_box;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use rustix::fs::{FallocateFlags, Mode, OFlags, fallocate, open};

/// Name of the hidden subcommand that runs it.
pub const COMMAND: &str = "burn";
/// What it says when it has everything.
pub const READY: &str = "ready";
/// What it says, followed by the reason, when it cannot.
pub const FAILED: &str = "failed:";

/// Memory is taken in pieces of this size, bytes, so that a refusal comes before the machine is out of it.
const PIECE: usize = 16 << 20;
/// Between two of the bytes that are touched: the smallest page.
const PAGE: usize = 4096;
/// How often the memory is touched again, lest it be swapped out.
const TOUCH: Duration = Duration::from_secs(1);

/// How much of what is taken.
#[derive(Debug, Clone, Default)]
pub struct Burn {
    /// Cores.
    pub cpu: u64,
    /// Bytes of memory.
    pub memory: u64,
    /// Bytes of disk.
    pub disk: u64,
    /// Where the disk is filled.
    pub dir: PathBuf,
    /// It ends by itself after this long.
    pub limit: Duration,
}

/// Waits for a word, takes what it is to take, says so, and keeps it until the input ends or the time is up. All is
/// given back by the end of the process.
///
/// # Errors
/// When it cannot have what it is to take; this has been said by then.
pub fn run(
    burn: &Burn,
    input: impl Read + Send + 'static,
    output: &mut impl Write,
) -> io::Result<()> {
    // The first to go when memory is short. Without `/proc` nothing is lost but that.
    let _ = procfs::process::Process::myself().and_then(|own| own.set_oom_score_adj(1000));
    let (word, words) = mpsc::channel();
    thread::Builder::new()
        .name("parent".into())
        .spawn(move || {
            for line in BufReader::new(input).lines() {
                if line.is_err() || word.send(()).is_err() {
                    return;
                }
            }
        })?;
    // The end of the input instead of a word: there is nothing to do any more.
    match words.recv_timeout(burn.limit) {
        Ok(()) => {}
        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return Ok(()),
    }
    let taken = take(burn, &words);
    let line = match &taken {
        Ok(_) => READY.to_owned(),
        Err(error) => format!("{FAILED} {error}"),
    };
    writeln!(output, "{line}").and_then(|()| output.flush())?;
    let Some(mut taken) = taken? else {
        return Ok(());
    };
    let begun = std::time::Instant::now();
    while let Some(left) = burn.limit.checked_sub(begun.elapsed()) {
        match words.recv_timeout(left.min(TOUCH)) {
            Ok(()) | Err(RecvTimeoutError::Timeout) => taken.touch(),
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    Ok(())
}

/// What is held.
struct Taken {
    memory: Vec<Vec<u8>>,
    _disk: Option<File>,
}

impl Taken {
    fn touch(&mut self) {
        for piece in &mut self.memory {
            touch(piece);
        }
    }
}

/// Takes everything; nothing when the input ended on the way.
fn take(burn: &Burn, words: &mpsc::Receiver<()>) -> io::Result<Option<Taken>> {
    let disk = match burn.disk {
        0 => None,
        bytes => Some(fill_disk(&burn.dir, bytes)?),
    };
    let mut memory = Vec::new();
    let mut left = burn.memory;
    while left > 0 {
        if matches!(words.try_recv(), Err(mpsc::TryRecvError::Disconnected)) {
            return Ok(None);
        }
        let size = left.min(PIECE as u64) as usize;
        let mut piece = Vec::new();
        piece
            .try_reserve_exact(size)
            .map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
        piece.resize(size, 0);
        touch(&mut piece);
        memory.push(piece);
        left -= size as u64;
    }
    for core in 0..burn.cpu {
        thread::Builder::new()
            .name(format!("burn-{core}"))
            .spawn(|| {
                let mut number = 1_u64;
                loop {
                    number = black_box(number.wrapping_mul(6_364_136_223_846_793_005) ^ 1);
                }
            })?;
    }
    Ok(Some(Taken {
        memory,
        _disk: disk,
    }))
}

/// Writes to every page, so that it is really there, and different in each, so that no two become one.
fn touch(piece: &mut [u8]) {
    for (number, page) in piece.chunks_mut(PAGE).enumerate() {
        page[0] = page[0].wrapping_add(number as u8 | 1);
    }
    black_box(piece);
}

/// A file without a name of this size.
fn fill_disk(dir: &Path, bytes: u64) -> io::Result<File> {
    let mode = Mode::RUSR | Mode::WUSR;
    let file = match open(dir, OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC, mode) {
        Ok(file) => File::from(file),
        // Some file systems have none of these; its name is gone before anything is in it.
        Err(_) => named_once(dir)?,
    };
    match fallocate(&file, FallocateFlags::empty(), 0, bytes) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::NOTSUP) => written(file, bytes),
        Err(error) => Err(error.into()),
    }
}

fn named_once(dir: &Path) -> io::Result<File> {
    let path = dir.join(format!(".stormdeck-burn-{}", std::process::id()));
    let file = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

fn written(mut file: File, bytes: u64) -> io::Result<File> {
    let block: Vec<u8> = (0..1 << 20).map(|at: u32| (at % 251) as u8).collect();
    let mut left = bytes;
    while left > 0 {
        let size = left.min(block.len() as u64) as usize;
        file.write_all(&block[..size])?;
        left -= size as u64;
    }
    Ok(file)
}
