//! Whether the machine slept. The clock of a window stands still meanwhile, and what is broken elsewhere stays broken.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// A shorter sleep, or a difference between two readings, is not told.
const LEAST: Duration = Duration::from_secs(2);

/// Compares the clock that counts sleep with the one that does not.
#[derive(Debug)]
pub struct Sleep {
    ahead: Duration,
}

impl Sleep {
    /// Watches from now on.
    pub fn watch() -> Self {
        Self { ahead: ahead() }
    }

    /// How long the machine slept since this was last asked, if it did.
    pub fn slept(&mut self) -> Option<Duration> {
        self.compare(ahead())
    }

    fn compare(&mut self, ahead: Duration) -> Option<Duration> {
        let slept = ahead.saturating_sub(self.ahead);
        self.ahead = ahead;
        (slept >= LEAST).then_some(slept)
    }
}

/// How far the clock that counts sleep is ahead of the other.
fn ahead() -> Duration {
    let read = |clock| {
        let time = clock_gettime(clock);
        let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
        let nanos = u32::try_from(time.tv_nsec).unwrap_or_default();
        Duration::new(seconds, nanos)
    };
    let awake = read(ClockId::Monotonic);
    read(ClockId::Boottime).saturating_sub(awake)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sleep_is_told_once_and_a_pause_between_two_readings_is_none() {
        let mut sleep = Sleep {
            ahead: Duration::from_secs(100),
        };
        assert_eq!(sleep.compare(Duration::from_millis(101_900)), None);
        let hour = Duration::from_hours(1);
        let after = Duration::from_millis(101_900) + hour;
        assert_eq!(sleep.compare(after), Some(hour));
        assert_eq!(sleep.compare(after), None);
        assert_eq!(Sleep::watch().slept(), None);
    }
}
