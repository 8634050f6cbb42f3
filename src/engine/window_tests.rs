//! Windows whose workers fail, which no profile can bring about.

use tokio::sync::mpsc::unbounded_channel;

use super::*;
use crate::load::fleet::{FleetSpec, Traffic};
use crate::load::schedule::Curve;
use crate::load::sim::{Fake, MS, fleet, scenario};
use crate::profile::{self, Options, model::Arrivals};
use crate::session::Reader;
use crate::verdict::{Verdict, judge};

/// An hour of one request a tick or so, with a gate that nothing fails.
const PROFILE: &str = r#"
[window]
name = "test"
duration = "1h"
tick = "20ms"
[[scenario]]
name = "s"
target = "http://127.0.0.1:1"
rate = "50/s"
get = "/"
[[gate]]
expect = "errors = 0%"
"#;

/// The history of what was recorded of a window with so many workers, one of which panics in its first interval.
fn with_a_panic(workers: usize) -> History {
    let profile = profile::parse(PROFILE, std::path::Path::new("."), &Options::default()).unwrap();
    let broken = Fake {
        panics: true,
        ..Fake::taking(MS)
    };
    // With one arrival in flight at a time, one worker has all of the scenario.
    let traffic = Traffic::Open {
        arrivals: Arrivals::Even,
        max_in_flight: 1,
    };
    let spec = FleetSpec {
        tick: profile.window.tick,
        ..fleet(workers, vec![scenario(broken, traffic, Curve::default())])
    };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("broken.jsonl.zst");
    let (_, orders) = unbounded_channel();
    let finished = run(
        Spec {
            writer: Writer::create(&path, plan::names(&profile)).unwrap(),
            prepared: Prepared {
                ledgers: Vec::new(),
                spec,
                warnings: Vec::new(),
            },
            profile,
            by: "ops@host".into(),
            orders,
            metrics: None,
            keeper: None,
        },
        |_| {},
    )
    .unwrap();
    finished.recording.unwrap();
    let recorded = History::of_records(Reader::open(&path).unwrap()).unwrap();
    assert_eq!(judge(&recorded), judge(&finished.history));
    recorded
}

#[test]
fn a_window_that_loses_a_worker_ends_at_once_and_nobody_can_tell_how_it_went() {
    for workers in [1, 2] {
        let history = with_a_panic(workers);
        let why = "load worker 0 panicked: what it had under way is lost";
        assert_eq!(history.stop(), Some((EndReason::Aborted, why)));
        assert_eq!(history.end().unwrap().reason, EndReason::Aborted);
        let judgement = judge(&history);
        assert_eq!(judgement.verdict, Verdict::Inconclusive, "{judgement:?}");
        let said = |finding: &String| finding.contains(why);
        assert!(judgement.findings.iter().any(said), "{judgement:?}");
    }
}
