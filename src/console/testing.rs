//! A window for the tests of the console: a release window of a shop, with a spike that hurts, a fault, marks, gauges and
//! a hand on the load. What is scraped beside it is in [`scraped`]. The same records every time.

mod scraped;

use std::path::PathBuf;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier};

use super::keymap::Keymap;
use super::model::{Deck, Kind, Model, Overview, Ui};
use super::panel::{Draw, Scene};
use super::theme::Theme;
use crate::history::History;
use crate::session::hist::Hist;
use crate::session::record::{
    ErrorKind, Event, Exemplar, GatePlan, GaugePlan, GeneratorTick, Happening, Key, ModelName,
    Names, Number, PhasePlan, Record, Sample, ScenarioPlan, ScenarioState, ScenarioTick, StepName,
    StepTick, Tick, VERSION, Window,
};

/// 2026-11-03 14:00:00 UTC, µs.
pub(crate) const BEGAN: u64 = 1_793_714_400_000_000;
const SECOND: u64 = 1_000_000;

/// Name, length in seconds, load.
const PHASES: [(&str, u64, f64); 5] = [
    ("steady", 300, 1.0),
    ("2x", 300, 2.0),
    ("spike", 120, 10.0),
    ("failover", 300, 1.0),
    ("cool", 180, 0.5),
];

/// Scenario, journey, step, mean of its times in µs, share of the scenario's arrivals.
const STEPS: [(usize, &str, &str, f64, f64); 6] = [
    (0, "browse", "home", 2_000.0, 0.8),
    (0, "browse", "search", 9_000.0, 0.8),
    (0, "buy", "login", 6_000.0, 0.2),
    (0, "buy", "pay", 22_000.0, 0.2),
    (1, "write", "post", 12_000.0, 1.0),
    (1, "write", "tag \u{1b}[31m größe", 4_000.0, 0.5),
];

/// Makes the records of so many seconds of the window.
pub(crate) fn records(seconds: u64) -> Vec<Record> {
    let mut random = Random(42);
    let mut records = vec![Record::Key(key()), Record::Window(Box::new(plan()))];
    for n in 1..=seconds {
        let (phase, since) = phase_at(n - 1);
        if since == 0 {
            records.push(event(n - 1, None, Happening::Phase { phase }));
        }
        for (at, by, what) in happenings() {
            if at == n {
                records.push(event(n, by, what));
            }
        }
        records.push(Record::Tick(Box::new(tick(n, &mut random))));
        if n == 640 {
            records.push(Record::Sample(Sample {
                at: n * SECOND,
                step: 3,
                kind: ErrorKind::Status5xx,
                status: Some(503),
                detail: "the status is 503".into(),
                body: "{\"error\":\"no connection left in the pool\"}\n".into(),
            }));
        }
    }
    records
}

/// The fold of so many seconds.
pub(crate) fn history(seconds: u64) -> History {
    let mut history = History::new();
    for record in records(seconds) {
        history.apply(&record);
    }
    history
}

/// A console that watches the window live, so many seconds after it began.
pub(crate) fn model(seconds: u64) -> Model {
    Model {
        decks: vec![Deck {
            session: PathBuf::from("/var/lib/stormdeck/20261103-140000-checkout-4-2.jsonl.zst"),
            kind: Kind::Live,
            live: history(seconds),
            past: None,
            offset: 0,
            overview: Overview::default(),
            log: std::collections::VecDeque::new(),
            broken: None,
        }],
        ui: Ui::default(),
        theme: Theme::default(),
        keymap: Keymap::default(),
    }
}

/// A panel of this size as text and styles.
pub(crate) fn drawn(model: &Model, draw: Draw, width: u16, height: u16) -> String {
    let area = Rect::new(0, 0, width, height);
    let mut buffer = Buffer::empty(area);
    let deck = &model.decks[0];
    let scene = Scene {
        deck,
        history: deck.shown(),
        ui: &model.ui,
        theme: &model.theme,
        keymap: &model.keymap,
    };
    draw(&scene, area, &mut buffer);
    dump(&buffer)
}

