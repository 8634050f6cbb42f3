//! `http`: requests break it, requests bring it back, one more knows how it is.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use super::ask::{Answer, Asker};
use super::check::{self, Failed, Found};
use super::driver::{Doing, Done, Driver, FaultError, Proof};
use super::hidden::Hidden;
use super::said::clean;
use super::sealed::Sealed;
use super::undo::Undo;
use crate::profile::Profile;
use crate::profile::Redactor;
use crate::profile::model::Call;

/// A fault that requests make and unmake.
pub struct Http {
    inject: Vec<Request>,
    way: Way,
    underway: Mutex<Option<JoinHandle<Result<String, FaultError>>>>,
    course: RefCell<Arc<Course>>,
}

/// How an injection goes.
#[derive(Debug, Default)]
struct Course {
    /// Nothing more is sent.
    stopped: AtomicBool,
    /// A request was not answered in time: it may still be carried out.
    late: AtomicBool,
}

/// The statuses by which a server tells that there is nothing to take away any more.
const GONE: [u16; 2] = [404, 410];

/// From the writing of a way back to the first request, at most: the disk is waited for.
const BEFORE: Duration = Duration::from_secs(5);

/// The way back by request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Way {
    revert: Vec<Request>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    check: Option<Request>,
    /// Whether the check passed before the injection.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    worked: bool,
    /// `allow_hosts` of the profile.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    allow: Vec<String>,
    #[serde(default, skip_serializing_if = "Hidden::is_empty")]
    hidden: Hidden,
    /// When it was written, ms since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    written: Option<u64>,
    /// Time limits of all requests of the injection, ms.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    limits: Vec<u64>,
    #[serde(skip)]
    failed: Failed,
    /// Whether it was taken once, by this process.
    #[serde(skip)]
    taken: Cell<bool>,
}

/// A request, and the answer that counts as done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Request {
    method: String,
    url: Sealed,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    headers: Vec<(String, Sealed)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body: Option<Sealed>,
    /// Any 2xx when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    status: Vec<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body_contains: Option<Sealed>,
    /// Time limit, ms.
    limit: u64,
}

impl From<&Call> for Request {
    fn from(call: &Call) -> Self {
        let headers = call.headers.iter();
        Self {
            method: call.method.clone(),
            url: Sealed::from(&call.url),
            headers: headers.map(|(k, v)| (k.clone(), Sealed::from(v))).collect(),
            body: call.body.as_ref().map(Sealed::from),
            status: call.status.clone(),
            body_contains: call.body_contains.as_ref().map(Sealed::from),
            limit: call.timeout.as_millis() as u64,
        }
    }
}

impl Request {
    fn limit(&self) -> Duration {
        Duration::from_millis(self.limit)
    }

    /// What was answered, when it is what was expected.
    async fn make(&self, asker: &Asker, limit: Duration) -> Result<String, FaultError> {
        let answer = self.answered(asker, limit).await?;
        self.judge(&answer, asker)
    }

    /// Whatever was answered.
    async fn answered(&self, asker: &Asker, limit: Duration) -> Result<Answer, FaultError> {
        let limit = limit.min(self.limit());
        let fill = |mut request: reqwest::RequestBuilder| {
            for (name, value) in &self.headers {
                let mut sent = reqwest::header::HeaderValue::from_str(value.open()?.reveal())
                    .map_err(|_| FaultError(format!("the header `{name}` cannot be sent")))?;
                sent.set_sensitive(true);
                request = request.header(name, sent);
            }
            Ok(match &self.body {
                Some(body) => request.body(body.open()?.reveal().to_owned()),
                None => request,
            })
        };
        asker.ask(&self.method, &self.url, limit, fill).await
    }

    /// What an answer says, when it is what was expected.
    fn judge(&self, answer: &Answer, asker: &Asker) -> Result<String, FaultError> {
        match self.unexpected(answer, asker.redactor())? {
            None => Ok(clean(&answer.body, asker.redactor())),
            Some(why) => Err(FaultError(format!(
                "{} {}: {why}",
                self.method,
                self.url.shown()
            ))),
        }
    }

