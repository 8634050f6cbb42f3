//! Less CPU for a process and its descendants: a cgroup (version 2) of our own with `cpu.max`, beside the one they are in.
//!
//! It is made beside their own, below the same parent, since a cgroup that holds processes cannot give controllers to
//! children; so what bounds the parent still bounds them. What is not allowed, or not there, is said before anything is done.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use procfs::process::Process;
use rustix::fs::{Access, access};
use serde::{Deserialize, Serialize};

use super::tree::{self, Identity};
use crate::fault::driver::FaultError;
use crate::profile::units::Ratio;

/// The period that the quota is of, µs: what the kernel takes by itself.
const PERIOD: u64 = 100_000;
/// How often processes are moved again, for those born meanwhile.
const ROUNDS: usize = 64;
/// Between two rounds.
const LOOK: Duration = Duration::from_millis(2);

/// A limit on CPU, and where those under it came from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Quota {
    /// Our cgroup.
    dir: PathBuf,
    /// CPU time in each period of 100 ms, µs.
    per_period: u64,
    /// The cgroup of the process, where those born meanwhile go too.
    home: PathBuf,
    /// Descendants that are elsewhere.
    elsewhere: Vec<(Identity, PathBuf)>,
}

impl Quota {
    pub(super) async fn prepare(root: Identity, share: Ratio) -> Result<Self, FaultError> {
        let all = tree::of(root).await?;
        Self::plan(&mount()?, (root, &all), share, path_of)
    }

    /// For a process and its tree, each of which is in the cgroup at `path`, below the mount.
    fn plan(
        mount: &Path,
        (root, all): (Identity, &[Identity]),
        share: Ratio,
        path: impl Fn(Identity) -> Result<String, FaultError>,
    ) -> Result<Self, FaultError> {
        let place = |process| {
            let path = path(process)?;
            Ok::<_, FaultError>(mount.join(path.trim_start_matches('/')))
        };
        let home = place(root)?;
        let parent = match home.parent() {
            Some(parent) if home != mount => parent,
            _ => mount,
        };
        may_limit(parent)?;
        let mut elsewhere = Vec::new();
        for process in all {
            match place(*process) {
                Ok(dir) if dir != home => elsewhere.push((*process, dir)),
                Ok(_) | Err(_) => {}
            }
        }
        Ok(Self {
            dir: parent.join(format!("stormdeck-{}-{}", root.pid, root.start)),
            per_period: quota(share),
            home,
            elsewhere,
        })
    }

    /// Puts the process and its descendants under the limit; gives how many they are.
    pub(super) async fn impose(&self, root: Identity) -> Result<usize, FaultError> {
        match fs::create_dir(&self.dir) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(cannot("make", &self.dir, &error));
            }
            Ok(()) | Err(_) => {}
        }
        let max = self.dir.join("cpu.max");
        let wanted = format!("{} {PERIOD}", self.per_period);
        fs::write(&max, &wanted).map_err(|error| cannot("write", &max, &error))?;
        let read = fs::read_to_string(&max).map_err(|error| cannot("read", &max, &error))?;
        if read.trim() != wanted {
            return Err(FaultError(format!(
                "`{}` says `{}`, not `{wanted}`",
                max.display(),
                read.trim()
            )));
        }
        for _ in 0..ROUNDS {
            let inside = members(&self.dir)?;
            let all = tree::of(root).await?;
            if all.is_empty() {
                return Err(FaultError(format!(
                    "process {} has ended by itself",
                    root.pid
                )));
            }
            let outside: Vec<i32> = all
                .iter()
                .map(|process| process.pid)
                .filter(|pid| !inside.contains(pid))
                .collect();
            if outside.is_empty() {
                return Ok(all.len());
            }
            for pid in outside {
                move_to(&self.dir, pid)?;
            }
        }
        Err(FaultError(
            "processes are born faster than they can be limited".into(),
        ))
    }

    /// Moves everything back and takes the cgroup away. Without effect when there is none.
    pub(super) async fn lift(&self, _root: Identity) -> Result<(), FaultError> {
        for _ in 0..ROUNDS {
            if !self.dir.exists() {
                return Ok(());
            }
            for pid in members(&self.dir)? {
                let home = self.elsewhere.iter().find(|(process, dir)| {
                    // A cgroup that is gone meanwhile cannot be gone back to.
                    process.pid == pid && process.stat().is_some() && dir.is_dir()
                });
                move_to(home.map_or(&self.home, |(_, home)| home), pid)?;
            }
            match fs::remove_dir(&self.dir) {
                Ok(()) => return Ok(()),
                // Someone was born in it meanwhile, or a dead one has not been reaped.
                Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                Err(error) => return Err(cannot("remove", &self.dir, &error)),
            }
            tokio::time::sleep(LOOK).await;
        }
        Err(FaultError(format!(
            "`{}` still limits processes",
            self.dir.display()
        )))
    }

    /// `20% of a core`.
    pub(super) fn told(&self) -> String {
        format!(
            "{}% of a core",
            self.per_period as f64 * 100.0 / PERIOD as f64
        )
    }
}

