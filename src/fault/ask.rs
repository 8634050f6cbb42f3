//! Requests of faults: to loopback and `allow_hosts` only, decided by address once the name was looked up; bounded in
//! time and in what is read of the answer.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Method, RequestBuilder, StatusCode, Url};

use super::driver::FaultError;
use super::said::{clean, quoted};
use super::sealed::Sealed;
use crate::profile::Redactor;
use crate::profile::hosts::{HostRule, is_loopback_address};
use crate::profile::model::{HttpVersion, Tls};
use crate::profile::units::format_duration;
use crate::tls::client_config;

/// What is read of an answer, in bytes.
const LARGEST: usize = 1 << 20;

/// Not that of a browser, which Toxiproxy turns away.
const USER_AGENT: &str = concat!("stormdeck/", env!("CARGO_PKG_VERSION"));

/// Asks servers that may be asked.
pub(super) struct Asker {
    http: reqwest::Client,
    rules: Arc<[HostRule]>,
    redactor: Redactor,
}

/// An answer.
#[derive(Debug)]
pub(super) struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// The start of its body, or all of it.
    pub body: Vec<u8>,
}

impl Asker {
    /// With the entries of `allow_hosts`.
    pub fn new(allow: &[String], redactor: Redactor) -> Result<Self, FaultError> {
        let rules = allow.iter().map(|entry| entry.parse());
        let rules: Vec<HostRule> = rules.collect::<Result<_, _>>().map_err(FaultError::of)?;
        let rules: Arc<[HostRule]> = rules.into();
        let tls = client_config(&Tls::default(), HttpVersion::Auto).map_err(FaultError::of)?;
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(Arc::unwrap_or_clone(tls))
            .user_agent(USER_AGENT)
            .no_proxy()
            .referer(false)
            .redirect(reqwest::redirect::Policy::none())
            .dns_resolver(Guarded(Arc::clone(&rules)))
            .build()
            .map_err(|error| FaultError(format!("no HTTP client can be made: {}", root(&error))))?;
        Ok(Self {
            http,
            rules,
            redactor,
        })
    }

    /// Blots out the secrets of the profile.
    pub fn redactor(&self) -> &Redactor {
        &self.redactor
    }

    /// Asks, and reads the answer. `fill` adds headers and body.
    pub async fn ask(
        &self,
        method: &str,
        url: &Sealed,
        limit: Duration,
        fill: impl FnOnce(RequestBuilder) -> Result<RequestBuilder, FaultError>,
    ) -> Result<Answer, FaultError> {
        let place = format!("{method} {}", url.shown());
        let failed = |why: &str| FaultError(format!("{place}: {why}"));
        let real = url.open()?;
        let parsed = Url::parse(real.reveal()).map_err(|error| failed(&error.to_string()))?;
        // An address is not looked up, and so not guarded there.
        let literal = parsed.host_str().unwrap_or_default();
        if let Ok(address) = literal.trim_matches(['[', ']']).parse::<IpAddr>()
            && !allows(&self.rules, literal, address)
        {
            return Err(failed(&forbidden("it")));
        }
        let method =
            Method::from_bytes(method.as_bytes()).map_err(|error| failed(&error.to_string()))?;
        let request = fill(self.http.request(method, parsed))?;
        match tokio::time::timeout(limit, exchange(request)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => {
                let why = root(&error.without_url());
                Err(failed(&self.redactor.text(&why)))
            }
            Err(_) => Err(failed(&format!(
                "no answer within {}",
                format_duration(limit)
            ))),
        }
    }
}

impl Answer {
    /// What it says, short, in a sentence.
    pub fn described(&self, redactor: &Redactor) -> String {
        let said = quoted(&clean(&self.body, redactor));
        let colon = if said.is_empty() { "" } else { ": " };
        format!("the answer was {}{colon}{said}", self.status)
    }
}

async fn exchange(request: RequestBuilder) -> Result<Answer, reqwest::Error> {
    let mut response = request.send().await?;
    let mut body = Vec::new();
    while body.len() < LARGEST {
        let Some(chunk) = response.chunk().await? else {
            break;
        };
        body.extend_from_slice(&chunk);
    }
    body.truncate(LARGEST);
    Ok(Answer {
        status: response.status(),
        body,
    })
}

/// What is at the bottom of an error.
fn root(error: &reqwest::Error) -> String {
    let mut last: &dyn std::error::Error = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}

fn allows(rules: &[HostRule], host: &str, address: IpAddr) -> bool {
    let listed = |rule: &HostRule| rule.allows(host) || rule.allows_address(address);
    is_loopback_address(address) || rules.iter().any(listed)
}

fn forbidden(what: &str) -> String {
    format!("{what} is not in allow_hosts, so nothing was sent there")
}

/// Looks names up, and keeps the addresses that may be connected to.
struct Guarded(Arc<[HostRule]>);

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let rules = Arc::clone(&self.0);
        Box::pin(async move {
            let host = name.as_str();
            let found = tokio::net::lookup_host((host, 0)).await?;
            let (kept, refused): (Vec<SocketAddr>, Vec<SocketAddr>) =
                found.partition(|address| allows(&rules, host, address.ip()));
            if let (true, Some(address)) = (kept.is_empty(), refused.first()) {
                let what = format!("`{host}` ({})", address.ip());
                return Err(io::Error::other(forbidden(&what)).into());
            }
            Ok(Box::new(kept.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nothing_is_sent_to_a_host_that_is_not_allowed() {
        let ask = async |allow: &[&str], url: &str| {
            let allow: Vec<String> = allow.iter().map(ToString::to_string).collect();
            let asker = Asker::new(&allow, Redactor::default()).unwrap();
            let limit = Duration::from_millis(200);
            let answer = asker.ask("GET", &Sealed::plain(url), limit, Ok).await;
            answer.unwrap_err().to_string()
        };
        let refused = "it is not in allow_hosts, so nothing was sent there";
        for url in ["http://192.0.2.1/x", "http://[2001:db8::1]:80/x"] {
            assert_eq!(ask(&[], url).await, format!("GET {url}: {refused}"));
        }
        // Port 1 refuses: it was asked.
        for url in ["http://127.0.0.1:1/", "http://localhost:1/"] {
            let why = ask(&[], url).await;
            assert!(why.contains("refused"), "{why}");
        }
    }

    #[test]
    fn a_name_says_nothing_about_its_address_unless_it_is_listed() {
        let rules: Vec<HostRule> = ["db.example.com", "10.0.0.0/8"]
            .map(|rule| rule.parse().unwrap())
            .into();
        let allowed = |host, address: &str| allows(&rules, host, address.parse().unwrap());
        assert!(allowed("db.example.com", "192.0.2.1"));
        assert!(allowed("other.example.com", "10.1.2.3"));
        assert!(allowed("localhost", "127.0.0.1"));
        assert!(!allowed("localhost", "192.0.2.1"));
        assert!(!allowed("other.example.com", "192.0.2.1"));
    }
}
