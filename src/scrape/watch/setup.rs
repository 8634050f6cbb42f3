//! From the targets and gauges of a profile to what can be watched: everything that can be wrong is found here.

use std::collections::HashSet;
use std::sync::Arc;

use url::Url;

use super::WatchError;
use super::tasks::Server;
use crate::profile::Diagnostic;
use crate::profile::model::{self, Target, TargetSource};
use crate::profile::secret::Text;
use crate::scrape::alerts::Standing;
use crate::scrape::client::{self, Client};
use crate::scrape::discover::{Discovery, instance_of};
use crate::scrape::endpoint::{Endpoint, Wanted};
use crate::scrape::filter::Filter;
use crate::scrape::gauge::{Gauge, Trouble};
use crate::scrape::promql::{Refused, Selector};
use crate::scrape::sets::{Sets, own_folder};

/// What is to be watched, understood.
pub struct Setup {
    /// By their place in the profile.
    pub targets: Vec<OfTarget>,
    /// Gauges over what is scraped here.
    pub gauges: Vec<Gauge>,
    /// Names of the gauges that servers evaluate.
    pub remote: Vec<String>,
    /// What is to be recorded.
    pub wanted: Wanted,
    /// Gauges for what is recognized.
    pub sets: Sets,
}

/// A target, and how it stands.
pub struct OfTarget {
    /// What the profile says.
    pub plan: Target,
    /// Its endpoints; `None` of a server.
    pub discovery: Option<Discovery>,
    /// What is kept of them.
    pub filter: Arc<Filter>,
    /// Gauges that it evaluates: place among the remote ones, and expression.
    pub remote: Vec<(usize, String)>,
    /// Its alerts.
    pub standing: Standing,
    /// Of a server: what is recorded of it.
    pub health: Option<Endpoint>,
    /// Of a server: host and port.
    pub instance: String,
    /// Whether gauges were offered for it.
    pub offered: bool,
    /// Whether series of it are left out.
    pub full: Trouble,
    /// Whether alerts of it are left out.
    pub many_alerts: Trouble,
    /// Its endpoints whose clocks differ from ours.
    pub clocks_off: HashSet<String>,
}

impl Setup {
    /// Tries everything.
    ///
    /// # Errors
    /// With every mistake.
    pub fn new(targets: &[Target], gauges: &[model::Gauge]) -> Result<Self, WatchError> {
        let mut mistakes = Vec::new();
        let mut setup = Self {
            targets: Vec::new(),
            gauges: Vec::new(),
            remote: Vec::new(),
            wanted: Wanted::default(),
            sets: Sets::shipped(),
        };
        if let Some(folder) = own_folder(|name| std::env::var(name).ok()) {
            let (sets, wrong) = Sets::with_own(&folder);
            setup.sets = sets;
            // A file that nobody asked for keeps no window from beginning.
            for why in wrong {
                tracing::warn!(%why, "a set of gauges is left out");
            }
        }
        for target in targets {
            match setup.target(target) {
                Ok(target) => setup.targets.push(target),
                Err(why) => mistakes.push(format!("target `{}`: {why}", target.name)),
            }
        }
        if mistakes.is_empty() {
            for gauge in gauges {
                if let Err(why) = setup.gauge(gauge) {
                    mistakes.push(why);
                }
            }
        }
        if mistakes.is_empty() {
            Ok(setup)
        } else {
            Err(WatchError(mistakes))
        }
    }

    fn target(&mut self, target: &Target) -> Result<OfTarget, String> {
        for text in &target.record {
            let selector = Selector::parse(text).map_err(|why| format!("record: {why}"))?;
            self.wanted.add(&[selector.restricted("job", &target.name)]);
        }
        let server = match &target.source {
            TargetSource::Prometheus(url) | TargetSource::Alertmanager(url) => Some(url),
            TargetSource::Scrape(_) | TargetSource::Many(_) => None,
        };
        let of = OfTarget {
            discovery: server.is_none().then(|| Discovery::new(target)),
            filter: Arc::new(Filter::new(&target.keep, &target.drop)?),
            remote: Vec::new(),
            standing: Standing::default(),
            health: None,
            instance: server.map_or_else(String::new, |url| instance_of(url.reveal())),
            offered: false,
            full: Trouble::default(),
            many_alerts: Trouble::default(),
            clocks_off: HashSet::new(),
            plan: target.clone(),
        };
        // Certificates and the like are wrong for all endpoints or for none.
        Client::new(of.endpoint(Text::plain("http://127.0.0.1/")))
            .map_err(|why| why.to_string())?;
        Ok(of)
    }

