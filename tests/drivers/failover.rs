//! The recipes that are shipped, on the real servers that they are for.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use stormdeck::fault::driver::Proof;
use stormdeck::profile;
use tempfile::TempDir;

use crate::Stage;
use crate::support::postgres::{as_other_than_root, programs};
use crate::support::{free_port, stormdeck, wait_for};

fn recipe(name: &str, variables: &[(&str, &str)]) -> Stage {
    let text = profile::shipped(&format!("faults/{name}")).unwrap();
    Stage::of(text, Path::new("."), variables)
}

/// What a program says, if it does what it is told.
fn said(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    output.status.success().then_some(text)
}

/// A primary of `PostgreSQL` and a standby that it waits for at every commit.
struct Pair {
    dir: TempDir,
    ports: [u16; 2],
}

impl Pair {
    fn start() -> Self {
        let dir = TempDir::new().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let pair = Self {
            dir,
            ports: [free_port(), free_port()],
        };
        pair.run(
            "initdb",
            &[
                "--no-sync",
                "--auth=trust",
                "--username=postgres",
                "-D",
                &pair.data(0),
            ],
        );
        let mut config = fs::read_to_string(format!("{}/postgresql.conf", pair.data(0))).unwrap();
        config.push_str(
            "\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = ''\nfsync = off\nwal_log_hints = on\nsynchronous_standby_names = '*'\n\
             wal_keep_size = '256MB'\nwal_receiver_timeout = '2s'\nwal_retrieve_retry_interval = '100ms'\n",
        );
        fs::write(format!("{}/postgresql.conf", pair.data(0)), config).unwrap();
        pair.pg_ctl(0);
        let port = pair.ports[0].to_string();
        pair.run(
            "pg_basebackup",
            &[
                "-h",
                "127.0.0.1",
                "-p",
                &port,
                "-U",
                "postgres",
                "-D",
                &pair.data(1),
                "-R",
                "--no-sync",
                "-c",
                "fast",
            ],
        );
        pair.pg_ctl(1);
        pair.ask(0, "create table writes (n int primary key)")
            .unwrap();
        pair
    }

    fn data(&self, server: usize) -> String {
        let name = ["a", "b"][server];
        self.dir.path().join(name).to_string_lossy().into_owned()
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let mut command = as_other_than_root(&programs().join(program));
        command.args(arguments).current_dir(self.dir.path());
        // What it leaves running must not hold a pipe of this test.
        let log = fs::File::create(self.dir.path().join("log")).unwrap();
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        let status = command.status().unwrap();
        let log = || fs::read_to_string(self.dir.path().join("log")).unwrap();
        assert!(status.success(), "{program}: {}", log());
    }

    fn pg_ctl(&self, server: usize) {
        let port = format!("-p {}", self.ports[server]);
        let log = format!("{}/startup.log", self.data(server));
        self.run(
            "pg_ctl",
            &[
                "start",
                "-w",
                "-D",
                &self.data(server),
                "-l",
                &log,
                "-o",
                &port,
            ],
        );
    }

    fn ask(&self, server: usize, query: &str) -> Option<String> {
        let port = self.ports[server].to_string();
        said(
            Command::new(programs().join("psql"))
                .args([
                    "-X",
                    "-h",
                    "127.0.0.1",
                    "-p",
                    &port,
                    "-U",
                    "postgres",
                    "-d",
                    "postgres",
                ])
                .args(["-Atqc", query])
                .current_dir(self.dir.path()),
        )
    }

    /// Writes, and gives what was acknowledged.
    fn write(&self, server: usize, numbers: std::ops::Range<u32>) -> u32 {
        let acknowledged = numbers.filter(|n| {
            let query = format!("insert into writes values ({n})");
            self.ask(server, &query).is_some()
        });
        acknowledged.count() as u32
    }

    fn count(&self, server: usize) -> Option<String> {
        self.ask(server, "select count(*) from writes")
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        for server in 0..2 {
            let mut stop = as_other_than_root(&programs().join("pg_ctl"));
            stop.args(["stop", "-m", "immediate", "-D", &self.data(server)]);
            let _ = stop.current_dir(self.dir.path()).output();
        }
    }
}

