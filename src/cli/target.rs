//! `stormdeck target`: the embedded demo service on its own.
//!
//! Flags flow in; one line with the address flows out when the service accepts connections, then nothing until it is
//! told to end by a signal or, with `--with-parent`, by the end of its standard input.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::ExitCode;

use clap::builder::{PossibleValuesParser, RangedU64ValueParser, TypedValueParser};
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use crate::target::options::{LONGEST_QUEUE, MOST_SERVERS};
use crate::target::{self, Distribution, Options, OptionsError, Page, ServiceTimes, StallEvery};

/// Flags of `stormdeck target`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Loopback address to listen on; port 0 takes a free one
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// Parallel servers behind one queue; 0 for as many as it takes
    #[arg(long, value_name = "N", default_value_t = Options::default().servers,
          value_parser = RangedU64ValueParser::<usize>::new().range(0..=MOST_SERVERS as u64))]
    pub servers: usize,
    /// Service time of every page: fixed:5ms, exp:1ms, lognormal:median=2ms,sigma=0.5, uniform:1ms..3ms
    /// [default: log-normal by page, 2 ms to 12 ms]
    #[arg(long, value_name = "DIST")]
    pub service: Option<Distribution>,
    /// Service time of one page, as search=exp:8ms; may be repeated
    #[arg(long, value_name = "PAGE=DIST", value_parser = page_service)]
    pub service_of: Vec<(Page, Distribution)>,
    /// Requests that may wait for a server; one more is answered 503
    #[arg(long, value_name = "N", default_value_t = Options::default().queue,
          value_parser = RangedU64ValueParser::<usize>::new().range(0..=LONGEST_QUEUE as u64))]
    pub queue: usize,
    /// Seed of all random draws
    #[arg(long, value_name = "N", default_value_t = Options::default().seed)]
    pub seed: u64,
    /// Stand still for so long at the end of every so long, as 2s/10s
    #[arg(long, value_name = "FOR/EVERY")]
    pub stall: Option<StallEvery>,
    /// Whether /metrics answers
    #[arg(long, value_name = "on|off", default_value = "on", action = clap::ArgAction::Set,
          value_parser = PossibleValuesParser::new(["on", "off"]).map(|value| value == "on"))]
    pub metrics: bool,
    /// End when standard input does, so that the service dies with whoever started it
    #[arg(long)]
    pub with_parent: bool,
}

fn page_service(text: &str) -> Result<(Page, Distribution), OptionsError> {
    let (page, distribution) = text
        .split_once('=')
        .ok_or_else(|| OptionsError::Page(text.to_owned()))?;
    Ok((page.parse()?, distribution.parse()?))
}

impl Args {
    fn options(&self) -> Options {
        let mut service = self
            .service
            .map_or_else(ServiceTimes::default, ServiceTimes::all);
        for (page, distribution) in &self.service_of {
            service.set(*page, *distribution);
        }
        Options {
            servers: self.servers,
            queue: self.queue,
            service,
            seed: self.seed,
            stall: self.stall,
            metrics: self.metrics,
        }
    }
}

/// Runs the service until it is told to end. 0 when it ended as told, 2 when it could not run.
#[expect(
    clippy::needless_pass_by_value,
    reason = "every subcommand is run the same way, and most consume their flags"
)]
pub fn run(args: Args) -> ExitCode {
    match run_with(&args, io::stdin(), &mut io::stdout()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody left to tell when this fails too.
            let _ = writeln!(io::stderr(), "stormdeck target: {error}");
            ExitCode::from(2)
        }
    }
}

fn run_with(
    args: &Args,
    input: impl Read + Send + 'static,
    output: &mut impl Write,
) -> io::Result<()> {
    raise_open_files();
    let address = args.listen;
    if !address.ip().is_loopback() {
        return Err(target::not_loopback(address));
    }
    let listener = TcpListener::bind(address).map_err(|error| {
        io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"))
    })?;
    let parent = args.with_parent.then(|| watch_parent(input)).transpose()?;
    let listening = listener.local_addr()?;
    target::serve(listener, args.options(), async {
        // Handlers first: who reads the line may send a signal at once.
        let signals = (
            signal(SignalKind::interrupt()),
            signal(SignalKind::terminate()),
        );
        // Nobody may read the line, as when the output is closed; the service is no worse for it.
        let _ = writeln!(output, "listening on http://{listening}").and_then(|()| output.flush());
        let orphaned = async {
            match parent {
                // An error says that the watching thread is gone, which it is at the end of the input only.
                Some(parent) => drop(parent.await),
                None => std::future::pending().await,
            }
        };
        let (Ok(mut interrupt), Ok(mut terminate)) = signals else {
            // Without handlers the signals end the process by themselves.
            return orphaned.await;
        };
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            () = orphaned => {}
        }
    })
}

/// Ready when there is no more to read.
fn watch_parent(input: impl Read + Send + 'static) -> io::Result<oneshot::Receiver<()>> {
    let (orphan, orphaned) = oneshot::channel();
    std::thread::Builder::new()
        .name("parent".to_owned())
        .spawn(move || {
            wait_for_end(input);
            // Fails when the service has ended already.
            let _ = orphan.send(());
        })?;
    Ok(orphaned)
}

/// Reads and forgets until there is no more.
fn wait_for_end(mut input: impl Read) {
    let mut forgotten = [0; 4096];
    loop {
        match input.read(&mut forgotten) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

/// Allows as many connections as the system lets this process have.
fn raise_open_files() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // A lower limit only means fewer connections.
    let _ = setrlimit(Resource::Nofile, limit);
}

#[cfg(test)]
#[path = "target_tests.rs"]
mod tests;