    /// Why the answer is not what was expected.
    fn unexpected(
        &self,
        answer: &Answer,
        redactor: &Redactor,
    ) -> Result<Option<String>, FaultError> {
        let fits = match &self.status[..] {
            [] => answer.status.is_success(),
            wanted => wanted.contains(&answer.status.as_u16()),
        };
        if !fits {
            return Ok(Some(answer.described(redactor)));
        }
        let Some(wanted) = &self.body_contains else {
            return Ok(None);
        };
        let text = wanted.open()?;
        let holds = memchr::memmem::find(&answer.body, text.reveal().as_bytes()).is_some();
        Ok((!holds).then(|| {
            let wanted = wanted.shown();
            format!("{}; `{wanted}` is not in it", answer.described(redactor))
        }))
    }

    async fn look(&self, asker: &Asker, limit: Duration) -> Found {
        match self.make(asker, limit).await {
            Ok(_) => Found::Works,
            Err(error) => Found::Broken(error.to_string()),
        }
    }
}

impl Http {
    /// From a profile.
    pub fn new(profile: &Profile, [inject, revert]: [&[Call]; 2], check: Option<&Call>) -> Self {
        Self {
            inject: inject.iter().map(Request::from).collect(),
            way: Way {
                revert: revert.iter().map(Request::from).collect(),
                check: check.map(Request::from),
                worked: false,
                allow: profile.window.allow_hosts.clone(),
                hidden: Hidden::from(&profile.secrets),
                written: None,
                limits: inject
                    .iter()
                    .map(|call| call.timeout.as_millis() as u64)
                    .collect(),
                failed: Failed::default(),
                taken: Cell::default(),
            },
            underway: Mutex::default(),
            course: RefCell::default(),
        }
    }

    async fn look_first(&self) -> Result<Undo, FaultError> {
        let asker = self.way.asker()?;
        let worked = match &self.way.check {
            Some(check) => check.look(&asker, check.limit()).await == Found::Works,
            None => false,
        };
        Ok(Undo::Http(Box::new(Way {
            worked,
            written: Some(now()),
            failed: Failed::default(),
            taken: Cell::default(),
            ..self.way.clone()
        })))
    }

    async fn break_it(&self, way: &Way) -> Result<Done, FaultError> {
        let asker = way.asker()?;
        let (requests, sender) = (self.inject.clone(), way.asker()?);
        let course = Arc::<Course>::default();
        self.course.replace(Arc::clone(&course));
        let task = tokio::spawn(async move { all(&requests, &sender, &course).await });
        let mut underway = self.underway.lock().await;
        let said = underway.insert(task).await.map_err(FaultError::of);
        *underway = None;
        let said = said??;
        let Some(check) = &way.check else {
            return Ok(Done {
                said,
                ..Done::default()
            });
        };
        let look = async |limit| check.look(&asker, limit).await;
        let done = check::injected(said, way.worked, check.limit(), look).await;
        if done.proof == Proof::Checked {
            way.failed.set();
        }
        Ok(done)
    }
}

impl Http {
    /// A request that was given up may still be carried out, after the way back was taken: it comes to its end first, which
    /// its time limit bounds. None is sent after it.
    async fn take_back(&self, way: &Way) -> Result<Done, FaultError> {
        let course = Arc::clone(&self.course.borrow());
        course.stopped.store(true, Ordering::Relaxed);
        if let Some(task) = self.underway.lock().await.take() {
            // Whatever came of it is undone.
            let _ = task.await;
        }
        let late = course.late.load(Ordering::Relaxed);
        way.take(late.then(|| way.longest())).await
    }
}

/// Milliseconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as u64)
}

