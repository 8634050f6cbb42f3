//! Windows whose faults are files: broken is a file that is there.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::wait_for;
use crate::window::{Place, Window, is_alive, signal};

/// A window over a quick shop, with a fault `NAME` for each name whose file `NAME.broken` is there while it is on; then
/// more of the profile, in which `DIR` is the directory.
pub fn place(names: &[&str], window: &str, more: &str) -> Place {
    Place::of(|dir| {
        let dir = dir.display();
        let faults = names.iter().map(|name| {
            format!(
                "[[fault]]\nname = \"{name}\"\ninject = [\"touch\", \"{dir}/{name}.broken\"]\n\
                 revert = [\"rm\", \"-f\", \"{dir}/{name}.broken\"]\n\
                 check = [\"test\", \"!\", \"-e\", \"{dir}/{name}.broken\"]\n"
            )
        });
        let faults: String = faults.collect();
        let more = more.replace("DIR", &dir.to_string());
        format!(
            "[window]\nname = \"broken\"\ntick = \"100ms\"\ndrain = \"2s\"\n{window}\n\
             [[scenario]]\nname = \"shoppers\"\ntarget = \"embedded://shop?servers=0&service=fixed:1ms\"\n\
             rate = \"100/s\"\nget = \"/\"\n{faults}{more}"
        )
    })
}

/// The file of a fault.
pub fn file(dir: &Path, name: &str) -> PathBuf {
    dir.join(format!("{name}.broken"))
}

/// Waits until a fault is in place, or is not.
pub fn wait_until(window: &Window, name: &str, broken: bool) {
    let file = file(window.place.path(), name);
    let what = format!("{name} to be {}", if broken { "broken" } else { "whole" });
    wait_for(&what, || (file.exists() == broken).then_some(()));
}

/// The states that a fault went through, in order, from the records.
pub fn states(records: &[Value], fault: u64) -> Vec<String> {
    let events = records
        .iter()
        .filter(|record| record["what"] == "fault" && record["fault"].as_u64() == Some(fault));
    events
        .map(|event| event["state"].as_str().unwrap().to_owned())
        .collect()
}

/// The entries of the journal of outstanding faults, whichever session they are of.
pub fn outstanding(dir: &Path) -> Vec<PathBuf> {
    let Ok(sessions) = fs::read_dir(dir.join("outstanding")) else {
        return Vec::new();
    };
    let files =
        sessions.flat_map(|session| fs::read_dir(session.unwrap().path()).into_iter().flatten());
    files
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|it| it == "json"))
        .collect()
}

/// The number of the watchdog over the journals of a directory.
pub fn watchdog(dir: &Path) -> Option<i32> {
    let processes = fs::read_dir("/proc").unwrap();
    processes.filter_map(Result::ok).find_map(|entry| {
        let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
        let words = fs::read(entry.path().join("cmdline")).ok()?;
        let words: Vec<&[u8]> = words.split(|byte| *byte == 0).collect();
        let journal = words.get(2)?;
        let ours = journal.starts_with(dir.as_os_str().as_encoded_bytes());
        (words.get(1) == Some(&&b"watchdog"[..]) && ours).then_some(pid)
    })
}

/// Kills the engine, and its watchdog before that can do anything about it.
pub fn kill_with_watchdog(window: &Window) {
    let dog = watchdog(window.place.path()).expect("a watchdog");
    signal(dog, "-STOP");
    window.signal("-KILL");
    signal(dog, "-KILL");
    wait_for("both to be gone", || {
        (!window.is_alive() && !is_alive(dog)).then_some(())
    });
}
