//! The embedded demo service: a small shop with a stated capacity, so that a load test has something real to hit.
//!
//! HTTP/1.1 and HTTP/2 (by prior knowledge) flow in over loopback; answers flow out at moments that follow queueing
//! theory to some microseconds, and `/metrics` says what happened. One thread serves it all. The invariant: a request
//! is answered when its server is done with it, computed exactly on arrival, however busy the machine's timers are.
//!
//! ```text
//!  head parsed ──▶ station (who departs when) ──▶ timer (wakes at that moment) ──▶ shop (what is answered)
//!      routes          distribution, work              timerfd                        faults may add or deny
//! ```
//!
//! | request | answer |
//! | --- | --- |
//! | `GET /`, `/search?q=`, `/items/{1..500}`, `/orders/{id}`, `/events` | pages of the shop |
//! | `POST /login` `{user, password}` | 200 `{token}` and a session cookie |
//! | `POST /cart` `{sku, quantity}` | 200, 401 without the token as bearer or cookie |
//! | `POST /orders` `{sku}` | 201 `{id, sku}` |
//! | `GET /healthz`, `/metrics` | at once, past the queue |
//! | `GET /api/v2/alerts` | what it would wake somebody for, as Alertmanager tells it |
//! | `GET`, `POST`, `DELETE` of `/admin/faults` | shows, changes, clears the faults: [`faults::Change`] |

mod alerts;
pub mod distribution;
pub mod faults;
mod metrics;
pub mod options;
mod process;
mod routes;
mod server;
mod service;
mod shop;
pub mod station;
mod timer;
pub mod work;

pub use distribution::Distribution;
pub use options::{Options, OptionsError, Page, ServiceTimes, StallEvery};
pub use server::{Handle, not_loopback, serve, spawn};

#[cfg(test)]
mod tests;
