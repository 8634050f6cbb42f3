//! One record as one line of text, with a checksum of its own.
//!
//! A record goes in and a line comes out; a line goes in and a record comes out, or the reason why it is not one.
//! The invariant: a line whose bytes changed in any way is never taken for a record.
//!
//! A line is a JSON object and a newline. Its last member is always `crc`, written without spaces:
//!
//! ```text
//! {"k":"gap","from":7,"to":9,"why":"disk full","crc":"4c1b2d90"}
//! └───────────── covered by the CRC ─────────┘└── 18 bytes ───┘
//! ```
//!
//! The checksum is CRC-32C (Castagnoli) as 8 lower-case hexadecimal digits, over all bytes of the line from the `{` up
//! to, and without, the comma before `"crc"`. It is checked on the raw bytes, before anything is parsed.

use std::borrow::Cow;

use serde::Deserialize;

use super::record::{Number, Record, VERSION};

/// Bytes of `,"crc":"xxxxxxxx"}`.
const TAIL: usize = 18;

/// Longest line that is written or read, bytes, without its newline.
pub const MAX_LINE: usize = 16 << 20;

/// Why some bytes are not a line of a session.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// It does not end in a `crc` member.
    #[error("the line does not end in a checksum")]
    NoChecksum,
    /// The checksum is that of other bytes.
    #[error("the line's checksum is wrong")]
    WrongChecksum,
    /// The checksum holds, but the content is not a record.
    #[error("the line is not a record: {0}")]
    NotARecord(#[from] serde_json::Error),
    /// A key of a format that is newer than this reader.
    #[error(
        "the session is of format version {found}, and this stormdeck reads up to {VERSION}; use a newer stormdeck"
    )]
    Newer {
        /// Its major version.
        found: u32,
    },
    /// The record is longer than [`MAX_LINE`].
    #[error("the record has {0} bytes, more than a line may have")]
    TooLong(usize),
}

/// Appends the record to `out` as a line, newline included. `out` is as before if the record cannot be written.
pub fn encode(record: &Record, out: &mut Vec<u8>) -> Result<(), LineError> {
    let start = out.len();
    if let Err(error) = serde_json::to_writer(&mut *out, record) {
        out.truncate(start);
        return Err(error.into());
    }
    let length = out.len() - start + TAIL;
    if length > MAX_LINE {
        out.truncate(start);
        return Err(LineError::TooLong(length));
    }
    out.pop();
    let crc = crc32c::crc32c(&out[start..]);
    out.extend_from_slice(b",\"crc\":\"");
    for place in (0..8).rev() {
        out.push(b"0123456789abcdef"[(crc >> (place * 4)) as usize & 15]);
    }
    out.extend_from_slice(b"\"}\n");
    Ok(())
}

/// The record in a line, given without its newline.
///
/// A kind that this version does not know is [`Record::Unknown`]; members that it does not know are passed over.
pub fn decode(line: &[u8]) -> Result<Record, LineError> {
    check(line)?;
    parse(line)
}

/// Likewise, of a line whose checksum was left out, or is not to be looked at.
pub fn parse(line: &[u8]) -> Result<Record, LineError> {
    // An internally tagged enum is parsed through a copy of its content, which is slow, and turns the numbers that are
    // keys of maps into text. So the kind is looked at first; the writer puts it where that costs nothing.
    if line.starts_with(b"{\"k\":\"tick\",") {
        return Ok(Record::Tick(serde_json::from_slice(line)?));
    }
    match serde_json::from_slice::<Kind<'_>>(line)?.k.as_ref() {
        "tick" => Ok(Record::Tick(serde_json::from_slice(line)?)),
        "key" => decode_key(line),
        _ => Ok(serde_json::from_slice(line)?),
    }
}

/// What a reader that passes over a tick must still know of it.
#[derive(Debug, Deserialize)]
pub(super) struct Skimmed {
    /// Its number.
    pub n: u64,
    /// µs since the window began.
    pub at: u64,
    /// Wall clock, µs since the Unix epoch.
    pub wall: u64,
    /// The series that changed.
    #[serde(default)]
    pub series: Vec<(usize, Option<Number>)>,
    /// Those of its scrapes.
    #[serde(default)]
    pub scrapes: Vec<SkimmedScrape>,
}

/// What must still be known of a scrape.
#[derive(Debug, Deserialize)]
pub(super) struct SkimmedScrape {
    /// The series that changed.
    #[serde(default)]
    pub series: Vec<(usize, Option<Number>)>,
}

/// The tick in a line, without what was measured in it; `None` for a line of another kind. Takes a fifth of the time of
/// [`decode`].
pub(super) fn skim(line: &[u8]) -> Result<Option<Skimmed>, LineError> {
    if !line.starts_with(b"{\"k\":\"tick\",") {
        return Ok(None);
    }
    check(line)?;
    Ok(Some(serde_json::from_slice(line)?))
}

/// The member that says what a line is.
#[derive(Deserialize)]
struct Kind<'a> {
    #[serde(borrow)]
    k: Cow<'a, str>,
}

