//! What goes over the control socket: one JSON object a line, each way.
//!
//! A client sends a [`Request`], the engine sends one [`Answer`] for each line that it gets, in the same order. Members
//! that a reader does not know are ignored; a request of a later version is refused with a sentence. A line is at most
//! [`MAX_LINE`] bytes. Names are those of the profile; what has a unit is text, as a profile writes it, and a sign makes
//! it relative to what is asked for now.
//!
//! ```text
//! → {"v":1,"id":7,"by":"ops@bastion","do":"rate","scenario":"shoppers","to":"300/s"}
//! ← {"v":1,"id":7,"ok":true,"said":"shoppers: 300/s until the next phase begins"}
//! → {"v":1,"id":8,"by":"ops@bastion","do":"rate","scenario":"shopers","to":"+10%"}
//! ← {"v":1,"id":8,"ok":false,"error":"there is no scenario `shopers`; did you mean `shoppers`?"}
//!
//! {"do":"start","scenario":"shoppers"}           {"do":"stop","scenario":"shoppers"}
//! {"do":"rate","scenario":"shoppers","to":"-50/s"}   {"do":"users","scenario":"writers","to":"500"}
//! {"do":"load","to":"2x"}                        {"do":"load","to":"+10%"}
//! {"do":"spike","to":"toggle"}                   {"do":"hold","to":"on"}
//! {"do":"next"}                                  {"do":"jump","phase":"spike"}      by name, or by number from 1
//! {"do":"extend","for":"5m"}                     {"do":"mark","text":"pool grew"}
//! {"do":"fault","fault":"slow database","to":"on"}   {"do":"fault","fault":"slow database","to":"on","force":true}
//! {"do":"clear_all"}
//! {"do":"sign_off","decision":"no-go","text":"the spike broke it"}
//! {"do":"end"}                                   {"do":"abort","text":"wrong environment"}
//! {"do":"pin","expr":"rate(http_requests_total[1m])"}    {"do":"series","text":"cpu idle"}
//! {"do":"gauges","target":"shop"}                {"do":"status"}
//! {"do":"hello"}
//! ```
//!
//! The answer to `status` also has a member `status`, a [`Status`], the one to `series` a member `series`, names of
//! scraped series that hold these words. `series`, `status` and `hello` change nothing and leave no trace; everything else that the engine agrees to becomes an event of the session, with `by`.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::change::{Change, Users};
use crate::engine::command::Switch;
use crate::profile::units::{Factor, Rate, Span};
use crate::session::record::Decision;

/// The version of this protocol.
pub const VERSION: u32 = 1;

/// The longest line, bytes, its end included.
pub const MAX_LINE: usize = 64 << 10;

/// What a person may want of a running window. Scenarios, phases and faults go by their names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Wish {
    /// Let a scenario put load.
    Start {
        /// Its name.
        scenario: String,
    },
    /// Let a scenario put no load; what is in flight finishes.
    Stop {
        /// Its name.
        scenario: String,
    },
    /// Change the arrivals of an open scenario, until the next phase begins.
    Rate {
        /// Its name.
        scenario: String,
        /// Arrivals a second.
        to: Change<Rate>,
    },
    /// Change the users of a closed scenario, until the next phase begins.
    Users {
        /// Its name.
        scenario: String,
        /// How many.
        to: Change<Users>,
    },
    /// Change the load factor of every scenario that scales, until the next phase begins.
    Load {
        /// 1x is what the profile states.
        to: Change<Factor>,
    },
    /// The profile's spike factor, or back to the schedule.
    Spike {
        /// On or off.
        to: Switch,
    },
    /// Keep the current phase from ending, or let it go on.
    Hold {
        /// On or off.
        to: Switch,
    },
    /// End the current phase now.
    Next,
    /// End the current phase now and begin another.
    Jump {
        /// Its name, or its number from 1.
        phase: String,
    },
    /// Let the current phase last longer.
    Extend {
        /// By how much.
        #[serde(rename = "for", with = "span")]
        length: Span,
    },
    /// Put a note on the timeline.
    Mark {
        /// The note.
        text: String,
    },
    /// Break something, or bring it back.
    Fault {
        /// Its name.
        fault: String,
        /// On or off.
        to: Switch,
        /// Whether it goes in against a guard rail.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        force: bool,
    },
    /// Bring everything back that is broken.
    #[serde(rename = "clear_all", alias = "clear")]
    Clear,
    /// Sign the window off. The last signature counts.
    SignOff {
        /// Go or no-go.
        decision: Decision,
        /// Why.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        text: String,
    },
    /// End the window: start nothing more, wait for what is in flight, close the session.
    End {
        /// Why.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        text: String,
    },
    /// End the window without waiting for what is in flight.
    Abort {
        /// Why.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        text: String,
    },
    /// Show an expression over what is scraped as a gauge, from now on.
    Pin {
        /// The expression.
        expr: String,
    },
    /// Show the gauges that are shipped for what a target was recognized as.
    Gauges {
        /// Its name.
        target: String,
    },
    /// Ask which series are scraped. Changes nothing.
    Series {
        /// Words that their names hold, in any order.
        #[serde(default)]
        text: String,
    },
    /// Ask how the window stands. Changes nothing.
    Status,
    /// Ask whether somebody is there. Changes nothing.
    #[serde(alias = "ping")]
    Hello,
}

