//! What a reader has to say besides records: why it cannot go on, and what it came across.

use crate::session::record::VERSION;

/// Why a session cannot be read at all. Damage is not among it: damage is stepped over and listed.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The bytes are something else.
    #[error("this is not a session: it does not begin with a zstd frame of stormdeck's making")]
    NotASession,
    /// A newer stormdeck wrote it.
    #[error(
        "the session is of format version {found}, and this stormdeck reads up to {VERSION}; use a newer stormdeck"
    )]
    Newer {
        /// Its major version.
        found: u32,
    },
    /// The file cannot be read.
    #[error("the session cannot be read: {0}")]
    Io(#[from] std::io::Error),
}

/// One place where the file is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// Offset in the file of the block or frame concerned, bytes.
    pub offset: u64,
    /// What is wrong there, in a few words.
    pub what: String,
}

/// What was seen so far.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Frames begun.
    pub frames: u64,
    /// Ticks delivered.
    pub ticks: u64,
    /// The first damages, in order.
    pub damages: Vec<Damage>,
    /// All damages.
    pub damaged: u64,
    /// Keys whose `prev` is not the hash of the frame before.
    pub broken_links: u64,
    /// SHA-256 of the content of the last frame, whole or as far as it goes; only if hashing was asked for.
    pub head: Option<[u8; 32]>,
    /// Whether the bytes end inside a frame.
    pub torn: bool,
    /// Whether the window's end was seen.
    pub ended: bool,
}
