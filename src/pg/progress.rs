//! Progress: where a run is, told to other sessions through shared memory (where the library is preloaded) and to the
//! caller in notices (where asked for). It changes nothing about the run.
//!
//! A run writes single numbers into its slot without a lock: one who reads meanwhile may see a count that is ahead of its
//! phase, and nothing worse.

use crate::catalog::Oid;
use crate::settings;
use pgrx::prelude::*;
use pgrx::{PGRXSharedMemory, PgAtomic, pg_shmem_init, pg_sys};
use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Runs that are seen at the same time, on the whole server; further ones are not shown.
const SLOTS: usize = 64;
/// Within a phase, a notice comes so often.
const NOTICE_EVERY: Duration = Duration::from_secs(2);

/// What a run is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Examination = 1,
    Catalog,
    Expressions,
    Candidates,
    Selection,
    Proof,
    Advice,
}

impl Phase {
    const ALL: [Phase; 7] = [
        Phase::Examination,
        Phase::Catalog,
        Phase::Expressions,
        Phase::Candidates,
        Phase::Selection,
        Phase::Proof,
        Phase::Advice,
    ];

    /// As users see it.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Examination => "examination",
            Phase::Catalog => "catalog",
            Phase::Expressions => "expressions",
            Phase::Candidates => "candidates",
            Phase::Selection => "selection",
            Phase::Proof => "proof",
            Phase::Advice => "advice",
        }
    }

    /// What is counted in it.
    fn unit(self) -> &'static str {
        match self {
            Phase::Examination | Phase::Candidates => "statements",
            Phase::Expressions => "tables",
            _ => "planner calls",
        }
    }
}

/// One run in shared memory. The process number is 0 in a free slot.
#[derive(Default)]
struct Slot {
    process: AtomicI32,
    database: AtomicU32,
    role: AtomicU32,
    phase: AtomicU32,
    done: AtomicU64,
    /// 0 where nobody knows.
    total: AtomicU64,
    /// Bits of the share saved; those of NaN before there is one.
    best: AtomicU64,
    /// Microseconds, as timestamptz counts them.
    started: AtomicI64,
}

struct Slots([Slot; SLOTS]);

impl Default for Slots {
    fn default() -> Slots {
        Slots(std::array::from_fn(|_| Slot::default()))
    }
}

// SAFETY: atomic numbers, no pointers.
unsafe impl PGRXSharedMemory for Slots {}

// SAFETY: the name is the extension's own.
static RUNS: PgAtomic<Slots> = unsafe { PgAtomic::new(c"pg_index_advisor progress") };
/// Whether this process frees its slots when it ends.
static FREED_AT_EXIT: AtomicBool = AtomicBool::new(false);

/// Asks for the shared memory; once, by `_PG_init`, and only while libraries are preloaded.
#[allow(unexpected_cfgs, reason = "the macro asks for versions that this crate does not build for")]
pub fn init() {
    pg_shmem_init!(RUNS);
}

/// What this session's run has got to.
struct Current {
    slot: Option<&'static Slot>,
    notices: bool,
    phase: Phase,
    done: u64,
    total: Option<u64>,
    best: Option<f64>,
    noticed: Instant,
}

thread_local! {
    /// The run that goes on in this session; one that was begun by code of another's stands before it.
    static CURRENT: RefCell<Vec<Current>> = const { RefCell::new(Vec::new()) };
}

/// While it lives, a run is seen.
pub struct Shown(());

/// A run begins.
pub fn begin() -> Shown {
    let current = Current {
        slot: claim(),
        notices: settings::progress_notices(),
        phase: Phase::Examination,
        done: 0,
        total: None,
        best: None,
        noticed: Instant::now(),
    };
    CURRENT.with_borrow_mut(|runs| runs.push(current));
    Shown(())
}

impl Drop for Shown {
    fn drop(&mut self) {
        let ended = CURRENT.with(|runs| runs.try_borrow_mut().ok().and_then(|mut runs| runs.pop()));
        if let Some(slot) = ended.and_then(|run| run.slot) {
            slot.process.store(0, Ordering::Release);
        }
    }
}

/// The run enters a phase that takes `total` steps, where that is known.
pub fn enter(phase: Phase, total: Option<usize>) {
    update(|run| {
        run.phase = phase;
        run.done = 0;
        run.total = total.map(|total| total as u64);
        if let Some(slot) = run.slot {
            slot.total.store(run.total.unwrap_or(0), Ordering::Relaxed);
            slot.done.store(0, Ordering::Relaxed);
            slot.phase.store(phase as u32, Ordering::Relaxed);
        }
        run.notices.then(|| run.words())
    });
}

/// One step of the phase is done.
pub fn step() {
    update(|run| {
        run.done += 1;
        if let Some(slot) = run.slot {
            slot.done.store(run.done, Ordering::Relaxed);
        }
        (run.notices && run.noticed.elapsed() >= NOTICE_EVERY).then(|| run.words())
    });
}

/// A set was found that saves this share of the examined time (0 to 1); the best of them is shown.
pub fn found(saving: f64) {
    update(|run| {
        let best = run.best.map_or(saving, |best| best.max(saving));
        run.best = Some(best);
        if let Some(slot) = run.slot {
            slot.best.store(best.to_bits(), Ordering::Relaxed);
        }
        None
    });
}

