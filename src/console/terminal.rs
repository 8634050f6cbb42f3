//! The terminal: taken over, drawn on, and given back as it was.
//!
//! In: pictures. Out: for each one `write` of what differs, inside a synchronized update, from a thread of its own
//! ([`writer`]); nothing at all when nothing differs. The invariant: however the console ends (by a key, a signal, a
//! panic), the terminal gets its mode, its screen, its cursor and its paste mode back, and nothing that the terminal does or
//! leaves undone keeps the console from ending.

pub mod paint;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
pub mod writer;

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::Size;

use paint::Paint;
use writer::{Out, Tty, Writer};

/// Alternate screen, emptied; cursor hidden; pasted text comes in brackets.
const ENTER: &str = "\x1b[?1049h\x1b[2J\x1b[?25l\x1b[?2004h";

/// All of it back. Ends an update that was being shown, too, and leaves nothing behind where there is but one screen.
const LEAVE: &str = "\x1b[?2026l\x1b[m\x1b[?2004l\x1b[2J\x1b[H\x1b[?1049l\x1b[?25h";

/// The terminal shows nothing between these two, so that no half of a frame is ever seen.
const BEGIN: &str = "\x1b[?2026h";
const COMMIT: &str = "\x1b[?2026l";

/// How long a terminal that does not read can hold up the end of the console.
const PATIENCE: Duration = Duration::from_millis(800);

/// The size that is assumed where the terminal does not say.
const SIZE: (u16, u16) = (80, 24);

/// What came of drawing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drawn {
    /// So many bytes are on their way.
    Bytes(usize),
    /// The picture is the same.
    Nothing,
    /// The terminal has not taken the last frame yet. The picture was not made.
    Busy,
}

/// A terminal that was taken over. Dropping it gives it back.
#[derive(Debug)]
pub struct Terminal {
    surface: ratatui::Terminal<Paint>,
    held: Arc<Held>,
    /// To be written with the next frame.
    extra: String,
}

/// What is needed to give the terminal back, from whichever thread.
#[derive(Debug)]
struct Held {
    writer: Writer,
    /// A real terminal, whose mode was changed.
    real: bool,
    left: AtomicBool,
}

/// The terminal to give back on a panic.
static TAKEN: Mutex<Option<Arc<Held>>> = Mutex::new(None);

impl Terminal {
    /// Takes this process's terminal over. `drained` is called, from another thread, when the terminal can take a frame
    /// again after [`Drawn::Busy`], and when it is gone.
    ///
    /// # Errors
    /// When there is no terminal, or its mode cannot be changed.
    pub fn open(ascii: bool, drained: impl Fn() + Send + 'static) -> io::Result<Self> {
        let size = crossterm::terminal::size().unwrap_or(SIZE);
        let this = Self::new(Arc::new(Tty::open()?), size, ascii, true, drained)?;
        restore_on_panic(&this.held);
        this.held.enter()?;
        Ok(this)
    }

