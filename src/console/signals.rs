//! Signals that the console answers, and stopping in the way that a shell expects.
//!
//! In: HUP, TERM, INT, TSTP, CONT and WINCH. Out: a [`Notice`] to the loop for each. Ctrl-C and Ctrl-Z are keys while
//! the terminal is in raw mode. crossterm reports new sizes, too, but loses one that comes together with a key.
//! The invariant: no handler of ours touches the terminal; the loop does.

use std::io;
use std::thread;

use rustix::process::{Pid, Signal, getpgid, getpgrp, getpid, getsid, kill_current_process_group};
use tokio::signal::unix::{self, SignalKind};

use super::inbox::{Notice, Sender};

/// Hands signals to the loop from now on, instead of what the system does by itself.
///
/// # Errors
/// When the system refuses.
pub fn listen(to: Sender) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    let mut signals = {
        let _inside = runtime.enter();
        Signals::take()?
    };
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            runtime.block_on(async {
                loop {
                    to.notice(signals.next().await);
                }
            });
        })?;
    Ok(())
}

#[derive(Debug)]
struct Signals {
    hangup: unix::Signal,
    terminate: unix::Signal,
    interrupt: unix::Signal,
    stop: unix::Signal,
    continued: unix::Signal,
    resized: unix::Signal,
}

impl Signals {
    fn take() -> io::Result<Self> {
        let number = |signal: Signal| SignalKind::from_raw(signal.as_raw());
        Ok(Self {
            hangup: unix::signal(SignalKind::hangup())?,
            terminate: unix::signal(SignalKind::terminate())?,
            interrupt: unix::signal(SignalKind::interrupt())?,
            stop: unix::signal(number(Signal::TSTP))?,
            continued: unix::signal(number(Signal::CONT))?,
            resized: unix::signal(SignalKind::window_change())?,
        })
    }

    async fn next(&mut self) -> Notice {
        tokio::select! {
            _ = self.hangup.recv() => Notice::Hangup,
            _ = self.terminate.recv() => Notice::Terminate,
            _ = self.interrupt.recv() => Notice::Terminate,
            _ = self.stop.recv() => Notice::Stop,
            _ = self.continued.recv() => Notice::Continued,
            _ = self.resized.recv() => Notice::Resized,
        }
    }
}

/// Stops this process, and with it the others of its pipeline, until the shell continues them, which
/// [`Notice::Continued`] tells. It may return a moment before that takes hold.
///
/// # Errors
/// A sentence when there is no shell that could continue it: then nothing is stopped.
pub fn stop_here() -> Result<(), String> {
    if !has_shell() {
        return Err("there is no shell to go back to".to_owned());
    }
    kill_current_process_group(Signal::STOP).map_err(|error| format!("could not stop: {error}"))
}

/// Whether some shell watches over this process: going up from parent to parent, one in the same session that is not of
/// our job. Without one (the only program of a tmux window, say), nobody would ever continue us.
fn has_shell() -> bool {
    let Ok(session) = getsid(None) else {
        return false;
    };
    let job = getpgrp();
    let mut at = parent(getpid());
    while let Some(process) = at {
        match (getsid(Some(process)), getpgid(Some(process))) {
            (Ok(its), Ok(group)) if its == session && group == job => at = parent(process),
            (Ok(its), Ok(_)) => return its == session,
            (Err(_), _) | (_, Err(_)) => return false,
        }
    }
    false
}

fn parent(of: Pid) -> Option<Pid> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", of.as_raw_nonzero())).ok()?;
    // The name of the program, in parentheses, may hold anything.
    let after = stat.rsplit_once(')')?.1;
    let parent = after.split_whitespace().nth(1)?.parse().ok()?;
    Pid::from_raw(parent)
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    reason = "a test says what it expects by unwrapping"
)]
mod tests {
    use super::*;
    use crate::console::inbox::{Inbox, Message};

    #[test]
    fn a_signal_reaches_the_loop() {
        let inbox = Inbox::new();
        listen(inbox.sender()).unwrap();
        rustix::process::kill_process(getpid(), Signal::CONT).unwrap();
        inbox.wait(None);
        assert!(matches!(
            inbox.take(),
            Some(Message::Notice(Notice::Continued))
        ));
    }

    #[test]
    fn the_parent_of_a_process_is_known() {
        assert_eq!(parent(getpid()), rustix::process::getppid());
    }
}
