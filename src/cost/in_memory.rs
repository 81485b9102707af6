//! `PageWork`: what a plan does with pages, to tell what it takes when all of them are in memory.
//!
//! The planner takes a page for free once a scan has read it (Mackert and Lohman 1989), and on a server whose tables fit
//! into memory `random_page_cost` is set close to 1: then a nested loop that visits a page again and again looks cheap,
//! though every visit costs a descent, a pin and the processor's wait for memory. Here visits are counted, not pages, and
//! neighbouring visits are told from scattered ones. A second opinion beside the planner's cost, in its unit; it never
//! takes the planner's place, which will choose the plan.
//!
//! Pure arithmetic; `pg::page_work` fills it in from the planner's paths.

pub mod buffers;
pub mod visits;

use super::PlanCost;
use buffers::{Buffers, Touched};
use serde::{Deserialize, Serialize};

/// Planner units at `cpu_tuple_cost` = 0.01, of 3 to 5 microseconds of a processor each. Measured one by one on PostgreSQL 18.6 over the
/// tables of TPC-H at scale 1, everything in shared buffers: scans of whole tables and of ranges, nested loops with the
/// same look-ups in the order of the table, leaving out more and more of it, and in none, hash tables and sorts
/// (docs/BENCHMARKS.md). Waiting for memory took as long on slower processors, of 5 microseconds a unit: what waits stands between what it
/// is on those and on others. The rest of a plan is left as the planner charges it.
///
/// The next page of a sequential scan ...
const SEQUENTIAL_PAGE: f64 = 0.3;
/// ... and of a bitmap scan, which leaves some out.
const BITMAP_PAGE: f64 = 0.35;
/// A page of a table that an index scan visits on its way forward through the table ...
const FORWARD_PAGE: f64 = 0.35;
/// ... and one that it visits in no order.
const SCATTERED_PAGE: f64 = 0.42;
/// A descent of an index ...
const DESCENT: f64 = 0.18;
/// ... and what it takes more where it leads to a leaf that is not at hand.
const SCATTERED_DESCENT: f64 = 0.8;
/// A row that an index scan finds in the index ...
const INDEX_ROW: f64 = 0.01;
/// ... and what it takes more to look it up in the table.
const TABLE_ROW: f64 = 0.02;
/// ... and where the scan goes forward and leaves out the rows beside it, so that the processor has not fetched it ahead.
const ROW_APART: f64 = 0.04;
/// A row that a bitmap scan finds in the index, on top of what the planner charges.
const BITMAP_ROW: f64 = 0.006;
/// A row put into the hash table of a join, on top of what the planner charges: 0.25 to 0.4 microseconds in all, where a unit took
/// 4.5 (PostgreSQL 18.6) ...
const HASHED_ROW: f64 = 0.04;
/// ... and one looked up there, 0.06 microseconds where none is found, up to 0.17 where one is, ...
const PROBE: f64 = 0.015;
/// ... and what that takes more, of a join or of groups, where the table exceeds the processor's cache.
const SCATTERED_PROBE: f64 = 0.08;
/// A page that is read from the operating system's cache by itself, in place of one found in shared buffers: look-ups in TPC-H's tables
/// took 4 to 7 microseconds more for each such page, where a unit took 7 and where it took 2.5 (PostgreSQL 18.6; 128 MB of shared buffers at
/// scale 1, 1 GB at scale 10) ...
const READ_PAGE: f64 = 1.4;
/// ... and one of those that a sequential scan reads, many at once.
const READ_AHEAD_PAGE: f64 = 0.12;
/// A row that a join or a filter gives beyond those that the planner charges for.
const MORE_ROW: f64 = 0.015;
/// What sorts and groups take for each unit that the planner charges, whatever is compared and summed: sorts of TPC-H's lines took
/// 1 by an integer, 2 by a number, 5 by a text, sums of numbers 4 to 9 (PostgreSQL 18.6).
const ORDERED: f64 = 3.0;

