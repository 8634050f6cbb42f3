//! `stormdeck scrape URL|FILE`: what a target says, as a window would see it.

mod print;

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::ValueEnum;

use super::{could_not, printed};
use crate::profile::model::Tls;
use crate::profile::secret::Text;
use crate::profile::units::{format_bytes, format_duration, parse_bytes, parse_duration};
use crate::scrape::Labels;
use crate::scrape::client::{Client, Endpoint, Fetched, MAX_BODY, TIMEOUT};
use crate::scrape::exposition::Format;
use crate::scrape::exposition::cache::{Cache, Scraped};

/// What the exit code says, for the help.
pub const EXIT_STATUS: &str = "Exit status: 0 when everything was read, 1 when the scrape failed or a line was bad, 2 \
    when the command makes no sense.";

/// Options of `stormdeck scrape`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// An address (http://, https://), a file, or `-` for standard input
    #[arg(value_name = "URL|FILE")]
    source: String,
    /// Print the samples as JSON
    #[arg(long)]
    json: bool,
    /// List every series with its value
    #[arg(long, conflicts_with = "json")]
    series: bool,
    /// How to read it; if left out, what the Content-Type says, or for a file whether `# EOF` ends it
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Written>,
    /// Limit on the whole scrape
    #[arg(long, value_name = "TIME", default_value_t = Time(TIMEOUT), value_parser = timeout)]
    timeout: Time,
    /// Send a header. May be repeated
    #[arg(long, value_name = "NAME: VALUE", value_parser = header)]
    header: Vec<(String, String)>,
    /// Send the bearer token in this file
    #[arg(long, value_name = "FILE")]
    bearer_file: Option<PathBuf>,
    /// Accept any certificate
    #[arg(long)]
    insecure: bool,
    /// Trust the certificate authorities in this PEM file, in place of the public ones
    #[arg(long, value_name = "FILE", conflicts_with = "insecure")]
    ca: Option<PathBuf>,
    /// Connect to this Unix socket
    #[arg(long, value_name = "SOCKET")]
    unix: Option<PathBuf>,
    /// Most that is read, decompressed
    #[arg(long, value_name = "SIZE", default_value_t = Size(MAX_BODY), value_parser = size)]
    max_size: Size,
}

/// [`Format`] on the command line.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Written {
    /// The Prometheus text format 0.0.4
    Text,
    /// Its successor, version 1.0, which `# EOF` ends
    Openmetrics,
}

/// Bytes, printed as they are written.
#[derive(Debug, Clone, Copy)]
struct Size(usize);

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&format_bytes(self.0 as u64))
    }
}

/// A length of time, printed as it is written.
#[derive(Debug, Clone, Copy)]
struct Time(Duration);

impl std::fmt::Display for Time {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&format_duration(self.0))
    }
}

/// A body, and how it came.
struct Got {
    body: Vec<u8>,
    format: Format,
    /// Bytes over the wire, if it came over one.
    wire: Option<usize>,
    took: Duration,
}

/// All that is known after a scrape.
struct Outcome {
    got: Option<Got>,
    /// By the ids in `scraped`.
    series: Vec<Labels>,
    scraped: Scraped,
    cache: Cache,
    /// Why the scrape counts for nothing.
    error: Option<String>,
}

/// Runs the command.
pub fn run(args: &Args) -> ExitCode {
    let got = if args.source.contains("://") {
        let mut client = match Client::new(args.endpoint()) {
            Ok(client) => client,
            Err(error) => return could_not("scrape", &error),
        };
        fetch(&mut client, args.format())
    } else {
        read(args)
    };
    let outcome = Outcome::of(got);
    let text = if args.json {
        print::json(&outcome)
    } else {
        print::text(&outcome, args.series)
    };
    let bad = outcome.error.is_some() || outcome.scraped.bad_lines > 0;
    match super::print(text.as_bytes()) {
        Ok(()) if bad => ExitCode::from(1),
        result => printed("what was scraped", result),
    }
}

