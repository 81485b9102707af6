//! `Evidence`: what was measured of the statements that a change to an index concerns, in a pair of windows.
//!
//! Measures and adds up; what it amounts to is `verdict`'s.

use super::known::{Archive, Known, KnownIndex, KnownStatement, TableCounter};
use super::noise::{Drift, MIN_CALLS, Shift, shift};
use super::tally::{Tally, written};
use super::window::{Change, Pair, Window};
use super::{StatementChange, WriteChange};
use std::collections::BTreeSet;

/// Statements that show how the machine drifted: the heaviest of those that nothing concerns.
const MOST_CONTROLS: usize = 200;
/// Statements on the index's table that it was not meant for: the heaviest.
const MOST_OTHERS: usize = 200;
/// A statement that takes this many times as long has lost much: what an index was good for is rarely less.
const GREAT_LOSS: f64 = 3.0;
/// Seconds after which a backend has reported what it scanned, even one that is always busy (PGSTAT_MAX_INTERVAL in
/// pgstat.c), with time to spare.
const REPORTED: f64 = 120.0;
const SECONDS_A_DAY: f64 = 86_400.0;

/// A statement in a pair of windows.
pub struct Measured<'a> {
    pub statement: &'a KnownStatement,
    pub before: Tally,
    pub after: Tally,
    /// None for too few calls.
    pub shift: Option<Shift>,
    /// Cost after as a share of the cost before that was promised for all that was created in between, and how much of that this index answers for,
    /// 0 to 1; None where nothing was promised.
    pub promise: Option<(f64, f64)>,
    /// Milliseconds that its calls in the window after would have taken at the pace of the window before.
    pub weight: f64,
    /// Whether the planner uses the index for it now, if that is known.
    pub planned_with: Option<bool>,
}

/// What one pair of windows shows.
pub struct Evidence<'a> {
    pub promised: Vec<Measured<'a>>,
    /// Statements on the table that nothing was promised to.
    pub others: Vec<Measured<'a>>,
    pub drift: Drift,
    pub writes: Option<WriteChange>,
    /// Share of the table's updates that were HOT before and after, where there were any in both.
    pub hot: Option<(f64, f64)>,
    /// Other indexes that were created or dropped in between and that statements share.
    pub together: Vec<&'a KnownIndex>,
    pub seconds_before: Option<f64>,
    pub seconds_after: Option<f64>,
    pub mixed: bool,
    /// Calls in the window after, of the statements that something was promised to, that are so long ago that every backend has reported what it
    /// scanned for them.
    pub calls_reported: f64,
}

/// Shares of the time that the judged statements would have taken; below 0 where they got slower.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Saving {
    /// Milliseconds that they would have taken in the window after.
    pub weight: f64,
    pub measured: f64,
    pub least: f64,
    pub most: f64,
    pub estimated: f64,
    /// How much of the promise belongs to statements with enough calls to judge, 0 to 1.
    pub judged: f64,
}

/// What to look at: an index, its change, and the others that changed.
pub struct Subject<'a> {
    pub known: &'a Known,
    pub index: &'a KnownIndex,
    pub changes: &'a [(Change, &'a KnownIndex)],
    /// Whether it was created, or else dropped.
    pub created: bool,
}

impl<'a> Subject<'a> {
    /// The statements that something was promised to, then the others on the table.
    fn concerned(&self) -> (Vec<&'a KnownStatement>, Vec<&'a KnownStatement>) {
        let promise = self.known.promise_of(self.index.id).filter(|_| self.created);
        let on_table = |statement: &&KnownStatement| statement.relations.contains(&self.index.relation);
        let (promised, others): (Vec<_>, Vec<_>) = self.known.statements.iter().partition(|statement| {
            promise.is_some_and(|promise| promise.ratios.contains_key(&statement.query_id))
        });
        (promised, heaviest(others.into_iter().filter(on_table), MOST_OTHERS))
    }

