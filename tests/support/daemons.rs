//! Prometheus and its exporters as their packages install them: each on a free port of loopback with a directory of
//! its own, ended on drop.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test says what it expects by unwrapping"
)]
#![allow(dead_code, reason = "each test binary uses its own part")]
#![allow(
    clippy::format_push_string,
    clippy::needless_pass_by_value,
    reason = "configurations are put together in the plainest way"
)]

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use tempfile::TempDir;

use super::{free_port, wait_for};

/// How often another port is tried when the free one was taken in between.
const TRIES: usize = 5;

/// A running program that answers over HTTP.
pub struct Daemon {
    child: Child,
    dir: TempDir,
    /// `127.0.0.1:PORT`.
    pub address: String,
}

impl Daemon {
    /// Starts `program` with what `arguments` gives for an address and a directory, and waits until `ready` (a path)
    /// is answered with 200.
    pub fn start(
        program: &str,
        ready: &str,
        arguments: impl Fn(&str, &Path) -> Vec<String>,
    ) -> Self {
        let mut said = String::new();
        for _ in 0..TRIES {
            let dir = TempDir::new().unwrap();
            let address = format!("127.0.0.1:{}", free_port());
            let log = File::create(dir.path().join("log")).unwrap();
            let mut command = Command::new(program);
            command
                .args(arguments(&address, dir.path()))
                .current_dir(dir.path())
                .stdin(Stdio::null())
                .stdout(log.try_clone().unwrap())
                .stderr(log);
            let child = command
                .spawn()
                .unwrap_or_else(|error| panic!("{program} is installed: {error}"));
            let mut daemon = Self {
                child,
                dir,
                address,
            };
            let up = wait_for(program, || match daemon.get(ready) {
                Some((200, _)) => Some(true),
                _ => daemon.child.try_wait().unwrap().map(|_| false),
            });
            if up {
                return daemon;
            }
            said = daemon.log();
        }
        panic!("{program} did not come up: {said}");
    }

    /// Its base URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its own directory.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The id of its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    /// Status and body of an answer; nothing when there is none.
    pub fn get(&self, path: &str) -> Option<(u16, String)> {
        get(&self.address, path)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Status and body of an answer to a plain GET; nothing when there is none.
pub fn get(address: &str, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    // With HTTP/1.0 the body ends with the connection and comes in one piece.
    write!(stream, "GET {path} HTTP/1.0\r\nhost: {address}\r\n\r\n").ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, body.to_owned()))
}

/// A Prometheus server.
pub struct Prometheus(pub Daemon);

impl Prometheus {
    /// With an empty data directory and this configuration (YAML).
    pub fn start(config: &str) -> Self {
        Self::with_data(config, None)
    }

    /// That scrapes these targets (`job`, `127.0.0.1:PORT`, metrics path) every second and puts no label of its own
    /// in the place of a target's.
    pub fn scraping(targets: &[(&str, &str, &str)]) -> Self {
        let mut config =
            String::from("global: { scrape_interval: 1s, scrape_timeout: 1s }\nscrape_configs:\n");
        for (job, address, path) in targets {
            config.push_str(&line(job, address, path));
        }
        Self::start(&config)
    }

    /// Over the blocks that `promtool tsdb create-blocks-from` wrote to `data`; they are left where they are.
    pub fn with_data(config: &str, data: Option<PathBuf>) -> Self {
        Self(Daemon::start(
            "prometheus",
            "/-/ready",
            move |address, dir| {
                fs::write(dir.join("prometheus.yml"), config).unwrap();
                let data = data.clone().unwrap_or_else(|| dir.join("data"));
                vec![
                    format!("--config.file={}", dir.join("prometheus.yml").display()),
                    format!("--storage.tsdb.path={}", data.display()),
                    "--storage.tsdb.retention.time=100y".into(),
                    format!("--web.listen-address={address}"),
                    "--log.level=warn".into(),
                ]
            },
        ))
    }

    /// The answer of its API to a path below `/api/v1/`.
    pub fn api(&self, path: &str) -> Value {
        let (_, body) = self.0.get(&format!("/api/v1/{path}")).unwrap();
        serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error}: {body}"))
    }

    /// The answer to an instant query, `data` of it: at `time` (seconds), or now.
    pub fn query(&self, expr: &str, time: Option<f64>) -> Value {
        let at = time.map_or_else(String::new, |time| format!("&time={time}"));
        let answer = self.api(&format!("query?query={}{at}", encoded(expr)));
        assert_eq!(answer["status"], "success", "{expr}: {answer}");
        answer["data"].clone()
    }
}

/// A job with one target.
fn line(job: &str, address: &str, path: &str) -> String {
    format!(
        "- {{ job_name: {job}, honor_labels: true, metrics_path: \"{path}\", \
         static_configs: [{{ targets: [\"{address}\"] }}] }}\n"
    )
}

/// As a part of a URL's query.
pub fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// A `node_exporter` of this machine.
pub fn node_exporter() -> Daemon {
    Daemon::start("prometheus-node-exporter", "/", |address, _| {
        vec![
            format!("--web.listen-address={address}"),
            "--log.level=error".into(),
        ]
    })
}

/// An Alertmanager that tells nobody.
pub fn alertmanager() -> Daemon {
    Daemon::start("prometheus-alertmanager", "/-/ready", |address, dir| {
        let config = "route: { receiver: nobody }\nreceivers: [ { name: nobody } ]\n";
        fs::write(dir.join("alertmanager.yml"), config).unwrap();
        vec![
            format!("--config.file={}", dir.join("alertmanager.yml").display()),
            format!("--storage.path={}", dir.join("data").display()),
            format!("--web.listen-address={address}"),
            "--cluster.listen-address=".into(),
            "--log.level=error".into(),
        ]
    })
}