const LETTERS: &[u8; 52] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// The text of a buffer, and below it, line for line, a letter for the style of each cell with what the letters mean.
pub(crate) fn dump(buffer: &Buffer) -> String {
    let mut styles: Vec<String> = Vec::new();
    let (mut text, mut map) = (String::new(), String::new());
    for y in 0..buffer.area.height {
        let (mut line, mut letters) = (String::new(), String::new());
        for x in 0..buffer.area.width {
            let cell = &buffer[(x, y)];
            line.push_str(cell.symbol());
            let style = name(cell.fg, cell.bg, cell.modifier);
            letters.push(if style.is_empty() {
                ' '
            } else {
                let place = styles.iter().position(|known| *known == style);
                let place = place.unwrap_or_else(|| {
                    styles.push(style);
                    styles.len() - 1
                });
                char::from(LETTERS[place % LETTERS.len()])
            });
        }
        text += line.trim_end();
        text.push('\n');
        map += letters.trim_end();
        map.push('\n');
    }
    let letter = |place: usize| char::from(LETTERS[place % LETTERS.len()]);
    let legend = styles.iter().enumerate();
    let legend: Vec<String> = legend
        .map(|(place, style)| format!("{} {style}\n", letter(place)))
        .collect();
    let legend = legend.concat();
    format!("{text}--- styles\n{map}---\n{legend}")
}

fn name(fg: Color, bg: Color, modifier: Modifier) -> String {
    let mut words = Vec::new();
    if fg != Color::Reset {
        words.push(fg.to_string());
    }
    if bg != Color::Reset {
        words.push(format!("on {bg}"));
    }
    words.extend(modifier.iter_names().map(|(name, _)| name.to_lowercase()));
    words.join(" ")
}

/// splitmix64.
struct Random(u64);

impl Random {
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}

fn key() -> Key {
    Key {
        v: VERSION,
        tick: 1,
        wall: BEGAN,
        names: Names {
            scenarios: vec!["shoppers".into(), "writers".into()],
            steps: STEPS
                .iter()
                .map(|&(scenario, journey, step, ..)| StepName {
                    scenario,
                    journey: journey.into(),
                    step: step.into(),
                })
                .collect(),
            phases: PHASES.iter().map(|phase| phase.0.into()).collect(),
            series: scraped::series(),
            scraped: scraped::scraped(),
            instances: scraped::instances(),
        },
        ..Key::default()
    }
}

fn gauges() -> Vec<GaugePlan> {
    let gauge = |name: &str, unit: &str, warn: Option<&str>| GaugePlan {
        name: name.into(),
        unit: unit.into(),
        warn: warn.map(Into::into),
        ..GaugePlan::default()
    };
    vec![
        gauge("shop cpu", "ratio", Some("> 80%")),
        gauge("shop memory", "bytes", Some("> 400MiB")),
        gauge("pg connections", "count", None),
        gauge("queue depth", "count", Some("> 500")),
        gauge("worker cpu", "ratio", Some("> 80%")),
        gauge("replica lag", "seconds", None),
    ]
}

