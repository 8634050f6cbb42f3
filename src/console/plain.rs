//! `--plain`: the window in lines, for screen readers, dumb terminals and pipes.
//!
//! In: records. Out: one line a tick, and one for each event, gap and end, in the order of the file, written as they
//! come; no cursor moves, nothing is coloured, nothing is said by its place. The invariant: a line says what it means in
//! words, and a number that is not known is left out.

use std::fmt::Write as _;
use std::io;
use std::time::Duration;

use super::event::Event;
use super::happening::in_words;
use super::inbox::{Inbox, Message, Notice};
use super::moment::moment;
use super::run::Outcome;
use crate::history::History;
use crate::profile::model::Scope;
use crate::session::record::{self, EndReason, Gap, Record};
use crate::verdict::format::{count_short, duration_short, factor, percent, rate_short};
use crate::verdict::{GateSpec, State, live};

/// Prints what the inbox brings until the window is over, whoever reads has seen enough, or a signal says so.
pub fn run(inbox: &Inbox, out: &mut dyn io::Write) -> Outcome {
    let mut plain = Plain::new();
    loop {
        inbox.wait(None);
        let Some(message) = inbox.take() else {
            continue;
        };
        let (lines, done) = match message {
            Message::Event(event) => plain.take_in(event),
            Message::Notice(notice) => match notice {
                Notice::Hangup => return Outcome::Gone,
                Notice::Terminate => return Outcome::Terminated,
                // Nothing is held that would have to be given back, and lines need no drawing anew.
                Notice::Stop => {
                    let refused = super::signals::stop_here().err();
                    (refused.map(|why| why + "\n").unwrap_or_default(), false)
                }
                Notice::Continued | Notice::Resized | Notice::Drained => continue,
            },
        };
        if out
            .write_all(lines.as_bytes())
            .and_then(|()| out.flush())
            .is_err()
        {
            return Outcome::Gone;
        }
        if done {
            return Outcome::Quit;
        }
    }
}

/// The fold of records to lines.
#[derive(Debug)]
struct Plain {
    history: History,
    gates: Vec<GateSpec>,
}

impl Plain {
    /// Of nothing yet.
    fn new() -> Self {
        Self {
            history: History::without_rollups(),
            gates: Vec::new(),
        }
    }

    /// The lines of an event, and whether it is the last.
    fn take_in(&mut self, event: Event) -> (String, bool) {
        match event {
            Event::Records { records, .. } => {
                let lines = records.iter().map(|record| self.line(record)).collect();
                (lines, self.history.end().is_some())
            }
            Event::Sought { history, .. } => {
                let knew = self.history.window().is_some();
                self.history = *history;
                self.read_gates();
                let window = if knew { String::new() } else { self.window() };
                let tick = self.tick().unwrap_or_default();
                (
                    window + &self.newest_events() + &tick,
                    self.history.end().is_some(),
                )
            }
            Event::PlayedOut { .. } => (String::new(), true),
            Event::Broken { why, .. } => (format!("cannot read on: {why}\n"), true),
            Event::Answer(said) | Event::Done(said) => {
                let (Ok(text) | Err(text)) = said;
                (text + "\n", false)
            }
            Event::Key(_)
            | Event::Series { .. }
            | Event::Paste(_)
            | Event::Resize(..)
            | Event::Overview { .. }
            | Event::Log { .. } => (String::new(), false),
        }
    }

    /// What a record says, as lines; nothing for most of what is not a tick.
    pub fn line(&mut self, record: &Record) -> String {
        let before = self.history.last().map(|last| last.tick);
        self.history.apply(record);
        match record {
            Record::Window(_) => {
                self.read_gates();
                self.window()
            }
            Record::Tick(_) if self.history.last().map(|last| last.tick) == before => String::new(),
            Record::Tick(_) => self.tick().unwrap_or_default(),
            Record::Event(event) => self.event(event),
            Record::Gap(Gap { from, to, why }) => {
                let count = to.saturating_sub(*from).saturating_add(1);
                let noun = if count == 1 { "tick is" } else { "ticks are" };
                clean(&format!("{count} {noun} missing: {why}\n"))
            }
            Record::End(end) => {
                let how = match end.reason {
                    EndReason::Finished => "finished",
                    EndReason::Stopped => "stopped",
                    EndReason::Aborted => "aborted by a gate",
                };
                format!("{}  window {how}\n", moment(&self.history, end.at))
            }
            Record::Key(_) | Record::Sample(_) | Record::Unknown => String::new(),
        }
    }

    fn event(&self, event: &record::Event) -> String {
        let text = in_words(&self.history, event);
        let by = event.by.as_deref();
        let by = by.map(|by| format!(" (by {by})")).unwrap_or_default();
        let at = moment(&self.history, event.at);
        clean(&format!("{at}  event: {text}{by}\n"))
    }

    /// What happened in the last tick, of a history that came as a whole.
    fn newest_events(&self) -> String {
        let last = self.history.last().map_or(0, |last| last.at);
        let since = last.saturating_sub(self.history.tick_us());
        let events = self.history.events().iter();
        events
            .filter(|event| event.at >= since)
            .map(|event| self.event(event))
            .collect()
    }

