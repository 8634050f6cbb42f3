//! From the faults of a profile to drivers: one line for each kind.

use super::driver::{Driver, FaultError};
use super::exec::Exec;
use super::http::Http;
use super::network::NetworkFault;
use super::process::ProcessFault;
use super::stress::StressFault;
use super::toxiproxy::Toxiproxy;
use crate::profile::Profile;
use crate::profile::model::FaultDriver;

/// A driver for each fault of a profile, by index; none for a group, whose members have their own.
///
/// # Errors
/// With every fault that cannot be made ready, not only the first: a port that is taken, a regular expression.
pub fn of(profile: &Profile) -> Result<Vec<Option<Box<dyn Driver>>>, Vec<FaultError>> {
    let mut mistakes = Vec::new();
    let mut drivers = Vec::new();
    for fault in &profile.faults {
        let driver: Result<Option<Box<dyn Driver>>, FaultError> = match &fault.driver {
            FaultDriver::Group { .. } => Ok(None),
            FaultDriver::Exec {
                inject,
                revert,
                check,
            } => Exec::new([inject, revert], check.as_ref(), &profile.secrets)
                .map(|driver| Some(boxed(driver))),
            FaultDriver::Http {
                inject,
                revert,
                check,
            } => {
                let driver = Http::new(profile, [inject, revert], check.as_ref());
                Ok(Some(boxed(driver)))
            }
            FaultDriver::Toxiproxy { api, proxy, toxics } => {
                let driver = Toxiproxy::new(profile, api, proxy, toxics);
                Ok(Some(boxed(driver)))
            }
            FaultDriver::Process { which, act } => Ok(Some(Box::new(ProcessFault::new(
                which.clone(),
                act.clone(),
            )))),
            FaultDriver::Stress(stress) => StressFault::new(stress.clone(), fault.max)
                .map(|driver| Some(Box::new(driver) as Box<dyn Driver>)),
            FaultDriver::Network(network) => Ok(Some(Box::new(NetworkFault::new(network.clone())))),
            FaultDriver::Proxy { .. } => Err(FaultError(format!(
                "fault `{}`: this kind has no driver yet",
                fault.name
            ))),
        };
        match driver {
            Ok(driver) => drivers.push(driver),
            Err(error) => mistakes.push(error),
        }
    }
    if mistakes.is_empty() {
        Ok(drivers)
    } else {
        Err(mistakes)
    }
}

fn boxed(driver: impl Driver + 'static) -> Box<dyn Driver> {
    Box::new(driver)
}
