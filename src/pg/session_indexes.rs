//! `SessionIndexes`: the hypothetical indexes that the user made by hand, and the indexes hidden, in this session.
//!
//! They live in this backend's memory alone: nothing in a catalog, no lock, nothing that a rollback or another session could touch.

use super::access_method::Traits;
use super::analyze;
use super::catalog;
use super::create_index::{self, Written};
use super::expression_statistics::ExpressionStatistics;
use super::hypothetical::Hypothetical;
use super::identity::Identity;
use super::isolated::{PgError, isolated};
use super::lengths;
use super::neighbours;
use super::opclass;
use super::sample::Sampler;
use crate::candidate::definition::{Expression, IndexDefinition, KeyTarget};
use crate::catalog::{Oid, Relation};
use crate::cost::size::SizeEstimate;
use pgrx::pg_sys::errcodes::PgSqlErrorCode::*;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// One index made by hand.
pub struct Entry {
    pub oid: Oid,
    /// `<oid>am_table_columns`, as EXPLAIN shows it.
    pub name: String,
    pub definition: IndexDefinition,
    pub unique: bool,
    pub size: SizeEstimate,
    /// What `CREATE INDEX` would make it.
    pub ddl: String,
    pub(super) hypothetical: Hypothetical,
}

#[derive(Default)]
struct SessionIndexes {
    entries: BTreeMap<Oid, Rc<Entry>>,
    /// Real and hypothetical ones.
    hidden: BTreeSet<Oid>,
    /// Names of indexes outside the list, while their plans are shown.
    shown: BTreeMap<Oid, String>,
    /// OIDs given out so far; none is given twice in a session.
    given: u32,
}

thread_local! {
    static SESSION: RefCell<SessionIndexes> = RefCell::default();
}

/// What a planner call of this session's EXPLAIN sees.
pub struct InSession {
    pub(super) seen: Vec<Rc<Entry>>,
    /// Real indexes that it does not see.
    pub hidden: Vec<Oid>,
}

/// Where the OIDs of these indexes begin; those of a run's candidates (`catalog::free_oids`) lie below.
const FIRST_OID: Oid = 4_100_000_000;

/// Makes the indexes that a text of CREATE INDEX statements describes, all or none. Gives those made and the numbers of the
/// statements that are something else.
///
/// # Errors
/// As `create_index::read`; also where nothing tells how large an index would be.
pub fn create(text: &str, lock_timeout_ms: i32) -> Result<(Vec<Rc<Entry>>, Vec<usize>), PgError> {
    let (entries, others) = prepare_all(text, lock_timeout_ms)?;
    let entries: Vec<Rc<Entry>> = entries.into_iter().map(Rc::new).collect();
    SESSION.with_borrow_mut(|session| {
        session.entries.extend(entries.iter().map(|entry| (entry.oid, Rc::clone(entry))));
    });
    Ok((entries, others))
}

/// Between two looks at a table its lock is given back. One that another session drops just then makes a look-up fail with an
/// internal error ("cache lookup failed"); the next look says in plain words what is the matter.
const LOOKS_AGAIN: usize = 3;

/// The same outside the session's list.
///
/// # Errors
/// As `create`.
pub fn prepare_all(text: &str, lock_timeout_ms: i32) -> Result<(Vec<Entry>, Vec<usize>), PgError> {
    let mut outcome = prepare_once(text, lock_timeout_ms);
    for _ in 0..LOOKS_AGAIN {
        match &outcome {
            Err(error) if error.code == ERRCODE_INTERNAL_ERROR => {
                outcome = prepare_once(text, lock_timeout_ms)
            }
            _ => break,
        }
    }
    outcome
}

