//! The bytes around the content: zstd frame and block headers, skippable frames, the seek table.
//!
//! Bytes go in and lengths come out, and the few byte strings that the writer puts down itself. Nothing here
//! decompresses and nothing allocates by what a header claims: every length is compared with a bound first.

/// Start of a zstd frame.
pub(super) const MAGIC: [u8; 4] = 0xFD2F_B528_u32.to_le_bytes();
/// All of a frame's header as the writer makes it: a checksum follows the content, the window is 2 MiB.
pub(super) const HEADER: [u8; 6] = [MAGIC[0], MAGIC[1], MAGIC[2], MAGIC[3], 0x04, 0x58];
/// The window of [`HEADER`], as a power of two.
pub(super) const WINDOW_LOG: u32 = 21;
/// Start of a trailer: one of the sixteen magic numbers that zstd leaves to its users.
pub(super) const TRAILER_MAGIC: [u8; 4] = 0x184D_2A53_u32.to_le_bytes();
/// Start of a seek table, from zstd's seekable format.
pub(super) const SEEK_MAGIC: [u8; 4] = 0x184D_2A5E_u32.to_le_bytes();
/// End of a seek table.
pub(super) const SEEK_END: [u8; 4] = 0x8F92_EAB1_u32.to_le_bytes();

/// Largest block that zstd allows, bytes.
pub(super) const MAX_BLOCK: usize = 128 << 10;
/// Largest window that is accepted, bytes: what decoding a frame may cost in memory.
pub(super) const MAX_WINDOW: u64 = 8 << 20;
/// Largest content of a frame that is accepted, bytes. The writer ends a frame long before.
pub(super) const MAX_CONTENT: u64 = 64 << 20;
/// An empty last block, which ends a frame; the checksum follows.
pub(super) const LAST_BLOCK: [u8; 3] = [1, 0, 0];

/// What some bytes say, if there are enough of them.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Parsed<T> {
    /// This.
    Is(T),
    /// More bytes are needed to tell.
    Short,
    /// Nothing that a session holds.
    Bad,
}

/// A zstd frame's header.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FrameHeader {
    /// Its length, bytes, magic included.
    pub length: usize,
    /// Whether a checksum of the content follows the last block.
    pub checksum: bool,
}

/// Reads a zstd frame's header, magic included.
pub(super) fn frame_header(bytes: &[u8]) -> Parsed<FrameHeader> {
    let Some((magic, rest)) = bytes.split_at_checked(4) else {
        return Parsed::Short;
    };
    if magic != MAGIC {
        return Parsed::Bad;
    }
    let Some(&descriptor) = rest.first() else {
        return Parsed::Short;
    };
    let single = descriptor & 0x20 != 0;
    let size_bytes = match descriptor >> 6 {
        0 => usize::from(single),
        1 => 2,
        2 => 4,
        _ => 8,
    };
    // A dictionary or the reserved bit: not ours.
    if descriptor & 0x0B != 0 {
        return Parsed::Bad;
    }
    let length = 5 + usize::from(!single) + size_bytes;
    let Some(header) = bytes.get(..length) else {
        return Parsed::Short;
    };
    let window = if single {
        let mut size = [0; 8];
        size[..size_bytes].copy_from_slice(&header[5..]);
        u64::from_le_bytes(size) + if size_bytes == 2 { 256 } else { 0 }
    } else {
        let base = 1u64 << (10 + (header[5] >> 3));
        base + base / 8 * u64::from(header[5] & 7)
    };
    if window > MAX_WINDOW {
        return Parsed::Bad;
    }
    let checksum = descriptor & 4 != 0;
    Parsed::Is(FrameHeader { length, checksum })
}

/// A block's header.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BlockHeader {
    /// Length of the block, its 3 header bytes included.
    pub length: usize,
    /// Whether it is the frame's last.
    pub last: bool,
}