#[test]
fn postgresql_fails_over_and_back_and_loses_nothing_that_it_acknowledged() {
    let pair = Pair::start();
    let root = rustix::process::geteuid().is_root();
    let prefix = if root {
        "setpriv --reuid=postgres --regid=postgres --clear-groups"
    } else {
        ""
    };
    let bin = programs().to_string_lossy().into_owned();
    let ports = pair.ports.map(|port| port.to_string());
    let (a, b) = (pair.data(0), pair.data(1));
    let variables = [
        ("A_PORT", &ports[0][..]),
        ("B_PORT", &ports[1]),
        ("A_DATA", &a),
        ("B_DATA", &b),
        ("PG_BIN", &bin),
        ("PG_AS", prefix),
        ("PG_USER", "postgres"),
        ("PG_HOST", "127.0.0.1"),
    ];
    let stage = recipe("postgres-promote", &variables);
    let undo = wait_for("a standby that follows", || {
        let undo = stage.prepare().unwrap();
        serde_json::to_value(&undo)
            .unwrap()
            .get("worked")
            .is_some()
            .then_some(undo)
    });
    assert_eq!(pair.write(0, 0..20), 20);
    let done = stage.inject(&undo).unwrap();
    assert_eq!(done.proof, Proof::Checked, "{}", done.said);
    assert_eq!(pair.count(0), None);
    assert_eq!(pair.count(1).as_deref(), Some("20"));
    let done = stage.revert_from_disk(&undo).unwrap();
    assert_eq!(done.proof, Proof::Checked, "{}", done.said);
    assert_eq!(
        pair.ask(0, "select pg_is_in_recovery()").as_deref(),
        Some("t")
    );
    // It follows: what is written now is there as well.
    assert_eq!(pair.write(1, 20..21), 1);
    wait_for("the standby", || (pair.count(0)? == "21").then_some(()));
    assert_eq!(stage.revert(&undo).unwrap().proof, Proof::Checked);
    drill_back(&pair, &variables);
}

/// The roles change sides again, by the command that people type.
fn drill_back(pair: &Pair, variables: &[(&str, &str)]) {
    let place = TempDir::new().unwrap();
    let mut drill = stormdeck(place.path());
    drill.args(["drill", "faults/postgres-promote", "--for", "1s"]);
    for (name, value) in variables {
        drill.arg(format!("--set={name}={value}"));
    }
    let output = drill.output().unwrap();
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{out}{err}");
    assert!(
        out.starts_with(
            "promote standby\n✓ takes effect: its check fails\n✓ is back: its check passes"
        ),
        "{out}"
    );
    assert_eq!(
        pair.ask(1, "select pg_is_in_recovery()").as_deref(),
        Some("t")
    );
    assert_eq!(pair.count(0).as_deref(), Some("21"), "nothing is lost");
}

/// Redis, ended on drop.
struct Redis {
    child: Child,
    port: u16,
}

impl Redis {
    fn start(dir: &Path, more: &[&str]) -> Self {
        let port = free_port();
        let child = Command::new("redis-server")
            .args([
                "--port",
                &port.to_string(),
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--appendonly",
                "no",
            ])
            .args(["--repl-diskless-sync-delay", "0", "--dir"])
            .arg(dir)
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is installed");
        let redis = Self { child, port };
        wait_for("Redis", || (redis.ask(&["ping"])? == "PONG").then_some(()));
        redis
    }

