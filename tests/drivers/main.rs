//! Faults that are made outside of stormdeck: by programs, by requests, by a Toxiproxy; and the recipes that are shipped,
//! with the servers that they are for.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test says what it expects by unwrapping"
)]

mod exec;
mod failover;
mod http;
mod others;
mod reading;
mod recipes;
#[path = "../support/mod.rs"]
mod support;
mod toxiproxy;

use std::path::Path;
use std::time::Duration;

use stormdeck::fault::driver::{Done, Driver, FaultError};
use stormdeck::fault::drivers;
use stormdeck::fault::proxy::Proxies;
use stormdeck::fault::undo::Undo;
use stormdeck::profile::{self, Options, Profile};

/// The one fault of a profile, with the folder that its paths start from, and its variables.
struct Stage {
    driver: Box<dyn Driver>,
    runtime: tokio::runtime::Runtime,
}

impl Stage {
    /// With this in `[[fault]]`.
    fn new(fault: &str, base: &Path, variables: &[(&str, &str)]) -> Self {
        let text = format!("[window]\nduration = \"1s\"\n[[fault]]\nname = \"it\"\n{fault}");
        Self::of(&text, base, variables)
    }

    /// With this profile.
    fn of(text: &str, base: &Path, variables: &[(&str, &str)]) -> Self {
        let mut options = Options::from_env();
        for (name, value) in variables {
            let pair = ((*name).to_owned(), (*value).to_owned());
            options.variables.push(pair);
        }
        let profile = profile::parse(text, base, &options).unwrap_or_else(|e| panic!("{e}"));
        Self::from(&profile)
    }

    fn from(profile: &Profile) -> Self {
        let mut all = drivers::of(profile, &Proxies::start(profile).unwrap())
            .unwrap_or_else(|errors| panic!("{errors:?}"));
        assert_eq!(all.len(), 1);
        Self::with(all.remove(0).unwrap())
    }

    fn with(driver: Box<dyn Driver>) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        Self { driver, runtime }
    }

    fn prepare(&self) -> Result<Undo, FaultError> {
        self.runtime.block_on(self.driver.prepare())
    }

    fn inject(&self, undo: &Undo) -> Result<Done, FaultError> {
        self.runtime.block_on(self.driver.inject(undo))
    }

    fn revert(&self, undo: &Undo) -> Result<Done, FaultError> {
        self.runtime.block_on(self.driver.revert(undo))
    }

    /// As somebody else reverts it, who has only what was written down.
    fn revert_from_disk(&self, undo: &Undo) -> Result<Done, FaultError> {
        let written = serde_json::to_string(undo).unwrap();
        let read: Undo = serde_json::from_str(&written).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), written);
        self.runtime.block_on(read.revert())
    }

    /// Begins to inject, and gives up after a time.
    fn begin(&self, undo: &Undo, time: Duration) {
        self.runtime.block_on(async {
            let late = tokio::time::timeout(time, self.driver.inject(undo)).await;
            assert!(late.is_err(), "it had ended already: {late:?}");
        });
    }

    /// Begins to revert, and gives up after a time.
    fn begin_revert(&self, undo: &Undo, time: Duration) {
        self.runtime.block_on(async {
            let late = tokio::time::timeout(time, undo.revert()).await;
            assert!(late.is_err(), "it had ended already: {late:?}");
        });
    }
}
