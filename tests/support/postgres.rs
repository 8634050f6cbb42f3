//! A real `PostgreSQL`, as its package installs it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test says what it expects by unwrapping"
)]
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::daemons::Daemon;
use super::{free_port, wait_for};

/// `PostgreSQL` with an empty database, ended on drop. It refuses to be root, and is then the user that its package made.
pub struct Postgres {
    child: Child,
    _dir: TempDir,
    /// Where it listens on 127.0.0.1.
    pub port: u16,
}

/// The folder of its newest version's programs.
pub fn programs() -> PathBuf {
    let versions =
        fs::read_dir("/usr/lib/postgresql").expect("the package postgresql is installed");
    let folders = versions.map(|entry| entry.unwrap().path().join("bin"));
    folders.max().unwrap()
}

pub fn as_other_than_root(program: &Path) -> Command {
    if !rustix::process::geteuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid=postgres", "--regid=postgres", "--clear-groups"])
        .arg(program);
    command
}

impl Postgres {
    /// Starts it, and waits until it takes connections.
    pub fn start() -> Self {
        let dir = TempDir::new().unwrap();
        // Whoever runs it makes its own folder in here.
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let data = dir.path().join("data");
        let made = as_other_than_root(&programs().join("initdb"))
            .args(["--no-sync", "--auth=trust", "--username=postgres", "-D"])
            .arg(&data)
            .current_dir(dir.path())
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        let port = free_port();
        let child = as_other_than_root(&programs().join("postgres"))
            .arg("-D")
            .arg(&data)
            .args(["-h", "127.0.0.1", "-k", "", "-F", "-p", &port.to_string()])
            .current_dir(dir.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let postgres = Self {
            child,
            _dir: dir,
            port,
        };
        wait_for("PostgreSQL", || {
            let asked = Command::new(programs().join("pg_isready"))
                .args(["-q", "-h", "127.0.0.1", "-p", &port.to_string()])
                .status()
                .unwrap();
            asked.success().then_some(())
        });
        postgres
    }

    /// A `postgres_exporter` of it.
    pub fn exporter(&self) -> Daemon {
        let source = format!(
            "DATA_SOURCE_NAME=postgresql://postgres@127.0.0.1:{}/postgres?sslmode=disable",
            self.port
        );
        // `env` becomes the exporter.
        Daemon::start("env", "/", |address, _| {
            vec![
                source.clone(),
                "prometheus-postgres-exporter".into(),
                format!("--web.listen-address={address}"),
                "--log.level=error".into(),
            ]
        })
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // It ends its own processes when told so, and would leave them behind when killed.
        let pid = self.child.id().to_string();
        let _ = Command::new("kill").args(["-INT", &pid]).status();
        let _ = self.child.wait();
    }
}
