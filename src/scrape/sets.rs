//! Sets of gauges for exporters that are known: what to look at without writing a gauge.
//!
//! In: the shipped sets and a person's own, and the names of the metrics that a target was found to have. Out: the sets
//! that fit it, and their gauges with the target's own matchers in them. The invariant: a set of a person's own takes the
//! place of a shipped one with its name, and a file with a mistake takes nothing from the others.
//!
//! To ship another set, put a file into `assets/gauges/` and its name into the list below.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::Labels;
use super::labels::{NAME, is_plain_label};
use crate::profile::model::{Gauge, GaugeSet};
use crate::profile::{ProfileError, gauge_set};

/// Where the matchers of a target go in an expression.
const TARGET: &str = "$target";

/// The largest file that is taken for a set, bytes.
const LARGEST: u64 = 1 << 20;

/// The sets that are built in: file names and texts.
const SHIPPED: [(&str, &str); 9] = [
    ("node.toml", include_str!("../../assets/gauges/node.toml")),
    (
        "process.toml",
        include_str!("../../assets/gauges/process.toml"),
    ),
    ("go.toml", include_str!("../../assets/gauges/go.toml")),
    ("jvm.toml", include_str!("../../assets/gauges/jvm.toml")),
    (
        "postgres.toml",
        include_str!("../../assets/gauges/postgres.toml"),
    ),
    ("redis.toml", include_str!("../../assets/gauges/redis.toml")),
    ("nginx.toml", include_str!("../../assets/gauges/nginx.toml")),
    (
        "kubernetes.toml",
        include_str!("../../assets/gauges/kubernetes.toml"),
    ),
    ("shop.toml", include_str!("../../assets/gauges/shop.toml")),
];

