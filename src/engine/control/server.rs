//! The end of the control socket that the engine holds.
//!
//! In: connections of whoever may drive the window, and what they write. Out: calls for the conductor, one at a time
//! for each connection, and an answer for each line. It has a thread of its own. What a client may hold up is itself
//! alone: connections, lines, waits, answers and calls a second are bounded, and a call that waits for the engine is one
//! for each connection at most.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::{Instant, timeout};

use super::place;
use super::protocol::{Answer, MAX_LINE, Request, VERSION};
use super::resolve::{Names, Resolved, who};
use super::socket::{Socket, SocketError};
use crate::engine::command::{Call, FaultOrder, Order};
use crate::scrape::watch::Ask;

/// Connections at a time.
const CONNECTIONS: usize = 32;

/// How long the engine may take to come round to a call. A client waits a second longer.
const PATIENCE: Duration = Duration::from_secs(4);

/// How long a client may take to make room for an answer.
const SLOWEST: Duration = Duration::from_secs(5);

/// Calls a second that the engine is asked to look at, all connections together. Each may become a record, and more of
/// them than the disk takes would push ticks out of the recording.
const CALLS: u32 = 200;

/// Calls that may come at once before they have to wait for each other.
const AT_ONCE: u32 = 100;

/// How often it is looked whether the socket is still there.
const LOOK: Duration = Duration::from_secs(2);

/// Wait after the system refused a connection, because the load has taken all open files for example.
const AGAIN: Duration = Duration::from_millis(100);