fn plan() -> Window {
    let gate = |name: &str, of: &str, expect: &str, severity: &str| GatePlan {
        name: name.into(),
        of: of.into(),
        expect: expect.into(),
        severity: severity.into(),
        over_us: 10 * SECOND,
        ..GatePlan::default()
    };
    Window {
        name: "checkout 4.2".into(),
        about: "release window: steady, 2x, spike, failover".into(),
        environment: Some("staging".into()),
        runbook: Some("https://runbooks.example.com/checkout".into()),
        seed: 42,
        wall: BEGAN,
        tick_us: SECOND,
        time_scale: 1.0,
        by: "ops@bastion".into(),
        workers: 2,
        profile: "checkout.toml".into(),
        phases: PHASES
            .iter()
            .map(|&(name, seconds, load)| PhasePlan {
                name: name.into(),
                length_us: seconds * SECOND,
                load,
                ..PhasePlan::default()
            })
            .collect(),
        scenarios: vec![
            ScenarioPlan {
                name: "shoppers".into(),
                key: Some('s'),
                target: "http://127.0.0.1:8080".into(),
                model: ModelName::Open,
                amount: 200.0,
            },
            ScenarioPlan {
                name: "writers".into(),
                key: Some('w'),
                target: "http://127.0.0.1:8080".into(),
                model: ModelName::Closed,
                amount: 50.0,
            },
        ],
        gates: vec![
            gate("pay stays fast", "pay", "p99 < 150ms", "blocker"),
            gate("errors < 2%", "", "errors < 2%", "blocker"),
            gate("home stays quick", "home", "p50 < 20ms", "advisory"),
            gate("enough traffic", "shoppers", "rate > 50/s", "advisory"),
        ],
        gauges: gauges(),
        targets: scraped::targets(),
        ..Window::default()
    }
}

/// The phase at a second since the beginning, and how long it has lasted.
fn phase_at(second: u64) -> (usize, u64) {
    let mut begin = 0;
    for (index, &(_, seconds, _)) in PHASES.iter().enumerate() {
        if second < begin + seconds || index == PHASES.len() - 1 {
            return (index, second - begin);
        }
        begin += seconds;
    }
    (0, second)
}

fn happenings() -> Vec<(u64, Option<&'static str>, Happening)> {
    let ops = Some("ops@bastion");
    let mut happenings = scraped::happenings();
    happenings.extend(vec![
        (
            120,
            ops,
            Happening::Mark {
                text: "cache warm".into(),
            },
        ),
        (
            400,
            Some("mia@laptop from 10.0.0.7"),
            Happening::Load {
                scenario: Some(0),
                factor: 450.0,
            },
        ),
        (
            612,
            None,
            Happening::Gate {
                gate: 1,
                holds: false,
                value: "3.1%".into(),
            },
        ),
        (
            615,
            None,
            Happening::Gate {
                gate: 0,
                holds: false,
                value: "410ms".into(),
            },
        ),
        (
            640,
            ops,
            Happening::Mark {
                text: "pool grew to 40".into(),
            },
        ),
        (
            728,
            None,
            Happening::Gate {
                gate: 1,
                holds: true,
                value: "0.4%".into(),
            },
        ),
        (
            730,
            None,
            Happening::Gate {
                gate: 0,
                holds: true,
                value: "61ms".into(),
            },
        ),
        (760, ops, Happening::Hold { on: true }),
        (790, ops, Happening::Hold { on: false }),
    ]);
    happenings.sort_by_key(|happening| happening.0);
    happenings
}

fn event(second: u64, by: Option<&str>, what: Happening) -> Record {
    Record::Event(Event {
        at: second * SECOND,
        wall: BEGAN + second * SECOND,
        by: by.map(Into::into),
        what,
    })
}