fn prepare_once(text: &str, lock_timeout_ms: i32) -> Result<(Vec<Entry>, Vec<usize>), PgError> {
    let script = create_index::read(text, lock_timeout_ms)?;
    // The tables stay as they are until all is known of them; the end of the sub-transaction gives the locks back.
    isolated(Some(&Identity::caller(lock_timeout_ms)), || {
        let mut entries = Vec::new();
        for written in script.indexes {
            catalog::lock(written.definition.relation);
            entries.push(prepare(written, next_oid()?, lock_timeout_ms)?);
        }
        Ok((entries, script.others))
    })?
}

/// A definition made ready for the planner.
fn prepare(written: Written, oid: Oid, lock_timeout_ms: i32) -> Result<Entry, PgError> {
    let Written { definition, unique, nulls_not_distinct } = written;
    let mut relation = catalog::read_one(definition.relation)?
        .ok_or_else(|| PgError::new(ERRCODE_UNDEFINED_TABLE, "the table was dropped meanwhile"))?;
    let storage = catalog::read_storage()?;
    let estimate = definition
        .predicate
        .as_ref()
        .map(|predicate| analyze::share_of_rows(&relation, &predicate.sql, lock_timeout_ms));
    let counted = definition.predicate.as_ref().filter(|_| estimate.is_some_and(|(_, founded)| !founded));
    let sampler = Sampler::as_set();
    let statistics = sample_expressions(&definition, counted, &mut relation, &sampler);
    let share = counted.and_then(|predicate| statistics.as_ref()?.share(predicate));
    neighbours::count_for(&definition, &mut relation, sampler);
    lengths::read_for(&definition, &mut relation);
    let kept = share.or(estimate.map(|(share, _)| share)).unwrap_or(1.0);
    let size = opclass::size_of(&definition, &relation, storage, Some(kept), sampler).map_err(|reason| {
        let mut error = PgError::new(
            ERRCODE_FEATURE_NOT_SUPPORTED,
            format!("the size of the {} index cannot be estimated", definition.access_method.name()),
        );
        error.detail = Some(reason.to_string());
        error
    })?;
    let traits = Traits::of(definition.access_method)?;
    let mut hypothetical = Hypothetical::new(&definition, size, relation.tuples, oid, traits, |number| {
        relation.column(number).map_or(0, |column| column.type_oid)
    });
    if unique {
        hypothetical = hypothetical.taken_as_unique(nulls_not_distinct);
    }
    if let Some(statistics) = statistics {
        hypothetical = hypothetical.with_statistics(Rc::new(statistics));
    }
    let ddl = definition.create_statement(&relation, false);
    let ddl = if unique { ddl.replacen("CREATE INDEX", "CREATE UNIQUE INDEX", 1) } else { ddl };
    Ok(Entry { oid, name: name_of(&definition, &relation, oid), definition, unique, size, ddl, hypothetical })
}

/// Statistics of the expressions that it is on, and of a condition to be counted, from a sample of rows; None where there are none
/// to be had, which leaves the planner's own assumptions.
fn sample_expressions(
    definition: &IndexDefinition,
    counted: Option<&Expression>,
    relation: &mut Relation,
    sampler: &Sampler,
) -> Option<ExpressionStatistics> {
    let expressions: Vec<Expression> = definition.key_expressions().chain(counted).cloned().collect();
    if expressions.is_empty() {
        return None;
    }
    let statistics = ExpressionStatistics::sample(sampler, relation, &expressions).ok()?;
    statistics.record(relation);
    Some(statistics)
}

/// `<oid>am_table_columns`, no longer than a name may be (`NAMEDATALEN`).
fn name_of(definition: &IndexDefinition, relation: &Relation, oid: Oid) -> String {
    let mut name = format!("<{oid}>{}_{}", definition.access_method.name(), relation.name);
    for key in &definition.keys {
        let column = match &key.part.target {
            KeyTarget::Column(number) => relation.column(*number).map_or("?", |column| &column.name),
            KeyTarget::Expression(_) => "expr",
        };
        name.push('_');
        name.push_str(column);
    }
    let most = pgrx::pg_sys::NAMEDATALEN as usize - 1;
    let end = (0..=most.min(name.len())).rev().find(|end| name.is_char_boundary(*end)).unwrap_or(0);
    name.truncate(end);
    name
}

