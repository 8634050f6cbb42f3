use super::*;
use std::fmt::Write as _;
use std::time::Instant;

struct Target {
    endpoint: Endpoint,
    wanted: Wanted,
    book: Book,
    at: u64,
}

impl Target {
    fn new(selectors: &[&str], keep: &[&str], drop: &[&str]) -> Self {
        let owned = |entries: &[&str]| entries.iter().map(ToString::to_string).collect::<Vec<_>>();
        let filter = Arc::new(Filter::new(&owned(keep), &owned(drop)).unwrap());
        let instance = Instance {
            target: "shop".into(),
            instance: "a:1".into(),
        };
        let mut book = Book::new(Instant::now());
        let index = book.instance(instance.clone());
        let mut wanted = Wanted::default();
        let selectors = selectors.iter().map(|text| Selector::parse(text).unwrap());
        wanted.add(&selectors.collect::<Vec<_>>());
        let labels = BTreeMap::from([("site".to_owned(), "x".to_owned())]);
        Self {
            endpoint: Endpoint::new(index, &instance, &labels, filter),
            wanted,
            book,
            at: 0,
        }
    }

    fn scrape(&mut self, outcome: Result<&str, &str>) -> Taken {
        self.at += 1_000_000;
        let outcome = outcome.map_err(ToOwned::to_owned);
        let scrape = Scrape {
            at: self.at,
            at_ms: self.at.cast_signed() / 1_000,
            took: Duration::from_millis(5),
            missed: 0,
            outcome: outcome.map(fetched),
        };
        self.endpoint.take(&scrape, &self.wanted, &mut self.book)
    }

    /// The changes of a scrape by name, those of the target itself left out.
    fn changes(&self, taken: &Taken) -> Vec<String> {
        let names = &self.book.names().series;
        let lines = taken.tick.series.iter().map(|&(index, value)| {
            let value = value.map_or("gone".into(), |Number(value)| value.to_string());
            format!("{} {value}", names[index])
        });
        lines
            .filter(|line| !OWN.iter().any(|own| line.starts_with(&format!("{own}{{"))))
            .collect()
    }

    fn up(&self, taken: &Taken) -> Option<f64> {
        let names = &self.book.names().series;
        let up = taken
            .tick
            .series
            .iter()
            .find(|(index, _)| names[*index].starts_with("up{"));
        up.and_then(|&(_, value)| Some(value?.0))
    }
}

fn fetched(body: &str) -> Fetched {
    Fetched {
        body: body.as_bytes().to_vec(),
        content_type: None,
        status: 200,
        date: None,
        wire: body.len(),
        took: Duration::ZERO,
    }
}

#[test]
fn only_what_changed_is_recorded_and_what_is_gone_is_said() {
    let mut target = Target::new(&["a", "b"], &[], &[]);
    let taken = target.scrape(Ok("a 1\nb{c=\"d\"} 2\nunwanted 3\n"));
    let of = r#"instance="a:1",job="shop",site="x""#;
    assert_eq!(
        target.changes(&taken),
        [format!("a{{{of}}} 1"), format!("b{{c=\"d\",{of}}} 2")]
    );
    assert_eq!(target.up(&taken), Some(1.0));
    let taken = target.scrape(Ok("a 1\nb{c=\"d\"} 2.5\n"));
    assert_eq!(target.changes(&taken), [format!("b{{c=\"d\",{of}}} 2.5")]);
    assert_eq!(target.up(&taken), None, "it did not change");
    let taken = target.scrape(Ok("b{c=\"d\"} 2.5\n"));
    assert_eq!(target.changes(&taken), [format!("a{{{of}}} gone")]);
    let taken = target.scrape(Ok("b{c=\"d\"} 2.5\na 1\n"));
    assert_eq!(target.changes(&taken), [format!("a{{{of}}} 1")]);
}

#[test]
fn a_failed_scrape_ends_all_series_and_is_told_once() {
    let mut target = Target::new(&["a"], &[], &[]);
    target.scrape(Ok("a 1\n"));
    let taken = target.scrape(Err("connection refused"));
    assert_eq!(taken.turned, Some(Err("connection refused".into())));
    assert_eq!(target.changes(&taken).len(), 1);
    assert_eq!(target.up(&taken), Some(0.0));
    let taken = target.scrape(Ok("<html>sorry</html>"));
    assert_eq!((&taken.turned, target.changes(&taken).len()), (&None, 0));
    let taken = target.scrape(Ok("a 1\n"));
    assert_eq!(taken.turned, Some(Ok(())));
    assert_eq!(target.changes(&taken).len(), 1);
}

