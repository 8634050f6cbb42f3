//! What one arrival or user does: journeys compiled once and run cheaply.
//!
//! In: a profile's scenarios, journeys and data feeds. Out: requests, and a judgement on each answer; sending is
//! somebody else's. [`Program::compile`] checks and compiles everything that can be wrong before the start: template
//! syntax, names of functions, filters, data feeds and saved values, JSON paths, regular expressions, headers, URLs.
//! The one invariant: seed, scenario, number and iteration decide everything random that a user does, whichever
//! worker runs it (`counter()`, the clock functions and the order of `cycle` and `unique` rows apart).
//!
//! ```text
//!   Profile ──▶ Program (shared) ──▶ pick(seed, number) ──▶ CompiledJourney ──▶ CompiledStep
//!      └──────▶ Feeds (shared)  ──▶ User::begin                                  │ request(user) ──▶ Request
//!                                     rng, rows, saved values, cookies ◀─────────┘ check(user, response)
//! ```
//!
//! In templates: the data feeds by name (`{{ user.name }}`), values saved by earlier steps (`{{ token }}`), and
//! `uuid()` `random_int(a, b)` (both ends included) `random_float(a, b)` `random_string(n)` `choice(list)`
//! `zipf(n, s)` `name()` `first_name()` `last_name()` `email()` `word()` `sentence()` `phone()` `city()` `now()`
//! (RFC 3339) `timestamp()` (Unix, s) `timestamp_ms()` `counter()` (of the scenario, unique across workers)
//! `user_number()` `iteration()` `product(a, b)` `range(n)`. In a step with a `ledger`, and after it: `ledger`, the
//! number of the write. Filters are the template engine's own, less those that
//! can grow text without bound, and `urlencode` `base64` `json` `number` `pad(n)`. Blocks: `if` and `for`.

mod check;
mod cookies;
mod feed;
mod pick;
mod program;
mod random;
mod read_back;
mod save;
mod step;
mod template;
mod think;
mod trace;
mod user;

#[cfg(test)]
mod tests;

pub use feed::Feeds;
pub use program::{CompiledJourney, Program};
pub use read_back::{Found, ReadBack};
pub use step::CompiledStep;
pub use user::User;

/// What can be wrong with journeys before the start. A sentence that names journey, step and field, or file and line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct JourneyError(pub String);

/// Compiles a text as a template and renders it once without data, as a step would; what a fuzzer drives.
///
/// The error is the sentence that a profile's author or a failure would show.
pub fn render_once(text: &str, seed: u64) -> Result<String, JourneyError> {
    template::render_once(text, seed).map_err(JourneyError)
}
