//! Small real servers: hyper's for what is right, raw sockets for what is wrong.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{HeaderMap, Method, Request, Response, Version};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;

/// What a server saw.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) method: Method,
    pub(super) uri: String,
    pub(super) version: Version,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// A server's side of the story.
#[derive(Debug, Default)]
pub(super) struct Log {
    pub(super) requests: RefCell<Vec<Seen>>,
    pub(super) connections: Cell<usize>,
    pub(super) in_flight: Cell<usize>,
    pub(super) most_in_flight: Cell<usize>,
    /// Told to go away, HTTP/2 connections do.
    pub(super) go_away: Notify,
    /// Lets `/held` requests go.
    pub(super) release: Notify,
}

impl Log {
    pub(super) fn count(&self) -> usize {
        self.requests.borrow().len()
    }
}

#[derive(Clone, Copy)]
pub(super) enum Speaks {
    Http1,
    Http2 {
        streams: u32,
    },
    /// Whatever ALPN agreed on.
    Either,
}

/// Answers every request with its path: `/status/404` gives that status, `/size/N` N bytes, `/slow` takes a moment,
/// `/never` does not answer.
pub(super) async fn shop(speaks: Speaks, tls: Option<TlsAcceptor>) -> (u16, Rc<Log>) {
    shop_at("127.0.0.1:0", speaks, tls).await.unwrap()
}

pub(super) async fn shop_at(
    address: &str,
    speaks: Speaks,
    tls: Option<TlsAcceptor>,
) -> std::io::Result<(u16, Rc<Log>)> {
    let listener = TcpListener::bind(address).await?;
    let port = listener.local_addr()?.port();
    let log = Rc::new(Log::default());
    let told = Rc::clone(&log);
    tokio::task::spawn_local(async move {
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                return;
            };
            // Without it, what follows an answer waits 40 ms for the client's acknowledgement.
            stream.set_nodelay(true).unwrap();
            let (log, tls) = (Rc::clone(&told), tls.clone());
            log.connections.set(log.connections.get() + 1);
            tokio::task::spawn_local(async move {
                match tls {
                    None => serve(stream, speaks, false, log).await,
                    Some(tls) => {
                        if let Ok(stream) = tls.accept(stream).await {
                            let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                            serve(stream, speaks, http2, log).await;
                        }
                    }
                }
            });
        }
    });
    Ok((port, log))
}

pub(super) fn unix_shop(path: &std::path::Path) -> Rc<Log> {
    let listener = UnixListener::bind(path).unwrap();
    let log = Rc::new(Log::default());
    let told = Rc::clone(&log);
    tokio::task::spawn_local(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let log = Rc::clone(&told);
            log.connections.set(log.connections.get() + 1);
            tokio::task::spawn_local(serve(stream, Speaks::Http1, false, log));
        }
    });
    log
}

#[derive(Clone)]
struct OnThisThread;

impl<F: Future + 'static> hyper::rt::Executor<F> for OnThisThread {
    fn execute(&self, future: F) {
        tokio::task::spawn_local(async move {
            future.await;
        });
    }
}

async fn serve<S>(stream: S, speaks: Speaks, alpn_http2: bool, log: Rc<Log>)
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let told = Rc::clone(&log);
    let service = service_fn(move |request| reply(request, Rc::clone(&told)));
    let io = TokioIo::new(stream);
    let streams = match speaks {
        Speaks::Http2 { streams } => Some(streams),
        Speaks::Either if alpn_http2 => Some(100),
        Speaks::Http1 | Speaks::Either => None,
    };
    if let Some(streams) = streams {
        let connection = hyper::server::conn::http2::Builder::new(OnThisThread)
            .max_concurrent_streams(streams)
            .serve_connection(io, service);
        let mut connection = std::pin::pin!(connection);
        tokio::select! {
            _ = connection.as_mut() => return,
            () = log.go_away.notified() => connection.as_mut().graceful_shutdown(),
        }
        let _ = connection.await;
    } else {
        let _ = hyper::server::conn::http1::Builder::new()
            .serve_connection(io, service)
            .await;
    }
}

async fn reply(
    request: Request<Incoming>,
    log: Rc<Log>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    struct Flying(Rc<Log>);
    impl Drop for Flying {
        fn drop(&mut self) {
            self.0.in_flight.set(self.0.in_flight.get() - 1);
        }
    }
    log.in_flight.set(log.in_flight.get() + 1);
    let most = log.most_in_flight.get().max(log.in_flight.get());
    log.most_in_flight.set(most);
    let _flying = Flying(Rc::clone(&log));
    let (head, body) = request.into_parts();
    let body = body
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes)
        .unwrap_or_default();
    let path = head.uri.path().to_owned();
    log.requests.borrow_mut().push(Seen {
        method: head.method,
        uri: head.uri.to_string(),
        version: head.version,
        headers: head.headers,
        body,
    });
    let mut response = Response::builder();
    let mut body = Bytes::from(path.clone());
    match path.split('/').skip(1).collect::<Vec<_>>()[..] {
        ["status", code] => response = response.status(code.parse::<u16>().unwrap()),
        ["size", size] => body = vec![b'x'; size.parse().unwrap()].into(),
        ["redirect"] => response = response.status(302).header("location", "/elsewhere"),
        ["slow"] => tokio::time::sleep(Duration::from_millis(5)).await,
        ["held"] => log.release.notified().await,
        ["never"] => std::future::pending().await,
        _ => {}
    }
    Ok(response.body(Full::new(body)).unwrap())
}

/// A server that treats each connection as it likes; told the number of the connection, from 1.
pub(super) async fn raw<F>(
    treat: impl Fn(usize, TcpStream) -> F + 'static,
) -> (u16, Rc<Cell<usize>>)
where
    F: Future<Output = ()> + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let connections = Rc::new(Cell::new(0));
    let counted = Rc::clone(&connections);
    tokio::task::spawn_local(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counted.set(counted.get() + 1);
            tokio::task::spawn_local(treat(counted.get(), stream));
        }
    });
    (port, connections)
}

/// Reads one request head (requests here have no body); false at the end of the stream.
pub(super) async fn read_head(stream: &mut TcpStream) -> bool {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return false,
        }
    }
    true
}