impl Args {
    fn endpoint(&self) -> Endpoint {
        let headers = self.header.iter();
        Endpoint {
            unix: self.unix.clone(),
            headers: headers
                .map(|(name, value)| (name.clone(), Text::with_secret(value, "…")))
                .collect(),
            bearer_file: self.bearer_file.clone(),
            tls: Tls {
                ca: self.ca.clone(),
                insecure: self.insecure,
                ..Tls::default()
            },
            timeout: self.timeout.0,
            max_body: self.max_size.0,
            ..Endpoint::new(Text::plain(&self.source))
        }
    }

    fn format(&self) -> Option<Format> {
        self.format.map(|format| match format {
            Written::Text => Format::Text,
            Written::Openmetrics => Format::OpenMetrics,
        })
    }
}

/// Scrapes an address.
fn fetch(client: &mut Client, format: Option<Format>) -> Result<Got, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    let fetched = runtime.block_on(client.fetch());
    let Fetched {
        body,
        content_type,
        wire,
        took,
        ..
    } = fetched.map_err(|error| error.to_string())?;
    let told = || Format::of(content_type.as_deref()).map_err(|failed| failed.to_string());
    Ok(Got {
        format: format.map_or_else(told, Ok)?,
        body,
        wire: Some(wire),
        took,
    })
}

/// Reads a file or standard input.
fn read(args: &Args) -> Result<Got, String> {
    let begun = Instant::now();
    let max = args.max_size.0;
    let limit = (max as u64).saturating_add(1);
    let mut body = Vec::new();
    let read = match args.source.as_str() {
        "-" => io::stdin().lock().take(limit).read_to_end(&mut body),
        path => File::open(path).and_then(|file| file.take(limit).read_to_end(&mut body)),
    };
    read.map_err(|error| format!("it cannot be read: {error}"))?;
    if body.len() > max {
        return Err(format!(
            "it is larger than {}, the most that is read",
            args.max_size
        ));
    }
    Ok(Got {
        format: args.format().unwrap_or_else(|| Format::guess(&body)),
        body,
        wire: None,
        took: begun.elapsed(),
    })
}

impl Outcome {
    fn of(got: Result<Got, String>) -> Self {
        let mut outcome = Self {
            got: None,
            series: Vec::new(),
            scraped: Scraped::default(),
            cache: Cache::new(),
            error: None,
        };
        match got {
            Err(error) => outcome.error = Some(error),
            Ok(got) => outcome.take(got),
        }
        outcome
    }

    fn take(&mut self, got: Got) {
        let Self {
            series, scraped, ..
        } = self;
        let mut ids: HashMap<Labels, u32> = HashMap::new();
        // Only samples without a time are compared with the time of the scrape, so it need not be the real one.
        self.cache
            .scrape(&got.body, got.format, i64::MAX, scraped, |labels| {
                let next = series.len() as u32;
                let id = *ids.entry(labels).or_insert_with_key(|labels| {
                    series.push(labels.clone());
                    next
                });
                Some(id)
            });
        self.error = scraped.failed.map(|failed| failed.to_string());
        self.got = Some(got);
    }
}

fn timeout(text: &str) -> Result<Time, String> {
    match parse_duration(text) {
        Ok(time) if !time.is_zero() => Ok(Time(time)),
        Ok(_) => Err("a scrape takes some time".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn size(text: &str) -> Result<Size, String> {
    let bytes = parse_bytes(text).map_err(|error| error.to_string())?;
    let bytes = usize::try_from(bytes).map_err(|_| "this machine has no such sizes")?;
    Ok(Size(bytes))
}

fn header(text: &str) -> Result<(String, String), String> {
    match text.split_once(':') {
        Some((name, value)) if !name.trim().is_empty() => {
            Ok((name.trim().to_owned(), value.trim().to_owned()))
        }
        _ => Err("write NAME: VALUE".to_owned()),
    }
}
