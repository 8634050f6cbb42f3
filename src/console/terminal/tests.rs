#![allow(
    clippy::unwrap_used,
    reason = "a test says what it expects by unwrapping"
)]

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use ratatui::style::{Color, Modifier, Style};

use super::testing::Screen;
use super::writer::{Out, Tty};
use super::{Drawn, Terminal};

const SIZE: (u16, u16) = (40, 6);

fn open() -> (Arc<Screen>, Terminal, Receiver<()>) {
    let screen = Arc::new(Screen::default());
    let (drained, told) = channel();
    let out: Arc<dyn Out> = Arc::<Screen>::clone(&screen);
    let terminal = Terminal::over(out, SIZE, move || {
        let _ = drained.send(());
    });
    (screen, terminal.unwrap(), told)
}

/// Draws a text until the terminal has taken the picture.
fn show(terminal: &mut Terminal, text: &str) -> Drawn {
    loop {
        match terminal.draw(|frame| frame.render_widget(text, frame.area())) {
            Drawn::Busy => std::thread::yield_now(),
            drawn => break drawn,
        }
    }
}

fn settle(terminal: &Terminal) {
    while terminal.held.writer.busy() {
        std::thread::yield_now();
    }
}

#[test]
fn a_frame_is_one_write_between_the_marks_of_an_update() {
    let (screen, mut terminal, _told) = open();
    show(&mut terminal, "rate 2.00k/s");
    show(&mut terminal, "rate 2.01k/s");
    settle(&terminal);
    let writes = screen.writes();
    assert_eq!(writes.len(), 3, "entering and two frames: {writes:?}");
    for frame in &writes[1..] {
        assert!(frame.starts_with("\x1b[?2026h") && frame.ends_with("\x1b[?2026l"));
        assert_eq!(frame.matches("\x1b[?2026h").count(), 1);
    }
    assert_eq!(writes[2], "\x1b[?2026h\x1b[1;9H1\x1b[?2026l");
}

#[test]
fn the_same_picture_costs_no_byte() {
    let (screen, mut terminal, _told) = open();
    show(&mut terminal, "steady");
    settle(&terminal);
    let before = screen.writes().len();
    for _ in 0..100 {
        assert_eq!(show(&mut terminal, "steady"), Drawn::Nothing);
    }
    assert_eq!(screen.writes().len(), before);
}

#[test]
fn styles_and_wide_characters_arrive_as_drawn() {
    let (screen, mut terminal, _told) = open();
    let draw = |frame: &mut ratatui::Frame<'_>| {
        let buffer = frame.buffer_mut();
        let style = Style::new();
        buffer.set_string(
            0,
            0,
            "red",
            style.fg(Color::Red).add_modifier(Modifier::BOLD),
        );
        buffer.set_string(3, 0, "plain", style);
        buffer.set_string(
            0,
            1,
            "日本 ok",
            style.fg(Color::Indexed(71)).bg(Color::Rgb(1, 2, 3)),
        );
        buffer.set_string(37, 2, "end", style.add_modifier(Modifier::REVERSED));
        buffer.set_string(0, 3, "next", style);
    };
    while terminal.draw(draw) == Drawn::Busy {}
    settle(&terminal);
    let seen = screen.seen(SIZE);
    let seen = seen.screen();
    assert_eq!(
        seen.contents(),
        "redplain\n日本 ok\n                                     end\nnext"
    );
    let cell = |row, column| seen.cell(row, column).unwrap();
    assert!(cell(0, 0).bold() && cell(0, 0).fgcolor() == vt100::Color::Idx(1));
    assert!(!cell(0, 3).bold() && cell(0, 3).fgcolor() == vt100::Color::Default);
    assert_eq!(cell(1, 0).fgcolor(), vt100::Color::Idx(71));
    assert_eq!(cell(1, 5).bgcolor(), vt100::Color::Rgb(1, 2, 3));
    assert!(cell(2, 39).inverse() && !cell(3, 0).inverse());
}

#[test]
fn a_character_that_controls_terminals_never_reaches_one() {
    let (screen, mut terminal, _told) = open();
    let draw = |frame: &mut ratatui::Frame<'_>| {
        frame.buffer_mut()[(0, 0)].set_symbol("\x1b]52;c;AAAA\x07");
        frame.buffer_mut()[(0, 1)].set_symbol("\u{9b}");
        frame.buffer_mut()[(1, 1)].set_symbol("x");
    };
    while terminal.draw(draw) == Drawn::Busy {}
    settle(&terminal);
    let frame = screen.writes().pop().unwrap();
    assert!(
        !frame.contains("52;c") && !frame.contains('\u{9b}'),
        "{frame:?}"
    );
    assert_eq!(screen.seen(SIZE).screen().contents(), " \n x");
}

#[test]
fn the_cursor_shows_where_text_is_typed_and_nowhere_else() {
    let (screen, mut terminal, _told) = open();
    let typed = |terminal: &mut Terminal, column| {
        let draw = |frame: &mut ratatui::Frame<'_>| {
            frame.set_cursor_position((column, 5));
        };
        while terminal.draw(draw) == Drawn::Busy {}
        settle(terminal);
    };
    typed(&mut terminal, 3);
    typed(&mut terminal, 4);
    let seen = screen.seen(SIZE);
    assert!(!seen.screen().hide_cursor());
    assert_eq!(seen.screen().cursor_position(), (5, 4));
    show(&mut terminal, "");
    settle(&terminal);
    assert!(screen.seen(SIZE).screen().hide_cursor());
}

