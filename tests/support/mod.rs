//! Real servers and the real program, for tests of whole commands.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test says what it expects by unwrapping"
)]
#![allow(dead_code, reason = "each test binary uses its own part")]

pub mod daemons;
pub mod postgres;
pub mod server;
pub mod toxiproxy;

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// How long anything that has to happen may take.
pub const SOON: Duration = Duration::from_secs(30);

/// The program under test, with its state in `dir`.
pub fn stormdeck(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stormdeck"));
    command
        .env("STORMDECK_DIR", dir)
        .env_remove("STORMDECK_LOG")
        .env("NO_COLOR", "1")
        .stdin(Stdio::null());
    command
}

/// Runs a profile headless with `--json` and gives the summary and the exit code.
pub fn run_json(dir: &Path, profile: &str, args: &[&str]) -> (Value, i32) {
    let path = dir.join("profile.toml");
    fs::write(&path, profile).unwrap();
    let output = stormdeck(dir)
        .arg("run")
        .arg(&path)
        .args(["--headless", "--json"])
        .args(args)
        .output()
        .unwrap();
    (summary_of(&output), output.status.code().unwrap())
}

/// Looks again and again until there is something.
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + SOON;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The summary that a run printed.
pub fn summary_of(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!(
            "{error}: {}\n{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        )
    })
}

/// Every record of a session, as `export` gives it.
pub fn records(session: &Path) -> Vec<Value> {
    let output = stormdeck(session.parent().unwrap())
        .args(["export", "--as", "jsonl"])
        .arg(session)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

/// nginx with one worker, a private configuration and an access log, ended on drop.
pub struct Nginx {
    dir: TempDir,
    child: Child,
    /// `127.0.0.1:PORT`.
    pub address: String,
}

impl Nginx {
    /// Answers every request with 200 and a 35-byte body, and logs each.
    pub fn start() -> Self {
        Self::with_server(
            "location / { return 200 \"a body of exactly thirty-five bytes.\"; }",
            true,
        )
    }

    /// With this inside its `server` block.
    pub fn with_server(server: &str, log: bool) -> Self {
        let dir = TempDir::new().unwrap();
        let root = dir.path().display();
        let port = free_port();
        let access = if log {
            format!("access_log {root}/access.log plain;")
        } else {
            "access_log off;".into()
        };
        let config = format!(
            "daemon off; worker_processes 1; pid {root}/pid; error_log {root}/error.log;
             worker_rlimit_nofile 20000;
             events {{ worker_connections 19000; }}
             http {{ log_format plain '$status $request_uri'; {access}
               client_body_temp_path {root}/a; proxy_temp_path {root}/b; fastcgi_temp_path {root}/c;
               uwsgi_temp_path {root}/d; scgi_temp_path {root}/e;
               keepalive_requests 1000000000; keepalive_timeout 600s;
               server {{ listen 127.0.0.1:{port} backlog=16384; {server} }} }}"
        );
        fs::write(dir.path().join("nginx.conf"), config).unwrap();
        let child = Command::new("nginx")
            .arg("-p")
            .arg(dir.path())
            .arg("-c")
            .arg(dir.path().join("nginx.conf"))
            .stderr(Stdio::null())
            .spawn()
            .expect("nginx is installed");
        let nginx = Self {
            dir,
            child,
            address: format!("127.0.0.1:{port}"),
        };
        nginx.wait_until_up();
        nginx
    }

    /// Its base URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn wait_until_up(&self) {
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
        while std::net::TcpStream::connect(&self.address).is_err() {
            assert!(
                std::time::Instant::now() < deadline,
                "nginx did not come up: {}",
                self.errors()
            );
            std::thread::yield_now();
        }
    }

    /// Makes it read its configuration again, which replaces its worker and closes idle connections.
    pub fn reload(&self) {
        let status = Command::new("kill")
            .args(["-HUP", &self.child.id().to_string()])
            .status()
            .unwrap();
        assert!(status.success());
    }

    /// Ends it gracefully, so that everything is in the log, and gives the logged lines.
    pub fn stop_and_read_log(mut self) -> Vec<String> {
        let _ = Command::new("kill")
            .args(["-QUIT", &self.child.id().to_string()])
            .status();
        let _ = self.child.wait();
        let file = fs::File::open(self.dir.path().join("access.log")).unwrap();
        BufReader::new(file).lines().map(Result::unwrap).collect()
    }

    /// Keeps it and its worker on one core.
    pub fn pin(&self, core: u32) {
        let script = format!(
            "for p in {0} $(pgrep -P {0}); do taskset -cp {core} $p; done",
            self.child.id()
        );
        let status = Command::new("sh")
            .args(["-c", &script])
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success(), "taskset works");
    }

    fn errors(&self) -> String {
        fs::read_to_string(self.dir.path().join("error.log")).unwrap_or_default()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // QUIT lets its worker end as well; a killed master would leave it behind.
        let _ = Command::new("kill")
            .args(["-TERM", &self.child.id().to_string()])
            .status();
        let _ = self.child.wait();
    }
}

/// The one session file in `dir`.
pub fn only_session(dir: &Path) -> PathBuf {
    let mut sessions: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().ends_with(".jsonl.zst"))
        .collect();
    assert_eq!(sessions.len(), 1, "{sessions:?}");
    sessions.remove(0)
}
