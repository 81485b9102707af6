//! Visits to pages by where the visit before was: next door, further on, or anywhere; and which of them wait for memory.
//!
//! A processor fetches ahead and keeps translations of addresses that lie together, so that what goes forward through a table,
//! even leaving pages out, waits less than what goes back and forth. Only arithmetic; `pg::page_work` says which visits there are.

/// Bytes of a table or an index of which every other scattered visit has to wait for memory: TPC-H's tables at scale 1, looked up at
/// random, took a share of `size / (size + HALF)` of what the largest took, from 2 MB to 900 MB (several caches and address
/// translation, one after the other).
const HALF_CACHED: f64 = 30e6;
/// ... and of a hash table: every probe goes somewhere else, and first into the smaller caches (1 or 2 MB).
const HALF_NEAR: f64 = 6e6;
/// Look-ups that go forward through an index and leave out half as many leaves as they visit are half as slow as look-ups in no order.
const LEAF_GAP: f64 = 0.5;
/// ... and of the pages of a table, where they leave out so many.
const PAGE_GAP: f64 = 100.0;
/// How the wait for a row falls as fewer rows beside it are left out: with half of them, it is a third.
const FETCHED_AHEAD: f64 = 1.5;
/// The first page of a run takes so much longer than those that follow: within a run, the processor works ahead.
const FIRST_PAGE: f64 = 1.4;

/// Visits of an index scan to pages of the table: those that go forward from the one before, and the others.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Visits {
    /// Going forward, a few pages at a time.
    pub forward: f64,
    /// To a page that is not near the one before.
    pub scattered: f64,
}

impl Visits {
    /// Of rows that lie `gap` pages apart, going forward.
    pub fn of(rows: f64, gap: f64) -> Visits {
        let pages = rows * gap.min(1.0);
        let scattered = pages * left_out(gap, PAGE_GAP);
        Visits { forward: pages - scattered, scattered }
    }

    /// Of `rows` in the order of keys that are in no order in a table of `pages` pages and `in_table` rows, each key's rows, `of_a_key`, by
    /// their place in the table; `beside` of them lie together on a page each time.
    pub fn of_keys(rows: f64, of_a_key: f64, beside: f64, pages: f64, in_table: f64) -> Visits {
        let gap = beside * pages / of_a_key.clamp(1.0, rows.max(1.0)).max(beside);
        let visits = Visits::of((rows / beside).max(1.0), gap);
        // Where they fill a page, the next ones are on the next page.
        let scattered = visits.scattered * (1.0 - (beside * pages / in_table.max(1.0)).min(1.0));
        Visits { forward: visits.forward + visits.scattered - scattered, scattered }
    }

    /// How many of `rows` are waited for, of those on the pages visited, which hold `to_a_page` each: none where a page is read from end to
    /// end, which the processor fetches ahead; all where the others on it are left out.
    pub fn rows_apart(self, rows: f64, to_a_page: f64) -> f64 {
        let left_out = 1.0 - rows / (self.all() * to_a_page).max(1.0);
        rows * left_out.max(0.0).powf(FETCHED_AHEAD)
    }

    /// All of them.
    pub fn all(self) -> f64 {
        self.forward + self.scattered
    }

    /// Of each of the runs of the inner side of a nested loop. `gap` is how many pages lie between one run and the next, if they go through
    /// them once, where both the runs and the table are in the order of the index, as it is in part (`ordered`).
    pub fn repeated(self, nearness: Nearness, ordered: f64, gap: f64) -> Visits {
        let all = self.all();
        let near = Visits::of(all, nearness.passes * gap);
        // Else the first page of each run is anywhere.
        let first = all.min(1.0);
        let anywhere = self.scattered.max(first) + (FIRST_PAGE - 1.0) * first;
        let in_order = nearness.near * ordered;
        let new = nearness.new_rows;
        Visits {
            forward: new * (in_order * near.forward + (1.0 - in_order) * (all - self.scattered.max(first))),
            scattered: new * (in_order * near.scattered + (1.0 - in_order) * anywhere),
        }
    }
}