/// Why there is no set in a file.
#[derive(Debug, thiserror::Error)]
pub enum SetError {
    /// It cannot be read.
    #[error("cannot read `{}`: {error}", .path.display())]
    Unreadable {
        /// The file, or the folder of them.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// It is no set at all.
    #[error("`{}` is larger than 1 MiB, which is no set of gauges", .0.display())]
    TooLarge(PathBuf),
    /// A text with mistakes.
    #[error(transparent)]
    Mistakes(#[from] ProfileError),
}

/// All sets there are.
#[derive(Debug, Clone, PartialEq)]
pub struct Sets(Vec<GaugeSet>);

impl Sets {
    /// Those that are built in.
    pub fn shipped() -> Self {
        let read = SHIPPED.iter().map(|(name, text)| gauge_set(text, name));
        // A test reads each of them; none has a mistake.
        Self(read.filter_map(Result::ok).collect())
    }

    /// Those that are built in, and every `*.toml` of a folder in the order of their names; a folder that is not there
    /// has none. Gives what is wrong with files, too.
    pub fn with_own(folder: &Path) -> (Self, Vec<SetError>) {
        let mut sets = Self::shipped();
        let mut mistakes = Vec::new();
        let unreadable = |error| SetError::Unreadable {
            path: folder.to_owned(),
            error,
        };
        let mut paths: Vec<PathBuf> = match std::fs::read_dir(folder) {
            Ok(entries) => entries
                .filter_map(|entry| Some(entry.ok()?.path()))
                .filter(|path| path.extension() == Some(OsStr::new("toml")))
                .collect(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => {
                mistakes.push(unreadable(error));
                Vec::new()
            }
        };
        paths.sort();
        for path in paths {
            match read(&path) {
                Ok(set) => sets.add(set),
                Err(error) => mistakes.push(error),
            }
        }
        (sets, mistakes)
    }

    /// Every set.
    pub fn iter(&self) -> impl Iterator<Item = &GaugeSet> {
        self.0.iter()
    }

    /// The sets that fit a target, where `seen` tells whether a metric of that name was scraped from it.
    pub fn matching(&self, seen: impl Fn(&str) -> bool) -> Vec<&GaugeSet> {
        let fits = |set: &&GaugeSet| {
            set.when.iter().all(|name| seen(name)) && !set.unless.iter().any(|name| seen(name))
        };
        self.iter().filter(fits).collect()
    }

    fn add(&mut self, set: GaugeSet) {
        match self.0.iter_mut().find(|known| known.name == set.name) {
            Some(known) => *known = set,
            None => self.0.push(set),
        }
    }
}

fn read(path: &Path) -> Result<GaugeSet, SetError> {
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(LARGEST + 1).read_to_string(&mut text))
        .map_err(|error| SetError::Unreadable {
            path: path.to_owned(),
            error,
        })?;
    if text.len() as u64 > LARGEST {
        return Err(SetError::TooLarge(path.to_owned()));
    }
    Ok(gauge_set(&text, &path.display().to_string())?)
}

/// Where a person's own sets are: `$XDG_CONFIG_HOME/stormdeck/gauges`, else `~/.config/stormdeck/gauges`; `None` when
/// there is no home. `env` gives the value of a variable.
pub fn own_folder(env: impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let absolute = |name| {
        env(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let folder = match absolute("XDG_CONFIG_HOME") {
        Some(folder) => folder,
        None => absolute("HOME")?.join(".config"),
    };
    Some(folder.join("stormdeck/gauges"))
}

/// The gauges of a set for the target with these labels (`job`, `instance`); `of` is its index in the profile.
pub fn gauges_for(set: &GaugeSet, target: &Labels, of: usize) -> Vec<Gauge> {
    let gauges = set.gauges.iter().map(|gauge| Gauge {
        of: Some(of),
        expr: expr_for(&gauge.expr, target),
        ..gauge.clone()
    });
    gauges.collect()
}

/// An expression of a set for the target with these labels: `up{$target}` becomes `up{instance="…",job="…"}`.
pub fn expr_for(expr: &str, target: &Labels) -> String {
    let pairs = target.iter();
    // What is no plain name cannot be written in a selector, and a metric's name is no matcher of a target.
    let pairs = pairs.filter(|(name, _)| *name != NAME && is_plain_label(name));
    let braced = Labels::new(pairs).to_string();
    let matchers = braced
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'))
        .unwrap_or_default();
    let mut filled = String::with_capacity(expr.len() + 2 * matchers.len());
    let mut rest = expr;
    while let Some((before, after)) = rest.split_once(TARGET) {
        filled.push_str(before);
        filled.push_str(matchers);
        // A comma after nothing would be a mistake.
        rest = match after.trim_start().strip_prefix(',') {
            Some(more) if matchers.is_empty() => more.trim_start(),
            _ => after,
        };
    }
    filled + rest
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use promql_parser::parser::{Expr, VectorSelector, parse};
    use promql_parser::util::{ExprVisitor, walk_expr};

    use super::*;

    fn target() -> Labels {
        Labels::new([("job", "a \"b\" \\"), ("instance", "127.0.0.1:9100")])
    }

    /// Checks that every selector asks for one target only.
    struct OfTarget;

    impl ExprVisitor for OfTarget {
        type Error = String;

        fn pre_visit(&mut self, expr: &Expr) -> Result<bool, String> {
            let check = |selector: &VectorSelector| {
                let matchers = &selector.matchers.matchers;
                let has = |name: &str, value: &str| {
                    let mut all = matchers.iter();
                    all.any(|matcher| matcher.name == name && matcher.value == value)
                };
                if has("instance", "127.0.0.1:9100") && has("job", "a \"b\" \\") {
                    Ok(())
                } else {
                    Err(format!("{selector} is not of the target"))
                }
            };
            match expr {
                Expr::VectorSelector(selector) => check(selector)?,
                Expr::MatrixSelector(matrix) => check(&matrix.vs)?,
                _ => {}
            }
            Ok(true)
        }
    }

    #[test]
    fn every_shipped_set_is_whole_and_each_of_its_selectors_is_of_one_target() {
        let mut names = HashSet::new();
        for (file, text) in SHIPPED {
            let set =
                gauge_set(text, file).unwrap_or_else(|error| panic!("{}", error.render(false)));
            assert_eq!(format!("{}.toml", set.name), file);
            assert!(!set.about.is_empty(), "{file}");
            assert!((4..=8).contains(&set.gauges.len()), "{file}");
            for gauge in gauges_for(&set, &target(), 3) {
                let expr = parse(&gauge.expr)
                    .unwrap_or_else(|error| panic!("{file}: {}: {error}", gauge.expr));
                walk_expr(&mut OfTarget, &expr).unwrap();
                assert_eq!(gauge.of, Some(3));
                // One target may fit several sets.
                assert!(names.insert(gauge.name.clone()), "{file}: {}", gauge.name);
                let nowhere = expr_for(&gauge.expr, &Labels::default());
                parse(&nowhere).unwrap_or_else(|error| panic!("{file}: {nowhere}: {error}"));
            }
        }
        assert_eq!(Sets::shipped().iter().count(), SHIPPED.len());
    }

    #[test]
    fn every_file_of_the_folder_is_shipped() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/gauges");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        let mut shipped: Vec<&str> = SHIPPED.iter().map(|(name, _)| *name).collect();
        files.sort();
        shipped.sort_unstable();
        assert_eq!(files, shipped);
    }

    #[test]
    fn a_target_gets_the_sets_of_what_it_has_and_an_exporter_none_of_its_own_process() {
        let sets = Sets::shipped();
        let matching = |seen: &[&str]| -> Vec<String> {
            let sets = sets.matching(|name| seen.contains(&name));
            sets.iter().map(|set| set.name.clone()).collect()
        };
        let process = ["process_cpu_seconds_total", "process_resident_memory_bytes"];
        let go = ["go_goroutines", "go_memstats_alloc_bytes"];
        let node = [
            "node_cpu_seconds_total",
            "node_memory_MemAvailable_bytes",
            "node_uname_info",
        ];
        assert_eq!(matching(&process), ["process"]);
        assert!(matching(&process[1..]).is_empty());
        assert_eq!(matching(&[&process[..], &go].concat()), ["process", "go"]);
        assert_eq!(matching(&[&process[..], &go, &node].concat()), ["node"]);
    }

    #[test]
    fn without_labels_no_comma_is_left_behind() {
        let none = Labels::default();
        assert_eq!(
            expr_for(r#"a{$target, b="c"} + d{$target}"#, &none),
            r#"a{b="c"} + d{}"#
        );
        assert_eq!(
            expr_for(
                "d{$target}",
                &Labels::new([(NAME, "x"), ("a.b", "1"), ("job", "j")])
            ),
            r#"d{job="j"}"#
        );
    }

    #[test]
    fn a_set_of_ones_own_takes_the_place_of_a_shipped_one_and_a_mistake_is_told_alone() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
        let set = |name: &str| {
            format!(
                "name = \"{name}\"\nwhen = \"up\"\n[[gauge]]\nname = \"g\"\nexpr = 'up{{$target}}'\n"
            )
        };
        write("a.toml", &set("node"));
        write("b.toml", &set("mine"));
        write("notes.txt", "not a set");
        write(
            "c.toml",
            "name = \"c\"\nwhen = [\"a b\"]\n[[gauge]]\nname = \"g\"\nof = \"shop\"\nexpr = 'up'\nwran = \"> 1\"\n",
        );
        let (sets, mistakes) = Sets::with_own(dir.path());
        assert_eq!(sets.iter().count(), SHIPPED.len() + 1);
        let node = sets.iter().find(|set| set.name == "node").unwrap();
        assert_eq!(node.when, ["up"]);
        assert_eq!(mistakes.len(), 1);
        let said = match &mistakes[0] {
            SetError::Mistakes(error) => error.render(false),
            other => panic!("{other}"),
        };
        insta::assert_snapshot!(said.replace(&dir.path().display().to_string(), "DIR"));
        let (_, mistakes) = Sets::with_own(&dir.path().join("missing"));
        assert!(mistakes.is_empty(), "{mistakes:?}");
    }

    #[test]
    fn ones_own_sets_are_where_settings_are() {
        let folder = |pairs: &[(&str, &str)]| {
            own_folder(|name| {
                let found = pairs.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| (*value).to_owned())
            })
        };
        let path = |text: &str| Some(PathBuf::from(text));
        let home = ("HOME", "/home/ops");
        assert_eq!(folder(&[home]), path("/home/ops/.config/stormdeck/gauges"));
        assert_eq!(
            folder(&[home, ("XDG_CONFIG_HOME", "here")]),
            folder(&[home])
        );
        let other = [home, ("XDG_CONFIG_HOME", "/etc/ops")];
        assert_eq!(folder(&other), path("/etc/ops/stormdeck/gauges"));
        assert_eq!(folder(&[]), None);
    }
}