    /// What runs, and what was amiss with it from the start.
    fn window(&self) -> String {
        let Some(window) = self.history.window() else {
            return String::new();
        };
        let place = window.environment.as_deref();
        let place = place
            .map(|place| format!(" on {place}"))
            .unwrap_or_default();
        let mut lines = format!("window {}{place}\n", window.name);
        if let Some(address) = &window.metrics {
            let _ = writeln!(lines, "metrics at http://{address}/metrics");
        }
        for warning in &window.warnings {
            let _ = writeln!(lines, "warning: {warning}");
        }
        clean(&lines)
    }

    fn read_gates(&mut self) {
        let gates = self
            .history
            .window()
            .map_or(&[][..], |window| &window.gates);
        self.gates = gates
            .iter()
            .filter_map(|plan| GateSpec::from_plan(plan).ok())
            .collect();
    }

    /// The tick that came last: `00:42  spike 10x  1.98k/s  p50 6.1ms  p99 84ms  errors 0.12%  in flight 42`.
    fn tick(&self) -> Option<String> {
        let last = self.history.last()?;
        let totals = self.history.recent(
            &Scope::All,
            Duration::from_micros(self.history.tick_us()),
            &[],
        );
        let mut line = format!("{}  ", moment(&self.history, last.at));
        let phase = last
            .phase
            .and_then(|phase| self.history.names().phases.get(phase));
        if let Some(phase) = phase {
            let _ = write!(line, "{phase} ");
        }
        let _ = write!(line, "{}", factor(last.load));
        if let Some(rate) = totals.rate() {
            let _ = write!(line, "  {}", rate_short(rate));
        }
        if !totals.response.is_empty() {
            let at = |q| duration_short(totals.response.quantile(q) as f64);
            let _ = write!(line, "  p50 {}  p99 {}", at(0.5), at(0.99));
        }
        if let Some(errors) = totals.error_ratio() {
            let _ = write!(line, "  errors {}", percent(errors));
        }
        let in_flight = self.history.last_tick().map_or(0, |tick| {
            tick.scenarios
                .iter()
                .fold(0u64, |sum, flow| sum.saturating_add(flow.in_flight))
        });
        let _ = write!(line, "  in flight {}", count_short(in_flight as f64));
        let failing: Vec<&str> = self
            .gates
            .iter()
            .filter(|gate| self.fails(gate))
            .map(|gate| gate.name.as_str())
            .collect();
        if !failing.is_empty() {
            let _ = write!(line, "  failing: {}", failing.join(", "));
        }
        Some(clean(&line) + "\n")
    }

    fn fails(&self, gate: &GateSpec) -> bool {
        live(&self.history, gate).is_some_and(|reading| match reading.state {
            State::Fail => true,
            State::Pass | State::Inconclusive => false,
        })
    }
}

/// Without what would control a terminal: names come from a file that someone else may have written.
fn clean(text: &str) -> String {
    let plain = |c: char| if c.is_control() && c != '\n' { ' ' } else { c };
    text.chars().map(plain).collect()
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    reason = "a test says what it expects by unwrapping"
)]
mod tests {
    use super::*;
    use crate::console::model::Side;
    use crate::history::testing::Recording;
    use crate::session::record::Happening;

    /// What `--plain` prints of the golden recording.
    fn golden() -> Vec<Record> {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/v1.jsonl.zst");
        let reader = crate::session::Reader::open(std::path::Path::new(path)).unwrap();
        reader.map(Result::unwrap).collect()
    }

    fn send(inbox: &Inbox, records: Vec<Record>) {
        let (deck, side) = (0, Side::Live);
        let event = Event::Records {
            deck,
            side,
            records,
        };
        inbox.sender().send(event).unwrap();
    }

    #[test]
    fn a_recording_in_lines() {
        let inbox = Inbox::new();
        send(&inbox, golden());
        let mut out = Vec::new();
        assert_eq!(run(&inbox, &mut out), Outcome::Quit);
        insta::assert_snapshot!(String::from_utf8(out).unwrap());
    }

    #[test]
    fn a_reader_that_has_seen_enough_ends_it_quietly() {
        struct Closed;
        impl io::Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let inbox = Inbox::new();
        send(&inbox, golden());
        assert_eq!(run(&inbox, &mut Closed), Outcome::Gone);
    }

    #[test]
    fn what_happened_in_the_first_tick_is_told_where_a_recording_begins() {
        let mark = Happening::Mark {
            text: "before the first tick".to_owned(),
        };
        let recording = Recording::new(&[("steady", 60, 1.0)]).phase(0).event(mark);
        let sought = |ticks| {
            let event = Event::Sought {
                deck: 0,
                side: Side::Past,
                history: Box::new(recording.clone().ticks(ticks).history()),
            };
            Plain::new().take_in(event).0
        };
        let told = |ticks| sought(ticks).matches("before the first tick").count();
        assert_eq!((told(1), told(2), told(30)), (1, 0, 0));
    }

    #[test]
    fn a_name_controls_no_terminal() {
        let mut plain = Plain::new();
        let event = record::Event {
            at: 0,
            wall: 0,
            by: None,
            what: Happening::Mark {
                text: "a\x1b[2Jb\u{9b}c".to_owned(),
            },
        };
        let line = plain.line(&Record::Event(event));
        assert_eq!(line, "00:00  event: mark  a [2Jb c\n");
    }
}