    /// Draws on something else, of this size in columns and rows: a recording of bytes, a test.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn over(
        out: Arc<dyn Out>,
        size: (u16, u16),
        drained: impl Fn() + Send + 'static,
    ) -> io::Result<Self> {
        let this = Self::new(out, size, false, false, drained)?;
        this.held.enter()?;
        Ok(this)
    }

    fn new(
        out: Arc<dyn Out>,
        size: (u16, u16),
        ascii: bool,
        real: bool,
        drained: impl Fn() + Send + 'static,
    ) -> io::Result<Self> {
        let held = Held {
            writer: Writer::start(out, drained)?,
            real,
            left: AtomicBool::new(true),
        };
        let Ok(surface) = ratatui::Terminal::new(Paint::new(known(size), ascii));
        Ok(Self {
            surface,
            held: Arc::new(held),
            extra: String::new(),
        })
    }

    /// Columns and rows.
    pub fn size(&self) -> (u16, u16) {
        let Size { width, height } = self.surface.backend().size;
        (width, height)
    }

    /// Columns and rows as the system has them now; of what is no real terminal, those that it was made with.
    pub fn measure(&self) -> (u16, u16) {
        match crossterm::terminal::size() {
            Ok(size) if self.held.real => size,
            Ok(_) | Err(_) => self.size(),
        }
    }

    /// The terminal has another size now: columns, rows. The next frame is whole.
    pub fn resize(&mut self, size: (u16, u16)) {
        self.surface.backend_mut().size = known(size);
        let Ok(()) = self.surface.autoresize();
    }

    /// The next frame is whole, whatever was drawn before.
    pub fn redraw(&mut self) {
        let Ok(()) = self.surface.clear();
    }

    /// Writes bytes that draw nothing along with the next frame.
    pub fn also(&mut self, bytes: &str) {
        self.extra.push_str(bytes);
    }

    /// Draws a picture, unless the terminal still has one to take.
    pub fn draw(&mut self, picture: impl FnOnce(&mut Frame<'_>)) -> Drawn {
        if self.held.left.load(Ordering::SeqCst) {
            return Drawn::Nothing;
        }
        if self.held.writer.busy() {
            return Drawn::Busy;
        }
        if self.held.writer.stalled() {
            self.redraw();
        }
        let Ok(_) = self.surface.draw(picture);
        let cells = self.surface.backend_mut().take();
        let mut frame = std::mem::take(&mut self.extra);
        if !cells.is_empty() {
            frame.reserve(cells.len() + BEGIN.len() + COMMIT.len());
            frame.push_str(BEGIN);
            frame.push_str(&cells);
            frame.push_str(COMMIT);
        }
        if frame.is_empty() {
            return Drawn::Nothing;
        }
        let bytes = frame.len();
        self.held.writer.put(frame.into_bytes());
        Drawn::Bytes(bytes)
    }

    /// Whether the terminal is gone, or was given back by a panic somewhere: there is nothing to draw on.
    pub fn lost(&self) -> bool {
        self.held.writer.dead() || self.held.left.load(Ordering::SeqCst)
    }

    /// Gives the terminal back for a while.
    pub fn leave(&mut self) {
        self.held.leave();
    }

    /// Takes it over again; its size may have changed meanwhile. The next frame is whole.
    ///
    /// # Errors
    /// When its mode cannot be changed.
    pub fn enter(&mut self) -> io::Result<()> {
        self.held.leave_mode();
        self.held.enter()?;
        self.resize(self.measure());
        self.surface.backend_mut().forget();
        self.redraw();
        Ok(())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.held.leave();
        let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
        if taken
            .as_ref()
            .is_some_and(|taken| Arc::ptr_eq(taken, &self.held))
        {
            *taken = None;
        }
    }
}

impl Held {
    fn enter(&self) -> io::Result<()> {
        if self.real {
            crossterm::terminal::enable_raw_mode()?;
        }
        self.left.store(false, Ordering::SeqCst);
        self.writer.insist(ENTER.as_bytes().to_vec(), PATIENCE);
        Ok(())
    }

    /// Gives the terminal back; does nothing the second time.
    fn leave(&self) {
        if self.left.swap(true, Ordering::SeqCst) {
            return;
        }
        self.writer.insist(LEAVE.as_bytes().to_vec(), PATIENCE);
        self.leave_mode();
    }

    fn leave_mode(&self) {
        if self.real {
            // Fails only when the terminal is gone.
            let _ = crossterm::terminal::disable_raw_mode();
        }
    }
}

/// Before a panic prints, the terminal is given back, or nobody could read what it says.
fn restore_on_panic(held: &Arc<Held>) {
    static HOOK: Once = Once::new();
    *TAKEN.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(held));
    HOOK.call_once(|| {
        let print = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            // Whoever holds the lock is giving the terminal back already.
            let taken = TAKEN.try_lock().ok().and_then(|taken| taken.clone());
            if let Some(held) = taken {
                held.leave();
            }
            print(info);
        }));
    });
}

/// A terminal may say that it has no size at all.
fn known((width, height): (u16, u16)) -> Size {
    match (width, height) {
        (0, _) | (_, 0) => Size::new(SIZE.0, SIZE.1),
        (width, height) => Size::new(width, height),
    }
}
