use super::*;
use crate::scrape::labels::NAME;

fn labels(name: &str, job: &str) -> Labels {
    Labels::new([(NAME, name), ("job", job)])
}

fn values(store: &Store, id: SeriesId) -> Vec<(i64, f64)> {
    let samples = store.samples(id).iter();
    samples.map(|sample| (sample.at, sample.value)).collect()
}

#[test]
fn a_series_is_one_whatever_the_order_of_its_labels() {
    let mut store = Store::new(1000);
    let a = store.id(&Labels::new([("job", "x"), (NAME, "up")]));
    let b = store.id(&Labels::new([(NAME, "up"), ("job", "x")]));
    assert_eq!(a, b);
    assert_eq!(store.len(), 1);
}

#[test]
fn samples_that_are_older_or_contradict_are_dropped_and_counted() {
    let mut store = Store::new(1000);
    let id = store.id(&labels("up", "x"));
    assert_eq!(store.append(id, 10, 1.0), Appended::Kept);
    assert_eq!(store.append(id, 10, 1.0), Appended::Same);
    assert_eq!(store.append(id, 10, 2.0), Appended::Conflict);
    assert_eq!(store.append(id, 9, 1.0), Appended::Older);
    assert_eq!(store.append(id, 11, f64::NAN), Appended::Kept);
    assert_eq!(store.append(id, 11, f64::NAN), Appended::Same);
    assert_eq!(store.mark_stale(id, 11), Appended::Conflict);
    let dropped = store.dropped();
    assert_eq!((dropped.older, dropped.conflicts), (1, 2));
    assert_eq!(store.samples(id).len(), 2);
}

#[test]
fn a_series_keeps_what_it_reaches_back_to_and_no_more() {
    let mut store = Store::new(100);
    let (short, long) = (store.id(&labels("a", "")), store.id(&labels("b", "")));
    store.set_reach(long, 1000);
    for at in 0..5000 {
        store.append(short, at, 0.0);
        store.append(long, at, 0.0);
    }
    assert_eq!(store.samples(short).len(), 101);
    assert_eq!(store.samples(short)[0].at, 4899);
    assert_eq!(store.samples(long).len(), 1001);
    let (_, samples) = store.at(short.slot).unwrap();
    assert!(samples.all.len() <= 203, "{}", samples.all.len());
}

#[test]
fn a_series_that_ended_long_ago_is_forgotten_and_begins_anew() {
    let mut store = Store::new(100);
    let (gone, there) = (store.id(&labels("a", "1")), store.id(&labels("a", "2")));
    store.append(gone, 0, 1.0);
    store.append(there, 200, 1.0);
    store.forget(200);
    assert_eq!(store.len(), 1);
    assert!(store.samples(gone).is_empty());
    assert_eq!(store.append(gone, 201, 1.0), Appended::Forgotten);
    // Another one takes its place, and the old id does not reach it.
    let other = store.id(&labels("a", "3"));
    assert_eq!(other.slot, gone.slot);
    store.append(other, 201, 3.0);
    assert_eq!(store.append(gone, 202, 1.0), Appended::Forgotten);
    assert_eq!(values(&store, other), [(201, 3.0)]);
    let again = store.id(&labels("a", "1"));
    assert_eq!(store.append(again, 202, 1.0), Appended::Kept);
}

#[test]
fn a_thousand_series_that_come_and_go_leave_nothing_behind() {
    let mut store = Store::new(10);
    for n in 0..1000 {
        let id = store.id(&labels(&format!("m{n}"), &n.to_string()));
        store.append(id, n, 1.0);
        store.forget(n);
        assert!(store.len() <= 11);
    }
    assert!(store.slots.len() <= 12, "{}", store.slots.len());
    assert!(store.by_name.len() <= 11);
}

#[test]
fn series_are_selected_in_the_order_of_their_labels() {
    let mut store = Store::new(10);
    for job in ["c", "a", "b"] {
        store.id(&labels("up", job));
        store.id(&labels("down", job));
    }
    let jobs = |slots: Vec<u32>| -> Vec<String> {
        let labels = slots.iter().map(|slot| store.at(*slot).unwrap().0);
        labels.map(ToString::to_string).collect()
    };
    let up = store.select(Some("up"), |labels| labels.get("job") != "b");
    assert_eq!(jobs(up), [r#"up{job="a"}"#, r#"up{job="c"}"#]);
    let all = store.select(None, |labels| labels.get("job") == "b");
    assert_eq!(jobs(all), [r#"down{job="b"}"#, r#"up{job="b"}"#]);
}

#[test]
fn a_selection_is_new_only_when_series_of_its_name_come_or_go() {
    let mut store = Store::new(10);
    let up = store.id(&labels("up", "a"));
    let before = (store.version(Some("up")), store.version(None));
    store.append(up, 0, 1.0);
    assert_eq!(before, (store.version(Some("up")), store.version(None)));
    store.id(&labels("down", "a"));
    assert_eq!(before.0, store.version(Some("up")));
    assert_ne!(before.1, store.version(None));
    store.id(&labels("up", "b"));
    assert_ne!(before.0, store.version(Some("up")));
    assert_ne!(store.version(None), Store::new(10).version(None));
}

#[test]
fn a_stretch_of_time_has_both_its_ends() {
    let mut store = Store::new(100);
    let id = store.id(&labels("up", "a"));
    for at in [10, 20, 30, 40] {
        store.append(id, at, at as f64);
    }
    let (_, samples) = store.at(id.slot).unwrap();
    let ats = |from, to| -> Vec<i64> { samples.within(from, to).iter().map(|s| s.at).collect() };
    assert_eq!(ats(20, 30), [20, 30]);
    assert_eq!(ats(21, 29), [0; 0]);
    assert_eq!(ats(41, 29), [0; 0]);
    assert_eq!(samples.last_by(29).unwrap().at, 20);
    assert_eq!(samples.last_by(9), None);
}

#[test]
fn falls_and_markers_are_known_while_they_are_kept() {
    let mut store = Store::new(30);
    let id = store.id(&labels("up", "a"));
    let mut known = Vec::new();
    for (at, value) in [
        (0, 1.0),
        (10, 5.0),
        (20, 3.0),
        (30, 4.0),
        (40, 4.0),
        (50, STALE),
        (60, 1.0),
        (100, 2.0),
    ] {
        store.append(id, at, value);
        let (_, samples) = store.at(id.slot).unwrap();
        known.push((samples.never_fall(), samples.any_stale()));
    }
    let (rises, falls, ends) = ((true, false), (false, false), (false, true));
    assert_eq!(
        known,
        [rises, rises, falls, falls, falls, ends, ends, rises]
    );
}

#[test]
fn a_guessed_place_is_the_one_that_a_search_finds() {
    for ats in [
        vec![0, 10, 20, 30, 40],
        vec![0, 1, 2, 100, 101],
        vec![5],
        vec![0, 90, 95, 99, 100],
    ] {
        let samples: Vec<Sample> = ats.iter().map(|&at| Sample { at, value: 0.0 }).collect();
        for from in -2..110 {
            let found = samples.partition_point(|sample| sample.at < from);
            assert_eq!(first_from(&samples, from), found, "{ats:?} {from}");
        }
    }
}