fn tick(n: u64, random: &mut Random) -> Tick {
    let (phase, since) = phase_at(n - 1);
    let load = PHASES[phase].2;
    let hurt = phase == 2 && since > 8;
    let amounts = [200.0 * load, 50.0];
    let steps = (0..STEPS.len()).map(|step| step_tick(step, amounts, hurt, random));
    let steps: Vec<StepTick> = steps.collect();
    let scenario = |index: usize, asked: f64| {
        let done = steps
            .iter()
            .filter(|step| STEPS[step.step].0 == index)
            .map(|step| step.requests)
            .max()
            .unwrap_or(0);
        ScenarioTick {
            state: ScenarioState::Running,
            asked,
            due: asked as u64,
            begun: done,
            finished: done,
            dropped: if hurt && index == 0 { 37 } else { 0 },
            in_flight: (asked * if hurt { 0.4 } else { 0.03 }) as u64,
            users: if index == 1 { 50 } else { 0 },
            connections: 60,
            by_hand: index == 0 && (400..600).contains(&n),
        }
    };
    let mut late = Hist::new();
    (0..20).for_each(|_| late.record((10.0 + random.unit() * 60.0) as u64));
    Tick {
        n,
        at: n * SECOND,
        wall: BEGAN + n * SECOND,
        phase: Some(phase),
        load,
        scenarios: vec![scenario(0, amounts[0]), scenario(1, amounts[1])],
        generator: GeneratorTick {
            late,
            lag_us: 180,
            cpu: 0.12 * load,
            worker_cpu: 0.07 * load,
            recorder_cpu: 0.002,
            rss: 48_000_000,
            files: 160,
            files_max: 20_000,
            due: amounts[0] as u64,
            begun: amounts[0] as u64,
            bottleneck: Vec::new(),
        },
        slow: vec![Exemplar {
            step: 3,
            at: n * SECOND - 400_000,
            trace: Some("4bf92f3577b34da6a3ce929d0e0e4736".into()),
            status: Some(if hurt { 503 } else { 200 }),
            error: hurt.then_some(ErrorKind::Status5xx),
            response: if hurt {
                900_000 + n * 17
            } else {
                90_000 + n * 13
            },
            split: [1_200, 0, 0, if hurt { 880_000 } else { 80_000 }, 9_000],
        }],
        scrapes: scraped::scrapes(n, load),
        gauged: Some(n * SECOND),
        series: vec![
            (
                0,
                Some(Number((0.08 * load + random.unit() * 0.05).min(0.97))),
            ),
            (1, Some(Number(3.2e8 + n as f64 * 1.1e5))),
            (2, Some(Number((20.0 + 6.0 * load).round()))),
            (
                3,
                (n != 500).then_some(Number(if hurt {
                    1_200.0
                } else {
                    (random.unit() * 9.0).floor()
                })),
            ),
        ]
        .into_iter()
        .chain(scraped::gauges(n, load))
        .collect(),
        steps,
    }
}

fn step_tick(step: usize, amounts: [f64; 2], hurt: bool, random: &mut Random) -> StepTick {
    let (scenario, _, _, mean, share) = STEPS[step];
    let requests = (amounts[scenario] * share * (0.95 + random.unit() * 0.1)) as u64;
    let (mut response, mut service) = (Hist::new(), Hist::new());
    for _ in 0..requests {
        let own = mean * 0.3 - (1.0 - random.unit()).ln() * mean * 0.7;
        let queued = if hurt { random.unit() * 400_000.0 } else { 0.0 };
        response.record((own + queued) as u64);
        service.record(own as u64);
    }
    let failed = if hurt { requests / 25 } else { requests / 900 };
    let timeouts = if hurt { failed / 4 } else { 0 };
    let q = [0.5, 0.9, 0.99].map(|q| response.quantile(q));
    StepTick {
        step,
        requests,
        errors: [
            (ErrorKind::Timeout, timeouts),
            (ErrorKind::Status5xx, failed - timeouts),
        ]
        .into_iter()
        .filter(|&(_, count)| count > 0)
        .collect(),
        status: [(200, requests - failed), (503, failed - timeouts)]
            .into_iter()
            .filter(|&(_, count)| count > 0)
            .collect(),
        bytes_in: requests * 900,
        bytes_out: requests * 120,
        q: [q[0], q[1], q[2], response.max()],
        service: hurt.then_some(service),
        response,
    }
}

mod tests {
    use super::*;

    #[test]
    fn a_dump_tells_styles_apart() {
        let draw: Draw = |scene, area, buffer| {
            buffer.set_string(area.x, area.y, "ok", scene.theme.good);
            buffer.set_string(area.x + 3, area.y, "no", scene.theme.bad);
        };
        let expected = "ok no\n--- styles\naa bb\n---\na 71\nb 203 bold\n";
        assert_eq!(drawn(&model(2), draw, 6, 1), expected);
    }

    #[test]
    fn the_window_of_the_tests_makes_sense() {
        let history = history(700);
        assert_eq!(history.ignored(), 0);
        assert_eq!(history.last().unwrap().phase, Some(2));
        assert!(history.events_seen() > 6);
    }
}
