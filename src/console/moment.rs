//! Moments of a window, written in one way all over the console; only the header has room for a longer one.

use crate::history::History;
use crate::session::record::Window;
use crate::verdict::format;

/// A moment, µs since the window began, as all moments of this window are written: with hours when it lasts an hour,
/// `0:41:36`, else `41:36`.
pub fn moment(history: &History, at: u64) -> String {
    let planned = history.window().map_or(0, Window::planned_us);
    let so_far = history.last().map_or(0, |last| last.at);
    format::clock_within(at, planned.max(so_far))
}
