//! `http`: requests break it, requests bring it back, one more knows how it is.

use std::time::Duration;

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
}

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
    #[serde(skip)]
    failed: Failed,
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
        let answer = asker.ask(&self.method, &self.url, limit, fill).await?;
        match self.unexpected(&answer, asker.redactor())? {
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
                failed: Failed::default(),
            },
            underway: Mutex::default(),
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
            failed: Failed::default(),
            ..self.way.clone()
        })))
    }

    async fn break_it(&self, way: &Way) -> Result<Done, FaultError> {
        let asker = way.asker()?;
        let requests = (self.inject.clone(), way.asker()?);
        let task = tokio::spawn(async move { all(&requests.0, &requests.1).await });
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
    /// its time limit bounds.
    async fn take_back(&self, undo: &Undo) -> Result<Done, FaultError> {
        if let Some(task) = self.underway.lock().await.take() {
            // Whatever came of it is undone.
            let _ = task.await;
        }
        undo.revert().await
    }
}

/// Makes every request, whatever became of those before it: each of them brings something back. Gives the first error.
async fn each(requests: &[Request], asker: &Asker) -> Result<String, FaultError> {
    let mut said = Ok(Vec::new());
    for request in requests {
        match (request.make(asker, request.limit()).await, &mut said) {
            (Ok(answer), Ok(said)) if !answer.is_empty() => said.push(answer),
            (Err(error), Ok(_)) => said = Err(error),
            (Ok(_) | Err(_), _) => {}
        }
    }
    Ok(clean(said?.join("\n").as_bytes(), asker.redactor()))
}

/// Makes one request after the other, up to the first that fails.
async fn all(requests: &[Request], asker: &Asker) -> Result<String, FaultError> {
    let mut said = Vec::new();
    for request in requests {
        let answer = request.make(asker, request.limit()).await?;
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
        Box::pin(self.take_back(undo))
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

    /// Brings it back and makes sure of it.
    pub(super) async fn revert(&self) -> Result<Done, FaultError> {
        let asker = self.asker()?;
        let made = each(&self.revert, &asker).await;
        let look = self.check.as_ref().map(|check| {
            let asker = &asker;
            let look = async move |limit| check.look(asker, limit).await;
            (check.limit(), look)
        });
        check::reverted(made, &self.failed, look).await
    }
}
