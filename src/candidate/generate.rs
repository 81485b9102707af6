//! Generation: what one statement asks of indexes, relation by relation, from what the planner would do with them.
//!
//! Looks at one statement alone; sharing between statements is settled in `pool`.

use super::ask::{Ask, canonical_direction};
use super::asking::{Asking, Bound, Forms, parts};
use super::definition::{AccessMethod, IndexDefinition, Key, KeyPart, KeyTarget};
use super::facts::{JoinClause, Order, OrderPurpose, StatementFacts};
use super::several_uses;
use super::width::{column_width, row_width};
use crate::catalog::{AttrNumber, Catalog, ExistingIndex, Oid};
use std::collections::BTreeSet;

/// How far generation goes.
#[derive(Clone, Debug)]
pub struct Options {
    pub max_key_columns: usize,
    pub max_include_columns: usize,
    /// Bytes that the included columns of an index may take together, on average.
    pub max_include_width: f64,
    /// Candidates kept for a workload.
    pub max_candidates: usize,
    /// The access methods that an index may have.
    pub access_methods: BTreeSet<AccessMethod>,
    /// Relations that get no index; their statements count all the same.
    pub left_alone: BTreeSet<Oid>,
}

impl Options {
    /// Whether the user's limits on single indexes allow this one.
    pub fn allow(&self, definition: &IndexDefinition) -> bool {
        definition.keys.len() <= self.max_key_columns
            && self.access_methods.contains(&definition.access_method)
            && !self.left_alone.contains(&definition.relation)
    }
}

impl Default for Options {
    fn default() -> Options {
        Options {
            max_key_columns: 4,
            max_include_columns: 8,
            max_include_width: 200.0,
            max_candidates: 4000,
            access_methods: AccessMethod::ALL.into(),
            left_alone: BTreeSet::new(),
        }
    }
}

/// A relation of one page is read with one page access; an index scan reads its own root besides.
const FEWEST_PAGES: f64 = 2.0;
/// An equality that keeps more rows than this is tried without, too: it widens the index and narrows little.
const UNSELECTIVE: f64 = 0.5;
/// A BitmapAnd asks for single columns, which are worth a bitmap only when each leaves out most rows.
const BITMAP_SELECTIVITY: f64 = 0.3;
/// Join columns beyond which pairs of them are not formed across different relations: pairs grow with the square.
const JOINS_TO_PAIR: usize = 4;
/// Reading a table in index order pays without a LIMIT where both orders agree this well.
const CLUSTERED: f64 = 0.9;
/// An index entry is 8 bytes of header and 4 of line pointer wider than its columns (itup.h).
const ENTRY_OVERHEAD: f64 = 12.0;
/// An index read instead of the whole table has to be clearly narrower than the table's rows.
const NARROWER: f64 = 0.6;

/// What a statement asks for, the most direct asks first; nothing that an existing index gives already.
pub fn generate(facts: &StatementFacts, catalog: &Catalog, options: &Options) -> Vec<Ask> {
    let mut asks: Vec<Ask> = Vec::new();
    for usage in &facts.relations {
        let Some(relation) = catalog.relations.get(&usage.relation) else { continue };
        if relation.pages < FEWEST_PAGES {
            continue;
        }
        let mut asking = Asking::new(usage, relation, options);
        if asking.reads_one_row() {
            continue;
        }
        restrictions(&mut asking);
        orders(&mut asking);
        joins(&mut asking);
        alternatives(&mut asking);
        narrow_scan(&mut asking, catalog.storage.block_size);
        predicates_alone(&mut asking);
        for ask in asking.asks {
            if !asks.iter().any(|other| other.wants_the_same(&ask)) {
                asks.push(ask);
            }
        }
    }
    let several = several_uses::joined(&asks, catalog, options);
    asks.extend(several);
    asks
}