/// Reads a block's header.
pub(super) fn block_header(bytes: &[u8]) -> Parsed<BlockHeader> {
    let Some(&[a, b, c]) = bytes.first_chunk::<3>() else {
        return Parsed::Short;
    };
    let word = u32::from_le_bytes([a, b, c, 0]);
    let size = (word >> 3) as usize;
    let stored = match word >> 1 & 3 {
        0 | 2 => size,
        1 => 1,
        _ => return Parsed::Bad,
    };
    if size > MAX_BLOCK {
        return Parsed::Bad;
    }
    Parsed::Is(BlockHeader {
        length: 3 + stored,
        last: word & 1 == 1,
    })
}

/// Reads the header of a skippable frame: the length of what follows its 8 bytes.
pub(super) fn skippable_header(bytes: &[u8]) -> Parsed<usize> {
    let Some((magic, rest)) = bytes.split_at_checked(4) else {
        return Parsed::Short;
    };
    if magic[0] & 0xF0 != 0x50 || magic[1..] != TRAILER_MAGIC[1..] {
        return Parsed::Bad;
    }
    match rest.first_chunk::<4>() {
        Some(&size) => Parsed::Is(u32::from_le_bytes(size) as usize),
        None => Parsed::Short,
    }
}

/// The seek table of zstd's seekable format: compressed and decompressed size of each frame, in order; skippable
/// frames count with a decompressed size of 0.
pub(super) fn seek_table(entries: &[(u32, u32)]) -> Vec<u8> {
    let size = entries.len() * 8 + 9;
    let mut out = Vec::with_capacity(size + 8);
    out.extend_from_slice(&SEEK_MAGIC);
    out.extend_from_slice(&(size as u32).to_le_bytes());
    for (compressed, content) in entries {
        out.extend_from_slice(&compressed.to_le_bytes());
        out.extend_from_slice(&content.to_le_bytes());
    }
    out.extend_from_slice(&(entries.len() as u32).to_le_bytes());
    out.push(0);
    out.extend_from_slice(&SEEK_END);
    out
}

/// The length of a seek table, from the last 9 bytes of a file; `None` if there is none.
pub(super) fn seek_table_length(end: &[u8; 9]) -> Option<u64> {
    let [a, b, c, d, descriptor, magic @ ..] = *end;
    let entry = if descriptor & 0x80 == 0 { 8 } else { 12 };
    let entries = u64::from(u32::from_le_bytes([a, b, c, d]));
    (magic == SEEK_END).then_some(entries * entry + 17)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_zstd_writes_is_walked_to_its_end() {
        let text = "a line of some length\n".repeat(40_000);
        let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
        encoder.include_checksum(true).unwrap();
        std::io::Write::write_all(&mut encoder, text.as_bytes()).unwrap();
        let bytes = encoder.finish().unwrap();
        let Parsed::Is(header) = frame_header(&bytes) else {
            panic!("no header")
        };
        assert!(header.checksum);
        let mut at = header.length;
        loop {
            let Parsed::Is(block) = block_header(&bytes[at..]) else {
                panic!("no block at {at}")
            };
            at += block.length;
            if block.last {
                break;
            }
        }
        assert_eq!(at + 4, bytes.len());
    }

    #[test]
    fn a_window_that_would_cost_too_much_memory_is_refused() {
        // 2 GiB, as `zstd --long=31` writes it.
        let header = [MAGIC.as_slice(), &[0x04, 21 << 3]].concat();
        assert_eq!(frame_header(&header), Parsed::Bad);
        let ours = [MAGIC.as_slice(), &[0x04, 11 << 3]].concat();
        assert!(matches!(frame_header(&ours), Parsed::Is(_)));
        assert_eq!(frame_header(&ours[..5]), Parsed::Short);
        let huge_content = [MAGIC.as_slice(), &[0xE4], &[0xFF; 8]].concat();
        assert_eq!(frame_header(&huge_content), Parsed::Bad);
    }

    #[test]
    fn a_seek_table_knows_its_own_length() {
        let table = seek_table(&[(10, 20), (30, 0)]);
        let end = table.last_chunk::<9>().unwrap();
        assert_eq!(seek_table_length(end), Some(table.len() as u64));
        assert_eq!(seek_table_length(&[0; 9]), None);
    }
}
