//! What the reading of one profile shares: where values come from, and what was found.
//!
//! In: the options. Out: mistakes, variables and secrets, collected in the order in which the reader meets them.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::profile::diagnostic::{Diagnostic, MOST};
use crate::profile::hosts::HostRule;
use crate::profile::interpolate::{Lookup, fill};
use crate::profile::secret::{Secrets, Text};
use crate::profile::units;

/// A place in the profile's text, in bytes.
pub(super) type Place = Range<usize>;

/// What the reading of one profile shares: where values come from, and what was found.
pub(super) struct Context<'a> {
    pub lookup: Lookup<'a>,
    /// The folder that relative paths start from.
    pub base: &'a Path,
    /// The factor on the schedule's durations.
    pub time_scale: f64,
    allow: OnceCell<Vec<HostRule>>,
    found: RefCell<Found>,
}

/// What was found in a profile besides its values.
#[derive(Default)]
pub(super) struct Found {
    pub diagnostics: Vec<Diagnostic>,
    pub omitted: usize,
    pub variables: BTreeMap<String, String>,
    pub secrets: Secrets,
    /// Where each secret was first used.
    pub secret_places: BTreeMap<String, Place>,
}

impl<'a> Context<'a> {
    pub fn new(lookup: Lookup<'a>, base: &'a Path, time_scale: f64) -> Self {
        Self {
            lookup,
            base,
            time_scale,
            allow: OnceCell::new(),
            found: RefCell::default(),
        }
    }

    /// The hosts that are allowed, once `[window]` has been read.
    pub fn allow(&self) -> &[HostRule] {
        self.allow.get().map_or(&[], Vec::as_slice)
    }

    /// Sets the hosts that are allowed; only the first call counts.
    pub fn set_allow(&self, rules: Vec<HostRule>) {
        self.allow.get_or_init(|| rules);
    }

    /// Notes a mistake.
    pub fn report(&self, diagnostic: Diagnostic) {
        let mut found = self.found.borrow_mut();
        // More are found than shown, since they are sorted only at the end; but not without bound.
        if found.diagnostics.len() < 20 * MOST {
            found.diagnostics.push(diagnostic);
        } else {
            found.omitted += 1;
        }
    }

    /// Notes a mistake that needs no more than a sentence.
    pub fn wrong(&self, place: Place, message: impl Into<String>) {
        self.report(Diagnostic::new(message, place));
    }

    pub fn finish(self) -> Found {
        self.found.into_inner()
    }

    /// `duration` under the time scale, which takes nothing down to zero that was not.
    pub fn scaled(&self, duration: Duration) -> Duration {
        const SHORTEST: Duration = Duration::from_millis(1);
        let seconds = duration.as_secs_f64() * self.time_scale;
        let scaled = Duration::try_from_secs_f64(seconds.min(units::LONGEST.as_secs_f64()));
        match scaled {
            Ok(scaled) if duration.is_zero() => scaled,
            #[allow(
                clippy::float_cmp,
                reason = "1 is the default and means exactly itself"
            )]
            Ok(_) if self.time_scale == 1.0 => duration,
            Ok(scaled) => scaled.max(SHORTEST),
            Err(_) => duration,
        }
    }

    /// A string with everything filled in; what is missing is noted.
    pub fn fill(&self, raw: &str, place: &Place) -> Option<Text> {
        let filled = fill(raw, self.lookup);
        let complete = filled.missing.is_empty();
        for missing in &filled.missing {
            let mut diagnostic = Diagnostic::new(missing.to_string(), place.clone());
            diagnostic.help = missing.help();
            self.report(diagnostic);
        }
        let mut found = self.found.borrow_mut();
        for (name, value) in &filled.variables {
            found.variables.insert(name.clone(), value.clone());
        }
        for (name, value) in &filled.secrets {
            found.secrets.insert(name.clone(), value.clone());
            let places = &mut found.secret_places;
            places.entry(name.clone()).or_insert_with(|| place.clone());
        }
        complete.then(|| filled.into_text())
    }

    /// A path that may come to be later, relative to the profile's folder.
    pub fn beside(&self, path: &str) -> PathBuf {
        self.base.join(path)
    }

    /// A relative path under the profile's folder; noted as a mistake unless it is a file.
    pub fn existing(&self, path: &str, place: Place) -> Option<PathBuf> {
        let full = self.beside(path);
        match std::fs::metadata(&full) {
            Ok(meta) if meta.is_file() => Some(full),
            Ok(_) => {
                self.wrong(place, format!("`{}` is not a file", full.display()));
                None
            }
            Err(error) => {
                self.report(
                    Diagnostic::new(format!("cannot read `{}`", full.display()), place)
                        .label(error.to_string())
                        .help("paths are relative to the profile's folder"),
                );
                None
            }
        }
    }
}
