//! Which endpoints a target has: one URL, a list of hosts, or files that say so.
//!
//! In: a target of the profile, and files in the form of Prometheus' `file_sd_configs`. Out: endpoints, each with its
//! URL and labels. The invariant: a file that cannot be read now takes nothing away; what it said last stays.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::Deserialize;
use url::Url;

use crate::profile::model::{Many, Target, TargetSource};
use crate::profile::secret::Text;

/// Endpoints of one target that are taken; more are left out, with a word.
pub const MOST: usize = 2_000;

/// Bytes of a file of endpoints that are read.
const MOST_BYTES: u64 = 16 << 20;

/// One endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The URL that is scraped.
    pub url: Text,
    /// Host and port, the label `instance` unless a file says otherwise.
    pub instance: String,
    /// Labels of its series besides `job` and `instance`.
    pub labels: BTreeMap<String, String>,
}

/// What a target's endpoints are found by, and what was found last.
#[derive(Debug)]
pub struct Discovery {
    fixed: Vec<Place>,
    many: Option<Many>,
    labels: BTreeMap<String, String>,
    files: BTreeMap<PathBuf, Seen>,
}

/// A file as it was when it was read.
#[derive(Debug, Default)]
struct Seen {
    stamp: Option<(SystemTime, u64)>,
    places: Vec<Place>,
    wrong: Option<String>,
}

/// A group of endpoints in a file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    targets: Vec<String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

impl Discovery {
    /// Of a target that is scraped.
    pub fn new(target: &Target) -> Self {
        let labels = target.labels.clone();
        let (fixed, many) = match &target.source {
            TargetSource::Scrape(url)
            | TargetSource::Prometheus(url)
            | TargetSource::Alertmanager(url) => {
                let instance = instance_of(url.reveal());
                let url = url.clone();
                let labels = labels.clone();
                let place = Place {
                    url,
                    instance,
                    labels,
                };
                (vec![place], None)
            }
            TargetSource::Many(many) => {
                let hosts = many.hosts.iter();
                let fixed = hosts.map(|host| place(many, &labels, host, &BTreeMap::new()));
                (fixed.collect(), Some(many.clone()))
            }
        };
        Self {
            fixed,
            many,
            labels,
            files: BTreeMap::new(),
        }
    }

    /// Whether it can ever change.
    pub fn is_fixed(&self) -> bool {
        self.many.as_ref().is_none_or(|many| many.files.is_empty())
    }

    /// Reads the files that changed. Gives a sentence for each that is wrong and was not before.
    pub fn refresh(&mut self) -> Vec<String> {
        let Some(many) = &self.many else {
            return Vec::new();
        };
        let mut said = Vec::new();
        let mut there = HashSet::new();
        for path in many.files.iter().flat_map(|pattern| matching(pattern)) {
            let seen = self.files.entry(path.clone()).or_default();
            there.insert(path.clone());
            let outcome = match stamp(&path) {
                Ok(stamp) if seen.stamp == Some(stamp) => continue,
                Ok(stamp) => {
                    seen.stamp = Some(stamp);
                    read(&path)
                }
                Err(error) => Err(error.to_string()),
            };
            match outcome {
                Ok(groups) => {
                    let places = groups.iter().flat_map(|group| {
                        let hosts = group.targets.iter();
                        hosts.map(|host| place(many, &self.labels, host, &group.labels))
                    });
                    // Said once for each time that the file changes: an address that is none would be tried for ever.
                    let (places, odd): (Vec<_>, Vec<_>) =
                        places.partition(|place| Url::parse(place.url.reveal()).is_ok());
                    let odd = odd.iter().map(|place| {
                        let path = path.display();
                        format!("`{}` in `{path}` is no address; it is left out", place.url)
                    });
                    said.extend(odd);
                    seen.places = places;
                    seen.wrong = None;
                }
                Err(why) if seen.wrong.as_ref() != Some(&why) => {
                    said.push(format!(
                        "`{}` cannot be used as a list of targets: {why}; what it said before stays",
                        path.display()
                    ));
                    seen.wrong = Some(why);
                }
                Err(_) => {}
            }
        }
        // A file that is gone on purpose takes its endpoints with it; one that cannot be looked at does not.
        self.files
            .retain(|path, _| there.contains(path) || !is_gone(path));
        said
    }

    /// The endpoints now, each once, [`MOST`] at most.
    pub fn places(&self) -> Vec<Place> {
        let mut seen = HashSet::new();
        let found = self.files.values().flat_map(|file| &file.places);
        let all = self.fixed.iter().chain(found);
        all.filter(|place| seen.insert((place.url.reveal().to_owned(), place.labels.clone())))
            .take(MOST)
            .cloned()
            .collect()
    }
}

/// Host and port of a URL, with the port that its scheme stands for.
pub fn instance_of(url: &str) -> String {
    let parsed = Url::parse(url).ok();
    let named = parsed.as_ref().and_then(|url| {
        let port = url.port_or_known_default()?;
        Some(format!("{}:{port}", url.host_str()?))
    });
    named.unwrap_or_else(|| url.to_owned())
}

/// One endpoint of many. `__scheme__` and `__metrics_path__` mean what they mean to Prometheus; every other label that
/// begins with two underscores is left out, as there.
fn place(
    many: &Many,
    ours: &BTreeMap<String, String>,
    host: &str,
    theirs: &BTreeMap<String, String>,
) -> Place {
    let theirs_or = |label: &str, ours: &str| theirs.get(label).map_or(ours, |v| v).to_owned();
    let scheme = theirs_or("__scheme__", &many.scheme);
    let path = theirs_or("__metrics_path__", &many.path);
    let host = theirs_or("__address__", host);
    let slash = if path.starts_with('/') { "" } else { "/" };
    let url = format!("{scheme}://{host}{slash}{path}");
    let kept = theirs.iter().filter(|(name, _)| !name.starts_with("__"));
    let mut labels = ours.clone();
    labels.extend(kept.map(|(name, value)| (name.clone(), value.clone())));
    Place {
        instance: labels
            .remove("instance")
            .unwrap_or_else(|| instance_of(&url)),
        url: Text::plain(url),
        labels,
    }
}

/// The files that a path means: itself, or all that fit a `*` in its last part.
fn matching(pattern: &Path) -> Vec<PathBuf> {
    let last = pattern.file_name().map(|name| name.to_string_lossy());
    let Some((before, after)) = last.as_ref().and_then(|last| last.split_once('*')) else {
        return vec![pattern.to_path_buf()];
    };
    let dir = pattern.parent().unwrap_or(Path::new("."));
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries
        .filter(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            name.len() >= before.len() + after.len()
                && name.starts_with(before)
                && name.ends_with(after)
        })
        .map(|entry| entry.path())
        .collect();
    found.sort();
    found
}

fn stamp(path: &Path) -> std::io::Result<(SystemTime, u64)> {
    let meta = std::fs::metadata(path)?;
    Ok((meta.modified()?, meta.len()))
}

fn is_gone(path: &Path) -> bool {
    matches!(path.try_exists(), Ok(false))
}

/// JSON by its name, else YAML.
fn read(path: &Path) -> Result<Vec<Group>, String> {
    let length = std::fs::metadata(path).map_or(0, |meta| meta.len());
    if length > MOST_BYTES {
        return Err(format!("it has {length} bytes, more than {MOST_BYTES}"));
    }
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    let json = path
        .extension()
        .is_some_and(|extension| extension == "json");
    if json {
        serde_json::from_str(&text).map_err(|error| error.to_string())
    } else {
        serde_saphyr::from_str(&text).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
#[path = "discover_tests.rs"]
mod tests;
