//! The text of a plan.

use std::fmt;
use std::time::Duration;

use super::{Expected, Plan, PlannedGate, PlannedScenario};
use crate::profile::model::{PhaseFault, Severity};
use crate::profile::units::{Rate, format_duration};

/// Cells of the time line.
const WIDTH: usize = 72;
/// Phases that are listed; a long climb is cut.
const MOST_PHASES: usize = 40;

/// Rows of text whose columns line up.
#[derive(Default)]
struct Columns(Vec<Vec<String>>);

impl Columns {
    fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.0.push(cells.into());
    }
}

impl fmt::Display for Columns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.0.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.0.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for row in &self.0 {
            let cells: Vec<String> = row
                .iter()
                .zip(&widths)
                .filter(|(_, width)| **width > 0)
                .map(|(cell, width)| format!("{cell:<width$}"))
                .collect();
            writeln!(f, "  {}", cells.join("  ").trim_end())?;
        }
        Ok(())
    }
}

/// `12345.6` becomes `12,346`.
fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A name in a room of so many cells: whole, cut with an ellipsis, or not at all.
fn fitting(name: &str, room: usize) -> Vec<char> {
    const LEAST: usize = 4;
    let mut letters: Vec<char> = name.chars().collect();
    if letters.len() > room {
        letters.truncate(if room < LEAST { 0 } else { room - 1 });
        if !letters.is_empty() {
            letters.push('…');
        }
    }
    letters
}

/// A moment of the window: `01:02:03`, with the fraction when there is one.
fn moment(at: Duration) -> String {
    let seconds = at.as_secs();
    let clock = format!(
        "{:02}:{:02}:{:02}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    );
    match at.subsec_millis() {
        0 => clock,
        millis => format!("{clock}.{millis:03}"),
    }
}

/// `fault slow database after 30s, for 1m, every 5m`.
fn phase_fault(name: &str, plan: &PhaseFault) -> String {
    let begins = match (plan.after, plan.within) {
        (Duration::ZERO, None) => "at once".to_owned(),
        (after, None) => format!("after {}", brief(after)),
        (after, Some(within)) => format!("after {} to {}", brief(after), brief(after + within)),
    };
    let length = plan.length.map(|length| format!(", for {}", brief(length)));
    let every = plan.every.map(|every| format!(", every {}", brief(every)));
    let (length, every) = (length.unwrap_or_default(), every.unwrap_or_default());
    format!("fault {name} {begins}{length}{every}")
}

/// A span as people read it: nothing finer than a millisecond.
fn brief(time: Duration) -> String {
    let millis = Duration::from_millis(time.as_millis() as u64);
    format_duration(if millis.is_zero() { time } else { millis })
}

fn expected(requests: Expected) -> String {
    match requests {
        Expected::About(count) => format!("about {} requests", grouped(count)),
        Expected::AtLeast(count) => format!(
            "at least {} requests (how many depends on the answers)",
            grouped(count)
        ),
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.head(f)?;
        self.time_line(f)?;
        writeln!(f, "\nphases")?;
        write!(f, "{}", self.phase_rows())?;
        if !self.scenarios.is_empty() {
            writeln!(f, "\nscenarios")?;
            write!(f, "{}", self.scenario_rows())?;
            writeln!(f, "  total: {}", expected(self.requests))?;
        }
        self.lists(f)
    }
}

impl Plan {
    fn head(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name)?;
        if let Some(environment) = &self.environment {
            write!(f, " · {environment}")?;
        }
        if self.ends_with_work {
            write!(
                f,
                " · until its work is done, at most {}",
                brief(self.length)
            )?;
        } else {
            write!(f, " · {}", brief(self.length))?;
        }
        #[allow(
            clippy::float_cmp,
            reason = "1 is the default and means exactly itself"
        )]
        if self.time_scale != 1.0 {
            write!(f, " (time scaled by {})", self.time_scale)?;
        }
        writeln!(f)?;
        if !self.about.is_empty() {
            writeln!(f, "{}", self.about)?;
        }
        Ok(())
    }

    /// The load as a row of blocks, and under it where each phase begins.
    fn time_line(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
        let total = self.length.as_secs_f64();
        let most = self
            .curve
            .iter()
            .map(|piece| piece.start.max(piece.end))
            .fold(0.0, f64::max);
        if total <= 0.0 || most <= 0.0 {
            return Ok(());
        }
        let mut bars = String::new();
        let mut piece = 0;
        for cell in 0..WIDTH {
            let at = self.length.mul_f64((cell as f64 + 0.5) / WIDTH as f64);
            while piece + 1 < self.curve.len() && self.curve[piece].to <= at {
                piece += 1;
            }
            let level = self.curve[piece].at(at) / most * (BLOCKS.len() - 1) as f64;
            bars.push(BLOCKS[(level.round() as usize).min(BLOCKS.len() - 1)]);
        }
        writeln!(f, "\n  {bars}")?;
        let mut names: Vec<char> = vec![' '; WIDTH];
        let mut free = 0;
        for phase in &self.phases {
            let cell = (phase.start.as_secs_f64() / total * WIDTH as f64) as usize;
            if cell < free || cell >= WIDTH {
                continue;
            }
            names[cell] = '┊';
            free = cell + 1;
            for (slot, letter) in names[free..]
                .iter_mut()
                .zip(fitting(&phase.name, WIDTH - free))
            {
                *slot = letter;
                free += 1;
            }
            // A blank between this name and the next.
            free += 1;
        }
        let names: String = names.into_iter().collect();
        writeln!(f, "  {}", names.trim_end())
    }

    fn phase_rows(&self) -> Columns {
        let mut rows = Columns::default();
        for phase in self.phases.iter().take(MOST_PHASES) {
            let faults: Vec<String> = phase
                .faults
                .iter()
                .map(|(name, plan)| phase_fault(name, plan))
                .collect();
            let ramp = if phase.ramp.is_zero() {
                String::new()
            } else {
                format!("ramp {}", brief(phase.ramp))
            };
            rows.row([
                moment(phase.start),
                brief(phase.end.saturating_sub(phase.start)),
                phase.name.clone(),
                phase.load.to_string(),
                ramp,
                faults.join(", "),
            ]);
        }
        if let Some(more) = self.phases.len().checked_sub(MOST_PHASES + 1) {
            rows.row([format!("… and {} more", more + 1)]);
        }
        rows
    }

    fn scenario_rows(&self) -> Columns {
        let mut rows = Columns::default();
        for scenario in &self.scenarios {
            let key = scenario
                .key
                .map_or(String::new(), |key| format!("key {key}"));
            let journeys: Vec<String> = scenario
                .journeys
                .iter()
                .map(
                    |(name, weight, steps)| match (scenario.journeys.len(), steps) {
                        (1, 1) => name.clone(),
                        (1, steps) => format!("{name} ({steps} steps)"),
                        (_, 1) => format!("{name} {weight}:"),
                        (_, steps) => format!("{name} {weight}: ({steps} steps)"),
                    },
                )
                .collect();
            let will = if scenario.starts {
                expected(scenario.requests)
            } else {
                "waits to be started".to_owned()
            };
            rows.row([
                scenario.name.clone(),
                key,
                amounts(scenario),
                format!("→ {}", scenario.target),
                will,
            ]);
            rows.row([String::new(), String::new(), journeys.join(", ")]);
        }
        rows
    }

    fn lists(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut gates = Columns::default();
        for gate in &self.gates {
            gates.row(gate_row(gate));
        }
        let mut faults = Columns::default();
        for fault in &self.faults {
            let within = fault.recover_within.map(brief);
            faults.row([
                fault.name.clone(),
                fault.key.map_or(String::new(), |key| format!("key {key}")),
                fault.kind.clone(),
                format!("{} at most", brief(fault.max)),
                within.map_or(String::new(), |within| format!("back within {within}")),
                fault
                    .detect
                    .as_ref()
                    .map_or(String::new(), |alert| format!("noticed by {alert}")),
            ]);
        }
        let mut targets = Columns::default();
        for (name, url, every) in &self.targets {
            targets.row([
                name.clone(),
                url.clone(),
                format!("every {}", brief(*every)),
            ]);
        }
        let mut hosts = Columns::default();
        for host in &self.hosts {
            hosts.row([host.clone()]);
        }
        let mut files = Columns::default();
        for file in &self.files {
            files.row([file.display().to_string()]);
        }
        let mut warnings = Columns::default();
        for warning in &self.warnings {
            warnings.row([warning.clone()]);
        }
        for (title, rows) in [
            ("gates", gates),
            ("faults", faults),
            ("targets", targets),
            ("hosts touched", hosts),
            ("files read", files),
            ("warnings", warnings),
        ] {
            if !rows.0.is_empty() {
                write!(f, "\n{title}\n{rows}")?;
            }
        }
        Ok(())
    }
}

