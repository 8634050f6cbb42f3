//! Scraping against real exporters, real Prometheus, and servers that do what they should not.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../support/mod.rs"]
mod support;

mod command;
mod differential;
mod fetching;
mod hostile;
mod prometheus;

use std::time::Duration;

use stormdeck::profile::secret::Text;
use stormdeck::scrape::client::{Client, Endpoint, FetchError, Fetched};

/// An endpoint with time enough for any machine.
fn endpoint(url: &str) -> Endpoint {
    Endpoint {
        timeout: support::SOON,
        ..Endpoint::new(Text::plain(url))
    }
}

/// A client for it.
fn client(endpoint: Endpoint) -> Client {
    Client::new(endpoint).unwrap()
}

/// Scrapes once, on a runtime of one thread.
fn fetch(client: &mut Client) -> Result<Fetched, FetchError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(client.fetch())
}

/// The error of one scrape.
fn failure(endpoint: Endpoint) -> FetchError {
    fetch(&mut client(endpoint)).unwrap_err()
}

/// A limit that passes while nothing more comes.
const BRIEF: Duration = Duration::from_millis(300);
