//! What is broken on purpose.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::profile::secret::Text;
use crate::profile::units::Ratio;

/// `[[fault]]`: something broken on purpose.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// Unique among faults.
    pub name: String,
    /// The key that, after `f`, toggles it.
    pub key: Option<char>,
    /// How it is done and undone.
    pub driver: FaultDriver,
    /// It is cleared by itself after this long: 5 minutes unless said otherwise.
    pub max: Duration,
    /// The recovery budget.
    pub recover_within: Option<Duration>,
    /// The alert that should fire.
    pub detect: Option<String>,
    /// The service that it is done to, as the scorecard groups by; the profile's window unless said otherwise.
    pub service: Option<String>,
}

/// How a fault is done and undone.
#[derive(Debug, Clone, PartialEq)]
pub enum FaultDriver {
    /// The built-in TCP proxy.
    Proxy {
        /// Address it listens on. Faults with the same one share a proxy.
        listen: String,
        /// Address it forwards to.
        upstream: String,
        /// What it does to connections while the fault is on.
        toxics: Vec<Toxic>,
    },
    /// A proxy of a Toxiproxy server.
    Toxiproxy {
        /// URL of its API: `http://127.0.0.1:8474`.
        api: Text,
        /// Name of the proxy there.
        proxy: String,
        /// Between what it stands: created so while the fault is on, if the server has none of this name. Without, it
        /// must be there.
        ends: Option<Ends>,
        /// What it does to connections while the fault is on.
        toxics: Vec<Toxic>,
    },
    /// Requests that do it and undo it.
    Http {
        /// Break it, in this order.
        inject: Vec<Call>,
        /// Bring it back, in this order.
        revert: Vec<Call>,
        /// Answered as expected when it is back.
        check: Option<Call>,
    },
    /// Programs that do it and undo it.
    Exec {
        /// Breaks it.
        inject: CommandLine,
        /// Brings it back.
        revert: CommandLine,
        /// Exits 0 when it is back.
        check: Option<CommandLine>,
    },
    /// Something is done to a running process.
    Process {
        /// Which.
        which: Which,
        /// What.
        act: ProcessAct,
    },
    /// This machine is kept busy.
    Stress(Stress),
    /// The machine's network, by `tc` and `ip`.
    Network(Network),
    /// Several faults as one.
    Group {
        /// By index in the profile's faults; none of them is a group.
        faults: Vec<usize>,
        /// Time from one to the next; all at once when zero.
        stagger: Duration,
    },
}

/// Between what a proxy stands, as addresses with ports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ends {
    /// Where it listens.
    pub listen: String,
    /// Where it forwards to.
    pub upstream: String,
}

impl FaultDriver {
    /// The URLs that it asks.
    pub fn urls_mut(&mut self) -> Vec<&mut Text> {
        match self {
            Self::Http {
                inject,
                revert,
                check,
            } => {
                let calls = inject.iter_mut().chain(revert).chain(check);
                calls.map(|call| &mut call.url).collect()
            }
            Self::Toxiproxy { api, .. } => vec![api],
            Self::Proxy { .. }
            | Self::Exec { .. }
            | Self::Process { .. }
            | Self::Stress(_)
            | Self::Network(_)
            | Self::Group { .. } => Vec::new(),
        }
    }

    /// How it is done, in a word or two: the key of the profile, or the toxics: `latency + bandwidth`.
    pub fn kind(&self) -> String {
        match self {
            Self::Proxy { toxics, .. } | Self::Toxiproxy { toxics, .. } => {
                let kinds: Vec<&str> = toxics.iter().map(|toxic| toxic.kind.name()).collect();
                kinds.join(" + ")
            }
            Self::Http { .. } => "http".into(),
            Self::Exec { .. } => "command".into(),
            Self::Process { act, .. } => match act {
                ProcessAct::Pause => "process pause".into(),
                ProcessAct::Kill { .. } => "process kill".into(),
                ProcessAct::Cpu { .. } => "process cpu".into(),
            },
            Self::Stress(_) => "stress".into(),
            Self::Network(Network::Shape { .. }) => "network shape".into(),
            Self::Network(Network::Blackhole { .. }) => "blackhole".into(),
            Self::Group { .. } => "group".into(),
        }
    }
}

/// A program to run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CommandLine {
    /// The program and its arguments; with `shell`, one line for `sh -c`.
    pub words: Vec<Text>,
    /// Whether `sh` reads the line.
    pub shell: bool,
    /// Variables added to the environment.
    pub env: BTreeMap<String, Text>,
    /// Working directory; that of stormdeck unless said otherwise.
    pub dir: Option<PathBuf>,
    /// It is killed after this long: 30 s unless said otherwise.
    pub timeout: Duration,
}

/// A request that breaks or mends something, or asks how it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// `GET`, `POST`, …
    pub method: String,
    /// Where to.
    pub url: Text,
    /// Headers.
    pub headers: Vec<(String, Text)>,
    /// What is sent.
    pub body: Option<Text>,
    /// Statuses that count as done; any 2xx when empty.
    pub status: Vec<u16>,
    /// What the answer's body must hold.
    pub body_contains: Option<Text>,
    /// The limit on the whole exchange: 10 s unless said otherwise.
    pub timeout: Duration,
}

