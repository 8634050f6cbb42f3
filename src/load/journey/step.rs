//! One request of a journey: how it is built, and what is done with its answer.
//!
//! A step without templates keeps its method, URI, headers and body ready and clones them: one allocation for the
//! header map, none for the rest. A step with templates renders into a buffer of the thread. URLs are normalised after
//! rendering: spaces, control and non-ASCII characters, `"<>\^{|}`, backquote and `#` are percent-encoded, while `%`,
//! `/`, `?`, `&` and `=` stand as they are; `| urlencode` is for values that may hold those. A header value with a
//! control character is refused, since it could be the start of another header.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{COOKIE, HeaderName, HeaderValue};
use hyper::{HeaderMap, Method, Request, Uri};
use minijinja::{Environment, Value};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use url::Url;

use super::check::{Answer, Checks};
use super::save::Saver;
use super::template::{Pattern, functions};
use super::trace;
use super::user::{User, data_failure};
use crate::load::http::{Exchange, Failure, Response};
use crate::load::ledger;
use crate::profile::model::ThinkTime;
use crate::session::record::ErrorKind;

/// What cannot stand in a request line.
const UNSAFE: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');
/// Longest URL, bytes: what the URI type can hold.
const LONGEST_URL: usize = 65_534;
/// Bytes of a body that a failure keeps.
const SAMPLE: usize = 2048;

thread_local! {
    /// Where templates are rendered; it keeps the size of the largest request of its thread.
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// One step.
#[derive(Debug)]
pub struct CompiledStep {
    /// Index into the session's `names.steps`.
    pub index: usize,
    /// A failure does not end the journey.
    pub optional: bool,
    /// Pause after it.
    pub think: ThinkTime,
    /// Limit on the request.
    pub timeout: Duration,
    /// How much of the body `check` needs (0: none).
    pub keep: u64,
    /// The ledger that it writes to, by index, and the name under which its templates see the number.
    pub ledger: Option<(usize, Arc<str>)>,
    /// For sentences: ``journey `buy`, step `pay` ``.
    pub(super) place: Arc<str>,
    pub(super) plan: Plan,
    pub(super) checks: Checks,
    pub(super) savers: Vec<Saver>,
}

/// How a step's requests are built.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) env: Environment<'static>,
    pub(super) method: Method,
    pub(super) url: UrlPlan,
    /// Headers without templates.
    pub(super) headers: HeaderMap,
    pub(super) filled: Vec<(HeaderName, Pattern)>,
    pub(super) body: BodyPlan,
    pub(super) trace: bool,
    /// What paths are relative to, where cookies are kept.
    pub(super) base: Option<Arc<Url>>,
}

#[derive(Debug)]
pub(super) enum UrlPlan {
    Fixed(Uri),
    Filled(Pattern),
}

#[derive(Debug)]
pub(super) enum BodyPlan {
    Fixed(Bytes),
    Filled(Pattern),
}

/// A URI from text that may hold anything. The error is a sentence without the text, which may hold a secret.
pub(super) fn uri(text: &str) -> Result<Uri, String> {
    if !(text.starts_with('/') || text.starts_with("http://") || text.starts_with("https://")) {
        return Err("begins neither with `/` nor with `http://` or `https://`".into());
    }
    let encoded = utf8_percent_encode(text, UNSAFE).to_string();
    if encoded.len() > LONGEST_URL {
        return Err(format!("is longer than {LONGEST_URL} bytes"));
    }
    let uri = Uri::try_from(encoded).map_err(|error| format!("is not a URL: {error}"))?;
    if uri.authority().is_none() && !text.starts_with('/') {
        return Err("names no host".into());
    }
    Ok(uri)
}

/// A header value. Refuses control characters, tabs apart.
pub(super) fn header_value(text: &[u8]) -> Result<HeaderValue, String> {
    HeaderValue::from_bytes(text)
        .map_err(|_| "holds a line break or another control character".to_owned())
}

impl CompiledStep {
    /// The request. Without templates this clones prebuilt parts and nothing else.
    ///
    /// A step that names a path gives a request with that path alone; the transport puts the target before it.
    /// Fails with kind `Data` when a template does.
    pub fn request(&self, user: &mut User) -> Result<Request<Full<Bytes>>, Failure> {
        if let Some((_, name)) = &self.ledger {
            user.written = ledger::next();
            user.save(name, Value::from(user.written));
        }
        let plan = &self.plan;
        let (uri, mut headers, body) = if plan.is_fixed() {
            (plan.fixed_uri(), plan.headers.clone(), plan.fixed_body())
        } else {
            let values = user.values();
            let filled = functions::with(&mut user.ambient, || plan.fill(&values));
            filled.map_err(|(field, why)| {
                data_failure(format!("{}: the {field} {why}", self.place))
            })?
        };
        if plan.trace {
            headers.insert(trace::HEADER, user.next_trace().header());
        }
        if let (Some(jar), UrlPlan::Filled(_)) = (user.jar.as_mut(), &plan.url) {
            jar.asked = Some(Box::new(uri.clone()));
        }
        if let Some(jar) = user.jar.as_ref().filter(|jar| !jar.is_empty())
            && !headers.contains_key(COOKIE)
            && let Some(cookies) = plan.absolute(&uri).and_then(|url| jar.header(&url))
        {
            headers.insert(COOKIE, cookies);
        }
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = plan.method.clone();
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        Ok(request)
    }