/// The kernel takes no less than a hundredth of a core.
fn quota(share: Ratio) -> u64 {
    ((share.0 * PERIOD as f64).round() as u64).max(PERIOD / 100)
}

/// Where cgroup v2 is.
fn mount() -> Result<PathBuf, FaultError> {
    let mounts = Process::myself()
        .and_then(|process| process.mountinfo())
        .map_err(FaultError::of)?;
    mounts
        .into_iter()
        .find(|mount| mount.fs_type == "cgroup2")
        .map(|mount| mount.mount_point)
        .ok_or_else(|| {
            FaultError("a limit on CPU needs cgroup v2, which is not mounted here".into())
        })
}

/// The cgroup that a process is in, as a path from the mount.
fn path_of(process: Identity) -> Result<String, FaultError> {
    let groups = Process::new(process.pid)
        .and_then(|process| process.cgroups())
        .map_err(FaultError::of)?;
    groups
        .into_iter()
        .find(|group| group.hierarchy == 0)
        .map(|group| group.pathname)
        .filter(|path| !path.contains("/.."))
        .ok_or_else(|| {
            FaultError(format!(
                "the cgroup of process {} cannot be seen from here",
                process.pid
            ))
        })
}

/// Whether children of this cgroup can have a limit on CPU, and this user may make them.
fn may_limit(parent: &Path) -> Result<(), FaultError> {
    let says = |file: &str| {
        let text = fs::read_to_string(parent.join(file)).unwrap_or_default();
        text.split_whitespace()
            .any(|controller| controller == "cpu")
    };
    let shown = parent.display();
    if !says("cgroup.controllers") {
        return Err(FaultError(format!(
            "a limit on CPU needs the cpu controller of cgroup v2, which `{shown}` does not have; \
             a system that still mounts it as cgroup v1 keeps it from there"
        )));
    }
    if !says("cgroup.subtree_control") {
        return Err(FaultError(format!(
            "a limit on CPU needs the cpu controller below `{shown}`: \
             `echo +cpu > {shown}/cgroup.subtree_control` gives it"
        )));
    }
    access(parent, Access::WRITE_OK).map_err(|error| {
        FaultError(format!(
            "a limit on CPU needs a cgroup below `{shown}`, where this user may make none: {error}"
        ))
    })
}

