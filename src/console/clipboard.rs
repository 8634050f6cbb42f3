//! Text to the clipboard of the terminal that the operator sits at, through however many hops.
//!
//! In: text. Out: the bytes of an OSC 52 sequence. The invariant: nothing is sent that a terminal would cut. Whether
//! it took the text, no terminal says.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

/// The longest text that is copied, bytes. Terminals take up to 100,000 bytes of base64; xterm and tmux no more than 74,994 of text.
pub const LONGEST: usize = 74_994;

/// Why nothing was copied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClipboardError {
    /// More than terminals take.
    #[error("{0} bytes are too many for the clipboard of a terminal, which takes {LONGEST}")]
    TooLong(usize),
    /// Nothing.
    #[error("there is nothing to copy")]
    Empty,
}

/// The bytes that put `text` on the clipboard. Inside tmux they go to tmux, which fills its own buffer and, with
/// `set-clipboard on`, the terminal's clipboard, and once more wrapped for the terminal outside, which tmux passes on
/// with `allow-passthrough on`.
///
/// # Errors
/// When there is nothing to copy, or too much.
pub fn osc52(text: &str, tmux: bool) -> Result<String, ClipboardError> {
    match text.len() {
        0 => return Err(ClipboardError::Empty),
        length if length > LONGEST => return Err(ClipboardError::TooLong(length)),
        _ => {}
    }
    let plain = format!("\x1b]52;c;{}\x07", BASE64_STANDARD.encode(text));
    if tmux {
        let wrapped = plain.replace('\x1b', "\x1b\x1b");
        return Ok(format!("{plain}\x1bPtmux;{wrapped}\x1b\\"));
    }
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_goes_out_as_base64_in_osc_52() {
        let bytes = osc52("p99 84ms", false);
        assert_eq!(bytes.as_deref(), Ok("\x1b]52;c;cDk5IDg0bXM=\x07"));
    }

    #[test]
    fn inside_tmux_it_goes_to_tmux_and_through_it() {
        let bytes = osc52("a", true);
        let plain = "\x1b]52;c;YQ==\x07";
        let expected = format!("{plain}\x1bPtmux;\x1b{plain}\x1b\\");
        assert_eq!(bytes, Ok(expected));
    }

    #[test]
    fn what_a_terminal_would_cut_is_refused_with_its_size() {
        let error = osc52(&"x".repeat(80_000), false).map_err(|error| error.to_string());
        let sentence =
            "80000 bytes are too many for the clipboard of a terminal, which takes 74994";
        assert_eq!(error, Err(sentence.to_owned()));
        assert_eq!(osc52("", false), Err(ClipboardError::Empty));
        assert!(osc52(&"x".repeat(LONGEST), false).is_ok());
    }
}
