//! The network of this machine: what leaves an interface is delayed, lost or slowed down; hosts are not reached.
//!
//! In: what is to be done. Out: calls of `tc` and `ip`, by argument lists, and the way back. The invariant: only what is
//! ours is ever taken away, by a handle of queues and an origin of routes that nobody else uses; and nothing is done to
//! an interface that somebody has set up, to this machine's own addresses, to its way out, or to the person at it.

mod routes;
mod shape;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use self::routes::Routes;
use self::shape::Shape;
use super::driver::{Doing, Done, Driver, FaultError};
use super::tool;
use super::undo::Undo;
use crate::profile::model::Network;

/// The capability that the network is changed with, by its bit.
const NET_ADMIN: u32 = 12;

/// A fault on the network.
#[derive(Debug, Clone, PartialEq)]
pub struct NetworkFault {
    network: Network,
}

/// The way back, which also knows the way there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "on", rename_all = "snake_case")]
pub enum NetworkUndo {
    /// The queue of ours is taken off an interface.
    Interface(Shape),
    /// The routes of ours that lead nowhere are taken away.
    Routes(Routes),
}

impl NetworkFault {
    /// A fault on the network.
    pub fn new(network: Network) -> Self {
        Self { network }
    }

    async fn way_back(&self) -> Result<Undo, FaultError> {
        may_change()?;
        Ok(Undo::Network(match &self.network {
            Network::Shape {
                interface,
                delay,
                jitter,
                loss,
                rate,
            } => {
                let shape = Shape::new(interface, [*delay, *jitter], *loss, *rate);
                shape.prepare().await?;
                NetworkUndo::Interface(shape)
            }
            Network::Blackhole { hosts } => {
                let routes = Routes::new(hosts)?;
                routes.prepare().await?;
                NetworkUndo::Routes(routes)
            }
        }))
    }
}

impl Driver for NetworkFault {
    fn prepare(&self) -> Doing<'_, Undo> {
        Box::pin(self.way_back())
    }

    fn inject<'a>(&'a self, undo: &'a Undo) -> Doing<'a, Done> {
        Box::pin(async move {
            match undo {
                Undo::Network(NetworkUndo::Interface(shape)) => shape.add().await,
                Undo::Network(NetworkUndo::Routes(routes)) => routes.add().await,
                _ => Err(Undo::foreign()),
            }
        })
    }
}

impl NetworkUndo {
    /// Takes off what is ours.
    ///
    /// # Errors
    /// When it may still be there.
    pub async fn revert(&self) -> Result<Done, FaultError> {
        match self {
            Self::Interface(shape) => shape.remove().await,
            Self::Routes(routes) => routes.remove().await,
        }
    }
}

fn may_change() -> Result<(), FaultError> {
    let own = procfs::process::Process::myself().and_then(|own| own.status());
    if own.is_ok_and(|status| status.capeff & (1 << NET_ADMIN) != 0) {
        return Ok(());
    }
    Err(FaultError(
        "the network can only be changed by root, or with the capability CAP_NET_ADMIN".into(),
    ))
}

/// What a program prints as JSON; nothing printed is an empty list.
async fn list<T: DeserializeOwned>(name: &str, words: &[&str]) -> Result<Vec<T>, FaultError> {
    let text = tool::run(name, words).await?;
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    serde_json::from_str(&text).map_err(|error| {
        FaultError(format!(
            "`{name} {}` says something else: {error}",
            words.join(" ")
        ))
    })
}

/// The address that the person came from over SSH, if they did.
fn came_from() -> Option<std::net::IpAddr> {
    let came = std::env::var("SSH_CONNECTION").ok()?;
    came.split_whitespace().next()?.parse().ok()
}