fn members(dir: &Path) -> Result<Vec<i32>, FaultError> {
    let path = dir.join("cgroup.procs");
    match fs::read_to_string(&path) {
        Ok(text) => Ok(text
            .lines()
            .filter_map(|line| line.trim().parse().ok())
            .collect()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(cannot("read", &path, &error)),
    }
}

/// One that has ended meanwhile needs no moving.
fn move_to(dir: &Path, pid: i32) -> Result<(), FaultError> {
    let path = dir.join("cgroup.procs");
    match fs::write(&path, pid.to_string()) {
        Err(error) if error.raw_os_error() != Some(rustix::io::Errno::SRCH.raw_os_error()) => {
            Err(cannot("move a process by", &path, &error))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

fn cannot(what: &str, path: &Path, error: &io::Error) -> FaultError {
    FaultError(format!("cannot {what} `{}`: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_limit_on_cpu_lacks_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let why = |dir: &Path| may_limit(dir).unwrap_err().to_string();
        assert!(why(dir.path()).contains("does not have"));
        fs::write(dir.path().join("cgroup.controllers"), "cpuset cpu io").unwrap();
        fs::write(dir.path().join("cgroup.subtree_control"), "cpuset").unwrap();
        assert!(why(dir.path()).contains("echo +cpu"));
        fs::write(dir.path().join("cgroup.subtree_control"), "cpuset cpu").unwrap();
        assert_eq!(may_limit(dir.path()), Ok(()));
    }

    #[test]
    fn a_quota_is_never_less_than_the_kernel_takes() {
        assert_eq!(quota(Ratio(0.2)), 20_000);
        assert_eq!(quota(Ratio(0.0001)), 1_000);
        assert_eq!(quota(Ratio(1.0)), 100_000);
    }

    /// In an ordinary directory, which takes what is written and knows nothing of it.
    #[tokio::test]
    async fn a_process_is_put_under_its_quota_and_sent_home() {
        let dir = tempfile::tempdir().unwrap();
        let mut child = std::process::Command::new("sleep")
            .arg("300")
            .spawn()
            .unwrap();
        let root = Identity::of(child.id().cast_signed()).unwrap();
        let home = dir.path().join("home");
        fs::create_dir(&home).unwrap();
        let quota = Quota {
            dir: dir.path().join("ours"),
            per_period: 20_000,
            home: home.clone(),
            elsewhere: Vec::new(),
        };
        assert_eq!(quota.impose(root).await, Ok(1));
        let max = fs::read_to_string(quota.dir.join("cpu.max")).unwrap();
        assert_eq!(max, "20000 100000");
        assert_eq!(members(&quota.dir), Ok(vec![root.pid]));
        // Only a real cgroup goes away while it holds files.
        let why = quota.lift(root).await.unwrap_err();
        assert!(why.0.starts_with("cannot remove"), "{why}");
        assert_eq!(members(&home), Ok(vec![root.pid]));
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[tokio::test]
    async fn each_of_a_tree_is_sent_to_the_nested_cgroup_that_it_came_from() {
        let mount = tempfile::tempdir().unwrap();
        let mut children = [(); 3].map(|()| {
            std::process::Command::new("sleep")
                .arg("300")
                .spawn()
                .unwrap()
        });
        let all = [0, 1, 2].map(|n: usize| Identity::of(children[n].id().cast_signed()).unwrap());
        let slice = mount.path().join("system/shop");
        let dirs = ["api", "db", "worker"].map(|name| slice.join(name));
        for dir in &dirs {
            fs::create_dir_all(dir).unwrap();
        }
        fs::write(slice.join("cgroup.controllers"), "cpu").unwrap();
        fs::write(slice.join("cgroup.subtree_control"), "cpu").unwrap();
        let path = |process: Identity| {
            let n = all.iter().position(|one| *one == process).unwrap();
            Ok(["/system/shop/api", "/system/shop/db", "/system/shop/worker"][n].to_owned())
        };
        let quota = Quota::plan(mount.path(), (all[0], &all), Ratio(0.5), path).unwrap();
        assert_eq!(quota.home, dirs[0]);
        let away = [(all[1], dirs[1].clone()), (all[2], dirs[2].clone())];
        assert_eq!(quota.elsewhere, away);
        fs::remove_dir(&dirs[2]).unwrap();
        // A plain file keeps the last number that was written to it.
        for (process, dir) in [(all[1], &dirs[1]), (all[2], &dirs[0])] {
            fs::create_dir_all(&quota.dir).unwrap();
            fs::write(quota.dir.join("cgroup.procs"), process.pid.to_string()).unwrap();
            quota.lift(all[0]).await.unwrap_err();
            assert_eq!(members(dir), Ok(vec![process.pid]));
        }
        for child in &mut children {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    #[tokio::test]
    async fn lifting_a_limit_that_is_not_there_does_no_harm() {
        let dir = tempfile::tempdir().unwrap();
        let quota = Quota {
            dir: dir.path().join("none"),
            per_period: 1000,
            home: dir.path().to_owned(),
            elsewhere: Vec::new(),
        };
        let own = Identity::of(std::process::id().cast_signed()).unwrap();
        assert_eq!(quota.lift(own).await, Ok(()));
    }
}