/// Looks at the version before the rest, since the rest may mean something else in a newer format.
fn decode_key(line: &[u8]) -> Result<Record, LineError> {
    #[derive(Deserialize)]
    struct Version {
        v: u32,
    }
    let found = serde_json::from_slice::<Version>(line)?.v;
    if found > VERSION {
        return Err(LineError::Newer { found });
    }
    Ok(Record::Key(serde_json::from_slice(line)?))
}

/// Checks the checksum on the raw bytes.
fn check(line: &[u8]) -> Result<(), LineError> {
    let split = line.len().checked_sub(TAIL).ok_or(LineError::NoChecksum)?;
    let (covered, tail) = line.split_at(split);
    let digits = tail
        .strip_prefix(b",\"crc\":\"")
        .and_then(|rest| rest.strip_suffix(b"\"}"))
        .ok_or(LineError::NoChecksum)?;
    let mut crc = 0u32;
    for &digit in digits {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return Err(LineError::NoChecksum),
        };
        crc = crc << 4 | u32::from(value);
    }
    if crc32c::crc32c(covered) == crc {
        Ok(())
    } else {
        Err(LineError::WrongChecksum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::record::{Event, Gap, Happening, Key, Tick};
    use proptest::prelude::*;

    fn line(record: &Record) -> Vec<u8> {
        let mut out = Vec::new();
        encode(record, &mut out).unwrap();
        assert_eq!(out.pop(), Some(b'\n'));
        out
    }

    /// A line around any JSON text, with the right checksum.
    fn sealed(body: &str) -> Vec<u8> {
        format!(
            "{body},\"crc\":\"{:08x}\"}}",
            crc32c::crc32c(body.as_bytes())
        )
        .into_bytes()
    }

    fn gap() -> Record {
        Record::Gap(Gap {
            from: 7,
            to: 9,
            why: "disk full".into(),
        })
    }

    #[test]
    fn a_line_is_the_record_and_the_checksum_of_its_bytes() {
        let text = String::from_utf8(line(&gap())).unwrap();
        let covered = r#"{"k":"gap","from":7,"to":9,"why":"disk full""#;
        assert_eq!(
            text,
            format!(
                "{covered},\"crc\":\"{:08x}\"}}",
                crc32c::crc32c(covered.as_bytes())
            )
        );
    }

    #[test]
    fn kinds_and_members_of_a_later_version_are_passed_over() {
        let unknown = sealed(r#"{"k":"fault","what":{"deep":[1,2]}"#);
        assert_eq!(decode(&unknown).unwrap(), Record::Unknown);
        let more = sealed(r#"{"k":"gap","from":7,"more":[1],"to":9,"why":"disk full""#);
        assert_eq!(decode(&more).unwrap(), gap());
        let tick = sealed(
            r#"{"n":4,"k":"tick","at":1,"wall":2,"load":1.0,"scenarios":[],"steps":[],"gen":{"late":"","lag_us":0,"cpu":0.0,"worker_cpu":0.0,"rss":0,"files":0,"files_max":0,"due":0,"begun":0}"#,
        );
        assert!(matches!(decode(&tick).unwrap(), Record::Tick(tick) if tick.n == 4));
        let event = sealed(r#"{"k":"event","at":1,"wall":2,"what":"fault_on","fault":3"#);
        let expected = Event {
            at: 1,
            wall: 2,
            by: None,
            what: Happening::Unknown,
        };
        assert_eq!(decode(&event).unwrap(), Record::Event(expected));
    }

    #[test]
    fn a_key_of_a_newer_format_is_refused_even_if_the_rest_of_it_is_strange() {
        let newer = sealed(r#"{"k":"key","v":2,"names":17"#);
        let error = decode(&newer).unwrap_err();
        assert!(matches!(error, LineError::Newer { found: 2 }), "{error}");
    }

    #[test]
    fn a_tick_comes_back_the_same() {
        let tick = Record::Tick(Box::new(Tick {
            n: 3,
            load: 0.1 + 0.2,
            ..Tick::default()
        }));
        assert_eq!(decode(&line(&tick)).unwrap(), tick);
        let key = Record::Key(Key {
            v: 1,
            frame: 2,
            ..Key::default()
        });
        assert_eq!(decode(&line(&key)).unwrap(), key);
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_record_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = decode(&bytes);
        }

        #[test]
        fn any_json_under_a_right_checksum_is_a_record_or_an_error(
            kind in "(key|tick|window|event|sample|gap|end|x)",
            rest in r#"(,"(at|n|v|wall|steps|names|from|to|q|what|series)":(0|-1|1e999|"x"|\[\]|\[\[\]\]|\{\}|null|18446744073709551616)){0,8}"#,
        ) {
            let _ = decode(&sealed(&format!("{{\"k\":\"{kind}\"{rest}")));
        }

        #[test]
        fn a_changed_byte_never_passes(place in 0usize..62, flip in 1u8..=255) {
            let mut bytes = line(&gap());
            let place = place % bytes.len();
            bytes[place] ^= flip;
            prop_assert!(decode(&bytes).is_err());
        }
    }
}
