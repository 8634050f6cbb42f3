//! What all workers share about a scenario's transport: read once before the start, then only looked at.
//!
//! A scenario and `allow_hosts` in, a [`TransportPlan`] or the reason why there is none out.

use std::sync::Arc;

use rustls::ClientConfig;

use super::TransportError;
use super::guard::HostGuard;
use super::target::Target;
use crate::profile::model::{HttpVersion, Scenario};
use crate::tls;

/// Everything a scenario's connections share across workers: target, TLS configuration, host guard.
#[derive(Debug, Clone)]
pub struct TransportPlan {
    pub(super) target: Target,
    pub(super) http: HttpVersion,
    pub(super) tls: Arc<ClientConfig>,
    pub(super) server_name: Option<String>,
    pub(super) guard: HostGuard,
}

impl TransportPlan {
    /// Reads certificates, parses the target. The target is `http(s)://host[:port][/base/path]` or
    /// `unix:/path.sock`; a base path is put before the path of every step that names only a path.
    pub fn compile(
        scenario: &Scenario,
        allow_hosts: &[String],
    ) -> Result<Arc<Self>, TransportError> {
        let target = Target::parse(scenario.target.reveal()).map_err(|why| {
            TransportError(format!(
                "the target `{}` of scenario `{}` cannot be used: {why}",
                scenario.target, scenario.name
            ))
        })?;
        let tls = tls::client_config(&scenario.tls, scenario.http)
            .map_err(|error| TransportError(format!("scenario `{}`: {error}", scenario.name)))?;
        Ok(Arc::new(Self {
            target,
            http: scenario.http,
            tls,
            server_name: scenario.tls.server_name.clone(),
            guard: HostGuard::parse(allow_hosts)?,
        }))
    }
}
