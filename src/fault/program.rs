//! A program of a fault, as it is written down in a way back and as it is run.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::bearings::Bearings;
use super::check::Found;
use super::driver::FaultError;
use super::hidden::Hidden;
use super::run::{End, Gone, Last, Output, Running, Unheard, start};
use super::said::{clean, quoted};
use super::sealed::Sealed;
use crate::profile::Redactor;
use crate::profile::model::CommandLine;
use crate::profile::secret::Text;

/// The variable by which what an injection left running, and a revert under way, is found again.
pub(super) const MARK: &str = "STORMDECK_FAULT";

/// The shell's statuses for a program that cannot be run, or is not there.
const NOT_RUN: [i32; 2] = [126, 127];

/// What is run: a program and its arguments, or a line of shell, with its variables and its folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Line {
    /// The program and its arguments; with `shell`, one line for `sh -c`.
    words: Vec<Sealed>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    shell: bool,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    env: BTreeMap<String, Sealed>,
    /// Variables that it does not have, whatever the environment of whoever runs it holds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    without: Vec<String>,
    /// Working directory, absolute: whoever reverts may be somewhere else.
    dir: PathBuf,
}

/// A program to run to its end, complete in itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Program {
    /// The key of the profile: `revert`.
    role: String,
    #[serde(flatten)]
    line: Line,
    /// Time limit, ms.
    limit: u64,
}

impl Line {
    /// # Errors
    /// When the working directory cannot be told.
    pub fn of(line: &CommandLine) -> Result<Self, FaultError> {
        let dir = line.dir.as_deref().unwrap_or(Path::new("."));
        let dir = std::path::absolute(dir).map_err(|error| {
            FaultError(format!("the working directory cannot be told: {error}"))
        })?;
        let env = line.env.iter();
        Ok(Self {
            words: line.words.iter().map(Sealed::from).collect(),
            shell: line.shell,
            env: env.map(|(k, v)| (k.clone(), Sealed::from(v))).collect(),
            without: Vec::new(),
            dir,
        })
    }

    /// With what decides where it goes, but for its own variables.
    pub(super) fn with_bearings(mut self, bearings: &Bearings) -> Self {
        for (name, value) in &bearings.set {
            let own = self.env.entry(name.clone());
            own.or_insert_with(|| Sealed::plain(value));
        }
        self.without.clone_from(&bearings.unset);
        self
    }

    /// Its words, as they may be shown.
    pub fn words(&self) -> Vec<&str> {
        self.words.iter().map(Sealed::shown).collect()
    }

    /// As a person would write it, for a sentence; a script by what it is for.
    fn shown(&self, role: &str) -> String {
        let text = self.words().join(" ");
        let text = text.trim();
        if text.contains('\n') {
            format!("the script `{role}`")
        } else {
            format!("`{text}`")
        }
    }

    /// Makes sure, as far as that goes, that it could be run as this key of the profile.
    ///
    /// # Errors
    /// When its directory or its file is not there. It blocks.
    pub fn find(&self, role: &str) -> Result<(), FaultError> {
        let fails = |why: &str| Err(cannot_run(&self.shown(role), why));
        if !self.dir.is_dir() {
            return fails(&format!("there is no folder {}", self.dir.display()));
        }
        let name = match self.words.first() {
            Some(_) if self.shell => "sh".to_owned(),
            Some(word) => word.open()?.reveal().to_owned(),
            None => return Err(FaultError("there is no program to run".into())),
        };
        let path = match self.env.get("PATH") {
            Some(own) => OsString::from(own.open()?.reveal()),
            None => std::env::var_os("PATH").unwrap_or_default(),
        };
        if is_there(&name, &path, &self.dir) {
            Ok(())
        } else if name.contains('/') {
            fails("there is no such program")
        } else {
            fails("there is no such program in PATH")
        }
    }

    /// The command, `through` a program that runs others. `withhold` takes out of its environment what it is not to have;
    /// its own variables come after that.
    ///
    /// # Errors
    /// When a secret is not there any more.
    pub fn command(
        &self,
        through: &[&str],
        withhold: impl FnOnce(&mut Command),
    ) -> Result<Command, FaultError> {
        let opened = self.words.iter().map(Sealed::open);
        let opened = opened.collect::<Result<Vec<_>, _>>()?;
        let shell: &[&str] = if self.shell { &["sh", "-c"] } else { &[] };
        let before = through.iter().chain(shell).copied();
        let mut words = before.chain(opened.iter().map(Text::reveal));
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words);
        withhold(&mut command);
        for name in &self.without {
            command.env_remove(name);
        }
        for (name, value) in &self.env {
            command.env(name, value.open()?.reveal());
        }
        command.current_dir(&self.dir);
        Ok(command)
    }
}

