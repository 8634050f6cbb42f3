//! The session file: the only channel from what happens to what is seen.
//!
//! Records flow in at one end ([`Writer`], one a file) and out at the other ([`Reader`], [`Follower`], [`Index`], any
//! number). The invariant: what was acknowledged is never lost and never changed without that being noticed. The
//! records themselves are described, member by member, in [`record`]; this page describes the file around them.
//!
//! # Reading it without stormdeck
//!
//! ```text
//! zstd -dc NAME.jsonl.zst | jq -c 'select(.k == "tick") | [.n, .steps[0].requests, .steps[0].q]'
//! ```
//!
//! The file is a sequence of zstd frames, so every zstd tool reads it; the content is JSON lines. Times are µs.
//!
//! # The file
//!
//! ```text
//! ┌──────────────┬─────────┬──────────────┬─────────┬─ … ─┬────────────┐
//! │ zstd frame 0 │ trailer │ zstd frame 1 │ trailer │     │ seek table │
//! └──────────────┴─────────┴──────────────┴─────────┴─ … ─┴────────────┘
//!   60 ticks       skippable                                skippable, only after a clean close
//! ```
//!
//! **Frame.** 60 ticks, or fewer when more than 16 MiB of content came together, names were added, the phase changed (so
//! that a frame's ticks are all of one), or the number of its last tick is a multiple of 60. zstd level 2,
//! window 2 MiB, content checksum on: a frame begins with the bytes `28 B5 2F FD 04 58`. After every record the
//! compressor is flushed, so that what is in the file can always be decompressed as far as it goes, and the blocks are
//! appended in one write. No content of a frame exceeds 64 MiB, no line 16 MiB; a reader refuses more.
//!
//! **Lines.** Each is one record: `{"k":KIND,…,"crc":"xxxxxxxx"}`, the checksum last, see [`mod@line`]. Kinds and members
//! that a reader does not know are passed over.
//!
//! | kind | when | type |
//! | --- | --- | --- |
//! | `key` | first line of every frame | [`record::Key`]: version, names, values of all series, hash of the frame before |
//! | `window` | second line of the first frame | [`record::Window`]: what is being run |
//! | `tick` | once a tick | [`record::Tick`]: scenarios, steps with their histograms, the generator, gauges that changed, scrapes |
//! | `event` | when it happens | [`record::Event`]: phases, commands, gates, marks, alerts, targets that come and go |
//! | `sample` | when it happens | [`record::Sample`]: the first answer of a new kind of error |
//! | `gap` | before the next tick | [`record::Gap`]: ticks that are not in the file, and why |
//! | `end` | last line | [`record::End`]: why the window ended |
//!
//! **Key.** With it a frame stands alone: indices in its lines refer to `names`, and series that no tick of the frame
//! mentions have the value in `series`. `v` is the major version of the format; a reader refuses a higher one.
//!
//! **Scrapes.** A tick holds those that ended in it ([`record::ScrapeTick`]): when each began, and the recorded series that
//! changed. A series has a sample in every scrape of its endpoint while it has a value, so that samples, and whatever is
//! computed from them, come back to the digit.
//!
//! **Trailer.** A zstd skippable frame with the magic number `0x184D2A53`: the sums of the frame and where it began, see
//! [`trailer`]. Readers hop from the end of the file to its beginning from one to the next. Its histograms have 2
//! significant figures, which is enough for an overview; what is judged is read from the ticks, which have 3.
//!
//! **Seek table.** As in zstd's seekable format (`0x184D2A5E` … `0x8F92EAB1`), frames and trailers in order, without
//! checksums.
//!
//! **Chain.** `prev` in a key is the SHA-256 of the content (the lines, uncompressed) of the frame before. The hash of
//! the last frame is the head, and stands for the whole file, see [`mod@verify`].
//!
//! # When something goes wrong
//!
//! - The writer dies: the file ends anywhere. Readers read up to the last whole block. [`Writer::resume`] cuts there,
//!   ends the frame with an empty last block (`01 00 00`) and the low 32 bits of the content's XXH64, and writes its
//!   trailer. The ticks until the first new one are stated as a gap.
//! - The disk is full: [`Writer::append`] returns an error and the file is cut back to what is whole; see [`writer`].
//! - Bytes change: lines whose checksum fails are left out, reading goes on at the next trailer or frame, and the ticks
//!   in between are stated as a gap with the reason `damaged`.

pub mod check;
mod coarse;
mod compress;
mod decode;
pub mod dense;
pub mod dir;
pub mod export;
pub(crate) mod fold;
pub mod follow;
mod frame;
pub mod hist;
pub mod index;
pub mod line;
pub mod metric_text;
pub mod reader;
pub mod record;
mod repair;
mod sync;
pub mod trailer;
pub mod verify;
pub mod writer;

pub(crate) use coarse::two_figures;
pub use decode::{Damage, ReadError, Tally};
pub use dense::Dense;
pub use dir::Sessions;
pub use follow::{Followed, Follower};
pub use hist::Hist;
pub use index::{FrameInfo, Index};
pub use reader::{Reader, read_window};
pub use record::Record;
pub use trailer::Aggregates;
pub use verify::{Verification, verify};
pub use writer::{AppendError, Finished, OpenError, Writer};
