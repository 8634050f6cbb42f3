//! What a profile may say.
//!
//! In: the text of a TOML file, variables, and a folder that relative paths start from. Out: a [`model::Profile`]
//! in which every name is resolved and every number has its unit, or the list of everything that is wrong with it,
//! each with its place in the file. The one invariant: a [`model::Profile`] that exists can be run.
//!
//! ```text
//! source ──▶ read ──▶ model::Profile ──▶ plan ──▶ `stormdeck check`
//!   file      │ interpolate, units,        └────▶ curve ──▶ engine
//!             │ expect, secret, hosts
//!             └──▶ diagnostic: every mistake, with its place
//! ```

pub mod curve;
pub mod diagnostic;
pub mod expect;
pub mod hosts;
mod interpolate;
pub mod model;
pub mod plan;
mod read;
pub mod secret;
pub mod source;
pub mod units;

pub use diagnostic::{Diagnostic, ProfileError};
pub use interpolate::secret_of_environment;
pub use model::Profile;
pub use read::gauge_set;
pub use secret::{Redactor, Secrets, Text};
pub use source::{LoadError, Options, load, parse, recipe_names, shipped, shipped_names};
