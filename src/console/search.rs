//! Names found by what is typed of them, the best first.
//!
//! In: names, and words of which each must be found in a name, its letters in order, whatever lies
//! between them. Out:
//! places in the list. The invariant: nothing typed finds everything, in its own order.

use frizbee::{Config, Matcher};

/// The places of at most `most` names that contain what was typed, the best first.
pub fn find(names: &[&str], typed: &str, most: usize) -> Vec<usize> {
    if typed.trim().is_empty() {
        return (0..names.len().min(most)).collect();
    }
    let typed = typed.to_lowercase();
    let found = Matcher::from_query(&typed, &Config::default()).match_list(names);
    let places = found.iter().map(|found| found.index as usize);
    places.take(most).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 4] = [
        r#"go_goroutines{instance="a:1",job="shop"}"#,
        r#"process_resident_memory_bytes{instance="a:1",job="shop"}"#,
        r#"process_resident_memory_bytes{instance="b:1",job="shop"}"#,
        r#"http_requests_total{instance="a:1",job="shop"}"#,
    ];

    #[test]
    fn words_are_found_in_any_order_with_letters_left_out() {
        assert_eq!(find(&NAMES, "", 9), [0, 1, 2, 3]);
        assert_eq!(find(&NAMES, " ", 2), [0, 1]);
        assert_eq!(find(&NAMES, "b:1 prcmem", 9)[0], 2);
        assert_eq!(find(&NAMES, "REQ", 9), [3]);
        assert_eq!(find(&NAMES, "goroutinez", 9), [0; 0]);
    }
}
