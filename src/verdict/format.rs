//! Numbers as people read them: `84ms`, `1.98k/s`, `0.12%`, `412MiB`.
//!
//! Everything that prints a number for people uses these, so that the same number looks the same on the screen, in
//! the summary and in a report. Three significant figures at most, unless a function says otherwise.

/// A latency or another short time, from µs: `840µs`, `6.1ms`, `84ms`, `2.1s`, `1m 12s`.
pub fn duration_short(micros: f64) -> String {
    if !micros.is_finite() || micros < 0.0 {
        return unknown();
    }
    let ms = micros / 1e3;
    let seconds = micros / 1e6;
    if micros < 999.5 {
        format!("{micros:.0}µs")
    } else if ms < 9.95 {
        format!("{}ms", decimals(ms, 1))
    } else if ms < 999.5 {
        format!("{ms:.0}ms")
    } else if seconds < 59.95 {
        format!("{}s", decimals(seconds, 1))
    } else {
        span(seconds)
    }
}

/// Likewise with three decimals of its unit, for a value that lies close to its bound: `100.4ms`.
pub fn duration_precise(micros: f64) -> String {
    if !micros.is_finite() || micros < 0.0 {
        return unknown();
    }
    if micros < 999.5 {
        format!("{micros:.0}µs")
    } else if micros < 999_999.5 {
        format!("{}ms", decimals(micros / 1e3, 3))
    } else {
        format!("{}s", decimals(micros / 1e6, 3))
    }
}

/// A stretch of a window, from seconds: `12s`, `10m`, `1h 30m`, `2d 4h`. Two units at most.
pub fn span(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return unknown();
    }
    if seconds < 59.95 {
        return format!("{}s", decimals(seconds, 1));
    }
    let all = seconds.round() as u64;
    let (days, hours, minutes, rest) = (all / 86_400, all / 3600 % 24, all / 60 % 60, all % 60);
    let pair = |large: u64, unit: &str, small: u64, smaller: &str| {
        if small == 0 {
            format!("{large}{unit}")
        } else {
            format!("{large}{unit} {small}{smaller}")
        }
    };
    match (days, hours) {
        (0, 0) => pair(minutes, "m", rest, "s"),
        (0, _) => pair(hours, "h", minutes, "m"),
        _ => pair(days, "d", hours, "h"),
    }
}

/// A moment of a window, from µs since it began: `04:12`, `1:04:12`.
pub fn clock(micros: u64) -> String {
    clock_within(micros, 0)
}

/// Likewise with hours also when only the window, of this length in µs, has any, so that all its moments look the same:
/// `0:04:12`.
pub fn clock_within(micros: u64, length: u64) -> String {
    const HOUR: u64 = 3_600_000_000;
    let seconds = micros / 1_000_000;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if micros.max(length) < HOUR {
        format!("{minutes:02}:{seconds:02}")
    } else {
        format!("{hours}:{minutes:02}:{seconds:02}")
    }
}

/// A count: `950`, `1.98k`, `119k`, `2.5M`.
pub fn count_short(count: f64) -> String {
    if !count.is_finite() || count < 0.0 {
        return unknown();
    }
    if count < 999.5 {
        return if count.fract() == 0.0 {
            format!("{count:.0}")
        } else {
            figures(count)
        };
    }
    for (unit, name) in [(1e3, "k"), (1e6, "M"), (1e9, "G")] {
        if count < unit * 999.5 {
            return format!("{}{name}", figures(count / unit));
        }
    }
    format!("{:.0}G", count / 1e9)
}

/// Something a second: `0.5/s`, `198/s`, `1.98k/s`.
pub fn rate_short(per_second: f64) -> String {
    let count = if per_second >= 99.5 {
        count_short(per_second.round())
    } else {
        count_short(per_second)
    };
    format!("{count}/s")
}

/// A share, from a ratio: `0%`, `0.12%`, `3.1%`, `97%`. A share that is not 0 never reads as 0.
pub fn percent(ratio: f64) -> String {
    if !ratio.is_finite() || ratio < 0.0 {
        return unknown();
    }
    let percent = ratio * 100.0;
    match percent {
        0.0 => "0%".into(),
        p if p < 0.001 => "<0.001%".into(),
        p if p < 0.01 => format!("{}%", decimals(p, 3)),
        p if p < 0.995 => format!("{}%", decimals(p, 2)),
        p if p < 9.95 => format!("{}%", decimals(p, 1)),
        p if p > 99.0 && p < 100.0 => format!("{}%", decimals((p * 100.0).floor() / 100.0, 2)),
        p => format!("{p:.0}%"),
    }
}

