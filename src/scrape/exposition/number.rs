//! Numbers as Prometheus reads and prints them.

use super::Reason;

/// The NaN that a value becomes, whichever one it was: others have a meaning of their own in Prometheus.
const NAN: u64 = 0x7ff8_0000_0000_0001;

/// Integers up to this many digits are exact as they stand.
const EXACT_DIGITS: usize = 15;

/// A value: Go's `ParseFloat` without hexadecimal and `_`, which Prometheus refuses.
pub(super) fn number(text: &[u8]) -> Result<f64, Reason> {
    if text.len() <= EXACT_DIGITS && text.iter().all(u8::is_ascii_digit) && !text.is_empty() {
        let digits = text.iter();
        let whole = digits.fold(0_u64, |whole, digit| whole * 10 + u64::from(digit - b'0'));
        return Ok(whole as f64);
    }
    let value: f64 = std::str::from_utf8(text)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or(Reason::Value)?;
    match value {
        value if value.is_finite() => Ok(value),
        // Go knows no sign of NaN.
        value if value.is_nan() && text.len() == 3 => Ok(f64::from_bits(NAN)),
        value if value.is_nan() => Err(Reason::Value),
        infinite if text.iter().any(|&byte| byte | 0x20 == b'i') => Ok(infinite),
        _ => Err(Reason::Range),
    }
}

/// Milliseconds, as text 0.0.4 has them: digits and nothing else.
pub(super) fn milliseconds(text: &[u8]) -> Result<i64, Reason> {
    let digit = |ms: i64, byte: &u8| {
        let digit = byte.is_ascii_digit().then(|| i64::from(byte - b'0'))?;
        ms.checked_mul(10)?.checked_add(digit)
    };
    match text {
        [] => Err(Reason::Timestamp),
        text => text.iter().try_fold(0, digit).ok_or(Reason::Timestamp),
    }
}

/// Seconds, as `OpenMetrics` has them, in whole milliseconds.
pub(super) fn seconds(text: &[u8]) -> Result<i64, Reason> {
    /// The first float past every `i64`.
    const BEYOND: f64 = 9_223_372_036_854_775_808.0;
    match number(text).map(|seconds| seconds * 1000.0) {
        Ok(ms) if ms.abs() < BEYOND => Ok(ms as i64),
        Ok(_) | Err(_) => Err(Reason::Timestamp),
    }
}

/// A value as Prometheus prints it: the shortest digits that read back as the same number.
pub fn printed(value: f64) -> String {
    match value {
        value if value.is_nan() => "NaN".to_owned(),
        f64::INFINITY => "+Inf".to_owned(),
        f64::NEG_INFINITY => "-Inf".to_owned(),
        value => value.to_string(),
    }
}