/// The control socket of a running window. Dropping it closes every connection and removes the socket.
#[derive(Debug)]
pub struct Server {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Opens the control socket of `session` and hands over what comes as `calls`. A socket that a dead engine left
    /// behind is replaced, and one that is taken away is made again.
    ///
    /// # Errors
    /// When the directory cannot be trusted, somebody else answers there, or the system refuses.
    pub fn open(
        session: &Path,
        names: Names,
        calls: UnboundedSender<Call>,
    ) -> Result<Self, SocketError> {
        let socket = Socket::bind(session)?;
        let failed = |source| SocketError::Io {
            path: place::socket_of(session),
            source,
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(failed)?;
        let (stop, stopped) = oneshot::channel::<()>();
        let desk = Arc::new(Desk {
            names,
            calls,
            turns: Turns::new(),
            room: Arc::new(Semaphore::new(CONNECTIONS)),
        });
        let thread = std::thread::Builder::new().name("control".into());
        let session = session.to_owned();
        let serve = move || {
            runtime.block_on(async {
                tokio::select! {
                    () = serve(socket, &session, &desk) => {}
                    _ = stopped => {}
                }
            });
        };
        Ok(Self {
            thread: Some(thread.spawn(serve).map_err(failed)?),
            stop: Some(stop),
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Takes connections as long as the socket is where people look for it, and makes it again where it is not: a login
/// manager takes the whole directory away when its user leaves, and that is just when a window has to stay in reach.
async fn serve(socket: Socket, session: &Path, desk: &Arc<Desk>) {
    let mut open = Some(socket);
    let mut told = false;
    loop {
        if let Some(socket) = open.take() {
            match socket.listener().and_then(UnixListener::from_std) {
                Ok(listener) => {
                    tracing::info!(socket = %socket.path().display(), "the window can be driven");
                    told = false;
                    tokio::select! {
                        () = accept(&listener, desk) => {}
                        () = taken_away(&socket) => {}
                    }
                    tracing::warn!("the control socket was taken away");
                }
                Err(error) => {
                    tracing::error!(%error, "no control socket");
                    tokio::time::sleep(LOOK).await;
                }
            }
        }
        match Socket::bind(session) {
            Ok(socket) => open = Some(socket),
            Err(error) => {
                if !std::mem::replace(&mut told, true) {
                    tracing::error!(%error, "the control socket cannot be made again");
                }
                tokio::time::sleep(LOOK).await;
            }
        }
    }
}

async fn taken_away(socket: &Socket) {
    while socket.is_in_place() {
        tokio::time::sleep(LOOK).await;
    }
}

/// What every connection needs.
struct Desk {
    names: Names,
    calls: UnboundedSender<Call>,
    turns: Turns,
    room: Arc<Semaphore>,
}

/// Who may call when: [`CALLS`] a second, and [`AT_ONCE`] of those that nobody used.
#[derive(Debug)]
struct Turns(Mutex<Instant>);

impl Turns {
    fn new() -> Self {
        Self(Mutex::new(Instant::now()))
    }

    /// When the next call may be made; it counts as made.
    fn next(&self, now: Instant) -> Instant {
        let gap = Duration::from_secs(1) / CALLS;
        let mut next = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = (*next).max(now.checked_sub(gap * AT_ONCE).unwrap_or(now));
        *next = turn + gap;
        turn
    }
}

async fn accept(listener: &UnixListener, desk: &Arc<Desk>) {
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
        let Ok(place) = Arc::clone(&desk.room).try_acquire_owned() else {
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
            Ok(Resolved::Pin(expr)) => {
                let (reply, told) = oneshot::channel();
                let by = Some(who(&request.by, uid));
                match self
                    .call(Call::Watch(Ask::Pin { expr, by, reply }), told)
                    .await
                {
                    Ok(Ok(plan)) => {
                        Answer::said(id, format!("`{}` is shown as a gauge", plan.name))
                    }
                    Ok(Err(why)) => refused(why),
                    Err(why) => refused(why.into()),
                }
            }
            Ok(Resolved::Gauges(target)) => {
                let (reply, told) = oneshot::channel();
                let by = Some(who(&request.by, uid));
                let ask = Ask::Gauges { target, by, reply };
                answer(id, self.call(Call::Watch(ask), told).await)
            }
            Ok(Resolved::Series(text)) => {
                let (reply, told) = oneshot::channel();
                match self
                    .call(Call::Watch(Ask::Find { text, reply }), told)
                    .await
                {
                    Ok((series, more)) => found(id, series, more),
                    Err(why) => refused(why.into()),
                }
            }
            Ok(Resolved::Command(command)) => {
                let (reply, told) = oneshot::channel();
                let by = Some(who(&request.by, uid));
                let call = Call::Order(Order { by, command }, reply);
                answer(id, self.call(call, told).await)
            }
            Ok(Resolved::Fault(what)) => {
                let (reply, told) = oneshot::channel();
                let by = Some(who(&request.by, uid));
                let call = Call::Fault(FaultOrder { by, what }, reply);
                // Bringing something back takes no turns.
                answer(id, self.call_now(call, told).await)
            }
            Err(why) => refused(why),
        }
    }

    /// Hands a call over and waits for what comes of it.
    async fn call<T>(&self, call: Call, told: oneshot::Receiver<T>) -> Result<T, &'static str> {
        tokio::time::sleep_until(self.turns.next(Instant::now())).await;
        self.call_now(call, told).await
    }

    async fn call_now<T>(&self, call: Call, told: oneshot::Receiver<T>) -> Result<T, &'static str> {
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

/// What came of a call that is done or refused.
fn answer(id: u64, outcome: Result<Result<String, String>, &'static str>) -> Answer {
    match outcome {
        Ok(Ok(said)) => Answer::said(id, said),
        Ok(Err(why)) => Answer::error(Some(id), why),
        Err(why) => Answer::error(Some(id), why),
    }
}

/// Names of series, as many as fit into a line.
fn found(id: u64, mut series: Vec<String>, mut more: usize) -> Answer {
    let mut room = MAX_LINE / 2;
    let fit = series.iter().take_while(|name| {
        // Escapes make a name longer, twice as long at most where there is hardly anything else in it.
        let length = name.len() + 8;
        let fits = length <= room;
        room = room.saturating_sub(length);
        fits
    });
    let fit = fit.count();
    more += series.len() - fit;
    series.truncate(fit);
    let said = match (series.len(), more) {
        (0, _) => "no series like that is scraped".to_owned(),
        (count, 0) => format!("{count} series"),
        (count, more) => format!("{count} series, and {more} more"),
    };
    Answer {
        series,
        ..Answer::said(id, said)
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_bytes_are_a_request_or_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
        }

        #[test]
        fn any_object_is_a_request_or_an_answer_with_its_id(
            verb in "(start|rate|load|extend|sign_off|jump|x)",
            rest in r#"(,"(scenario|to|for|by|text|phase|decision)":(0|"x"|"5m"|"[+]1e9%"|"-9/s"|null|\[\]|\{\})){0,5}"#,
        ) {
            let line = format!("{{\"v\":1,\"id\":7,\"do\":\"{verb}\"{rest}}}");
            match read(line.as_bytes()) {
                Ok(request) => prop_assert_eq!(request.id, 7),
                Err(answer) => prop_assert!(answer.id == Some(7) && answer.error.is_some()),
            }
        }
    }

    #[test]
    fn calls_come_at_once_for_a_while_and_then_take_turns() {
        let start = Instant::now();
        let turns = Turns(Mutex::new(start));
        let later = start + Duration::from_secs(10);
        let waits: Vec<Duration> = (0..=300)
            .map(|_| turns.next(later).saturating_duration_since(later))
            .collect();
        assert!(waits[..=100].iter().all(Duration::is_zero));
        assert_eq!(waits[300], Duration::from_secs(1));
    }
}