/// All equalities, then a range; without the unselective ones; single columns for a BitmapAnd.
fn restrictions(asking: &mut Asking<'_>) {
    let (equal, ranges) = (asking.equal.clone(), asking.ranges.clone());
    conjunction(asking, &equal, &ranges);
    let selective: Vec<Bound> =
        equal.iter().filter(|bound| bound.selectivity <= UNSELECTIVE).cloned().collect();
    if selective.len() < equal.len() && !selective.is_empty() {
        conjunction(asking, &selective, &ranges);
    }
    if equal.len() + ranges.len() < 2 {
        return;
    }
    for bound in equal.iter().filter(|bound| bound.selectivity <= BITMAP_SELECTIVITY) {
        let words = asking.words("equality on", std::slice::from_ref(&bound.part));
        asking.ask(vec![bound.part.clone()], Vec::new(), false, &[words]);
    }
    for bound in ranges.iter().filter(|bound| bound.selectivity <= BITMAP_SELECTIVITY) {
        let words = asking.words("range on", std::slice::from_ref(&bound.part));
        asking.ask(Vec::new(), vec![Key::ascending(bound.part.clone())], false, &[words]);
    }
}

/// Equalities alone, with each range after them, and with all ranges: the later ones still filter inside the index.
fn conjunction(asking: &mut Asking<'_>, equal: &[Bound], ranges: &[Bound]) {
    let equality = asking.words("equality on", &parts(equal));
    asking.ask(parts(equal), Vec::new(), false, std::slice::from_ref(&equality));
    for range in ranges {
        let words = [equality.clone(), asking.words("range on", std::slice::from_ref(&range.part))];
        asking.ask(parts(equal), vec![Key::ascending(range.part.clone())], false, &words);
    }
    if ranges.len() > 1 {
        let words = [equality, asking.words("ranges on", &parts(ranges))];
        asking.ask(parts(equal), parts(ranges).into_iter().map(Key::ascending).collect(), false, &words);
    }
}

/// Equalities, then a sort order; the order alone where reading in order can pay. An IN list would break the order
/// (its values are visited one after the other), so it comes after the order, as a filter inside the index.
fn orders(asking: &mut Asking<'_>) {
    let fixed: Vec<Bound> = asking.equal.iter().filter(|bound| bound.is_single()).cloned().collect();
    let filters: Vec<KeyPart> = {
        let lists = asking.equal.iter().filter(|bound| !bound.is_single());
        lists.chain(&asking.ranges).map(|bound| bound.part.clone()).collect()
    };
    for order in &asking.usage.orders {
        let Some(keys) = order_keys(asking, order) else { continue };
        let ordered = asking.words(purpose_words(order.purpose), &key_parts(&keys));
        let equality = asking.words("equality on", &parts(&fixed));
        if !fixed.is_empty() {
            asking.ask(parts(&fixed), keys.clone(), true, &[equality.clone(), ordered.clone()]);
        }
        if !filters.is_empty() && order.limited {
            // The filters have no direction; they must not turn with the order.
            let mut tail = canonical_direction(&keys);
            tail.extend(filters.iter().cloned().map(Key::ascending));
            let words = [equality, ordered.clone(), asking.words("filter on", &filters)];
            asking.ask(parts(&fixed), tail, true, &words);
        }
        let early = order.limited || order.purpose == OrderPurpose::Extremum;
        if early || clustered(asking, &keys) {
            asking.ask(Vec::new(), keys, true, &[ordered]);
        } else {
            asking.ask_in(Forms::Covering, Vec::new(), keys, true, &[ordered]);
        }
    }
}

fn order_keys(asking: &Asking<'_>, order: &Order) -> Option<Vec<Key>> {
    let keys = order.keys.iter().map(|key| Key {
        part: key.part.clone(),
        descending: key.descending,
        nulls_first: key.nulls_first,
    });
    let keys: Vec<Key> = keys.take_while(|key| asking.admits(&key.part)).collect();
    (!keys.is_empty()).then_some(keys)
}

/// Whether the table lies on disk nearly in the order of the first key.
fn clustered(asking: &Asking<'_>, keys: &[Key]) -> bool {
    let Some(KeyTarget::Column(number)) = keys.first().map(|key| &key.part.target) else { return false };
    let statistics = asking.relation.column(*number).and_then(|column| column.statistics.as_ref());
    statistics.is_some_and(|statistics| statistics.correlation.abs() >= CLUSTERED)
}

