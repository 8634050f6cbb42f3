use super::*;

/// As Prometheus 2.42 answers, shortened.
const RULES: &str = r#"{"status":"success","data":{"groups":[{"name":"g","file":"r.yml","rules":[
  {"state":"firing","name":"DatabaseSlow","query":"x > 1","duration":30,"keepFiringFor":0,"labels":{},"annotations":{},
   "alerts":[{"labels":{"alertname":"DatabaseSlow","severity":"page","instance":"a:1"},"annotations":{},
              "state":"firing","activeAt":"2026-01-02T03:04:05.5Z","value":"2e+00"}],"health":"ok","type":"alerting"},
  {"state":"pending","name":"Queue","query":"y > 1","duration":60,
   "alerts":[{"labels":{"alertname":"Queue"},"annotations":{},"state":"pending","activeAt":"2026-01-02T03:04:05Z","value":"1"}],
   "health":"ok","type":"alerting"},
  {"state":"inactive","name":"Calm","query":"z > 1","duration":0,"alerts":[],"health":"ok","type":"alerting"}
]}]}}"#;

/// As Alertmanager 0.25 answers, shortened.
const MANAGED: &str = r#"[
  {"annotations":{},"endsAt":"2026-01-02T03:10:05.000Z","fingerprint":"f","receivers":[{"name":"none"}],
   "startsAt":"2026-01-02T03:04:35.500Z","status":{"inhibitedBy":[],"silencedBy":[],"state":"active"},
   "updatedAt":"2026-01-02T03:06:05.000Z","labels":{"alertname":"DatabaseSlow","severity":"page"}},
  {"annotations":{},"endsAt":"2026-01-02T03:10:05.000Z","fingerprint":"e","receivers":[{"name":"none"}],
   "startsAt":"2026-01-02T03:04:35.500Z","status":{"inhibitedBy":[],"silencedBy":["s1"],"state":"suppressed"},
   "updatedAt":"2026-01-02T03:06:05.000Z","labels":{"alertname":"Noise"}}
]"#;

/// 2026-01-02 03:04:05 UTC, µs.
const BEGAN: u64 = 1_767_323_045_000_000;

#[test]
fn firing_began_when_the_rule_had_waited_long_enough() {
    let alerts = of_prometheus("prom", RULES.as_bytes()).unwrap();
    let told: Vec<_> = alerts
        .iter()
        .map(|alert| {
            (
                alert.name.as_str(),
                alert.labels.as_str(),
                alert.state,
                alert.since,
            )
        })
        .collect();
    let slow = r#"{instance="a:1",severity="page"}"#;
    assert_eq!(
        told,
        [
            (
                "DatabaseSlow",
                slow,
                AlertState::Firing,
                Some(BEGAN + 30_500_000)
            ),
            ("Queue", "", AlertState::Pending, Some(BEGAN)),
        ]
    );
}

#[test]
fn a_silenced_alert_is_told_as_such() {
    let alerts = of_alertmanager("pager", MANAGED.as_bytes()).unwrap();
    let states: Vec<_> = alerts
        .iter()
        .map(|alert| (alert.state, alert.since))
        .collect();
    assert_eq!(
        states,
        [
            (AlertState::Firing, Some(BEGAN + 30_500_000)),
            (AlertState::Silenced, None),
        ]
    );
}

#[test]
fn an_alert_is_told_once_for_each_state_and_as_resolved_when_it_is_gone() {
    let mut standing = Standing::default();
    let alerts = of_prometheus("prom", RULES.as_bytes()).unwrap();
    assert_eq!(standing.update(alerts.clone()).len(), 2);
    assert_eq!(standing.update(alerts.clone()), []);
    let changes = standing.update(alerts[..1].to_vec());
    assert_eq!(changes.len(), 1);
    assert_eq!(
        (changes[0].name.as_str(), changes[0].state),
        ("Queue", AlertState::Resolved)
    );
    let mut later = alerts[0].clone();
    later.since = Some(BEGAN + 90_000_000);
    assert_eq!(
        standing.update(vec![later]).len(),
        1,
        "it fired anew between two looks"
    );
}

#[test]
fn what_is_no_answer_is_an_error() {
    for body in ["", "<html>", "{}", "[1]", r#"{"data":{"groups":7}}"#] {
        assert!(of_prometheus("p", body.as_bytes()).is_err(), "{body}");
    }
    assert!(of_alertmanager("p", b"{\"code\":500}").is_err());
}
