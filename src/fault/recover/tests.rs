//! What is found, and brought back, by whoever comes next.

use std::cell::RefCell;

use super::*;
use crate::fault::driver::Driver as _;
use crate::fault::exec::Exec;
use crate::profile::Secrets;
use crate::profile::model::CommandLine;
use crate::profile::secret::Text;

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

/// A way back by a line of shell.
fn way(dir: &Path, revert: &str) -> Undo {
    let line = |text: &str| CommandLine {
        words: vec![Text::plain(text)],
        shell: true,
        dir: Some(dir.to_owned()),
        timeout: Duration::from_secs(10),
        ..CommandLine::default()
    };
    let exec = Exec::new([&line("true"), &line(revert)], None, &Secrets::default());
    run(exec.unwrap().prepare()).unwrap()
}

#[test]
fn a_program_that_takes_longer_than_the_patience_is_waited_for_and_that_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(dir.path(), "a").unwrap();
    let slow = way(dir.path(), "sleep 2; echo back; touch ended");
    journal.write("slow", &slow).unwrap();
    drop(journal);
    let told = RefCell::new(Vec::new());
    let tell = |said: &str| told.borrow_mut().push(said.to_owned());
    let found = run(recover_telling(dir.path(), None, Duration::ZERO, &tell)).unwrap();
    assert_eq!(found.outcomes[0].result, Ok("back".into()));
    let told = told.into_inner();
    assert!(
        told[0].starts_with("a: `slow` is being brought back"),
        "{told:?}"
    );
    assert!(dir.path().join("ended").exists());
}

#[test]
fn what_comes_while_something_else_is_brought_back_is_brought_back_too() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(dir.path(), "a").unwrap();
    let late = journal.dir().join("7.json");
    let slow = way(dir.path(), "sleep 1");
    let first = journal.write("slow", &slow).unwrap();
    let text = std::fs::read(journal.dir().join(format!("{first}.json"))).unwrap();
    let writer = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        std::fs::write(late, text).unwrap();
    });
    let seconds = Duration::from_secs;
    let cleared = run(clear(&journal, seconds(5), seconds(2), &|_| {})).unwrap();
    writer.join().unwrap();
    assert!(cleared.iter().all(|it| it.result.is_ok() && it.word_left));
    assert_eq!(cleared.len(), 2);
    assert!(journal.outstanding().unwrap().is_empty());
}

#[test]
fn what_comes_later_is_left_to_whoever_wrote_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(dir.path(), "a").unwrap();
    let slow = way(dir.path(), "sleep 2.5");
    let first = journal.write("slow", &slow).unwrap();
    let text = std::fs::read(journal.dir().join(format!("{first}.json"))).unwrap();
    let late = journal.dir().join("7.json");
    let writer = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(500));
        std::fs::write(late, text).unwrap();
    });
    let soon = Duration::from_millis(100);
    let cleared = run(clear(&journal, Duration::from_secs(5), soon, &|_| {})).unwrap();
    writer.join().unwrap();
    assert_eq!(cleared.len(), 1, "{cleared:?}");
    assert!(journal.holds(7));
}

#[test]
fn a_journal_that_cannot_be_read_for_a_moment_stops_nothing_that_is_under_way() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(dir.path(), "a").unwrap();
    journal.write("slow", &way(dir.path(), "sleep 3")).unwrap();
    let (there, away) = (journal.dir().to_owned(), dir.path().join("away"));
    let mover = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(500));
        std::fs::rename(&there, &away).unwrap();
        std::thread::sleep(Duration::from_millis(1200));
        std::fs::rename(&away, &there).unwrap();
    });
    let seconds = Duration::from_secs;
    let cleared = run(clear(&journal, seconds(9), seconds(2), &|_| {})).unwrap();
    mover.join().unwrap();
    assert!(
        cleared[0].result.is_ok() && cleared[0].word_left,
        "{cleared:?}"
    );
}

#[test]
fn an_entry_that_the_system_does_not_let_be_read_for_a_moment_is_read_then() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(dir.path(), "a").unwrap();
    let number = journal.write("x", &way(dir.path(), "echo back")).unwrap();
    let file = journal.dir().join(format!("{number}.json"));
    let text = std::fs::read(&file).unwrap();
    // A folder is there, and refuses to be read.
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    let healer = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(400));
        std::fs::remove_dir(&file).unwrap();
        std::fs::write(&file, text).unwrap();
    });
    let found = run(clear(
        &journal,
        Duration::from_secs(9),
        Duration::ZERO,
        &|_| {},
    ));
    healer.join().unwrap();
    assert_eq!(found.unwrap()[0].result, Ok("back".into()));
}

#[test]
fn what_is_back_is_told_as_back_even_when_the_disk_takes_no_word() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(dir.path(), "a").unwrap();
    journal.write("x", &way(dir.path(), "echo back")).unwrap();
    std::fs::create_dir(journal.dir().join("0.new")).unwrap();
    drop(journal);
    let found = run(recover(dir.path(), None, Duration::ZERO)).unwrap();
    assert_eq!(found.outcomes[0].result, Ok("back".into()));
    assert_eq!(found.outcomes.len(), 1);
}
