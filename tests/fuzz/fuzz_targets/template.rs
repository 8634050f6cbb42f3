//! Arbitrary text as a template: it compiles and renders, or a sentence says why not; it never panics, hangs or
//! prints without end.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: (u64, &str)| {
    let (seed, text) = input;
    if let Ok(out) = stormdeck::load::journey::render_once(text, seed) {
        assert!(out.len() <= 3 << 20);
    }
});
