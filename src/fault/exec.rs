//! `exec`: a program breaks it, another one brings it back, a third one knows how it is.

use serde::{Deserialize, Serialize};

use super::bearings::Bearings;
use super::check::{self, Failed, Found};
use super::driver::{Doing, Done, Driver, FaultError, Proof};
use super::hidden::Hidden;
use super::program::Program;
use super::run::{GRACE, Last, UNSTOPPABLE, Unheard, aside};
use super::stray::{self, Origin};
use super::undo::Undo;
use crate::profile::Secrets;
use crate::profile::model::CommandLine;

/// A fault that programs make and unmake.
pub struct Exec {
    inject: Program,
    revert: Program,
    check: Option<Program>,
    hidden: Hidden,
    /// The injection under way, or the last one.
    injecting: Last,
}

/// The way back by program.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Way {
    revert: Program,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    check: Option<Program>,
    /// Whether the check passed before the injection.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    worked: bool,
    /// What the environment of the injection's programs holds.
    mark: String,
    #[serde(default, skip_serializing_if = "Hidden::is_empty")]
    hidden: Hidden,
    /// Where the programs of the injection come from, which another user's environment does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    origin: Option<Origin>,
    #[serde(skip)]
    failed: Failed,
    /// The revert that this process tried last.
    #[serde(skip)]
    reverting: Last,
}

/// What is known of the programs of an injection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Injecting {
    /// They have ended, or were ended.
    Over,
    /// They go on, and cannot be ended.
    GoesOn,
    /// Nothing: another process started them.
    Unknown,
}

impl Exec {
    /// From a profile.
    ///
    /// # Errors
    /// When the working directory cannot be told.
    pub fn new(
        [inject, revert]: [&CommandLine; 2],
        check: Option<&CommandLine>,
        secrets: &Secrets,
    ) -> Result<Self, FaultError> {
        Ok(Self {
            inject: Program::of("inject", inject)?,
            revert: Program::of("revert", revert)?,
            check: check.map(|check| Program::of("check", check)).transpose()?,
            hidden: Hidden::from(secrets),
            injecting: Last::default(),
        })
    }

    async fn look_first(&self) -> Result<Undo, FaultError> {
        let programs: Vec<Program> = [&self.inject, &self.revert]
            .into_iter()
            .chain(&self.check)
            .cloned()
            .collect();
        let find = move || programs.iter().try_for_each(Program::find);
        aside("find", find).await.map_err(FaultError::of)??;
        let worked = match &self.check {
            None => false,
            Some(check) => match check.look(check.limit(), &self.hidden).await {
                Found::Works => true,
                Found::Broken(_) => false,
                Found::Unknown(why) => return Err(FaultError(why)),
            },
        };
        let bearings = Bearings::of_environment(&self.hidden);
        let check = self.check.as_ref();
        Ok(Undo::Exec(Box::new(Way {
            revert: self.revert.with_bearings(&bearings),
            check: check.map(|check| check.with_bearings(&bearings)),
            worked,
            mark: format!("{:016x}", rand::random::<u64>()),
            hidden: self.hidden.clone(),
            origin: Origin::now(),
            failed: Failed::default(),
            reverting: Last::default(),
        })))
    }

    async fn break_it(&self, way: &Way) -> Result<Done, FaultError> {
        let limit = self.inject.limit();
        let (running, gone) =
            self.inject
                .start(limit, Some(&way.mark), Unheard::Ends, &self.hidden)?;
        self.injecting.set(gone);
        let said = self
            .inject
            .judge(running.end().await, limit, &self.hidden.redactor())?;
        let Some(check) = &self.check else {
            return Ok(Done {
                said,
                ..Done::default()
            });
        };
        let look = async |limit| check.look(limit, &self.hidden).await;
        let done = check::injected(said, way.worked, check.limit(), look).await;
        if done.proof == Proof::Checked {
            way.failed.set();
        }
        Ok(done)
    }
}

impl Driver for Exec {
    fn prepare(&self) -> Doing<'_, Undo> {
        Box::pin(self.look_first())
    }

    fn inject<'a>(&'a self, undo: &'a Undo) -> Doing<'a, Done> {
        Box::pin(async move {
            let Undo::Exec(way) = undo else {
                return Err(Undo::foreign());
            };
            self.break_it(way).await
        })
    }

    fn revert<'a>(&'a self, undo: &'a Undo) -> Doing<'a, Done> {
        Box::pin(async move {
            let Undo::Exec(way) = undo else {
                return Err(Undo::foreign());
            };
            // One that was given up half way must not go on while, or after, it is undone.
            let injecting = if self.injecting.is_gone(3 * GRACE).await {
                Injecting::Over
            } else {
                Injecting::GoesOn
            };
            way.take(injecting).await
        })
    }
}

impl Way {
    /// Brings it back and makes sure of it.
    pub(super) async fn revert(&self) -> Result<Done, FaultError> {
        self.take(Injecting::Unknown).await
    }

    /// What may still break it does not keep it from being brought back, but from being told as back: that is tried again.
    async fn take(&self, injecting: Injecting) -> Result<Done, FaultError> {
        let limit = self.revert.limit();
        let twice = || {
            FaultError(format!(
                "an earlier try to bring it back is still running, and is not run twice at once: {UNSTOPPABLE}"
            ))
        };
        if !self.reverting.is_gone(limit + 3 * GRACE).await {
            return Err(twice());
        }
        let (mark, reverting) = (self.mark.clone(), format!("{}.revert", self.mark));
        let (own, origin) = (reverting.clone(), self.origin);
        let ended = aside("strays", move || {
            let ended = stray::end(&mark);
            let alone = stray::await_end(&own, limit);
            let known = match (injecting, origin) {
                (Injecting::Unknown, Some(origin)) => stray::await_strangers(origin, limit),
                (Injecting::Over, _) | (Injecting::Unknown, None) => true,
                (Injecting::GoesOn, _) => false,
            };
            (ended && known, alone)
        });
        let (ended, alone) = ended.await.map_err(FaultError::of)?;
        if !alone {
            return Err(twice());
        }
        let ran = self
            .revert
            .revert(&reverting, &self.hidden, &self.reverting);
        let ran = ran.await;
        let look = self.check.as_ref().map(|check| {
            let look = async move |limit| check.look(limit, &self.hidden).await;
            (check.limit(), look)
        });
        let done = check::reverted(ran, &self.failed, look).await?;
        if ended {
            return Ok(done);
        }
        Err(FaultError(format!(
            "it was reverted, but what was to break it seems to be still running, and may break it again: {UNSTOPPABLE}"
        )))
    }
}
