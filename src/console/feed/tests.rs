use std::io::Cursor;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use super::*;
use crate::console::model::{Overview, PlaceKind, Side};
use crate::history::History;
use crate::history::testing::{PAY, Recording as Script, fail};
use crate::profile::model::Scope;
use crate::session::dir::log_of;
use crate::session::export::{Format, export};
use crate::session::record::{EndReason, ErrorKind, Happening, Record};
use crate::session::{Reader, Writer};

const LONG: Duration = Duration::from_mins(1);

/// Events as they come, and the feed that they come from.
struct Watch {
    events: Receiver<Event>,
    feed: Feed,
}

impl Watch {
    fn open(sources: Vec<Source>) -> Self {
        Self::with(sources, std::io::empty())
    }

    fn with(sources: Vec<Source>, input: impl Read + Send + 'static) -> Self {
        let (send, events) = sync_channel(QUEUE);
        let feed = Feed::with_input(sources, input, to(send)).unwrap();
        Self { events, feed }
    }

    fn next(&self) -> Event {
        self.events.recv_timeout(LONG).unwrap()
    }

    fn sought(&self, wanted: Side) -> Box<History> {
        loop {
            match self.next() {
                Event::Sought { side, history, .. } if side == wanted => return history,
                Event::Broken { why, .. } => panic!("{why}"),
                _ => {}
            }
        }
    }

    fn overview(&self) -> Overview {
        loop {
            if let Event::Overview { overview, .. } = self.next() {
                return *overview;
            }
        }
    }

    fn broken(&self) -> String {
        loop {
            if let Event::Broken { why, .. } = self.next() {
                return why;
            }
        }
    }

    /// Folds the records of a side until one of them is the tick `until`, or all was read.
    fn fold(&self, history: &mut History, wanted: Side, until: u64) {
        while history.last().is_none_or(|last| last.tick < until) {
            match self.next() {
                Event::Records { side, records, .. } if side == wanted => {
                    assert!(records.len() <= BATCH);
                    apply(history, &records);
                }
                Event::PlayedOut { .. } => return,
                Event::Broken { why, .. } => panic!("{why}"),
                _ => {}
            }
        }
    }
}

fn apply(history: &mut History, records: &[Record]) {
    for record in records {
        history.apply(record);
    }
}

fn to(send: SyncSender<Event>) -> impl Fn(Event) + Send + Clone + 'static {
    move |event| {
        let _ = send.send(event);
    }
}

fn script(ticks: u64) -> Script {
    Script::new(&[("steady", 300, 0.1), ("spike", 100_000, 0.2)])
        .gate("pay", "pay", "p99 < 1ms", &[])
        .phase(0)
        .ticks(ticks.min(290))
        .event(Happening::Mark {
            text: "note".into(),
        })
        .event(Happening::Gate {
            gate: 0,
            holds: false,
            value: "80ms".into(),
        })
        .phase(1)
        .ticks_with(ticks.saturating_sub(290), |tick| {
            fail(tick, PAY, ErrorKind::Timeout, None, 1);
        })
}

fn begin(path: &Path, script: &Script) -> Writer {
    let records = script.records();
    let Record::Key(key) = &records[0] else {
        panic!("no key")
    };
    let mut writer = Writer::create(path, key.names.clone()).unwrap();
    for record in &records[1..] {
        if let Record::End(_) = record {
            break;
        }
        writer.append(record).unwrap();
    }
    writer
}

/// A session of so many ticks, closed cleanly.
fn write(path: &Path, ticks: u64) {
    let Some(Record::End(end)) = script(ticks).end(EndReason::Finished).records().pop() else {
        panic!("no end")
    };
    begin(path, &script(ticks)).finish(end).unwrap();
}

fn requests(history: &History) -> u64 {
    history.totals(&Scope::All, &[]).requests
}

/// The fold of all records up to a tick.
fn exact(ticks: u64, until: u64) -> History {
    let mut history = History::new();
    for record in script(ticks).records() {
        match record {
            Record::Tick(tick) if tick.n > until => break,
            record => history.apply(&record),
        }
    }
    history
}