/// `cpu_tuple_cost` as it comes with PostgreSQL (DEFAULT_CPU_TUPLE_COST, cost.h): the constants above are made for it.
const TUPLE_COST: f64 = 0.01;

/// Pages and rows that a plan visits, all of its loops together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PageWork {
    /// What the planner charged for pages, for rows of indexes, and for sorts and groups, planner units.
    pub charged: f64,
    /// Pages of sequential scans.
    pub sequential: f64,
    /// Pages of bitmap heap scans.
    pub bitmap: f64,
    /// Rows that bitmap scans find in indexes.
    pub bitmap_rows: f64,
    /// Visits of index scans to pages on the way forward, of a table or of the index, that are not in the processor's cache.
    pub forward: f64,
    /// Visits of index scans to other table pages that are not in the processor's cache.
    pub scattered: f64,
    /// Descents of index scans.
    pub descents: f64,
    /// Those of them that lead to leaves that are not in the processor's cache.
    pub scattered_descents: f64,
    /// Rows that index scans find in the index.
    pub index_rows: f64,
    /// Rows that are looked up in the table, by index scans and bitmap scans.
    pub table_rows: f64,
    /// Those of them that an index scan reaches going forward and leaving out others on their pages, as far as they are waited for.
    pub rows_apart: f64,
    /// Rows put into hash tables of joins, ...
    pub hashed_rows: f64,
    /// ... and looked up there.
    pub probes: f64,
    /// Those of them, and of rows looked up in hash tables of groups, that are not in the processor's cache.
    pub scattered_probes: f64,
    /// Pages of tables and indexes that index scans visit, wherever they are.
    pub touched: Touched,
    /// Rows of joins and filters beyond those that the planner charges for; less than 0 for fewer.
    pub more_rows: f64,
    /// What the planner would charge for sorts and groups of as many rows as there are, planner units.
    pub ordered: f64,
}

impl PageWork {
    /// This and `times` the other.
    pub fn plus(self, other: PageWork, times: f64) -> PageWork {
        PageWork {
            charged: self.charged + times * other.charged,
            sequential: self.sequential + times * other.sequential,
            bitmap: self.bitmap + times * other.bitmap,
            bitmap_rows: self.bitmap_rows + times * other.bitmap_rows,
            forward: self.forward + times * other.forward,
            scattered: self.scattered + times * other.scattered,
            descents: self.descents + times * other.descents,
            scattered_descents: self.scattered_descents + times * other.scattered_descents,
            index_rows: self.index_rows + times * other.index_rows,
            table_rows: self.table_rows + times * other.table_rows,
            rows_apart: self.rows_apart + times * other.rows_apart,
            hashed_rows: self.hashed_rows + times * other.hashed_rows,
            probes: self.probes + times * other.probes,
            scattered_probes: self.scattered_probes + times * other.scattered_probes,
            touched: self.touched.plus(other.touched, times),
            more_rows: self.more_rows + times * other.more_rows,
            ordered: self.ordered + times * other.ordered,
        }
    }

    /// Of the pages that are in memory, the cost of reading those that are not in shared buffers.
    fn reads(&self, buffers: Buffers) -> f64 {
        let touched = self.touched.first + self.bitmap;
        let (at_first, again) = (buffers.missed_at_first(), buffers.missed_again(touched));
        READ_PAGE * (at_first * touched + again * self.touched.again)
            + READ_AHEAD_PAGE * at_first * self.sequential
    }

