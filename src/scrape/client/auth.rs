//! Who asks: headers that may be secret, tokens in files, and names that stand in another place.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{HeaderName, HeaderValue};

use super::{Endpoint, EndpointError, FetchError};
use crate::profile::secret::Text;

/// A header's value. `secret` keeps it out of `Debug` and of HTTP/2's tables.
pub(super) fn header(name: &str, value: &str, secret: bool) -> Result<HeaderValue, EndpointError> {
    let refused = |_| EndpointError::Header(name.to_owned());
    let mut value = HeaderValue::from_str(value).map_err(refused)?;
    value.set_sensitive(secret);
    Ok(value)
}

/// A header of the profile's own.
pub(super) fn own_header(
    name: &str,
    value: &Text,
) -> Result<(HeaderName, HeaderValue), EndpointError> {
    let refused = |_| EndpointError::Header(name.to_owned());
    let known = HeaderName::from_bytes(name.as_bytes()).map_err(refused)?;
    Ok((known, header(name, value.reveal(), true)?))
}

/// The Authorization header that does not change. Only one of the three ways may be asked for.
pub(super) fn authorization(endpoint: &Endpoint) -> Result<Option<HeaderValue>, EndpointError> {
    let value = match (&endpoint.bearer, &endpoint.bearer_file, &endpoint.basic) {
        (None, _, None) => return Ok(None),
        (Some(token), None, None) => format!("Bearer {}", token.reveal()),
        (None, None, Some((user, password))) => {
            let pair = format!("{user}:{}", password.reveal());
            format!("Basic {}", STANDARD.encode(pair))
        }
        _ => return Err(EndpointError::TwoWays),
    };
    header("authorization", &value, true).map(Some)
}

/// A token in a file.
#[derive(Debug, Clone)]
pub(super) struct BearerFile {
    path: PathBuf,
    /// What tells one content from the next: change time, size, number of the file.
    stamp: Option<(i64, i64, u64, u64)>,
    value: HeaderValue,
}

impl BearerFile {
    pub fn new(path: PathBuf) -> Self {
        Self {
            path,
            stamp: None,
            value: HeaderValue::from_static(""),
        }
    }

    /// The Authorization header, from the file if it has changed.
    pub fn read(&mut self) -> Result<HeaderValue, FetchError> {
        let failed = |why: String| FetchError::BearerFile {
            path: self.path.clone(),
            why,
        };
        let unreadable = |error: std::io::Error| failed(error.to_string());
        let seen = fs::metadata(&self.path).map_err(unreadable)?;
        let stamp = (seen.ctime(), seen.ctime_nsec(), seen.size(), seen.ino());
        if self.stamp != Some(stamp) {
            let token = fs::read_to_string(&self.path).map_err(unreadable)?;
            let value = header("authorization", &format!("Bearer {}", token.trim()), true);
            self.value = value.map_err(|_| failed("it holds more than a token".to_owned()))?;
            self.stamp = Some(stamp);
        }
        Ok(self.value.clone())
    }
}

/// Gives the addresses of this host for any name: TLS asks for another name than the one that is connected to.
#[derive(Debug)]
pub(super) struct Elsewhere(pub String);

impl Resolve for Elsewhere {
    fn resolve(&self, _: Name) -> Resolving {
        let host = self.0.trim_matches(['[', ']']).to_owned();
        Box::pin(async move {
            let found: Vec<_> = tokio::net::lookup_host((host, 0)).await?.collect();
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}
