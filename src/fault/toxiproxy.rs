//! `toxiproxy`: toxics that are put on a proxy of a Toxiproxy server, through its API.
//!
//! The proxy exists, and traffic is on it: it is never switched off to put toxics on, which would cut every connection and
//! be a fault that nobody asked for. Toxics come one after the other instead, within milliseconds. Their names are ours
//! and never used again, so the way back removes these and no others, whoever else works on the proxy.

mod api;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use self::api::{Api, Listed, Place};
use super::driver::{Doing, Done, Driver, FaultError, Proof};
use super::hidden::Hidden;
use super::sealed::Sealed;
use super::undo::Undo;
use crate::profile::Profile;
use crate::profile::model::{Toxic, ToxicKind};
use crate::profile::secret::Text;

/// What the names of our toxics begin with.
const PREFIX: &str = "stormdeck";

/// The limit on a way back: removing a `reset_peer` blocks the whole API for seconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// From one try to the next on the way back.
const PAUSE: Duration = Duration::from_millis(250);

/// Toxics on a proxy of a Toxiproxy server.
pub struct Toxiproxy {
    at: Place,
    toxics: Vec<Toxic>,
}

/// The way back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Way {
    at: Place,
    /// The toxics that are ours, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    ours: Vec<String>,
    /// Whether the proxy was enabled.
    enabled: bool,
}

impl Toxiproxy {
    /// From a profile.
    pub fn new(profile: &Profile, api: &Text, proxy: &str, toxics: &[Toxic]) -> Self {
        Self {
            at: Place {
                api: Sealed::from(api),
                proxy: proxy.to_owned(),
                allow: profile.window.allow_hosts.clone(),
                hidden: Hidden::from(&profile.secrets),
            },
            toxics: toxics.to_vec(),
        }
    }

    async fn look_first(&self) -> Result<Undo, FaultError> {
        let api = Api::of(&self.at)?;
        let state = api.state().await?;
        if !state.enabled {
            return Err(api.wrong("the proxy is disabled already: no fault could show on it"));
        }
        let run = rand::random::<u32>();
        let names = (0..self.listed(&[]).len()).map(|n| format!("{PREFIX}_{run:08x}_{n}"));
        Ok(Undo::Toxiproxy(Box::new(Way {
            at: self.at.clone(),
            ours: names.collect(),
            enabled: state.enabled,
        })))
    }

    /// Its toxics as the API takes them, under these names; `down` is none.
    fn listed(&self, names: &[String]) -> Vec<Listed> {
        let toxics = self.toxics.iter().filter_map(|toxic| {
            let (kind, attributes) = attributes(&toxic.kind)?;
            let Value::Object(attributes) = attributes else {
                return None;
            };
            Some(Listed {
                name: String::new(),
                kind: kind.to_owned(),
                stream: if toxic.upstream {
                    "upstream"
                } else {
                    "downstream"
                }
                .to_owned(),
                toxicity: toxic.toxicity.0 as f32,
                attributes,
            })
        });
        let mut toxics: Vec<Listed> = toxics.collect();
        for (toxic, name) in toxics.iter_mut().zip(names) {
            toxic.name.clone_from(name);
        }
        toxics
    }

    fn is_down(&self) -> bool {
        let down = |toxic: &Toxic| matches!(toxic.kind, ToxicKind::Down(_));
        self.toxics.iter().any(down)
    }

    async fn break_it(&self, way: &Way) -> Result<Done, FaultError> {
        let api = Api::of(&way.at)?;
        let toxics = self.listed(&way.ours);
        for toxic in &toxics {
            api.put(toxic).await?;
        }
        if self.is_down() {
            api.enable(false).await?;
        }
        let state = api.state().await?;
        if let Some(lost) = toxics.iter().find(|toxic| !state.toxics.contains(toxic)) {
            let why = format!("the {} is not there as it was asked for", lost.kind);
            return Err(api.wrong(&why));
        }
        if state.enabled == self.is_down() {
            return Err(api.wrong("the proxy was enabled, or disabled, by somebody else"));
        }
        Ok(Done {
            proof: Proof::Seen,
            said: String::new(),
        })
    }
}

