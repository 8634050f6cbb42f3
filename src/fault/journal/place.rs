//! Where a way back is valid: the machine, since its last start, and the namespaces that its kind of fault lives in.
//!
//! In: the place that an entry was written in, and the one in which somebody wants to take its way back. Out: whether they
//! are the same, as far as that kind of fault goes. The invariant: nobody says of another place's fault that it is back.
//! Mount namespaces are not compared: `ip netns exec` and services make a new one at every start, and lead to the same
//! machine all the same.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::fault::process::ProcessUndo;
use crate::fault::undo::Undo;

/// A place in which ways back are valid. What the system does not tell is absent, and taken for the same.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Place {
    /// The machine's name, for sentences.
    host: String,
    /// A digest of the machine's id, which itself is nobody's business.
    #[serde(skip_serializing_if = "Option::is_none")]
    machine: Option<String>,
    /// The id of the kernel's run, from its start to its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    boot: Option<String>,
    /// The namespace of process numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<u64>,
    /// The namespace of networks.
    #[serde(skip_serializing_if = "Option::is_none")]
    net: Option<u64>,
    /// The namespace of cgroups.
    #[serde(skip_serializing_if = "Option::is_none")]
    cgroup: Option<u64>,
}

/// What a kind of fault lives in, on one machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Realm {
    Processes,
    Network,
    Cgroups,
}

/// Whether a way back can be taken here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::fault) enum Validity {
    /// It leads to what was broken.
    Valid,
    /// What was broken is over, for the reason.
    Over(String),
    /// It would lead somewhere else, for the reason.
    Elsewhere(String),
}

impl Place {
    /// The place of this process.
    pub(in crate::fault) fn here() -> Self {
        let read = |path: &str| fs::read_to_string(path).ok().map(|it| it.trim().to_owned());
        let namespace =
            |name: &str| Some(fs::metadata(format!("/proc/self/ns/{name}")).ok()?.ino());
        let machine = read("/etc/machine-id").filter(|id| !id.is_empty());
        Self {
            host: rustix::system::uname()
                .nodename()
                .to_string_lossy()
                .into_owned(),
            machine: machine.map(|id| digest(&id)),
            boot: read("/proc/sys/kernel/random/boot_id"),
            pid: namespace("pid"),
            net: namespace("net"),
            cgroup: namespace("cgroup"),
        }
    }

    /// Whether a way back that was written down in this place can be taken in that one.
    pub(in crate::fault) fn validity(&self, undo: &Undo, here: &Self) -> Validity {
        let realms = realms(undo);
        if realms.is_empty() {
            return Validity::Valid;
        }
        if differ(self.boot.as_ref(), here.boot.as_ref()) {
            return self.after_another_start(undo, here);
        }
        let host = &self.host;
        match realms.iter().find(|realm| self.is_apart(here, **realm)) {
            None => Validity::Valid,
            Some(realm) => Validity::Elsewhere(format!(
                "it was put in in another {} of host `{host}` (a container, or `ip netns exec`), and from here it would be \
                 looked for in the wrong one: run `stormdeck recover` there",
                realm.name()
            )),
        }
    }

    /// On a machine that was started again, or on another one.
    fn after_another_start(&self, undo: &Undo, here: &Self) -> Validity {
        if self.host != here.host || differ(self.machine.as_ref(), here.machine.as_ref()) {
            return Validity::Elsewhere(format!(
                "it was put in on another host, `{}`: run `stormdeck recover` there",
                self.host
            ));
        }
        match undo {
            Undo::Process(ProcessUndo::Pause { .. } | ProcessUndo::Cpu { .. })
            | Undo::Stress(_) => {
                Validity::Over("the machine was started again meanwhile, which ended it".into())
            }
            // What was killed is to be there again, and what files, routes or other machines hold outlasts a start.
            Undo::Process(ProcessUndo::Kill { .. })
            | Undo::WithEngine
            | Undo::Exec(_)
            | Undo::Http(_)
            | Undo::Toxiproxy(_)
            | Undo::Network(_) => Validity::Valid,
        }
    }

    fn is_apart(&self, here: &Self, realm: Realm) -> bool {
        let of = |place: &Self| match realm {
            Realm::Processes => place.pid,
            Realm::Network => place.net,
            Realm::Cgroups => place.cgroup,
        };
        differ(of(self).as_ref(), of(here).as_ref())
    }
}

impl Realm {
    fn name(self) -> &'static str {
        match self {
            Self::Processes => "namespace of processes",
            Self::Network => "network namespace",
            Self::Cgroups => "namespace of cgroups",
        }
    }
}

