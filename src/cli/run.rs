//! `stormdeck run`: a window, in a process of its own that outlives this one, or in this one without a screen.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use super::console::ScreenArgs;
use super::line::Line;
use super::pick::DirArgs;
use super::watch::{look_on, summarize};
use super::{ProfileArgs, RUN, could_not, print, refuse, tell};
use crate::engine::{self, Launch, detach};
use crate::load::fleet::default_workers;
use crate::profile::Profile;
use crate::session::dir::EXTENSION;

/// What the exit code says, for the help.
pub const EXIT_STATUS: &str = "Exit status: 0 go or conditional, 1 no-go or inconclusive, 2 when the window could not \
    run, 130 when it was left running.";

/// What describes a window.
#[derive(Debug, clap::Args)]
pub struct WindowArgs {
    /// A profile: a file, or one of those that are shipped (demo, smoke, baseline, steps, stress, spike, soak, breakpoint, chaos).
    pub profile: String,
    #[command(flatten)]
    pub options: ProfileArgs,
    /// Worker threads; one for each core by default.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub workers: Option<u16>,
    #[command(flatten)]
    pub dir: DirArgs,
    /// Name of the session, instead of one made from the time and the window's name.
    #[arg(long, value_name = "NAME", value_parser = session_name)]
    pub name: Option<String>,
}

impl WindowArgs {
    /// What makes the window ready.
    pub fn launch(&self, profile: Profile) -> std::io::Result<Launch> {
        Ok(Launch {
            profile,
            workers: self.workers(),
            dir: self.dir.dir().map(Path::to_owned),
            name: self.name.clone(),
            program: std::env::current_exe()?,
            may_be_deaf: false,
        })
    }

    fn workers(&self) -> usize {
        self.workers.map_or_else(default_workers, usize::from)
    }

    /// The command line that says the same.
    fn words(&self) -> Vec<OsString> {
        let mut words: Vec<OsString> = Vec::new();
        for (name, value) in &self.options.variables {
            words.push(format!("--set={name}={value}").into());
        }
        words.push(format!("--time-scale={}", self.options.time_scale).into());
        if let Some(workers) = self.workers {
            words.push(format!("--workers={workers}").into());
        }
        if let Some(dir) = self.dir.dir() {
            let mut word = OsString::from("--dir=");
            word.push(dir);
            words.push(word);
        }
        if let Some(name) = &self.name {
            words.push(format!("--name={name}").into());
        }
        words.push("--".into());
        words.push((&self.profile).into());
        words
    }
}

/// Options of `stormdeck run`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    window: WindowArgs,
    /// Run in this process and without a screen: a progress line, then the summary.
    #[arg(long)]
    headless: bool,
    /// Start the window, print where it is recorded, and leave it running.
    #[arg(long, conflicts_with_all = ["headless", "json"])]
    detach: bool,
    /// Print the summary as JSON on standard output and nothing else there.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    screen: ScreenArgs,
}

/// Runs the demo, as the command without any words does.
pub fn demo() -> ExitCode {
    run(&Args {
        window: WindowArgs {
            profile: "demo".into(),
            options: ProfileArgs {
                time_scale: 1.0,
                ..ProfileArgs::default()
            },
            workers: None,
            dir: DirArgs::of_environment(),
            name: None,
        },
        headless: false,
        detach: false,
        json: false,
        screen: ScreenArgs::default(),
    })
}

/// Runs the window; [`EXIT_STATUS`] says what the exit code means.
pub fn run(args: &Args) -> ExitCode {
    let profile = match args.window.options.load(&args.window.profile) {
        Ok(profile) => profile,
        Err(error) => return refuse(&error),
    };
    let ran = if args.headless {
        here(args, profile)
    } else {
        apart(args, &profile)
    };
    ran.unwrap_or_else(|error| could_not(RUN, &*error))
}

type Outcome = Result<ExitCode, Box<dyn std::error::Error>>;

/// Runs the window in this process.
fn here(args: &Args, profile: Profile) -> Outcome {
    let length = profile.phases.iter().map(|phase| phase.length).sum();
    let mut line = Line::new(&profile.window.name, length, args.json);
    let ready = Launch {
        may_be_deaf: true,
        ..args.window.launch(profile)?
    }
    .ready()?;
    let session = ready.session().to_owned();
    if let Some(address) = ready.metrics() {
        line.note(&format!("metrics at http://{address}/metrics"));
    }
    let finished = ready.run(|progress| line.show(progress))?;
    line.close();
    if let Err(error) = &finished.recording {
        tell(&format!(
            "stormdeck: the session could not be closed whole: {error}"
        ));
    }
    summarize(&session, args.json)
}

/// Runs the window in a process of its own, and looks on.
fn apart(args: &Args, profile: &Profile) -> Outcome {
    // Mistakes are told before anything is started.
    engine::check(profile, args.window.workers())?;
    let session = detach::spawn(&std::env::current_exe()?, args.window.words())?;
    if args.detach {
        print(format!("{}\n", session.display()).as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    }
    look_on(&session, args.json, false, &args.screen)
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
