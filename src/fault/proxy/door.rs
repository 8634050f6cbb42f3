//! The listening socket of a proxy, which a fault may close for a while.
//!
//! Accepting never waits for anything else: each connection is a task, which dials its upstream itself.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};
use tokio::task::spawn_local;
use tokio::time::sleep;

use super::connection::Connection;
use super::route::Route;

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 4096;

/// Between two attempts at a port that someone else has taken, or to accept when no descriptor is left.
const AGAIN: Duration = Duration::from_millis(100);

/// See the module.
#[derive(Debug)]
pub(super) struct Door {
    address: SocketAddr,
    listener: RefCell<Option<TcpListener>>,
    /// Whether it should be open.
    wanted: Cell<bool>,
    waiting: RefCell<Option<Waker>>,
}

impl Door {
    /// Open, if nobody else has the port.
    pub fn open(address: SocketAddr) -> io::Result<Rc<Self>> {
        Ok(Rc::new(Self {
            address,
            listener: RefCell::new(Some(listen(address)?)),
            wanted: Cell::new(true),
            waiting: RefCell::default(),
        }))
    }

    /// Opens or closes it. An error says that it is not open; it is tried again until it is, or is to be closed.
    pub fn want(self: &Rc<Self>, open: bool) -> io::Result<()> {
        let was_wanted = self.wanted.replace(open);
        if !open {
            self.listener.borrow_mut().take();
            return Ok(());
        }
        let opened = self.reopen();
        if opened.is_err() && !was_wanted {
            let door = Rc::clone(self);
            spawn_local(async move {
                while door.wanted.get() && door.reopen().is_err() {
                    sleep(AGAIN).await;
                }
            });
        }
        opened
    }

    fn reopen(&self) -> io::Result<()> {
        let mut listener = self.listener.borrow_mut();
        if listener.is_none() {
            *listener = Some(listen(self.address)?);
            if let Some(waker) = self.waiting.borrow_mut().take() {
                waker.wake();
            }
        }
        Ok(())
    }

    /// Lets connections in, for ever.
    pub async fn accept(self: Rc<Self>, route: Rc<Route>) {
        loop {
            let accepted = poll_fn(|cx| {
                *self.waiting.borrow_mut() = Some(cx.waker().clone());
                match &*self.listener.borrow() {
                    Some(listener) => listener.poll_accept(cx),
                    None => Poll::Pending,
                }
            });
            match accepted.await {
                Ok((stream, _)) => {
                    // It fails for a client that is gone already, which the connection finds out by itself.
                    let _ = stream.set_nodelay(true);
                    spawn_local(Connection::new(&route, stream));
                }
                Err(error) => {
                    tracing::debug!("proxy {}: {error}", self.address);
                    sleep(AGAIN).await;
                }
            }
        }
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    // Connections of before may still wait for their last segments.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}
