//! How one write of a ledger is read back, and what its answer means.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, StatusCode};
use minijinja::Value;
use serde_json_path::JsonPath;

use super::check::Answer;
use super::step::CompiledStep;
use super::user::User;
use crate::load::http::{Exchange, Failure};
use crate::profile::units::Rate;

/// The request that asks for a write.
#[derive(Debug)]
pub struct ReadBack {
    /// Name of the ledger.
    pub name: String,
    /// The request; its template sees the number as `ledger`.
    pub step: CompiledStep,
    /// Most requests a second.
    pub rate: Rate,
    /// Where the answer tells how often it is there.
    pub(super) count: Option<JsonPath>,
}

/// What was found under a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// The write, so many times.
    There(u64),
    /// Nothing.
    Gone,
    /// No answer that tells.
    Unknown,
}

impl ReadBack {
    /// Who asks.
    pub fn user(&self) -> User {
        User::new(0, 0, false)
    }

    /// The request for a number.
    ///
    /// # Errors
    /// When the template cannot be filled in.
    pub fn request(&self, user: &mut User, number: u64) -> Result<Request<Full<Bytes>>, Failure> {
        user.save(&Arc::from(LEDGER), Value::from(number));
        self.step.request(user)
    }

    /// 2xx: it is there, unless the answer is not what a write that is there looks like, or counts none; 404: it is
    /// not. Anything else tells nothing.
    pub fn understand(&self, user: &mut User, exchange: &Exchange) -> Found {
        let Ok(response) = &exchange.result else {
            return Found::Unknown;
        };
        if response.status == StatusCode::NOT_FOUND {
            return Found::Gone;
        }
        if !response.status.is_success() {
            return Found::Unknown;
        }
        if self.step.check(user, response, exchange).is_err() {
            return Found::Gone;
        }
        let Some(path) = &self.count else {
            return Found::There(1);
        };
        let answer = Answer::new(response);
        let count = answer
            .json()
            .ok()
            .and_then(|json| path.query(json).first()?.as_u64());
        match count {
            Some(0) => Found::Gone,
            Some(count) => Found::There(count),
            None => Found::Unknown,
        }
    }
}

/// The name under which templates see the number of a write.
pub(super) const LEDGER: &str = "ledger";
