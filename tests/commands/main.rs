//! Whole commands, as a person or a script meets them: the real program, real sockets, real files.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../support/mod.rs"]
mod support;

mod bad_input;
mod bad_servers;
mod help;
mod journeys;
mod running;
mod secrets;
mod sessions;
mod shipped;

use std::process::Output;

/// What a command said on standard output and on standard error, and its exit code.
fn said(output: &Output) -> (String, String, i32) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let code = output.status.code().expect("it ended by itself");
    (text(&output.stdout), text(&output.stderr), code)
}

/// A profile with one scenario on the embedded shop that is over in under a second, all of it right.
const QUICK: &str = r#"
[window]
name = "quick"
[[scenario]]
name = "s"
target = "embedded://shop?servers=0&service=fixed:1ms"
users = 2
iterations = 40
get = "/"
[[gate]]
expect = "errors = 0%"
"#;
