//! Name lookup for one origin on one worker: cached, refreshed behind the back of the load.
//!
//! A host and port in, its addresses out. An address literal is its own answer. A name's answer serves for
//! [`FRESH`]; after that it goes on serving while one background task looks the name up again. A failed lookup is
//! the answer for [`FAILED`], so that a dead resolver is asked once a second and not once a request. The invariant:
//! at most one lookup of a name is under way, and whoever needs its answer waits for that one.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

/// How long an answer serves without another lookup.
const FRESH: Duration = Duration::from_secs(30);
/// How long a failure serves, and the pause before a failed refresh is tried again.
const FAILED: Duration = Duration::from_secs(1);

type Found = io::Result<Vec<SocketAddr>>;

/// Looks a name up.
pub(super) type Lookup = Rc<dyn Fn(Rc<str>, u16) -> Pin<Box<dyn Future<Output = Found>>>>;

/// The system's resolver (`getaddrinfo` on a helper thread).
pub(super) fn system() -> Lookup {
    Rc::new(|host: Rc<str>, port| {
        Box::pin(async move {
            let found = tokio::net::lookup_host((&*host, port)).await?;
            Ok(found.collect())
        })
    })
}

/// The addresses of one host and port.
pub(super) struct Names {
    host: Rc<str>,
    port: u16,
    lookup: Lookup,
    failures: Rc<Cell<u64>>,
    cached: RefCell<Option<Cached>>,
    one_at_a_time: Semaphore,
    refreshing: Cell<bool>,
    turn: Cell<usize>,
}

#[derive(Clone)]
struct Cached {
    answer: Result<Rc<[SocketAddr]>, Rc<str>>,
    /// When it ceases to be fresh; `None` never.
    until: Option<Instant>,
}

/// What a cached answer is good for.
#[derive(Debug, PartialEq, Eq)]
enum Use {
    /// As it is.
    AsIs,
    /// As it is, but look again.
    Refresh,
    /// Nothing: look first.
    Nothing,
}

impl Cached {
    fn use_at(&self, now: Instant) -> Use {
        let fresh = self.until.is_none_or(|until| now < until);
        match (&self.answer, fresh) {
            (_, true) => Use::AsIs,
            (Ok(_), false) => Use::Refresh,
            (Err(_), false) => Use::Nothing,
        }
    }
}

impl Names {
    /// Counts failed lookups in `failures`.
    pub(super) fn new(host: &str, port: u16, lookup: Lookup, failures: Rc<Cell<u64>>) -> Self {
        let literal = host.parse::<IpAddr>().ok().map(|address| Cached {
            answer: Ok(Rc::from([SocketAddr::new(address, port)])),
            until: None,
        });
        Self {
            host: host.into(),
            port,
            lookup,
            failures,
            cached: RefCell::new(literal),
            one_at_a_time: Semaphore::new(1),
            refreshing: Cell::new(false),
            turn: Cell::new(0),
        }
    }

    /// The name or address asked for.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// Its addresses (never none), or why there are none; and which of them this connection should try first.
    pub(super) async fn addresses(self: &Rc<Self>) -> Result<(Rc<[SocketAddr]>, usize), Rc<str>> {
        let answer = match self.usable() {
            Some(answer) => answer,
            None => self.wait().await,
        }?;
        let turn = self.turn.get();
        self.turn.set(turn.wrapping_add(1));
        let first = turn % answer.len().max(1);
        Ok((answer, first))
    }

    /// The cached answer where it may be used; starts a refresh where one is due.
    fn usable(self: &Rc<Self>) -> Option<Result<Rc<[SocketAddr]>, Rc<str>>> {
        let cached = self.cached.borrow().clone()?;
        match cached.use_at(Instant::now()) {
            Use::AsIs => Some(cached.answer),
            Use::Refresh => {
                if !self.refreshing.replace(true) {
                    let this = Rc::clone(self);
                    tokio::task::spawn_local(async move {
                        // A failure is counted and leaves the stale answer in place.
                        let _ = this.look().await;
                        this.refreshing.set(false);
                    });
                }
                Some(cached.answer)
            }
            Use::Nothing => None,
        }
    }

    async fn wait(self: &Rc<Self>) -> Result<Rc<[SocketAddr]>, Rc<str>> {
        // The semaphore is never closed; were it, looking without a permit is still right.
        let _permit = self.one_at_a_time.acquire().await.ok();
        match self.usable() {
            Some(answer) => answer,
            None => self.look().await,
        }
    }

