//! W3C trace context: the ids that tie a request to the traces of the system under load.

use hyper::header::HeaderValue;

use super::random::mix;

/// Header that carries the ids.
pub(super) const HEADER: &str = "traceparent";

/// Ids of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Trace {
    pub(super) id: u128,
    parent: u64,
}

impl Trace {
    /// The next ids of a stream, whose state moves on. Kept apart from the user's generator, so that tracing does not
    /// change the data that the templates draw.
    pub(super) fn next(state: &mut u64) -> Self {
        let mut word = || {
            *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            // All zeros is no valid id.
            mix(*state).max(1)
        };
        let id = (u128::from(word()) << 64) | u128::from(word());
        Self { id, parent: word() }
    }

    /// `00-<32 hex>-<16 hex>-01`: version 0, sampled. One allocation, the header's own.
    pub(super) fn header(self) -> HeaderValue {
        let mut text = *b"00-00000000000000000000000000000000-0000000000000000-01";
        hex(&mut text[3..35], self.id);
        hex(&mut text[36..52], u128::from(self.parent));
        HeaderValue::from_bytes(&text).unwrap_or(HeaderValue::from_static(""))
    }
}

fn hex(out: &mut [u8], mut value: u128) {
    for digit in out.iter_mut().rev() {
        *digit = b"0123456789abcdef"[(value & 15) as usize];
        value >>= 4;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_traceparent_has_the_w3c_form_and_holds_the_trace_id() {
        let mut state = 5;
        let trace = Trace::next(&mut state);
        let header = trace.header();
        let text = header.to_str().unwrap();
        assert_eq!(text.len(), 55);
        assert!(
            text.starts_with(&format!("00-{:032x}-", trace.id)),
            "{text}"
        );
        assert!(text.ends_with(&format!("-{:016x}-01", trace.parent)));
        assert_ne!(Trace::next(&mut state).id, trace.id);
    }
}