fn assert_agree(found: &History, right: &History) {
    assert_eq!(found.last(), right.last());
    assert_eq!(requests(found), requests(right));
    assert_eq!((found.missing(), found.ignored()), (0, 0));
    assert_eq!(found.phase(1), right.phase(1));
    let p99 = |history: &History| history.totals(&Scope::All, &[]).response.quantile(0.99);
    assert!(p99(found).abs_diff(p99(right)) <= p99(right) / 100);
}

#[test]
fn a_recording_opens_at_its_first_tick_and_any_moment_can_be_sought() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.jsonl.zst");
    write(&path, 1_500);
    let watch = Watch::open(vec![Source::Recording(path)]);
    assert_eq!(watch.sought(Side::Past).last().unwrap().tick, 1);
    let overview = watch.overview();
    assert_eq!((overview.from, overview.to), (1, 1_500));
    assert!(overview.cells.len() > 300, "{}", overview.cells.len());
    let kinds: Vec<_> = overview.places.iter().map(|p| (p.kind, p.tick)).collect();
    let expected = [
        PlaceKind::Phase,
        PlaceKind::Mark,
        PlaceKind::Breach,
        PlaceKind::Phase,
    ];
    assert_eq!(
        kinds.iter().map(|&(kind, _)| kind).collect::<Vec<_>>(),
        expected
    );
    assert_eq!((kinds[0].1, kinds[3].1), (1, 291));
    for tick in [1_499, 40, 1_100, 1_101, 700, 1_500] {
        watch.feed.seek(tick);
        let found = watch.sought(Side::Past);
        assert_agree(&found, &exact(1_500, tick));
        assert_eq!(found.end().is_some(), tick == 1_500);
    }
    watch.feed.seek(9_999_999);
    assert_eq!(watch.sought(Side::Past).last().unwrap().tick, 1_500);
}

#[test]
fn what_is_kept_of_four_minutes_at_a_time_says_the_same_as_their_frames() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.jsonl.zst");
    write(&path, 2_100);
    let mut recording = Recording::of(File::open(&path).unwrap()).unwrap();
    recording.apart_us = 180_000_000;
    while recording.gather().unwrap() {}
    for tick in [2_000, 1_500, 1_201, 1_700, 2_100] {
        let (found, _) = recording.history(tick).unwrap();
        assert_agree(&found, &exact(2_100, tick));
        let depth = found.depth();
        assert!(depth.long > 0, "{depth:?}");
        let mut expected = 1;
        for slot in found.slots(1, tick, 1) {
            let crate::history::Slot::Seen(bucket) = slot else {
                panic!("a gap at {expected}")
            };
            assert_eq!(bucket.from, expected);
            expected = bucket.to + 1;
        }
        assert_eq!(expected, tick + 1);
    }
}

#[test]
fn a_thousand_times_as_fast_keeps_up_and_does_not_hurry() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.jsonl.zst");
    write(&path, 600);
    let watch = Watch::open(vec![Source::Recording(path)]);
    let mut history = *watch.sought(Side::Past);
    let began = Instant::now();
    watch.feed.play(Speed::Times(1_000.0));
    watch.fold(&mut history, Side::Past, u64::MAX);
    assert!(began.elapsed() >= Duration::from_millis(590));
    assert_agree(&history, &exact(600, 600));
    assert!(history.end().is_some());
}

#[test]
fn a_step_is_one_tick_and_unbounded_reads_all_however_slowly_it_is_taken() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.jsonl.zst");
    write(&path, 900);
    let watch = Watch::open(vec![Source::Recording(path)]);
    watch.feed.seek(10);
    let mut history = loop {
        let history = *watch.sought(Side::Past);
        if history.last().unwrap().tick == 10 {
            break history;
        }
    };
    for tick in 11..15 {
        watch.feed.play(Speed::Step);
        watch.fold(&mut history, Side::Past, tick);
        assert_eq!(history.last().unwrap().tick, tick);
    }
    watch.feed.play(Speed::Unbounded);
    watch.fold(&mut history, Side::Past, u64::MAX);
    assert_agree(&history, &exact(900, 900));
}

