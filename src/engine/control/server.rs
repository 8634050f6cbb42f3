//! The end of the control socket that the engine holds.
//!
//! In: connections of whoever may drive the window, and what they write. Out: calls for the conductor, one at a time
//! for each connection, and an answer for each line. It has a thread of its own. What a client may hold up is itself
//! alone: connections, lines, waits and answers are bounded, and a call that waits for the engine is one for each
//! connection at most.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net as blocking;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::timeout;

use super::place::{self, PlaceError};
use super::protocol::{Answer, MAX_LINE, Request, VERSION};
use super::resolve::{Names, Resolved, who};
use crate::engine::command::{Call, Order};

/// Connections at a time.
const CONNECTIONS: usize = 32;

/// How long the engine may take to come round to a call. A client waits a second longer.
const PATIENCE: Duration = Duration::from_secs(4);

/// How long a client may take to make room for an answer.
const SLOWEST: Duration = Duration::from_secs(5);

/// Wait after the system refused a connection, because the load has taken all open files for example.
const AGAIN: Duration = Duration::from_millis(100);

/// The control socket of a running window. Dropping it closes every connection and removes the socket.
#[derive(Debug)]
pub struct Server {
    path: PathBuf,
    /// Device and inode, so that nobody else's socket is removed.
    identity: (u64, u64),
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Why there is no control socket.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// Its directory cannot be used.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// Somebody answers there.
    #[error("another engine answers at the control socket `{0}`")]
    Taken(PathBuf),
    /// The system refused.
    #[error("the control socket `{path}`: {source}")]
    Io {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Server {
    /// Opens the control socket of `session` and hands over what comes as `calls`. A socket that a dead engine left
    /// behind is replaced.
    ///
    /// # Errors
    /// When the directory cannot be trusted, somebody else answers there, or the system refuses.
    pub fn open(
        session: &Path,
        names: Names,
        calls: UnboundedSender<Call>,
    ) -> Result<Self, ServerError> {
        place::make_dir()?;
        let path = place::socket_of(session);
        let failed = |source| ServerError::Io {
            path: path.clone(),
            source,
        };
        make_room(&path)?;
        let listener = blocking::UnixListener::bind(&path).map_err(failed)?;
        let metadata = fs::symlink_metadata(&path).map_err(failed)?;
        // From here on it is removed on every way out.
        let mut server = Self {
            identity: (metadata.dev(), metadata.ino()),
            path: path.clone(),
            stop: None,
            thread: None,
        };
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(failed)?;
        let (stop, stopped) = oneshot::channel::<()>();
        let desk = Arc::new(Desk { names, calls });
        let thread = std::thread::Builder::new().name("control".into());
        let serve = move || {
            runtime.block_on(async {
                match UnixListener::from_std(listener) {
                    Ok(listener) => tokio::select! {
                        () = accept(&listener, &desk) => {}
                        _ = stopped => {}
                    },
                    Err(error) => tracing::error!(%error, "no control socket"),
                }
            });
        };
        server.thread = Some(thread.spawn(serve).map_err(failed)?);
        server.stop = Some(stop);
        tracing::info!(socket = %path.display(), "the window can be driven");
        Ok(server)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        let metadata = fs::symlink_metadata(&self.path);
        if metadata.is_ok_and(|it| (it.dev(), it.ino()) == self.identity) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Removes a socket that nobody listens to any more.
fn make_room(path: &Path) -> Result<(), ServerError> {
    let failed = |source| ServerError::Io {
        path: path.to_owned(),
        source,
    };
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
    };
    if !found.file_type().is_socket() {
        return Err(failed(io::Error::other("it is there and is no socket")));
    }
    match blocking::UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(failed)
        }
        Ok(_) | Err(_) => Err(ServerError::Taken(path.to_owned())),
    }
}

/// What every connection needs.
struct Desk {
    names: Names,
    calls: UnboundedSender<Call>,
}

async fn accept(listener: &UnixListener, desk: &Arc<Desk>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let own = rustix::process::geteuid().as_raw();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(AGAIN).await;
            continue;
        };
        let uid = match stream.peer_cred() {
            Ok(peer) if peer.uid() == own || peer.uid() == 0 => peer.uid(),
            Ok(peer) => {
                tracing::warn!(uid = peer.uid(), "a stranger was turned away");
                turn_away(
                    &stream,
                    "only who started the window, or root, may drive it",
                );
                continue;
            }
            Err(_) => continue,
        };
        let Ok(place) = Arc::clone(&room).try_acquire_owned() else {
            turn_away(
                &stream,
                "there are 32 connections already; close one of them",
            );
            continue;
        };
        let desk = Arc::clone(desk);
        tokio::spawn(async move {
            // Whatever goes wrong with a connection ends that connection.
            let _ = converse(stream, uid, &desk).await;
            drop(place);
        });
    }
}

