//! The keyboard, from a thread of its own.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crossterm::event::KeyEventKind;

use crate::console::event::Event;
use crate::console::inbox::{Notice, Sender};
use crate::console::terminal::writer::Tty;

/// How often the keyboard's thread looks whether the console has ended.
const LOOK: Duration = Duration::from_millis(100);

/// Reads the keyboard from a thread of its own until the console has ended. Before `deaf` has passed, what comes is thrown
/// away.
///
/// # Errors
/// When there is no terminal, or the system gives no thread.
pub fn listen(to: Sender, deaf: Duration) -> io::Result<Keys> {
    let tty = Tty::open()?;
    let ended = Arc::new(AtomicBool::new(false));
    let (running, done) = mpsc::channel();
    let theirs = Arc::clone(&ended);
    let deaf_until = Instant::now() + deaf;
    thread::Builder::new()
        .name("keys".to_owned())
        .spawn(move || {
            while !theirs.load(Ordering::SeqCst) {
                let event = match crossterm::event::poll(LOOK) {
                    // It finds nothing to read in a terminal that is gone, over and over.
                    Ok(false) if tty.is_gone() => Err(io::ErrorKind::BrokenPipe.into()),
                    Ok(false) => continue,
                    Ok(true) => crossterm::event::read(),
                    Err(error) => Err(error),
                };
                let Ok(event) = event else {
                    to.notice(Notice::Hangup);
                    break;
                };
                let sent = match key_event(event) {
                    Some(Event::Key(_)) if Instant::now() < deaf_until => Ok(()),
                    Some(event) => to.send(event),
                    None => Ok(()),
                };
                if sent.is_err() {
                    break;
                }
            }
            drop(running);
        })?;
    Ok(Keys { ended, done })
}

/// The keyboard's thread. Dropping this ends it, within a tenth of a second, so that what is typed from then on is left for
/// whoever reads the terminal next.
#[derive(Debug)]
pub struct Keys {
    ended: Arc<AtomicBool>,
    done: mpsc::Receiver<()>,
}

impl Drop for Keys {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        // Half of an escape sequence could hold the thread in its read; nobody waits for the other half.
        let _ = self.done.recv_timeout(2 * LOOK);
    }
}

/// What the terminal says, if it means something to the model.
pub(super) fn key_event(event: crossterm::event::Event) -> Option<Event> {
    use crossterm::event::Event as Terminal;
    match event {
        Terminal::Key(key) if key.kind == KeyEventKind::Release => None,
        Terminal::Key(key) => Some(Event::Key(key)),
        Terminal::Paste(text) => Some(Event::Paste(text)),
        // A signal says that, and reliably.
        Terminal::Resize(..) | Terminal::FocusGained | Terminal::FocusLost | Terminal::Mouse(_) => {
            None
        }
    }
}
