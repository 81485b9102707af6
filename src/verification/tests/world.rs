//! `World`: a history made by hand, in which statements run, indexes come and go, and snapshots are taken.

use crate::verification::known::{
    Archive, Counter, Counters, Known, KnownIndex, KnownStatement, Moment, Present, Promise, TableCounter,
};
use crate::verification::{Verification, verify};
use std::collections::BTreeMap;
use std::convert::Infallible;

pub const HOUR: f64 = 3600.0;
pub const DAY: f64 = 24.0 * HOUR;

/// A history in the making; `snapshot` notes everything as it stands.
#[derive(Clone)]
pub struct World {
    pub known: Known,
    pub noted: Noted,
    running: BTreeMap<i64, Counter>,
    tables: BTreeMap<String, TableCounter>,
    at: f64,
    reset: f64,
    pub tables_reset: f64,
    /// Of single calls' times, as a share of their mean.
    pub deviation: f64,
}

/// Counters of all snapshots.
#[derive(Clone, Default)]
pub struct Noted {
    pub counters: Counters,
    tables: BTreeMap<(i64, String), TableCounter>,
}

impl Archive for Noted {
    type Error = Infallible;

    fn counters(&mut self, moments: &[i64], statements: &[i64]) -> Result<Counters, Infallible> {
        let wanted =
            |(moment, statement): &(i64, i64)| moments.contains(moment) && statements.contains(statement);
        Ok(self.counters.iter().filter(|(key, _)| wanted(key)).map(|(key, value)| (*key, *value)).collect())
    }

    fn table_counters(
        &mut self,
        moments: &[i64],
        relation: &str,
    ) -> Result<BTreeMap<i64, TableCounter>, Infallible> {
        let found =
            self.tables.iter().filter(|((moment, name), _)| moments.contains(moment) && name == relation);
        Ok(found.map(|((moment, _), value)| (*moment, *value)).collect())
    }
}

impl World {
    /// Nothing yet; counters were reset an hour before the first step.
    pub fn new() -> World {
        World {
            known: Known::default(),
            noted: Noted::default(),
            running: BTreeMap::new(),
            tables: BTreeMap::new(),
            at: 1.8e9,
            reset: 1.8e9 - HOUR,
            tables_reset: 1.8e9 - HOUR,
            deviation: 0.2,
        }
    }

    /// Statement 1 on public.t, which index 1 was promised to bring to a tenth, and ten statements on other tables.
    pub fn usual() -> World {
        let mut world = World::new();
        world.statement(1, &["public.t"]);
        for other in 101..=110 {
            world.statement(other, &["public.other"]);
        }
        world.promise(1, 1, &[(1, 0.1)]);
        world
    }

    pub fn statement(&mut self, id: i64, relations: &[&str]) {
        self.known.statements.push(KnownStatement {
            id,
            query_id: id,
            role: None,
            text: format!("SELECT {id}"),
            relations: relations.iter().map(ToString::to_string).collect(),
            recent_ms: 0.0,
        });
    }

    pub fn promise(&mut self, recommendation: i64, index: i64, ratios: &[(i64, f64)]) {
        let ddl = format!("CREATE INDEX CONCURRENTLY ON public.t (c{index})");
        let ratios = ratios.iter().copied().collect();
        self.known.promises.push(Promise { recommendation, index, ddl, ratios });
    }

    pub fn runs(&mut self, statement: i64, calls: f64, ms: f64) {
        let spread = 1.0 + self.deviation * self.deviation;
        let counter = self.running.entry(statement).or_default();
        counter.calls += calls;
        counter.total_ms += calls * ms;
        counter.exec_ms += calls * ms;
        counter.squares += calls * ms * ms * spread;
        counter.rows += calls;
        counter.blocks_hit += calls * ms * 100.0;
    }

    pub fn call(&mut self, statement: i64, ms: f64) {
        let counter = self.running.entry(statement).or_default();
        counter.calls += 1.0;
        counter.total_ms += ms;
        counter.exec_ms += ms;
        counter.squares += ms * ms;
        counter.rows += 1.0;
    }

