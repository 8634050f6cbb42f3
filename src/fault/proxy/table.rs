//! Which faults are on at a proxy, and what that means for one connection.
//!
//! In: the toxics of the faults that are on, in the order of the profile. Out: the stages of both directions, a fuse, and
//! rules for requests. Pure but for the counts.

use std::rc::Rc;
use std::sync::Arc;

use super::chance::{Dice, hits};
use super::counts::{Counts, Touch};
use super::http::Rule;
use super::stage::{Key, Stage, Work, nanos};
use crate::profile::model::{Down, Toxic, ToxicKind};

/// A fault that is on.
#[derive(Debug, Clone)]
pub(super) struct Active {
    /// By index in the profile.
    pub fault: usize,
    /// Number of the injection.
    pub epoch: u64,
    /// When it was put in.
    pub since: u64,
    pub toxics: Rc<[Toxic]>,
    pub counts: Arc<Counts>,
}

/// Whether a kind is about requests, not connections.
pub(super) fn is_http(kind: &ToxicKind) -> bool {
    match kind {
        ToxicKind::HttpStatus { .. } | ToxicKind::HttpDelay { .. } => true,
        ToxicKind::Latency { .. }
        | ToxicKind::Bandwidth { .. }
        | ToxicKind::SlowClose { .. }
        | ToxicKind::Timeout { .. }
        | ToxicKind::ResetPeer { .. }
        | ToxicKind::Slicer { .. }
        | ToxicKind::LimitData { .. }
        | ToxicKind::Down(_) => false,
    }
}

impl Active {
    /// Whether it counts requests: nothing it does is about connections.
    pub fn counts_requests(&self) -> bool {
        self.toxics.iter().all(|toxic| is_http(&toxic.kind))
    }
}

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// With a FIN on both sides.
    Close,
    /// With a RST on both sides.
    Reset,
}

/// The end of a connection at a moment.
#[derive(Debug)]
pub(super) struct Fuse {
    pub at: u64,
    pub end: End,
    pub touch: Rc<Touch>,
}

/// What the faults that are on mean for one connection.
#[derive(Debug, Default)]
pub(super) struct Course {
    /// Stages from client to server, and back.
    pub up: Vec<Stage>,
    pub down: Vec<Stage>,
    /// The first end that is set.
    pub fuse: Option<Fuse>,
    /// The upstream is not even dialled.
    pub hangs: bool,
    pub rules: Vec<Rule>,
}

/// A connection, as far as toxics are concerned.
#[derive(Debug, Clone, Copy)]
pub(super) struct Who {
    pub seed: u64,
    pub connection: u64,
    /// When it was accepted.
    pub since: u64,
}

impl Course {
    /// For one connection, which has these touches for faults already.
    pub fn plot(table: &[Active], who: Who, touches: &[(usize, u64, Rc<Touch>)]) -> Self {
        let mut course = Self::default();
        for active in table {
            let known = touches
                .iter()
                .find(|(fault, epoch, _)| *fault == active.fault && *epoch == active.epoch);
            let Some((_, _, touch)) = known else { continue };
            let counts_requests = active.counts_requests();
            for (index, toxic) in active.toxics.iter().enumerate() {
                let key = Key {
                    fault: active.fault,
                    toxic: index,
                    epoch: active.epoch,
                };
                let toxicity = toxic.toxicity.0;
                if is_http(&toxic.kind) {
                    course
                        .rules
                        .extend(Rule::of(key, toxic, touch, counts_requests));
                } else if hits(who.seed, who.connection, active.fault, toxicity) {
                    course.add(key, toxic, active.since.max(who.since), who, touch);
                }
            }
        }
        course
    }

    /// Adds a toxic that hits the connection, and does since a moment.
    fn add(&mut self, key: Key, toxic: &Toxic, since: u64, who: Who, touch: &Rc<Touch>) {
        let work = match &toxic.kind {
            ToxicKind::Latency { latency, jitter } => Work::Delay {
                latency: nanos(*latency),
                jitter: nanos(*jitter),
            },
            ToxicKind::Bandwidth { rate } => Work::Pace { rate: *rate },
            ToxicKind::SlowClose { delay } => Work::SlowClose {
                delay: nanos(*delay),
            },
            ToxicKind::Slicer {
                average_size,
                size_variation,
                delay,
            } => Work::Slice {
                average: *average_size,
                variation: *size_variation,
                delay: nanos(*delay),
            },
            ToxicKind::LimitData { bytes } => Work::Limit { bytes: *bytes },
            ToxicKind::Timeout { timeout } => {
                if !timeout.is_zero() {
                    self.light(since.saturating_add(nanos(*timeout)), End::Close, touch);
                }
                Work::Hole
            }
            ToxicKind::ResetPeer { timeout } => {
                return self.light(since.saturating_add(nanos(*timeout)), End::Reset, touch);
            }
            ToxicKind::Down(Down::Refuse | Down::Reset) => {
                return self.light(0, End::Reset, touch);
            }
            ToxicKind::Down(Down::Hang) => {
                self.hangs = true;
                self.stage(key, Work::Hole, true, who, touch);
                return self.stage(key, Work::Hole, false, who, touch);
            }
            ToxicKind::Down(Down::Drain)
            | ToxicKind::HttpStatus { .. }
            | ToxicKind::HttpDelay { .. } => return,
        };
        self.stage(key, work, toxic.upstream, who, touch);
    }

    fn stage(&mut self, key: Key, work: Work, upstream: bool, who: Who, touch: &Rc<Touch>) {
        let dice = Dice::new(who.seed, who.connection, key.fault, key.toxic);
        let stages = if upstream {
            &mut self.up
        } else {
            &mut self.down
        };
        let counts = stages.iter().all(|stage| stage.key.fault != key.fault);
        stages.push(Stage::new(key, work, dice, Rc::clone(touch), counts));
    }

    fn light(&mut self, at: u64, end: End, touch: &Rc<Touch>) {
        if self.fuse.as_ref().is_none_or(|fuse| at < fuse.at) {
            self.fuse = Some(Fuse {
                at,
                end,
                touch: Rc::clone(touch),
            });
        }
    }
}
