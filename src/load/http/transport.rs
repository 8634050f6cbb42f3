//! One worker's way to a scenario's servers: its origins, and the lanes that send to them.
//!
//! ```text
//!   Lane::send ──▶ route (which origin) ──▶ connection (own, idle, or new) ──▶ exchange ──▶ Exchange
//! ```
//!
//! Lives on one thread. The invariant: requests to one origin, however its URL is written, share one [`Origin`].

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use hyper::Uri;

use super::dial::{Dial, Dialed, Link};
use super::lane::{Lane, Spent};
use super::names::{self, Lookup, Names};
use super::origin::Origin;
use super::plan::TransportPlan;
use super::target::Place;
use super::{Failure, Limits};
use crate::load::clock::Clock;
use crate::session::record::ErrorKind;

/// Origins remembered besides the scenario's target; a template may name any number of them.
const MOST_ORIGINS: usize = 1024;

/// One worker's transport for one scenario: pools, resolver cache, open connection count. Lives on one thread, inside
/// a [`tokio::task::LocalSet`].
pub struct Transport {
    plan: Arc<TransportPlan>,
    pub(super) clock: Clock,
    share: Option<u32>,
    pub(super) per_lane: bool,
    lookup: Lookup,
    lookup_failures: Rc<Cell<u64>>,
    open: Rc<Cell<u64>>,
    /// The scenario's target, or why it cannot be one.
    home: Result<Rc<Origin>, String>,
    others: RefCell<HashMap<Place, Rc<Origin>>>,
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport")
            .field("target", &self.plan.target)
            .field("open", &self.open.get())
            .finish_non_exhaustive()
    }
}

impl Transport {
    /// `share`: how many pooled connections this worker may hold to each origin (the profile's `connections = N` split
    /// over workers); `None`: an unbounded pool, or per-lane connections. HTTP/2 is always shared by all lanes: `share`
    /// connections, or one.
    pub fn new(
        plan: Arc<TransportPlan>,
        clock: Clock,
        share: Option<u32>,
        per_lane: bool,
    ) -> Rc<Self> {
        Self::with_lookup(plan, clock, share, per_lane, names::system())
    }

    pub(super) fn with_lookup(
        plan: Arc<TransportPlan>,
        clock: Clock,
        share: Option<u32>,
        per_lane: bool,
        lookup: Lookup,
    ) -> Rc<Self> {
        let lookup_failures = Rc::default();
        let place = plan.target.place.clone();
        let home = new_origin(&plan, place, share, &lookup, &lookup_failures);
        Rc::new(Self {
            plan,
            clock,
            share,
            per_lane,
            lookup,
            lookup_failures,
            open: Rc::default(),
            home,
            others: RefCell::default(),
        })
    }

    /// A place to send requests from: one for each closed user or open arrival. With `per_lane` it owns its connections
    /// (kept alive while the lane lives); otherwise it borrows one from the pool for each request and gives it back.
    pub fn lane(self: &Rc<Self>) -> Lane {
        Lane::new(Rc::clone(self))
    }

    /// Open connections now.
    pub fn open(&self) -> u64 {
        self.open.get()
    }

    /// Name lookups that failed so far, those in the background included.
    pub fn lookup_failures(&self) -> u64 {
        self.lookup_failures.get()
    }

    /// The origin that a request goes to. Makes the path whole where the target has a base path.
    pub(super) fn route(&self, uri: &mut Uri) -> Result<Rc<Origin>, Failure> {
        let unusable = |why: String| Failure::new(ErrorKind::Data, why);
        if uri.scheme().is_none() {
            let joined = uri
                .path_and_query()
                .and_then(|path| self.plan.target.join(path));
            if let Some(path) = joined {
                *uri = Uri::from(path.map_err(unusable)?);
            }
            return self.home.clone().map_err(unusable);
        }
        if let Ok(home) = &self.home
            && home.place.serves(uri)
        {
            return Ok(Rc::clone(home));
        }
        let place = Place::of(uri).map_err(unusable)?;
        let mut others = self.others.borrow_mut();
        if let Some(origin) = others.get(&place) {
            return Ok(Rc::clone(origin));
        }
        if others.len() >= MOST_ORIGINS {
            others.retain(|_, origin| Rc::strong_count(origin) > 1);
        }
        let origin = new_origin(
            &self.plan,
            place.clone(),
            self.share,
            &self.lookup,
            &self.lookup_failures,
        )
        .map_err(unusable)?;
        others.insert(place, Rc::clone(&origin));
        Ok(origin)
    }

    pub(super) async fn dial(
        &self,
        origin: &Origin,
        limits: &Limits,
        spent: &mut Spent,
    ) -> Result<Link, Failure> {
        let dial = Dial {
            plan: &self.plan,
            place: &origin.place,
            names: origin.names.as_ref(),
            open: &self.open,
            clock: self.clock,
            limit: limits.connect_timeout,
        };
        // Boxed: it is large, and every waiting lane would carry its size.
        let Dialed {
            result,
            connect,
            tls,
        } = Box::pin(dial.run()).await;
        spent.connect += connect;
        spent.tls += tls;
        result
    }
}

fn new_origin(
    plan: &TransportPlan,
    place: Place,
    share: Option<u32>,
    lookup: &Lookup,
    failures: &Rc<Cell<u64>>,
) -> Result<Rc<Origin>, String> {
    let names = match &place {
        Place::Tcp { host, port, .. } => Some(Rc::new(Names::new(
            host,
            *port,
            Rc::clone(lookup),
            Rc::clone(failures),
        ))),
        Place::Unix(_) => None,
    };
    Origin::new(place, names, plan.http, share).map(Rc::new)
}