#[test]
fn playing_goes_on_from_where_was_sought_and_stops_when_asked() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.jsonl.zst");
    write(&path, 900);
    let watch = Watch::open(vec![Source::Recording(path)]);
    let mut history = *watch.sought(Side::Past);
    watch.feed.play(Speed::Times(100.0));
    watch.fold(&mut history, Side::Past, 20);
    watch.feed.seek(500);
    let mut history = *watch.sought(Side::Past);
    assert_eq!(history.last().unwrap().tick, 500);
    watch.fold(&mut history, Side::Past, 510);
    watch.feed.pause();
    watch.feed.seek(3);
    // What was under way comes before; after it nothing but what is asked for.
    assert_eq!(watch.sought(Side::Past).last().unwrap().tick, 3);
    watch.feed.seek(4);
    assert!(matches!(
        watch.next(),
        Event::Sought { .. } | Event::Overview { .. }
    ));
}

#[test]
fn a_window_is_followed_while_its_past_is_played() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.jsonl.zst");
    let whole = script(1_400).records();
    let mut writer = begin(&path, &script(1_300));
    let watch = Watch::open(vec![Source::Live(path)]);
    let mut live = *watch.sought(Side::Live);
    watch.fold(&mut live, Side::Live, 1_300);
    assert_agree(&live, &exact(1_300, 1_300));
    watch.feed.seek(200);
    let mut past = *watch.sought(Side::Past);
    watch.feed.play(Speed::Unbounded);
    for record in whole.iter().skip_while(|record| !is_tick(record, 1_301)) {
        writer.append(record).unwrap();
    }
    let mut out = false;
    while live.last().unwrap().tick < 1_400 || !out {
        match watch.next() {
            Event::Records { side, records, .. } => {
                let history = if side == Side::Live {
                    &mut live
                } else {
                    &mut past
                };
                apply(history, &records);
            }
            Event::PlayedOut { .. } => out = true,
            Event::Broken { why, .. } => panic!("{why}"),
            _ => {}
        }
    }
    assert_agree(&live, &exact(1_400, 1_400));
    assert!(past.last().unwrap().tick >= 1_300);
    // The past goes on into what was written since it was opened.
    watch.feed.play(Speed::Unbounded);
    watch.fold(&mut past, Side::Past, 1_400);
    assert_agree(&past, &exact(1_400, 1_400));
    let Some(Record::End(end)) = script(1_400).end(EndReason::Stopped).records().pop() else {
        panic!("no end")
    };
    writer.finish(end).unwrap();
    while live.end().is_none() {
        if let Event::Records {
            side: Side::Live,
            records,
            ..
        } = watch.next()
        {
            apply(&mut live, &records);
        }
    }
    while !matches!(watch.next(), Event::PlayedOut { .. }) {}
}

fn is_tick(record: &Record, n: u64) -> bool {
    matches!(record, Record::Tick(tick) if tick.n == n)
}

#[test]
fn an_engine_that_died_is_said_and_what_it_wrote_is_shown() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.jsonl.zst");
    drop(begin(&path, &script(100)));
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, [&bytes[..], &[4, 48, 0, 1, 2]].concat()).unwrap();
    let watch = Watch::open(vec![Source::Live(path.clone())]);
    let mut live = *watch.sought(Side::Live);
    watch.fold(&mut live, Side::Live, 100);
    assert!(watch.broken().contains("engine is gone"));
    let watch = Watch::open(vec![Source::Recording(path)]);
    let mut past = *watch.sought(Side::Past);
    watch.feed.play(Speed::Unbounded);
    watch.fold(&mut past, Side::Past, u64::MAX);
    assert_agree(&past, &exact(100, 100));
}

#[test]
fn a_window_that_has_ended_already_is_shown_whole_and_said_to_be_over() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.jsonl.zst");
    write(&path, 100);
    let watch = Watch::open(vec![Source::Live(path)]);
    assert_agree(&watch.sought(Side::Live), &exact(100, 100));
    while !matches!(watch.next(), Event::PlayedOut { .. }) {}
}

