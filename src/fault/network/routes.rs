//! Hosts that are not reached: routes that lead nowhere, of an origin that nobody else uses.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{came_from, list};
use crate::fault::driver::{Done, FaultError};
use crate::fault::tool;
use crate::profile::hosts::HostRule;

/// The origin of our routes, which `ip` calls their protocol: 77, `M`.
const ORIGIN: &str = "77";

/// Routes that lead nowhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Routes {
    /// `10.0.0.5/32`, `fd00::/64`.
    to: Vec<String>,
}

#[derive(Deserialize)]
struct Route {
    dst: String,
    #[serde(default)]
    gateway: Option<IpAddr>,
}

#[derive(Deserialize)]
struct Link {
    ifname: String,
    #[serde(default)]
    addr_info: Vec<Address>,
}

#[derive(Deserialize)]
struct Address {
    local: IpAddr,
}

impl Routes {
    pub(super) fn new(hosts: &[String]) -> Result<Self, FaultError> {
        let to = hosts.iter().map(|host| match host.parse() {
            Ok(HostRule::Net(address, bits)) => Ok(format!("{address}/{bits}")),
            Ok(HostRule::Name(_) | HostRule::Suffix(_)) | Err(_) => Err(FaultError(format!(
                "`{host}` is neither an address nor a network"
            ))),
        });
        Ok(Self {
            to: to.collect::<Result<_, _>>()?,
        })
    }

    pub(super) async fn prepare(&self) -> Result<(), FaultError> {
        tool::need("ip")?;
        let mut spared: Vec<(IpAddr, String)> = Vec::new();
        for link in list::<Link>("ip", &["-j", "addr", "show"]).await? {
            let own = format!("an address of this machine (`{}`)", link.ifname);
            spared.extend(
                link.addr_info
                    .iter()
                    .map(|address| (address.local, own.clone())),
            );
        }
        for family in ["-4", "-6"] {
            let routes: Vec<Route> =
                list("ip", &["-j", family, "route", "show", "default"]).await?;
            let gateways = routes.iter().filter_map(|route| route.gateway);
            spared.extend(gateways.map(|gateway| (gateway, "this machine's way out".to_owned())));
        }
        spared
            .extend(came_from().map(|from| (from, "where your SSH connection comes from".into())));
        for to in &self.to {
            if is_everything(to) {
                return Err(FaultError(format!("`{to}` is every host there is")));
            }
            // Parsed before, as what it is.
            let Ok(rule) = to.parse::<HostRule>() else {
                continue;
            };
            if let Some((address, what)) = spared
                .iter()
                .find(|(address, _)| rule.allows_address(*address))
            {
                return Err(FaultError(format!(
                    "`{to}` holds {address}, {what}: it is not cut off"
                )));
            }
            if !self.routes_to(to, &[]).await?.is_empty() {
                return Err(FaultError(format!(
                    "there is a route to exactly `{to}` already, which is not replaced; \
                     `stormdeck recover` clears one that a fault left behind"
                )));
            }
        }
        Ok(())
    }

    pub(super) async fn add(&self) -> Result<Done, FaultError> {
        for to in &self.to {
            tool::run(
                "ip",
                &[family(to), "route", "add", "blackhole", to, "proto", ORIGIN],
            )
            .await?;
        }
        for to in &self.to {
            if self.ours(to).await?.is_empty() {
                return Err(FaultError(format!(
                    "`ip` said yes, but `{to}` has no such route"
                )));
            }
        }
        Ok(Done::seen(format!(
            "nothing reaches {}",
            self.to.join(", ")
        )))
    }

    pub(super) async fn remove(&self) -> Result<Done, FaultError> {
        // The others too when one cannot be: the first mistake is told.
        let mut failed = None;
        for to in &self.to {
            if let Err(error) = self.remove_one(to).await {
                failed.get_or_insert(error);
            }
        }
        match failed {
            Some(error) => Err(error),
            None => Ok(Done::seen(format!(
                "{} can be reached again",
                self.to.join(", ")
            ))),
        }
    }

    async fn remove_one(&self, to: &str) -> Result<(), FaultError> {
        if self.ours(to).await?.is_empty() {
            return Ok(());
        }
        tool::run(
            "ip",
            &[family(to), "route", "del", "blackhole", to, "proto", ORIGIN],
        )
        .await?;
        if self.ours(to).await?.is_empty() {
            return Ok(());
        }
        Err(FaultError(format!(
            "the route of ours to `{to}` is still there"
        )))
    }

    async fn ours(&self, to: &str) -> Result<Vec<Route>, FaultError> {
        self.routes_to(to, &["type", "blackhole", "proto", ORIGIN])
            .await
    }

    async fn routes_to(&self, to: &str, which: &[&str]) -> Result<Vec<Route>, FaultError> {
        let mut words = vec!["-j", family(to), "route", "show", "exact", to];
        words.extend(which);
        let mut routes: Vec<Route> = list("ip", &words).await?;
        routes.retain(|route| route.dst != "default");
        Ok(routes)
    }
}

fn family(to: &str) -> &'static str {
    if to.contains(':') { "-6" } else { "-4" }
}

fn is_everything(to: &str) -> bool {
    to.ends_with("/0")
}
