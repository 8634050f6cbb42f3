//! The recipes that are shipped: each parses as it is, says what it would do, and holds manifests that are YAML.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;
use stormdeck::fault::drivers;
use stormdeck::fault::proxy::Proxies;
use stormdeck::profile::model::{CommandLine, FaultDriver};
use stormdeck::profile::plan::Plan;
use stormdeck::profile::{self, Options, Profile};

fn recipes() -> Vec<(&'static str, Profile)> {
    profile::recipe_names()
        .map(|name| {
            let loaded = profile::load(name, &Options::default());
            (name, loaded.unwrap_or_else(|error| panic!("{error}")))
        })
        .collect()
}

#[test]
fn every_recipe_is_shipped_and_can_be_drilled_by_itself() {
    let files = fs::read_dir("profiles/faults").unwrap();
    let files: BTreeSet<String> = files
        .map(|file| {
            file.unwrap()
                .path()
                .file_stem()
                .unwrap()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    let recipes = recipes();
    let shipped = recipes
        .iter()
        .map(|(name, _)| name.strip_prefix("faults/").unwrap().to_owned());
    assert_eq!(files, shipped.collect::<BTreeSet<_>>());
    for (name, profile) in &recipes {
        assert!(!profile.faults.is_empty(), "{name}");
        assert!(!profile.window.about.is_empty(), "{name}");
        assert_eq!(
            drivers::of(profile, &Proxies::start(profile).unwrap())
                .unwrap()
                .len(),
            profile.faults.len()
        );
        assert!(!Plan::of(profile).to_string().is_empty());
        let text = profile::shipped(name).unwrap();
        let explained = text
            .lines()
            .take_while(|line| line.starts_with('#'))
            .count();
        assert!(explained >= 5, "{name} explains itself");
        assert!(text.contains(&format!("stormdeck drill {name}")), "{name}");
    }
}

/// The programs of a fault.
fn programs(profile: &Profile) -> impl Iterator<Item = &CommandLine> {
    profile.faults.iter().flat_map(|fault| match &fault.driver {
        FaultDriver::Exec {
            inject,
            revert,
            check,
        } => [inject, revert].into_iter().chain(check),
        other => panic!("{other:?}"),
    })
}

#[test]
fn the_manifests_of_recipes_are_objects_of_kubernetes() {
    let mut kinds = Vec::new();
    for (name, profile) in recipes() {
        for program in programs(&profile).filter(|program| program.shell) {
            let script = program.words[0].reveal();
            let Some((_, rest)) = script.split_once("<<EOF\n") else {
                continue;
            };
            let (manifest, _) = rest.split_once("\nEOF\n").unwrap();
            let object: Value =
                serde_saphyr::from_str(manifest).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(object["metadata"]["namespace"], "default", "{name}");
            kinds.push(object["kind"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(kinds, ["NetworkChaos", "PodChaos", "ChaosEngine"]);
}

#[test]
fn the_scripts_of_recipes_are_shell() {
    for (name, profile) in recipes() {
        for program in programs(&profile).filter(|program| program.shell) {
            let checked = std::process::Command::new("sh")
                .args(["-n", "-c", program.words[0].reveal()])
                .output()
                .unwrap();
            assert!(checked.status.success(), "{name}: {checked:?}");
        }
    }
}
