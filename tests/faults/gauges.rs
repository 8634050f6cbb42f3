//! What only gauges see of a fault.

use std::path::PathBuf;

use serde_json::Value;

use crate::place::place;
use crate::support::server::{Server, answer};
use crate::support::summary_of;

/// A window with a fault that makes a file, over a server whose queue is full while the file is there, and whose
/// connections are always 12. No request and no connection of the load ever sees that server. `file` is what the fault
/// makes.
fn window(file: &'static str) -> Value {
    let full = std::sync::Arc::new(std::sync::OnceLock::<PathBuf>::new());
    let seen = std::sync::Arc::clone(&full);
    let server = Server::answering(move |_| {
        let is_full = seen.get().is_some_and(|file| file.exists());
        let depth = if is_full { 80 } else { 3 };
        let body = format!("queue_depth {depth}\nconnections 12\n");
        answer("200 OK", "content-type: text/plain\r\n", &body)
    });
    let more = r#"
[[target]]
name = "worker"
url = "URL/metrics"
every = "200ms"
[[gauge]]
name = "queue"
of = "worker"
expr = "queue_depth"
[[gauge]]
name = "connections"
of = "worker"
expr = "connections"
[[fault]]
name = "fills"
inject = ["touch", "DIR/FILE"]
revert = ["rm", "-f", "DIR/FILE"]
[[gate]]
name = "a busy machine is no effect"
expect = "p99 < 20s"
[[phase]]
name = "steady"
for = "7500ms"
faults = [{ name = "fills", after = "4s", for = "2500ms" }]
"#;
    let more = more.replace("URL", &server.url).replace("FILE", file);
    let place = place(&[], "", &more);
    full.set(place.path().join("full")).unwrap();
    let output = place.run(&["--headless", "--json"]).output().unwrap();
    summary_of(&output)
}

fn findings(summary: &Value) -> String {
    summary["findings"].to_string()
}

#[test]
fn a_fault_that_only_a_gauge_sees_has_done_something_and_what_it_moved_is_told() {
    let summary = window("full");
    let fault = &summary["faults"][0];
    assert_eq!(fault["effective"], true, "{fault}");
    assert_eq!(fault["gauges"]["text"], "moved: queue 3 then 80", "{fault}");
    // The queue, the connections, and whether the target answers.
    assert_eq!(fault["gauges"]["looked_at"], 3, "{fault}");
    let findings = findings(&summary);
    assert!(!findings.contains("did nothing"), "{findings}");
}

#[test]
fn a_fault_that_moves_no_gauge_either_has_done_nothing() {
    let summary = window("elsewhere");
    let fault = &summary["faults"][0];
    assert_eq!(fault["effective"], false, "{fault}");
    assert_eq!(fault["gauges"]["text"], Value::Null);
    let words = "fills did nothing that was seen: no connection, no request, none of 3 gauges";
    let findings = findings(&summary);
    assert!(findings.contains(words), "{findings} {}", fault["gauges"]);
}