    /// Saves values and cookies, checks expectations. `service`: the exchange's service time.
    ///
    /// Cookies are kept whatever the answer is; values only once everything expected holds.
    pub fn check(
        &self,
        user: &mut User,
        response: &Response,
        exchange: &Exchange,
    ) -> Result<(), Failure> {
        let sent = exchange.sent.unwrap_or(exchange.done);
        let service = Duration::from_nanos(exchange.done.saturating_sub(sent));
        self.check_answer(user, response, service)
    }

    fn check_answer(
        &self,
        user: &mut User,
        response: &Response,
        service: Duration,
    ) -> Result<(), Failure> {
        if let Some(jar) = user.jar.as_mut() {
            let asked = jar.asked.take();
            jar.keep(&response.headers, || match asked {
                Some(uri) => self.plan.absolute(&uri),
                None => self.plan.absolute(&self.plan.fixed_uri()),
            });
        }
        let answer = Answer::new(response);
        self.checks
            .check(&answer, service)
            .map_err(|(kind, what)| self.failure(kind, &what, response))?;
        for saver in &self.savers {
            let value = saver
                .find(&answer)
                .map_err(|what| self.failure(ErrorKind::Expectation, &what, response))?;
            user.save(&saver.name, value);
        }
        Ok(())
    }

    fn failure(&self, kind: ErrorKind, what: &str, response: &Response) -> Failure {
        Failure {
            kind,
            detail: format!("{}: {what}", self.place),
            status: Some(response.status),
            body: response.body.slice(..response.body.len().min(SAMPLE)),
        }
    }
}

type Filled = (Uri, HeaderMap, Bytes);

impl Plan {
    fn is_fixed(&self) -> bool {
        matches!(
            (&self.url, &self.body),
            (UrlPlan::Fixed(_), BodyPlan::Fixed(_))
        ) && self.filled.is_empty()
    }

    fn fixed_uri(&self) -> Uri {
        match &self.url {
            UrlPlan::Fixed(uri) => uri.clone(),
            UrlPlan::Filled(_) => Uri::default(),
        }
    }

    fn fixed_body(&self) -> Bytes {
        match &self.body {
            BodyPlan::Fixed(body) => body.clone(),
            BodyPlan::Filled(_) => Bytes::new(),
        }
    }

    /// Fills everything in, in the order URL, headers, body. The error names the field.
    fn fill(&self, values: &Value) -> Result<Filled, (String, String)> {
        BUFFER.with_borrow_mut(|buffer| {
            let at = |field: &str| {
                let field = field.to_owned();
                move |why| (field, why)
            };
            let uri = match &self.url {
                UrlPlan::Fixed(uri) => uri.clone(),
                UrlPlan::Filled(pattern) => {
                    self.render(pattern, values, buffer).map_err(at("URL"))?;
                    uri(&String::from_utf8_lossy(buffer)).map_err(at("URL"))?
                }
            };
            let mut headers = self.headers.clone();
            for (name, pattern) in &self.filled {
                let field = || format!("header `{name}`");
                self.render(pattern, values, buffer)
                    .map_err(|why| (field(), why))?;
                headers.append(name, header_value(buffer).map_err(|why| (field(), why))?);
            }
            let body = match &self.body {
                BodyPlan::Fixed(body) => body.clone(),
                BodyPlan::Filled(pattern) => {
                    self.render(pattern, values, buffer).map_err(at("body"))?;
                    Bytes::copy_from_slice(buffer)
                }
            };
            Ok((uri, headers, body))
        })
    }

    fn render(&self, pattern: &Pattern, values: &Value, out: &mut Vec<u8>) -> Result<(), String> {
        pattern
            .render(&self.env, values, out)
            .map_err(|why| format!("could not be filled in: {why}"))
    }

    /// The whole URL of a request, for cookies.
    fn absolute(&self, uri: &Uri) -> Option<Url> {
        if uri.authority().is_some() {
            return Url::parse(&uri.to_string()).ok();
        }
        let mut url = self.base.as_deref()?.clone();
        let path = format!("{}{}", url.path().trim_end_matches('/'), uri.path());
        url.set_path(&path);
        Some(url)
    }
}
