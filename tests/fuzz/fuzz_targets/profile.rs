//! Any text is a profile or a list of mistakes, both of which can be printed, and neither of which shows a secret.

#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use stormdeck::profile::plan::Plan;
use stormdeck::profile::{Options, parse};

const SECRET: &str = "correct-horse-battery-staple";

fuzz_target!(|text: &str| {
    if text.contains(SECRET) {
        return;
    }
    let options = Options {
        variables: vec![("TOKEN".to_owned(), SECRET.to_owned())],
        ..Options::default()
    };
    let printed = match parse(text, Path::new("/nonexistent"), &options) {
        Ok(profile) => format!("{} {:?}", Plan::of(&profile), profile.gates),
        Err(error) => error.render(true),
    };
    // `${TOKEN}` without `secret:` is a plain variable, which may be shown.
    assert!(text.contains("{TOKEN") || !printed.contains(SECRET));
});
