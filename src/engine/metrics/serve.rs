//! The socket side: answers whoever asks for `/metrics`, on a thread of its own.
//!
//! In: the latest snapshot, in a slot. Out: pages. The invariant: nothing that a client does reaches the engine; a
//! client costs at most one connection for at most [`LONGEST`], and there are at most [`CONNECTIONS`] of them. Others wait
//! for the system to hand them over.

use std::cell::RefCell;
use std::convert::Infallible;
use std::io;
use std::net::TcpListener;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ACCEPT, ALLOW, CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::{LocalSet, spawn_local};

use super::render::{Snapshot, render};
use crate::session::metric_text::Format;

/// Connections at a time.
const CONNECTIONS: u32 = 8;
/// How long one connection may take, from its first byte to its last: a page is written in far less, and a reader so slow
/// is cut off.
const LONGEST: Duration = Duration::from_secs(5);
/// How long answers under way have to end once the window is over.
const GRACE: Duration = Duration::from_millis(500);
/// Largest head of a request, bytes; hyper takes no less.
const LARGEST_HEAD: usize = 8 << 10;
/// How long accepting rests when it fails, as it does when no descriptor is left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The latest snapshot. Whoever reads it holds the lock for as long as it takes to clone a pointer.
pub(super) type Slot = Mutex<Arc<Snapshot>>;

/// Serves until `stop` is dropped, then for [`GRACE`] at most.
pub(super) fn serve(
    listener: TcpListener,
    slot: Arc<Slot>,
    stop: oneshot::Receiver<()>,
) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    LocalSet::new().block_on(&runtime, accept(listener, slot, stop))
}

async fn accept(
    listener: TcpListener,
    slot: Arc<Slot>,
    mut stop: oneshot::Receiver<()>,
) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let pages = Rc::new(RefCell::new(Pages::new(slot)));
    let places = Arc::new(Semaphore::new(CONNECTIONS as usize));
    loop {
        let next = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        tokio::select! {
            biased;
            _ = &mut stop => break,
            (place, stream) = next => match stream {
                Ok((stream, _)) => {
                    let answer = converse(stream, Rc::clone(&pages));
                    spawn_local(async move {
                        let _place = place;
                        // How a connection ends is the client's business.
                        let _ = tokio::time::timeout(LONGEST, answer).await;
                    });
                }
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
        }
    }
    drop(listener);
    let _ = tokio::time::timeout(GRACE, places.acquire_many(CONNECTIONS)).await;
    Ok(())
}

/// One request and its answer.
async fn converse(stream: TcpStream, pages: Rc<RefCell<Pages>>) -> hyper::Result<()> {
    let service = service_fn(move |request| {
        let answer = answer(&request, &mut pages.borrow_mut());
        async move { Ok::<_, Infallible>(answer) }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .keep_alive(false)
        .max_buf_size(LARGEST_HEAD)
        .serve_connection(TokioIo::new(stream), service)
        .await
}

fn answer(request: &Request<Incoming>, pages: &mut Pages) -> Response<Full<Bytes>> {
    match (request.method(), request.uri().path()) {
        (&(Method::GET | Method::HEAD), "/metrics") => {
            let format = format_for(request.headers());
            said(StatusCode::OK, format.content_type(), pages.page(format))
        }
        (&(Method::GET | Method::HEAD), "/") => {
            let text = "stormdeck: the metrics of a running window are at /metrics\n";
            said(StatusCode::OK, PLAIN, Bytes::from_static(text.as_bytes()))
        }
        (&(Method::GET | Method::HEAD), _) => {
            let text = "there is only /metrics\n";
            said(
                StatusCode::NOT_FOUND,
                PLAIN,
                Bytes::from_static(text.as_bytes()),
            )
        }
        _ => {
            let text = "metrics can only be read\n";
            let mut refused = said(
                StatusCode::METHOD_NOT_ALLOWED,
                PLAIN,
                Bytes::from_static(text.as_bytes()),
            );
            let methods = HeaderValue::from_static("GET, HEAD");
            refused.headers_mut().insert(ALLOW, methods);
            refused
        }
    }
}

const PLAIN: &str = "text/plain; charset=utf-8";

fn said(status: StatusCode, kind: &'static str, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static(kind);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

/// The pages of the latest snapshot, written when first asked for.
struct Pages {
    slot: Arc<Slot>,
    of: Option<Arc<Snapshot>>,
    written: [Option<Bytes>; 2],
}

impl Pages {
    fn new(slot: Arc<Slot>) -> Self {
        Self {
            slot,
            of: None,
            written: [None, None],
        }
    }

    fn page(&mut self, format: Format) -> Bytes {
        let latest = Arc::clone(&super::locked(&self.slot));
        if self.of.as_ref().is_none_or(|of| !Arc::ptr_eq(of, &latest)) {
            self.written = [None, None];
        }
        let place = match format {
            Format::Text => 0,
            Format::OpenMetrics => 1,
        };
        let page = self.written[place].get_or_insert_with(|| render(&latest, format).into());
        let page = page.clone();
        self.of = Some(latest);
        page
    }
}

/// What a client would rather have, by its `Accept`: the older format unless it names the newer one.
fn format_for(headers: &HeaderMap) -> Format {
    let (mut newer, mut older) = (0.0_f64, 0.0_f64);
    let lists = headers.get_all(ACCEPT).iter();
    for range in lists
        .filter_map(|list| list.to_str().ok())
        .flat_map(|list| list.split(','))
    {
        let mut parts = range.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
        let (mut quality, mut version) = (1.0, None);
        for (name, value) in parts.filter_map(|part| part.split_once('=')) {
            match name.trim() {
                "q" => quality = value.trim().parse().unwrap_or(0.0),
                "version" => version = Some(value.trim().trim_matches('"')),
                _ => {}
            }
        }
        match (kind.as_str(), version) {
            ("application/openmetrics-text", None | Some("1.0.0")) => newer = newer.max(quality),
            ("text/plain", None | Some("0.0.4")) => older = older.max(quality),
            _ => {}
        }
    }
    if newer > 0.0 && newer >= older {
        Format::OpenMetrics
    } else {
        Format::Text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_would_rather_have_openmetrics_gets_it() {
        let format = |accept: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, HeaderValue::from_static(accept));
            format_for(&headers)
        };
        for accept in [
            "application/openmetrics-text",
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            "text/plain;q=0.4, application/openmetrics-text; version=\"1.0.0\"; charset=utf-8; q=0.4",
        ] {
            assert_eq!(format(accept), Format::OpenMetrics, "{accept}");
        }
        for accept in [
            "*/*",
            "text/html",
            "text/plain;version=0.0.4",
            "application/openmetrics-text;version=0.0.1",
            "application/openmetrics-text;q=0",
            "application/openmetrics-text;q=0.2,text/plain",
        ] {
            assert_eq!(format(accept), Format::Text, "{accept}");
        }
        assert_eq!(format_for(&HeaderMap::new()), Format::Text);
    }
}
