//! A new connection: lookup, the host guard, TCP or unix connect, TLS, all within `connect_timeout`.
//!
//! An origin in; a counted [`Wire`] and what was agreed to speak on it out, or a failure with its kind, and how long
//! each part took. This is the cold path: callers box it. The invariant: nothing is sent to an address that the
//! guard refused.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::names::Names;
use super::plan::TransportPlan;
use super::target::Place;
use super::wire::{Socket, Wire};
use super::{Failure, failure};
use crate::load::clock::{Clock, Nanos};
use crate::profile::model::HttpVersion;
use crate::session::record::ErrorKind;

/// An open connection.
pub(super) struct Link {
    pub(super) wire: Wire,
    /// Whether HTTP/2 is spoken on it.
    pub(super) http2: bool,
}

/// What came of dialling, and how long it took.
pub(super) struct Dialed {
    pub(super) result: Result<Link, Failure>,
    /// Lookup and connect.
    pub(super) connect: Nanos,
    /// TLS handshake.
    pub(super) tls: Nanos,
}

/// How far an attempt got, for the message when its time ran out.
#[derive(Clone, Copy)]
enum Stage {
    Lookup,
    Connect,
    Handshake,
}

/// One attempt to connect.
pub(super) struct Dial<'a> {
    pub(super) plan: &'a TransportPlan,
    pub(super) place: &'a Place,
    /// Absent for unix sockets.
    pub(super) names: Option<&'a Rc<Names>>,
    pub(super) open: &'a Rc<Cell<u64>>,
    pub(super) clock: Clock,
    pub(super) limit: Duration,
}

impl Dial<'_> {
    pub(super) async fn run(self) -> Dialed {
        let stage = Cell::new(Stage::Lookup);
        let connected = Cell::new(None);
        let begun = self.clock.now();
        let result = timeout(self.limit, self.attempt(&stage, &connected))
            .await
            .unwrap_or_else(|_| Err(self.too_long(stage.get())));
        let ended = self.clock.now();
        let connected = connected.get().unwrap_or(ended);
        Dialed {
            result,
            connect: connected.saturating_sub(begun),
            tls: ended.saturating_sub(connected),
        }
    }

    async fn attempt(
        &self,
        stage: &Cell<Stage>,
        connected: &Cell<Option<Nanos>>,
    ) -> Result<Link, Failure> {
        let (stream, name) = match (self.place, self.names) {
            (Place::Tcp { host, secure, .. }, Some(names)) => {
                let stream = self.tcp(names, stage).await?;
                (stream, secure.then_some(&**host))
            }
            (Place::Unix(path), _) => return self.unix(path, stage).await,
            (Place::Tcp { .. }, None) => {
                return Err(Failure::new(ErrorKind::Dns, "there is no name to look up"));
            }
        };
        let now = self.clock.now();
        let Some(host) = name else {
            return Ok(self.link(Socket::Tcp(stream), self.plan.http == HttpVersion::Http2));
        };
        connected.set(Some(now));
        stage.set(Stage::Handshake);
        let stream = self.handshake(stream, host).await?;
        let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        if !http2 && self.plan.http == HttpVersion::Http2 {
            return Err(Failure::new(
                ErrorKind::Protocol,
                format!("{} does not speak HTTP/2 over TLS (ALPN)", self.place),
            ));
        }
        Ok(self.link(Socket::Tls(Box::new(stream)), http2))
    }

    fn link(&self, socket: Socket, http2: bool) -> Link {
        Link {
            wire: Wire::new(socket, self.open),
            http2,
        }
    }

    async fn unix(&self, path: &Path, stage: &Cell<Stage>) -> Result<Link, Failure> {
        stage.set(Stage::Connect);
        let stream = UnixStream::connect(path)
            .await
            .map_err(|error| failure::connecting(self.place, &error))?;
        Ok(self.link(Socket::Unix(stream), self.plan.http == HttpVersion::Http2))
    }

    async fn tcp(&self, names: &Rc<Names>, stage: &Cell<Stage>) -> Result<TcpStream, Failure> {
        let begun = Instant::now();
        let (addresses, first) = names.addresses().await.map_err(|why| {
            Failure::new(
                ErrorKind::Dns,
                format!("`{}` could not be looked up: {why}", names.host()),
            )
        })?;
        let allowed: Vec<SocketAddr> = (0..addresses.len())
            .map(|n| addresses[(first + n) % addresses.len()])
            .filter(|address| self.plan.guard.allows(names.host(), address.ip()))
            .collect();
        if allowed.is_empty() {
            return Err(forbidden(names.host(), &addresses));
        }
        stage.set(Stage::Connect);
        let mut last = None;
        for (n, address) in allowed.iter().enumerate() {
            // A silent address must not use up the time of those after it.
            let left = self.limit.saturating_sub(begun.elapsed());
            let share = left / u32::try_from(allowed.len() - n).unwrap_or(1);
            match timeout(share, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    // Fails only on a socket that is already dead, which the first write will say better.
                    let _ = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Ok(Err(error)) => last = Some(failure::connecting(self.place, &error)),
                Err(_) => last = Some(self.too_long(Stage::Connect)),
            }
        }
        Err(last.unwrap_or_else(|| self.too_long(Stage::Connect)))
    }

    async fn handshake(
        &self,
        stream: TcpStream,
        host: &str,
    ) -> Result<TlsStream<TcpStream>, Failure> {
        let asked = self.plan.server_name.as_deref().unwrap_or(host);
        let name = ServerName::try_from(asked.to_owned()).map_err(|_| {
            handshake_refused(
                self.place,
                &format!("`{asked}` cannot be the name in a certificate"),
            )
        })?;
        TlsConnector::from(Arc::clone(&self.plan.tls))
            .connect(name, stream)
            .await
            .map_err(|error| failure::handshaking(self.place, &error))
    }

    fn too_long(&self, stage: Stage) -> Failure {
        let (place, limit) = (self.place, self.limit);
        match stage {
            Stage::Lookup => Failure::new(
                ErrorKind::Dns,
                format!("looking up {place} took longer than {limit:?}"),
            ),
            Stage::Connect => Failure::new(
                ErrorKind::ConnectTimeout,
                format!("connecting to {place} took longer than {limit:?}"),
            ),
            Stage::Handshake => Failure::new(
                ErrorKind::ConnectTimeout,
                format!("connecting to {place} and its TLS handshake took longer than {limit:?}"),
            ),
        }
    }
}

fn forbidden(host: &str, addresses: &[SocketAddr]) -> Failure {
    let address = addresses
        .first()
        .map(|address| address.ip().to_string())
        .unwrap_or_default();
    let host = if host == address {
        format!("`{host}`")
    } else {
        format!("`{host}` ({address})")
    };
    Failure::new(
        ErrorKind::Forbidden,
        format!("{host} is not in allow_hosts, so nothing was sent there"),
    )
}

fn handshake_refused(place: &Place, why: &str) -> Failure {
    failure::handshaking(place, &io::Error::other(why.to_owned()))
}
