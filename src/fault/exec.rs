//! `exec`: a program breaks it, another one brings it back, a third one knows how it is.

use std::cell::RefCell;

use serde::{Deserialize, Serialize};

use super::bearings::Bearings;
use super::check::{self, Failed, Found};
use super::driver::{Doing, Done, Driver, FaultError, Proof};
use super::hidden::Hidden;
use super::program::Program;
use super::run::{Gone, Unheard, aside};
use super::stray;
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
    injecting: RefCell<Option<Gone>>,
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
    #[serde(skip)]
    failed: Failed,
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
            injecting: RefCell::default(),
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
            failed: Failed::default(),
        })))
    }

    async fn break_it(&self, way: &Way) -> Result<Done, FaultError> {
        let limit = self.inject.limit();
        let (running, gone) =
            self.inject
                .start(limit, Some(&way.mark), Unheard::Ends, &self.hidden)?;
        self.injecting.replace(Some(gone));
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
        Box::pin(async {
            // One that was given up half way must not go on while, or after, it is undone.
            let injecting = self.injecting.take();
            if let Some(gone) = injecting {
                let _ = tokio::time::timeout(3 * super::run::GRACE, gone).await;
            }
            undo.revert().await
        })
    }
}

impl Way {
    /// Brings it back and makes sure of it.
    pub(super) async fn revert(&self) -> Result<Done, FaultError> {
        let (injecting, reverting) = (self.mark.clone(), format!("{}.revert", self.mark));
        let (mark, limit) = (reverting.clone(), self.revert.limit());
        let gone = aside("strays", move || {
            stray::end(&injecting);
            stray::await_end(&mark, limit);
        });
        gone.await.map_err(FaultError::of)?;
        let ran = self.revert.revert(&reverting, &self.hidden).await;
        let look = self.check.as_ref().map(|check| {
            let look = async move |limit| check.look(limit, &self.hidden).await;
            (check.limit(), look)
        });
        check::reverted(ran, &self.failed, look).await
    }
}
