//! `Tally`: what was counted of one statement within a window, by subtracting counters, and how sure its mean is.
//!
//! Knows one statement and one window; what a difference between two means is `noise`.

use super::Mean;
use super::known::{Counter, Counters, Moment, TableCounter};
use super::window::Window;
use std::collections::BTreeMap;

/// Sums over the calls of a statement within a window.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    pub sum: Counter,
    /// Calls and milliseconds of each piece of the window in which it was called.
    pieces: Vec<(f64, f64)>,
}

/// The variance of a mean, with how many observations it rests on, less one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Variance {
    pub value: f64,
    pub freedom: f64,
}

impl Tally {
    /// What the counters of a statement say of a window.
    pub fn of(statement: i64, window: &Window, moments: &[Moment], counters: &Counters) -> Tally {
        let at = |position: usize| {
            let moment = &moments[position];
            (moment, counters.get(&(moment.id, statement)))
        };
        let mut tally = Tally::default();
        if let (true, Some(first)) = (window.from_reset, window.cuts.first()) {
            tally.add(at(*first).1.copied().unwrap_or_default());
        }
        for two in window.cuts.windows(2) {
            tally.add(counted(at(two[0]), at(two[1])));
        }
        tally
    }

    fn add(&mut self, piece: Counter) {
        self.sum = combined(&self.sum, &piece, |a, b| a + b);
        if piece.calls > 0.0 {
            self.pieces.push((piece.calls, piece.total_ms));
        }
    }

    /// Milliseconds of a call on average; 0 without calls.
    pub fn mean_ms(&self) -> f64 {
        if self.sum.calls > 0.0 { self.sum.total_ms / self.sum.calls } else { 0.0 }
    }

    /// The variance of single calls, ms^2.
    fn call_variance(&self) -> f64 {
        let Counter { calls, exec_ms, squares, .. } = self.sum;
        if calls < 2.0 {
            return 0.0;
        }
        let mean = exec_ms / calls;
        // Sums are subtracted from sums: what should be nothing may come out below it.
        (squares / calls - mean * mean).max(0.0) * calls / (calls - 1.0)
    }

    /// How far the mean may be off: by the spread of single calls as if they were independent, or by how much pieces of the window
    /// differ, whichever says more. None for fewer than two calls.
    pub fn variance(&self) -> Option<Variance> {
        let calls = self.sum.calls;
        if calls < 2.0 {
            return None;
        }
        let single = Variance { value: self.call_variance() / calls, freedom: calls - 1.0 };
        let pieces = self.pieces.len() as f64;
        if pieces < 3.0 {
            return Some(single);
        }
        // The variance of a ratio of sums over clusters (Cochran, Sampling Techniques, 6.3), clusters being pieces.
        let mean = self.mean_ms();
        let off = self.pieces.iter().map(|(n, ms)| (ms - n * mean) / calls).map(|off| off * off);
        let between = Variance { value: off.sum::<f64>() * pieces / (pieces - 1.0), freedom: pieces - 1.0 };
        Some(if between.value > single.value { between } else { single })
    }

    /// For people.
    pub fn mean(&self) -> Mean {
        let calls = self.sum.calls;
        let per_call = |sum: f64| if calls > 0.0 { sum / calls } else { 0.0 };
        Mean {
            calls,
            ms: self.mean_ms(),
            deviation_ms: self.call_variance().sqrt(),
            blocks_read: per_call(self.sum.blocks_read),
            blocks: per_call(self.sum.blocks_read + self.sum.blocks_hit),
        }
    }
}

/// What was counted between two moments. Where counting began anew in between, by a reset, a restart or an eviction, it is what has been counted since.
fn counted(before: (&Moment, Option<&Counter>), after: (&Moment, Option<&Counter>)) -> Counter {
    let (Some(earlier), Some(later)) = (before.1, after.1) else {
        // Not there before: all of it is new. Not there after: whatever was counted is lost.
        return after.1.copied().unwrap_or_default();
    };
    let newer =
        |then: Option<f64>, now: Option<f64>| matches!((then, now), (Some(then), Some(now)) if now > then);
    // A reset that is older than what was counted since another one: counters of a promoted standby, from its own beginning on.
    if newer(after.0.statements_reset, before.0.statements_reset) {
        return Counter::default();
    }
    let fell = [
        (earlier.calls, later.calls),
        (earlier.total_ms, later.total_ms),
        (earlier.rows, later.rows),
        (earlier.blocks_hit, later.blocks_hit),
        (earlier.blocks_read, later.blocks_read),
    ];
    let anew = newer(before.0.statements_reset, after.0.statements_reset)
        || newer(earlier.since, later.since)
        || fell.iter().any(|(then, now)| now < then);
    if anew { *later } else { combined(later, earlier, |a, b| (a - b).max(0.0)) }
}

fn combined(a: &Counter, b: &Counter, by: impl Fn(f64, f64) -> f64) -> Counter {
    Counter {
        calls: by(a.calls, b.calls),
        total_ms: by(a.total_ms, b.total_ms),
        exec_ms: by(a.exec_ms, b.exec_ms),
        squares: by(a.squares, b.squares),
        rows: by(a.rows, b.rows),
        blocks_hit: by(a.blocks_hit, b.blocks_hit),
        blocks_read: by(a.blocks_read, b.blocks_read),
        since: None,
    }
}

/// Rows written to a table within a window, likewise.
pub fn written(window: &Window, moments: &[Moment], counters: &BTreeMap<i64, TableCounter>) -> TableCounter {
    let at = |position: usize| counters.get(&moments[position].id).copied().unwrap_or_default();
    let mut sum = TableCounter::default();
    let mut add = |piece: TableCounter| {
        sum.inserted += piece.inserted;
        sum.updated += piece.updated;
        sum.hot_updated += piece.hot_updated;
        sum.deleted += piece.deleted;
    };
    if let (true, Some(first)) = (window.from_reset, window.cuts.first()) {
        add(at(*first));
    }
    for two in window.cuts.windows(2) {
        let (earlier, later) = (at(two[0]), at(two[1]));
        let reset = |position: usize| moments[position].tables_reset.unwrap_or(f64::MIN);
        let anew = reset(two[1]) > reset(two[0])
            || later.inserted < earlier.inserted
            || later.updated < earlier.updated
            || later.hot_updated < earlier.hot_updated
            || later.deleted < earlier.deleted;
        add(if anew {
            later
        } else {
            TableCounter {
                inserted: later.inserted - earlier.inserted,
                updated: later.updated - earlier.updated,
                hot_updated: later.hot_updated - earlier.hot_updated,
                deleted: later.deleted - earlier.deleted,
            }
        });
    }
    sum
}
