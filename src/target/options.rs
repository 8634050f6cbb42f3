//! How the service behaves from its start: capacity, service times, seed, a schedule of stalls.
//!
//! The query of an `embedded://shop?servers=8&service=exp:1ms` URL or the flags of the command line flow in, a value
//! that the service can run with flows out. The invariant: two services with equal options and equal arrivals draw
//! equal service times.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::distribution::{Distribution, DistributionError, duration, nanos};
use super::work::Pattern;
use crate::profile::units::Span;

/// Largest number of servers that can be asked for, which bounds the memory of the station.
pub const MOST_SERVERS: usize = 65_536;
/// Largest queue that can be asked for, for the same reason.
pub const LONGEST_QUEUE: usize = 1_000_000;

/// A page or an action of the shop: what a request is served and counted as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Page {
    /// `GET /`
    Home,
    /// `GET /search?q=`
    Search,
    /// `GET /items/{id}`
    Item,
    /// `POST /login`
    Login,
    /// `POST /cart`
    Cart,
    /// `POST /orders`
    Order,
    /// `GET /orders/{id}`
    Receipt,
    /// `GET /events`
    Events,
    /// `POST /ledger`
    Write,
    /// `GET /ledger/{id}`
    Written,
}

impl Page {
    /// All of them, in the order of their declaration.
    pub const ALL: [Self; 10] = [
        Self::Home,
        Self::Search,
        Self::Item,
        Self::Login,
        Self::Cart,
        Self::Order,
        Self::Receipt,
        Self::Events,
        Self::Write,
        Self::Written,
    ];

    /// Its name in options, as in `service.search=exp:8ms`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Home => "home",
            Self::Search => "search",
            Self::Item => "item",
            Self::Login => "login",
            Self::Cart => "cart",
            Self::Order => "order",
            Self::Receipt => "receipt",
            Self::Events => "events",
            Self::Write => "write",
            Self::Written => "written",
        }
    }

    fn usual_median(self) -> Duration {
        Duration::from_millis(match self {
            Self::Home => 2,
            Self::Search => 8,
            Self::Item | Self::Receipt | Self::Written => 3,
            Self::Login | Self::Cart | Self::Write => 4,
            Self::Order => 12,
            Self::Events => 5,
        })
    }
}

impl FromStr for Page {
    type Err = OptionsError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|page| page.name() == text)
            .ok_or_else(|| OptionsError::Page(text.to_owned()))
    }
}

/// The service time of each page.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceTimes([Distribution; Page::ALL.len()]);

impl ServiceTimes {
    /// The same for every page.
    pub fn all(distribution: Distribution) -> Self {
        Self([distribution; Page::ALL.len()])
    }

    /// That of one page.
    pub fn of(&self, page: Page) -> Distribution {
        self.0[page as usize]
    }

    /// Changes that of one page.
    pub fn set(&mut self, page: Page, distribution: Distribution) {
        self.0[page as usize] = distribution;
    }
}

impl Default for ServiceTimes {
    /// Log-normal with sigma 0.5 round a median by page: home 2 ms, search 8 ms, an order 12 ms, the others between.
    fn default() -> Self {
        Self(Page::ALL.map(|page| Distribution::LogNormal {
            median: page.usual_median(),
            sigma: 0.5,
        }))
    }
}

/// A stall that comes again and again: `2s/10s` stands still for 2 s at the end of every 10 s.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StallEvery {
    /// How long.
    pub stall: Duration,
    /// How often; longer than `stall`.
    pub every: Duration,
}

impl StallEvery {
    pub(super) fn pattern(self) -> Pattern {
        Pattern::Periodic {
            lead: nanos(self.every.saturating_sub(self.stall)),
            stall: nanos(self.stall),
            every: nanos(self.every),
        }
    }
}

impl FromStr for StallEvery {
    type Err = OptionsError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || OptionsError::Stall(text.to_owned());
        let (stall, every) = text.split_once('/').ok_or_else(wrong)?;
        let (stall, every) = (duration(stall)?, duration(every)?);
        if stall < every {
            Ok(Self { stall, every })
        } else {
            Err(wrong())
        }
    }
}

impl fmt::Display for StallEvery {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", Span(self.stall), Span(self.every))
    }
}

/// How the service behaves from its start.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Parallel servers; 0: as many as it takes, so that nothing ever queues.
    pub servers: usize,
    /// How many requests may wait for a server; one more is answered 503 at once.
    pub queue: usize,
    /// How long a server takes, by page.
    pub service: ServiceTimes,
    /// Where all random draws begin.
    pub seed: u64,
    /// A stall on a schedule; the first comes `every - stall` after the start.
    pub stall: Option<StallEvery>,
    /// Whether `/metrics` answers.
    pub metrics: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            servers: 8,
            queue: 10_000,
            service: ServiceTimes::default(),
            seed: 42,
            stall: None,
            metrics: true,
        }
    }
}