/// Rates or users, phase by phase; once when they are all the same.
fn amounts(scenario: &PlannedScenario) -> String {
    const MOST: usize = 8;
    let unit = if scenario.open { "open" } else { "closed" };
    let show = |amount: f64| {
        if scenario.open {
            // Three decimals are enough to read; the exact rate is in the profile.
            Rate((amount * 1000.0).round() / 1000.0).to_string()
        } else {
            format!("{amount}")
        }
    };
    let mut steps: Vec<String> = scenario
        .amounts
        .iter()
        .map(|amount| show(*amount))
        .collect();
    steps.dedup();
    if steps.len() > MOST {
        let last = steps.pop().unwrap_or_default();
        steps.truncate(MOST - 2);
        steps.extend(["…".to_owned(), last]);
    }
    let users = if scenario.open { "" } else { " users" };
    format!("{unit} {}{users}", steps.join(", "))
}

fn gate_row(gate: &PlannedGate) -> [String; 5] {
    let severity = match gate.severity {
        Severity::Blocker => "blocker",
        Severity::Advisory => "advisory",
    };
    let of = match gate.of.as_str() {
        "" => String::new(),
        of => format!("of {of}"),
    };
    let mut during = match gate.during.len() {
        0 => String::new(),
        1..=3 => format!("in {}", gate.during.join(", ")),
        count => format!(
            "in {count} phases, {} to {}",
            gate.during[0],
            gate.during[count - 1]
        ),
    };
    if let Some(after) = gate.abort_after {
        let end = format!("ends the window after {}", brief(after));
        during = if during.is_empty() {
            end
        } else {
            format!("{during}; {end}")
        };
    }
    let name = if gate.name.starts_with(&gate.expect) {
        String::new()
    } else {
        gate.name.clone()
    };
    [severity.to_owned(), gate.expect.clone(), of, name, during]
}
