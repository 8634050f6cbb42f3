//! What a kind of fault can do: say how it is undone, be done, be undone, and tell what it touched.

use std::future::Future;
use std::pin::Pin;

use super::undo::Undo;

/// Something under way that is bounded in time by whoever does it. Dropping it gives it up: nothing goes on behind it
/// but what the way back undoes.
pub type Doing<'a, T> = Pin<Box<dyn Future<Output = Result<T, FaultError>> + 'a>>;

/// A fault of a window.
///
/// The order of calls is [`prepare`](Self::prepare), [`inject`](Self::inject), [`revert`](Self::revert), and from the
/// start again; `revert` also follows an injection that failed or was given up half way. All are called on one thread with an
/// event loop; none may block it.
pub trait Driver {
    /// Looks at what is to be broken, without changing it, and says how it is brought back.
    fn prepare(&self) -> Doing<'_, Undo>;

    /// Breaks it. The way back is durable by now.
    fn inject<'a>(&'a self, undo: &'a Undo) -> Doing<'a, Done>;

    /// Brings it back. Calling it again, or after nothing was done, does no harm.
    fn revert<'a>(&'a self, undo: &'a Undo) -> Doing<'a, Done> {
        undo.revert()
    }

    /// Why what was injected has ended by itself, when it has. It is brought back then, for whatever is left of it.
    fn ended_early(&self) -> Option<FaultError> {
        None
    }

    /// What it has touched since the injection; `None` where traffic cannot be counted.
    fn touched(&self) -> Option<Touched> {
        None
    }
}

/// What came of doing, or undoing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Done {
    /// Whether the state was read back and found as it should be.
    pub proof: Proof,
    /// What a program or an answer said, bounded, secrets hidden; empty where nothing did.
    pub said: String,
}

impl Done {
    /// The state was read back, and is as it should be.
    pub(super) fn seen(said: String) -> Self {
        Self {
            proof: Proof::Seen,
            said,
        }
    }
}

/// Whether a state was read back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Proof {
    /// A check of the profile was asked: it failed while the fault was in, or passes now that it is out.
    Checked,
    /// It was, and is as it should be; whether anybody is hurt by it, or well again, it does not say.
    Seen,
    /// There is no means to.
    #[default]
    None,
}

/// What a fault has touched since its injection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Touched {
    /// Connections, or requests, that were there or came while it was on.
    pub seen: u64,
    /// Those among them that it touched.
    pub affected: u64,
    /// Bytes that it touched.
    pub bytes: u64,
    /// From the injection to the first that it touched.
    pub first: Option<std::time::Duration>,
}

/// Why a fault could not be done, or not be undone: a sentence that says what failed, where, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct FaultError(pub String);

impl FaultError {
    /// From any error that says it.
    pub fn of(error: impl std::fmt::Display) -> Self {
        Self(error.to_string())
    }
}
