//! Whether the generator kept up, in a sentence.

use std::collections::BTreeMap;

use crate::history::History;
use crate::session::record::Bottleneck;

use super::format;
use super::gates::TOLERATED;

/// The generator's judgement on itself.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct GeneratorJudgement {
    /// Whether the latencies are about the system: it was the bottleneck in no more than a small share of the ticks.
    pub ok: bool,
    /// The share of ticks in which it was the bottleneck.
    pub share: f64,
    /// The share by cause, largest first; a tick may have several.
    pub causes: Vec<(Bottleneck, f64)>,
    /// All of that for people.
    pub sentence: String,
}

/// Judges the whole window. Without a tick it is not ok.
pub fn judge_generator(history: &History) -> GeneratorJudgement {
    let generator = history.generator();
    if generator.ticks == 0 {
        return GeneratorJudgement {
            sentence: "nothing is known of the generator: no tick was recorded".into(),
            ..GeneratorJudgement::default()
        };
    }
    let ticks = generator.ticks as f64;
    let share = generator.bottleneck_ticks as f64 / ticks;
    let mut causes: Vec<(Bottleneck, f64)> = generator
        .causes
        .iter()
        .map(|(&cause, &count)| (cause, count as f64 / ticks))
        .collect();
    causes.sort_by(|a, b| b.1.total_cmp(&a.1));
    let late = generator.late();
    let mut facts = Vec::new();
    if !late.is_empty() {
        let p99 = format::duration_short(late.quantile(0.99) as f64);
        facts.push(format!("sent within {p99} of due at p99"));
    }
    let cpu = format::percent(generator.peak.worker_cpu);
    facts.push(format!("busiest worker at {cpu} of a core"));
    let facts = facts.join(", ");
    let sentence = if generator.bottleneck_ticks == 0 {
        format!("it kept up: {facts}")
    } else {
        let why = causes_sentence(&generator.causes);
        let often = format::percent(share);
        if share > TOLERATED {
            format!("it was the bottleneck in {often} of the ticks: {why} ({facts})")
        } else {
            format!("it kept up but for {often} of the ticks: {why} ({facts})")
        }
    };
    GeneratorJudgement {
        ok: share <= TOLERATED,
        share,
        causes,
        sentence,
    }
}

/// The causes in words, most frequent first.
pub(super) fn causes_sentence(causes: &BTreeMap<Bottleneck, u64>) -> String {
    let mut causes: Vec<_> = causes.iter().collect();
    causes.sort_by(|a, b| b.1.cmp(a.1));
    let words: Vec<&str> = causes
        .iter()
        .map(|&(&cause, _)| cause_words(cause))
        .collect();
    words.join(", ")
}

/// One cause in words.
pub fn cause_words(cause: Bottleneck) -> &'static str {
    match cause {
        Bottleneck::SentLate => "requests left late",
        Bottleneck::Cpu => "a worker thread was saturated",
        Bottleneck::Files => "the limit on open files was reached",
        Bottleneck::FellBehind => "fewer arrivals were taken up than were due",
        Bottleneck::Stalled => "a worker did not report in time",
    }
}