fn purpose_words(purpose: OrderPurpose) -> &'static str {
    match purpose {
        OrderPurpose::Sort => "order by",
        OrderPurpose::Group => "grouping by",
        OrderPurpose::Distinct => "distinct values of",
        OrderPurpose::Window => "window order by",
        OrderPurpose::Extremum => "first or last value of",
    }
}

/// Join columns as a nested loop's inner side binds them (equalities like any other), and in order for a merge join.
fn joins(asking: &mut Asking<'_>) {
    let mut joins: Vec<&JoinClause> = Vec::new();
    for join in &asking.usage.joins {
        let known = |other: &&JoinClause| other.key.compares_like(&join.key) && other.other == join.other;
        if asking.admits(&join.key) && !joins.iter().any(known) {
            joins.push(join);
        }
    }
    for join in &joins {
        join_on(asking, std::slice::from_ref(&join.key));
    }
    for set in join_sets(&joins) {
        join_on(asking, &set);
    }
}

fn join_on(asking: &mut Asking<'_>, keys: &[KeyPart]) {
    let (equal, ranges) = (asking.equal.clone(), asking.ranges.clone());
    let joined = asking.words("join on", keys);
    let equality = asking.words("equality on", &parts(&equal));
    asking.ask(keys.to_vec(), Vec::new(), false, std::slice::from_ref(&joined));
    if !equal.is_empty() {
        let all = || keys.iter().cloned().chain(parts(&equal)).collect::<Vec<KeyPart>>();
        asking.ask(all(), Vec::new(), false, &[joined.clone(), equality.clone()]);
        let fixed: Vec<Bound> = equal.iter().filter(|bound| bound.is_single()).cloned().collect();
        if let (false, [key]) = (fixed.is_empty(), keys) {
            let words = [asking.words("equality on", &parts(&fixed)), joined.clone()];
            asking.ask(parts(&fixed), vec![Key::ascending(key.clone())], true, &words);
        }
    }
    if let Some(range) = ranges.first() {
        let all = keys.iter().cloned().chain(parts(&equal)).collect();
        let words = [joined.clone(), equality, asking.words("range on", std::slice::from_ref(&range.part))];
        asking.ask(all, vec![Key::ascending(range.part.clone())], false, &words);
    }
    let limited = |order: &&Order| order.limited || order.purpose == OrderPurpose::Extremum;
    for order in asking.usage.orders.iter().filter(limited) {
        let Some(tail) = order_keys(asking, order) else { continue };
        let fixed = equal.iter().filter(|bound| bound.is_single()).map(|bound| bound.part.clone());
        let words = [joined.clone(), asking.words(purpose_words(order.purpose), &key_parts(&tail))];
        asking.ask(keys.iter().cloned().chain(fixed).collect(), tail, true, &words);
    }
}

/// Sets of two and more join columns that one loop can bind together: all that lead to the same relation, and pairs.
fn join_sets(joins: &[&JoinClause]) -> Vec<Vec<KeyPart>> {
    let mut sets: Vec<Vec<KeyPart>> = Vec::new();
    let others: BTreeSet<u32> = joins.iter().map(|join| join.other).collect();
    for other in others {
        let mut classes = BTreeSet::new();
        let same = joins.iter().filter(|join| join.other == other && classes.insert(join.class));
        let set: Vec<KeyPart> = same.map(|join| join.key.clone()).collect();
        if set.len() > 1 {
            sets.push(set);
        }
    }
    let mut columns: Vec<&JoinClause> = Vec::new();
    for join in joins {
        if !columns.iter().any(|known| known.key.target == join.key.target) {
            columns.push(join);
        }
    }
    if columns.len() <= JOINS_TO_PAIR {
        for (i, a) in columns.iter().enumerate() {
            for b in columns.iter().skip(i + 1).filter(|b| b.class != a.class) {
                sets.push(vec![a.key.clone(), b.key.clone()]);
            }
        }
    }
    sets
}

