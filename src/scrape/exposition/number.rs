//! Numbers as Prometheus reads and prints them.

use super::Reason;

/// The NaN that a value becomes, whichever one it was: others have a meaning of their own in Prometheus.
const NAN: u64 = 0x7ff8_0000_0000_0001;

/// Powers of ten that a 64-bit float holds exactly.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

/// A number of few digits at the beginning of `bytes` and how long it is, when it is one that a single multiplication
/// or division of exact floats gives, rounded right (Clinger's fast path), and when a blank or line break follows it.
#[inline]
pub(super) fn short(bytes: &[u8]) -> Option<(f64, usize)> {
    let mut at = usize::from(bytes.first() == Some(&b'-'));
    let (negative, start) = (at == 1, at);
    let mut whole = 0_u64;
    let mut digits = |at: &mut usize| {
        let start = *at;
        while let Some(digit) = bytes
            .get(*at)
            .map(|byte| byte.wrapping_sub(b'0'))
            .filter(|&digit| digit < 10)
        {
            whole = whole.wrapping_mul(10).wrapping_add(u64::from(digit));
            *at += 1;
        }
        *at - start
    };
    let mut count = digits(&mut at);
    let mut exponent = 0;
    if bytes.get(at) == Some(&b'.') {
        at += 1;
        let fraction = digits(&mut at);
        count += fraction;
        exponent = -i32::try_from(fraction).ok()?;
    }
    // More digits could have overflowed.
    if count == 0 || at - start > 19 || whole > 1 << 53 {
        return None;
    }
    if let Some(b'e') = bytes.get(at) {
        let (sign, tens, ones) = match bytes.get(at + 1..at + 4)? {
            [b'+', tens, ones] => (1, tens, ones),
            [b'-', tens, ones] => (-1, tens, ones),
            _ => return None,
        };
        if !tens.is_ascii_digit() || !ones.is_ascii_digit() {
            return None;
        }
        exponent += sign * (i32::from(tens - b'0') * 10 + i32::from(ones - b'0'));
        at += 4;
    }
    if !matches!(bytes.get(at), Some(b' ' | b'\n')) {
        return None;
    }
    let power = *POWERS.get(exponent.unsigned_abs() as usize)?;
    let whole = whole as f64;
    let value = if exponent < 0 {
        whole / power
    } else {
        whole * power
    };
    Some((if negative { -value } else { value }, at))
}

/// A value: Go's `ParseFloat` without hexadecimal and `_`, which Prometheus refuses.
pub(super) fn number(text: &[u8]) -> Result<f64, Reason> {
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

/// A value as Prometheus' API prints it: the shortest digits that read back as the same number, with an exponent when
/// it is very large or very small.
pub fn printed(value: f64) -> String {
    let plain = value == 0.0 || (1e-6..1e21).contains(&value.abs());
    match value {
        value if value.is_nan() => "NaN".to_owned(),
        f64::INFINITY => "+Inf".to_owned(),
        f64::NEG_INFINITY => "-Inf".to_owned(),
        value if plain => value.to_string(),
        value => {
            // `1e21` and `4e-7`: Go signs an exponent and gives it two digits.
            let text = format!("{value:e}");
            let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
            let (sign, exponent) = match exponent.strip_prefix('-') {
                Some(exponent) => ('-', exponent),
                None => ('+', exponent),
            };
            format!("{digits}e{sign}{exponent:0>2}")
        }
    }
}
