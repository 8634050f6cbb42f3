//! Any bytes are a session or an error, and whatever is read from them can be exported.

#![no_main]

use libfuzzer_sys::fuzz_target;
use stormdeck::session::export::{Format, export};
use stormdeck::session::{Reader, line};

fuzz_target!(|bytes: &[u8]| {
    for part in bytes.split(|&byte| byte == b'\n') {
        let _ = line::decode(part);
    }
    for format in [Format::Jsonl, Format::Csv] {
        if let Ok(mut reader) = Reader::new(bytes) {
            let _ = export(&mut reader, format, &mut std::io::sink());
        }
    }
    // The same bytes as the content of a frame, each line with a right checksum, so that records are reached.
    let mut content = Vec::new();
    for part in bytes.split(|&byte| byte == b'\n') {
        content.extend_from_slice(part);
        let tail = format!(",\"crc\":\"{:08x}\"}}\n", crc32c::crc32c(part));
        content.extend_from_slice(tail.as_bytes());
    }
    let Ok(frame) = zstd::encode_all(content.as_slice(), 1) else {
        return;
    };
    if let Ok(mut reader) = Reader::new(frame.as_slice()) {
        while let Ok(Some(_)) = reader.next_record() {}
    }
});
