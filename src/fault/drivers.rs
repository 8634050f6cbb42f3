//! From the faults of a profile to drivers: one line for each kind.

use super::driver::{Driver, FaultError};
use super::exec::Exec;
use super::http::Http;
use super::network::NetworkFault;
use super::process::ProcessFault;
use super::proxy::Proxies;
use super::stress::StressFault;
use super::toxiproxy::Toxiproxy;
use crate::profile::Profile;
use crate::profile::model::{Fault, FaultDriver};

/// A driver, or none for a group, whose members have their own.
pub type Made = Option<Box<dyn Driver>>;

/// A driver for each fault of a profile, by index.
///
/// # Errors
/// With every fault that cannot be made ready, not only the first.
pub fn of(profile: &Profile, proxies: &Proxies) -> Result<Vec<Made>, Vec<FaultError>> {
    let mut mistakes = Vec::new();
    let mut drivers = Vec::new();
    for (index, fault) in profile.faults.iter().enumerate() {
        match make(profile, proxies, index, fault) {
            Ok(driver) => drivers.push(driver),
            Err(why) => mistakes.push(FaultError(format!("fault `{}`: {why}", fault.name))),
        }
    }
    if mistakes.is_empty() {
        Ok(drivers)
    } else {
        Err(mistakes)
    }
}

fn make(
    profile: &Profile,
    proxies: &Proxies,
    index: usize,
    fault: &Fault,
) -> Result<Made, FaultError> {
    Ok(Some(match &fault.driver {
        FaultDriver::Group { .. } => return Ok(None),
        FaultDriver::Proxy { .. } => return Ok(proxies.driver(index)),
        FaultDriver::Toxiproxy {
            api,
            proxy,
            ends,
            toxics,
        } => boxed(Toxiproxy::new(profile, api, proxy, ends.as_ref(), toxics)),
        FaultDriver::Http {
            inject,
            revert,
            check,
        } => boxed(Http::new(profile, [inject, revert], check.as_ref())),
        FaultDriver::Exec {
            inject,
            revert,
            check,
        } => boxed(Exec::new(
            [inject, revert],
            check.as_ref(),
            &profile.secrets,
        )?),
        FaultDriver::Process { which, act } => {
            boxed(ProcessFault::new(which.clone(), act.clone()).hiding(&profile.secrets))
        }
        FaultDriver::Stress(stress) => boxed(StressFault::new(stress.clone(), fault.max)?),
        FaultDriver::Network(network) => boxed(NetworkFault::new(network.clone())),
    }))
}

fn boxed(driver: impl Driver + 'static) -> Box<dyn Driver> {
    Box::new(driver)
}
