//! How people reach a running window: a Unix socket, wishes in, answers out.
//!
//! In: lines of JSON from whoever may connect (the same user, or root). Out: an order for the conductor for each wish
//! that makes sense, and one answer for each line. The invariant: nothing that a client does or leaves undone reaches
//! the load: the server has a thread of its own, bounds everything that it reads, keeps and writes, and hands over
//! orders, which the engine takes when it comes round.
//!
//! [`protocol`] is what goes over the wire, [`words`] the same as a person types it, [`place`] where the socket is,
//! [`client`] one end and [`server`] the other; [`resolve`] turns names into the indices that the conductor knows, and
//! [`said`] what it did into a sentence.

pub mod change;
pub mod client;
pub mod place;
pub mod protocol;
pub mod resolve;
pub mod said;
pub mod server;
pub mod socket;
pub mod words;

pub use client::{Client, ConnectError, SendError};
pub use place::socket_of;
pub use protocol::{Answer, Request, Status, Wish};
pub use resolve::Names;
pub use server::Server;
