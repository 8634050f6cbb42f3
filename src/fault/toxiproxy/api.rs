//! The API of a Toxiproxy server, as far as it is about one proxy.

use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::fault::ask::{Answer, Asker};
use crate::fault::driver::FaultError;
use crate::fault::hidden::Hidden;
use crate::fault::sealed::Sealed;
use crate::profile::model::Ends;
use crate::profile::secret::Text;

/// The limit on one exchange.
const LIMIT: Duration = Duration::from_secs(5);

/// Which proxy of which server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Place {
    pub api: Sealed,
    pub proxy: String,
    /// `allow_hosts` of the profile.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<String>,
    #[serde(default, skip_serializing_if = "Hidden::is_empty")]
    pub hidden: Hidden,
}

/// A proxy, as the API tells of it.
#[derive(Debug, Deserialize)]
pub(super) struct State {
    pub enabled: bool,
    #[serde(flatten)]
    pub ends: Ends,
    #[serde(default)]
    pub toxics: Vec<Listed>,
}

/// A toxic, as the API has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Listed {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub stream: String,
    pub toxicity: f32,
    pub attributes: Map<String, Value>,
}

/// The API of a server, as far as it is about one proxy.
pub(super) struct Api<'a> {
    asker: Asker,
    at: &'a Place,
}

/// What a server says when it refuses; labelled as text, it is JSON.
#[derive(Deserialize)]
struct Refusal {
    #[serde(alias = "title")]
    error: String,
}

impl<'a> Api<'a> {
    pub fn of(at: &'a Place) -> Result<Self, FaultError> {
        Ok(Self {
            asker: Asker::new(&at.allow, at.hidden.redactor())?,
            at,
        })
    }

    /// A sentence that says where.
    pub fn wrong(&self, why: &str) -> FaultError {
        let (api, proxy) = (self.at.api.shown(), &self.at.proxy);
        FaultError(format!("the proxy `{proxy}` of {api}: {why}"))
    }

    async fn ask(
        &self,
        method: &str,
        below: &[&str],
        body: Option<String>,
    ) -> Result<Answer, FaultError> {
        let mut path = vec![&self.at.proxy[..]];
        path.extend(below);
        self.ask_at(method, &path, body).await
    }

    /// With a path below that of all proxies.
    async fn ask_at(
        &self,
        method: &str,
        parts: &[&str],
        body: Option<String>,
    ) -> Result<Answer, FaultError> {
        let api = self.at.api.open()?;
        let mut path = String::from("/proxies");
        for part in parts {
            path.push('/');
            path.extend(utf8_percent_encode(part, NON_ALPHANUMERIC));
        }
        let on = |base: &str| format!("{}{path}", base.trim_end_matches('/'));
        let url = Text::with_secret(on(api.reveal()), on(api.shown()));
        let fill = |request: reqwest::RequestBuilder| {
            Ok(match body {
                Some(body) => request
                    .header(reqwest::header::CONTENT_TYPE, "application/json")
                    .body(body),
                None => request,
            })
        };
        self.asker
            .ask(method, &Sealed::from(&url), LIMIT, fill)
            .await
    }

    fn refused(&self, answer: &Answer) -> FaultError {
        let said = match serde_json::from_slice::<Refusal>(&answer.body) {
            Ok(refusal) => format!(
                "{} ({})",
                self.asker.redactor().text(&refusal.error),
                answer.status
            ),
            Err(_) => answer.described(self.asker.redactor()),
        };
        self.wrong(&said)
    }

    fn read<T: DeserializeOwned>(&self, answer: &Answer) -> Result<T, FaultError> {
        if !answer.status.is_success() {
            return Err(self.refused(answer));
        }
        serde_json::from_slice(&answer.body)
            .map_err(|error| self.wrong(&format!("this is no answer of a Toxiproxy: {error}")))
    }

    /// The proxy as it is, if it is there.
    pub async fn find(&self) -> Result<Option<State>, FaultError> {
        let answer = self.ask("GET", &[], None).await?;
        if answer.status == reqwest::StatusCode::NOT_FOUND {
            // Another server would say so as well, in other words.
            serde_json::from_slice::<Refusal>(&answer.body).map_err(|_| self.refused(&answer))?;
            return Ok(None);
        }
        self.read(&answer).map(Some)
    }

    pub async fn state(&self) -> Result<State, FaultError> {
        match self.find().await? {
            Some(state) => Ok(state),
            None => Err(self.wrong(
                "the server has no proxy of this name; create it first, or say by `listen` and `upstream` how to",
            )),
        }
    }

    /// Creates the proxy, disabled: nobody can be connected to it yet, however late this comes through.
    pub async fn create(&self, ends: &Ends) -> Result<(), FaultError> {
        let asked = json!({
            "name": self.at.proxy,
            "listen": ends.listen,
            "upstream": ends.upstream,
            "enabled": false,
        });
        let answer = self.ask_at("POST", &[], Some(asked.to_string())).await?;
        if answer.status.is_success() {
            return Ok(());
        }
        Err(self.refused(&answer))
    }

    /// Deletes the proxy, and its toxics with it.
    pub async fn delete(&self) -> Result<(), FaultError> {
        let answer = self.ask("DELETE", &[], None).await?;
        self.gone(&answer)
    }

    /// Adds a toxic; one of this name, which an earlier try left, becomes as it is asked for.
    pub async fn put(&self, toxic: &Listed) -> Result<(), FaultError> {
        // Written as it stands: by way of a `Value`, a toxicity of 0.3 would become 0.30000001192.
        let asked = serde_json::to_string(toxic).map_err(FaultError::of)?;
        let mut answer = self.ask("POST", &["toxics"], Some(asked.clone())).await?;
        if answer.status == reqwest::StatusCode::CONFLICT {
            answer = self
                .ask("POST", &["toxics", &toxic.name], Some(asked))
                .await?;
        }
        self.read::<Listed>(&answer).map(|_| ())
    }

    pub async fn remove(&self, toxic: &str) -> Result<(), FaultError> {
        let answer = self.ask("DELETE", &["toxics", toxic], None).await?;
        self.gone(&answer)
    }

    fn gone(&self, answer: &Answer) -> Result<(), FaultError> {
        // Somebody was faster, or an earlier try came through.
        if answer.status.is_success() || answer.status == reqwest::StatusCode::NOT_FOUND {
            return Ok(());
        }
        Err(self.refused(answer))
    }

    pub async fn enable(&self, enabled: bool) -> Result<(), FaultError> {
        let answer = self
            .ask("POST", &[], Some(json!({ "enabled": enabled }).to_string()))
            .await?;
        if answer.status.is_success() {
            return Ok(());
        }
        Err(self.refused(&answer))
    }
}
