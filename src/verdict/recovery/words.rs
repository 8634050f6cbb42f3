//! Measured times, for people.

use std::fmt;

use super::{Measured, Took, Why};
use crate::verdict::format::span;

/// An interval of time, from µs: `12s`, `31s to 41s`; below a second `under 1s`.
pub fn between(took: Took) -> String {
    let seconds = |micros: u64| (micros as f64 / 1e6).round();
    let (least, most) = (seconds(took.least), seconds(took.most));
    match (least as u64, most as u64) {
        (_, _) if took.most <= 1_000_000 => "under 1s".into(),
        // A limit is never rounded down.
        (0, _) => format!("at most {}", span((took.most as f64 / 1e6).ceil())),
        (a, b) if a == b => span(most),
        (_, _) => format!("{} to {}", span(least), span(most)),
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = |micros: u64| span((micros as f64 / 1e6).round());
        let text = match *self {
            Self::Took(took) => between(took),
            Self::Seems { took, held } => {
                format!("{}, seen for {} only", between(took), seconds(held))
            }
            Self::Waiting(passed) => format!("not yet, after {}", seconds(passed)),
            Self::Never(passed) => format!("not within {}", seconds(passed)),
            Self::Unknown(why) => format!("unknown: {}", why.text()),
        };
        f.pad(&text)
    }
}

impl Why {
    /// The reason in a few words.
    pub fn text(self) -> &'static str {
        match self {
            Self::NotDone => "the fault was never in place",
            Self::StillOn => "the fault is still in place",
            Self::NoTraffic => "too little traffic to tell",
            Self::Ended => "the recording ends too early",
            Self::NotSeen => "seconds are not known, only sums",
            Self::NoImpact => "nothing was out of bounds",
            Self::Already => "out of bounds before",
            Self::NoAlerts => "no alerts are watched",
            Self::NoSource => "no source of alerts answered",
            Self::NoMeasure => "nothing says what is slow: no gate, no such traffic before",
            Self::Another => "another fault was there, and may be what was seen",
        }
    }
}