/// Likewise with three decimals, for a value that lies close to its bound.
pub fn percent_precise(ratio: f64) -> String {
    if !ratio.is_finite() || ratio < 0.0 {
        return unknown();
    }
    format!("{}%", decimals(ratio * 100.0, 3))
}

/// A load factor: `1x`, `1.25x`.
pub fn factor(factor: f64) -> String {
    if factor.is_finite() {
        format!("{}x", decimals(factor, 3))
    } else {
        unknown()
    }
}

/// Bytes: `512B`, `1.4KiB`, `412MiB`.
pub fn bytes(count: f64) -> String {
    if !count.is_finite() || count < 0.0 {
        return unknown();
    }
    let mut value = count;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if value < 1023.5 {
            return format!("{}{unit}", figures(value));
        }
        value /= 1024.0;
    }
    format!("{}TiB", figures(value))
}

/// What stands for a number that is not known.
pub fn unknown() -> String {
    "–".into()
}

/// Three significant figures at most, without idle zeros.
fn figures(value: f64) -> String {
    match value {
        v if v < 9.995 => decimals(v, 2),
        v if v < 99.95 => decimals(v, 1),
        v => format!("{v:.0}"),
    }
}

/// At most so many decimals, without idle zeros.
fn decimals(value: f64, most: usize) -> String {
    let text = format!("{value:.most$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_as_on_the_screen() {
        let cases = [
            (0.0, "0µs"),
            (840.0, "840µs"),
            (999.6, "1ms"),
            (6_123.0, "6.1ms"),
            (9_960.0, "10ms"),
            (84_300.0, "84ms"),
            (999_600.0, "1s"),
            (2_100_000.0, "2.1s"),
            (59_960_000.0, "1m"),
            (72_000_000.0, "1m 12s"),
            (f64::NAN, "–"),
        ];
        for (micros, text) in cases {
            assert_eq!(duration_short(micros), text);
        }
        assert_eq!(duration_precise(100_400.0), "100.4ms");
        assert_eq!(duration_precise(2_000_000.0), "2s");
    }

    #[test]
    fn spans_have_two_units_at_most() {
        let cases = [
            (0.0, "0s"),
            (12.34, "12.3s"),
            (600.0, "10m"),
            (5_400.0, "1h 30m"),
            (3_599.9, "1h"),
            (187_200.0, "2d 4h"),
        ];
        for (seconds, text) in cases {
            assert_eq!(span(seconds), text);
        }
        assert_eq!(clock(252_000_000), "04:12");
        assert_eq!(clock(3_852_000_000), "1:04:12");
        assert_eq!(clock_within(252_000_000, 3_852_000_000), "0:04:12");
    }

    #[test]
    fn counts_and_rates_have_three_figures() {
        let cases = [
            (0.0, "0"),
            (950.0, "950"),
            (999.6, "1k"),
            (1_984.0, "1.98k"),
            (118_900.0, "119k"),
            (999_600.0, "1M"),
            (2_500_000.0, "2.5M"),
        ];
        for (count, text) in cases {
            assert_eq!(count_short(count), text);
        }
        assert_eq!(rate_short(0.5), "0.5/s");
        assert_eq!(rate_short(197.6), "198/s");
        assert_eq!(rate_short(1_984.2), "1.98k/s");
    }

    #[test]
    fn a_share_never_reads_as_none_or_all_when_it_is_not() {
        let cases = [
            (0.0, "0%"),
            (0.000_001, "<0.001%"),
            (0.000_05, "0.005%"),
            (0.0012, "0.12%"),
            (0.031, "3.1%"),
            (0.5, "50%"),
            (0.999_99, "99.99%"),
            (1.0, "100%"),
        ];
        for (ratio, text) in cases {
            assert_eq!(percent(ratio), text);
        }
    }

    #[test]
    fn bytes_are_binary() {
        assert_eq!(bytes(512.0), "512B");
        assert_eq!(bytes(1_434.0), "1.4KiB");
        assert_eq!(bytes(432_013_312.0), "412MiB");
    }
}
