//! A proxy with faults, something behind it, and ways to switch and to ask.
#![allow(
    clippy::unwrap_used,
    reason = "a test says what it expects by unwrapping"
)]
#![allow(dead_code, reason = "the benchmark uses its own part")]

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use stormdeck::fault::driver::{Done, Driver, FaultError, Touched};
use stormdeck::fault::drivers;
use stormdeck::fault::proxy::Proxies;
use stormdeck::fault::undo::Undo;
use stormdeck::profile::{self, Options};

use crate::support::free_port;

/// A faulty path to an upstream.
pub struct Stage {
    /// Before the proxies, so that it goes first, as in the engine.
    drivers: Vec<Option<Box<dyn Driver>>>,
    pub proxies: Option<Proxies>,
    /// Where clients connect.
    pub address: String,
}

impl Stage {
    /// In front of `upstream`; one fault for each list of toxics.
    pub fn new(upstream: &str, faults: &[&str]) -> Self {
        let listen = format!("127.0.0.1:{}", free_port());
        let mut text = String::from(
            "[window]\nduration = \"1m\"\n[[scenario]]\nname = \"a\"\ntarget = \"http://127.0.0.1:1\"\nrate = \"1/s\"\n\
             get = \"/\"\n",
        );
        for (number, toxics) in faults.iter().enumerate() {
            let proxy = format!("{{ listen = \"{listen}\", upstream = \"{upstream}\" }}");
            let lines = ["[[fault]]", "name = ", "proxy = ", "toxics = "];
            let values = [
                "",
                &format!("\"f{number}\""),
                &proxy,
                &format!("[{toxics}]"),
            ];
            for (line, value) in lines.iter().zip(values) {
                text.extend([line, value, "\n"]);
            }
        }
        let profile = profile::parse(&text, Path::new("."), &Options::default())
            .unwrap_or_else(|error| panic!("{error}"));
        let proxies = Proxies::start(&profile).unwrap();
        Self {
            drivers: drivers::of(&profile, &proxies).unwrap(),
            proxies: Some(proxies),
            address: listen,
        }
    }

    fn driver(&self, fault: usize) -> &dyn Driver {
        self.drivers[fault].as_deref().unwrap()
    }

    /// Puts a fault in; how long that took.
    pub fn inject(&self, fault: usize) -> Duration {
        let began = Instant::now();
        block_on(self.driver(fault).inject(&Undo::WithEngine)).unwrap();
        began.elapsed()
    }

    /// Takes it out; how long that took.
    pub fn revert(&self, fault: usize) -> Duration {
        let began = Instant::now();
        self.try_revert(fault).unwrap();
        began.elapsed()
    }

    pub fn try_revert(&self, fault: usize) -> Result<Done, FaultError> {
        block_on(self.driver(fault).revert(&Undo::WithEngine))
    }

    pub fn touched(&self, fault: usize) -> Option<Touched> {
        self.driver(fault).touched()
    }

    pub fn connect(&self) -> TcpStream {
        connect(&self.address)
    }
}

pub fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    stream
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(future)
}

/// Gives each connection to `serve`, on a thread of its own; the address.
pub fn server(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let serve = Arc::new(serve);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let serve = Arc::clone(&serve);
            stream.set_nodelay(true).unwrap();
            std::thread::spawn(move || serve(stream));
        }
    });
    address
}

/// Sends back what it gets, and then the end.
pub fn echo() -> String {
    server(|mut stream| {
        let mut bytes = [0; 16 << 10];
        while let Ok(length @ 1..) = stream.read(&mut bytes) {
            if stream.write_all(&bytes[..length]).is_err() {
                return;
            }
        }
        let _ = stream.shutdown(Shutdown::Write);
    })
}

/// The same for thousands of connections, on one thread.
pub fn wide_echo() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    listener.set_nonblocking(true).unwrap();
    std::thread::spawn(move || {
        block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut from, mut to) = stream.split();
                    let _ = tokio::io::copy(&mut from, &mut to).await;
                });
            }
        });
    });
    address
}

/// Sends so many bytes to whoever connects, and then the end.
pub fn source(bytes: usize) -> String {
    server(move |mut stream| {
        let _ = stream.write_all(&vec![7; bytes]);
    })
}

/// There and back: how long one byte takes.
pub fn round_trip(stream: &mut TcpStream) -> Duration {
    let began = Instant::now();
    stream.write_all(b"x").unwrap();
    stream.read_exact(&mut [0]).unwrap();
    began.elapsed()
}

pub fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}
