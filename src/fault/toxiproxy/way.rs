//! The way back from toxics on a proxy of a Toxiproxy server: what is ours is taken off, what somebody else made stays.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use super::api::{Api, Listed, Place, State};
use crate::fault::driver::{Done, FaultError};
use crate::profile::model::Ends;

/// The limit on a way back: removing a `reset_peer` blocks the whole API for seconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the names of our toxics begin with on a proxy that is created for a fault.
pub(super) const MADE: &str = "stormdeck_made_";

/// From one try to the next on the way back.
const PAUSE: Duration = Duration::from_millis(250);

/// The way back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Way {
    pub(super) at: Place,
    /// The toxics that are ours, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) ours: Vec<String>,
    /// Whether the proxy is to be enabled again; nothing when the fault leaves that alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) enabled: Option<bool>,
    /// The proxy was not there, and is created so, by this fault or by another one whose toxics are still on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) made: Option<Ends>,
}

impl Way {
    /// Removes what is ours, enables the proxy if the fault disabled it, or deletes it if it was not there and carries
    /// nobody else's toxics, and reads back that it is so. A request that comes to nothing is made again: the server may do what it was asked although nobody waits any
    /// more.
    pub(in crate::fault) async fn revert(&self) -> Result<Done, FaultError> {
        let api = Api::of(&self.at)?;
        let end = Instant::now() + PATIENCE;
        // Once it was seen to be the one that was made, it is so without its toxics too.
        let mut made = false;
        loop {
            let why = match self.once(&api, &mut made).await {
                Ok(Some(said)) => return Ok(Done::seen(said)),
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
    async fn once(&self, api: &Api<'_>, made: &mut bool) -> Result<Option<String>, FaultError> {
        let proxy = &self.at.proxy;
        let Some(before) = api.find().await? else {
            return Ok(Some(match self.made {
                Some(_) => String::new(),
                None => format!("the server has no proxy `{proxy}` any more, and no toxic of it"),
            }));
        };
        *made |= self.is_made(&before);
        if *made && before.toxics.iter().all(|toxic| self.is_ours(toxic)) {
            return delete(api).await;
        }
        for toxic in before.toxics.iter().filter(|toxic| self.is_ours(toxic)) {
            api.remove(&toxic.name).await?;
        }
        // Whether it is enabled is the business of whoever disabled it.
        if let Some(enabled) = self.enabled_before()
            && before.enabled != enabled
        {
            api.enable(enabled).await?;
        }
        let Some(after) = api.find().await? else {
            // By the other fault that it was made for.
            return Ok(Some(String::new()));
        };
        if *made && after.toxics.is_empty() {
            // Two were brought back at once, and each saw the other's toxics.
            return delete(api).await;
        }
        let clean = !after.toxics.iter().any(|toxic| self.is_ours(toxic));
        if *made {
            let said =
                format!("the proxy `{proxy}` stays with the toxics of others that are on it");
            return Ok(clean.then_some(said));
        }
        if self.made.is_some() {
            let Ends { listen, upstream } = &after.ends;
            let said = format!(
                "the proxy `{proxy}`, from {listen} to {upstream}, is not the one that was created for the fault, or not \
                 as it was: it is left alone"
            );
            return Ok(clean.then_some(said));
        }
        let enabled = self.enabled_before().is_none_or(|it| it == after.enabled);
        Ok((clean && enabled).then(String::new))
    }

    /// Whether the proxy is to be enabled. What an older version wrote down of a proxy that it made is no such wish.
    fn enabled_before(&self) -> Option<bool> {
        let older = self.made.is_some() && self.enabled == Some(false);
        self.enabled.filter(|_| !older)
    }

    /// Whether it is the proxy that is created for the fault, as far as the injection has come: disabled and without
    /// toxics at first, with some of ours then. One that stands elsewhere, or has been given a life of its own, is
    /// somebody else's.
    pub(super) fn is_made(&self, state: &State) -> bool {
        // One that takes a proxy down creates none.
        let bare = !state.enabled && state.toxics.is_empty() && self.enabled != Some(true);
        let same = |ends| agree(ends, &state.ends);
        self.made.as_ref().is_some_and(same)
            && (bare || state.toxics.iter().any(|toxic| self.is_ours(toxic)))
    }

    /// Whether the server is reached at an address that every machine, and every network namespace, has of its own.
    pub(in crate::fault) fn is_of_this_machine(&self) -> bool {
        let Ok(url) = reqwest::Url::parse(self.at.api.shown()) else {
            return false;
        };
        match url.host_str().map(|host| host.trim_matches(['[', ']'])) {
            Some("localhost") => true,
            Some(host) => host.parse().is_ok_and(|it: IpAddr| it.is_loopback()),
            None => false,
        }
    }

    fn is_ours(&self, toxic: &Listed) -> bool {
        self.ours.contains(&toxic.name)
    }
}

/// What there is to say when it is gone.
async fn delete(api: &Api<'_>) -> Result<Option<String>, FaultError> {
    api.delete().await?;
    Ok(api.find().await?.is_none().then(String::new))
}

/// Whether a proxy was created for a fault that is on: one of those toxics is on it.
pub(super) fn is_made_for_a_fault(state: &State) -> bool {
    state
        .toxics
        .iter()
        .any(|toxic| toxic.name.starts_with(MADE))
}

/// Whether a proxy stands where it was asked to. A server says where it really listens: `localhost` has become an address,
/// and `0.0.0.0` is `[::]`.
pub(super) fn agree(asked: &Ends, is: &Ends) -> bool {
    let listens = match (listening(&asked.listen), listening(&is.listen)) {
        (Some(asked), Some(is)) => asked == is,
        _ => asked.listen == is.listen,
    };
    listens && asked.upstream.eq_ignore_ascii_case(&is.upstream)
}

/// The address, any of all addresses being the same one.
fn listening(text: &str) -> Option<SocketAddr> {
    let (host, port) = text.rsplit_once(':')?;
    let host = match host.trim_matches(['[', ']']) {
        "" => Ipv4Addr::UNSPECIFIED.into(),
        "localhost" => Ipv4Addr::LOCALHOST.into(),
        host => host.parse::<IpAddr>().ok()?,
    };
    let host = if host.is_unspecified() {
        Ipv4Addr::UNSPECIFIED.into()
    } else {
        host
    };
    Some(SocketAddr::new(host, port.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_agrees_when_it_listens_and_leads_where_it_was_asked_to() {
        let ends = |listen: &str, upstream: &str| Ends {
            listen: listen.into(),
            upstream: upstream.into(),
        };
        let same = |asked, is| agree(&ends(asked, "db:5432"), &ends(is, "DB:5432"));
        assert!(same("127.0.0.1:1", "127.0.0.1:1"));
        assert!(same("localhost:1", "127.0.0.1:1"));
        assert!(same("0.0.0.0:1", "[::]:1"));
        assert!(same("0.0.0.0:1", ":1"));
        assert!(!same("127.0.0.1:1", "127.0.0.1:2"));
        assert!(!same("127.0.0.1:1", "[::]:1"));
        assert!(!same("127.0.0.1:1", "somewhere:1"));
        assert!(!agree(&ends("[::1]:1", "a:1"), &ends("[::1]:1", "a:2")));
    }

    #[test]
    fn a_way_that_was_written_before_proxies_were_created_is_still_read() {
        let old = r#"{"at":{"api":"http://127.0.0.1:8474","proxy":"db"},"ours":["stormdeck_1_0"],"enabled":true}"#;
        let way: Way = serde_json::from_str(old).unwrap();
        assert_eq!(
            (way.made.as_ref(), way.enabled_before()),
            (None, Some(true))
        );
        assert_eq!(serde_json::to_string(&way).unwrap(), old);
        let old = r#"{"at":{"api":"http://127.0.0.1:8474","proxy":"db"},"ours":["stormdeck_1_0"],"enabled":false,
            "made":{"listen":"127.0.0.1:1","upstream":"127.0.0.1:2"}}"#;
        let way: Way = serde_json::from_str(old).unwrap();
        assert_eq!(way.enabled_before(), None);
    }
}
