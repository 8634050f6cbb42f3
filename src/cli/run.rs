//! `stormdeck run`: a window without a screen, with a progress line, a summary and a verdict.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{COULD_NOT, ProfileArgs, RUN, could_not, print, refuse, tell};
use crate::engine::embedded::Embedded;
use crate::engine::{self, Left, Progress, Spec};
use crate::history::History;
use crate::load::fleet::default_workers;
use crate::profile::Profile;
use crate::profile::model::Scope;
use crate::report::format::{
    count_short, duration_short, factor, percent, rate_short, span, unknown,
};
use crate::report::{Summary, text};
use crate::session::dir::{EXTENSION, Sessions};
use crate::session::{Reader, Writer};
use crate::verdict;

/// How often a line is printed where no progress bar can be drawn.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// The span that the progress line looks back over.
const RECENT: Duration = Duration::from_secs(5);

/// What the exit code says, for the help.
pub const EXIT_STATUS: &str =
    "Exit status: 0 go or conditional, 1 no-go or inconclusive, 2 when the window could not run.";

/// Options of `stormdeck run`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A profile: a file, or one of those that are shipped (demo, smoke, baseline, steps, stress, spike, soak, breakpoint).
    profile: String,
    #[command(flatten)]
    options: ProfileArgs,
    /// Run without a screen: a progress line, then the summary.
    #[arg(long)]
    headless: bool,
    /// Print the summary as JSON on standard output and nothing else there.
    #[arg(long)]
    json: bool,
    /// Worker threads; one for each core by default.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    workers: Option<u16>,
    /// Where sessions live.
    #[arg(long, env = "STORMDECK_DIR", value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Name of the session, instead of one made from the time and the window's name.
    #[arg(long, value_name = "NAME", value_parser = session_name)]
    name: Option<String>,
}

/// Runs the window; [`EXIT_STATUS`] says what the exit code means.
pub fn run(args: &Args) -> ExitCode {
    if !args.headless {
        tell("stormdeck: run needs --headless: this version has no console yet");
        return ExitCode::from(COULD_NOT);
    }
    let profile = match args.options.load(&args.profile) {
        Ok(profile) => profile,
        Err(error) => return refuse(&error),
    };
    match window(args, profile) {
        Ok(code) => code,
        Err(error) => could_not(RUN, &*error),
    }
}

fn window(args: &Args, mut profile: Profile) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let workers = args.workers.map_or_else(default_workers, usize::from);
    // Before the session: what cannot start leaves none behind. Before the services: a mistake starts none of them.
    engine::check(&profile, workers)?;
    let _services = Embedded::start(&mut profile, &std::env::current_exe()?)?;
    let prepared = engine::prepare(&profile, workers)?;
    let sessions = Sessions::locate(args.dir.as_deref())?;
    sessions.make_dir()?;
    let names = engine::plan::names(&profile);
    let writer = match &args.name {
        Some(name) => Writer::create(sessions.dir.join(format!("{name}{EXTENSION}")), names)?,
        None => sessions.begin(&profile.window.name, jiff::Timestamp::now(), &names)?,
    };
    let session = writer.path().to_owned();
    let _log = engine::logs::start(&session);
    let length = profile.phases.iter().map(|phase| phase.length).sum();
    let mut line = Line::new(&profile.window.name, length, args.json);
    let (_, orders) = tokio::sync::mpsc::unbounded_channel();
    let spec = Spec {
        profile,
        prepared,
        writer,
        by: engine::process::who(),
        orders,
    };
    let finished = engine::run(spec, |progress| line.show(progress))?;
    line.close();

    if let Err(error) = &finished.recording {
        tell(&format!(
            "stormdeck: the session could not be closed whole: {error}"
        ));
    }
    // Judged by what was recorded and nothing else, so that whoever reads the file later comes to the same answer.
    let history = History::of_records(Reader::open(&session)?)?;
    let judgement = verdict::judge(&history);
    let summary = Summary::new(&history, &judgement, &session.display().to_string());
    let output = if args.json {
        summary.json()?
    } else {
        text(&summary)
    };
    print(output.as_bytes())?;
    Ok(ExitCode::from(judgement.verdict.exit_code()))
}

