//! Which request is for what.
//!
//! A method and a path flow in, a [`Route`] flows out. The invariant: the number of routes is fixed, whatever clients ask
//! for, so that what is counted by route stays bounded.

use hyper::Method;

use super::options::Page;

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Route {
    /// The shop: served by the servers, through the queue.
    Shop(Page),
    /// `GET /healthz`; this and the following are answered at once, stalled or not.
    Health,
    /// `GET /metrics`
    Metrics,
    /// `GET /api/v2/alerts`
    Alerts,
    /// `GET`, `POST` and `DELETE` of `/admin/faults`
    Faults,
    /// Anything else.
    Unknown,
}

/// A request that has found its route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Match<'a> {
    /// The route, and the `{id}` of its path or an empty text.
    Found(Route, &'a str),
    /// The path exists but takes only these methods.
    WrongMethod(&'static str),
    /// No such path.
    Nothing,
}

impl Route {
    /// Finds the route of a request. `HEAD` counts as `GET`.
    pub fn find<'a>(method: &Method, path: &'a str) -> Match<'a> {
        let (route, id) = match path {
            "/" => (Self::Shop(Page::Home), ""),
            "/search" => (Self::Shop(Page::Search), ""),
            "/login" => (Self::Shop(Page::Login), ""),
            "/cart" => (Self::Shop(Page::Cart), ""),
            "/orders" => (Self::Shop(Page::Order), ""),
            "/events" => (Self::Shop(Page::Events), ""),
            "/ledger" => (Self::Shop(Page::Write), ""),
            "/healthz" => (Self::Health, ""),
            "/metrics" => (Self::Metrics, ""),
            "/api/v2/alerts" => (Self::Alerts, ""),
            "/admin/faults" => (Self::Faults, ""),
            _ => match path.strip_prefix('/').and_then(|path| path.split_once('/')) {
                Some(("items", id)) => (Self::Shop(Page::Item), id),
                Some(("orders", id)) => (Self::Shop(Page::Receipt), id),
                Some(("ledger", id)) => (Self::Shop(Page::Written), id),
                Some(_) | None => return Match::Nothing,
            },
        };
        let fits = match route.method() {
            "GET" => method == Method::GET || method == Method::HEAD,
            "POST" => method == Method::POST,
            _ => method == Method::GET || method == Method::POST || method == Method::DELETE,
        };
        if fits {
            Match::Found(route, id)
        } else {
            Match::WrongMethod(route.allowed())
        }
    }

    /// The path as a template.
    pub fn path(self) -> &'static str {
        match self {
            Self::Shop(Page::Home) => "/",
            Self::Shop(Page::Search) => "/search",
            Self::Shop(Page::Item) => "/items/{id}",
            Self::Shop(Page::Login) => "/login",
            Self::Shop(Page::Cart) => "/cart",
            Self::Shop(Page::Order) => "/orders",
            Self::Shop(Page::Receipt) => "/orders/{id}",
            Self::Shop(Page::Events) => "/events",
            Self::Shop(Page::Write) => "/ledger",
            Self::Shop(Page::Written) => "/ledger/{id}",
            Self::Health => "/healthz",
            Self::Metrics => "/metrics",
            Self::Alerts => "/api/v2/alerts",
            Self::Faults => "/admin/faults",
            Self::Unknown => "other",
        }
    }

    /// The method it takes, `any` when there are several.
    pub fn method(self) -> &'static str {
        match self {
            Self::Shop(Page::Login | Page::Cart | Page::Order | Page::Write) => "POST",
            Self::Shop(
                Page::Home
                | Page::Search
                | Page::Item
                | Page::Receipt
                | Page::Events
                | Page::Written,
            )
            | Self::Health
            | Self::Metrics
            | Self::Alerts => "GET",
            Self::Faults | Self::Unknown => "any",
        }
    }

    fn allowed(self) -> &'static str {
        match self.method() {
            "GET" => "GET, HEAD",
            "POST" => "POST",
            _ => "GET, POST, DELETE",
        }
    }
}
