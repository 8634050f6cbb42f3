//! Signals that the console answers, and stopping in the way that a shell expects.
//!
//! In: HUP, TERM, INT, TSTP, CONT and WINCH. Out: a [`Notice`] to the loop for each. Ctrl-C and Ctrl-Z are keys while
//! the terminal is in raw mode. crossterm reports new sizes, too, but only to whoever reads keys, in their order.
//! The invariant: no handler of ours touches the terminal; the loop does.

use std::io;
use std::thread;

use rustix::process::{Signal, getpid, kill_current_process_group};
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
    let us = getpid().as_raw_nonzero().get();
    let Some(ours) = Kin::of(us) else {
        return false;
    };
    let mut at = ours.parent;
    while let Some(kin) = Kin::of(at) {
        if (kin.session, kin.group) != (ours.session, ours.group) {
            return kin.session == ours.session;
        }
        at = kin.parent;
    }
    false
}

/// Where a process stands among the others. A number is 0 where what it names is outside of the container that we are in;
/// the safe calls for the same take for granted that this cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Kin {
    parent: i32,
    group: i32,
    session: i32,
}

impl Kin {
    fn of(process: i32) -> Option<Self> {
        Self::read(&std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?)
    }

    /// From a line as `proc_pid_stat(5)` describes it.
    fn read(stat: &str) -> Option<Self> {
        // The name of the program, in parentheses, may hold anything.
        let after = stat.rsplit_once(')')?.1;
        let mut numbers = after.split_whitespace().skip(1).map(str::parse);
        let mut next = || numbers.next()?.ok();
        Some(Self {
            parent: next()?,
            group: next()?,
            session: next()?,
        })
    }
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
    fn where_a_process_stands_is_known() {
        let us = Kin::of(getpid().as_raw_nonzero().get()).unwrap();
        let parent = rustix::process::getppid().map_or(0, |pid| pid.as_raw_nonzero().get());
        assert_eq!(us.parent, parent);
        assert_eq!(us.group, rustix::process::getpgrp().as_raw_nonzero().get());
    }

    #[test]
    fn a_parent_outside_of_the_container_is_no_mistake() {
        let kin = Kin::read("1 (a) b) S 0 0 0 34816 17 4194560 1060").unwrap();
        let outside = Kin {
            parent: 0,
            group: 0,
            session: 0,
        };
        assert_eq!(kin, outside);
        assert_eq!(Kin::read("1 (cut short) S 0"), None);
        assert_eq!(Kin::read(""), None);
    }
}
