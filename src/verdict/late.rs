//! Which injections are known to be late, once a tick.
//!
//! In: a history that grows. Out: whether the recovery of each injection is over its budget, as far as can be told. The
//! invariant: nothing can be seen of what is kept but the time that it saves. An injection that is watched no longer is
//! judged once: what it is kept by is the injection itself, which is shared and changes no more.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::Arc;

use super::recovery::recovery;
use crate::history::History;
use crate::history::injections::{INJECTIONS, Injection};

thread_local! {
    static KNOWN: RefCell<VecDeque<(Arc<Injection>, u64, bool)>> = const { RefCell::new(VecDeque::new()) };
}

/// Whether a recovery is over its budget, µs, for sure.
pub(super) fn known_late(history: &History, injection: &Arc<Injection>, budget: u64) -> bool {
    let judged = || recovery(history, injection).took.is_over(budget);
    if injection.closed.is_none() {
        return judged();
    }
    let is_it = |known: &&(Arc<Injection>, u64, bool)| {
        Arc::ptr_eq(&known.0, injection) && known.1 == budget
    };
    let found = KNOWN.with_borrow(|known| known.iter().find(is_it).map(|&(_, _, late)| late));
    found.unwrap_or_else(|| {
        let late = judged();
        KNOWN.with_borrow_mut(|known| {
            known.truncate(INJECTIONS - 1);
            known.push_front((Arc::clone(injection), budget, late));
        });
        late
    })
}