/// Makes every request, whatever became of those before it: each of them brings something back. Gives the first error.
/// `again`, it is none that there is nothing to take away.
async fn each(requests: &[Request], asker: &Asker, again: bool) -> Result<String, FaultError> {
    let mut said = Ok(Vec::new());
    for request in requests {
        let made = match request.answered(asker, request.limit()).await {
            Ok(answer) if again && GONE.contains(&answer.status.as_u16()) => Ok(String::new()),
            Ok(answer) => request.judge(&answer, asker),
            Err(why) => Err(why),
        };
        match (made, &mut said) {
            (Ok(answer), Ok(said)) if !answer.is_empty() => said.push(answer),
            (Err(error), Ok(_)) => said = Err(error),
            (Ok(_) | Err(_), _) => {}
        }
    }
    Ok(clean(said?.join("\n").as_bytes(), asker.redactor()))
}

/// Makes one request after the other, up to the first that fails, or to the word that it is enough.
async fn all(requests: &[Request], asker: &Asker, course: &Course) -> Result<String, FaultError> {
    let mut said = Vec::new();
    for request in requests {
        if course.stopped.load(Ordering::Relaxed) {
            break;
        }
        let begun = Instant::now();
        let made = request.make(asker, request.limit()).await;
        if made.is_err() && begun.elapsed() >= request.limit() {
            course.late.store(true, Ordering::Relaxed);
        }
        let answer = made?;
        if !answer.is_empty() {
            said.push(answer);
        }
    }
    Ok(clean(said.join("\n").as_bytes(), asker.redactor()))
}

impl Driver for Http {
    fn prepare(&self) -> Doing<'_, Undo> {
        Box::pin(self.look_first())
    }

    fn revert<'a>(&'a self, undo: &'a Undo) -> Doing<'a, Done> {
        Box::pin(async move {
            let Undo::Http(way) = undo else {
                return Err(Undo::foreign());
            };
            self.take_back(way).await
        })
    }

    fn inject<'a>(&'a self, undo: &'a Undo) -> Doing<'a, Done> {
        Box::pin(async move {
            let Undo::Http(way) = undo else {
                return Err(Undo::foreign());
            };
            self.break_it(way).await
        })
    }
}

impl Way {
    fn asker(&self) -> Result<Asker, FaultError> {
        Asker::new(&self.allow, self.hidden.redactor())
    }

    /// The longest time limit of a request of the injection.
    fn longest(&self) -> Duration {
        Duration::from_millis(self.limits.iter().copied().max().unwrap_or(0))
    }

    /// How long the last request of an injection may still take effect, when whoever made it is gone.
    fn unsettled(&self, now: u64) -> Option<Duration> {
        let takes = BEFORE.as_millis() as u64 + self.limits.iter().sum::<u64>();
        // A clock that was set back tells nothing.
        let age = now.saturating_sub(self.written?);
        let left = Duration::from_millis(takes.checked_sub(age).filter(|left| *left > 0)?);
        Some(left.min(self.longest())).filter(|left| !left.is_zero())
    }

    /// Brings it back and makes sure of it.
    pub(super) async fn revert(&self) -> Result<Done, FaultError> {
        self.take(self.unsettled(now())).await
    }

    /// Once; and once more when a request of the injection may be carried out until after `unsettled`.
    async fn take(&self, unsettled: Option<Duration>) -> Result<Done, FaultError> {
        let done = self.take_once().await?;
        self.taken.set(true);
        let Some(time) = unsettled else {
            return Ok(done);
        };
        tokio::time::sleep(time).await;
        self.take_once().await
    }

    async fn take_once(&self) -> Result<Done, FaultError> {
        let asker = self.asker()?;
        let made = each(&self.revert, &asker, self.taken.get()).await;
        let look = self.check.as_ref().map(|check| {
            let asker = &asker;
            let look = async move |limit| check.look(asker, limit).await;
            (check.limit(), look)
        });
        check::reverted(made, &self.failed, look).await
    }
}
