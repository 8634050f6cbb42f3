//! A body as it comes in: decompressed on the way, and never larger than it may be.

use std::io::{self, Write};

use flate2::write::MultiGzDecoder;

use super::FetchError;
use super::error::shown;

/// How a body is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Plain,
    Gzip,
}

impl Encoding {
    /// What a Content-Encoding stands for.
    pub fn of(header: Option<&str>) -> Result<Self, FetchError> {
        let name = header.unwrap_or_default().trim();
        match name.to_ascii_lowercase().as_str() {
            "" | "identity" => Ok(Self::Plain),
            "gzip" | "x-gzip" => Ok(Self::Gzip),
            _ => Err(FetchError::Encoding(shown(name.as_bytes()))),
        }
    }
}

/// What has come of a body so far.
pub(super) enum Body {
    Plain(Capped),
    Gzip(Box<MultiGzDecoder<Capped>>),
}

impl Body {
    /// With room for `expected` bytes, and for no more than `max`.
    pub fn new(encoding: Encoding, max: usize, expected: usize) -> Self {
        let capped = Capped {
            bytes: Vec::with_capacity(expected.min(max)),
            max,
            over: false,
        };
        match encoding {
            Encoding::Plain => Self::Plain(capped),
            Encoding::Gzip => Self::Gzip(Box::new(MultiGzDecoder::new(capped))),
        }
    }

    /// Adds what came over the wire.
    pub fn add(&mut self, chunk: &[u8]) -> Result<(), FetchError> {
        let written = match self {
            Self::Plain(capped) => capped.write_all(chunk),
            Self::Gzip(decoder) => decoder.write_all(chunk),
        };
        written.map_err(|_| self.broken())
    }

    /// The whole body, if it is whole.
    pub fn finish(mut self) -> Result<Vec<u8>, FetchError> {
        let ended = match &mut self {
            Self::Plain(_) => Ok(()),
            Self::Gzip(decoder) => decoder.try_finish(),
        };
        ended.map_err(|_| self.broken())?;
        Ok(std::mem::take(&mut self.capped().bytes))
    }

    fn capped(&mut self) -> &mut Capped {
        match self {
            Self::Plain(capped) => capped,
            Self::Gzip(decoder) => decoder.get_mut(),
        }
    }

    fn broken(&mut self) -> FetchError {
        let capped = self.capped();
        match (capped.over, capped.max) {
            (true, max) => FetchError::TooLarge { max },
            (false, _) => FetchError::Gzip,
        }
    }
}

/// Bytes up to a limit.
pub(super) struct Capped {
    bytes: Vec<u8>,
    max: usize,
    /// Whether more came than there may be.
    over: bool,
}

impl Write for Capped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.over |= bytes.len() > self.max - self.bytes.len();
        if self.over {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
