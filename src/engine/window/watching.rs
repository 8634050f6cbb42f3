//! What is scraped beside the load: begun with the window, taken in once a tick, never waited for.

use super::{Clock, EngineError, Observed, Watch, Window};
use crate::profile::Profile;
use crate::scrape::watch::{Ask, Seen, Spec};
use crate::session::record::{Event, Key, Names, Record, Tick, VERSION};

/// Begins to watch the targets of a profile, if it has any.
pub(super) fn start(
    profile: &Profile,
    clock: Clock,
    wall: u64,
) -> Result<Option<Watch>, EngineError> {
    if profile.targets.is_empty() {
        return Ok(None);
    }
    let watch = Watch::start(Spec {
        targets: profile.targets.clone(),
        gauges: profile.gauges.clone(),
        began: clock.instant(0),
        wall,
        tick: profile.window.tick,
    })?;
    Ok(Some(watch))
}

/// What was seen next; nothing ever where nothing is watched.
pub(super) async fn next(watch: &mut Option<Watch>) -> Observed {
    match watch {
        Some(watch) => watch.observed().await,
        None => std::future::pending().await,
    }
}

impl Window {
    /// Takes in what was seen. Names and what happened are recorded at once, values with the next tick.
    pub(super) fn on_observed(&mut self, mut observed: Observed) {
        if let Some(names) = observed.names.take() {
            self.on_names(names);
        }
        for Seen { at, by, what } in std::mem::take(&mut observed.happenings) {
            tracing::info!(?what, by = by.as_deref(), "event");
            self.put(Record::Event(Event {
                at,
                wall: super::wall(),
                by,
                what,
            }));
        }
        self.observed.extend(observed);
    }

    /// The series and endpoints of the watch, and everything else as the profile has it.
    fn on_names(&mut self, watched: Names) {
        let names = Names {
            series: watched.series,
            scraped: watched.scraped,
            instances: watched.instances,
            ..self.history.names().clone()
        };
        let key = Key {
            v: VERSION,
            names: names.clone(),
            ..Key::default()
        };
        self.history.apply(&Record::Key(key));
        self.recorder.names(names);
    }

    /// Gives a tick what was seen since the one before.
    pub(super) fn add_observed(&mut self, tick: &mut Tick) {
        let observed = std::mem::take(&mut self.observed);
        tick.series = observed.series;
        tick.scrapes = observed.scrapes;
        tick.gauged = observed.gauged;
        if self.watch.as_ref().is_some_and(Watch::is_dead) {
            self.watch = None;
            self.warn("the thread that scrapes has panicked: nothing is watched any more".into());
        }
    }

    /// Passes a question on. Where nothing is watched the reply is dropped with it.
    pub(super) fn on_ask(&mut self, ask: Ask) {
        if let Some(watch) = &self.watch {
            watch.ask(ask);
        }
    }
}
