//! Where a profile comes from: a file, or one of those that are built in.
//!
//! In: a path or a shipped name, and [`Options`]. Out: a [`Profile`], or a [`LoadError`] that says what to do. A file
//! that exists wins over a shipped name.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::diagnostic::ProfileError;
use super::model::Profile;
use super::read;

/// The largest file that is taken for a profile, bytes.
pub const LARGEST: u64 = 1 << 20;

/// What a profile is read with.
#[derive(Clone, PartialEq)]
pub struct Options {
    /// `-e NAME=VALUE`, which wins over the environment; of two with one name the later wins.
    pub variables: Vec<(String, String)>,
    /// The environment.
    pub env: BTreeMap<String, String>,
    /// Factor on every duration of the schedule, above 0.
    pub time_scale: f64,
}

impl Default for Options {
    /// No variables at all, and time as it is.
    fn default() -> Self {
        Self {
            variables: Vec::new(),
            env: BTreeMap::new(),
            time_scale: 1.0,
        }
    }
}

impl Options {
    /// With the environment of this process; what is not UTF-8 in it is left out.
    pub fn from_env() -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self {
            env: std::env::vars_os().filter_map(text).collect(),
            ..Self::default()
        }
    }
}

impl fmt::Debug for Options {
    /// Names only: values may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&String> = self.variables.iter().map(|(name, _)| name).collect();
        f.debug_struct("Options")
            .field("variables", &names)
            .field("time_scale", &self.time_scale)
            .finish_non_exhaustive()
    }
}

/// Why there is no profile.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Neither a file nor a shipped name.
    #[error(
        "there is no file `{}` and no shipped profile of that name; shipped are {}",
        .path.display(),
        offered(.path)
    )]
    NotFound {
        /// What was asked for.
        path: PathBuf,
    },
    /// A folder in the place of a file.
    #[error("`{}` is a folder; name the profile in it", .0.display())]
    Folder(PathBuf),
    /// Something other than a file.
    #[error("`{}` is not a regular file", .0.display())]
    NotAFile(PathBuf),
    /// A file past [`LARGEST`].
    #[error("`{}` is larger than 1 MiB, which is no profile", .0.display())]
    TooLarge(PathBuf),
    /// A file that is not text.
    #[error("`{}` is not a text file in UTF-8", .0.display())]
    Binary(PathBuf),
    /// A file that cannot be read.
    #[error("cannot read `{}`: {error}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A time scale that is no factor.
    #[error("a time scale of {0} makes no sense; it must be above 0, like 0.01")]
    TimeScale(f64),
    /// A text with mistakes.
    #[error(transparent)]
    Profile(#[from] ProfileError),
}

impl LoadError {
    /// The error as text, in colour where it has any.
    pub fn render(&self, colour: bool) -> String {
        match self {
            Self::Profile(error) => error.render(colour),
            other => format!("error: {other}"),
        }
    }
}

/// The profiles that are built in: names and texts.
const SHIPPED: [(&str, &str); 9] = [
    ("demo", include_str!("../../profiles/demo.toml")),
    ("smoke", include_str!("../../profiles/smoke.toml")),
    ("baseline", include_str!("../../profiles/baseline.toml")),
    ("steps", include_str!("../../profiles/steps.toml")),
    ("stress", include_str!("../../profiles/stress.toml")),
    ("spike", include_str!("../../profiles/spike.toml")),
    ("soak", include_str!("../../profiles/soak.toml")),
    ("breakpoint", include_str!("../../profiles/breakpoint.toml")),
    ("chaos", include_str!("../../profiles/chaos.toml")),
];

