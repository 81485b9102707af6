//! Schedules: when a job is due, and what follows from a run that was missed, interrupted or overtaken by the clock.
//!
//! Pure: times are Unix seconds, time zones are behind `trait Zone`, and nothing here waits, reads a clock or runs a job.

pub mod agenda;
pub mod cron;
#[cfg(test)]
mod tests;
pub mod zone;

use cron::Schedule;
use zone::Zone;

/// A clock that goes back by no more than this does not bring a job's last start again. One that goes back further was
/// wrong before, so that the times it gave are not worth keeping.
const CLOCK_SLACK: i64 = 86_400;

/// What is kept of a job between its runs, as far as it decides when the next one is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timing {
    /// When it is to start next, Unix seconds; None for never.
    pub next_start: Option<i64>,
    /// The time that its last run was due.
    pub last_due: Option<i64>,
    /// A run was begun and its end is not known.
    pub begun: bool,
    /// Runs in a row that ended without an end: the server or the process was killed.
    pub interruptions: u32,
}

/// What to do about a job now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Somebody is running it.
    Busy,
    /// It is due.
    Due,
    /// It is due at this time; None for never. Where that differs from what is kept, it is to be kept.
    Wait(Option<i64>),
    /// A run was begun and nobody is running it. It starts again at this time: now after the first such end, as scheduled
    /// after a second in a row, so that a job that takes the server down does not do so in a loop.
    Interrupted(Option<i64>),
}

/// The next start after `now` of a job whose last run was due at `last_due`; None for never.
pub fn next_start<Z: Zone>(schedule: &Schedule, zone: &Z, now: i64, last_due: Option<i64>) -> Option<i64> {
    let just_had = last_due.filter(|due| (now..=now.saturating_add(CLOCK_SLACK)).contains(due));
    schedule.next_after(zone, just_had.unwrap_or(now))
}

/// What to do about a job at `now`. `running` says whether a process holds the job's lock.
///
/// However many starts were missed, the job is due once: what is kept is only the first of them.
pub fn decide<Z: Zone>(timing: &Timing, running: bool, schedule: &Schedule, zone: &Z, now: i64) -> Verdict {
    let regular = || next_start(schedule, zone, now, timing.last_due);
    match timing {
        _ if running => Verdict::Busy,
        Timing { begun: true, interruptions: 0, .. } => Verdict::Interrupted(Some(now)),
        Timing { begun: true, .. } => Verdict::Interrupted(regular()),
        Timing { next_start: Some(next), .. } if *next <= now => Verdict::Due,
        // What is kept may lie too far ahead: it was reckoned by a clock that has been set back since, or the time zone's
        // rules have changed.
        _ => Verdict::Wait(regular()),
    }
}