    /// Relations whose indexes these statements could use.
    pub fn relations(&self) -> BTreeSet<&'a str> {
        let (promised, _) = self.concerned();
        let of_promised = promised.into_iter().flat_map(|statement| &statement.relations);
        of_promised.chain([&self.index.relation]).map(String::as_str).collect()
    }

    /// Other indexes that changed between two windows or within the second.
    fn together(&self, pair: &Pair) -> Vec<&'a KnownIndex> {
        let between = |change: &Change| change.new > pair.before.to() && change.new <= pair.after.to();
        let relations = self.relations();
        let found = self.changes.iter().filter(|(change, index)| {
            index.id != self.index.id && between(change) && relations.contains(index.relation.as_str())
        });
        found.map(|(_, index)| *index).collect()
    }

    /// Measures a pair of windows.
    ///
    /// # Errors
    /// Those of reading counters.
    pub fn measure<A: Archive>(&self, pair: &Pair, archive: &mut A) -> Result<Evidence<'a>, A::Error> {
        let moments = &self.known.moments;
        let together = self.together(pair);
        let (promised, others) = self.concerned();
        // Whatever changed since the window before began makes its table's statements no measure of the machine.
        let first = pair.before.cuts.first().copied().unwrap_or(0);
        let changed = self.changes.iter().filter(|(change, _)| change.new >= first);
        let changed: BTreeSet<&str> =
            changed.map(|(_, index)| index.relation.as_str()).chain([self.index.relation.as_str()]).collect();
        let untouched = self.known.statements.iter().filter(|statement| {
            !statement.relations.is_empty()
                && !statement.relations.iter().any(|relation| changed.contains(relation.as_str()))
        });
        let controls = heaviest(untouched, MOST_CONTROLS);

        let positions: BTreeSet<usize> = pair.before.cuts.iter().chain(&pair.after.cuts).copied().collect();
        let at: Vec<i64> = positions.iter().map(|position| moments[*position].id).collect();
        let of: BTreeSet<i64> =
            promised.iter().chain(&others).chain(&controls).map(|statement| statement.id).collect();
        let of: Vec<i64> = of.into_iter().collect();
        let counters = archive.counters(&at, &of)?;
        let tables = archive.table_counters(&at, &self.index.relation)?;
        let tally =
            |statement: &KnownStatement, window: &Window| Tally::of(statement.id, window, moments, &counters);
        let tallies =
            |statement: &&'a KnownStatement| (tally(statement, &pair.before), tally(statement, &pair.after));
        let of_controls: Vec<(Tally, Tally)> = controls.iter().map(tallies).collect();
        let drift = Drift::of(of_controls.iter().map(|(before, after)| (before, after)));
        let looks = others.len();
        let measured = |statement: &'a KnownStatement, looks: usize| {
            let (before, after) = tallies(&statement);
            Measured {
                statement,
                shift: shift(&before, &after, &drift, looks),
                promise: self.promise(statement.query_id, &together),
                planned_with: self.planned_with(statement.query_id),
                weight: after.sum.calls * before.mean_ms() * drift.log.exp(),
                before,
                after,
            }
        };
        let (seconds_before, seconds_after) = (pair.before.seconds(moments), pair.after.seconds(moments));
        let rows = (written(&pair.before, moments, &tables), written(&pair.after, moments, &tables));
        let now = moments.last().map_or(0.0, |now| now.at);
        let until = pair.after.cuts.iter().rposition(|cut| moments[*cut].at <= now - REPORTED);
        let reported =
            Window { cuts: pair.after.cuts[..until.map_or(0, |last| last + 1)].to_vec(), ..pair.after };
        let calls_reported = promised.iter().map(|statement| tally(statement, &reported).sum.calls).sum();
        Ok(Evidence {
            calls_reported,
            promised: promised.into_iter().map(|statement| measured(statement, 1)).collect(),
            others: others.into_iter().map(|statement| measured(statement, looks)).collect(),
            hot: hot(&rows.0).zip(hot(&rows.1)),
            writes: write_change(&rows, seconds_before, seconds_after),
            drift,
            together,
            seconds_before,
            seconds_after,
            mixed: pair.mixed,
        })
    }

    fn planned_with(&self, query_id: i64) -> Option<bool> {
        let plan = self.known.plans.get(&query_id).filter(|_| self.created)?;
        Some(plan.contains(&self.index.id))
    }

    /// What was promised to a statement by everything that was created together, and the share of this index in it. Savings multiply,
    /// so shares are of logarithms. What was created and is not used does not count.
    fn promise(&self, query_id: i64, together: &[&KnownIndex]) -> Option<(f64, f64)> {
        let log = |index: &KnownIndex| {
            let ratio = *self.known.promise_of(index.id)?.ratios.get(&query_id)?;
            Some(ratio.clamp(f64::MIN_POSITIVE, 1.0).ln())
        };
        let own = if self.created { log(self.index)? } else { return None };
        let used = together.iter().filter(|index| index.now.is_some_and(|now| now.scans > 0.0));
        let all = own + used.filter_map(|index| log(index)).sum::<f64>();
        Some((all.exp(), if all < 0.0 { own / all } else { 1.0 }))
    }
}