/// What successive runs of an index scan have in common.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Nearness {
    /// How far they look up neighbouring keys, 0 to 1.
    pub near: f64,
    /// Share of the runs that go to another place of the index than the run before, 0 to 1.
    pub new_place: f64,
    /// Share of the runs that find other rows than the run before, 0 to 1.
    pub new_rows: f64,
    /// How often they go through the keys, with a part of the runs each time.
    pub passes: f64,
}

impl Nearness {
    /// They have nothing in common.
    pub const NONE: Nearness = Nearness { near: 0.0, new_place: 1.0, new_rows: 1.0, passes: 1.0 };

    /// Share of the runs that are as slow as in no order, as they go from one to the next of `places`: in between, they go forward.
    pub fn elsewhere(self, places: f64, runs: f64) -> f64 {
        let gap = self.passes * places / (runs * self.new_place).max(1.0);
        self.new_place * (1.0 - self.near + self.near * left_out(gap, LEAF_GAP))
    }
}

/// Look-ups whose answers are remembered, as far as there is memory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Remembered {
    /// How many different ones there are.
    pub keys: f64,
    /// For how many of them there is room.
    pub kept: f64,
}

impl Remembered {
    /// How many of so many look-ups are not answered from memory (`cost_memoize_rescan`, costsize.c).
    pub fn missed(self, runs: f64) -> f64 {
        let keys = self.keys.min(runs).max(1.0);
        runs - (runs - keys).max(0.0) * (self.kept.max(1.0) / keys).min(1.0)
    }
}

/// The share of visits to a table or an index of this size that the processor's caches do not answer, 0 to 1.
pub fn out_of_caches(bytes: f64) -> f64 {
    outside(HALF_CACHED, bytes)
}

/// The share of visits to a hash table of this size that the processor's caches do not answer, 0 to 1.
pub fn out_of_near_caches(bytes: f64) -> f64 {
    outside(HALF_NEAR, bytes)
}

/// The share of visits to something of this size that the processor's caches do not answer, where they answer half of those to
/// something of size `half`.
fn outside(half: f64, bytes: f64) -> f64 {
    bytes / (bytes + half)
}