    /// Looks the name up and caches what comes. A failure does not replace addresses that were good.
    async fn look(&self) -> Result<Rc<[SocketAddr]>, Rc<str>> {
        let found = (self.lookup)(Rc::clone(&self.host), self.port).await;
        let answer: Result<Rc<[SocketAddr]>, Rc<str>> = match found {
            Ok(addresses) if addresses.is_empty() => Err("it has no address".into()),
            Ok(addresses) => Ok(addresses.into()),
            Err(error) => Err(error.to_string().into()),
        };
        let mut cached = self.cached.borrow_mut();
        if answer.is_err() {
            self.failures.set(self.failures.get() + 1);
        }
        let serves = if answer.is_ok() { FRESH } else { FAILED };
        let kept = match (&answer, cached.take()) {
            (
                Err(_),
                Some(Cached {
                    answer: Ok(old), ..
                }),
            ) => Ok(old),
            _ => answer.clone(),
        };
        *cached = Some(Cached {
            answer: kept,
            until: Some(Instant::now() + serves),
        });
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(host: &str, lookup: impl Fn() -> Found + 'static) -> (Rc<Names>, Rc<Cell<u64>>) {
        let lookups = Rc::new(Cell::new(0));
        let seen = Rc::clone(&lookups);
        let lookup: Lookup = Rc::new(move |_, _| {
            seen.set(seen.get() + 1);
            let found = lookup();
            Box::pin(async move {
                tokio::task::yield_now().await;
                found
            })
        });
        (
            Rc::new(Names::new(host, 80, lookup, Rc::default())),
            lookups,
        )
    }

    fn expire(names: &Names) {
        if let Some(cached) = names.cached.borrow_mut().as_mut() {
            cached.until = Some(Instant::now());
        }
    }

    #[allow(clippy::unnecessary_wraps, reason = "it is what a lookup gives")]
    fn two() -> Found {
        Ok(vec![
            "192.0.2.1:80".parse().unwrap(),
            "[2001:db8::1]:80".parse().unwrap(),
        ])
    }

    #[tokio::test]
    async fn an_address_literal_is_never_looked_up() {
        for host in ["127.0.0.1", "::1"] {
            let (names, lookups) = names(host, || Err(io::Error::other("asked")));
            assert_eq!(names.addresses().await.unwrap().0[0].ip().to_string(), host);
            assert_eq!(lookups.get(), 0);
        }
    }

    #[tokio::test]
    async fn many_waiters_share_one_lookup_and_take_addresses_in_turn() {
        let (names, lookups) = names("shop", two);
        let (a, b, c) = tokio::join!(names.addresses(), names.addresses(), names.addresses());
        assert_eq!(lookups.get(), 1);
        assert_eq!([a.unwrap().1, b.unwrap().1, c.unwrap().1], [0, 1, 0]);
    }

    #[tokio::test]
    async fn a_failure_is_shared_briefly_and_then_tried_again() {
        let (names, lookups) = names("shop", || Err(io::Error::other("no such host")));
        assert_eq!(&*names.addresses().await.unwrap_err(), "no such host");
        assert_eq!(&*names.addresses().await.unwrap_err(), "no such host");
        assert_eq!(lookups.get(), 1);
        expire(&names);
        assert!(names.addresses().await.is_err());
        assert_eq!((lookups.get(), names.failures.get()), (2, 2));
    }

    #[tokio::test]
    async fn a_stale_answer_serves_while_one_refresh_runs_and_survives_its_failure() {
        let good = Rc::new(Cell::new(true));
        let is_good = Rc::clone(&good);
        let (names, lookups) = names("shop", move || {
            if is_good.get() {
                two()
            } else {
                Err(io::Error::other("down"))
            }
        });
        tokio::task::LocalSet::new()
            .run_until(async {
                names.addresses().await.unwrap();
                good.set(false);
                expire(&names);
                assert!(names.addresses().await.is_ok());
                assert!(names.addresses().await.is_ok());
                while names.refreshing.get() {
                    tokio::task::yield_now().await;
                }
                assert_eq!((lookups.get(), names.failures.get()), (2, 1));
                assert!(names.addresses().await.is_ok());
            })
            .await;
    }

    #[test]
    fn answers_age() {
        let now = Instant::now();
        let cached = |answer, until| Cached { answer, until };
        let good = || Ok(Rc::from([SocketAddr::from(([192, 0, 2, 1], 80))]));
        assert_eq!(cached(good(), None).use_at(now), Use::AsIs);
        assert_eq!(cached(good(), Some(now + FRESH)).use_at(now), Use::AsIs);
        assert_eq!(cached(good(), Some(now)).use_at(now), Use::Refresh);
        assert_eq!(
            cached(Err("x".into()), Some(now + FAILED)).use_at(now),
            Use::AsIs
        );
        assert_eq!(cached(Err("x".into()), Some(now)).use_at(now), Use::Nothing);
    }
}