#[test]
fn a_terminal_that_stops_reading_costs_no_time_and_gets_the_newest_picture_later() {
    let (screen, mut terminal, told) = open();
    show(&mut terminal, "before");
    settle(&terminal);
    screen.block(true);
    show(&mut terminal, "stuck");
    for _ in 0..1000 {
        let drawn = terminal.draw(|frame| frame.render_widget("never seen", frame.area()));
        assert_eq!(drawn, Drawn::Busy);
    }
    screen.block(false);
    told.recv_timeout(Duration::from_secs(10)).unwrap();
    show(&mut terminal, "after");
    settle(&terminal);
    assert_eq!(screen.seen(SIZE).screen().contents().trim_end(), "after");
    let writes = screen.writes().concat();
    assert!(!writes.contains("never"), "{writes:?}");
}

#[test]
fn after_a_long_stall_the_next_frame_is_whole() {
    let (screen, mut terminal, _told) = open();
    show(&mut terminal, "one\ntwo");
    settle(&terminal);
    screen.block(true);
    show(&mut terminal, "ona\ntwo");
    std::thread::sleep(Duration::from_millis(1100));
    screen.block(false);
    show(&mut terminal, "onb\ntwo");
    settle(&terminal);
    let last = screen.writes().pop().unwrap();
    assert!(last.contains("\x1b[2J") && last.contains("two"), "{last:?}");
}

#[test]
fn a_size_that_changed_makes_the_next_frame_whole() {
    let (screen, mut terminal, _told) = open();
    show(&mut terminal, "one\ntwo");
    terminal.resize((30, 5));
    assert_eq!(terminal.size(), (30, 5));
    show(&mut terminal, "one\ntwo");
    settle(&terminal);
    let last = screen.writes().pop().unwrap();
    assert!(last.contains("\x1b[2J") && last.contains("two"), "{last:?}");
    assert_eq!(show(&mut terminal, "one\ntwo"), Drawn::Nothing);
}

#[test]
fn leaving_gives_everything_back_and_entering_draws_anew() {
    let (screen, mut terminal, _told) = open();
    show(&mut terminal, "here");
    settle(&terminal);
    terminal.leave();
    let seen = screen.seen(SIZE);
    assert!(!seen.screen().alternate_screen() && !seen.screen().hide_cursor());
    assert!(!seen.screen().bracketed_paste());
    assert!(terminal.lost());
    assert_eq!(show(&mut terminal, "unseen"), Drawn::Nothing);
    terminal.enter().unwrap();
    show(&mut terminal, "here");
    settle(&terminal);
    let seen = screen.seen(SIZE);
    assert!(seen.screen().alternate_screen() && seen.screen().hide_cursor());
    assert_eq!(seen.screen().contents(), "here");
    drop(terminal);
    assert!(!screen.seen(SIZE).screen().alternate_screen());
}

#[test]
fn a_terminal_that_does_not_read_does_not_hold_up_the_end_and_is_given_back_when_it_does() {
    let (screen, mut terminal, _told) = open();
    screen.block(true);
    show(&mut terminal, "stuck");
    let begun = std::time::Instant::now();
    drop(terminal);
    assert!(begun.elapsed() < Duration::from_secs(3));
    assert!(screen.discarded.load(Ordering::SeqCst) > 0);
    assert!(!screen.seen(SIZE).screen().alternate_screen());
}

#[test]
fn a_terminal_that_is_gone_is_noticed_by_the_next_frame() {
    let (screen, mut terminal, told) = open();
    screen.gone.store(true, Ordering::SeqCst);
    show(&mut terminal, "anyone?");
    told.recv_timeout(Duration::from_secs(10)).unwrap();
    assert!(terminal.lost());
}

#[test]
fn bytes_that_draw_nothing_go_with_the_next_frame() {
    let (screen, mut terminal, _told) = open();
    terminal.also("\x1b]52;c;YQ==\x07");
    assert_eq!(show(&mut terminal, ""), Drawn::Bytes(12));
    settle(&terminal);
    assert_eq!(screen.writes().pop().unwrap(), "\x1b]52;c;YQ==\x07");
}

#[test]
fn a_terminal_of_ascii_gets_ascii() {
    let mut paint = super::paint::Paint::new(super::known(SIZE), true);
    let buffer = ratatui::buffer::Buffer::with_lines(["┌─┐│ ▁█ µs 日本 é ⣿"]);
    let cells = buffer.content.iter().enumerate();
    let cells = cells.map(|(x, cell)| (x as u16, 0, cell));
    // As ratatui's difference does, without the cells that a wide character covers.
    let cells = cells.filter(|(x, ..)| ![12, 14].contains(x));
    let Ok(()) = ratatui::backend::Backend::draw(&mut paint, cells);
    let text = paint.take();
    assert_eq!(text, "\x1b[1;1H+-+| _# us ???? ? :");
}

#[test]
fn a_terminal_that_nobody_is_at_is_gone() {
    let pair = portable_pty::native_pty_system()
        .openpty(portable_pty::PtySize::default())
        .unwrap();
    let name = pair.master.tty_name().unwrap();
    let tty = Tty::of(std::fs::File::open(name).unwrap());
    assert!(!tty.is_gone());
    drop((pair.master, pair.slave));
    assert!(tty.is_gone());
}
