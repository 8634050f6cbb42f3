//! One fault rehearsed by itself: in, its effect proven, out, the recovery proven.
//!
//! In: a profile and one of its faults. Out: a profile of one phase in which that fault goes in and out once, and, from the
//! records of its window, whether both were proven. The window itself is an ordinary one, recorded as every other.

use std::time::Duration;

use crate::history::History;
use crate::profile::Profile;
use crate::profile::model::{FaultDriver, Phase, PhaseFault};
use crate::profile::units::Factor;
use crate::session::record::{FaultState, Happening};
use crate::verdict::recovery::assess;

/// Load before the fault, to know what is normal.
const BEFORE: Duration = Duration::from_secs(30);
/// The same without load.
const AT_ONCE: Duration = Duration::from_secs(1);
/// What a recovery may take that has no budget.
const RECOVERY: Duration = Duration::from_mins(2);
/// What the measurement of a recovery needs after it.
const HOLD: Duration = Duration::from_secs(45);
/// Gauges that moved of which the numbers are told.
const GAUGES: usize = 3;

/// How it is rehearsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drill {
    /// Which fault, by index in the profile.
    pub fault: usize,
    /// How long it stays in.
    pub stay: Duration,
    /// Whether the profile's scenarios put load, at 1x.
    pub load: bool,
}

/// Why there is nothing to rehearse.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DrillError {
    /// The profile has none.
    #[error("the profile has no `[[fault]]`")]
    None,
    /// It has several, and none was named.
    #[error("say which fault with `--fault`: {}", .0.join(", "))]
    Which(Vec<String>),
    /// It has none of that name.
    #[error("there is no fault `{wanted}`; there are {}", .names.join(", "))]
    Unknown {
        /// What was asked for.
        wanted: String,
        /// Those that there are.
        names: Vec<String>,
    },
}

/// What a drill has shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// What proves that it had an effect; why that is not known otherwise.
    pub effect: Result<String, String>,
    /// What proves that it is back; why that is not known otherwise.
    pub back: Result<String, String>,
}

/// The fault of this name, or the only one.
///
/// # Errors
/// When that names none, or several.
pub fn find(profile: &Profile, name: Option<&str>) -> Result<usize, DrillError> {
    let names = || {
        profile
            .faults
            .iter()
            .map(|fault| fault.name.clone())
            .collect()
    };
    match (name, profile.faults.len()) {
        (_, 0) => Err(DrillError::None),
        (None, 1) => Ok(0),
        (None, _) => Err(DrillError::Which(names())),
        (Some(name), _) => {
            let found = profile.faults.iter().position(|fault| fault.name == name);
            found.ok_or_else(|| DrillError::Unknown {
                wanted: name.to_owned(),
                names: names(),
            })
        }
    }
}

/// The window of a drill.
pub fn profile(mut profile: Profile, drill: Drill) -> Profile {
    let fault = &profile.faults[drill.fault];
    let stay = drill.stay.min(fault.max);
    let recovery = fault.recover_within.unwrap_or(RECOVERY);
    let (before, after) = if drill.load {
        (BEFORE, recovery + HOLD)
    } else {
        profile.scenarios.clear();
        // Nobody writes into them.
        profile.ledgers.clear();
        (AT_ONCE, recovery)
    };
    let stagger = match &fault.driver {
        FaultDriver::Group { faults, stagger } => *stagger * faults.len() as u32,
        _ => Duration::ZERO,
    };
    profile.window.name = format!("drill {}", fault.name);
    profile.window.about = format!("`{}` rehearsed", fault.name);
    profile.gates.clear();
    profile.phases = vec![Phase {
        name: "drill".into(),
        length: before + stagger + stay + after,
        load: Factor(1.0),
        ramp: Duration::ZERO,
        faults: vec![PhaseFault {
            fault: drill.fault,
            after: before,
            length: Some(stagger + stay),
            every: None,
            within: None,
        }],
        climb: None,
    }];
    profile
}

/// One state that the fault went through.
struct Step<'h> {
    state: FaultState,
    text: &'h str,
    in_place: bool,
    proven: bool,
}

fn course(history: &History, fault: usize) -> impl DoubleEndedIterator<Item = Step<'_>> {
    let events = history.events().iter();
    events.filter_map(move |event| match &event.what {
        Happening::Fault {
            fault: it,
            state,
            text,
            in_place,
            proven,
            ..
        } if *it == fault => Some(Step {
            state: *state,
            text,
            in_place: *in_place,
            proven: *proven,
        }),
        _ => None,
    })
}

/// Whether the fault has gone its whole way, so that nothing more is to be seen.
pub fn is_over(history: &History, fault: usize) -> bool {
    course(history, fault)
        .last()
        .is_some_and(|step| match step.state {
            // Armed again: nobody will know more.
            FaultState::Recovered | FaultState::Armed => true,
            // One that could not be undone is tried again.
            FaultState::Failed => !step.in_place,
            FaultState::Injecting
            | FaultState::Active
            | FaultState::Reverting
            | FaultState::Recovering => false,
        })
}

/// What the window of a drill has shown.
pub fn shown(history: &History, fault: usize) -> Shown {
    Shown {
        effect: effect(history, fault),
        back: back(history, fault),
    }
}

fn effect(history: &History, fault: usize) -> Result<String, String> {
    let plan = history.window().and_then(|window| window.faults.get(fault));
    let members = plan.map_or(&[][..], |plan| &plan.members);
    let effects = history
        .events()
        .iter()
        .filter_map(|event| match &event.what {
            Happening::Effect(effect)
                if effect.fault == fault || members.contains(&effect.fault) =>
            {
                Some(effect)
            }
            _ => None,
        });
    let mut untouched = false;
    for effect in effects {
        match (effect.affected, effect.text.is_empty()) {
            (1.., _) => return Ok(format!("{} of {} touched", effect.affected, effect.seen)),
            (0, false) => return Ok(effect.text.clone()),
            (0, true) => untouched = true,
        }
    }
    let steps = || course(history, fault);
    if let Some(failed) = steps().find(|step| step.state == FaultState::Failed) {
        return Err(failed.text.to_owned());
    }
    let injection = history.injection(fault);
    let gauged = injection.map(|it| assess(history, it).gauges);
    if let Some(moved) = gauged.and_then(|gauged| gauged.text(GAUGES)) {
        return Ok(moved);
    }
    if untouched {
        return Err("it was in place, and touched nothing that came by".into());
    }
    if steps().any(|step| step.state == FaultState::Active && step.proven) {
        return Ok("it was seen to be in place".into());
    }
    Err("nothing was seen that it did: give it a `check`, or drill it `--with-load`".into())
}

fn back(history: &History, fault: usize) -> Result<String, String> {
    let Some(last) = course(history, fault).last() else {
        return Err("it never went in".into());
    };
    match last.state {
        FaultState::Recovered => Ok(last.text.to_owned()),
        FaultState::Recovering => {
            Err("it was undone, and the system was not seen to be back in time".into())
        }
        FaultState::Failed | FaultState::Armed => Err(last.text.to_owned()),
        FaultState::Injecting | FaultState::Active | FaultState::Reverting => {
            Err(format!("it is {}", last.state.name()))
        }
    }
}