/// That something, as it is shown, cannot be run.
pub(super) fn cannot_run(shown: &str, why: &str) -> FaultError {
    FaultError(format!("{shown} cannot be run: {why}"))
}

impl Program {
    /// From a profile, where it is the value of this key.
    ///
    /// # Errors
    /// When the working directory cannot be told.
    pub fn of(role: &str, line: &CommandLine) -> Result<Self, FaultError> {
        Ok(Self {
            role: role.to_owned(),
            line: Line::of(line)?,
            limit: line.timeout.as_millis() as u64,
        })
    }

    /// For a way back: it goes where it would go now, whoever runs it.
    pub(super) fn with_bearings(&self, bearings: &Bearings) -> Self {
        Self {
            line: self.line.clone().with_bearings(bearings),
            ..self.clone()
        }
    }

    /// How long it may take.
    pub fn limit(&self) -> Duration {
        Duration::from_millis(self.limit)
    }

    fn shown(&self) -> String {
        self.line.shown(&self.role)
    }

    /// Makes sure, as far as that goes, that it could be run.
    ///
    /// # Errors
    /// When its directory or its file is not there. It blocks.
    pub fn find(&self) -> Result<(), FaultError> {
        self.line.find(&self.role)
    }

    fn fails(&self, why: &str) -> FaultError {
        cannot_run(&self.shown(), why)
    }

    fn command(&self, mark: Option<&str>, hidden: &Hidden) -> Result<Command, FaultError> {
        let withhold = |command: &mut Command| hidden.withhold(command);
        let mut command = self.line.command(&[], withhold)?;
        match mark {
            Some(mark) => command.env(MARK, mark),
            // A stormdeck that a fault of another one runs.
            None => command.env_remove(MARK),
        };
        Ok(command)
    }

    /// Starts it. `mark` is left in its environment, of the secrets only those that its own variables hold; `unheard` says what becomes of it when nobody waits any more.
    ///
    /// # Errors
    /// When a secret is not there any more.
    pub(super) fn start(
        &self,
        limit: Duration,
        mark: Option<&str>,
        unheard: Unheard,
        hidden: &Hidden,
    ) -> Result<(Running, Gone), FaultError> {
        start(self.command(mark, hidden)?, limit, unheard)
            .map_err(|error| self.fails(&error.to_string()))
    }

    /// What it said, when it did what it should.
    pub(super) fn judge(
        &self,
        ended: io::Result<Output>,
        limit: Duration,
        redactor: &Redactor,
    ) -> Result<String, FaultError> {
        let output = ended.map_err(|error| self.fails(&error.to_string()))?;
        let said = clean(&output.said, redactor);
        let Some(how) = output.end.failure(limit) else {
            return Ok(said);
        };
        let quote = match quoted(&said) {
            said if said.is_empty() => String::new(),
            said => format!(": {said}"),
        };
        Err(FaultError(format!("{} {how}{quote}", self.shown())))
    }

    /// Runs it to its end, which it comes to even when this is given up, and gives what it said. `last` knows of that end.
    ///
    /// # Errors
    /// When it cannot be run, fails, or takes too long.
    pub(super) async fn revert(
        &self,
        mark: &str,
        hidden: &Hidden,
        last: &Last,
    ) -> Result<String, FaultError> {
        let limit = self.limit();
        let (running, gone) = self.start(limit, Some(mark), Unheard::GoesOn, hidden)?;
        last.set(gone);
        self.judge(running.end().await, limit, &hidden.redactor())
    }

    /// Runs it as a check.
    pub(super) async fn look(&self, limit: Duration, hidden: &Hidden) -> Found {
        let limit = limit.min(self.limit());
        let ended = match self.start(limit, None, Unheard::Ends, hidden) {
            Ok((running, _)) => running.end().await,
            Err(error) => return Found::Unknown(error.to_string()),
        };
        let ran = match &ended {
            Ok(output) => !matches!(output.end, End::Exit(status) if NOT_RUN.contains(&status)),
            Err(_) => false,
        };
        match (self.judge(ended, limit, &hidden.redactor()), ran) {
            (Ok(_), _) => Found::Works,
            (Err(error), true) => Found::Broken(error.to_string()),
            (Err(error), false) => Found::Unknown(error.to_string()),
        }
    }
}

/// Whether there is a program of this name, or at this path, for whoever stands in this folder.
pub(super) fn is_there(name: &str, path: &OsStr, dir: &Path) -> bool {
    if name.contains('/') {
        return is_program(&dir.join(name));
    }
    std::env::split_paths(path).any(|folder| is_program(&dir.join(folder).join(name)))
}

fn is_program(path: &Path) -> bool {
    std::fs::metadata(path)
        .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}
