//! Asking a running window for something, from another process.
//!
//! In: the path of a session and wishes. Out: what the engine did, in a sentence, or why not. Nothing here waits longer
//! than [`CONNECT`] and [`ANSWER`], whatever the other side does.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};

use super::place::{self, PlaceError};
use super::protocol::{Answer, MAX_LINE, Request, Status, VERSION, Wish};
use crate::engine::process;
use crate::session::dir::{is_being_written, name_of};

/// How long a connection may take.
pub const CONNECT: Duration = Duration::from_secs(2);

/// How long an answer may take.
pub const ANSWER: Duration = Duration::from_secs(5);

/// A connection to the engine of a running window.
#[derive(Debug)]
pub struct Client {
    stream: UnixStream,
    by: String,
    next: u64,
    /// What came after the last whole line.
    rest: Vec<u8>,
}

/// Why a window could not be reached.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// There is no socket, or nobody behind it.
    #[error("the window `{session}` is not running; `stormdeck ls` shows those that are")]
    Gone {
        /// The session's name.
        session: String,
    },
    /// It is being recorded, but there is no socket where one should be.
    #[error(
        "the window `{session}` is running, but its control socket is not to be found; was it started with another \
         XDG_RUNTIME_DIR, or without a socket? Its log says where it is"
    )]
    Deaf {
        /// The session's name.
        session: String,
    },
    /// The socket is somebody else's.
    #[error("the window `{session}` may only be driven by who started it, or root")]
    NotPermitted {
        /// The session's name.
        session: String,
    },
    /// The engine does not take connections.
    #[error("the engine of `{session}` did not take the connection within 2s; try again")]
    Busy {
        /// The session's name.
        session: String,
    },
    /// The directory of its socket cannot be trusted.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// The system refused.
    #[error("the control socket `{path}`: {source}")]
    Io {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Why a wish was not granted.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The engine refused, and says why.
    #[error("{0}")]
    Refused(String),
    /// It said nothing in time. Whether it did what was asked is not known.
    #[error("no answer within 5s; look at the window before you ask again")]
    NoAnswer,
    /// It closed the connection. Whether it did what was asked is not known.
    #[error("the window ended before it answered")]
    Closed,
    /// It said something that this version does not understand.
    #[error("the engine answered something that this version does not understand: {0}")]
    NotUnderstood(String),
    /// The connection failed.
    #[error("the connection to the engine failed: {0}")]
    Io(#[from] io::Error),
}

impl Client {
    /// Connects to the engine that writes `session`.
    ///
    /// # Errors
    /// When it is not running, is somebody else's, or does not take the connection in time.
    pub fn connect(session: &Path) -> Result<Self, ConnectError> {
        let name = name_of(session);
        let mut worst = match File::open(session) {
            Ok(file) if is_being_written(&file) => ConnectError::Deaf { session: name },
            Ok(_) | Err(_) => ConnectError::Gone { session: name },
        };
        for socket in place::sockets_of(session) {
            match connect_to(&socket, session) {
                Ok(stream) => return Ok(Self::over(stream)),
                Err(ConnectError::Gone { .. }) => {}
                Err(error) => worst = error,
            }
        }
        Err(worst)
    }

    fn over(stream: UnixStream) -> Self {
        Self {
            stream,
            by: process::who_from(),
            next: 1,
            rest: Vec::new(),
        }
    }

    /// Asks for something and waits for what the engine did, in a sentence.
    ///
    /// # Errors
    /// When the engine refused, or no answer came.
    pub fn send(&mut self, wish: &Wish) -> Result<String, SendError> {
        let answer = self.ask(wish)?;
        let mut lines = answer.series;
        lines.extend(answer.said);
        Ok(lines.join("\n"))
    }

    /// Asks for the names of scraped series that hold these words.
    ///
    /// # Errors
    /// When the engine refused, or no answer came.
    pub fn series(&mut self, text: &str) -> Result<Vec<String>, SendError> {
        let text = text.to_owned();
        self.ask(&Wish::Series { text }).map(|answer| answer.series)
    }

    /// Asks how the window stands.
    ///
    /// # Errors
    /// When no answer came.
    pub fn status(&mut self) -> Result<Status, SendError> {
        let answer = self.ask(&Wish::Status)?;
        answer
            .status
            .ok_or_else(|| SendError::NotUnderstood("no status".into()))
    }

    fn ask(&mut self, wish: &Wish) -> Result<Answer, SendError> {
        let id = self.next;
        self.next += 1;
        let request = Request {
            v: VERSION,
            id,
            by: self.by.clone(),
            wish: wish.clone(),
        };
        let mut line = serde_json::to_vec(&request).map_err(io::Error::other)?;
        line.push(b'\n');
        if line.len() > MAX_LINE {
            return Err(SendError::Refused("that is too long".into()));
        }
        let deadline = Instant::now() + ANSWER;
        self.stream.set_write_timeout(Some(ANSWER))?;
        match self.stream.write_all(&line) {
            // Whoever turned us away may have said why.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            other => other.map_err(failed)?,
        }
        loop {
            let line = self.line(deadline)?;
            let answer: Answer = serde_json::from_slice(&line)
                .map_err(|error| SendError::NotUnderstood(error.to_string()))?;
            match answer {
                // Of a request that was given up before.
                Answer { id: Some(old), .. } if old < id => {}
                Answer { ok: true, .. } => return Ok(answer),
                Answer { error, .. } => {
                    return Err(SendError::Refused(error.unwrap_or_default()));
                }
            }
        }
    }

    fn line(&mut self, deadline: Instant) -> Result<Vec<u8>, SendError> {
        let mut chunk = [0; 4096];
        loop {
            if let Some(end) = self.rest.iter().position(|&byte| byte == b'\n') {
                return Ok(self.rest.drain(..=end).collect());
            }
            if self.rest.len() > MAX_LINE {
                return Err(SendError::NotUnderstood("a line without an end".into()));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(SendError::NoAnswer);
            }
            self.stream.set_read_timeout(Some(left))?;
            match self.stream.read(&mut chunk).map_err(failed)? {
                0 => return Err(SendError::Closed),
                count => self.rest.extend_from_slice(&chunk[..count]),
            }
        }
    }
}

fn failed(error: io::Error) -> SendError {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => SendError::NoAnswer,
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => SendError::Closed,
        _ => SendError::Io(error),
    }
}

fn connect_to(path: &Path, session: &Path) -> Result<UnixStream, ConnectError> {
    let name = || name_of(session);
    let gone = || ConnectError::Gone { session: name() };
    let dir = path.parent().unwrap_or(Path::new("/"));
    let trusted = match std::fs::symlink_metadata(dir) {
        Ok(_) => place::verify(dir, place::owner(session)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(gone()),
        Err(_) => Ok(()),
    };
    let io = |error: Errno| match error {
        Errno::NOENT | Errno::CONNREFUSED => gone(),
        Errno::ACCESS | Errno::PERM => ConnectError::NotPermitted { session: name() },
        Errno::AGAIN | Errno::TIMEDOUT => ConnectError::Busy { session: name() },
        error => ConnectError::Io {
            path: path.to_owned(),
            source: error.into(),
        },
    };
    trusted?;
    dial(path).map_err(io)
}

/// Connects within [`CONNECT`]. By hand, since a full backlog would hold up the standard library's `connect` for ever.
pub(super) fn dial(path: &Path) -> Result<UnixStream, Errno> {
    let socket = socket_with(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )?;
    set_socket_timeout(&socket, Timeout::Send, Some(CONNECT))?;
    connect(&socket, &SocketAddrUnix::new(path)?)?;
    Ok(UnixStream::from(socket))
}
