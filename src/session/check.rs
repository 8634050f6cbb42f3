//! Whether a record is one that the rest of the program can rely on.
//!
//! A record and the names in force go in; the reason against it comes out. The invariant that this keeps: whoever is
//! handed a record may use its indices, ticks and times without looking twice.

use super::record::{Event, Happening, Key, Names, Record, Tick, Window};

/// Highest tick number: 136 years of seconds.
pub const MAX_TICK: u64 = u32::MAX as u64;

/// Highest time, µs: what a JSON number holds exactly everywhere.
pub const MAX_TIME: u64 = (1 << 53) - 1;

/// Longest tick, µs: an hour.
const MAX_TICK_LENGTH: u64 = 3_600_000_000;

/// What records refer to by index.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    /// From the latest key; `None` before the first.
    pub names: Option<Names>,
    /// Gates of the window, once it was seen.
    pub gates: Option<usize>,
    /// Faults of the window, once it was seen.
    pub faults: Option<usize>,
}

impl Known {
    /// Whether the record is sound, and why not. Remembers what keys and windows say.
    pub fn admit(&mut self, record: &Record) -> Result<(), String> {
        match record {
            Record::Key(key) => {
                check_key(key, self.names.as_ref())?;
                self.names = Some(key.names.clone());
                Ok(())
            }
            Record::Window(window) => {
                check_window(window)?;
                self.gates = Some(window.gates.len());
                self.faults = Some(window.faults.len());
                Ok(())
            }
            Record::Tick(tick) => check_tick(tick, self.names()?),
            Record::Event(event) => self.check_event(event),
            Record::Sample(sample) => {
                below("step", sample.step, self.names()?.steps.len())?;
                time(sample.at)
            }
            Record::Gap(gap) if gap.from == 0 || gap.from > gap.to || gap.to > MAX_TICK => {
                Err(format!("a gap from {} to {}", gap.from, gap.to))
            }
            Record::End(end) => time(end.at).and_then(|()| time(end.wall)),
            Record::Gap(_) | Record::Unknown => Ok(()),
        }
    }

    fn names(&self) -> Result<&Names, String> {
        self.names
            .as_ref()
            .ok_or_else(|| "no names are known here".to_owned())
    }

    fn check_event(&self, event: &Event) -> Result<(), String> {
        time(event.at)?;
        time(event.wall)?;
        let names = self.names()?;
        match &event.what {
            Happening::Phase { phase } | Happening::Extend { phase, .. } => {
                below("phase", *phase, names.phases.len())
            }
            Happening::Scenario { scenario, .. }
            | Happening::Load {
                scenario: Some(scenario),
                ..
            } => below("scenario", *scenario, names.scenarios.len()),
            Happening::Gate { gate, .. } => self
                .gates
                .map_or(Ok(()), |gates| below("gate", *gate, gates)),
            Happening::Target { instance, .. } => {
                below("instance", *instance, names.instances.len())
            }
            Happening::Fault { fault, .. }
            | Happening::Undo { fault, .. }
            | Happening::Output { fault, .. } => self
                .faults
                .map_or(Ok(()), |faults| below("fault", *fault, faults)),
            Happening::Effect(effect) => self
                .faults
                .map_or(Ok(()), |faults| below("fault", effect.fault, faults)),
            Happening::Load { scenario: None, .. }
            | Happening::Ledger(_)
            | Happening::Hold { .. }
            | Happening::Mark { .. }
            | Happening::SignOff { .. }
            | Happening::Generator { .. }
            | Happening::Alert(_)
            | Happening::Gauge(_)
            | Happening::Warning { .. }
            | Happening::Stop { .. }
            | Happening::Unknown => Ok(()),
        }
    }
}

fn check_key(key: &Key, before: Option<&Names>) -> Result<(), String> {
    let names = &key.names;
    below("series", key.series.len(), names.series.len() + 1)?;
    for step in &names.steps {
        below("scenario", step.scenario, names.scenarios.len())?;
    }
    below("series", names.scraped.len(), names.series.len() + 1)?;
    for &instance in names.scraped.iter().flatten() {
        below("instance", instance, names.instances.len())?;
    }
    if !before.is_none_or(|before| extends(names, before)) {
        return Err("names were taken away".to_owned());
    }
    if key.tick == 0 || key.tick > MAX_TICK {
        return Err(format!("a key for tick {}", key.tick));
    }
    time(key.at).and_then(|()| time(key.wall))
}

/// Whether every index that was valid with `before` still is.
pub(super) fn extends(names: &Names, before: &Names) -> bool {
    names.scenarios.len() >= before.scenarios.len()
        && names.steps.len() >= before.steps.len()
        && names.phases.len() >= before.phases.len()
        && names.series.len() >= before.series.len()
        && names.instances.len() >= before.instances.len()
}

fn check_window(window: &Window) -> Result<(), String> {
    if !(1..=MAX_TICK_LENGTH).contains(&window.tick_us) {
        return Err(format!("a tick of {} µs", window.tick_us));
    }
    for gate in &window.gates {
        for &phase in &gate.during {
            below("phase", phase, window.phases.len())?;
        }
    }
    time(window.wall)
}

fn check_tick(tick: &Tick, names: &Names) -> Result<(), String> {
    if tick.n == 0 || tick.n > MAX_TICK {
        return Err(format!("tick number {}", tick.n));
    }
    time(tick.at)?;
    time(tick.wall)?;
    if let Some(phase) = tick.phase {
        below("phase", phase, names.phases.len())?;
    }
    below("scenario", tick.scenarios.len(), names.scenarios.len() + 1)?;
    for step in &tick.steps {
        below("step", step.step, names.steps.len())?;
    }
    for slow in &tick.slow {
        below("step", slow.step, names.steps.len())?;
        time(slow.at)?;
    }
    for (series, _) in tick.changes() {
        below("series", series, names.series.len())?;
    }
    for scrape in &tick.scrapes {
        below("instance", scrape.of, names.instances.len())?;
        time(scrape.at)?;
        for &(series, _) in &scrape.stamped {
            below("series", series, names.series.len())?;
        }
    }
    time(tick.gauged.unwrap_or_default())
}

fn below(what: &str, index: usize, end: usize) -> Result<(), String> {
    if index < end {
        Ok(())
    } else {
        Err(format!("{what} {index} of {end}"))
    }
}

fn time(time: u64) -> Result<(), String> {
    if time <= MAX_TIME {
        Ok(())
    } else {
        Err(format!("a time of {time} µs"))
    }
}