/// The recipes of faults that are built in: small profiles without a load, to be drilled, or to be copied from.
const RECIPES: [(&str, &str); 12] = [
    (
        "faults/argo-workflow",
        include_str!("../../profiles/faults/argo-workflow.toml"),
    ),
    (
        "faults/chaos-mesh-network",
        include_str!("../../profiles/faults/chaos-mesh-network.toml"),
    ),
    (
        "faults/chaos-mesh-pod",
        include_str!("../../profiles/faults/chaos-mesh-pod.toml"),
    ),
    (
        "faults/docker-kill",
        include_str!("../../profiles/faults/docker-kill.toml"),
    ),
    (
        "faults/docker-pause",
        include_str!("../../profiles/faults/docker-pause.toml"),
    ),
    (
        "faults/kubectl-pod-kill",
        include_str!("../../profiles/faults/kubectl-pod-kill.toml"),
    ),
    (
        "faults/litmus",
        include_str!("../../profiles/faults/litmus.toml"),
    ),
    (
        "faults/nginx-reload",
        include_str!("../../profiles/faults/nginx-reload.toml"),
    ),
    (
        "faults/nginx-stop",
        include_str!("../../profiles/faults/nginx-stop.toml"),
    ),
    (
        "faults/postgres-promote",
        include_str!("../../profiles/faults/postgres-promote.toml"),
    ),
    (
        "faults/redis-failover",
        include_str!("../../profiles/faults/redis-failover.toml"),
    ),
    (
        "faults/systemctl",
        include_str!("../../profiles/faults/systemctl.toml"),
    ),
];

/// The names of the profiles that are built in.
pub fn shipped_names() -> impl Iterator<Item = &'static str> {
    SHIPPED.iter().map(|(name, _)| *name)
}

/// The names of the recipes of faults that are built in.
pub fn recipe_names() -> impl Iterator<Item = &'static str> {
    RECIPES.iter().map(|(name, _)| *name)
}

/// What could have been meant: recipes where one was asked for, profiles otherwise.
fn offered(path: &Path) -> String {
    let names: Vec<&str> = if path.starts_with("faults") {
        recipe_names().collect()
    } else {
        shipped_names().collect()
    };
    names.join(", ")
}

/// The text of a profile, or of a recipe, that is built in.
pub fn shipped(name: &str) -> Option<&'static str> {
    SHIPPED
        .iter()
        .chain(&RECIPES)
        .find(|(known, _)| *known == name)
        .map(|(_, text)| *text)
}

/// Loads a profile from a file, or from those that are built in.
///
/// # Errors
/// When there is none of that name, when it cannot be read, and when it has mistakes: then with all of them.
pub fn load(path_or_name: &str, options: &Options) -> Result<Profile, LoadError> {
    let path = Path::new(path_or_name);
    let meta = match std::fs::metadata(path) {
        Ok(meta) => meta,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let path = path.to_owned();
            let text = shipped(path_or_name).ok_or(LoadError::NotFound { path })?;
            return parse_as(text, Path::new(path_or_name), Path::new("."), options);
        }
        Err(error) => {
            let path = path.to_owned();
            return Err(LoadError::Unreadable { path, error });
        }
    };
    if meta.is_dir() {
        return match shipped(path_or_name) {
            Some(text) => parse_as(text, path, Path::new("."), options),
            None => Err(LoadError::Folder(path.to_owned())),
        };
    }
    if !meta.is_file() {
        return Err(LoadError::NotAFile(path.to_owned()));
    }
    let text = read_text(path)?;
    let base = path
        .parent()
        .filter(|base| !base.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    parse_as(&text, path, base, options)
}

fn read_text(path: &Path) -> Result<String, LoadError> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes))
        .map_err(|error| LoadError::Unreadable {
            path: path.to_owned(),
            error,
        })?;
    if bytes.len() as u64 > LARGEST {
        return Err(LoadError::TooLarge(path.to_owned()));
    }
    match String::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') => Ok(text),
        _ => Err(LoadError::Binary(path.to_owned())),
    }
}

/// Reads the text of a profile; relative paths in it start at `base`.
///
/// # Errors
/// When it has mistakes: then with all of them.
pub fn parse(text: &str, base: &Path, options: &Options) -> Result<Profile, LoadError> {
    parse_as(text, Path::new("profile.toml"), base, options)
}

fn parse_as(
    text: &str,
    origin: &Path,
    base: &Path,
    options: &Options,
) -> Result<Profile, LoadError> {
    let scale = options.time_scale;
    if !(scale.is_finite() && scale > 0.0) {
        return Err(LoadError::TimeScale(scale));
    }
    if text.len() as u64 > LARGEST {
        return Err(LoadError::TooLarge(origin.to_owned()));
    }
    Ok(read::read(text, origin, base, options)?)
}
