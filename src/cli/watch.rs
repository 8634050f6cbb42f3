//! Looking on at a window that another process runs, and the summary at its end.

use std::fs::File;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use super::line::Line;
use super::{print, tell};
use crate::engine::control::{Client, Status};
use crate::engine::signals::Signals;
use crate::engine::{Left, Progress};
use crate::history::History;
use crate::report::{Summary, text};
use crate::session::dir::{is_being_written, name_of};
use crate::session::follow::{Followed, Follower, Stopper};
use crate::session::{Reader, Record};
use crate::verdict;

/// The exit code of whoever looked on and left before the end.
const LEFT: u8 = 130;

/// How long nothing may come before it is asked whether the engine is still there.
const QUIET: Duration = Duration::from_secs(1);

/// How long the engine may take to close a session after its last record.
const CLOSING: Duration = Duration::from_secs(10);

type Outcome = Result<ExitCode, Box<dyn std::error::Error>>;

/// Shows a running window until it ends, then its summary. Ctrl-C leaves the window running.
pub fn watch(session: &Path, json: bool) -> Outcome {
    let name = name_of(session);
    let mut follower = Follower::open(session)?;
    if is_being_written(&File::open(session)?) {
        tell(&format!("recording to `{}`", session.display()));
    }
    leave_on_signal(follower.stopper())?;
    let mut view = View::new(session);
    loop {
        let patience = if view.fresh { Duration::ZERO } else { QUIET };
        match follower.next(patience)? {
            Followed::Record(record) => view.take(&record, json),
            Followed::Nothing if view.fresh => view.show(),
            Followed::Nothing if is_being_written(&File::open(session)?) => {}
            Followed::Nothing => {
                view.close();
                tell("stormdeck: the engine is gone, and the end of its window was not recorded");
                break;
            }
            Followed::Ended => {
                view.close();
                break;
            }
            Followed::Stopped => {
                view.close();
                tell(&format!(
                    "the window goes on: `stormdeck attach {name}` looks on again, `stormdeck stop {name}` ends it"
                ));
                return Ok(ExitCode::from(LEFT));
            }
        }
    }
    wait_until_closed(session);
    summarize(session, json)
}

/// Judges a session, prints the summary, and gives the verdict as an exit code. Judged by what was recorded and nothing
/// else, so that whoever reads the file later comes to the same answer.
pub fn summarize(session: &Path, json: bool) -> Outcome {
    let history = History::of_records(Reader::open(session)?)?;
    let judgement = verdict::judge(&history);
    let summary = Summary::new(&history, &judgement, &session.display().to_string());
    let output = if json {
        summary.json()?
    } else {
        text(&summary)
    };
    print(output.as_bytes())?;
    Ok(ExitCode::from(judgement.verdict.exit_code()))
}

/// Waits until no engine writes the session any more, within reason. False if one still does.
pub fn wait_until_closed(session: &Path) -> bool {
    let deadline = Instant::now() + CLOSING;
    while File::open(session).is_ok_and(|file| is_being_written(&file)) {
        if Instant::now() > deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    true
}

/// Ends the follower's wait when a signal comes: whoever looks on leaves, the window stays.
fn leave_on_signal(stopper: Stopper) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut signals = {
        let _inside = runtime.enter();
        Signals::take()?
    };
    let wait = move || {
        runtime.block_on(signals.next());
        stopper.stop();
    };
    std::thread::Builder::new()
        .name("signals".into())
        .spawn(wait)?;
    Ok(())
}

/// What was read, and how the window stands by the engine's own word.
struct View {
    history: History,
    client: Option<Client>,
    /// Absent where the engine does not say.
    status: Option<Status>,
    /// Names of the phases.
    phases: Vec<String>,
    /// Length of the schedule as planned.
    length: Duration,
    line: Option<Line>,
    /// Whether something came that is not shown yet.
    fresh: bool,
}

impl View {
    fn new(session: &Path) -> Self {
        Self {
            history: History::without_rollups(),
            client: Client::connect(session).ok(),
            status: None,
            phases: Vec::new(),
            length: Duration::ZERO,
            line: None,
            fresh: false,
        }
    }

    fn take(&mut self, record: &Record, json: bool) {
        if let Record::Window(window) = record {
            let length = window.phases.iter().map(|phase| phase.length_us).sum();
            self.length = Duration::from_micros(length);
            self.phases = window
                .phases
                .iter()
                .map(|phase| phase.name.clone())
                .collect();
            self.line = Some(Line::new(&window.name, self.length, json));
        }
        self.fresh |= matches!(record, Record::Tick(_));
        self.history.apply(record);
    }

    fn show(&mut self) {
        self.fresh = false;
        self.status = self.client.as_mut().and_then(|client| client.status().ok());
        if self.status.is_none() {
            // An engine that does not answer is asked no more; what it records is still shown.
            self.client = None;
        }
        let (Some(line), Some(tick)) = (&mut self.line, self.history.last_tick()) else {
            return;
        };
        let at = Duration::from_micros(tick.at);
        let phase = tick.phase.and_then(|phase| self.phases.get(phase));
        line.show(&Progress {
            at,
            left: match &self.status {
                Some(status) => left(status),
                None => Left::Time(self.length.saturating_sub(at)),
            },
            phase: phase.map_or("", String::as_str),
            factor: tick.load,
            history: &self.history,
            lost: 0,
        });
    }

    fn close(&self) {
        if let Some(line) = &self.line {
            line.close();
        }
    }
}

fn left(status: &Status) -> Left {
    match (status.left_us, status.done) {
        (Some(left), _) => Left::Time(Duration::from_micros(left)),
        (None, Some(share)) => Left::Work(share),
        (None, None) => Left::Held,
    }
}
