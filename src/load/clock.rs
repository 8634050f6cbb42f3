//! The window's clock: nanoseconds since the window began, monotonic, the same on every thread.

use std::time::{Duration, Instant};

/// Nanoseconds since the window began.
pub type Nanos = u64;

/// A monotonic clock that all threads of a window share by value. Reading it costs one `clock_gettime` (about 25 ns).
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// A clock that reads 0 now.
    pub fn start() -> Self {
        Self {
            start: Instant::now(),
        }
    }

    /// A clock that reads 0 at `start`; before it, it reads 0 as well.
    pub fn starting_at(start: Instant) -> Self {
        Self { start }
    }

    /// Now.
    pub fn now(self) -> Nanos {
        u64::try_from(
            Instant::now()
                .saturating_duration_since(self.start)
                .as_nanos(),
        )
        .unwrap_or(u64::MAX)
    }

    /// The moment at which this clock reads `at`.
    pub fn instant(self, at: Nanos) -> Instant {
        self.start + Duration::from_nanos(at)
    }
}
