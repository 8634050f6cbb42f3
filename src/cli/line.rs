//! The progress line of a window without a screen.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::tell;
use crate::engine::{Left, Progress};
use crate::profile::model::Scope;
use crate::report::format::{
    count_short, duration_short, factor, percent, rate_short, span, unknown,
};

/// How often a line is printed where no progress bar can be drawn.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// The span that the progress line looks back over.
const RECENT: Duration = Duration::from_secs(5);

/// The progress line, on standard error: a bar on a terminal, else a line now and then.
pub struct Line {
    bar: ProgressBar,
    quiet: bool,
    json: bool,
    printed: Option<Duration>,
}

impl Line {
    /// For a window of this name and length; silent but for a bar where the output is JSON.
    pub fn new(window: &str, length: Duration, json: bool) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let target = if terminal {
            ProgressDrawTarget::stderr_with_hz(4)
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(Some(length.as_millis() as u64), target);
        // A template without placeholders that indicatif does not know cannot fail.
        if let Ok(style) = ProgressStyle::with_template("{prefix} {bar:24.cyan/blue} {msg}") {
            bar.set_style(style.progress_chars("█▉▊▋▌▍▎▏ "));
        }
        bar.set_prefix(window.to_owned());
        Self {
            bar,
            quiet: terminal || json,
            json,
            printed: None,
        }
    }

    /// Shows how the window stands.
    pub fn show(&mut self, progress: &Progress<'_>) {
        let text = describe(progress);
        let length = self.bar.length().unwrap_or(0);
        self.bar.set_position(match progress.left {
            Left::Work(share) => (length as f64 * share) as u64,
            Left::Time(_) | Left::Held => progress.at.as_millis() as u64,
        });
        self.bar.set_message(text.clone());
        let due = self
            .printed
            .is_none_or(|printed| progress.at.saturating_sub(printed) >= LINE_EVERY);
        if !self.quiet && due {
            self.printed = Some(progress.at);
            let at = span(progress.at.as_secs_f64().floor());
            tell(&format!("{at:>7}  {text}"));
        }
    }

    /// Says something once, above the line; nothing where the output is JSON.
    pub fn note(&self, text: &str) {
        if self.json {
            return;
        }
        self.bar.suspend(|| tell(text));
    }

    /// Takes the line away.
    pub fn close(&self) {
        self.bar.finish_and_clear();
    }
}

fn describe(progress: &Progress<'_>) -> String {
    let recent = progress.history.recent(&Scope::All, RECENT, &[]);
    let p99 = if recent.response.is_empty() {
        unknown()
    } else {
        duration_short(recent.response.quantile(0.99) as f64)
    };
    let mut text = format!(
        "{} {}  {}  p99 {p99}  errors {}  {}",
        progress.phase,
        factor(progress.factor),
        recent.rate().map_or_else(unknown, rate_short),
        recent.error_ratio().map_or_else(unknown, percent),
        match progress.left {
            Left::Time(left) => format!("{} left", span(left.as_secs_f64().ceil())),
            // Rounded down: all is done when all is done.
            Left::Work(share) => format!("{:.0}% done", (share * 100.0).floor()),
            Left::Held => "held".into(),
        },
    );
    if progress.lost > 0 {
        text += "  ";
        text += &count_short(progress.lost as f64);
        text += " ticks not recorded";
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::testing::Recording;

    #[test]
    fn the_line_says_what_there_is_to_come_and_no_time_that_only_bounds_it() {
        let history = Recording::new(&[("steady", 60, 1.0)]).history();
        let line = |left| {
            describe(&Progress {
                at: Duration::from_secs(9),
                left,
                phase: "steady",
                factor: 1.0,
                history: &history,
                lost: 0,
            })
        };
        let time = line(Left::Time(Duration::from_millis(50_400)));
        assert!(time.ends_with("51s left"), "{time}");
        let work = line(Left::Work(0.999));
        assert!(
            work.ends_with("99% done") && !work.contains("left"),
            "{work}"
        );
        assert!(line(Left::Held).ends_with("held"));
    }
}
