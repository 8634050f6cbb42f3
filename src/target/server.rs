//! The socket side: accepts connections, runs the service on one thread, ends it cleanly.
//!
//! A listener, options and the moment to stop flow in. The invariant: whatever clients do, the service has ended
//! [`GRACE`] after it was told to.

use std::cell::Cell;
use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::pin::pin;
use std::rc::Rc;
use std::thread::JoinHandle;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use tokio::net::TcpStream;
use tokio::sync::{Notify, oneshot, watch};
use tokio::task::{LocalSet, spawn_local};

use super::options::Options;
use super::service::Service;

/// How long requests in flight have to end once the service is told to stop.
pub const GRACE: Duration = Duration::from_millis(500);
/// Connections that may wait to be accepted.
const BACKLOG: i32 = 4096;
/// Most that is buffered of one HTTP/1 connection, bytes.
const LONGEST_BUFFER: usize = 64 << 10;
/// How long accepting rests when it fails, as it does when no descriptor is left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// Serves on this thread until `shutdown` is ready, then for `GRACE` at most.
///
/// Refuses to serve on an address that is not loopback; fails when the runtime cannot start. Must not be called from
/// within an asynchronous runtime, since it blocks and brings its own.
pub fn serve(
    listener: TcpListener,
    options: Options,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let address = listener.local_addr()?;
    if !address.ip().is_loopback() {
        return Err(not_loopback(address));
    }
    listener.set_nonblocking(true)?;
    rustix::net::listen(&listener, BACKLOG)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let local = LocalSet::new();
    local.block_on(&runtime, accept(listener, options, shutdown))
}

/// The refusal to listen on an address that others can reach.
pub fn not_loopback(address: SocketAddr) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidInput,
        format!(
            "the demo service listens on loopback only, and {address} is not; use 127.0.0.1 or [::1]"
        ),
    )
}

async fn accept(
    listener: TcpListener,
    options: Options,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let service = Rc::new(Service::new(options)?);
    let (stop, stopping) = watch::channel(false);
    let connections = Connections {
        service: Rc::clone(&service),
        builder: Rc::new(builder()),
        stopping,
        empty: Rc::new(Notify::new()),
    };
    let mut timer = pin!(service.timer.run());
    let mut leak = pin!(service.leak());
    let mut watch = pin!(service.watch());
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            biased;
            () = &mut shutdown => break,
            ended = &mut timer => return ended,
            () = &mut leak => {}
            () = &mut watch => {}
            stream = next_connection(&listener) => connections.open(stream),
        }
    }
    drop(listener);
    // Fails when nobody listens: then there is no connection to end.
    let _ = stop.send(true);
    tokio::select! {
        ended = &mut timer => ended,
        () = connections.all_closed() => Ok(()),
        () = tokio::time::sleep(GRACE) => Ok(()),
    }
}

async fn next_connection(listener: &tokio::net::TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

fn builder() -> auto::Builder<LocalExecutor> {
    let mut builder = auto::Builder::new(LocalExecutor);
    builder.http1().max_buf_size(LONGEST_BUFFER);
    builder
}

/// What every connection shares.
struct Connections {
    service: Rc<Service>,
    builder: Rc<auto::Builder<LocalExecutor>>,
    stopping: watch::Receiver<bool>,
    empty: Rc<Notify>,
}

impl Connections {
    fn open(&self, stream: TcpStream) {
        // Fails on a socket that is closed already, which serving it will show.
        let _ = stream.set_nodelay(true);
        let service = Rc::clone(&self.service);
        let builder = Rc::clone(&self.builder);
        let mut stopping = self.stopping.clone();
        let open = Open::count(Rc::clone(&self.service), Rc::clone(&self.empty));
        spawn_local(async move {
            let _open = open;
            let answer = service_fn(move |request| Rc::clone(&service).answer(request));
            let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), answer));
            tokio::select! {
                biased;
                // How a connection ends is the client's business.
                _ = connection.as_mut() => return,
                _ = stopping.changed() => {}
            }
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        });
    }

    async fn all_closed(&self) {
        while self.service.connections.get() > 0 {
            self.empty.notified().await;
        }
    }
}

/// An open connection, counted as long as it lives.
struct Open {
    service: Rc<Service>,
    empty: Rc<Notify>,
}

impl Open {
    fn count(service: Rc<Service>, empty: Rc<Notify>) -> Self {
        add(&service.connections, 1);
        Self { service, empty }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        add(&self.service.connections, -1);
        self.empty.notify_one();
    }
}

fn add(count: &Cell<usize>, difference: isize) {
    count.set(count.get().saturating_add_signed(difference));
}

/// Runs the streams of HTTP/2 connections on this thread.
#[derive(Debug, Clone, Copy)]
struct LocalExecutor;

impl<F: Future<Output = ()> + 'static> hyper::rt::Executor<F> for LocalExecutor {
    fn execute(&self, future: F) {
        spawn_local(future);
    }
}

/// A service on a thread of its own. Dropping it ends the service and waits for that.
#[derive(Debug)]
pub struct Handle {
    addr: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Handle {
    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Its base URL, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Ends the service, and says how it ended.
    pub fn stop(mut self) -> io::Result<()> {
        self.end()
    }

    fn end(&mut self) -> io::Result<()> {
        // Dropping the sender is the signal.
        self.stop = None;
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(ended)) => ended,
            Some(Err(_)) => Err(io::Error::other("the demo service panicked")),
            None => Ok(()),
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

/// Starts a service on a free port of 127.0.0.1, on a thread of its own. It accepts connections when this returns.
pub fn spawn(options: Options) -> io::Result<Handle> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let addr = listener.local_addr()?;
    let (stop, stopped) = oneshot::channel::<()>();
    let thread = std::thread::Builder::new()
        .name("target".to_owned())
        .spawn(move || {
            serve(listener, options, async move {
                let _ = stopped.await;
            })
        })?;
    Ok(Handle {
        addr,
        stop: Some(stop),
        thread: Some(thread),
    })
}
