//! What the service says about itself: the body of `/metrics`, Prometheus text format 0.0.4.
//!
//! One observation for each request flows in when it ends; text flows out. The invariant: the sum of the buckets of a
//! route, its `_count` and the sum of its `http_requests_total` are the same number.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::process;
use super::routes::Route;

/// Content type of the text.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Upper bounds of the buckets of durations, s.
const BOUNDS: [f64; 15] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
];

/// Everything that was counted so far. Bounded: routes and statuses are few.
#[derive(Debug, Default)]
pub struct Counts {
    requests: BTreeMap<(Route, u16), u64>,
    durations: BTreeMap<Route, Durations>,
}

#[derive(Debug, Default)]
struct Durations {
    /// Not cumulative; the last is what exceeds all bounds.
    buckets: [u64; BOUNDS.len() + 1],
    seconds: f64,
}

/// What is true at the moment of a scrape.
#[derive(Debug, Clone, Copy, Default)]
pub struct Now {
    /// Requests begun and not answered.
    pub in_flight: usize,
    /// Open connections.
    pub connections: usize,
    /// Requests that wait for a server.
    pub queue_depth: usize,
    /// Servers at work.
    pub servers_busy: usize,
    /// Servers; 0: without limit.
    pub servers: usize,
    /// Whether the servers stand still.
    pub stalled: bool,
    /// Orders placed since the start.
    pub orders: u64,
    /// Memory that the leak holds, bytes.
    pub leak_bytes: usize,
}

impl Counts {
    /// Counts a request that ended with `status` after so many ns.
    pub fn observe(&mut self, route: Route, status: u16, took: u64) {
        *self.requests.entry((route, status)).or_default() += 1;
        let durations = self.durations.entry(route).or_default();
        let seconds = took as f64 / 1e9;
        durations.buckets[BOUNDS.partition_point(|bound| *bound < seconds)] += 1;
        durations.seconds += seconds;
    }

    /// The body of `/metrics`.
    pub fn text(&self, now: Now) -> String {
        let mut text = Text(String::with_capacity(16 * 1024));
        self.requests(&mut text);
        self.durations(&mut text);
        let gauges: [(&str, &str, f64); 7] = [
            (
                "http_requests_in_flight",
                "Requests begun and not answered.",
                now.in_flight as f64,
            ),
            (
                "http_connections",
                "Open connections.",
                now.connections as f64,
            ),
            (
                "shop_queue_depth",
                "Requests that wait for a server.",
                now.queue_depth as f64,
            ),
            (
                "shop_servers_busy",
                "Servers at work.",
                now.servers_busy as f64,
            ),
            (
                "shop_servers",
                "Servers there are, 0 without limit.",
                now.servers as f64,
            ),
            (
                "shop_stalled",
                "1 while the servers stand still.",
                f64::from(u8::from(now.stalled)),
            ),
            (
                "shop_leak_bytes",
                "Memory leaked on purpose.",
                now.leak_bytes as f64,
            ),
        ];
        for (name, help, value) in gauges {
            text.single(name, help, "gauge", value);
        }
        text.single(
            "shop_orders_total",
            "Orders placed.",
            "counter",
            now.orders as f64,
        );
        process_metrics(&mut text);
        text.0
    }

    fn requests(&self, text: &mut Text) {
        let name = "http_requests_total";
        text.head(
            name,
            "Requests answered, by route and status; 499: the client left.",
            "counter",
        );
        for ((route, status), count) in &self.requests {
            let (path, method) = (escape(route.path()), route.method());
            text.line(format_args!(
                "{name}{{route=\"{path}\",method=\"{method}\",status=\"{status}\"}} {count}"
            ));
        }
    }

    fn durations(&self, text: &mut Text) {
        let name = "http_request_duration_seconds";
        text.head(
            name,
            "From the parsed head of a request to its answer.",
            "histogram",
        );
        for (route, durations) in &self.durations {
            let labels = format!(
                "route=\"{}\",method=\"{}\"",
                escape(route.path()),
                route.method()
            );
            let mut total = 0;
            for (count, bound) in durations.buckets.iter().zip(BOUNDS) {
                total += count;
                text.line(format_args!(
                    "{name}_bucket{{{labels},le=\"{bound}\"}} {total}"
                ));
            }
            total += durations.buckets[BOUNDS.len()];
            text.line(format_args!(
                "{name}_bucket{{{labels},le=\"+Inf\"}} {total}"
            ));
            text.line(format_args!("{name}_sum{{{labels}}} {}", durations.seconds));
            text.line(format_args!("{name}_count{{{labels}}} {total}"));
        }
    }
}

fn process_metrics(text: &mut Text) {
    if let Some(bytes) = process::resident_bytes() {
        let help = "Memory in RAM.";
        text.single("process_resident_memory_bytes", help, "gauge", bytes as f64);
    }
    let help = "Processor time used.";
    text.single(
        "process_cpu_seconds_total",
        help,
        "counter",
        process::cpu_seconds(),
    );
    if let Some(open) = process::open_fds() {
        text.single("process_open_fds", "Open files.", "gauge", open as f64);
    }
    if let Some(start) = process::start_time() {
        let help = "When the process began, seconds since 1970.";
        text.single("process_start_time_seconds", help, "gauge", start);
    }
}

struct Text(String);

impl Text {
    fn head(&mut self, name: &str, help: &str, kind: &str) {
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        self.line(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}"));
    }

    fn single(&mut self, name: &str, help: &str, kind: &str, value: f64) {
        self.head(name, help, kind);
        self.line(format_args!("{name} {value}"));
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "{line}");
    }
}

/// A label value, as the format wants it between its quotes.
fn escape(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::options::Page;

    #[test]
    fn buckets_are_cumulative_and_include_their_bound() {
        let mut counts = Counts::default();
        let route = Route::Shop(Page::Item);
        for took in [500_000, 500_001, 40_000_000_000] {
            counts.observe(route, 200, took);
        }
        let text = counts.text(Now::default());
        let bucket = |le: &str| {
            let start = format!(
                "http_request_duration_seconds_bucket{{route=\"/items/{{id}}\",method=\"GET\",le=\"{le}\"}} "
            );
            text.lines()
                .find_map(|line| line.strip_prefix(&*start))
                .map(str::to_owned)
        };
        assert_eq!(bucket("0.0005").as_deref(), Some("1"));
        assert_eq!(bucket("0.001").as_deref(), Some("2"));
        assert_eq!(bucket("30").as_deref(), Some("2"));
        assert_eq!(bucket("+Inf").as_deref(), Some("3"));
        assert!(text.contains(
            "http_request_duration_seconds_count{route=\"/items/{id}\",method=\"GET\"} 3\n"
        ));
    }

    #[test]
    fn label_values_are_escaped() {
        assert_eq!(escape("a\\b\"c\nd"), "a\\\\b\\\"c\\nd");
    }
}