/// Changes what is known of the current run, if there is one, and says what comes of it.
fn update(change: impl FnOnce(&mut Current) -> Option<String>) {
    let notice = CURRENT.with_borrow_mut(|runs| runs.last_mut().and_then(change));
    // Not while the run is borrowed: to raise a notice may raise an error.
    if let Some(words) = notice {
        CURRENT.with_borrow_mut(|runs| runs.last_mut().map(|run| run.noticed = Instant::now()));
        pgrx::notice!("{words}");
    }
}

impl Current {
    fn words(&self) -> String {
        let phase = self.phase.name();
        let of = match (self.done, self.total) {
            (0, None) => String::new(),
            (0, Some(total)) => format!(" of {total} {}", self.phase.unit()),
            (done, Some(total)) => format!(": {done} of {total} {}", self.phase.unit()),
            (done, None) => format!(": {done} {}", self.phase.unit()),
        };
        let best = self.best.map(|share| format!("; the best so far saves {:.1} %", share * 100.0));
        format!("{phase}{of}{}", best.unwrap_or_default())
    }
}

/// A slot for a run of this process.
fn claim() -> Option<&'static Slot> {
    if !super::board::is_preloaded() {
        return None;
    }
    free_at_exit();
    // SAFETY: reads variables of the process.
    let (me, database, role) =
        unsafe { (pg_sys::MyProcPid, pg_sys::MyDatabaseId.to_u32(), pg_sys::GetUserId().to_u32()) };
    let slots = &RUNS.get().0;
    let slot = slots
        .iter()
        .find(|slot| slot.process.compare_exchange(0, me, Ordering::Acquire, Ordering::Relaxed).is_ok())?;
    slot.database.store(database, Ordering::Relaxed);
    slot.role.store(role, Ordering::Relaxed);
    slot.total.store(0, Ordering::Relaxed);
    slot.done.store(0, Ordering::Relaxed);
    slot.best.store(f64::NAN.to_bits(), Ordering::Relaxed);
    // SAFETY: reads the clock.
    slot.started.store(unsafe { pg_sys::GetCurrentTimestamp() }, Ordering::Relaxed);
    slot.phase.store(Phase::Examination as u32, Ordering::Release);
    Some(slot)
}

/// A process that is ended in mid-run drops no Rust value: the server tells when it ends.
fn free_at_exit() {
    if !FREED_AT_EXIT.swap(true, Ordering::Relaxed) {
        // SAFETY: registers a static function.
        unsafe { pg_sys::before_shmem_exit(Some(process_ends), pg_sys::Datum::from(0)) };
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn process_ends(_code: i32, _argument: pg_sys::Datum) {
    // SAFETY: reads a variable of the process.
    let me = unsafe { pg_sys::MyProcPid };
    for slot in &RUNS.get().0 {
        let _ = slot.process.compare_exchange(me, 0, Ordering::Release, Ordering::Relaxed);
    }
}

/// A run as other sessions see it.
#[derive(Clone, Debug)]
pub struct Run {
    pub process: i32,
    pub database: Oid,
    pub role: Oid,
    pub phase: &'static str,
    pub done: u64,
    pub total: Option<u64>,
    /// Share of the examined time, 0 to 1.
    pub best: Option<f64>,
    /// Microseconds, as timestamptz counts them.
    pub started: i64,
}

/// The runs that go on now and that the caller may see: those of roles that the caller can act as, or all for those who
/// may read all statistics. None of a process that is gone.
pub fn runs() -> Vec<Run> {
    if !super::board::is_preloaded() {
        return Vec::new();
    }
    // SAFETY: reads a backend variable.
    let caller = unsafe { pg_sys::GetUserId() };
    // SAFETY: a catalog look-up of two roles.
    let may = |role: Oid| unsafe { pg_sys::has_privs_of_role(caller, role.into()) };
    let all = may(pg_sys::ROLE_PG_READ_ALL_STATS);
    let read = |slot: &Slot| {
        let process = slot.process.load(Ordering::Acquire);
        let best = f64::from_bits(slot.best.load(Ordering::Relaxed));
        let total = slot.total.load(Ordering::Relaxed);
        let phase = slot.phase.load(Ordering::Relaxed);
        let run = Run {
            process,
            database: slot.database.load(Ordering::Relaxed),
            role: slot.role.load(Ordering::Relaxed),
            phase: Phase::ALL.into_iter().find(|known| *known as u32 == phase)?.name(),
            done: slot.done.load(Ordering::Relaxed),
            total: (total > 0).then_some(total),
            best: (!best.is_nan()).then_some(best),
            started: slot.started.load(Ordering::Relaxed),
        };
        // SAFETY: looks the number up among the processes that are there.
        let alive = process != 0 && unsafe { !pg_sys::BackendPidGetProc(process).is_null() };
        (alive && slot.process.load(Ordering::Acquire) == process).then_some(run)
    };
    let runs = RUNS.get().0.iter().filter_map(read);
    runs.filter(|run| all || may(run.role)).collect()
}
