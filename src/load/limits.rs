//! The limit on open files: raised as far as allowed, and compared with what a profile needs.
//!
//! In: the profile. Out: a limit, and a sentence when it is too low. Connections are what uses files; everything else
//! (the session, logs, scrapes, a runtime a worker) is a small constant.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::profile::model::{Connections, Model, Profile, Scenario};

/// Files that stormdeck needs without any connection.
const BASE: u64 = 64;

/// Files that each worker's runtime needs.
const PER_WORKER: u64 = 6;

/// Raises the soft limit on open files to the hard one; returns what it is then.
pub fn raise_files() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let wanted = Rlimit {
        current: limit.maximum,
        ..limit
    };
    let reached = match setrlimit(Resource::Nofile, wanted) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    reached.unwrap_or(u64::MAX)
}

/// Open files that the profile can come to need at its highest load, that of the spike key included, should every
/// request run into its timeout.
pub fn files_needed(profile: &Profile, workers: usize) -> u64 {
    let factors = profile.phases.iter().map(|phase| phase.load.0);
    // The spike key may be pressed in any phase, and takes the place of its factor.
    let highest = factors.fold(profile.window.spike.0.max(1.0), f64::max);
    let connections = |scenario: &Scenario| {
        let scaled = |count: u32| {
            let factor = if scenario.scale { highest } else { 1.0 };
            (f64::from(count) * factor).ceil() as u64
        };
        match (scenario.connections, &scenario.model) {
            (Connections::Shared(pool), _) => u64::from(pool),
            (Connections::PerUser, Model::Closed { users, .. }) => scaled(*users),
            (
                Connections::PerUser,
                Model::Open {
                    rate,
                    max_in_flight,
                    ..
                },
            ) => {
                // Each request holds a connection until it ends, at the latest at its timeout.
                let factor = if scenario.scale { highest } else { 1.0 };
                let held = (rate.0 * factor * scenario.timeout.as_secs_f64()).ceil();
                u64::from(*max_in_flight).min(held as u64)
            }
        }
    };
    let connections: u64 = profile.scenarios.iter().map(connections).sum();
    BASE + PER_WORKER * workers as u64 + connections
}

/// What to tell the operator when `needed` files are more than the `limit` allows.
pub fn warning(needed: u64, limit: u64) -> Option<String> {
    (needed > limit).then(|| {
        format!(
            "this profile can need {needed} open files and {limit} are allowed: raise `ulimit -n`, lower \
             `max_in_flight` or `users`, or share connections (`connections = {}`)",
            limit.saturating_sub(BASE) / 2
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{Options, parse};

    /// Files that a window needs for its connections: two phases, the higher at 3x, and this scenario.
    fn connections(scenario: &str) -> u64 {
        connections_with_spike("2x", scenario)
    }

    fn connections_with_spike(spike: &str, scenario: &str) -> u64 {
        let text = format!(
            "[window]\nname = \"w\"\nspike = \"{spike}\"\n[[scenario]]\nname = \"s\"\ntarget = \"http://127.0.0.1:1\"\nget = \"/\"\n\
             {scenario}\n[[phase]]\nname = \"a\"\nfor = \"1m\"\nload = \"1x\"\n\
             [[phase]]\nname = \"b\"\nfor = \"1m\"\nload = \"3x\"\n"
        );
        let profile = parse(&text, std::path::Path::new("."), &Options::default()).unwrap();
        files_needed(&profile, 2) - BASE - 2 * PER_WORKER
    }

    #[test]
    fn users_need_a_connection_each_at_the_highest_load_of_any_phase() {
        let closed = "model = \"closed\"\nusers = 100";
        assert_eq!(connections(closed), 300);
        assert_eq!(connections(&format!("{closed}\nscale = false")), 100);
        assert_eq!(connections(&format!("{closed}\nconnections = 7")), 7);
    }

    #[test]
    fn the_spike_key_may_ask_for_more_than_any_phase() {
        let closed = "model = \"closed\"\nusers = 100";
        assert_eq!(connections_with_spike("7x", closed), 700);
        let fixed = format!("{closed}\nscale = false");
        assert_eq!(connections_with_spike("7x", &fixed), 100);
        let open = "rate = \"10/s\"\nmax_in_flight = 5000\ntimeout = \"10s\"";
        assert_eq!(connections_with_spike("7x", open), 700);
    }

    #[test]
    fn arrivals_need_as_many_connections_as_may_be_in_flight() {
        let open = "rate = \"10/s\"\nmax_in_flight = 500";
        assert_eq!(connections(open), 500, "whatever the load factor");
        assert_eq!(connections(&format!("{open}\nconnections = 7")), 7);
    }

    #[test]
    fn the_limit_is_raised_to_what_is_allowed() {
        let limit = raise_files();
        let now = getrlimit(Resource::Nofile);
        assert_eq!(now.current, now.maximum);
        assert_eq!(now.current.unwrap_or(u64::MAX), limit);
    }

    #[test]
    fn too_few_files_are_said_with_both_numbers_and_a_way_out() {
        let text = warning(30_000, 20_000).unwrap();
        for part in ["30000", "20000", "ulimit -n", "connections"] {
            assert!(text.contains(part), "{text}");
        }
        assert_eq!(warning(20_000, 20_000), None);
    }
}
