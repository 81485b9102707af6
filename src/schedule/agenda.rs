//! `Agenda`: what the launcher knows of the databases, and which of them it looks into next.
//!
//! Pure: it starts nothing and waits for nothing; the launcher tells it what happened and asks what to do.

use crate::catalog::Oid;
use std::collections::BTreeMap;

/// After a database could not be looked into (a lock, tables that were changed), seconds until the next attempt; twice as
/// many after each further one, up to the second number.
const AFTER_TROUBLE: (i64, i64) = (5, 600);
/// The clock and the list of databases are looked at so often, seconds: a clock that was set, a database that was
/// created.
pub const LONGEST_WAIT: i64 = 60;
/// A clock that goes back by less is being slewed, not set, seconds.
const CLOCK_SET: i64 = 2;

/// A job that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    pub name: String,
    /// The role that it runs as.
    pub role: Oid,
}

/// What a look into a database found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// No job is due before this time, Unix seconds; None for never.
    Nothing(Option<i64>),
    Due(Due),
    /// It could not be looked into.
    Trouble,
}

/// What is known of a database.
#[derive(Clone, Debug)]
struct Database {
    /// When to look into it; None for not before somebody says so.
    look: Option<i64>,
    /// Its jobs changed since the last look began: what that finds is out of date.
    changed: bool,
    /// A job of ours is running in it.
    running: bool,
    /// A job is due, and as many as may are running elsewhere.
    blocked: bool,
    /// Seconds to wait after the next trouble.
    patience: i64,
}

/// What the launcher knows.
#[derive(Clone, Debug, Default)]
pub struct Agenda {
    databases: BTreeMap<Oid, Database>,
    /// The time of the last look at the clock.
    seen: Option<i64>,
}

impl Agenda {
    /// Takes notice of the time. If the clock was set back, nothing that was reckoned by it holds.
    pub fn clock(&mut self, now: i64) {
        if self.seen.is_some_and(|seen| now < seen - CLOCK_SET) {
            self.look_everywhere(now);
        }
        self.seen = Some(now);
    }

    /// Takes notice of the databases that there are. A new one is looked into once.
    pub fn databases(&mut self, now: i64, existing: &[Oid]) {
        self.databases.retain(|database, known| known.running || existing.contains(database));
        for database in existing {
            let new = Database {
                look: Some(now),
                changed: false,
                running: false,
                blocked: false,
                patience: AFTER_TROUBLE.0,
            };
            self.databases.entry(*database).or_insert(new);
        }
    }

    /// Somebody changed the jobs of a database.
    pub fn told(&mut self, now: i64, database: Oid) {
        if let Some(known) = self.databases.get_mut(&database) {
            known.look = Some(now);
            known.changed = true;
        }
    }

    /// Nothing that is known about jobs may hold any more.
    pub fn look_everywhere(&mut self, now: i64) {
        let all: Vec<Oid> = self.databases.keys().copied().collect();
        all.into_iter().for_each(|database| self.told(now, database));
    }

    /// A look into a database begins.
    pub fn begin_look(&mut self, database: Oid) {
        if let Some(known) = self.databases.get_mut(&database) {
            known.changed = false;
        }
    }

    /// The database to look into now: the one that has waited longest.
    pub fn next_look(&self, now: i64) -> Option<Oid> {
        let waiting = self.databases.iter().filter(|(_, known)| !known.running && !known.blocked);
        let due = waiting.filter_map(|(oid, known)| known.look.filter(|at| *at <= now).map(|at| (at, *oid)));
        due.min().map(|(_, oid)| oid)
    }

    /// Takes notice of what a look found; the job to start now, if one is due and fewer than `most` are running.
    pub fn looked(&mut self, now: i64, database: Oid, found: Found, most: usize) -> Option<Due> {
        let running = self.databases.values().filter(|known| known.running).count();
        let known = self.databases.get_mut(&database)?;
        match found {
            Found::Nothing(_) if known.changed => known.look = Some(now),
            Found::Nothing(next) => known.look = next.map(|next| next.max(now + 1)),
            Found::Trouble => {
                known.look = Some(now + known.patience);
                known.patience = (2 * known.patience).min(AFTER_TROUBLE.1);
                return None;
            }
            Found::Due(due) if running < most => {
                known.running = true;
                known.look = None;
                return Some(due);
            }
            Found::Due(_) => known.blocked = true,
        }
        known.patience = AFTER_TROUBLE.0;
        None
    }

    /// A job has ended, however, or could not be started: what comes next in its database is to be seen, and there is
    /// room for others.
    pub fn ended(&mut self, now: i64, database: Oid) {
        for known in self.databases.values_mut().filter(|known| known.blocked) {
            known.blocked = false;
            known.look = Some(now);
        }
        if let Some(known) = self.databases.get_mut(&database) {
            known.running = false;
            known.look = Some(now);
        }
    }

    /// A job could not be started: tries again after a while.
    pub fn postpone(&mut self, now: i64, database: Oid, seconds: i64) {
        self.ended(now, database);
        if let Some(known) = self.databases.get_mut(&database) {
            known.look = Some(now + seconds);
        }
    }

    /// Seconds until there may be something to do, at least one.
    pub fn wait(&self, now: i64) -> i64 {
        let waiting = self.databases.values().filter(|known| !known.running && !known.blocked);
        let next = waiting.filter_map(|known| known.look).min();
        next.map_or(LONGEST_WAIT, |next| (next - now).clamp(1, LONGEST_WAIT))
    }
}

/// The earlier of two times; None is never.
pub fn earlier(a: Option<i64>, b: Option<i64>) -> Option<i64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
