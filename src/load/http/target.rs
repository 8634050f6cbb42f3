//! Where requests go: a scenario's target and the absolute URLs of its steps, read into places.
//!
//! In flow `http(s)://host[:port][/base/path]`, `unix:/path.sock` and request URIs; out flow a [`Place`] (what a
//! connection is keyed by) and the path that goes on the wire. Pure. The invariant: two URLs that mean the same
//! origin give equal places.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::path::PathBuf;

use hyper::Uri;
use hyper::http::uri::PathAndQuery;
use url::{Host, Url};

/// What a connection leads to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Place {
    /// A host and port, over TLS when `secure`.
    Tcp {
        /// A name in lower case, or an address without brackets.
        host: Box<str>,
        /// The port.
        port: u16,
        /// Whether TLS is spoken.
        secure: bool,
    },
    /// A unix socket.
    Unix(PathBuf),
}

impl Place {
    /// The `Host` header and HTTP/2 authority: the port only where it is not the scheme's own.
    pub(super) fn authority(&self) -> String {
        match self {
            Self::Tcp { host, port, secure } => {
                let host = bracketed(host);
                if *port == default_port(*secure) {
                    host
                } else {
                    format!("{host}:{port}")
                }
            }
            Self::Unix(_) => "localhost".into(),
        }
    }

    /// Whether TLS is spoken.
    pub(super) fn secure(&self) -> bool {
        match self {
            Self::Tcp { secure, .. } => *secure,
            Self::Unix(_) => false,
        }
    }

    /// Whether an absolute request URI leads here. No allocation: it runs for every absolute URL.
    pub(super) fn serves(&self, uri: &Uri) -> bool {
        match self {
            Self::Tcp { host, port, secure } => {
                uri.scheme_str() == Some(if *secure { "https" } else { "http" })
                    && uri
                        .host()
                        .is_some_and(|asked| unbracketed(asked).eq_ignore_ascii_case(host))
                    && uri.port_u16().unwrap_or(default_port(*secure)) == *port
            }
            Self::Unix(_) => false,
        }
    }

    /// The place of an absolute request URI. The error is a sentence.
    pub(super) fn of(uri: &Uri) -> Result<Self, String> {
        let secure = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            Some(other) => {
                return Err(format!(
                    "`{other}:` URLs cannot be requested; use http: or https:"
                ));
            }
            None => return Err("a request needs a path or a whole URL".into()),
        };
        let host = uri.host().filter(|host| !host.is_empty());
        let Some(host) = host else {
            return Err("the URL names no host".into());
        };
        Ok(Self::Tcp {
            host: canonical(unbracketed(host)),
            port: uri.port_u16().unwrap_or(default_port(secure)),
            secure,
        })
    }
}

/// How messages name a place: `host:port` or the socket's path.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port, .. } => write!(f, "{}:{port}", bracketed(host)),
            Self::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

/// A scenario's target: a place and the path put before every path of its steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) place: Place,
    /// Without a final slash; empty for most targets.
    pub(super) base: String,
}

impl Target {
    /// Reads a target as written in a profile. The error says what is wrong, without the URL itself.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            if !path.starts_with('/') {
                return Err("a unix socket needs an absolute path: unix:/run/app.sock".into());
            }
            return Ok(Self {
                place: Place::Unix(path.into()),
                base: String::new(),
            });
        }
        let url = Url::parse(text).map_err(|error| error.to_string())?;
        let secure = match url.scheme() {
            "http" => false,
            "https" => true,
            other => return Err(format!("`{other}:` is not http:, https: or unix:")),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(
                "user and password do not belong in a URL; send an `authorization` header".into(),
            );
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err("a target is a base URL, without `?` and `#`".into());
        }
        let host = match url.host() {
            Some(Host::Domain(name)) => name.to_ascii_lowercase(),
            Some(Host::Ipv4(address)) => address.to_string(),
            Some(Host::Ipv6(address)) => address.to_string(),
            None => return Err("it names no host".into()),
        };
        Ok(Self {
            place: Place::Tcp {
                host: host.into(),
                port: url.port().unwrap_or(default_port(secure)),
                secure,
            },
            base: url.path().trim_end_matches('/').to_owned(),
        })
    }

    /// The path of a step on the wire: the base path put before it. `None` when it goes as it is.
    pub(super) fn join(&self, path: &PathAndQuery) -> Option<Result<PathAndQuery, String>> {
        if self.base.is_empty() {
            return None;
        }
        let joined = format!("{}{}", self.base, path.as_str());
        Some(
            PathAndQuery::try_from(joined)
                .map_err(|error| format!("the path is not valid: {error}")),
        )
    }
}