    fn ask(&self, words: &[&str]) -> Option<String> {
        let port = self.port.to_string();
        said(
            Command::new("redis-cli")
                .args(["-h", "127.0.0.1", "-p", &port])
                .args(words),
        )
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn redis_fails_over_and_back_and_loses_nothing_that_it_acknowledged() {
    let (dir_a, dir_b) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let a = Redis::start(dir_a.path(), &[]);
    let b = Redis::start(
        dir_b.path(),
        &["--replicaof", "127.0.0.1", &a.port.to_string()],
    );
    let up = |redis: &Redis| {
        redis
            .ask(&["info", "replication"])
            .is_some_and(|text| text.contains("master_link_status:up"))
    };
    wait_for("the replica", || up(&b).then_some(()));
    let ports = [a.port.to_string(), b.port.to_string()];
    let stage = recipe(
        "redis-failover",
        &[("A_PORT", &ports[0]), ("B_PORT", &ports[1])],
    );
    for n in 0..50 {
        assert_eq!(
            a.ask(&["set", &format!("before{n}"), "1"]).as_deref(),
            Some("OK")
        );
    }
    let undo = stage.prepare().unwrap();
    let done = stage.inject(&undo).unwrap();
    assert_eq!(done.proof, Proof::Checked, "{}", done.said);
    assert_eq!(b.ask(&["dbsize"]).as_deref(), Some("50"));
    assert!(a.ask(&["set", "x", "1"]).unwrap().contains("READONLY"));
    assert_eq!(b.ask(&["set", "meanwhile", "1"]).as_deref(), Some("OK"));
    let done = stage.revert_from_disk(&undo).unwrap();
    assert_eq!(done.proof, Proof::Checked, "{}", done.said);
    assert_eq!(a.ask(&["dbsize"]).as_deref(), Some("51"));
    assert_eq!(a.ask(&["set", "after", "1"]).as_deref(), Some("OK"));
    assert_eq!(stage.revert(&undo).unwrap().proof, Proof::Checked);
}

/// An nginx that runs in the background, stopped on drop.
struct Nginx {
    config: PathBuf,
    url: String,
    _dir: TempDir,
}

impl Nginx {
    fn start() -> Self {
        let dir = TempDir::new().unwrap();
        let root = dir.path().display();
        let port = free_port();
        let text = format!(
            "worker_processes 1; pid {root}/pid; error_log {root}/error.log;
             events {{ worker_connections 100; }}
             http {{ access_log off; client_body_temp_path {root}/a; proxy_temp_path {root}/b;
               fastcgi_temp_path {root}/c; uwsgi_temp_path {root}/d; scgi_temp_path {root}/e;
               server {{ listen 127.0.0.1:{port}; location / {{ return 200 \"ok\"; }} }} }}"
        );
        let config = dir.path().join("nginx.conf");
        fs::write(&config, text).unwrap();
        let nginx = Self {
            config,
            url: format!("http://127.0.0.1:{port}/"),
            _dir: dir,
        };
        nginx.run(&[]);
        nginx
    }

    fn run(&self, arguments: &[&str]) {
        let mut command = Command::new("nginx");
        command.arg("-c").arg(&self.config).args(arguments);
        let _ = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
    }

    fn answers(&self) -> bool {
        let address = self.url.trim_start_matches("http://").trim_end_matches('/');
        std::net::TcpStream::connect(address).is_ok()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        self.run(&["-s", "stop"]);
    }
}

#[test]
fn nginx_is_stopped_and_started() {
    let nginx = Nginx::start();
    let config = nginx.config.to_str().unwrap();
    let variables = [("NGINX_CONF", config), ("URL", &nginx.url)];
    let stage = recipe("nginx-stop", &variables);
    for _ in 0..2 {
        let undo = stage.prepare().unwrap();
        assert!(nginx.answers());
        assert_eq!(stage.inject(&undo).unwrap().proof, Proof::Checked);
        assert!(!nginx.answers());
        assert_eq!(stage.revert_from_disk(&undo).unwrap().proof, Proof::Checked);
        assert!(nginx.answers());
    }
    let undo = stage.prepare().unwrap();
    // It runs: that it cannot be started a second time is no failure.
    assert_eq!(stage.revert(&undo).unwrap().proof, Proof::Checked);

    let stage = recipe("nginx-reload", &variables);
    let undo = stage.prepare().unwrap();
    stage.inject(&undo).unwrap();
    stage.revert(&undo).unwrap();
    assert!(nginx.answers());
}