/// A line from a client.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// [`VERSION`].
    pub v: u32,
    /// Comes back in the answer.
    pub id: u64,
    /// Who asks: `user@host`, and ` from ADDRESS` over SSH. For the record: it proves nothing, since whoever may
    /// connect may write anything here.
    pub by: String,
    /// What for.
    #[serde(flatten)]
    pub wish: Wish,
}

/// A line from the engine.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Answer {
    /// [`VERSION`].
    pub v: u32,
    /// That of the request; absent when it could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<u64>,
    /// Whether it was done.
    pub ok: bool,
    /// What was done, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<String>,
    /// Why it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// How the window stands, where that was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// Names of scraped series, where they were asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub series: Vec<String>,
}

impl Answer {
    /// What was done.
    pub fn said(id: u64, said: impl Into<String>) -> Self {
        Self {
            v: VERSION,
            id: Some(id),
            ok: true,
            said: Some(said.into()),
            ..Self::default()
        }
    }

    /// Why nothing was done.
    pub fn error(id: Option<u64>, error: impl Into<String>) -> Self {
        Self {
            v: VERSION,
            id,
            error: Some(error.into()),
            ..Self::default()
        }
    }
}

/// How a window stands.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Status {
    /// µs since it began.
    pub at_us: u64,
    /// µs until it ends if nobody changes anything; absent while a phase is held, and where the work is fixed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_us: Option<u64>,
    /// Share of a fixed amount of work that is done; absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done: Option<f64>,
    /// Name of the phase.
    pub phase: String,
    /// The load factor asked for.
    pub factor: f64,
    /// Whether the phase is held.
    pub held: bool,
    /// Whether it only waits for what is in flight.
    pub ending: bool,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Whole seconds: nobody reads more of a window.
        let span = |us: u64| Span(Duration::from_secs(us / 1_000_000));
        let (at, factor) = (span(self.at_us), (self.factor * 100.0).round() / 100.0);
        write!(f, "{} at {factor}x, {at} in", self.phase)?;
        match (self.left_us, self.done) {
            _ if self.ending => f.write_str(", waiting for what is in flight"),
            (Some(left), _) => write!(f, ", {} left", span(left)),
            (None, Some(done)) => write!(f, ", {:.0}% done", (done * 100.0).floor()),
            (None, None) => f.write_str(", held"),
        }
    }
}

mod span {
    //! A length of time as text.

    use serde::{Deserialize, Deserializer, Serializer, de};

    use super::Span;

    #[allow(
        clippy::trivially_copy_pass_by_ref,
        reason = "the signature that serde asks for"
    )]
    pub fn serialize<S: Serializer>(span: &Span, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(span)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Span, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of the page above are the protocol.
    #[test]
    fn the_examples_in_the_documentation_are_read_and_written_back() {
        let page = include_str!("protocol.rs");
        let page = page.split("use std::fmt").next().unwrap();
        let mut seen = 0;
        for example in page.split_inclusive('}').filter_map(|part| {
            let example = &part[part.find('{')?..];
            example.contains("\"do\":").then_some(example)
        }) {
            let wish: Wish = serde_json::from_str(example).unwrap();
            assert_eq!(
                serde_json::from_str::<Wish>(&serde_json::to_string(&wish).unwrap()).unwrap(),
                wish
            );
            seen += 1;
        }
        assert_eq!(seen, 25);
    }

    #[test]
    fn a_request_is_one_flat_object() {
        let request = Request {
            v: VERSION,
            id: 7,
            by: "ops@bastion".into(),
            wish: Wish::Rate {
                scenario: "shoppers".into(),
                to: Change::To(Rate(300.0)),
            },
        };
        let text =
            r#"{"v":1,"id":7,"by":"ops@bastion","do":"rate","scenario":"shoppers","to":"300/s"}"#;
        assert_eq!(serde_json::to_string(&request).unwrap(), text);
        assert_eq!(serde_json::from_str::<Request>(text).unwrap(), request);
    }
}