fn default_port(secure: bool) -> u16 {
    if secure { 443 } else { 80 }
}

fn unbracketed(host: &str) -> &str {
    host.strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(host)
}

fn bracketed(host: &str) -> String {
    if host.parse::<Ipv6Addr>().is_ok() {
        format!("[{host}]")
    } else {
        host.to_owned()
    }
}

/// Names in lower case, addresses in their shortest form.
fn canonical(host: &str) -> Box<str> {
    host.parse::<IpAddr>()
        .map_or_else(|_| host.to_ascii_lowercase(), |address| address.to_string())
        .into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tcp(host: &str, port: u16, secure: bool) -> Place {
        Place::Tcp {
            host: host.into(),
            port,
            secure,
        }
    }

    #[test]
    fn targets_of_every_form_are_read() {
        for (text, place, base) in [
            ("http://Shop.example", tcp("shop.example", 80, false), ""),
            ("https://shop.example/", tcp("shop.example", 443, true), ""),
            (
                "http://127.0.0.1:8080/v1/",
                tcp("127.0.0.1", 8080, false),
                "/v1",
            ),
            ("https://[::1]:8443/a/b", tcp("::1", 8443, true), "/a/b"),
            (
                "unix:/run/app.sock",
                Place::Unix("/run/app.sock".into()),
                "",
            ),
            (
                "unix:///run/app.sock",
                Place::Unix("/run/app.sock".into()),
                "",
            ),
        ] {
            let target = Target::parse(text).unwrap();
            assert_eq!(target.place, place, "{text}");
            assert_eq!(target.base, base, "{text}");
        }
    }

    #[test]
    fn targets_that_cannot_be_meant_are_refused() {
        for text in [
            "",
            "shop",
            "ftp://x",
            "http://",
            "http://u:p@x",
            "http://x/?q",
            "http://x/#f",
            "unix:app.sock",
        ] {
            assert!(Target::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_port_is_named_only_where_it_is_not_the_schemes_own() {
        assert_eq!(tcp("x", 80, false).authority(), "x");
        assert_eq!(tcp("x", 80, true).authority(), "x:80");
        assert_eq!(tcp("::1", 8080, false).authority(), "[::1]:8080");
        assert_eq!(Place::Unix("/a".into()).authority(), "localhost");
    }

    #[test]
    fn an_absolute_url_of_the_same_origin_is_recognised() {
        let place = Target::parse("http://Shop.example:80/base").unwrap().place;
        assert!(place.serves(&Uri::from_static("http://SHOP.example/x")));
        assert!(!place.serves(&Uri::from_static("https://shop.example/x")));
        assert!(!place.serves(&Uri::from_static("http://shop.example:81/x")));
        let six = Target::parse("http://[::1]:81").unwrap().place;
        assert!(six.serves(&Uri::from_static("http://[::1]:81/x")));
    }

    #[test]
    fn the_base_path_comes_before_the_steps_path() {
        let target = Target::parse("http://x/v1/").unwrap();
        let path = PathAndQuery::from_static("/cart?id=1");
        assert_eq!(
            target.join(&path).unwrap().unwrap().as_str(),
            "/v1/cart?id=1"
        );
        assert!(Target::parse("http://x").unwrap().join(&path).is_none());
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_without_panic(text in "(http://|https://|unix:)?.{0,60}") {
            let _ = Target::parse(&text);
            if let Ok(uri) = text.parse::<Uri>()
                && let Ok(place) = Place::of(&uri)
            {
                prop_assert!(place.serves(&uri) || uri.host().is_some_and(|host| host.contains(':')));
            }
        }
    }
}
