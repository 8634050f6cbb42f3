//! Where the control socket of a session is, and whether that place can be trusted.
//!
//! In: the session's path and the environment. Out: a path that every stormdeck of the same user comes to, short enough
//! for a Unix socket. The invariant: a directory that somebody else could write to is refused, so that nobody can put a
//! socket of their own in the place of ours, or read what goes over it.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use xxhash_rust::xxh64::xxh64;

use crate::session::dir::name_of;

/// The longest path of a Unix socket, bytes: `sun_path` less its final zero.
const LONGEST: usize = 107;

/// Characters of the session's name that go into the socket's name.
const MAX_NAME: usize = 40;

/// `-`, 8 hexadecimal digits, `.sock`.
const REST: usize = 14;

/// Why a directory for sockets is not used.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// It cannot be made or looked at.
    #[error("the directory of control sockets `{path}`: {source}")]
    Io {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Somebody else could put something into it.
    #[error(
        "the directory of control sockets `{path}` {why}, so whoever is behind it could drive the window; \
         remove it, or set XDG_RUNTIME_DIR to a directory of your own"
    )]
    Unsafe {
        /// The directory.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

/// The control socket of a session: in `$XDG_RUNTIME_DIR/stormdeck`, or in `/tmp/stormdeck-UID` where that is not set,
/// not there, or too long. The file need not be there.
pub fn socket_of(session: &Path) -> PathBuf {
    dir().join(file_name(session))
}

/// Every place where an engine that ran in another environment may have put the socket, the likeliest first.
pub(super) fn sockets_of(session: &Path) -> Vec<PathBuf> {
    let mut dirs = vec![dir()];
    let uid = owner(session);
    dirs.push(PathBuf::from(format!("/run/user/{uid}/stormdeck")));
    dirs.push(fallback(uid));
    dirs.dedup();
    let name = file_name(session);
    dirs.into_iter().map(|dir| dir.join(&name)).collect()
}

/// The directory of this process's control sockets.
pub fn dir() -> PathBuf {
    let set = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    set.filter(|dir| dir.is_absolute() && dir.is_dir())
        .map(|dir| dir.join("stormdeck"))
        .filter(|dir| dir.as_os_str().len() + 1 + MAX_NAME + REST <= LONGEST)
        .unwrap_or_else(|| fallback(rustix::process::geteuid().as_raw()))
}

fn fallback(uid: u32) -> PathBuf {
    PathBuf::from(format!("/tmp/stormdeck-{uid}"))
}

/// Who recorded the session, as far as this process may act for them: root may for anybody.
pub(super) fn owner(session: &Path) -> u32 {
    let own = rustix::process::geteuid().as_raw();
    match fs::metadata(session) {
        Ok(metadata) if own == 0 => metadata.uid(),
        Ok(_) | Err(_) => own,
    }
}

/// Makes the directory of this process's control sockets, mode 0700, and makes sure that it is its own.
///
/// # Errors
/// When it cannot be made, is a link, belongs to somebody else, or others may enter it.
pub fn make_dir() -> Result<PathBuf, PlaceError> {
    let path = dir();
    match DirBuilder::new().mode(0o700).create(&path) {
        Err(source) if source.kind() != io::ErrorKind::AlreadyExists => {
            Err(PlaceError::Io { path, source })
        }
        Ok(()) | Err(_) => verify(&path, rustix::process::geteuid().as_raw()).map(|()| path),
    }
}

/// Whether nobody but `uid` and root can put anything into the directory.
pub(super) fn verify(path: &Path, uid: u32) -> Result<(), PlaceError> {
    let look = |path: &Path, at: io::Result<fs::Metadata>| {
        at.map_err(|source| PlaceError::Io {
            path: path.to_owned(),
            source,
        })
    };
    let refuse = |why: String| {
        Err(PlaceError::Unsafe {
            path: path.to_owned(),
            why,
        })
    };
    let found = look(path, fs::symlink_metadata(path))?;
    match () {
        () if found.is_symlink() => return refuse("is a symbolic link".into()),
        () if !found.is_dir() => return refuse("is not a directory".into()),
        () if found.uid() != uid => return refuse(format!("belongs to user {}", found.uid())),
        () if found.mode() & 0o077 != 0 => {
            return refuse(format!("has mode {:04o}, not 0700", found.mode() & 0o7777));
        }
        () => {}
    }
    // Whoever may rename it could put another in its place.
    let parent = path.parent().unwrap_or(Path::new("/"));
    let above = look(parent, fs::metadata(parent))?;
    let sticky = above.mode() & 0o1000 != 0;
    if above.uid() != uid && above.uid() != 0 {
        return refuse(format!("is in a directory of user {}", above.uid()));
    }
    if above.mode() & 0o022 != 0 && !sticky {
        return refuse("is in a directory that others may change".into());
    }
    Ok(())
}

/// `NAME-0a1b2c3d.sock`: the digits tell sessions of the same name in different directories apart.
fn file_name(session: &Path) -> String {
    let path = session
        .canonicalize()
        .or_else(|_| std::path::absolute(session))
        .unwrap_or_else(|_| session.to_owned());
    let plain = |c: char| match c {
        c if c.is_ascii_alphanumeric() => c,
        '.' | '_' => c,
        _ => '-',
    };
    let name: String = name_of(&path).chars().map(plain).take(MAX_NAME).collect();
    let hash = xxh64(path.as_os_str().as_bytes(), 0) as u32;
    format!("{name}-{hash:08x}.sock")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    #[test]
    fn a_sockets_path_fits_and_tells_sessions_apart() {
        let long = PathBuf::from(format!("/a/{}ß.jsonl.zst", "x".repeat(300)));
        let socket = socket_of(&long);
        assert!(socket.as_os_str().len() <= LONGEST, "{socket:?}");
        assert_eq!(socket, socket_of(&long));
        assert_ne!(
            socket_of(Path::new("/a/one.jsonl.zst")),
            socket_of(Path::new("/b/one.jsonl.zst"))
        );
        let name = file_name(Path::new("/a/großer name.jsonl.zst"));
        assert!(name.starts_with("gro-er-name-"), "{name}");
    }

    #[test]
    fn a_directory_that_is_not_ours_alone_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let own = rustix::process::geteuid().as_raw();
        let said = |path: &Path, uid| verify(path, uid).unwrap_err().to_string();
        let mode = |path: &Path, mode| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        };
        let place = dir.path().join("stormdeck");
        assert!(said(&place, own).contains("No such file"));
        fs::create_dir(&place).unwrap();
        mode(&place, 0o700);
        verify(&place, own).unwrap();
        assert!(said(&place, own + 1).contains("belongs to user"));
        mode(&place, 0o750);
        assert!(said(&place, own).contains("mode 0750"));
        let link = dir.path().join("link");
        symlink(&place, &link).unwrap();
        assert!(said(&link, own).contains("symbolic link"));
        mode(&place, 0o700);
        mode(dir.path(), 0o777);
        assert!(said(&place, own).contains("others may change"));
        mode(dir.path(), 0o1777);
        verify(&place, own).unwrap();
    }
}