#[test]
fn what_is_no_session_is_said_in_a_sentence() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.jsonl.zst");
    std::fs::write(&path, "").unwrap();
    let watch = Watch::open(vec![Source::Recording(path.clone())]);
    assert_eq!(watch.broken(), "the session holds no whole record");
    std::fs::write(&path, "some text that is longer").unwrap();
    let watch = Watch::open(vec![Source::Recording(path)]);
    assert!(watch.broken().contains("not a session"));
    let watch = Watch::with(vec![Source::Stdin], Cursor::new("hello"));
    assert!(watch.broken().contains("neither a session nor"));
    let watch = Watch::with(vec![Source::Stdin], Cursor::new("{\"a\":1}\n"));
    assert!(watch.broken().contains("neither a session nor"));
    let (send, _events) = sync_channel(1);
    let missing = vec![Source::Recording("/nowhere/at/all".into())];
    let error = Feed::open(missing, to(send)).unwrap_err().to_string();
    assert!(error.contains("/nowhere/at/all"), "{error}");
}

#[test]
fn standard_input_is_a_recording_in_both_forms() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.jsonl.zst");
    write(&path, 1_300);
    let bytes = std::fs::read(&path).unwrap();
    let mut lines = Vec::new();
    export(&mut Reader::open(&path).unwrap(), Format::Jsonl, &mut lines).unwrap();
    assert_eq!(lines[0], b'{');
    for input in [bytes, lines] {
        let watch = Watch::with(vec![Source::Stdin], Cursor::new(input));
        let mut history = *watch.sought(Side::Past);
        let overview = watch.overview();
        assert_eq!((overview.from, overview.to), (1, 1_300));
        watch.feed.seek(1_000);
        while history.last().is_none_or(|last| last.tick != 1_000) {
            history = *watch.sought(Side::Past);
        }
        assert_agree(&history, &exact(1_300, 1_000));
        watch.feed.play(Speed::Unbounded);
        watch.fold(&mut history, Side::Past, u64::MAX);
        assert_agree(&history, &exact(1_300, 1_300));
        assert!(history.end().is_some());
    }
}

#[test]
fn a_feed_that_nobody_listens_to_can_be_dropped_while_it_plays() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.jsonl.zst");
    write(&path, 1_300);
    let watch = Watch::open(vec![Source::Recording(path.clone()), Source::Live(path)]);
    watch.feed.play(Speed::Unbounded);
    watch.sought(Side::Past);
    let Watch { events, feed } = watch;
    let began = Instant::now();
    drop(feed);
    assert!(began.elapsed() < Duration::from_secs(5));
    drop(events);
}

#[test]
fn the_log_is_read_while_it_is_watched() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.jsonl.zst");
    write(&path, 10);
    let lines: Vec<String> = (0..3_000).map(|n| format!("line {n} of the log")).collect();
    let text = lines.join("\n");
    std::fs::write(log_of(&path), &text).unwrap();
    let watch = Watch::open(vec![Source::Recording(path.clone())]);
    watch.feed.watch_log(true);
    let lines = || loop {
        if let Event::Log { lines, .. } = watch.next() {
            break lines;
        }
    };
    let first = lines();
    assert_eq!(first.len(), 200);
    assert_eq!(first[199], "line 2999 of the log");
    std::fs::write(log_of(&path), text + "\none more").unwrap();
    assert_eq!(lines()[199], "one more");
}

#[test]
fn two_recordings_stand_at_the_same_place_of_a_phase() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (
        dir.path().join("a.jsonl.zst"),
        dir.path().join("b.jsonl.zst"),
    );
    write(&a, 400);
    let other = Script::new(&[("steady", 100, 0.1), ("spike", 300, 0.1)])
        .phase(0)
        .ticks(100)
        .phase(1)
        .ticks(300);
    drop(begin(&b, &other));
    let mut watch = Watch::open(vec![Source::Recording(a), Source::Recording(b)]);
    let mut overviews = [Overview::default(), Overview::default()];
    while overviews.iter().any(|overview| overview.to == 0) {
        if let Event::Overview { deck, overview } = watch.next() {
            overviews[deck] = *overview;
        }
    }
    let offset = align(&overviews[0], &overviews[1], "spike").unwrap();
    assert_eq!(offset, 101 - 291);
    assert_eq!(align(&overviews[0], &overviews[1], "nothing"), None);
    watch.feed.set_offset(1, offset);
    watch.feed.seek(300);
    let mut ticks = [0, 0];
    while ticks != [300, 110] {
        if let Event::Sought { deck, history, .. } = watch.next() {
            ticks[deck] = history.last().unwrap().tick;
        }
    }
}