/// A session's name is no path: it cannot lead out of the directory of sessions.
fn session_name(text: &str) -> Result<String, String> {
    let name = text.strip_suffix(EXTENSION).unwrap_or(text);
    if name.is_empty() || name.starts_with('.') || name.contains(['/', '\0']) {
        return Err(
            "a session's name holds no `/`, does not begin with a dot and is not empty".into(),
        );
    }
    Ok(name.to_owned())
}

/// The progress line, on standard error: a bar on a terminal, else a line now and then.
struct Line {
    bar: ProgressBar,
    quiet: bool,
    printed: Option<Duration>,
}

impl Line {
    fn new(window: &str, length: Duration, json: bool) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let target = if terminal {
            ProgressDrawTarget::stderr_with_hz(4)
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(Some(length.as_millis() as u64), target);
        // A template without placeholders that indicatif does not know cannot fail.
        if let Ok(style) = ProgressStyle::with_template("{prefix} {bar:24.cyan/blue} {msg}") {
            bar.set_style(style.progress_chars("█▉▊▋▌▍▎▏ "));
        }
        bar.set_prefix(window.to_owned());
        Self {
            bar,
            quiet: terminal || json,
            printed: None,
        }
    }

    fn show(&mut self, progress: &Progress<'_>) {
        let text = describe(progress);
        let length = self.bar.length().unwrap_or(0);
        self.bar.set_position(match progress.left {
            Left::Work(share) => (length as f64 * share) as u64,
            Left::Time(_) | Left::Held => progress.at.as_millis() as u64,
        });
        self.bar.set_message(text.clone());
        let due = self
            .printed
            .is_none_or(|printed| progress.at.saturating_sub(printed) >= LINE_EVERY);
        if !self.quiet && due {
            self.printed = Some(progress.at);
            let at = span(progress.at.as_secs_f64().floor());
            tell(&format!("{at:>7}  {text}"));
        }
    }

    fn close(&self) {
        self.bar.finish_and_clear();
    }
}

fn describe(progress: &Progress<'_>) -> String {
    let recent = progress.history.recent(&Scope::All, RECENT, &[]);
    let p99 = if recent.response.is_empty() {
        unknown()
    } else {
        duration_short(recent.response.quantile(0.99) as f64)
    };
    let mut text = format!(
        "{} {}  {}  p99 {p99}  errors {}  {}",
        progress.phase,
        factor(progress.factor),
        recent.rate().map_or_else(unknown, rate_short),
        recent.error_ratio().map_or_else(unknown, percent),
        match progress.left {
            Left::Time(left) => format!("{} left", span(left.as_secs_f64().ceil())),
            // Rounded down: all is done when all is done.
            Left::Work(share) => format!("{:.0}% done", (share * 100.0).floor()),
            Left::Held => "held".into(),
        },
    );
    if progress.lost > 0 {
        text += "  ";
        text += &count_short(progress.lost as f64);
        text += " ticks not recorded";
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::testing::Recording;

    #[test]
    fn the_line_says_what_there_is_to_come_and_no_time_that_only_bounds_it() {
        let history = Recording::new(&[("steady", 60, 1.0)]).history();
        let line = |left| {
            describe(&Progress {
                at: Duration::from_secs(9),
                left,
                phase: "steady",
                factor: 1.0,
                history: &history,
                lost: 0,
            })
        };
        let time = line(Left::Time(Duration::from_millis(50_400)));
        assert!(time.ends_with("51s left"), "{time}");
        let work = line(Left::Work(0.999));
        assert!(
            work.ends_with("99% done") && !work.contains("left"),
            "{work}"
        );
        assert!(line(Left::Held).ends_with("held"));
    }
}
