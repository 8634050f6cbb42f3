//! One proxy, as its connections see it: where it leads, which faults are on, and who is to be told when that changes.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::rc::Rc;
use std::task::Waker;
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::connection::Scratch;
use super::table::{Active, Who};
use super::timers::Timers;
use crate::alarm;
use crate::profile::hosts::{HostRule, is_loopback_address};

/// An upstream that has not answered for so long is as good as gone.
const DIAL: Duration = Duration::from_secs(10);

/// Bytes that the connections of a thread may hold together; past that, each waits until its own are written.
const HELD: usize = 256 << 20;

/// Bytes that all connections together may read before each has had its turn; a switch waits for about one turn.
const TURN: usize = 4 << 20;

/// What all proxies of a thread share.
#[derive(Debug)]
pub(super) struct Common {
    pub seed: u64,
    pub allow: Vec<HostRule>,
    /// Connections that are open.
    open: Cell<usize>,
    /// Bytes that they hold.
    held: Cell<usize>,
}

impl Common {
    pub fn new(seed: u64, allow: Vec<HostRule>) -> Self {
        Self {
            seed,
            allow,
            open: Cell::new(0),
            held: Cell::new(0),
        }
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Route {
    /// Its address, for messages.
    pub name: String,
    /// `host:port` that it leads to.
    pub upstream: String,
    /// A fault of it has a toxic on requests.
    pub has_http: bool,
    pub common: Rc<Common>,
    pub timers: Rc<Timers>,
    pub scratch: Scratch,
    table: RefCell<Rc<[Active]>>,
    version: Cell<u64>,
    /// Its connections.
    here: Cell<usize>,
    /// Those among them that have not seen the last version.
    behind: Cell<usize>,
    /// Tells when there is none of those any more.
    level: Notify,
    waiting: RefCell<HashMap<u64, Waker>>,
    next: Cell<u64>,
}

impl Route {
    pub fn new(
        (name, upstream): (String, String),
        has_http: bool,
        common: &Rc<Common>,
        timers: &Rc<Timers>,
        scratch: &Scratch,
    ) -> Self {
        Self {
            name,
            upstream,
            has_http,
            common: Rc::clone(common),
            timers: Rc::clone(timers),
            scratch: Rc::clone(scratch),
            table: RefCell::new(Rc::from([])),
            version: Cell::new(1),
            here: Cell::new(0),
            behind: Cell::new(0),
            level: Notify::new(),
            waiting: RefCell::default(),
            next: Cell::new(0),
        }
    }

    /// A connection comes: its number, in the order in which they came. It is not behind: whatever
    /// it does first, it does by the table of then.
    pub fn enter(&self) -> Who {
        let connection = self.next.get();
        self.next.set(connection + 1);
        self.here.set(self.here.get() + 1);
        self.common.open.set(self.common.open.get() + 1);
        Who {
            seed: self.common.seed,
            connection,
            since: alarm::now(),
        }
    }

    /// A connection goes, which had seen this version.
    pub fn leave(&self, connection: u64, seen: u64) {
        self.waiting.borrow_mut().remove(&connection);
        self.caught_up(seen);
        self.here.set(self.here.get() - 1);
        self.common.open.set(self.common.open.get() - 1);
    }

    /// A connection that had seen `seen` is about to see the last version.
    pub fn caught_up(&self, seen: u64) {
        if seen != self.version.get() {
            self.behind.set(self.behind.get() - 1);
            if self.behind.get() == 0 {
                self.level.notify_waiters();
            }
        }
    }

    /// Wakes a connection when the table changes.
    pub fn wait(&self, connection: u64, waker: &Waker) {
        let mut waiting = self.waiting.borrow_mut();
        let known = waiting.get(&connection);
        if known.is_none_or(|known| !known.will_wake(waker)) {
            waiting.insert(connection, waker.clone());
        }
    }

    /// Puts another table in place, and wakes everyone.
    pub fn change(&self, table: Vec<Active>) {
        *self.table.borrow_mut() = table.into();
        self.version.set(self.version.get() + 1);
        // Everyone that is there, polled for the first time or not.
        self.behind.set(self.here.get());
        self.waiting.borrow().values().for_each(Waker::wake_by_ref);
    }

    /// Waits until every connection does what the table says.
    pub async fn is_level(&self) {
        while self.behind.get() > 0 {
            self.level.notified().await;
        }
    }

    pub fn version(&self) -> u64 {
        self.version.get()
    }

    /// The faults that are on.
    pub fn table(&self) -> Rc<[Active]> {
        Rc::clone(&self.table.borrow())
    }

    /// Bytes that a connection may read before others have their turn.
    pub fn budget(&self) -> usize {
        (TURN / self.common.open.get().max(1)).clamp(16 << 10, 256 << 10)
    }

    /// Whether connections may hold more bytes.
    pub fn room(&self) -> bool {
        self.common.held.get() < HELD
    }

    /// A connection holds so many bytes instead of so many.
    pub fn hold(&self, now: usize, before: usize) {
        self.common.held.set(self.common.held.get() + now - before);
    }

    /// Connects to the upstream, if that is where the profile allows.
    pub async fn dial(&self) -> io::Result<TcpStream> {
        let dialled = timeout(DIAL, self.connect()).await;
        let stream = dialled.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    async fn connect(&self) -> io::Result<TcpStream> {
        let mut last =
            io::Error::other(format!("{} has no address that is allowed", self.upstream));
        for address in lookup_host(&self.upstream).await? {
            if !allows(&self.common.allow, &self.upstream, address.ip()) {
                continue;
            }
            match TcpStream::connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

/// Whether an address that the upstream's name led to may be connected to.
fn allows(rules: &[HostRule], upstream: &str, address: IpAddr) -> bool {
    let host = upstream.rsplit_once(':').map_or("", |(host, _)| host);
    is_loopback_address(address)
        || rules
            .iter()
            .any(|rule| rule.allows_address(address) || rule.allows(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_followed_only_where_the_profile_allows() {
        let rules: Vec<HostRule> = ["db.example.com", "10.0.0.0/8"]
            .iter()
            .map(|rule| rule.parse().unwrap())
            .collect();
        let allowed = |upstream, address: &str| allows(&rules, upstream, address.parse().unwrap());
        assert!(allowed("localhost:1", "127.0.0.1"));
        assert!(
            allowed("db.example.com:1", "192.0.2.1"),
            "a listed name leads anywhere"
        );
        assert!(allowed("10.1.2.3:1", "10.1.2.3"));
        assert!(
            !allowed("localhost:1", "192.0.2.1"),
            "a name that leads elsewhere than it seems to"
        );
        assert!(!allowed("192.0.2.1:1", "192.0.2.1"));
    }
}