    /// The cost of a plan whose pages are all in memory, planner units. `total` is the planner's cost of it, and what is answered where
    /// the work is beyond all numbers.
    pub fn cost(&self, total: f64, cpu_tuple_cost: f64, buffers: Buffers) -> f64 {
        let pages = SEQUENTIAL_PAGE * self.sequential
            + BITMAP_PAGE * self.bitmap
            + FORWARD_PAGE * self.forward
            + SCATTERED_PAGE * self.scattered
            + DESCENT * self.descents
            + SCATTERED_DESCENT * self.scattered_descents
            + INDEX_ROW * self.index_rows
            + BITMAP_ROW * self.bitmap_rows
            + TABLE_ROW * self.table_rows
            + ROW_APART * self.rows_apart
            + HASHED_ROW * self.hashed_rows
            + PROBE * self.probes
            + SCATTERED_PROBE * self.scattered_probes
            + MORE_ROW * self.more_rows
            + self.reads(buffers);
        let pages = pages * cpu_tuple_cost / TUPLE_COST;
        let cost = (total - self.charged).max(0.0) + pages + ORDERED * self.ordered;
        if cost.is_finite() && self.charged.is_finite() { cost.max(0.0) } else { total }
    }
}

/// How far the ratio of two such costs may be off before it is acted upon. Of TPC-H's plans with the indexes advised within 150 to 1650
/// MB, those predicted at 0.85 to 1.23 of the cost took 0.4 to 1.3 of the time, most of them less than predicted.
const DOUBT: f64 = 1.05;
/// A statement that takes far longer than is typical for its cost may be an outlier. One that takes less is slowed down no more than
/// the ratio says: what makes it cheaper than its cost makes what changes cheaper too.
const PACES: (f64, f64) = (0.1, 1.0);

/// How much longer a statement takes with the plan `after` than with `before`, as a share (0.05 for 5 %); 0 when it does not.
/// By the worse of both costs, that in memory being given the benefit of the doubt.
///
/// `pace`: see `paces`.
pub fn slowdown(before: &PlanCost, after: &PlanCost, pace: f64) -> f64 {
    let change = |now: f64, then: f64| if then > 0.0 { now / then - 1.0 } else { 0.0 };
    let in_memory = (1.0 + pace * change(after.in_memory, before.in_memory)) / DOUBT - 1.0;
    change(after.total, before.total).max(in_memory).max(0.0)
}

/// The cost in memory of a plan that makes a statement slower than by the share `allowed`, at least.
pub fn most(before: &PlanCost, allowed: f64, pace: f64) -> f64 {
    before.in_memory * (1.0 + ((1.0 + allowed) * DOUBT - 1.0) / pace)
}

