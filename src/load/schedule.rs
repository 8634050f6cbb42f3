//! How much load is wanted when: a piecewise linear function of time.
//!
//! In: pieces (ramps and levels) of a rate, in arrivals a second, or of a number of users. Out: its value, its exact
//! integral, and the moment at which the integral reaches an area, which is when the arrival of that number is due.
//! The invariant: changing the future leaves the integral up to the change as it was, so that a change of rate makes
//! neither a burst nor a gap.

use super::clock::Nanos;

/// The end of a piece that never ends. Such a piece is level: it stays at its `start`.
pub const FOREVER: Nanos = Nanos::MAX;

/// Tolerance in which a number of users counts as reached, so that rounding cannot withhold the last user of a ramp.
const USER_EPSILON: f64 = 1e-6;

const SECOND: f64 = 1e9;

/// A straight line from `start` at `from` to `end` at `to`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Piece {
    /// Where it begins.
    pub from: Nanos,
    /// Where it ends; [`FOREVER`] if it does not.
    pub to: Nanos,
    /// Value at `from`, never negative.
    pub start: f64,
    /// Value at `to`, never negative.
    pub end: f64,
}

impl Piece {
    /// A level stretch.
    pub fn level(from: Nanos, to: Nanos, value: f64) -> Self {
        Self {
            from,
            to,
            start: value,
            end: value,
        }
    }

    /// Change of value a second.
    fn slope(&self) -> f64 {
        if self.to == FOREVER {
            return 0.0;
        }
        (self.end - self.start) / seconds(self.to - self.from)
    }

    fn value(&self, t: Nanos) -> f64 {
        (self.start + self.slope() * seconds(t.saturating_sub(self.from))).max(0.0)
    }

    /// Integral from the piece's start to `t`.
    fn area(&self, t: Nanos) -> f64 {
        let t = t.clamp(self.from, self.to);
        if t == FOREVER {
            return if self.start > 0.0 { f64::INFINITY } else { 0.0 };
        }
        let elapsed = seconds(t - self.from);
        elapsed * (self.start + self.slope() * elapsed / 2.0)
    }

    /// When the integral reaches `area`, which it must reach within the piece. The form of the quadratic's solution
    /// that does not cancel, and that is right for level pieces too.
    fn time_of(&self, area: f64) -> Option<Nanos> {
        let root = (self.start * self.start + 2.0 * self.slope() * area)
            .max(0.0)
            .sqrt();
        let elapsed = if area <= 0.0 {
            0.0
        } else {
            2.0 * area / (self.start + root)
        };
        let t = self.from as f64 + elapsed * SECOND;
        // `from` and the distance are added as integers: their sum as f64 loses nanoseconds after 104 days.
        (t < FOREVER as f64).then(|| {
            let t = self
                .from
                .saturating_add((elapsed * SECOND).round() as Nanos);
            t.min(self.to)
        })
    }

    /// The part before `t`.
    fn before(mut self, t: Nanos) -> Self {
        if t < self.to {
            self.end = self.value(t);
            self.to = t;
        }
        self
    }

    /// The part from `t` on.
    fn after(mut self, t: Nanos) -> Self {
        if t > self.from {
            self.start = self.value(t);
            self.from = t;
        }
        self
    }
}

/// A piecewise linear function of time, 0 wherever no piece is.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Curve {
    pieces: Vec<Placed>,
}

/// A piece and the integral up to its start.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Placed {
    piece: Piece,
    before: f64,
}

impl Placed {
    fn area_at_end(&self) -> f64 {
        self.before + self.piece.area(self.piece.to)
    }
}

impl Curve {
    /// A curve of these pieces, in ascending order of time. Where two overlap the earlier one counts; values that are
    /// negative or not finite count as 0.
    pub fn new(pieces: impl IntoIterator<Item = Piece>) -> Self {
        let mut curve = Self::default();
        for piece in pieces {
            curve.push(piece);
        }
        curve
    }

    /// The same value from the start on, for ever.
    pub fn constant(value: f64) -> Self {
        Self::new([Piece::level(0, FOREVER, value)])
    }

    /// Value at `t`; where two pieces meet, that of the later one.
    pub fn value(&self, t: Nanos) -> f64 {
        self.piece_at(t).map_or(0.0, |piece| piece.value(t))
    }