/// What this kind of fault lives in; nothing where it is the same from everywhere.
fn realms(undo: &Undo) -> &'static [Realm] {
    use Realm::{Cgroups, Network, Processes};
    match undo {
        // What an API of this machine answers to is in the network.
        Undo::Toxiproxy(way) if way.is_of_this_machine() => &[Network],
        Undo::WithEngine | Undo::Http(_) | Undo::Toxiproxy(_) => &[],
        // A program may reach anything, most of it through the network of where it runs.
        Undo::Exec(_) | Undo::Network(_) => &[Network],
        Undo::Process(ProcessUndo::Pause { .. }) | Undo::Stress(_) => &[Processes],
        // The one that takes its place has to be reached like it.
        Undo::Process(ProcessUndo::Kill { .. }) => &[Processes, Network],
        Undo::Process(ProcessUndo::Cpu { .. }) => &[Processes, Cgroups],
    }
}

/// Whether both are known, and not the same.
fn differ<T: PartialEq>(a: Option<&T>, b: Option<&T>) -> bool {
    a.is_some() && b.is_some() && a != b
}

fn digest(id: &str) -> String {
    let digest = Sha256::digest(format!("stormdeck {id}"));
    digest[..8]
        .iter()
        .fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn undo(way: serde_json::Value) -> Undo {
        serde_json::from_value(way).unwrap()
    }

    fn pause() -> Undo {
        let root = json!({ "pid": 7, "start": 1 });
        undo(json!({ "way": "process", "act": "pause", "root": root, "descendants": [] }))
    }

    fn routes() -> Undo {
        undo(json!({ "way": "network", "on": "routes", "to": ["10.0.0.5/32"] }))
    }

    fn exec() -> Undo {
        let revert = json!({ "role": "revert", "words": ["true"], "dir": "/", "limit": 1000 });
        undo(json!({ "way": "exec", "revert": revert, "mark": "m" }))
    }

    fn toxiproxy(api: &str) -> Undo {
        let at = json!({ "api": api, "proxy": "db" });
        undo(json!({ "way": "toxiproxy", "at": at, "enabled": true }))
    }

    fn place() -> Place {
        Place {
            host: "alpha".into(),
            machine: Some("m".into()),
            boot: Some("b".into()),
            pid: Some(1),
            net: Some(2),
            cgroup: Some(3),
        }
    }

    fn elsewhere(undo: &Undo, here: &Place) -> String {
        match place().validity(undo, here) {
            Validity::Elsewhere(why) => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_way_back_is_valid_where_it_was_written_down_and_where_nothing_is_known() {
        for undo in [pause(), routes(), exec(), toxiproxy("http://localhost:1")] {
            for here in [place(), Place::default()] {
                assert_eq!(place().validity(&undo, &here), Validity::Valid);
                assert_eq!(Place::default().validity(&undo, &here), Validity::Valid);
            }
        }
        assert_eq!(Place::here(), Place::here());
        assert!(Place::here().net.is_some());
    }

    #[test]
    fn a_namespace_counts_for_what_lives_in_it() {
        let net = Place {
            net: Some(9),
            ..place()
        };
        for undo in [routes(), exec(), toxiproxy("http://127.0.0.1:8474")] {
            let why = elsewhere(&undo, &net);
            assert!(
                why.contains("another network namespace of host `alpha`"),
                "{why}"
            );
        }
        for undo in [pause(), toxiproxy("http://proxies.example:8474")] {
            assert_eq!(place().validity(&undo, &net), Validity::Valid);
        }
        let pid = Place {
            pid: Some(9),
            ..place()
        };
        assert!(elsewhere(&pause(), &pid).contains("another namespace of processes"));
        assert_eq!(place().validity(&routes(), &pid), Validity::Valid);
    }

    #[test]
    fn on_another_host_nothing_is_over() {
        let named = Place {
            boot: Some("c".into()),
            host: "beta".into(),
            ..place()
        };
        let cloned = Place {
            boot: Some("c".into()),
            machine: Some("n".into()),
            ..place()
        };
        for here in [named, cloned] {
            for undo in [pause(), routes(), exec()] {
                let why = elsewhere(&undo, &here);
                assert!(why.contains("on another host, `alpha`"), "{why}");
            }
        }
    }

    #[test]
    fn a_new_start_of_the_machine_ends_what_processes_suffered() {
        let here = Place {
            boot: Some("c".into()),
            pid: Some(9),
            net: Some(9),
            ..place()
        };
        assert!(matches!(
            place().validity(&pause(), &here),
            Validity::Over(_)
        ));
        assert_eq!(place().validity(&routes(), &here), Validity::Valid);
        assert_eq!(place().validity(&exec(), &here), Validity::Valid);
    }
}
