//! The end of a frame, in order or by hand, and the end of the file.

use std::io;

use sha2::Digest;

use super::put::put;
use super::{Frame, Writer};
use crate::session::decode::hex;
use crate::session::frame::{LAST_BLOCK, seek_table};
use crate::session::trailer::{self, Footer};

impl Writer {
    /// Ends the open frame, if there is one, and puts its trailer after it.
    pub(super) fn end_frame(&mut self) -> io::Result<()> {
        if self.broken {
            return self.mend();
        }
        let Some(frame) = self.frame.take() else {
            return Ok(());
        };
        self.bytes.clear();
        let outcome = self
            .compressor
            .end(&mut self.bytes)
            .and_then(|()| self.put_with_trailer(&frame));
        self.settle(frame, outcome)
    }

    /// Puts the file back into order after a failure: cuts off what was not acknowledged, and ends the frame without
    /// the help of its compressor, which is ahead of the file.
    pub(in crate::session) fn mend(&mut self) -> io::Result<()> {
        if self.file.metadata()?.len() != self.good {
            self.file.set_len(self.good)?;
        }
        if let Some(frame) = self.frame.take() {
            self.bytes.clear();
            if !frame.ended {
                self.bytes.extend_from_slice(&LAST_BLOCK);
                let checksum = frame.xxh.digest() as u32;
                self.bytes.extend_from_slice(&checksum.to_le_bytes());
            }
            let outcome = self.put_with_trailer(&frame);
            self.settle(frame, outcome)?;
        }
        self.broken = false;
        Ok(())
    }

    /// Puts down the end of the frame, which is in `bytes`, and its trailer.
    fn put_with_trailer(&mut self, frame: &Frame) -> io::Result<()> {
        let size = self.good + self.bytes.len() as u64 - frame.offset;
        let sums = frame.fold.sums(hex(&frame.sha.clone().finalize()));
        let fold = &frame.fold;
        let first = if fold.first == 0 {
            frame.first_tick
        } else {
            fold.first
        };
        let footer = Footer {
            offset: frame.offset,
            number: frame.number as u32,
            stored: crc32c::crc32c_append(frame.stored, &self.bytes),
            first,
            last: fold.last.max(first - 1),
            from: frame.from,
            to: fold.to,
            content: frame.content,
            trailer: 0,
        };
        let trailer = trailer::encode(&footer, &sums, &mut self.packer, &mut self.bytes)?;
        put(&mut self.file, &self.bytes, &mut self.good)?;
        self.sizes.push((size as u32, frame.content as u32));
        self.sizes.push((trailer, 0));
        self.prev = sums.hash;
        self.next_number = frame.number + 1;
        Ok(())
    }

    /// Forgets the frame if it was ended, and keeps it for another attempt if not.
    fn settle(&mut self, frame: Frame, outcome: io::Result<()>) -> io::Result<()> {
        if outcome.is_ok() {
            self.sync.ask();
        } else {
            self.broken = true;
            self.frame = Some(frame);
        }
        outcome
    }

    /// Ends the frame, puts the seek table down and makes everything durable.
    pub(super) fn close(&mut self) -> io::Result<()> {
        self.end_frame()?;
        let sizes: u64 = self.sizes.iter().map(|&(size, _)| u64::from(size)).sum();
        // A session that was resumed over damage has frames of unknown size; readers do without the table.
        if sizes == self.good {
            put(&mut self.file, &seek_table(&self.sizes), &mut self.good)?;
        }
        self.file.sync_data()
    }
}