    /// Whole users wanted at `t`, for a curve of users.
    pub fn users(&self, t: Nanos) -> u64 {
        (self.value(t) + USER_EPSILON) as u64
    }

    /// Integral from the start to `t`, in value times seconds.
    pub fn cumulative(&self, t: Nanos) -> f64 {
        let place = self.pieces.partition_point(|placed| placed.piece.from <= t);
        match place.checked_sub(1) {
            Some(place) => self.pieces[place].before + self.pieces[place].piece.area(t),
            None => self.pieces.first().map_or(0.0, |placed| placed.before),
        }
    }

    /// The first moment at which the integral reaches `area`; `None` if it never does.
    pub fn time_of(&self, area: f64) -> Option<Nanos> {
        let place = self
            .pieces
            .partition_point(|placed| placed.area_at_end() < area);
        let placed = self.pieces.get(place)?;
        placed.piece.time_of(area - placed.before)
    }

    /// Replaces the future: up to `at` the curve stays as it was, from there on it is `new`.
    pub fn splice(&mut self, at: Nanos, new: &Self) {
        self.pieces.retain(|placed| placed.piece.from < at);
        if let Some(last) = self.pieces.last_mut() {
            last.piece = last.piece.before(at);
        }
        for placed in &new.pieces {
            if placed.piece.to > at {
                self.push(placed.piece.after(at));
            }
        }
    }

    /// Drops pieces that ended before `t`, keeping their area: a curve that is spliced for hours stays small.
    /// Values and integrals before `t` are no longer told apart.
    pub fn forget(&mut self, t: Nanos) {
        let kept = self.pieces.partition_point(|placed| placed.piece.to < t);
        // The last piece stays in any case: it carries the area.
        let kept = kept.min(self.pieces.len().saturating_sub(1));
        self.pieces.drain(..kept);
    }

    /// The first moment after `after` at which fewer than `fewest` or at least `most` users are wanted.
    pub fn next_crossing(&self, after: Nanos, fewest: u64, most: u64) -> Option<Nanos> {
        let outside = |t: Nanos| {
            let users = self.users(t);
            users < fewest || users >= most
        };
        let first = self
            .pieces
            .partition_point(|placed| placed.piece.to <= after);
        for placed in &self.pieces[first..] {
            let piece = placed.piece.after(after.saturating_add(1));
            if piece.from >= piece.to {
                continue;
            }
            if outside(piece.from) {
                return Some(piece.from);
            }
            let slope = piece.slope();
            // Just past the lower bound, just on the upper one.
            let bound = if slope < 0.0 {
                fewest as f64 - 2.0 * USER_EPSILON
            } else {
                most as f64
            };
            let distance = (bound - piece.start) / slope * SECOND;
            if distance.is_finite() && distance >= 0.0 {
                let t = piece.from.saturating_add(distance.ceil() as Nanos);
                if t < piece.to {
                    return Some(t);
                }
            }
            // What follows may be a gap.
            if piece.to < FOREVER && outside(piece.to) {
                return Some(piece.to);
            }
        }
        None
    }

    fn piece_at(&self, t: Nanos) -> Option<&Piece> {
        let place = self.pieces.partition_point(|placed| placed.piece.to <= t);
        let piece = &self.pieces.get(place)?.piece;
        (piece.from <= t).then_some(piece)
    }

    fn push(&mut self, piece: Piece) {
        let sane = |value: f64| {
            if value.is_finite() {
                value.max(0.0)
            } else {
                0.0
            }
        };
        let last = self.pieces.last();
        let begin = last.map_or(0, |placed| placed.piece.to);
        let before = last.map_or(0.0, Placed::area_at_end);
        let piece = Piece {
            start: sane(piece.start),
            end: sane(piece.end),
            ..piece
        };
        if begin.max(piece.from) < piece.to {
            let piece = piece.after(begin);
            self.pieces.push(Placed { piece, before });
        }
    }
}

fn seconds(nanos: Nanos) -> f64 {
    nanos as f64 / SECOND
}

#[cfg(test)]
#[path = "schedule_tests.rs"]
mod tests;
