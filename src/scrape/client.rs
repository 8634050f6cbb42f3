//! One target's HTTP: a request out, a body or a sentence back.
//!
//! In: an [`Endpoint`], as a profile or a command line describes it. Out: [`Fetched`], or a [`FetchError`]. What a target
//! can do wrong is bounded here: time by `timeout`, memory by `max_body` (after decompression), connections by one.
//! It runs on any tokio runtime, one of a single thread too. The invariant: no error and no `Debug` shows a secret.

mod auth;
mod body;
mod error;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, DATE, HOST, HeaderMap,
    HeaderValue, LOCATION,
};
use reqwest::redirect::{Attempt, Policy};
use reqwest::{Response, StatusCode};
use url::Url;

pub use error::{EndpointError, FetchError};

use crate::profile::model::{HttpVersion, Tls};
use crate::profile::secret::Text;
use crate::tls::client_config;
use auth::BearerFile;
use body::{Body, Encoding};

/// What a body may hold, decompressed, unless something else is said: 10 MB.
pub const MAX_BODY: usize = 10_000_000;

/// How long a scrape may take unless something else is said.
pub const TIMEOUT: Duration = Duration::from_secs(5);

/// `OpenMetrics` first and then text 0.0.4, as Prometheus asks.
const ACCEPTED: &str = "application/openmetrics-text;version=1.0.0,\
    application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";

/// Prometheus tells its exporters how long it will wait; some stop collecting then.
const TIMEOUT_HEADER: &str = "x-prometheus-scrape-timeout-seconds";

const USER_AGENT: &str = concat!("stormdeck/", env!("CARGO_PKG_VERSION"));

/// How many redirects are followed, when any are.
const REDIRECTS: usize = 10;

/// Where a target is and how it is asked.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// `http://` or `https://`, with its path.
    pub url: Text,
    /// The socket to connect to in place of the URL's host.
    pub unix: Option<PathBuf>,
    /// Headers beside those that are always sent; one of the same name takes their place.
    pub headers: Vec<(String, Text)>,
    /// Bearer token.
    pub bearer: Option<Text>,
    /// File that holds the bearer token; read again when it changes.
    pub bearer_file: Option<PathBuf>,
    /// User and password.
    pub basic: Option<(String, Text)>,
    /// Certificates.
    pub tls: Tls,
    /// Limit on all of a scrape, from the connection to the last byte.
    pub timeout: Duration,
    /// Limit on the size of a body, decompressed, in bytes.
    pub max_body: usize,
    /// Whether redirects are followed, within the URL's host.
    pub redirects: bool,
}

impl Endpoint {
    /// An endpoint that takes nothing but its URL.
    pub fn new(url: Text) -> Self {
        Self {
            url,
            unix: None,
            headers: Vec::new(),
            bearer: None,
            bearer_file: None,
            basic: None,
            tls: Tls::default(),
            timeout: TIMEOUT,
            max_body: MAX_BODY,
            redirects: false,
        }
    }

    /// Whether anything that a server could send back is secret.
    fn has_secret(&self) -> bool {
        let mut headers = self.headers.iter();
        self.url.is_secret()
            || self.bearer.is_some()
            || self.bearer_file.is_some()
            || self.basic.is_some()
            || headers.any(|(_, value)| value.is_secret())
    }
}

/// What a target answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The body, decompressed.
    pub body: Vec<u8>,
    /// Its Content-Type, if it has one.
    pub content_type: Option<String>,
    /// The status: 200, or another one that says in the body what is wrong.
    pub status: u16,
    /// The server's clock, s since the Unix epoch, as its `Date` header has it: whole seconds, cut off.
    pub date: Option<i64>,
    /// Size of the body as it came over the wire, in bytes.
    pub wire: usize,
    /// From the beginning to the last byte.
    pub took: Duration,
}

/// Statuses with which an API says in the body what is wrong with a question.
const REFUSALS: [StatusCode; 3] = [
    StatusCode::BAD_REQUEST,
    StatusCode::UNPROCESSABLE_ENTITY,
    StatusCode::SERVICE_UNAVAILABLE,
];

/// Asks one target, again and again, over one connection.
#[derive(Debug, Clone)]
pub struct Client {
    endpoint: Endpoint,
    url: Url,
    http: reqwest::Client,
    headers: HeaderMap,
    bearer: Option<BearerFile>,
    /// Bytes that came over the wire in the scrape at hand.
    got: usize,
    /// Size of the last body: room for the next one.
    last: usize,
}

impl Client {
    /// A client for an endpoint. What can be wrong with it on this side is found here.
    pub fn new(endpoint: Endpoint) -> Result<Self, EndpointError> {
        let mut url = address(&endpoint.url)?;
        let mut headers = headers(&endpoint)?;
        let tls = client_config(&endpoint.tls, HttpVersion::Auto)?;
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(Arc::unwrap_or_clone(tls))
            .user_agent(USER_AGENT)
            .no_proxy()
            .no_gzip()
            .referer(false)
            .pool_max_idle_per_host(1)
            .redirect(if endpoint.redirects {
                Policy::custom(within_host)
            } else {
                Policy::none()
            });
        if let Some(path) = &endpoint.unix {
            builder = builder.unix_socket(path.as_path());
        }
        if let Some(name) = &endpoint.tls.server_name {
            headers
                .entry(HOST)
                .or_insert(auth::header("host", &authority(&url), false)?);
            let host = url.host_str().unwrap_or_default().to_owned();
            builder = builder.dns_resolver(auth::Elsewhere(host));
            url.set_host(Some(name))
                .map_err(|_| EndpointError::ServerName(name.clone()))?;
        }
        let http = builder.build().map_err(|error| {
            EndpointError::Client(error::root(&error.without_url()).to_string())
        })?;
        Ok(Self {
            bearer: endpoint.bearer_file.clone().map(BearerFile::new),
            endpoint,
            url,
            http,
            headers,
            got: 0,
            last: 0,
        })
    }