/// How slow, from 0 to 1, visits are that go forward and leave out `gap` places between one and the next, where they are half as slow
/// at `half`.
fn left_out(gap: f64, half: f64) -> f64 {
    gap / (gap + half)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PostgreSQL 18.6, microseconds of a processor for a look-up of one row at random: tables of 1.8, 29, 140 and 922 MB took
    /// 0.12, 0.7, 1.8 and 2.2 more than their indexes alone.
    #[test]
    fn the_larger_the_more_visits_wait() {
        let share = |megabytes: f64| out_of_caches(megabytes * 1e6);
        for (megabytes, measured) in [(1.8, 0.12), (29.0, 0.7), (140.0, 1.8), (922.0, 2.2)] {
            let predicted = 2.1 * share(megabytes);
            assert!((predicted - measured).abs() < 0.4, "{megabytes} MB: {predicted} for {measured}");
        }
        assert_eq!(share(0.0), 0.0);
        // A hash table is out of reach earlier.
        assert!(out_of_near_caches(6e6) > 2.0 * out_of_caches(6e6));
    }

    #[test]
    fn what_is_forgotten_is_looked_up_again() {
        let roomy = Remembered { keys: 2000.0, kept: 2000.0 };
        assert_eq!(roomy.missed(100_000.0), 2000.0);
        // Half of what is asked for again is there no longer.
        let short = Remembered { kept: 1000.0, ..roomy };
        assert_eq!(short.missed(100_000.0), 51_000.0);
        // Fewer look-ups than keys; none; one, where nothing is known of the memory.
        assert_eq!(short.missed(500.0), 500.0);
        assert_eq!(short.missed(0.0), 0.0);
        assert_eq!(Remembered { keys: 1.0, kept: 0.0 }.missed(10.0), 1.0);
    }

    #[test]
    fn what_goes_forward_is_scattered_the_more_it_leaves_out() {
        // Every page, several rows each: a visit a page, forward.
        let dense = Visits::of(1000.0, 0.1);
        assert!((dense.all() - 100.0).abs() < 1e-9 && dense.scattered < 0.01 * dense.all(), "{dense:?}");
        let sparse = Visits::of(1000.0, 10_000.0);
        assert!((sparse.all() - 1000.0).abs() < 1e-9 && sparse.forward < 0.01 * sparse.all(), "{sparse:?}");
    }

    /// TPC-DS: store_sales has 30 pages of each day, the days in no order; lineitem has 600 lines of a supplier anywhere.
    #[test]
    fn rows_of_a_key_that_lie_together_are_few_visits() {
        let days = Visits::of_keys(1_580.0, f64::INFINITY, 52.0, 54_000.0, 2_880_000.0);
        assert!(days.all() < 40.0 && days.scattered < 0.1 * days.all(), "{days:?}");
        let suppliers = Visits::of_keys(600.0, f64::INFINITY, 1.0, 112_600.0, 6_000_000.0);
        assert!(suppliers.all() > 500.0 && suppliers.scattered > 0.5 * suppliers.all(), "{suppliers:?}");
        // Twelve rows of a ticket: one visit, to anywhere.
        let ticket = Visits::of_keys(12.0, f64::INFINITY, 10.0, 54_000.0, 2_880_000.0);
        assert!(ticket.all() < 2.0 && ticket.scattered > 0.7 * ticket.all(), "{ticket:?}");
        // Keys of one row each, in no order: every row is somewhere else.
        let single = Visits::of_keys(1000.0, 1.0, 1.0, 100_000.0, 6_000_000.0);
        assert!(single.scattered > 950.0, "{single:?}");
        // All rows of the table with the same key are read as they lie.
        let whole = Visits::of_keys(6e6, f64::INFINITY, 53.0, 112_600.0, 6e6);
        assert!(whole.all() < 1.1 * 112_600.0 && whole.scattered < 0.01 * whole.all(), "{whole:?}");
    }

    #[test]
    fn runs_in_the_order_of_the_table_are_near_each_other() {
        let in_order = Nearness { near: 1.0, ..Nearness::NONE };
        let run = Visits { forward: 1.0, scattered: 0.0 };
        // 46,000 of the orders, whose lines lie 2.4 pages apart, against look-ups in no order.
        let (near, far) = (run.repeated(in_order, 1.0, 2.4), run.repeated(Nearness::NONE, 1.0, 2.4));
        assert!(near.scattered < 0.05 && (near.all() - 1.0).abs() < 1e-9, "{near:?}");
        assert!(far.scattered > 1.0, "{far:?}");
        // Twice the same look-up: half of them find everything at hand.
        let again = run.repeated(Nearness { new_rows: 0.5, ..in_order }, 1.0, 2.4);
        assert!((again.all() - 0.5).abs() < 1e-9, "{again:?}");
        // Several look-ups to a leaf, or several leaves to a look-up.
        assert!(in_order.elsewhere(1000.0, 100_000.0) < 0.05);
        assert!(in_order.elsewhere(100_000.0, 1000.0) > 0.95);
        assert_eq!(Nearness::NONE.elsewhere(1000.0, 100_000.0), 1.0);
        // Suppliers of a part, one after the other, parts in no order: its leaf, of an index on part and supplier, stays at hand.
        let parts = Nearness { new_place: 0.25, ..Nearness::NONE };
        assert_eq!(parts.elsewhere(1000.0, 100_000.0), 0.25);
        assert_eq!(run.repeated(parts, 1.0, 2.4), far);
    }
}