/// A sentence for a connection that is not taken. Its buffer is empty, so this never waits.
fn turn_away(stream: &UnixStream, why: &str) {
    let _ = stream.try_write(&line(&Answer::error(None, why)));
}

/// Answers one line after the other until the client leaves.
async fn converse(stream: UnixStream, uid: u32, desk: &Desk) -> io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    let mut request = Vec::new();
    loop {
        request.clear();
        let count = (&mut reader)
            .take(MAX_LINE as u64)
            .read_until(b'\n', &mut request)
            .await?;
        if count == 0 {
            return Ok(());
        }
        let whole = request.ends_with(b"\n");
        let answer = match whole {
            true => desk.answer(&request, uid).await,
            false if count < MAX_LINE => Answer::error(None, "the line has no end"),
            false => Answer::error(None, format!("a line is at most {MAX_LINE} bytes")),
        };
        timeout(SLOWEST, writer.write_all(&line(&answer))).await??;
        if !whole {
            return Ok(());
        }
    }
}

impl Desk {
    async fn answer(&self, line: &[u8], uid: u32) -> Answer {
        let (id, request) = match read(line) {
            Ok(request) => (request.id, request),
            Err(answer) => return *answer,
        };
        let refused = |why: String| Answer::error(Some(id), why);
        match self.names.resolve(request.wish) {
            Ok(Resolved::Said(said)) => Answer::said(id, said),
            Ok(Resolved::Status) => {
                let (reply, told) = oneshot::channel();
                match self.call(Call::Status(reply), told).await {
                    Ok(status) => Answer {
                        status: Some(status.clone()),
                        ..Answer::said(id, status.to_string())
                    },
                    Err(why) => refused(why.into()),
                }
            }
            Ok(Resolved::Command(command)) => {
                let (reply, told) = oneshot::channel();
                let by = Some(who(&request.by, uid));
                let call = Call::Order(Order { by, command }, reply);
                match self.call(call, told).await {
                    Ok(Ok(said)) => Answer::said(id, said),
                    Ok(Err(why)) => refused(why),
                    Err(why) => refused(why.into()),
                }
            }
            Err(why) => refused(why),
        }
    }

    /// Hands a call over and waits for what comes of it.
    async fn call<T>(&self, call: Call, told: oneshot::Receiver<T>) -> Result<T, &'static str> {
        if self.calls.send(call).is_err() {
            return Err("the window has ended");
        }
        match timeout(PATIENCE, told).await {
            Ok(Ok(told)) => Ok(told),
            Ok(Err(_)) => Err("the window has ended"),
            Err(_) => Err("the engine did not come round to it within 4s; it may still do it"),
        }
    }
}

/// A request, or what to answer in its place. The error keeps the id where there is one to be read.
fn read(line: &[u8]) -> Result<Request, Box<Answer>> {
    let refused = |id, why: String| Err(Box::new(Answer::error(id, why)));
    let value: serde_json::Value = match serde_json::from_slice(line) {
        Ok(value) => value,
        Err(error) => return refused(None, format!("that is no JSON: {error}")),
    };
    let id = value.get("id").and_then(serde_json::Value::as_u64);
    match value.get("v").and_then(serde_json::Value::as_u64) {
        Some(v) if v == u64::from(VERSION) => {}
        Some(v) => {
            return refused(
                id,
                format!("this engine speaks version {VERSION} of the protocol, not {v}"),
            );
        }
        None => return refused(id, format!("a request has `\"v\":{VERSION}`")),
    }
    serde_json::from_value(value)
        .or_else(|error| refused(id, format!("that is not understood: {error}")))
}

fn line(answer: &Answer) -> Vec<u8> {
    // Strings and numbers always serialize.
    let mut line = serde_json::to_vec(answer).unwrap_or_default();
    line.push(b'\n');
    line
}
