//! From a profile to a window that can begin: services, session, log and control socket, in the order in which a
//! failure leaves the least behind.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tracing_appender::non_blocking::WorkerGuard;

use super::command::{Call, Command, Order};
use super::control::{Names, Server, place, socket::SocketError};
use super::embedded::{Embedded, EmbeddedError};
use super::leftover::LeftoverError;
use super::metrics;
use super::prepare::LoadError;
use super::window::{self, EngineError, Finished, Progress, Spec};
use super::{leftover, logs, plan, prepare, process};
use crate::fault::keeper::{Guard, Keeper, KeeperError};
use crate::profile::Profile;
use crate::session::dir::{self, EXTENSION, FindError, Sessions};
use crate::session::{OpenError, Writer};

/// What a window is to be made of.
#[derive(Debug)]
pub struct Launch {
    /// What to do.
    pub profile: Profile,
    /// Worker threads.
    pub workers: usize,
    /// Where sessions live, if it is said.
    pub dir: Option<PathBuf>,
    /// Name of the session, instead of one made from the time and the window's name.
    pub name: Option<String>,
    /// The stormdeck executable, for demo services.
    pub program: PathBuf,
    /// Whether a window that nobody can drive may begin. It then says why in its warnings.
    pub may_be_deaf: bool,
}

/// Why a window could not begin.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// The load cannot be put.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A demo service did not start.
    #[error(transparent)]
    Embedded(#[from] EmbeddedError),
    /// The engine's own metrics cannot be served.
    #[error(transparent)]
    Metrics(#[from] metrics::BindError),
    /// A fault of an earlier window is still in place.
    #[error(transparent)]
    Leftover(#[from] LeftoverError),
    /// The faults are not ready.
    #[error(transparent)]
    Faults(#[from] KeeperError),
    /// There is no directory of sessions.
    #[error(transparent)]
    Sessions(#[from] FindError),
    /// The session cannot be written.
    #[error(transparent)]
    Session(#[from] OpenError),
    /// Nobody could drive it.
    #[error(transparent)]
    Control(#[from] SocketError),
}

/// A window that can begin.
pub struct Ready {
    session: PathBuf,
    spec: Spec,
    remote: Remote,
    // Dropped in this order: nobody asks a window that is over, services end after the load, the log says all of it.
    server: Option<Server>,
    _services: Embedded,
    _log: Option<WorkerGuard>,
}

/// Drives a window from within the process that runs it.
#[derive(Debug, Clone)]
pub struct Remote(UnboundedSender<Call>);

impl Remote {
    /// Ends the window. Whether it is over already makes no difference.
    pub fn end(&self, text: &str) {
        let (reply, _) = oneshot::channel();
        let order = Order {
            by: None,
            command: Command::End { text: text.into() },
        };
        let _ = self.0.send(Call::Order(order, reply));
    }
}

impl Launch {
    /// Makes everything ready.
    ///
    /// # Errors
    /// With what keeps the window from beginning; nothing runs on then.
    pub fn ready(self) -> Result<Ready, LaunchError> {
        let mut profile = self.profile;
        // Before the session: what cannot start leaves none behind. Before the services: a mistake starts none of them.
        prepare::check(&profile, self.workers)?;
        if !self.may_be_deaf {
            place::make_dir().map_err(SocketError::from)?;
        }
        let address = profile.window.metrics.as_deref();
        let metrics = address.map(metrics::Listener::bind).transpose()?;
        let services = Embedded::start(&mut profile, &self.program)?;
        let mut prepared = prepare::prepare(&profile, self.workers)?;
        let faults = !profile.faults.is_empty();
        let mut keeper = faults.then(|| Keeper::open(&profile)).transpose()?;
        let sessions = Sessions::locate(self.dir.as_deref())?;
        sessions.make_dir()?;
        let names = plan::names(&profile);
        prepared
            .warnings
            .extend(leftover::clear_before_a_window(&sessions.dir)?);
        let writer = match &self.name {
            Some(name) => Writer::create(sessions.dir.join(format!("{name}{EXTENSION}")), names)?,
            None => sessions.begin(&profile.window.name, jiff::Timestamp::now(), &names)?,
        };
        let session = writer.path().to_owned();
        if let Some(keeper) = &mut keeper {
            keeper.begin(guard(&session, self.program.clone()));
        }
        let log = logs::start(&session);
        let (calls, orders) = unbounded_channel();
        let remote = Remote(calls.clone());
        let server = match Server::open(&session, Names::of(&profile), calls) {
            Ok(server) => Some(server),
            Err(error) if self.may_be_deaf => {
                prepared
                    .warnings
                    .push(format!("the window cannot be driven: {error}"));
                None
            }
            Err(error) => return Err(error.into()),
        };
        let spec = Spec {
            profile,
            prepared,
            writer,
            by: process::who_from(),
            orders,
            metrics,
            keeper,
        };
        Ok(Ready {
            session,
            spec,
            remote,
            server,
            _services: services,
            _log: log,
        })
    }
}

impl Ready {
    /// Where it is recorded.
    pub fn session(&self) -> &Path {
        &self.session
    }

    /// Where the engine's own metrics will be served.
    pub fn metrics(&self) -> Option<SocketAddr> {
        self.spec.metrics.as_ref().map(metrics::Listener::address)
    }

    /// What drives the window from within this process.
    pub fn remote(&self) -> Remote {
        self.remote.clone()
    }

    /// Runs the window to its end. `show` is called once a tick and must not block.
    ///
    /// # Errors
    /// When it could not begin.
    pub fn run(self, show: impl FnMut(&Progress<'_>)) -> Result<Finished, EngineError> {
        let finished = window::run(self.spec, show);
        drop(self.server);
        finished
    }
}

/// Who guards the faults of a session.
fn guard(session: &Path, program: PathBuf) -> Guard {
    Guard {
        sessions: session.parent().map(Path::to_owned).unwrap_or_default(),
        session: dir::name_of(session),
        log: dir::log_of(session),
        program,
    }
}