impl Measured<'_> {
    /// Milliseconds in the window after: saved, at least, at most.
    fn saved(&self) -> Option<(f64, f64, f64)> {
        let Shift { log, noise } = self.shift?;
        let saved = |log: f64| self.weight * (1.0 - log.exp());
        Some((saved(log), saved(log + noise), saved(log - noise)))
    }

    /// Whether it got slower beyond the noise.
    pub fn is_slower(&self) -> bool {
        self.shift.is_some_and(|shift| shift.is_certain() && shift.log > 0.0)
    }

    pub fn is_faster(&self) -> bool {
        self.shift.is_some_and(|shift| shift.is_certain() && shift.log < 0.0)
    }

    /// For people.
    pub fn change(&self) -> StatementChange {
        StatementChange {
            query_id: self.statement.query_id,
            text: self.statement.text.clone(),
            role: self.statement.role.clone(),
            before: self.before.mean(),
            after: self.after.mean(),
            estimated_saving: self.promise.map(|(ratio, _)| 1.0 - ratio),
            planned_with: self.planned_with,
            certain: self.shift.is_some_and(|shift| shift.is_certain()),
        }
    }
}

impl Evidence<'_> {
    /// What this index saved of the time of the statements that it was meant for, beside what was estimated.
    pub fn saving(&self) -> Saving {
        let (mut weight, mut estimated, mut measured) = (0.0, 0.0, 0.0);
        // Squares of how much less and more it may be: the noise of single statements is independent.
        let (mut less, mut more) = (0.0, 0.0);
        let (mut promised, mut judged) = (0.0, 0.0);
        for statement in &self.promised {
            let Some((ratio, share)) = statement.promise else { continue };
            let promise = statement.before.sum.total_ms * (1.0 - ratio) * share;
            promised += promise;
            let Some((saved, least, most)) = statement.saved() else { continue };
            judged += promise;
            weight += statement.weight;
            estimated += share * statement.weight * (1.0 - ratio);
            measured += share * saved;
            less += (share * (saved - least)).powi(2);
            more += (share * (most - saved)).powi(2);
        }
        if weight <= 0.0 {
            return Saving::default();
        }
        Saving {
            weight,
            measured: measured / weight,
            least: (measured - less.sqrt()) / weight,
            most: (measured + more.sqrt()) / weight,
            estimated: estimated / weight,
            judged: if promised > 0.0 { judged / promised } else { 0.0 },
        }
    }

    /// Milliseconds in the window after that other statements lost for certain, at least, and gained for certain. What changed
    /// together shares them.
    pub fn side_effects(&self) -> (f64, f64) {
        let mut effects = (0.0, 0.0);
        for statement in &self.others {
            let Some((_, least, _)) = statement.saved() else { continue };
            if statement.is_slower() {
                // Slower at its most favourable reading, which is what counts against an index.
                let Some(Shift { log, noise }) = statement.shift else { continue };
                effects.0 += statement.weight * ((log - noise).exp() - 1.0);
            } else if statement.is_faster() {
                effects.1 += least;
            }
        }
        let shared = 1.0 + self.together.len() as f64;
        (effects.0 / shared, effects.1 / shared)
    }

    /// Calls of the statements that something was promised to, in the window after.
    pub fn calls_after(&self) -> f64 {
        self.promised.iter().map(|statement| statement.after.sum.calls).sum()
    }

    /// Whether the planner, asked now, uses the index for none of them; false where it could not be asked.
    pub fn planned_without(&self) -> bool {
        let mut planned = self.promised.iter().filter_map(|statement| statement.planned_with).peekable();
        planned.peek().is_some() && planned.all(|with| !with)
    }

    /// Milliseconds of the window after as milliseconds a day.
    pub fn per_day(&self, ms: f64) -> Option<f64> {
        Some(ms * SECONDS_A_DAY / self.seconds_after?)
    }

    /// How much of what ran on the table before can be judged now, and of how much even the noise leaves no room for
    /// a great loss: shares of the time and of the number of statements, whichever is less.
    pub fn known_of_table(&self) -> (f64, f64) {
        let ran: Vec<&Measured<'_>> =
            self.others.iter().filter(|statement| statement.before.sum.calls >= MIN_CALLS).collect();
        let share = |is: &dyn Fn(&Measured<'_>) -> bool| {
            let time = |statement: &&Measured<'_>| statement.before.sum.total_ms;
            let (all, all_ms) = (ran.len() as f64, ran.iter().map(time).sum::<f64>());
            let those = ran.iter().copied().filter(|statement| is(statement));
            let (number, ms) = those.fold((0.0, 0.0), |(n, ms), statement| (n + 1.0, ms + time(&statement)));
            if all_ms > 0.0 { (number / all).min(ms / all_ms) } else { 0.0 }
        };
        let judged = share(&|statement| statement.shift.is_some());
        let visible = share(&|statement| statement.shift.is_some_and(|shift| shift.noise <= GREAT_LOSS.ln()));
        (judged, visible)
    }

    /// Statements that were promised something and lack calls, the one with the most time first.
    pub fn wanting(&self) -> Vec<&Measured<'_>> {
        let mut wanting: Vec<_> =
            self.promised.iter().filter(|statement| statement.shift.is_none()).collect();
        wanting.sort_by(|a, b| b.before.sum.total_ms.total_cmp(&a.before.sum.total_ms));
        wanting
    }

    /// The statements to show: those that something was promised to, and others that changed for certain; most time saved or
    /// lost first.
    pub fn changes(&self, most: usize) -> Vec<StatementChange> {
        let changed = self.others.iter().filter(|other| other.is_faster() || other.is_slower());
        let mut shown: Vec<&Measured<'_>> = self.promised.iter().chain(changed).collect();
        let effect = |measured: &Measured<'_>| measured.saved().map_or(0.0, |(saved, ..)| saved.abs());
        shown.sort_by(|a, b| {
            effect(b).total_cmp(&effect(a)).then(a.statement.query_id.cmp(&b.statement.query_id))
        });
        shown.into_iter().take(most).map(Measured::change).collect()
    }
}

