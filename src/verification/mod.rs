//! Verification: whether an index that was advised and created, or that was dropped, did what was expected of it.
//!
//! Pure: counters of two windows in, a verdict with its evidence out. Claims nothing that the noise of the windows
//! could explain.

mod definition;
mod evidence;
pub mod known;
mod noise;
mod record;
mod tally;
#[cfg(test)]
mod tests;
mod verdict;
mod verify;
mod window;
mod words;

pub use verify::verify;

use serde::{Deserialize, Serialize};

/// What became of an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The statements that it was meant for got about as much faster as was estimated, or more.
    KeptPromise,
    /// They got faster, but by less than was estimated.
    HelpsLess,
    /// It exists, its statements ran, and nothing used it.
    Unused,
    /// Statements got slower by more than others got faster.
    Harms,
    /// An index that was dropped is missed: statements got slower without it.
    Missed,
    /// A dropped index is not missed.
    NotMissed,
    /// The index exists but is not valid: its build failed or goes on.
    Invalid,
    /// Too few calls, or too much noise, to tell.
    TooEarly,
}

impl Verdict {
    /// Whether measurements bear it out.
    pub fn is_claim(self) -> bool {
        !matches!(self, Verdict::Invalid | Verdict::TooEarly)
    }

    /// Whether the index gave what it was created for, if less than promised.
    pub fn helps(self) -> bool {
        matches!(self, Verdict::KeptPromise | Verdict::HelpsLess)
    }

    /// The words that users read.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::KeptPromise => "kept its promise",
            Verdict::HelpsLess => "helps less",
            Verdict::Unused => "unused",
            Verdict::Harms => "harms",
            Verdict::Missed => "missed",
            Verdict::NotMissed => "not missed",
            Verdict::Invalid => "invalid",
            Verdict::TooEarly => "too early to tell",
        }
    }
}

/// What was found out about one index. Shares are of the time that the statements it concerns took before, 0 to 1.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Verification {
    /// `history_recommendation.id`; None for an index that was dropped.
    pub recommendation: Option<i64>,
    /// CREATE INDEX as it was advised, or as the dropped index was defined.
    pub ddl: String,
    /// Qualified and quoted; None if it never had a name that we saw.
    pub index: Option<String>,
    /// Qualified and quoted.
    pub relation: String,
    pub verdict: Verdict,
    /// What the run that first advised it expected: share of the time of the statements concerned.
    pub estimated_saving: Option<f64>,
    /// What was measured, by the means of calls before and after, at the number of calls after; below 0 where they got slower. Of what
    /// several indexes saved together, the part of this one.
    pub measured_saving: Option<f64>,
    /// How far `measured_saving` may be off by the noise of the windows.
    #[serde(default)]
    pub noise: Option<f64>,
    /// `measured_saving` in milliseconds a day at the rate of calls after.
    pub measured_ms_per_day: Option<f64>,
    pub estimated_ms_per_day: Option<f64>,
    /// What statements that it was not meant for lost for certain (below 0: gained), milliseconds a day.
    #[serde(default)]
    pub others_lost_ms_per_day: Option<f64>,
    /// Which windows were compared; None where none could be.
    #[serde(default)]
    pub windows: Option<Windows>,
    /// The statements concerned, most time saved (or lost) first.
    pub statements: Vec<StatementChange>,
    /// How the writing of the relation changed, where anything wrote to it.
    pub writes: Option<WriteChange>,
    /// The verdict in plain words: what was measured, over which windows, how sure.
    pub explanation: String,
    /// What to do next, in plain words.
    pub next_step: String,
    /// The statement for that, where there is one: DROP, CREATE or REINDEX.
    pub next_ddl: Option<String>,
}

/// The windows that were compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Windows {
    /// Length in seconds, where it is known.
    pub before_seconds: Option<f64>,
    pub after_seconds: Option<f64>,
    /// Whether part of the window after lies before the change, which then looks smaller than it is.
    pub mixed: bool,
    /// How much slower the machine was after (below 0: faster), as statements show that nothing concerns: a share of time, taken out of all else.
    pub drift: f64,
    /// How many statements that rests on; 0 if too few, and then nothing is taken out.
    pub controls: usize,
}

/// A statement in the windows before and after.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StatementChange {
    pub query_id: i64,
    /// Empty where it is not known any more.
    pub text: String,
    /// Who ran it most, if that role is known.
    #[serde(default)]
    pub role: Option<String>,
    pub before: Mean,
    pub after: Mean,
    /// Share of its mean time that was expected to be saved; None where it was not meant to be helped.
    pub estimated_saving: Option<f64>,
    /// Whether the plan that the planner makes for it now has the index in it; None where it could not be planned, or the index is gone.
    #[serde(default)]
    pub planned_with: Option<bool>,
    /// Whether the difference is more than the noise of the windows.
    pub certain: bool,
}

/// What a call of a statement took on average in a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Mean {
    pub calls: f64,
    /// Milliseconds.
    pub ms: f64,
    /// Standard deviation of single calls, milliseconds.
    pub deviation_ms: f64,
    /// Shared and local blocks read from outside the cache.
    pub blocks_read: f64,
    /// Shared and local blocks, found in the cache or not.
    pub blocks: f64,
}

/// Rows written to a relation a day before and after, and how many of the updates were HOT.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct WriteChange {
    pub rows_per_day_before: f64,
    pub rows_per_day_after: f64,
    /// Share of updates, 0 to 1.
    pub hot_before: f64,
    pub hot_after: f64,
}

/// The advisor's own record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Record {
    /// Recommendations whose index was created.
    pub applied: usize,
    /// Those of them with a verdict that measurements bear out (not too early, not invalid).
    pub judged: usize,
    /// Those of the judged that kept their promise or help, if less than promised.
    pub paid: usize,
    /// Median over the judged of the difference between estimated and measured saving, as a share; None without any.
    pub median_error: Option<f64>,
}