    /// A gauge without a target is drawn from all that are scraped, or, where none is, from the only server.
    fn gauge(&mut self, gauge: &model::Gauge) -> Result<(), String> {
        let servers = |targets: &[OfTarget]| -> Vec<usize> {
            let places = targets.iter().enumerate();
            places
                .filter(|(_, of)| of.is_prometheus())
                .map(|(place, _)| place)
                .collect()
        };
        let said = |why: &str| Err(format!("gauge `{}`: {why}", gauge.name));
        let nothing_scraped = self.targets.iter().all(|of| of.discovery.is_none());
        let of = match (gauge.of, servers(&self.targets).as_slice()) {
            (Some(of), _) => Some(of),
            (None, &[only]) if nothing_scraped => Some(only),
            (None, []) if nothing_scraped => {
                return said("nothing is scraped; add a `[[target]]`");
            }
            (None, _) if nothing_scraped => {
                return said("there are several Prometheus servers; say which with `of`");
            }
            (None, _) => None,
        };
        match of.map(|place| (place, &mut self.targets[place])) {
            Some((_, of)) if of.is_prometheus() => {
                of.remote.push((self.remote.len(), gauge.expr.clone()));
                self.remote.push(gauge.name.clone());
            }
            Some((_, of)) if of.discovery.is_none() => {
                return said("an Alertmanager has alerts and no series to draw a gauge from");
            }
            Some((_, of)) => {
                let name = of.plan.name.clone();
                self.local(gauge, Some(&name))?;
            }
            None => {
                self.local(gauge, None)?;
            }
        }
        Ok(())
    }

    fn local(&mut self, gauge: &model::Gauge, of: Option<&str>) -> Result<(), String> {
        let gauge = Gauge::new(&gauge.name, of, &gauge.expr).map_err(|why| pointed(gauge, why))?;
        self.wanted.add(gauge.selectors());
        self.gauges.push(gauge);
        Ok(())
    }
}

/// What is wrong with an expression, with a mark where.
fn pointed(gauge: &model::Gauge, refused: Refused) -> String {
    let span = refused.span.unwrap_or(0..gauge.expr.len());
    let origin = format!("`expr` of gauge `{}`", gauge.name);
    let shown = Diagnostic::new(refused.message, span).render(&origin, &gauge.expr);
    shown.replace('\n', "\n  ")
}

impl OfTarget {
    /// How one of its URLs is fetched.
    pub fn endpoint(&self, url: Text) -> client::Endpoint {
        let plan = &self.plan;
        client::Endpoint {
            url,
            unix: plan.unix.clone(),
            headers: plan.headers.clone(),
            bearer: plan.bearer.clone(),
            bearer_file: plan.bearer_file.clone(),
            basic: plan.basic.clone(),
            tls: plan.tls.clone(),
            timeout: plan.timeout,
            max_body: usize::try_from(plan.max_size).unwrap_or(usize::MAX),
            redirects: plan.redirects,
        }
    }

    /// Whether it evaluates gauges itself.
    pub fn is_prometheus(&self) -> bool {
        matches!(self.plan.source, TargetSource::Prometheus(_))
    }

    /// How it is asked, if it is a server.
    pub fn server(&self, target: usize) -> Option<Server> {
        let (TargetSource::Prometheus(url) | TargetSource::Alertmanager(url)) = &self.plan.source
        else {
            return None;
        };
        Some(Server {
            target,
            name: self.plan.name.clone(),
            client: Client::new(self.endpoint(url.clone())).ok()?,
            base: Url::parse(url.reveal()).ok()?,
            every: self.plan.every,
        })
    }
}