/// The type that Toxiproxy has for it, and its attributes; nothing for what is no toxic there.
fn attributes(kind: &ToxicKind) -> Option<(&'static str, Value)> {
    let ms = |time: Duration| time.as_nanos().div_ceil(1_000_000) as u64;
    let attributes = match kind {
        ToxicKind::Latency { latency, jitter } => {
            json!({ "latency": ms(*latency), "jitter": ms(*jitter) })
        }
        ToxicKind::Bandwidth { rate } => json!({ "rate": rate.div_ceil(1000) }),
        ToxicKind::SlowClose { delay } => json!({ "delay": ms(*delay) }),
        // Rounded up: 0 would be for ever.
        ToxicKind::Timeout { timeout } | ToxicKind::ResetPeer { timeout } => {
            json!({ "timeout": ms(*timeout) })
        }
        ToxicKind::Slicer {
            average_size,
            size_variation,
            delay,
        } => json!({
            "average_size": average_size,
            "size_variation": size_variation,
            "delay": delay.as_micros() as u64,
        }),
        ToxicKind::LimitData { bytes } => json!({ "bytes": bytes }),
        // It is disabled; and HTTP it does not know, which the profile's reader says.
        ToxicKind::Down(_) | ToxicKind::HttpStatus { .. } | ToxicKind::HttpDelay { .. } => {
            return None;
        }
    };
    Some((kind.name(), attributes))
}

impl Driver for Toxiproxy {
    fn prepare(&self) -> Doing<'_, Undo> {
        Box::pin(self.look_first())
    }

    fn inject<'a>(&'a self, undo: &'a Undo) -> Doing<'a, Done> {
        Box::pin(async move {
            let Undo::Toxiproxy(way) = undo else {
                return Err(Undo::foreign());
            };
            self.break_it(way).await
        })
    }
}

impl Way {
    /// Removes what is ours, enables the proxy if it was, and reads back that it is so. A request that comes to nothing
    /// is made again: the server may do what it was asked although nobody waits any more.
    pub(super) async fn revert(&self) -> Result<Done, FaultError> {
        let api = Api::of(&self.at)?;
        let end = Instant::now() + PATIENCE;
        loop {
            let why = match self.once(&api).await {
                Ok(Some(said)) => {
                    let proof = Proof::Seen;
                    return Ok(Done { proof, said });
                }
                Ok(None) => api.wrong("what was removed is there again"),
                Err(error) => error,
            };
            if Instant::now() >= end {
                return Err(why);
            }
            sleep(PAUSE).await;
        }
    }

    /// What there is to say when it is as it was; nothing when it is not.
    async fn once(&self, api: &Api<'_>) -> Result<Option<String>, FaultError> {
        let Some(before) = api.find().await? else {
            let proxy = &self.at.proxy;
            let said = format!("the server has no proxy `{proxy}` any more, and no toxic of it");
            return Ok(Some(said));
        };
        for toxic in before.toxics.iter().filter(|toxic| self.is_ours(toxic)) {
            api.remove(&toxic.name).await?;
        }
        if before.enabled != self.enabled {
            api.enable(self.enabled).await?;
        }
        let after = api.state().await?;
        let clean = !after.toxics.iter().any(|toxic| self.is_ours(toxic));
        Ok((clean && after.enabled == self.enabled).then(String::new))
    }

    fn is_ours(&self, toxic: &Listed) -> bool {
        self.ours.contains(&toxic.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_in_the_units_of_toxiproxy() {
        let of = |kind| attributes(&kind).unwrap().1;
        let ms = Duration::from_millis;
        let latency = ToxicKind::Latency {
            latency: ms(200),
            jitter: ms(50),
        };
        assert_eq!(of(latency), json!({ "latency": 200, "jitter": 50 }));
        assert_eq!(
            of(ToxicKind::Bandwidth { rate: 100_000 }),
            json!({ "rate": 100 })
        );
        let soon = Duration::from_micros(10);
        assert_eq!(
            of(ToxicKind::Timeout { timeout: soon }),
            json!({ "timeout": 1 })
        );
        let slicer = ToxicKind::Slicer {
            average_size: 64,
            size_variation: 16,
            delay: soon,
        };
        assert_eq!(
            of(slicer),
            json!({ "average_size": 64, "size_variation": 16, "delay": 10 })
        );
    }
}