#[test]
fn the_labels_of_a_target_win_and_theirs_are_kept_under_another_name() {
    let mut target = Target::new(&["a"], &[], &[]);
    let taken = target.scrape(Ok("a{job=\"theirs\",site=\"\",exported_job=\"b\"} 1\n"));
    let name = r#"a{exported_exported_job="b",exported_job="theirs",instance="a:1",job="shop",site="x"} 1"#;
    let other = r#"a{exported_job="theirs",instance="a:1",job="shop",site="x"} 1"#;
    let changes = target.changes(&taken);
    assert!(changes == [name] || changes == [other], "{changes:?}");
}

#[test]
fn what_is_dropped_is_neither_recorded_nor_offered() {
    let body = "a_x 1\na_y 1\nb{code=\"500\"} 1\nb{code=\"200\"} 1\n";
    let mut target = Target::new(
        &["a_x", "a_y", "b"],
        &["a_.*", "b"],
        &["a_y", r#"{code="200"}"#],
    );
    let taken = target.scrape(Ok(body));
    assert_eq!(target.changes(&taken).len(), 2);
    assert_eq!(target.endpoint.series().count(), 2 + OWN.len());
    assert!(Filter::new(&["a(".into()], &[]).is_err());
    assert!(Filter::new(&[], &["{a=~\"(\"}".into()]).is_err());
}

#[test]
fn a_series_that_is_wanted_later_is_recorded_from_then_on() {
    let mut target = Target::new(&[], &[], &[]);
    assert_eq!(target.scrape(Ok("a 1\n")).tick.series.len(), OWN.len());
    target.wanted.add(&[Selector::parse("a").unwrap()]);
    target.endpoint.reconsider();
    let taken = target.scrape(Ok("a 1\n"));
    assert_eq!(target.changes(&taken).len(), 1);
}

#[test]
fn bad_lines_are_told_when_they_begin() {
    let mut target = Target::new(&["a"], &[], &[]);
    let taken = target.scrape(Ok("a 1\nb{ 2\nc x\n"));
    let bad = taken.bad.unwrap();
    assert!(
        bad.starts_with("2 bad lines; the first is line 2: "),
        "{bad}"
    );
    assert_eq!(target.scrape(Ok("a 1\nb{ 2\n")).bad, None);
    assert_eq!(target.scrape(Ok("a 1\n")).bad, None);
    assert!(
        target
            .scrape(Ok("a 1\nb{ 2\n"))
            .bad
            .unwrap()
            .starts_with("a bad line: line 2")
    );
}

#[test]
fn samples_with_times_of_their_own_keep_them() {
    let mut target = Target::new(&["a", "b"], &[], &[]);
    let taken = target.scrape(Ok("a 1 1700000000123\nb 2\n"));
    let stamped = &taken.tick.stamped;
    assert_eq!(stamped.len(), 1);
    assert_eq!(stamped[0].1, 1_700_000_000_123);
}

#[test]
fn series_that_come_and_go_without_end_are_let_go_of() {
    let mut target = Target::new(&["kept"], &[], &[]);
    for round in 0..200 {
        let mut lines = String::new();
        for pod in 0..100 {
            writeln!(lines, "a{{pod=\"{round}-{pod}\"}} 1").unwrap();
        }
        let taken = target.scrape(Ok(&format!("{lines}kept 1\n")));
        assert_eq!(
            target.changes(&taken).len(),
            usize::from(round == 0),
            "round {round}"
        );
    }
    let known = target.endpoint.series().count();
    assert!(known < 20_000, "{known}");
}

#[test]
fn the_end_of_an_endpoint_is_the_end_of_its_series() {
    let mut target = Target::new(&["a"], &[], &[]);
    target.scrape(Ok("a 1\n"));
    let tick = target.endpoint.end(9_000_000);
    assert_eq!(tick.series.len(), 1 + OWN.len());
    assert!(tick.series.iter().all(|(_, value)| value.is_none()));
}
