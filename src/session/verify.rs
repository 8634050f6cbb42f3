//! Whether a session is as it was written.
//!
//! A file goes in; what was found comes out: every checksum, every link of the hash chain, every gap. The invariant: a
//! file of which any byte changed after it was written is not called sound.
//!
//! The chain: each frame's key holds the SHA-256 of the content of the frame before, so that the hash of the last
//! frame, the head, stands for the whole file. Whoever owns the file can write it anew with a chain that fits; that is
//! why the head is printed in reports and covered by the sign-off.

use std::fmt;
use std::fs::File;
use std::path::Path;

use super::decode::{Damage, ReadError, hex};
use super::dir::is_being_written;
use super::index::Index;
use super::reader::Reader;
use super::record::{Gap, Record};

/// Gaps that are kept one by one; more are only counted.
const MAX_GAPS: usize = 1000;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// Frames, the open one included.
    pub frames: u64,
    /// Ticks that can be read.
    pub ticks: u64,
    /// Length of the file, bytes.
    pub bytes: u64,
    /// The window's end is missing, and nobody is writing.
    pub torn: bool,
    /// A window is being recorded into it now.
    pub running: bool,
    /// The first places where the file is not as it was written.
    pub damaged: Vec<Damage>,
    /// How many such places there are.
    pub damages: u64,
    /// The first gaps, stated by the writer or found.
    pub gaps: Vec<Gap>,
    /// Ticks in all gaps.
    pub missing: u64,
    /// Every key holds the hash of the frame before.
    pub chain_ok: bool,
    /// SHA-256 of the last frame's content, hexadecimal; empty if there is none.
    pub head: String,
}

impl Verification {
    /// Whether the file is whole and unchanged. Gaps that the writer stated are not against it.
    pub fn is_sound(&self) -> bool {
        !self.torn && self.damages == 0 && self.chain_ok
    }
}

/// Reads all of a session and checks it.
pub fn verify(path: impl AsRef<Path>) -> Result<Verification, ReadError> {
    let file = File::open(path.as_ref())?;
    let running = is_being_written(&file);
    let bytes = file.metadata()?.len();
    let index = Index::of(file.try_clone()?)?;
    let mut reader = Reader::new(file)?.hashing();
    let mut gaps = Vec::new();
    let mut missing = 0u64;
    while let Some(record) = reader.next_record()? {
        if let Record::Gap(gap) = record {
            missing = missing.saturating_add(gap.to - gap.from + 1);
            if gaps.len() < MAX_GAPS {
                gaps.push(gap);
            }
        }
    }
    let tally = reader.tally();
    let (mut damaged, mut places) = (tally.damages.clone(), tally.damaged);
    if let Some(damage) = index.seek_table_damage()? {
        places += 1;
        damaged.push(damage);
    }
    Ok(Verification {
        frames: tally.frames,
        ticks: tally.ticks,
        bytes,
        torn: !running && (tally.torn || !tally.ended || !index.closed),
        running,
        damaged,
        damages: places,
        gaps,
        missing,
        chain_ok: tally.broken_links == 0,
        head: tally.head.map(|head| hex(&head)).unwrap_or_default(),
    })
}

impl fmt::Display for Verification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match (self.is_sound(), self.running) {
            (true, true) => "sound so far; the window is running",
            (true, false) => "sound",
            (false, _) => "NOT SOUND",
        };
        writeln!(f, "{state}")?;
        writeln!(f, "  frames  {}", self.frames)?;
        writeln!(f, "  ticks   {}", self.ticks)?;
        writeln!(f, "  bytes   {}", self.bytes)?;
        let chain = if self.chain_ok {
            "holds"
        } else {
            "BROKEN: a frame was changed, taken out or put in"
        };
        writeln!(f, "  chain   {chain}")?;
        writeln!(f, "  head    {}", self.head)?;
        if self.torn {
            writeln!(
                f,
                "  torn    the end of the window is missing; everything before it can be read"
            )?;
        }
        for gap in &self.gaps {
            writeln!(f, "  gap     ticks {} to {}: {}", gap.from, gap.to, gap.why)?;
        }
        for damage in &self.damaged {
            writeln!(f, "  damage  at byte {}: {}", damage.offset, damage.what)?;
        }
        let more = self.damages - self.damaged.len() as u64;
        if more > 0 {
            writeln!(f, "  damage  {more} more")?;
        }
        Ok(())
    }
}