    /// The ten others run for 5 ms a call.
    pub fn others_run(&mut self, calls: f64, ms: f64) {
        for other in 101..=110 {
            self.runs(other, calls, ms);
        }
    }

    pub fn rows(&mut self, statement: i64, rows: f64) {
        self.running.entry(statement).or_default().rows += rows;
    }

    pub fn writes(&mut self, relation: &str, updated: f64, hot: f64) {
        let counter = self.tables.entry(relation.to_string()).or_default();
        counter.updated += updated;
        counter.hot_updated += hot;
    }

    pub fn passes(&mut self, seconds: f64) {
        self.at += seconds;
    }

    pub fn resets(&mut self) {
        self.running.clear();
        self.reset = self.at;
    }

    /// As many statements as others crowd it out of pg_stat_statements.
    pub fn evicts(&mut self, statement: i64) {
        self.running.remove(&statement);
    }

    pub fn snapshot(&mut self) -> i64 {
        let id = self.known.moments.last().map_or(1, |moment| moment.id + 1);
        self.known.moments.push(Moment {
            id,
            at: self.at,
            statements_reset: Some(self.reset),
            tables_reset: Some(self.tables_reset),
        });
        for (statement, counter) in &self.running {
            self.noted.counters.insert((id, *statement), *counter);
        }
        for (relation, counter) in &self.tables {
            self.noted.tables.insert((id, relation.clone()), *counter);
        }
        for statement in &mut self.known.statements {
            statement.recent_ms = self.running.get(&statement.id).map_or(0.0, |counter| counter.total_ms);
        }
        id
    }

    /// An index that was not there at the last snapshot and will be at the next.
    pub fn creates(&mut self, id: i64, relation: &str) -> &mut KnownIndex {
        let last = self.known.moments.last().map(|moment| moment.id);
        self.known.indexes.push(KnownIndex {
            id,
            relation: relation.to_string(),
            name: format!("public.i{id}"),
            definition: format!("CREATE INDEX i{id} ON {relation} USING btree (c{id})"),
            oids: Vec::new(),
            backs_constraint: false,
            absent: last,
            first: last.map(|last| last + 1),
            gone: None,
            is_gone: false,
            created_at: None,
            now: Some(Present { valid: true, scans: 1000.0, size_bytes: 1 << 20, ..Present::default() }),
            has_table: true,
            last: None,
        });
        self.known.indexes.last_mut().expect("just pushed")
    }

    /// An index that was there from the start.
    pub fn has(&mut self, id: i64, relation: &str) {
        let index = self.creates(id, relation);
        (index.absent, index.first) = (None, Some(1));
    }

    /// An index on public.t that comes between a snapshot and the next.
    pub fn creates_between_snapshots(&mut self, id: i64) {
        self.snapshot();
        self.creates(id, "public.t");
        self.snapshot();
    }

    pub fn drops(&mut self, id: i64) {
        let next = self.known.moments.last().map_or(1, |moment| moment.id + 1);
        let index = self.index(id);
        (index.gone, index.is_gone, index.now) = (Some(next), true, None);
    }

    pub fn drops_between_snapshots(&mut self, id: i64) {
        self.snapshot();
        self.drops(id);
        self.snapshot();
    }

    pub fn index(&mut self, id: i64) -> &mut KnownIndex {
        self.known.indexes.iter_mut().find(|index| index.id == id).expect("a known index")
    }

    pub fn present(&mut self, id: i64) -> &mut Present {
        self.index(id).now.as_mut().expect("it is there")
    }

    /// A snapshot, then the verdicts.
    pub fn verify(&mut self) -> Vec<Verification> {
        self.snapshot();
        self.judged()
    }

    pub fn judged(&mut self) -> Vec<Verification> {
        let Ok(verdicts) = verify(&self.known, &mut self.noted);
        verdicts.into_iter().map(|(_, verification)| verification).collect()
    }
}

/// The verdict, where there is one alone.
pub fn only(world: &mut World) -> Verification {
    let mut verdicts = world.verify();
    assert_eq!(verdicts.len(), 1, "{verdicts:?}");
    verdicts.remove(0)
}
