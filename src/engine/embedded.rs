//! Demo services that a profile asks for with `embedded://shop`, each in a process of its own.
//!
//! A process of its own keeps the generator's figures about itself honest. It ends with its owner, even after
//! `kill -9`: it holds the other end of a pipe and leaves when that closes.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::profile::Profile;
use crate::profile::secret::Text;
use crate::target::options::{Options, OptionsError};

const SCHEME: &str = "embedded://shop";

/// Stands for a service that is not started.
const NOWHERE: &str = "http://127.0.0.1:1";

/// Running demo services; dropping it ends them.
#[derive(Debug, Default)]
pub struct Embedded {
    children: Vec<Child>,
}

/// Why a demo service did not start.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// The process could not be started.
    #[error("the embedded demo service could not be started: {0}")]
    Spawn(#[from] std::io::Error),
    /// The URL asks for something that the service does not have.
    #[error("`embedded://shop?{query}` is not understood: {source}")]
    Options {
        /// What was asked for.
        query: String,
        /// What is wrong with it.
        source: OptionsError,
    },
    /// It ended, or said something else than its address.
    #[error("the embedded demo service did not come up; it said {said:?}")]
    NotUp {
        /// Its first line.
        said: String,
    },
}

impl Embedded {
    /// Starts one service for each different `embedded://` URL of the profile and puts its real address in the place
    /// of that URL. `program` is the stormdeck executable.
    ///
    /// # Errors
    /// When a service does not start; those that did are ended.
    pub fn start(profile: &mut Profile, program: &Path) -> Result<Self, EmbeddedError> {
        let mut services = Self::default();
        replace(profile, |query| services.spawn(program, query))?;
        Ok(services)
    }

    fn spawn(&mut self, program: &Path, query: &str) -> Result<String, EmbeddedError> {
        understand(query)?;
        let mut child = Command::new(program)
            .args(["target", "--with-parent"])
            .args(flags(query))
            // Ctrl-C goes to every process of the terminal's foreground group. This one serves until the window has
            // drained.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()?;
        let out = child.stdout.take();
        self.children.push(child);
        let mut said = String::new();
        if let Some(out) = out {
            BufReader::new(out).read_line(&mut said)?;
        }
        match said.trim().strip_prefix("listening on ") {
            Some(address) => Ok(address.to_owned()),
            None => Err(EmbeddedError::NotUp {
                said: said.trim().to_owned(),
            }),
        }
    }
}

/// Finds what would keep [`Embedded::start`] from understanding the profile, and starts nothing: an address at which
/// nobody listens takes the place of each `embedded://` URL.
pub fn check(profile: &mut Profile) -> Vec<EmbeddedError> {
    let mut mistakes = Vec::new();
    let replaced = replace(profile, |query| {
        mistakes.extend(understand(query).err());
        Ok(NOWHERE.to_owned())
    });
    mistakes.extend(replaced.err());
    mistakes
}

/// Puts an address in the place of each `embedded://` URL, asking `address_for` once for each different query.
fn replace(
    profile: &mut Profile,
    mut address_for: impl FnMut(&str) -> Result<String, EmbeddedError>,
) -> Result<(), EmbeddedError> {
    let mut known: Vec<(String, String)> = Vec::new();
    let scenario_urls = profile
        .scenarios
        .iter_mut()
        .map(|scenario| &mut scenario.target);
    let target_urls = profile
        .targets
        .iter_mut()
        .filter_map(|target| target.source.url_mut());
    let fault_urls = profile
        .faults
        .iter_mut()
        .flat_map(|fault| fault.driver.urls_mut());
    for url in scenario_urls.chain(target_urls).chain(fault_urls) {
        let Some(rest) = url.reveal().strip_prefix(SCHEME) else {
            continue;
        };
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (path, query) = (path.to_owned(), query.to_owned());
        let address = if let Some((_, address)) = known.iter().find(|(asked, _)| *asked == query) {
            address.clone()
        } else {
            let address = address_for(&query)?;
            known.push((query, address.clone()));
            address
        };
        *url = Text::plain(format!("{address}{path}"));
    }
    Ok(())
}

fn understand(query: &str) -> Result<(), EmbeddedError> {
    match Options::from_query(query) {
        Ok(_) => Ok(()),
        Err(source) => Err(EmbeddedError::Options {
            query: query.to_owned(),
            source,
        }),
    }
}

/// The command line that asks for the same as the query of an `embedded://` URL.
fn flags(query: &str) -> Vec<String> {
    let pairs = url::form_urlencoded::parse(query.as_bytes());
    let flags = pairs.map(|(key, value)| match key.strip_prefix("service.") {
        Some(page) => format!("--service-of={page}={value}"),
        None => format!("--{key}={value}"),
    });
    flags.collect()
}

impl Drop for Embedded {
    fn drop(&mut self) {
        for child in &mut self.children {
            drop(child.stdin.take());
            // It leaves by itself once its input is closed; a kill only makes sure of it.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
