//! The columns of the heat map, each added up once.
//!
//! In: a history, which steps, which axis. Out: what each column holds. Adding a hundred columns up means to unpack every
//! histogram of the span, and from one second to the next only the newest column changes; so what was added up is kept
//! while it is drawn. The invariant: nothing can be seen of that but the time it saves. A column is found again by what
//! went into it, never by its place on the screen.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use super::measured::Measured;
use crate::console::model::TimeKind;
use crate::console::widget::heat::Bins;
use crate::console::widget::{Axis, Column};
use crate::history::{Bucket, History, Slot};

/// Maps that are drawn before a column that none of them showed is forgotten: side by side there are two a frame.
const KEPT: u64 = 8;

/// A column: how long its requests took, and the phase at its end.
#[derive(Debug, Clone)]
pub struct Moment {
    /// Times by bin.
    pub times: Rc<Bins>,
    /// Index of the phase.
    pub phase: Option<usize>,
}

/// What went into a column.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
struct Parts {
    time: TimeKind,
    step: Option<usize>,
    phase: Option<usize>,
    from: u64,
    to: u64,
    /// Wall clock at its end, which tells recordings apart.
    wall: u64,
    ticks: u64,
    buckets: u64,
    requests: u64,
    bytes: u64,
}

/// Sums of columns, and which map showed each last.
#[derive(Default)]
struct Known {
    columns: HashMap<Parts, (Rc<Bins>, u64)>,
    map: u64,
}

thread_local! {
    static KNOWN: RefCell<Known> = RefCell::default();
}

/// The columns of a chart over this axis.
pub fn columns(history: &History, measured: &Measured, axis: &Axis) -> Vec<Column<Moment>> {
    let noted = axis.fold(history, |parts: &mut Parts, bucket| {
        parts.note(measured, bucket);
    });
    KNOWN.with_borrow_mut(|known| {
        known.map += 1;
        let mut moment = |parts: &Parts| Moment {
            times: known.times(history, measured, parts),
            phase: parts.phase,
        };
        let columns = noted
            .iter()
            .map(|column| column.and_then(|parts| Some(moment(parts))))
            .collect();
        known.forget();
        columns
    })
}

impl Parts {
    fn note(&mut self, measured: &Measured, bucket: &Bucket) {
        if self.buckets == 0 {
            self.from = bucket.from;
        }
        (self.time, self.step) = (measured.time, measured.step);
        (self.to, self.wall, self.phase) = (bucket.to, bucket.wall, bucket.phase);
        self.ticks += bucket.ticks;
        self.buckets += 1;
        for step in &bucket.steps {
            if measured.selection.has_step(step.step) {
                self.requests = self.requests.saturating_add(step.requests);
                self.bytes = self.bytes.saturating_add(step.bytes_in);
            }
        }
    }
}

impl Known {
    fn times(&mut self, history: &History, measured: &Measured, parts: &Parts) -> Rc<Bins> {
        let map = self.map;
        if let Some((times, shown)) = self.columns.get_mut(parts) {
            *shown = map;
            return Rc::clone(times);
        }
        let mut times = Bins::default();
        for slot in history.slots(parts.from, parts.to, 1) {
            let Slot::Seen(bucket) = slot else { continue };
            for step in &bucket.steps {
                if measured.selection.has_step(step.step) {
                    times.add(measured.times(step));
                }
            }
        }
        let times = Rc::new(times);
        self.columns.insert(parts.clone(), (Rc::clone(&times), map));
        times
    }

    fn forget(&mut self) {
        let map = self.map;
        self.columns.retain(|_, (_, shown)| *shown + KEPT > map);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::model::Span;
    use crate::console::panel::Scene;
    use crate::console::panel::fixture::{model, scene};

    /// Without anything kept.
    fn anew(scene: &Scene<'_>, axis: &Axis) -> Vec<Column<Bins>> {
        let measured = Measured::of(scene);
        axis.fold(scene.history, |times: &mut Bins, bucket| {
            for step in &bucket.steps {
                if measured.selection.has_step(step.step) {
                    times.add(measured.times(step));
                }
            }
        })
    }

    #[test]
    fn what_is_kept_is_what_would_be_added_up_anew() {
        for span in [Span::Minute, Span::Five, Span::Hour] {
            for seconds in [0, 1, 59, 400, 401, 402, 700] {
                for (time, step) in [
                    (TimeKind::Response, None),
                    (TimeKind::Service, None),
                    (TimeKind::Response, Some(1)),
                ] {
                    let mut model = model(seconds);
                    (model.ui.span, model.ui.time, model.ui.step) = (span, time, step);
                    let scene = scene(&model);
                    let axis = Axis::new(scene.history, span, 50);
                    let measured = Measured::of(&scene);
                    let kept = columns(scene.history, &measured, &axis);
                    let kept: Vec<_> = kept
                        .iter()
                        .map(|column| column.and_then(|moment| Some((*moment.times).clone())))
                        .collect();
                    assert_eq!(kept, anew(&scene, &axis), "{span:?} {seconds} {time:?}");
                }
            }
        }
    }

    #[test]
    fn columns_that_are_no_longer_shown_are_forgotten() {
        let model = model(400);
        let scene = scene(&model);
        let measured = Measured::of(&scene);
        let show = |cells: usize| {
            let axis = Axis::new(scene.history, Span::Five, cells);
            columns(scene.history, &measured, &axis)
        };
        show(60);
        for _ in 0..KEPT {
            show(7);
        }
        let known = KNOWN.with_borrow(|known| known.columns.len());
        assert!(known <= 7, "{known}");
    }
}
