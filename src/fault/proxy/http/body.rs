//! Where the body of a message ends, by its head; and following it there, however it is cut.

use httparse::{Header, Status};

/// What is left of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Body {
    /// So many bytes.
    Length(u64),
    /// Chunks.
    Chunked(Chunks),
    /// Until the connection ends.
    UntilClose,
}

/// What follows is no message of HTTP/1.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

/// Longest line of a chunk's size or of a trailer, bytes.
const LINE: usize = 8 << 10;

impl Body {
    /// Of these headers; `None` when they tell no length.
    pub fn of(headers: &[Header<'_>]) -> Result<Option<Self>, Malformed> {
        let mut length = None;
        for header in headers {
            if header.name.eq_ignore_ascii_case("transfer-encoding") {
                let last = header.value.rsplit(|byte| *byte == b',').next();
                return match last.unwrap_or_default().trim_ascii() {
                    last if last.eq_ignore_ascii_case(b"chunked") => {
                        Ok(Some(Self::Chunked(Chunks::default())))
                    }
                    _ => Err(Malformed),
                };
            }
            if header.name.eq_ignore_ascii_case("content-length") {
                let text = std::str::from_utf8(header.value.trim_ascii()).map_err(|_| Malformed)?;
                let bytes: u64 = text.parse().map_err(|_| Malformed)?;
                if length.is_some_and(|known| known != bytes) {
                    return Err(Malformed);
                }
                length = Some(bytes);
            }
        }
        Ok(length.map(Self::Length))
    }

    /// Takes from these bytes what belongs to the body: how many, and whether it ends with them.
    pub fn take(&mut self, bytes: &[u8]) -> Result<(usize, bool), Malformed> {
        match self {
            Self::Length(left) => {
                let taken = (*left).min(bytes.len() as u64);
                *left -= taken;
                Ok((taken as usize, *left == 0))
            }
            Self::Chunked(chunks) => chunks.take(bytes),
            Self::UntilClose => Ok((bytes.len(), false)),
        }
    }
}

/// Where in a chunked body one is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Chunks {
    at: At,
    /// The line that is being read.
    line: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum At {
    /// In the line with the size of a chunk.
    #[default]
    Size,
    /// In a chunk, so many bytes before its end, the line end behind it included.
    Data(u64),
    /// In the lines behind the last chunk.
    Trailer,
}

impl Chunks {
    fn take(&mut self, bytes: &[u8]) -> Result<(usize, bool), Malformed> {
        let mut taken = 0;
        while taken < bytes.len() {
            let rest = &bytes[taken..];
            if let At::Data(left) = &mut self.at {
                let more = (*left).min(rest.len() as u64);
                *left -= more;
                taken += more as usize;
                if *left == 0 {
                    self.at = At::Size;
                }
                continue;
            }
            let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
            self.line.extend_from_slice(&rest[..end]);
            taken += end;
            if self.line.len() > LINE {
                return Err(Malformed);
            }
            if self.line.ends_with(b"\n") && self.line_read()? {
                return Ok((taken, true));
            }
        }
        Ok((taken, false))
    }

    /// Goes on from a whole line; whether it was the last of the body.
    fn line_read(&mut self) -> Result<bool, Malformed> {
        let line = std::mem::take(&mut self.line);
        match self.at {
            At::Size => match httparse::parse_chunk_size(&line) {
                Ok(Status::Complete((_, 0))) => self.at = At::Trailer,
                Ok(Status::Complete((_, size))) => {
                    self.at = At::Data(size.checked_add(2).ok_or(Malformed)?);
                }
                Ok(Status::Partial) | Err(_) => return Err(Malformed),
            },
            At::Trailer if line.trim_ascii().is_empty() => return Ok(true),
            At::Trailer | At::Data(_) => {}
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CHUNKED: &[u8] = b"5;why=not\r\nhello\r\n10\r\n0123456789abcdef\r\n0\r\nsum: 1\r\n\r\n";

    proptest! {
        #[test]
        fn a_chunked_body_ends_where_it_ends_however_it_is_cut(cut in 0..CHUNKED.len()) {
            let whole = [CHUNKED, b"GET / HTTP/1.1\r\n"].concat();
            let mut body = Body::Chunked(Chunks::default());
            let (first, done) = body.take(&whole[..cut]).unwrap();
            prop_assert_eq!((first, done), (cut, false));
            prop_assert_eq!(body.take(&whole[cut..]).unwrap(), (CHUNKED.len() - cut, true));
        }

        #[test]
        fn nothing_that_is_sent_as_chunks_breaks_it(bytes: Vec<u8>) {
            let mut body = Body::Chunked(Chunks::default());
            let taken = body.take(&bytes).map_or(0, |(taken, _)| taken);
            prop_assert!(taken <= bytes.len());
        }
    }

    #[test]
    fn a_length_is_taken_from_the_headers_and_nothing_ambiguous_is() {
        let header = |name, value| Header { name, value };
        let length = |headers: &[Header<'_>]| Body::of(headers);
        assert_eq!(
            length(&[header("Content-Length", b"7")]),
            Ok(Some(Body::Length(7)))
        );
        assert_eq!(length(&[]), Ok(None));
        assert!(matches!(
            length(&[header("transfer-encoding", b"gzip, chunked")]),
            Ok(Some(Body::Chunked(_)))
        ));
        for bad in [&b"seven"[..], b"-1", b"7, 8", b"\xff"] {
            assert_eq!(length(&[header("content-length", bad)]), Err(Malformed));
        }
        let two = [
            header("content-length", b"7"),
            header("content-length", b"8"),
        ];
        assert_eq!(length(&two), Err(Malformed));
    }
}