/// For each arm of an OR, its own index: the planner ORs their bitmaps. Conditions outside the OR may join each arm.
fn alternatives(asking: &mut Asking<'_>) {
    for arm in asking.usage.alternatives.iter().flatten() {
        let (equal, ranges) = asking.bounds(arm);
        for outside in [Vec::new(), parts(&asking.equal)] {
            let all: Vec<KeyPart> = parts(&equal).into_iter().chain(outside).collect();
            let words = asking.words("one side of OR: equality on", &all);
            asking.ask(all.clone(), Vec::new(), false, std::slice::from_ref(&words));
            for range in &ranges {
                let range_words = asking.words("range on", std::slice::from_ref(&range.part));
                let words = if all.is_empty() {
                    [format!("one side of OR: {range_words}"), String::new()]
                } else {
                    [words.clone(), range_words]
                };
                asking.ask(all.clone(), vec![Key::ascending(range.part.clone())], false, &words);
            }
        }
    }
}

/// A table read whole for a few narrow columns: an index over these is less to read.
fn narrow_scan(asking: &mut Asking<'_>, block_size: u32) {
    let usage = asking.usage;
    let (Some(needed), Some(row)) = (&usage.needed, row_width(asking.relation, block_size)) else { return };
    let bytes: f64 = needed.iter().map(|number| column_width(asking.relation, *number)).sum();
    let unrestricted = usage.restrictions.is_empty() && usage.alternatives.is_empty();
    if !unrestricted || bytes + ENTRY_OVERHEAD > NARROWER * row {
        return;
    }
    // Only columns that some clause or index already showed how to compare can be keys.
    let existing = asking.relation.indexes.iter().filter_map(|index| index.definition.as_ref());
    let known = existing.flat_map(|definition| definition.keys.iter().map(|key| &key.part));
    let joined = usage.joins.iter().map(|join| &join.key);
    let ordered = usage.orders.iter().flat_map(|order| order.keys.iter().map(|key| &key.part));
    let is_needed = |part: &&KeyPart| match part.target {
        KeyTarget::Column(number) => needed.contains(&number),
        KeyTarget::Expression(_) => false,
    };
    let width = |part: &KeyPart| -> (u64, AttrNumber) {
        match part.target {
            KeyTarget::Column(number) => (column_width(asking.relation, number) as u64, number),
            KeyTarget::Expression(_) => (u64::MAX, 0),
        }
    };
    let key = joined.chain(ordered).chain(known).filter(is_needed).min_by_key(|part| width(part)).cloned();
    if let Some(key) = key {
        let words = ["reading these columns only".to_string()];
        asking.ask_in(Forms::Covering, Vec::new(), vec![Key::ascending(key)], false, &words);
    }
}

/// A predicate whose clause no btree can search (`status <> 'done'`): a partial index holds just these rows, whatever
/// its key. The key of an existing index is known to be comparable; the primary key's is narrow besides.
fn predicates_alone(asking: &mut Asking<'_>) {
    let usage = asking.usage;
    let searched = !usage.restrictions.is_empty() || !usage.joins.is_empty() || !usage.orders.is_empty();
    if searched || !asking.has_predicates() {
        return;
    }
    let mut indexes: Vec<&ExistingIndex> = asking.relation.indexes.iter().filter(|i| i.valid).collect();
    indexes.sort_by_key(|index| (!index.primary, !index.unique, index.oid));
    let keys = indexes.iter().filter_map(|index| index.definition.as_ref()?.keys.first());
    if let Some(key) = keys.map(|key| key.part.clone()).find(|part| asking.admits(part)) {
        let words = ["finding few rows".to_string()];
        asking.ask_in(Forms::Partial, Vec::new(), vec![Key::ascending(key)], false, &words);
    }
}

fn key_parts(keys: &[Key]) -> Vec<KeyPart> {
    keys.iter().map(|key| key.part.clone()).collect()
}
