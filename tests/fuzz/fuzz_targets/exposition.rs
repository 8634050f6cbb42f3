//! Any bytes are an exposition or what is wrong with one, in either format, and a cache that knows a body reads it as
//! one that does not.

#![no_main]

use libfuzzer_sys::fuzz_target;
use stormdeck::scrape::Labels;
use stormdeck::scrape::exposition::cache::{Cache, Scraped};
use stormdeck::scrape::exposition::{Entry, Format, labels, pairs, parse};

fuzz_target!(|bodies: (&[u8], &[u8])| {
    for format in [Format::Text, Format::OpenMetrics] {
        for entry in parse(bodies.0, format) {
            match entry {
                Entry::Sample(sample) => {
                    assert!(!labels(sample.series).name().is_empty());
                    if let Some(exemplar) = sample.exemplar {
                        let _ = Labels::new(pairs(exemplar.labels));
                    }
                }
                Entry::Bad(bad) => assert!(!bad.to_string().contains('\n')),
                Entry::Meta(_) => {}
            }
        }
        let once = scrapes(&[bodies.0], format);
        assert_eq!(once, scrapes(&[bodies.0, bodies.0], format));
        assert_eq!(once, scrapes(&[bodies.0, bodies.1, bodies.0], format));
    }
});

/// All that the last of these bodies says.
fn scrapes(bodies: &[&[u8]], format: Format) -> String {
    let (mut cache, mut out, mut known) = (Cache::new(), Scraped::default(), Vec::<Labels>::new());
    for body in bodies {
        cache.scrape(body, format, 0, &mut out, |labels| {
            let place = known.iter().position(|other| *other == labels);
            known.push(labels);
            Some(place.unwrap_or(known.len() - 1) as u32)
        });
    }
    let name = |id: u32| known[id as usize].to_string();
    let points = out.points.iter();
    let points: Vec<_> = points
        .map(|it| (name(it.id), it.value.to_bits(), it.ts_ms))
        .collect();
    let exemplars = out.exemplars.iter();
    let exemplars: Vec<_> = exemplars
        .map(|it| (name(it.id), it.labels.to_string(), it.value.to_bits()))
        .collect();
    format!(
        "{points:?} {exemplars:?} {:?} {} {:?}",
        out.bad, out.samples, out.failed
    )
}
