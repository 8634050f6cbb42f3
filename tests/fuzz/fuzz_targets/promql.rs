//! Any text is an expression or refused with a place that can be shown, and an expression has a value or an error at any
//! moment.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use stormdeck::scrape::promql::Query;
use stormdeck::scrape::store::STALE;
use stormdeck::scrape::{Labels, Store};

static STORE: LazyLock<Store> = LazyLock::new(|| {
    let mut store = Store::new(1_000_000);
    for (name, a) in [("x", "1"), ("x", "2"), ("y", "1"), ("y_bucket", "3")] {
        let id = store.id(&Labels::new([("__name__", name), ("a", a), ("le", a)]));
        for at in 0..20_u32 {
            let value = match at % 7 {
                3 => f64::NAN,
                5 => f64::INFINITY,
                6 if name == "y" => STALE,
                _ => f64::from(at * 31 % 11),
            };
            store.append(id, i64::from(at) * 15_000, value);
        }
    }
    store
});

fuzz_target!(|input: (i64, &str)| {
    let (at, text) = input;
    match Query::parse(text) {
        Ok(query) => {
            for at in [at, at.rem_euclid(300_000)] {
                let _ = query.eval(&STORE, at);
            }
        }
        Err(refused) => assert!(refused.span.is_none_or(|span| text.get(span).is_some())),
    }
});
