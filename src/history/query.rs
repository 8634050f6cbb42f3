//! What a history can be asked.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::levels::Levels;
use super::select;
use super::totals::Times;
use super::{
    Bucket, Depth, Flow, GeneratorTotals, History, Injection, Moment, PhaseTotals, Selection, Slot,
    StandingAlert, TICK_US, Totals,
};
use crate::profile::model::Scope;
use crate::session::record::{
    End, EndReason, Event, Exemplar, FaultPlan, Gap, Ledger, Names, Sample, Window,
};

impl History {
    /// What is being run; `None` until its record came.
    pub fn window(&self) -> Option<&Window> {
        self.window.as_deref()
    }

    /// Names by index.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// Length of a tick, µs.
    pub fn tick_us(&self) -> u64 {
        self.window
            .as_ref()
            .map_or(TICK_US, |window| window.tick_us)
            .max(1)
    }

    /// The end of the latest tick.
    pub fn last(&self) -> Option<Moment> {
        self.last
    }

    /// The latest tick itself.
    pub fn last_tick(&self) -> Option<&Bucket> {
        self.levels.as_ref()?.full().back().map(|bucket| &**bucket)
    }

    /// How the window ended; `None` while it runs, and for ever when its recording was torn.
    pub fn end(&self) -> Option<&End> {
        self.log.end.as_ref()
    }

    /// Why someone, or a gate, asked for the end, and the sentence said then.
    pub fn stop(&self) -> Option<(EndReason, &str)> {
        let stop = self.log.stop.as_ref()?;
        Some((stop.reason, &stop.text))
    }

    /// The newest [`EVENTS`](super::EVENTS) events, oldest first.
    pub fn events(&self) -> &VecDeque<Event> {
        &self.log.events
    }

    /// Events in all, those no longer kept included.
    pub fn events_seen(&self) -> u64 {
        self.log.events_seen
    }

    /// The first answer of each kind of error at each step.
    pub fn samples(&self) -> impl Iterator<Item = &Sample> {
        self.log.samples.values()
    }

    /// The slowest requests, slowest first.
    pub fn slowest(&self) -> &[Exemplar] {
        &self.log.slowest
    }

    /// The newest [`GAPS`](super::GAPS) stretches without a recording, oldest first.
    pub fn gaps(&self) -> &VecDeque<Gap> {
        &self.log.gaps
    }

    /// Ticks that are missing, all gaps together.
    pub fn missing(&self) -> u64 {
        self.missing
    }

    /// Things left out because they made no sense: ticks out of order, indexes without a name.
    pub fn ignored(&self) -> u64 {
        self.ignored
    }

    /// The latest value of a series.
    pub fn series(&self, index: usize) -> Option<f64> {
        self.series.get(index).copied().flatten()
    }

    /// Alerts that are not resolved, the first seen first.
    pub fn alerts(&self) -> Vec<&StandingAlert> {
        let mut alerts: Vec<_> = self.log.alerts.values().collect();
        alerts.sort_by_key(|standing| standing.from);
        alerts
    }

    /// The newest [`INJECTIONS`](super::injections::INJECTIONS) times that a fault was put in, oldest first.
    pub fn injections(&self) -> &VecDeque<Arc<Injection>> {
        self.injections.kept()
    }

    /// Injections in all, those no longer kept included.
    pub fn injections_seen(&self) -> u64 {
        self.injections.seen()
    }

    /// The newest injection of a fault, by its index in the window's faults.
    pub fn injection(&self, fault: usize) -> Option<&Injection> {
        let mut newest = self.injections().iter().rev();
        newest.find(|known| known.fault == fault).map(|it| &**it)
    }

    /// Whether an injection is that of a member of a group, put in while the group's own was going on.
    pub fn holds(&self, group: &Injection, member: &Injection) -> bool {
        let over = if group.is_outstanding() {
            u64::MAX
        } else {
            group.cleared.unwrap_or(group.since)
        };
        let plan = self.fault(group.fault);
        plan.is_some_and(|plan| plan.members.contains(&member.fault))
            && (group.injecting..=over).contains(&member.injecting)
    }

    /// The plan of a fault; `None` when the window has none with this index.
    pub fn fault(&self, fault: usize) -> Option<&FaultPlan> {
        self.window.as_ref()?.faults.get(fault)
    }

    /// What became of acknowledged writes, by name of their ledger, as read back last.
    pub fn ledgers(&self) -> impl Iterator<Item = &Ledger> {
        self.injections.ledgers().values()
    }