/// For each statement, how its cost in memory compares with its measured time, beside the typical statement of the workload: 0.5
/// for one that takes twice as long as its cost says, because it also does what no index changes. What more its pages
/// take is half as much of its time then.
///
/// Statements are given as (milliseconds a call, cost in memory); 1 for those without.
pub fn paces(statements: &[(f64, f64)]) -> Vec<f64> {
    let of = |(ms, cost): &(f64, f64)| (*ms > 0.0 && *cost > 0.0).then(|| ms / cost);
    let mut known: Vec<f64> = statements.iter().filter_map(of).collect();
    known.sort_by(f64::total_cmp);
    let typical = known.get(known.len() / 2).copied().unwrap_or(1.0);
    statements.iter().map(|s| of(s).map_or(1.0, |own| (typical / own).clamp(PACES.0, PACES.1))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const AMPLE: Buffers = Buffers::AMPLE;

    fn plan(total: f64, in_memory: f64) -> PlanCost {
        PlanCost { startup: 0.0, total, in_memory, rows: 1.0, used: Vec::new(), used_existing: Vec::new() }
    }

    #[test]
    fn pages_count_by_how_they_are_visited() {
        // TPC-H 5 at scale 1 with an index on l_suppkey: cheaper for the planner, eight times slower when it was run.
        let before = PageWork {
            charged: 60_000.0,
            sequential: 30_000.0,
            scattered: 6_000.0,
            descents: 4_000.0,
            ..PageWork::default()
        };
        let after = PageWork {
            charged: 40_000.0,
            sequential: 4_000.0,
            scattered: 1_170_000.0,
            index_rows: 1_420_000.0,
            ..PageWork::default()
        };
        let (before, after) = (before.cost(125_062.0, 0.01, AMPLE), after.cost(80_750.0, 0.01, AMPLE));
        assert!(after > 5.0 * before, "{before} {after}");
        // Nothing visited, nothing changed; and never below nothing.
        assert_eq!(PageWork::default().cost(100.0, 0.01, AMPLE), 100.0);
        assert_eq!(PageWork { charged: 200.0, ..PageWork::default() }.cost(100.0, 0.01, AMPLE), 0.0);
        // Costs are in units of the server's own tuple cost.
        let page = PageWork { scattered: 1.0, ..PageWork::default() };
        assert_eq!(page.cost(0.0, 0.02, AMPLE), 2.0 * page.cost(0.0, 0.01, AMPLE));
    }

    /// PostgreSQL 18.6, milliseconds of a processor for all of a partial index on l_orderkey, with ever more of lineitem's rows.
    #[test]
    fn rows_apart_wait_more_than_rows_beside_each_other() {
        let (all, pages, leaves) = (6.0e6, 112_600.0, 16_500.0);
        for (rows, measured) in
            [(0.6e6, 207.0), (1.44e6, 400.0), (3.0e6, 561.0), (4.56e6, 538.0), (6.0e6, 590.0)]
        {
            let visits = visits::Visits::of(rows, pages / rows);
            let work = PageWork {
                forward: visits.all() + leaves * rows / all,
                index_rows: rows,
                table_rows: rows,
                rows_apart: visits.rows_apart(rows, all / pages),
                ..PageWork::default()
            };
            let predicted = 0.003 * work.cost(0.0, 0.01, AMPLE);
            assert!((predicted / measured - 1.0).abs() < 0.2, "{rows} rows: {predicted} for {measured}");
        }
    }

    /// PostgreSQL 18.6 with 128 MB of shared buffers at scale 1, and with 1 GB at scale 10: how many milliseconds longer look-ups in `orders`
    /// and `lineitem` took than where all of it was there, and a scan of `lineitem`. A unit took 6.9 and 2.4 microseconds, reading
    /// a page much the same, so that its price in units is too high for the one and too low for the other.
    #[test]
    fn pages_beyond_shared_buffers_are_read() {
        let slow = (Buffers { pages: 16_384.0, stored: 180_000.0 }, 0.0069);
        let fast = (Buffers { pages: 131_072.0, stored: 1_860_000.0 }, 0.0024);
        let look_ups = |rows: f64, pages: f64, leaves: f64| {
            let touched = Touched::at_random(rows, pages).beside(Touched::at_random(rows, leaves));
            PageWork { touched, ..PageWork::default() }
        };
        let scan = PageWork { sequential: 112_600.0, ..PageWork::default() };
        let times = [
            (slow, look_ups(300_000.0, 26_000.0, 4_100.0), 790.0),
            (slow, look_ups(300_000.0, 112_600.0, 16_500.0), 1_990.0),
            (slow, scan, 70.0),
            (fast, look_ups(200_000.0, 261_000.0, 41_000.0), 980.0),
            (fast, look_ups(200_000.0, 1_125_000.0, 165_000.0), 1_300.0),
        ];
        for ((buffers, unit), work, measured) in times {
            let predicted = unit * (work.cost(0.0, 0.01, buffers) - work.cost(0.0, 0.01, AMPLE));
            assert!((0.6..2.0).contains(&(predicted / measured)), "{predicted} ms for {measured}");
        }
        let everything = Buffers { pages: 200_000.0, ..slow.0 };
        assert_eq!(look_ups(300_000.0, 26_000.0, 4_100.0).cost(0.0, 0.01, everything), 0.0);
    }

    /// PostgreSQL 18.6, microseconds of a processor for each of lineitem's six million rows looked up in a hash table, scans aside, with what
    /// the planner charges for that. A unit took 4.1.
    #[test]
    fn the_larger_a_hash_table_the_longer_a_look_up() {
        for (entries, charged, measured) in
            [(10_664.0, 0.0027, 0.062), (200_000.0, 0.0137, 0.432), (800_000.0, 0.0152, 0.577)]
        {
            let away = visits::out_of_near_caches(44.0 * entries);
            let work = PageWork { probes: 1.0, scattered_probes: away, ..PageWork::default() };
            let predicted = 4.1 * (charged + work.cost(0.0, 0.01, AMPLE));
            assert!((0.6..1.7).contains(&(predicted / measured)), "{entries}: {predicted} for {measured}");
        }
    }

    /// PostgreSQL 18.6, microseconds of a processor for each of 300,000 rows sorted, for which the planner charges 0.114 units of 3.7.
    #[test]
    fn a_sort_takes_what_sorts_of_all_types_take() {
        let sort = PageWork { charged: 0.114, ordered: 0.114, ..PageWork::default() };
        let predicted = 3.7 * sort.cost(0.114, 0.01, AMPLE);
        // By an integer, a number, a text, and a text and a number.
        let measured: [f64; 4] = [0.33, 0.87, 1.83, 1.73];
        let within = measured.iter().filter(|it| (0.6..1.6).contains(&(predicted / **it))).count();
        assert_eq!(within, 3, "{predicted}");
    }

    /// Nested loops over nested loops whose rows the planner clamps at 1e100 each (MAXIMUM_ROWCOUNT, costsize.c).
    #[test]
    fn work_beyond_all_numbers_leaves_the_planners_cost() {
        let endless = PageWork { scattered: f64::INFINITY, ..PageWork::default() };
        assert_eq!(endless.cost(1e200, 0.01, AMPLE), 1e200);
        let undefined = PageWork { forward: f64::INFINITY * 0.0, ..PageWork::default() };
        assert_eq!(undefined.cost(100.0, 0.01, AMPLE), 100.0);
        let uncharged = PageWork { charged: f64::INFINITY, ..PageWork::default() };
        assert_eq!(uncharged.cost(100.0, 0.01, AMPLE), 100.0);
    }

    #[test]
    fn a_slowdown_is_the_worse_of_both_costs_beyond_doubt() {
        let before = plan(100.0, 100.0);
        assert_eq!(slowdown(&before, &plan(50.0, 60.0), 1.0), 0.0);
        assert!((slowdown(&before, &plan(108.0, 60.0), 1.0) - 0.08).abs() < 1e-9);
        assert_eq!(slowdown(&before, &plan(50.0, 104.0), 1.0), 0.0);
        assert!((slowdown(&before, &plan(50.0, 210.0), 1.0) - 1.0).abs() < 1e-9);
        // One whose time is mostly something else is slowed down less by the same pages.
        assert!((slowdown(&before, &plan(50.0, 240.0), 0.5) - (1.7 / DOUBT - 1.0)).abs() < 1e-9);
        assert_eq!(slowdown(&plan(0.0, 0.0), &plan(0.0, 0.0), 1.0), 0.0);
        for pace in [0.1, 0.5, 1.0] {
            let most = most(&before, 0.2, pace);
            assert!(slowdown(&before, &plan(50.0, 0.999 * most), pace) < 0.2);
            assert!(slowdown(&before, &plan(50.0, 1.001 * most), pace) > 0.2);
        }
    }

    #[test]
    fn a_pace_compares_with_the_typical_statement() {
        assert_eq!(
            paces(&[(10.0, 10.0), (40.0, 10.0), (2.0, 2.0), (0.0, 5.0), (1.0, 1000.0)]),
            [1.0, 0.25, 1.0, 1.0, 1.0]
        );
        assert_eq!(paces(&[(3.0, 7.0)]), [1.0]);
        assert!(paces(&[]).is_empty());
    }
}
