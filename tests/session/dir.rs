//! The directory of sessions, and what `verify` says of one.

use std::fs;
use std::time::Duration;

use jiff::Timestamp;
use stormdeck::session::dir::{Condition, FindError};
use stormdeck::session::record::EndReason;
use stormdeck::session::{Record, Sessions, verify};

use crate::sim::{START, Sim, end};

#[test]
fn sessions_are_listed_newest_first_with_how_they_stand() {
    let dir = tempfile::tempdir().unwrap();
    let sessions = Sessions {
        dir: dir.path().join("state"),
    };
    assert!(matches!(sessions.find(None), Err(FindError::None(_))));
    sessions.make_dir().unwrap();
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &fs::metadata(&sessions.dir).unwrap().permissions(),
    );
    assert_eq!(mode & 0o777, 0o700);
    let mut sim = Sim::new(2, 2, 5, 1);
    let now = Timestamp::from_second(1_767_323_045).unwrap();
    let mut begin = |later: u64, ticks: u64| {
        let mut writer = sessions.begin("checkout 4.2", now, &sim.names()).unwrap();
        let Record::Window(mut window) = sim.window() else {
            panic!()
        };
        window.wall = START + later;
        writer.append(&Record::Window(window)).unwrap();
        (1..=ticks).for_each(|n| writer.append(&sim.tick(n)).unwrap());
        writer
    };
    begin(0, 70).finish(end(70)).unwrap();
    drop(begin(1, 5));
    let running = begin(2, 61);
    fs::write(sessions.dir.join("00000000-junk.jsonl.zst"), "junk").unwrap();
    fs::write(sessions.dir.join("notes.txt"), "no session").unwrap();
    let listed = sessions.list().unwrap();
    let states: Vec<_> = listed
        .iter()
        .map(|session| (session.condition, session.length))
        .collect();
    // The junk has no beginning but the file's own time, which is now.
    assert_eq!(
        states,
        [
            (Condition::Unreadable, Duration::ZERO),
            (Condition::Running, Duration::from_secs(61)),
            (Condition::Crashed, Duration::from_secs(5)),
            (
                Condition::Ended(EndReason::Finished),
                Duration::from_secs(70)
            ),
        ]
    );
    assert_eq!(listed[1].window, "checkout 4.2");
    let name = &listed[3].name;
    assert!(
        name.ends_with("-checkout-4.2") && listed[2].name.ends_with("-checkout-4.2-2"),
        "{name}"
    );
    // The whole name is meant even though others begin with it.
    assert_eq!(sessions.find(Some(name)).unwrap(), listed[3].path);
    assert_eq!(
        sessions.find(Some(&format!("{name}-3"))).unwrap(),
        running.path()
    );
    assert!(matches!(
        sessions.find(Some("2026")),
        Err(FindError::Several { .. })
    ));
    assert!(matches!(
        sessions.find(Some("nothing")),
        Err(FindError::Unknown { .. })
    ));
    assert_eq!(
        sessions.find(listed[2].path.to_str()).unwrap(),
        listed[2].path
    );
    fs::remove_file(&listed[0].path).unwrap();
    assert_eq!(sessions.find(None).unwrap(), running.path());
}

#[test]
fn verify_tells_sound_running_torn_and_changed_apart() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.jsonl.zst");
    let mut sim = Sim::new(2, 2, 5, 1);
    let mut writer = stormdeck::session::Writer::create(&path, sim.names()).unwrap();
    sim.records(130)
        .iter()
        .for_each(|record| writer.append(record).unwrap());
    let running = verify(&path).unwrap();
    assert!(running.running && running.is_sound(), "{running}");
    let finished = writer.finish(end(130)).unwrap();
    let sound = verify(&path).unwrap();
    assert!(sound.is_sound() && !sound.running, "{sound}");
    assert_eq!(
        (sound.frames, sound.ticks, sound.bytes),
        (3, 130, finished.bytes)
    );
    assert_eq!(sound.head, finished.head);
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let torn = verify(&path).unwrap();
    assert!(torn.torn && torn.damages == 0 && torn.chain_ok, "{torn}");
    for _ in 0..100 {
        let place = 8 + sim.random() as usize % (bytes.len() - 8);
        let mut changed = bytes.clone();
        changed[place] ^= 1 << (sim.random() % 8);
        fs::write(&path, &changed).unwrap();
        assert!(
            !verify(&path).unwrap().is_sound(),
            "a change at {place} of {}",
            bytes.len()
        );
    }
}

#[test]
fn a_frame_that_is_replaced_whole_breaks_the_chain() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (
        dir.path().join("1.jsonl.zst"),
        dir.path().join("2.jsonl.zst"),
    );
    crate::write(&one, &mut Sim::new(1, 0, 0, 1), 130);
    let mut sim = Sim::new(1, 0, 0, 2);
    crate::write(&two, &mut sim, 130);
    let frames = |path| stormdeck::session::Index::open(path).unwrap().frames;
    let (a, b) = (frames(&one), frames(&two));
    let (a_bytes, b_bytes) = (fs::read(&one).unwrap(), fs::read(&two).unwrap());
    let joined = [
        &a_bytes[..a[1].offset as usize],
        &b_bytes[b[1].offset as usize..],
    ]
    .concat();
    fs::write(&one, joined).unwrap();
    let verification = verify(&one).unwrap();
    assert!(
        !verification.chain_ok && !verification.is_sound(),
        "{verification}"
    );
}