/// How a process is found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Which {
    /// A file that holds its number.
    PidFile(PathBuf),
    /// The local TCP port that it listens on.
    Port(u16),
    /// A regular expression that its command line matches; it must be the only one.
    Command(String),
}

/// What is done to a process.
#[derive(Debug, Clone, PartialEq)]
pub enum ProcessAct {
    /// It stands still: SIGSTOP, and SIGCONT.
    Pause,
    /// It is killed, and started again by this program.
    Kill {
        /// Starts it again. Without one, something else (systemd, a supervisor) is trusted to.
        restart: Option<CommandLine>,
        /// It must be there again after this long, counted from the revert: 30 s unless said otherwise.
        within: Duration,
    },
    /// It gets this share of one CPU.
    Cpu {
        /// 1 is a whole core.
        share: Ratio,
    },
}

/// What this machine is kept busy with. At least one of them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Stress {
    /// Cores to burn; at most as many as there are.
    pub cpu: Option<u32>,
    /// Bytes of memory to fill.
    pub memory: Option<u64>,
    /// Bytes of disk to fill.
    pub disk: Option<u64>,
    /// Where the disk is filled: the directory for temporary files unless said otherwise.
    pub dir: Option<PathBuf>,
}

/// What is done to the network of this machine.
#[derive(Debug, Clone, PartialEq)]
pub enum Network {
    /// What leaves an interface is delayed, lost or slowed down.
    Shape {
        /// The interface.
        interface: String,
        /// Delay of each packet.
        delay: Option<Duration>,
        /// Spread of the delay.
        jitter: Option<Duration>,
        /// Share of packets that are lost; 1 is a partition.
        loss: Option<Ratio>,
        /// At most this many bytes a second.
        rate: Option<u64>,
    },
    /// Nothing reaches these hosts: routes that lead nowhere.
    Blackhole {
        /// Addresses or networks, `10.0.0.5` or `10.1.0.0/16`.
        hosts: Vec<String>,
    },
}

/// What the proxy does to a connection.
#[derive(Debug, Clone, PartialEq)]
pub struct Toxic {
    /// The kind and its attributes.
    pub kind: ToxicKind,
    /// Share of connections hit; for the HTTP kinds, of requests.
    pub toxicity: Ratio,
    /// True for client to server, false (the default) for server to client.
    pub upstream: bool,
}

/// Kinds of toxic, with the attributes that Toxiproxy gives them, and some of our own.
#[derive(Debug, Clone, PartialEq)]
pub enum ToxicKind {
    /// Delay, give or take `jitter`.
    Latency {
        /// Added delay.
        latency: Duration,
        /// Uniform spread around it.
        jitter: Duration,
    },
    /// At most this many bytes a second.
    Bandwidth {
        /// Bytes a second.
        rate: u64,
    },
    /// Delay closing.
    SlowClose {
        /// Delay of the FIN.
        delay: Duration,
    },
    /// Swallow everything, close after a time (0 = never).
    Timeout {
        /// Time until the close.
        timeout: Duration,
    },
    /// RST after a time.
    ResetPeer {
        /// Time until the reset.
        timeout: Duration,
    },
    /// Cut the stream in small pieces.
    Slicer {
        /// Average bytes a piece.
        average_size: u64,
        /// Spread around it.
        size_variation: u64,
        /// Delay between pieces.
        delay: Duration,
    },
    /// Close after this many bytes.
    LimitData {
        /// Bytes.
        bytes: u64,
    },
    /// The upstream is as good as gone.
    Down(Down),
    /// Requests of plain HTTP/1.1 are answered by the proxy itself.
    HttpStatus {
        /// With this status.
        status: u16,
        /// Which requests.
        requests: Requests,
    },
    /// Requests of plain HTTP/1.1 are held back.
    HttpDelay {
        /// For so long.
        delay: Duration,
        /// Which requests.
        requests: Requests,
    },
}

/// How an upstream is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Down {
    /// Nothing listens any more; what is connected is reset.
    Refuse,
    /// Connections are accepted and reset.
    Reset,
    /// Connections are accepted and nothing ever comes.
    Hang,
    /// New connections are refused, those that are there may finish.
    Drain,
}

/// Which requests a toxic is for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Requests {
    /// A path, in which `*` stands for anything; every path if absent.
    pub path: Option<String>,
    /// A method; every method if absent.
    pub method: Option<String>,
}

impl ToxicKind {
    /// The word that a profile has for it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Latency { .. } => "latency",
            Self::Bandwidth { .. } => "bandwidth",
            Self::SlowClose { .. } => "slow_close",
            Self::Timeout { .. } => "timeout",
            Self::ResetPeer { .. } => "reset_peer",
            Self::Slicer { .. } => "slicer",
            Self::LimitData { .. } => "limit_data",
            Self::Down(_) => "down",
            Self::HttpStatus { .. } => "http status",
            Self::HttpDelay { .. } => "http delay",
        }
    }
}
