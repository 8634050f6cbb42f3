//! The socket itself: made where people look for it, and gone with the engine.
//!
//! The invariant: it is never there before it can be trusted, nor taken from an engine that still answers, and what is
//! removed is one's own or nobody's.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::io::Errno;

use super::client::dial;
use super::place::{self, PlaceError};

/// Sockets that are looked at for being left behind.
const SWEPT: usize = 256;

/// The age below which a socket is not taken for one that was left behind.
const YOUNG: Duration = Duration::from_mins(1);

/// A listening control socket. Dropping it removes the file.
#[derive(Debug)]
pub(super) struct Socket {
    path: PathBuf,
    /// Device and inode, so that nobody else's socket is removed.
    identity: (u64, u64),
    listener: UnixListener,
}

/// Why there is no control socket.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
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

impl Socket {
    /// Makes the control socket of `session`, mode 0600, in the place of one that a dead engine left behind.
    pub fn bind(session: &Path) -> Result<Self, SocketError> {
        sweep(&place::make_dir()?);
        let path = place::socket_of(session);
        let failed = |source| SocketError::Io {
            path: path.clone(),
            source,
        };
        make_room(&path)?;
        let listener = UnixListener::bind(&path).map_err(failed)?;
        let identity = identity(&path).map_err(failed)?;
        // From here on it is removed on every way out.
        let socket = Self {
            path: path.clone(),
            identity,
            listener,
        };
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).map_err(failed)?;
        socket.listener.set_nonblocking(true).map_err(failed)?;
        Ok(socket)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Another handle on what listens.
    pub fn listener(&self) -> io::Result<UnixListener> {
        self.listener.try_clone()
    }

    /// Whether who looks for it finds it.
    pub fn is_in_place(&self) -> bool {
        identity(&self.path).is_ok_and(|found| found == self.identity)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.is_in_place() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|found| (found.dev(), found.ino()))
}

/// Removes a socket that nobody listens to any more.
fn make_room(path: &Path) -> Result<(), SocketError> {
    let failed = |source| SocketError::Io {
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
    if is_dead(path) {
        fs::remove_file(path).map_err(failed)
    } else {
        Err(SocketError::Taken(path.to_owned()))
    }
}

/// Whether nobody listens to a socket any more.
fn is_dead(socket: &Path) -> bool {
    matches!(dial(socket), Err(Errno::CONNREFUSED))
}

/// Removes sockets that killed engines left behind. Young ones are left alone: there is a moment between the making of
/// a socket and the first listening.
fn sweep(dir: &Path) {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    for path in entries.map(|entry| entry.path()).take(SWEPT) {
        let old = fs::symlink_metadata(&path).is_ok_and(|found| {
            let age = found
                .modified()
                .map(|made| made.elapsed().unwrap_or_default());
            found.file_type().is_socket() && age.is_ok_and(|age| age > YOUNG)
        });
        if old && is_dead(&path) {
            let _ = fs::remove_file(&path);
        }
    }
}
