//! `toxiproxy`: toxics that are put on a proxy of a Toxiproxy server, through its API.
//!
//! A proxy that exists has traffic on it: it is never switched off to put toxics on, which would cut every connection and
//! be a fault that nobody asked for. Toxics come one after the other instead, within milliseconds. Their names are ours
//! and never used again, so the way back removes these and no others, whoever else works on the proxy.
//!
//! A proxy that does not exist, and of which the profile says `listen` and `upstream`, is there while the fault is on. It
//! is created disabled, gets its toxics and is enabled then, so that no client meets half of them.

mod api;
mod way;

use std::time::Duration;

use serde_json::{Value, json};

use self::api::{Api, Listed, Place, State};
pub use self::way::Way;
use super::driver::{Doing, Done, Driver, FaultError, Proof};
use super::hidden::Hidden;
use super::sealed::Sealed;
use super::undo::Undo;
use crate::profile::Profile;
use crate::profile::model::{Ends, Toxic, ToxicKind};
use crate::profile::secret::Text;

/// What the names of our toxics begin with.
const PREFIX: &str = "stormdeck_";

/// Toxics on a proxy of a Toxiproxy server.
pub struct Toxiproxy {
    at: Place,
    ends: Option<Ends>,
    toxics: Vec<Toxic>,
}

impl Toxiproxy {
    /// From a profile.
    pub fn new(
        profile: &Profile,
        api: &Text,
        proxy: &str,
        ends: Option<&Ends>,
        toxics: &[Toxic],
    ) -> Self {
        Self {
            ends: ends.cloned(),
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
        // One that another fault has created goes with the last of them.
        let with_others = |state: State| way::is_made_for_a_fault(&state).then_some(state.ends);
        let made = match &self.ends {
            None => {
                let state = api.state().await?;
                self.fits(&api, &state)?;
                with_others(state)
            }
            Some(ends) => match api.find().await? {
                Some(state) => {
                    self.fits(&api, &state)?;
                    with_others(state)
                }
                None if self.is_down() => {
                    return Err(api.wrong(
                        "the server has no proxy of this name, so nobody would notice that it is down",
                    ));
                }
                None => Some(ends.clone()),
            },
        };
        let run = rand::random::<u32>();
        let prefix = if made.is_some() { way::MADE } else { PREFIX };
        let names = (0..self.listed(&[]).len()).map(|n| format!("{prefix}{run:08x}_{n}"));
        Ok(Undo::Toxiproxy(Box::new(Way {
            at: self.at.clone(),
            ours: names.collect(),
            enabled: self.is_down().then_some(true),
            made,
        })))
    }

    /// Whether a fault can be made of a proxy that is there.
    fn fits(&self, api: &Api<'_>, state: &State) -> Result<(), FaultError> {
        self.fits_ends(api, state)?;
        if !state.enabled {
            return Err(api.wrong("the proxy is disabled already: no fault could show on it"));
        }
        Ok(())
    }

    /// Whether it leads where the profile says, if that says so.
    fn fits_ends(&self, api: &Api<'_>, state: &State) -> Result<(), FaultError> {
        if let Some(ends) = &self.ends
            && !way::agree(ends, &state.ends)
        {
            let (Ends { listen, upstream }, is) = (ends, &state.ends);
            return Err(api.wrong(&format!(
                "it is there already and leads from {} to {}, not from {listen} to {upstream} as the profile says",
                is.listen, is.upstream
            )));
        }
        Ok(())
    }

    /// Creates the proxy, unless an earlier try has.
    async fn make(&self, api: &Api<'_>, way: &Way, ends: &Ends) -> Result<(), FaultError> {
        match api.find().await? {
            None => api.create(ends).await,
            Some(state) if way.is_made(&state) || way::is_made_for_a_fault(&state) => {
                self.fits_ends(api, &state)
            }
            Some(_) => Err(api.wrong("somebody else has created it meanwhile")),
        }
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
        // Nobody would notice that one is down which is created for it.
        if let Some(ends) = way.made.as_ref().filter(|_| !self.is_down()) {
            self.make(&api, way, ends).await?;
        }
        for toxic in &toxics {
            api.put(toxic).await?;
        }
        if self.is_down() {
            api.enable(false).await?;
        } else if way.made.is_some() {
            api.enable(true).await?;
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