/// Why options are refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OptionsError {
    /// No such option.
    #[error(
        "the embedded target has no option `{0}`{1}; it has servers, queue, service, service.PAGE, seed, stall, metrics"
    )]
    Unknown(String, String),
    /// No such page.
    #[error(
        "the shop has no page `{0}`; it has home, search, item, login, cart, order, receipt, events"
    )]
    Page(String),
    /// A number does not parse or is out of range.
    #[error("`{1}` is no value for {0}; write a whole number from 0 to {2}")]
    Number(&'static str, String, u64),
    /// A schedule of stalls does not parse or leaves no time to serve.
    #[error(
        "`{0}` is no schedule of stalls; write `2s/10s` for 2 s in every 10 s, the shorter first"
    )]
    Stall(String),
    /// Neither on nor off.
    #[error("`{0}` is no value for metrics; write `on` or `off`")]
    Switch(String),
    /// Not a distribution, or not a duration in one.
    #[error(transparent)]
    Distribution(#[from] DistributionError),
}

impl Options {
    /// The options in the query of an `embedded://shop?…` URL, without its question mark.
    ///
    /// `service` sets every page, `service.PAGE` one page, whatever their order. Fails at the first mistake.
    pub fn from_query(query: &str) -> Result<Self, OptionsError> {
        let mut options = Self::default();
        let mut pages = Vec::new();
        for (key, value) in url::form_urlencoded::parse(query.as_bytes()) {
            match (&*key, &*value) {
                ("servers", text) => {
                    options.servers = number("servers", text, MOST_SERVERS as u64)? as usize;
                }
                ("queue", text) => {
                    options.queue = number("queue", text, LONGEST_QUEUE as u64)? as usize;
                }
                ("seed", text) => options.seed = number("seed", text, u64::MAX)?,
                ("service", text) => options.service = ServiceTimes::all(text.parse()?),
                ("stall", text) => options.stall = Some(text.parse()?),
                ("metrics", "on") => options.metrics = true,
                ("metrics", "off") => options.metrics = false,
                ("metrics", text) => return Err(OptionsError::Switch(text.to_owned())),
                (key, text) => {
                    let page = key.strip_prefix("service.").ok_or_else(|| unknown(key))?;
                    pages.push((page.parse::<Page>()?, text.parse()?));
                }
            }
        }
        for (page, distribution) in pages {
            options.service.set(page, distribution);
        }
        Ok(options)
    }
}

fn unknown(key: &str) -> OptionsError {
    let known = ["servers", "queue", "service", "seed", "stall", "metrics"];
    let near = known
        .into_iter()
        .find(|name| strsim::damerau_levenshtein(name, key) <= 2);
    let hint = near.map_or(String::new(), |name| format!(" (did you mean `{name}`?)"));
    OptionsError::Unknown(key.to_owned(), hint)
}

fn number(name: &'static str, text: &str, most: u64) -> Result<u64, OptionsError> {
    text.parse()
        .ok()
        .filter(|value| *value <= most)
        .ok_or_else(|| OptionsError::Number(name, text.to_owned(), most))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_query_sets_what_it_names_and_leaves_the_rest() {
        let query = "servers=1&service.home=fixed:3ms&service=exp:1ms&queue=100&stall=2s/10s&seed=7&metrics=off";
        let options = Options::from_query(query).unwrap();
        assert_eq!((options.servers, options.queue, options.seed), (1, 100, 7));
        assert_eq!(options.service.of(Page::Home).to_string(), "fixed:3ms");
        assert_eq!(options.service.of(Page::Search).to_string(), "exp:1ms");
        assert_eq!(options.stall.unwrap().to_string(), "2s/10s");
        assert!(!options.metrics);
        assert_eq!(Options::from_query(""), Ok(Options::default()));
    }

    #[test]
    fn a_distribution_with_equals_signs_fits_into_a_query() {
        let options = Options::from_query("service=lognormal:median=2ms,sigma=0.5").unwrap();
        let text = options.service.of(Page::Cart).to_string();
        assert_eq!(text, "lognormal:median=2ms,sigma=0.5");
    }

    #[test]
    fn a_mistake_in_a_query_is_answered_with_what_to_write() {
        for (query, says) in [
            ("server=1", "did you mean `servers`?"),
            ("colour=red", "no option `colour`; it has servers"),
            ("service.hom=exp:1ms", "no page `hom`"),
            ("servers=-1", "`-1` is no value for servers"),
            ("servers=65537", "from 0 to 65536"),
            ("stall=10s/2s", "the shorter first"),
            ("stall=2s", "write `2s/10s`"),
            ("metrics=maybe", "write `on` or `off`"),
            ("service=exp", "`exp` is no distribution"),
        ] {
            let said = Options::from_query(query).unwrap_err().to_string();
            assert!(said.contains(says), "{query}: {said}");
        }
    }

    proptest! {
        #[test]
        fn any_query_is_options_or_an_error(query in "\\PC{0,60}") {
            let _ = Options::from_query(&query);
        }
    }
}