    /// Takes over the traffic around an injection from another history of the same session that has seen it by the
    /// second, where this one has only sums of it, as far as the latest tick of this one.
    pub fn adopt(&mut self, injection: &Injection) {
        let until = self.last.map_or(0, |last| last.at);
        self.injections.adopt(injection, until);
    }

    /// What is known of a phase; `None` when no tick of it was recorded.
    pub fn phase(&self, phase: usize) -> Option<PhaseTotals> {
        let mut totals = self.exact.phases.get(&Some(phase))?.clone();
        if let Some(&begun) = self.log.phases_begun.get(&phase) {
            totals.start = begun;
        }
        (totals.ticks > 0).then_some(totals)
    }

    /// The generator over the whole window.
    pub fn generator(&self) -> &GeneratorTotals {
        &self.exact.generator
    }

    /// What a scope names; `None` when nothing recorded has that name.
    pub fn select(&self, scope: &Scope) -> Option<Selection> {
        select::select(&self.names, scope)
    }

    /// The exact sum of a scope over these phases, in their own time; over the whole window, the drain at its end included, when there
    /// are none. Empty when nothing has that name.
    pub fn totals(&self, scope: &Scope, phases: &[usize]) -> Totals {
        self.select(scope)
            .map(|selection| self.totals_of(&selection, phases))
            .unwrap_or_default()
    }

    /// Requests finished over the whole window. Unlike [`totals`](Self::totals), this merges no distributions.
    pub fn requests(&self) -> u64 {
        self.exact.requests()
    }

    /// Likewise, of a selection.
    pub fn totals_of(&self, selection: &Selection, phases: &[usize]) -> Totals {
        let mut totals = self.exact.totals(selection, phases);
        totals.missing = if phases.is_empty() {
            self.missing
        } else {
            totals.missing.min(self.missing)
        };
        totals
    }

    /// One scenario over these phases (all when there are none), and where it was at their end.
    pub fn flow(&self, scenario: usize, phases: &[usize]) -> Flow {
        self.exact.flow(scenario, phases)
    }

    /// The sum of a scope over the last `span` before the latest tick, of the ticks in these phases (all when there
    /// are none). Reaches back 15 minutes at most. Costs an addition a bucket of each histogram.
    pub fn recent(&self, scope: &Scope, span: Duration, phases: &[usize]) -> Totals {
        let (mut totals, mut times) = (Totals::default(), Times::default());
        let (Some(selection), Some(levels)) = (self.select(scope), &self.levels) else {
            return totals;
        };
        let span_us = u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
        let ticks = span_us.div_ceil(self.tick_us()).max(1);
        let newest = self.next - 1;
        let first = newest.saturating_sub(ticks - 1).max(1);
        let mut seen = 0;
        for bucket in levels.full().iter().rev() {
            if bucket.from < first {
                break;
            }
            seen += 1;
            let wanted = bucket.phase.is_some_and(|phase| phases.contains(&phase));
            if phases.is_empty() || wanted {
                totals.add_counts_of(bucket, &selection, &mut times);
            }
        }
        totals.add_times(&times);
        totals.missing = (newest + 1).saturating_sub(first).saturating_sub(seen);
        totals
    }

    /// The window from tick `from` to tick `to`, in cells of `width` ticks, oldest first: buckets where it was
    /// recorded, gaps where whole cells were not. Where only coarser buckets are left, those come as they are. A
    /// bucket that fills its cell is borrowed; several are rolled into one, without knowledge of series that did not
    /// change in them. Distributions of buckets of a minute or more are of 2 significant figures: their quantiles are at
    /// most 0.8 % above the exact ones, and never below.
    pub fn slots(&self, from: u64, to: u64, width: u64) -> impl Iterator<Item = Slot<'_>> {
        let end = self.next - 1;
        self.levels
            .iter()
            .flat_map(move |levels| levels.slots(from, to, width, end))
    }

    /// How many buckets are held.
    pub fn depth(&self) -> Depth {
        self.levels
            .as_ref()
            .map_or_else(|| Levels::new(self.tick_us(), true).depth(), Levels::depth)
    }

    /// How much of the planned schedule has passed, 0 to 1; `None` when nothing was planned.
    pub fn progress(&self) -> Option<f64> {
        let planned = self.window.as_ref()?.planned_us();
        let at = self.last.map_or(0, |last| last.at);
        (planned > 0).then(|| (at as f64 / planned as f64).min(1.0))
    }
}
