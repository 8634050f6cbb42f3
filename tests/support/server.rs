//! Small servers that do with a connection exactly what a test wants, right or wrong.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test says what it expects by unwrapping"
)]

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::runtime::Builder;

/// A request as it came over the wire.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Method and path.
    pub line: String,
    /// Header lines, names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Asked {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let found = headers.find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The path.
    pub fn path(&self) -> &str {
        self.line.split(' ').nth(1).unwrap()
    }
}

/// A server on a free port of loopback, ended on drop.
pub struct Server {
    /// `http://127.0.0.1:PORT`.
    pub url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    over: Arc<AtomicBool>,
    address: std::net::SocketAddr,
}

impl Server {
    /// Gives each connection to `serve`, on a thread of its own.
    pub fn raw(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let over = Arc::new(AtomicBool::new(false));
        let serve = Arc::new(serve);
        std::thread::spawn({
            let over = Arc::clone(&over);
            move || {
                for stream in listener.incoming() {
                    if over.load(Ordering::Relaxed) {
                        return;
                    }
                    let (Ok(stream), serve) = (stream, Arc::clone(&serve)) else {
                        continue;
                    };
                    std::thread::spawn(move || serve(stream));
                }
            }
        });
        Self {
            url: format!("http://{address}"),
            asked: Arc::default(),
            over,
            address,
        }
    }

    /// Reads each request to its end, keeps it, and writes what `answer` gives: a whole answer, head and body. An
    /// answer with `connection: close` ends the connection.
    pub fn answering(answer: impl Fn(&Asked) -> String + Send + Sync + 'static) -> Self {
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let kept = Arc::clone(&asked);
        let mut server = Self::raw(move |mut stream| {
            let mut input = BufReader::new(stream.try_clone().unwrap());
            while let Some(request) = read_request(&mut input) {
                let text = answer(&request);
                kept.lock().unwrap().push(request);
                if stream.write_all(text.as_bytes()).is_err() || text.contains("connection: close")
                {
                    return;
                }
            }
        });
        server.asked = asked;
        server
    }

    /// Likewise over HTTP/2 from the first byte on; an answer is a status and a body.
    pub fn answering_http2(
        answer: impl Fn(&Asked) -> (u16, String) + Send + Sync + 'static,
    ) -> Self {
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let (kept, answer) = (Arc::clone(&asked), Arc::new(answer));
        let mut server = Self::raw(move |stream| {
            let (kept, answer) = (Arc::clone(&kept), Arc::clone(&answer));
            let service = service_fn(move |request| {
                let (kept, answer) = (Arc::clone(&kept), Arc::clone(&answer));
                async move {
                    let asked = read_http2(request).await;
                    let (status, body) = answer(&asked);
                    kept.lock().unwrap().push(asked);
                    Response::builder()
                        .status(status)
                        .body(Full::new(Bytes::from(body)))
                }
            });
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                stream.set_nonblocking(true).unwrap();
                let io = TokioIo::new(tokio::net::TcpStream::from_std(stream).unwrap());
                // A client that goes away is no mistake of the server's.
                let _ = http2::Builder::new(TokioExecutor::new())
                    .serve_connection(io, service)
                    .await;
            });
        });
        server.asked = asked;
        server
    }

    /// What was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        // Wakes the listener, which then leaves.
        let _ = TcpStream::connect(self.address);
    }
}

/// An answer with this status and body.
pub fn answer(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\n\r\n{body}")
}

async fn read_http2(request: Request<Incoming>) -> Asked {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let (head, body) = request.into_parts();
    let path = head.uri.path_and_query().unwrap();
    let headers = head.headers.iter();
    Asked {
        line: format!("{} {path} {:?}", head.method, head.version),
        headers: headers
            .map(|(name, value)| (name.to_string(), text(value.as_bytes())))
            .collect(),
        body: text(&body.collect().await.unwrap().to_bytes()),
    }
}

fn read_request(input: &mut impl BufRead) -> Option<Asked> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if input.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let mut asked = Asked {
        line: lines.remove(0),
        headers: lines
            .iter()
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect(),
        body: String::new(),
    };
    let length = asked.header("content-length").unwrap_or("0");
    let mut body = vec![0; length.parse().unwrap()];
    input.read_exact(&mut body).ok()?;
    asked.body = String::from_utf8(body).unwrap();
    Some(asked)
}
