//! From the faults of a profile to drivers: one line for each kind.

use super::driver::{Driver, FaultError};
use super::proxy::Proxies;
use crate::profile::Profile;
use crate::profile::model::FaultDriver;

/// A driver for each fault of a profile, by index; none for a group, whose members have their own.
///
/// # Errors
/// With every fault that cannot be made ready, not only the first: a port that is taken, a regular expression.
pub fn of(
    profile: &Profile,
    proxies: &Proxies,
) -> Result<Vec<Option<Box<dyn Driver>>>, Vec<FaultError>> {
    let mut mistakes = Vec::new();
    let mut drivers = Vec::new();
    for (index, fault) in profile.faults.iter().enumerate() {
        let driver: Result<Option<Box<dyn Driver>>, FaultError> = match &fault.driver {
            FaultDriver::Group { .. } => Ok(None),
            FaultDriver::Proxy { .. } => Ok(proxies.driver(index)),
            FaultDriver::Toxiproxy { .. }
            | FaultDriver::Http { .. }
            | FaultDriver::Exec { .. }
            | FaultDriver::Process { .. }
            | FaultDriver::Stress(_)
            | FaultDriver::Network(_) => Err(FaultError(format!(
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