/// Rows written a day; None if nothing was, or no length is known.
fn write_change(
    rows: &(TableCounter, TableCounter),
    seconds_before: Option<f64>,
    seconds_after: Option<f64>,
) -> Option<WriteChange> {
    let written = |table: &TableCounter| table.inserted + table.updated + table.deleted;
    let (before, after) = (written(&rows.0), written(&rows.1));
    // A window without updates shows no change.
    let (hot_before, hot_after) = (hot(&rows.0), hot(&rows.1));
    let (days_before, days_after) = (seconds_before? / SECONDS_A_DAY, seconds_after? / SECONDS_A_DAY);
    (before + after > 0.0).then(|| WriteChange {
        rows_per_day_before: before / days_before,
        rows_per_day_after: after / days_after,
        hot_before: hot_before.or(hot_after).unwrap_or(0.0),
        hot_after: hot_after.or(hot_before).unwrap_or(0.0),
    })
}

/// Share of updates that were HOT; None without any.
fn hot(table: &TableCounter) -> Option<f64> {
    (table.updated > 0.0).then(|| table.hot_updated / table.updated)
}

/// The statements that take most time, by id where they take the same.
fn heaviest<'a>(
    statements: impl Iterator<Item = &'a KnownStatement>,
    most: usize,
) -> Vec<&'a KnownStatement> {
    let mut statements: Vec<_> = statements.collect();
    statements.sort_by(|a, b| b.recent_ms.total_cmp(&a.recent_ms).then(a.id.cmp(&b.id)));
    statements.truncate(most);
    statements
}