/// An OID that no relation has and that this session has not given out.
fn next_oid() -> Result<Oid, PgError> {
    loop {
        let oid = SESSION.with_borrow_mut(|session| {
            session.given += 1;
            FIRST_OID + session.given - 1
        });
        if !catalog::relation_exists(oid)? {
            return Ok(oid);
        }
    }
}

/// The indexes made by hand, by OID, each with whether it is hidden.
pub fn list() -> Vec<(Rc<Entry>, bool)> {
    SESSION.with_borrow(|session| {
        let hidden = |entry: &Rc<Entry>| session.hidden.contains(&entry.oid);
        session.entries.values().map(|entry| (Rc::clone(entry), hidden(entry))).collect()
    })
}

/// The real and hypothetical indexes hidden, by OID.
pub fn hidden() -> Vec<Oid> {
    SESSION.with_borrow(|session| session.hidden.iter().copied().collect())
}

/// Forgets one; false if there is no such hypothetical index.
pub fn drop(oid: Oid) -> bool {
    SESSION.with_borrow_mut(|session| {
        let found = session.entries.remove(&oid).is_some();
        if found {
            session.hidden.remove(&oid);
        }
        found
    })
}

/// Forgets all hypothetical indexes and shows all hidden ones.
pub fn reset() {
    SESSION.with_borrow_mut(|session| {
        session.entries.clear();
        session.hidden.clear();
    });
}

/// Hides an index from EXPLAIN; false if it was hidden already.
///
/// # Errors
/// There is no such index, real or hypothetical.
pub fn hide(oid: Oid) -> Result<bool, PgError> {
    let ours = SESSION.with_borrow(|session| session.entries.contains_key(&oid));
    if !ours && !catalog::index_exists(oid)? {
        let message = format!("there is no index with OID {oid}");
        return Err(PgError::new(ERRCODE_UNDEFINED_OBJECT, message)
            .with_hint("Give a real index by name, as in 'public.orders_date_idx'::regclass, or an OID that create_hypothetical_index() gave."));
    }
    Ok(SESSION.with_borrow_mut(|session| session.hidden.insert(oid)))
}

/// Shows a hidden index again; false if it was not hidden.
pub fn unhide(oid: Oid) -> bool {
    SESSION.with_borrow_mut(|session| session.hidden.remove(&oid))
}

/// Whether EXPLAIN has anything to simulate.
pub fn any() -> bool {
    crate::settings::hypothetical_indexes()
        && SESSION.with_borrow(|session| !session.entries.is_empty() || !session.hidden.is_empty())
}

/// What EXPLAIN is to see; None if that is just what is there.
pub fn in_session() -> Option<InSession> {
    if !any() {
        return None;
    }
    SESSION.with_borrow(|session| {
        let seen = session.entries.values().filter(|entry| !session.hidden.contains(&entry.oid));
        Some(InSession { seen: seen.cloned().collect(), hidden: session.hidden.iter().copied().collect() })
    })
}

/// What EXPLAIN calls a hypothetical index.
pub fn name(oid: Oid) -> Option<String> {
    SESSION.with_borrow(|session| {
        let listed = session.entries.get(&oid).map(|entry| &entry.name);
        listed.or_else(|| session.shown.get(&oid)).cloned()
    })
}

/// While it lives, EXPLAIN knows the names of these indexes, listed or not.
pub struct Named;

impl Named {
    /// Makes them known.
    pub fn begin(indexes: &[Rc<Entry>]) -> Named {
        Named::all(indexes.iter().map(|entry| (entry.oid, entry.name.clone())).collect())
    }

    /// The same for indexes that are in no list, by OID.
    pub fn all(names: BTreeMap<Oid, String>) -> Named {
        SESSION.with_borrow_mut(|session| session.shown = names);
        Named
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        SESSION.with_borrow_mut(|session| session.shown.clear());
    }
}
