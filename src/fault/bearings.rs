//! What decides, besides its words, where a program goes: the cluster, the daemon, the account, the home folder.
//!
//! In: the environment of the engine. Out: those variables of it, for a way back, so that whoever takes it later reaches
//! what was broken and not what they themselves happen to work on. The invariant: no secret is among them.

use std::collections::BTreeMap;

use super::hidden::Hidden;

/// The variables. What changes with each login, as the socket of an agent does, is none of them: later it leads nowhere.
const NAMES: [&str; 46] = [
    "AWS_CONFIG_FILE",
    "AWS_DEFAULT_REGION",
    "AWS_PROFILE",
    "AWS_REGION",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AZURE_CONFIG_DIR",
    "CLOUDSDK_ACTIVE_CONFIG_NAME",
    "CLOUDSDK_CONFIG",
    "CLOUDSDK_CORE_PROJECT",
    "COMPOSE_FILE",
    "COMPOSE_PROFILES",
    "COMPOSE_PROJECT_NAME",
    "CONSUL_HTTP_ADDR",
    "CONTAINERD_ADDRESS",
    "CONTAINERD_NAMESPACE",
    "CONTAINER_HOST",
    "DOCKER_CERT_PATH",
    "DOCKER_CONFIG",
    "DOCKER_CONTEXT",
    "DOCKER_HOST",
    "DOCKER_TLS",
    "DOCKER_TLS_VERIFY",
    "ETCDCTL_ENDPOINTS",
    "HELM_KUBECONTEXT",
    "HELM_NAMESPACE",
    "HOME",
    "KUBECONFIG",
    "KUBERNETES_SERVICE_HOST",
    "KUBERNETES_SERVICE_PORT",
    "MYSQL_HOST",
    "MYSQL_TCP_PORT",
    "NOMAD_ADDR",
    "NOMAD_NAMESPACE",
    "PATH",
    "PGDATA",
    "PGDATABASE",
    "PGHOST",
    "PGHOSTADDR",
    "PGPASSFILE",
    "PGPORT",
    "PGSERVICE",
    "PGSERVICEFILE",
    "PGUSER",
    "TALOSCONFIG",
    "VAULT_ADDR",
    "XDG_CONFIG_HOME",
];

/// Those variables, as they are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Bearings {
    /// Set, by name.
    pub set: BTreeMap<String, String>,
    /// Not set.
    pub unset: Vec<String>,
}

impl Bearings {
    /// Of this process. One whose value holds a secret is left to whoever takes the way back.
    pub fn of_environment(hidden: &Hidden) -> Self {
        Self::of(|name| std::env::var_os(name), hidden)
    }

    fn of(value: impl Fn(&str) -> Option<std::ffi::OsString>, hidden: &Hidden) -> Self {
        let redactor = hidden.redactor();
        let mut bearings = Self::default();
        for name in NAMES {
            match value(name).map(std::ffi::OsString::into_string) {
                None => bearings.unset.push(name.to_owned()),
                Some(Ok(value)) if redactor.text(&value) == value && !has_password(&value) => {
                    bearings.set.insert(name.to_owned(), value);
                }
                // A secret, or no text.
                Some(Ok(_) | Err(_)) => {}
            }
        }
        bearings
    }
}

/// Whether it is, or holds, an address with a password, as in `tcp://me:word@host`.
fn has_password(value: &str) -> bool {
    value.split("://").skip(1).any(|rest| {
        let host = rest.split(['/', ',']).next().unwrap_or_default();
        host.rsplit_once('@')
            .is_some_and(|(who, _)| who.contains(':'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Secrets;

    #[test]
    fn what_leads_somewhere_is_kept_and_no_secret_is() {
        let mut secrets = Secrets::default();
        secrets.insert("TOKEN", "hunter2");
        let value = |name: &str| {
            let value = match name {
                "KUBECONFIG" => "/etc/staging",
                "DOCKER_HOST" => "tcp://me:word@host:2375",
                "CONTAINER_HOST" => "ssh://me@host",
                "VAULT_ADDR" => "http://vault/?key=hunter2",
                _ => return None,
            };
            Some(value.into())
        };
        let bearings = Bearings::of(value, &Hidden::from(&secrets));
        let set: Vec<_> = bearings.set.keys().map(String::as_str).collect();
        assert_eq!(set, ["CONTAINER_HOST", "KUBECONFIG"]);
        let is_unset = |name: &str| bearings.unset.iter().any(|it| it == name);
        assert!(is_unset("HOME") && !is_unset("DOCKER_HOST") && !is_unset("VAULT_ADDR"));
    }
}