    /// What it asks.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Scrapes once.
    ///
    /// # Errors
    /// When anything but a whole body with status 200 comes.
    pub async fn fetch(&mut self) -> Result<Fetched, FetchError> {
        self.get(self.url.clone(), &[]).await
    }

    /// Asks an API on the same server, which may refuse in its own words: with status 400, 422 or 503 and a body.
    ///
    /// # Errors
    /// When no whole answer comes.
    pub async fn ask(&mut self, url: Url) -> Result<Fetched, FetchError> {
        self.get(url, &REFUSALS).await
    }

    async fn get(&mut self, url: Url, also: &[StatusCode]) -> Result<Fetched, FetchError> {
        let begun = Instant::now();
        self.got = 0;
        let limit = self.endpoint.timeout;
        let exchange = tokio::time::timeout(limit, self.exchange(url, also)).await;
        let mut fetched = exchange.unwrap_or(Err(FetchError::Timeout {
            limit,
            got: self.got,
        }))?;
        fetched.took = begun.elapsed();
        self.last = fetched.body.len();
        Ok(fetched)
    }

    async fn exchange(&mut self, url: Url, also: &[StatusCode]) -> Result<Fetched, FetchError> {
        let mut request = self.http.get(url).headers(self.headers.clone());
        if let Some(bearer) = &mut self.bearer {
            request = request.header(AUTHORIZATION, bearer.read()?);
        }
        let sent = request.send().await;
        let mut response = sent.map_err(|error| self.unanswered(error))?;
        if !also.contains(&response.status()) {
            self.accept(&response)?;
        }
        let text = |name| {
            let value: &HeaderValue = response.headers().get(name)?;
            Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        let content_type = text(CONTENT_TYPE);
        let date = text(DATE).and_then(|date| jiff::fmt::rfc2822::parse(&date).ok());
        let date = date.map(|date| date.timestamp().as_second());
        let encoding = Encoding::of(text(CONTENT_ENCODING).as_deref())?;
        let max = self.endpoint.max_body;
        let declared = response.content_length().unwrap_or(0);
        if encoding == Encoding::Plain && declared > max as u64 {
            return Err(FetchError::TooLarge { max });
        }
        let mut body = Body::new(encoding, max, self.last);
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) => {
                    self.got += chunk.len();
                    body.add(&chunk)?;
                }
                Ok(None) => break,
                Err(_) => return Err(FetchError::Cut { got: self.got }),
            }
        }
        Ok(Fetched {
            body: body.finish()?,
            content_type,
            status: response.status().as_u16(),
            date,
            wire: self.got,
            took: Duration::ZERO,
        })
    }

    /// Takes 200 and nothing else, as Prometheus does.
    fn accept(&self, response: &Response) -> Result<(), FetchError> {
        let status = response.status();
        match status {
            StatusCode::OK => Ok(()),
            status if status.is_redirection() => {
                let place = response.headers().get(LOCATION);
                let place = place.filter(|_| !self.endpoint.has_secret());
                Err(FetchError::Redirect {
                    status: status.as_u16(),
                    to: place.map(|place| error::shown(place.as_bytes())),
                    followed: self.endpoint.redirects,
                })
            }
            status => Err(FetchError::Status(status.as_u16())),
        }
    }

    /// Why there is no answer at all.
    fn unanswered(&self, error: reqwest::Error) -> FetchError {
        let place = match (&self.endpoint.unix, self.endpoint.url.is_secret()) {
            (Some(path), _) => path.display().to_string(),
            (None, true) => "the target".to_owned(),
            (None, false) => authority(&self.url),
        };
        FetchError::unanswered(&error.without_url(), place)
    }
}

/// The URL, when it is one that can be asked.
fn address(url: &Text) -> Result<Url, EndpointError> {
    let wrong = |why: &str| EndpointError::Url {
        url: url.shown().to_owned(),
        why: why.to_owned(),
    };
    let parsed = Url::parse(url.reveal()).map_err(|error| wrong(&error.to_string()))?;
    match parsed.scheme() {
        "http" | "https" => Ok(parsed),
        _ => Err(wrong("it must begin with http:// or https://")),
    }
}

/// Host and port of a URL, as they stand in it.
fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

fn headers(endpoint: &Endpoint) -> Result<HeaderMap, EndpointError> {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static(ACCEPTED));
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    let timeout = endpoint.timeout.as_secs_f64().to_string();
    headers.insert(
        TIMEOUT_HEADER,
        auth::header(TIMEOUT_HEADER, &timeout, false)?,
    );
    if let Some(value) = auth::authorization(endpoint)? {
        headers.insert(AUTHORIZATION, value);
    }
    for (name, value) in &endpoint.headers {
        let (name, value) = auth::own_header(name, value)?;
        headers.insert(name, value);
    }
    Ok(headers)
}

/// Headers that a profile gives must not reach another host than the one that they were given for.
fn within_host(attempt: Attempt<'_>) -> reqwest::redirect::Action {
    let first = attempt.previous().first();
    let same = first.is_some_and(|first| {
        first.host_str() == attempt.url().host_str()
            && first.port_or_known_default() == attempt.url().port_or_known_default()
            && first.scheme() == attempt.url().scheme()
    });
    if same && attempt.previous().len() <= REDIRECTS {
        attempt.follow()
    } else {
        attempt.stop()
    }
}
