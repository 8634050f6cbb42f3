//! What the model asks for, done.

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use ratatui::buffer::Buffer;

use super::{Console, Control, Outcome};
use crate::console::event::{Command, Event, Form};
use crate::console::inbox::Sender;
use crate::console::model::Model;
use crate::console::{capture, clipboard};
use crate::engine::control::Wish;
use crate::session::dir::EXTENSION;

impl Console<'_> {
    pub(super) fn execute(&mut self, command: Command) -> Option<Outcome> {
        match command {
            Command::Wish(wish) => self.wishes.send(Errand::Wish(wish)),
            Command::Find(text) => self.wishes.send(Errand::Find(text)),
            Command::Seek { tick } => self.outside.seek(tick),
            Command::Play { speed } => self.outside.play(speed),
            Command::Pause => self.outside.pause(),
            Command::WatchLog(on) => self.outside.watch_log(on),
            Command::Copy(text) => self.copy(&text),
            Command::CopySummary => self.copy(&(self.program.summary)(&self.model)),
            Command::Save { form, path } => self.save(form, path),
            Command::Suspend => self.suspend(),
            Command::Redraw => {
                self.terminal.redraw();
                self.pace.pressed();
            }
            Command::Quit => return Some(Outcome::Quit),
        }
        None
    }

    fn copy(&mut self, text: &str) {
        let done = clipboard::osc52(text, self.around.tmux).map(|bytes| {
            self.terminal.also(&bytes);
            format!("sent {} characters to the clipboard", text.chars().count())
        });
        self.tell(done.map_err(|error| error.to_string()));
    }

    /// Saves the picture as the model has it now: what is on screen still shows the command that asked for it.
    fn save(&mut self, form: Form, path: Option<PathBuf>) {
        let picture = picture(&self.model, self.program.draw, self.terminal.size());
        let (path, named) = match path {
            Some(path) => (path, true),
            None => (self.place(form), false),
        };
        let (to, dark) = (self.sender.clone(), !self.around.light);
        // A disk may take its time.
        let saving = thread::Builder::new()
            .name("save".to_owned())
            .spawn(move || {
                let text = match form {
                    Form::Text => capture::text(&picture),
                    Form::Svg => capture::svg(&picture, dark),
                    Form::Html => capture::html(&picture, dark),
                };
                let done = write(&path, text.as_bytes(), named)
                    .map(|path| format!("saved the screen in {}", path.display()))
                    .map_err(|error| {
                        format!("cannot save the screen in {}: {error}", path.display())
                    });
                // The console may have ended meanwhile; the file is there all the same.
                let _ = to.send(Event::Done(done));
            });
        if let Err(error) = saving {
            self.tell(Err(format!("cannot save the screen: {error}")));
        }
    }

    /// Where a screen is saved when the operator named no place: beside the session, under its name and the tick shown.
    fn place(&self, form: Form) -> PathBuf {
        let ending = match form {
            Form::Text => "txt",
            Form::Svg => "svg",
            Form::Html => "html",
        };
        let deck = self.model.decks.first();
        let session = deck.map_or(Path::new("-"), |deck| &deck.session);
        let name = session.file_name().map_or_else(String::new, |name| {
            let name = name.to_string_lossy();
            name.strip_suffix(EXTENSION).unwrap_or(&name).to_owned()
        });
        let name = match name.as_str() {
            "" | "-" => "stormdeck",
            name => name,
        };
        let beside = session.parent().map(Path::to_owned).unwrap_or_default();
        let folder = self.around.saves.clone().unwrap_or(beside);
        let tick = deck.map_or(0, super::super::model::Deck::tick);
        folder.join(format!("{name}-{tick}.{ending}"))
    }

    fn tell(&mut self, done: Result<String, String>) {
        let _ = self.sender.send(Event::Done(done));
    }
}

/// What is on screen, drawn anew.
fn picture(
    model: &Model,
    draw: fn(&Model, &mut ratatui::Frame<'_>),
    (columns, rows): (u16, u16),
) -> Buffer {
    let backend = ratatui::backend::TestBackend::new(columns, rows);
    let Ok(mut surface) = ratatui::Terminal::new(backend);
    let Ok(frame) = surface.draw(|frame| draw(model, frame));
    frame.buffer.clone()
}

/// Writes a new file and gives its path; no file is ever overwritten. Where the operator did not name the place, another
/// name is found for it.
fn write(path: &Path, bytes: &[u8], named: bool) -> std::io::Result<PathBuf> {
    use std::io::Write as _;
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let ending = path.extension().unwrap_or_default().to_string_lossy();
    let more = (2..if named { 2 } else { 100 })
        .map(|n| path.with_file_name(format!("{stem}-{n}.{ending}")));
    for path in std::iter::once(path.to_owned()).chain(more) {
        match std::fs::File::create_new(&path) {
            Ok(mut file) => return file.write_all(bytes).map(|()| path),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(std::io::ErrorKind::AlreadyExists.into())
}

/// Something that the engine is asked for.
#[derive(Debug)]
pub(super) enum Errand {
    /// A wish; what it did is said.
    Wish(Wish),
    /// Names of series that hold these words.
    Find(String),
}

/// Wishes on their way to the engine, one after the other, in the order in which they were made.
#[derive(Debug)]
pub(super) struct Wishes {
    way: Option<mpsc::Sender<Errand>>,
    done: mpsc::Receiver<()>,
    to: Sender,
}

impl Wishes {
    /// Starts the thread that sends them; without a control there is nobody to send them to.
    pub(super) fn start(control: Option<Box<dyn Control>>, to: Sender) -> Self {
        let (way, wishes) = mpsc::channel::<Errand>();
        let (ended, done) = mpsc::channel();
        let answers = to.clone();
        let way = control.and_then(|mut control| {
            let thread = thread::Builder::new().name("wishes".to_owned());
            let started = thread.spawn(move || {
                for wish in wishes {
                    // Nobody may be there any more to hear the answer; the wish was sent all the same.
                    let _ = answers.send(match wish {
                        Errand::Wish(wish) => Event::Answer(control.wish(&wish)),
                        Errand::Find(text) => match control.series(&text) {
                            Ok(found) => Event::Series { text, found },
                            Err(why) => Event::Answer(Err(why)),
                        },
                    });
                }
                drop(ended);
            });
            started.ok().map(|_| way)
        });
        Self { way, done, to }
    }

    fn send(&self, wish: Errand) {
        let sent = self.way.as_ref().is_some_and(|way| way.send(wish).is_ok());
        if !sent {
            let why = "there is no window to tell that".to_owned();
            let _ = self.to.send(Event::Answer(Err(why)));
        }
    }

    /// Waits until all of them were answered, but no longer than `most`.
    pub(super) fn finish(mut self, most: Duration) {
        if self.way.take().is_some() {
            let _ = self.done.recv_timeout(most);
        }
    }
}
