//! The generator's own resources as rows, so that an operator sees when it is the generator that is slow.

use super::Scene;
use super::gauge::{Bound, Reading, Unit};
use crate::console::widget::Axis;
use crate::history::Bucket;
use crate::history::bucket::GeneratorPeak;
use crate::verdict::format;

/// From this share of what there is on, a resource is about to run out.
const NEAR: f64 = 0.9;

/// The rows of the generator, in their order.
pub const NAMES: [&str; 7] = [
    "cpu cores",
    "busiest worker",
    "memory",
    "event loop lag",
    "sent late p99",
    "open files",
    "connections",
];

#[derive(Debug, Clone, Default)]
struct Own {
    peak: GeneratorPeak,
    late: Option<f64>,
    connections: u64,
}

/// The generator's own resources.
pub fn rows(scene: &Scene<'_>, axis: &Axis) -> Vec<Reading> {
    let own = axis.fold(scene.history, |own: &mut Own, bucket| {
        own.peak = own.peak.or(bucket.generator.peak);
        own.connections = bucket.scenarios.iter().map(|flow| flow.connections).sum();
        if let Some(late) = late(bucket) {
            own.late = Some(own.late.map_or(late, |before| before.max(late)));
        }
    });
    let selected = scene.ui.cursor.and_then(|tick| axis.cell_of(tick));
    let now = match selected {
        Some(cell) => own[cell].seen().cloned(),
        None => scene.history.last_tick().map(|bucket| Own {
            peak: bucket.generator.peak,
            late: late(bucket),
            connections: bucket.scenarios.iter().map(|flow| flow.connections).sum(),
        }),
    };
    let row = |name: &str, unit: Unit, warn: Option<f64>, value: fn(&Own) -> Option<f64>| {
        let columns = own.iter().map(|column| column.and_then(value)).collect();
        Reading {
            warn: warn.map(Bound::above),
            ..Reading::new(name, unit, columns)
        }
        .at(now.as_ref().and_then(value))
    };
    let most = now.as_ref().map(|own| own.peak.files_max);
    let most = most.filter(|&most| most > 0).map(|most| most as f64);
    let near = most.map(|most| most * NEAR);
    let [cpu, worker, memory, lag, sent, files, connections] = NAMES;
    let mut files = row(files, Unit::Count, near, |own| Some(own.peak.files as f64));
    if let (Some(open), Some(most)) = (&files.text, most) {
        files.text = Some(format!("{open}/{}", format::count_short(most)));
    }
    vec![
        row(cpu, Unit::Cores, None, |own| Some(own.peak.cpu)),
        row(worker, Unit::Ratio, Some(NEAR), |own| {
            Some(own.peak.worker_cpu)
        }),
        row(memory, Unit::Bytes, None, |own| Some(own.peak.rss as f64)),
        row(lag, Unit::Seconds, None, |own| {
            Some(own.peak.lag_us as f64 / 1e6)
        }),
        row(sent, Unit::Seconds, None, |own| {
            own.late.map(|late| late / 1e6)
        }),
        files,
        row(connections, Unit::Count, None, |own| {
            Some(own.connections as f64)
        }),
    ]
}

/// The send-time error that 99 % of a bucket's arrivals stayed below, µs.
fn late(bucket: &Bucket) -> Option<f64> {
    let late = &bucket.generator.late;
    (!late.is_empty()).then(|| late.unpack().quantile(0.99) as f64)
}
