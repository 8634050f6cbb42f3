//! The records of a session, as plain data.
//!
//! One record is one JSON line. Members are short because a day has 86,400 ticks; each is explained here, and this
//! page is the format's reference. Times named `at` are µs since the window began, by a monotonic clock; times named
//! `wall` are µs since the Unix epoch, by the wall clock, and may step. Readers ignore members and kinds that they do
//! not know.

mod happening;
mod plan;
mod scrape;
mod tick;

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, de};

pub use happening::{Decision, Effect, Event, FaultState, Happening, Ledger, Missing};
pub use plan::{
    FaultPlan, GatePlan, GaugePlan, ModelName, PhasePlan, ScenarioPlan, TargetPlan, Window,
};
pub use scrape::{Alert, AlertState, Instance, OF_SCRAPES, ScrapeTick};
pub use tick::{
    Bottleneck, ErrorKind, Exemplar, GeneratorTick, Sample, ScenarioState, ScenarioTick, StepTick,
    Tick,
};

/// The major version of the format. A reader refuses a higher one.
pub const VERSION: u32 = 1;

/// One entry of the session file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "k", rename_all = "snake_case")]
pub enum Record {
    /// Opens a frame and makes it stand alone.
    Key(Key),
    /// What is being run; follows the first key.
    Window(Box<Window>),
    /// What happened in one recording interval.
    Tick(Box<Tick>),
    /// Something happened at a moment: a phase began, someone acted, a gate failed.
    Event(Event),
    /// The first answer of a new kind of error.
    Sample(Sample),
    /// Ticks that are not in the file, and why.
    Gap(Gap),
    /// The window is over.
    End(End),
    /// A kind that a later version added.
    #[serde(other)]
    Unknown,
}

/// Opens a frame: with it, everything after it can be understood without anything before it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Key {
    /// Format version, [`VERSION`].
    pub v: u32,
    /// Number of this frame, from 0.
    pub frame: u64,
    /// The first tick that this frame can hold.
    pub tick: u64,
    /// µs since the window began.
    pub at: u64,
    /// Wall clock, µs since the Unix epoch.
    pub wall: u64,
    /// SHA-256 of the previous frame's uncompressed content, hexadecimal; empty in the first frame.
    pub prev: String,
    /// Names that the records of this frame refer to by index. Names are only ever appended.
    pub names: Names,
    /// The latest value of every series in `names.series`, `null` for one without a value now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub series: Vec<Option<Number>>,
}

/// Names by index.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Names {
    /// Scenarios.
    pub scenarios: Vec<String>,
    /// Steps: one entry for each step of each journey of each scenario.
    pub steps: Vec<StepName>,
    /// Phases.
    pub phases: Vec<String>,
    /// Series: values of gauges, and scraped series. A gauge that has one value without labels gives its series its own
    /// name, one that has several `name{label="value"}`; a scraped series is written as Prometheus writes it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub series: Vec<String>,
    /// Where each of `series` was scraped, as an index into `instances`; `null` for a gauge's, and for all beyond the end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scraped: Vec<Option<usize>>,
    /// What is scraped.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub instances: Vec<Instance>,
}

impl Names {
    /// Where a series was scraped; `None` for a gauge's.
    pub fn instance_of(&self, series: usize) -> Option<usize> {
        self.scraped.get(series).copied().flatten()
    }
}

/// The full name of a step.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StepName {
    /// Index of its scenario.
    pub scenario: usize,
    /// Its journey.
    pub journey: String,
    /// Its own name.
    pub step: String,
}

/// Ticks that are not in the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// First missing tick.
    pub from: u64,
    /// Last missing tick.
    pub to: u64,
    /// Why: `disk full`, `recorder fell behind`, `damaged`, `resumed after a crash`.
    pub why: String,
}

/// The window is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// µs since the window began.
    pub at: u64,
    /// Wall clock.
    pub wall: u64,
    /// Why.
    pub reason: EndReason,
    /// Ticks that could not be recorded.
    pub lost: u64,
}

/// Why a window ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// The schedule ran out.
    Finished,
    /// Someone stopped it, by command or signal.
    Stopped,
    /// A gate with `abort_after` failed too long, or someone asked for an end without waiting for what was in flight.
    Aborted,
}

/// A series value. JSON has no NaN and no infinities; they are written as the strings `"NaN"`, `"+Inf"`, `"-Inf"`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Number(pub f64);

impl Serialize for Number {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            v if v.is_nan() => serializer.serialize_str("NaN"),
            f64::INFINITY => serializer.serialize_str("+Inf"),
            f64::NEG_INFINITY => serializer.serialize_str("-Inf"),
            v => serializer.serialize_f64(v),
        }
    }
}

impl<'de> Deserialize<'de> for Number {
    // By hand, because an untagged enum is parsed through a copy of its content, and a tick has hundreds of these.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Number;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, \"NaN\", \"+Inf\" or \"-Inf\"")
            }
            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Number, E> {
                Ok(Number(value))
            }
            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Number, E> {
                Ok(Number(value as f64))
            }
            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Number, E> {
                Ok(Number(value as f64))
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Number, E> {
                match text {
                    "NaN" => Ok(Number(f64::NAN)),
                    "+Inf" => Ok(Number(f64::INFINITY)),
                    "-Inf" => Ok(Number(f64::NEG_INFINITY)),
                    other => Err(E::custom(format!("`{other}` is not a number"))),
                }
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}
