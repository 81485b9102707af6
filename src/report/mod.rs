//! `Report`: everything a run found, as one serialisable value that every renderer and row function reads.
//!
//! Pure; says nothing that is not in the run. What is said in sentences is made once, in `summary`, `advice`, `rows`,
//! `storage`, `earlier`, `coverage`, `limits` and `about`; the renderers `text`, `markdown` and `html` lay it out, and
//! `json` writes the value itself.

mod about;
mod advice;
pub mod coverage;
mod earlier;
pub mod format;
mod html;
pub mod json;
pub mod limits;
mod lines;
mod markdown;
pub mod past;
pub mod plans;
mod rows;
mod storage;
pub mod summary;
#[cfg(test)]
mod tests;
pub mod text;

use crate::candidate::Candidate;
use crate::catalog::Catalog;
use crate::cost::StatementId;
use crate::recommendation::Recommendation;
use crate::selection::certificate::Certificate;
use crate::selection::frontier::FrontierPoint;
use crate::selection::{SearchRecord, Selection};
use crate::statement::LeftOut;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The version of the form of a report in JSON (docs/REPORT_JSON.md). It rises when a field goes, changes its name, its
/// type or its meaning; not when one is added.
pub const FORMAT_VERSION: u32 = 1;

/// The forms that a report can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Text,
    Markdown,
    Html,
    Json,
}

impl Form {
    /// The names that exist, for a message to those who gave another.
    pub const NAMES: &'static str = "'text', 'markdown' (or 'md'), 'html' and 'json'";

    /// The form of that name, in lower or upper case.
    pub fn named(name: &str) -> Option<Form> {
        match name.to_ascii_lowercase().as_str() {
            "text" => Some(Form::Text),
            "markdown" | "md" => Some(Form::Markdown),
            "html" => Some(Form::Html),
            "json" => Some(Form::Json),
            _ => None,
        }
    }

    /// The report in this form.
    pub fn render(self, report: &Report) -> String {
        match self {
            Form::Text => text::render(report),
            Form::Markdown => markdown::render(report),
            Form::Html => html::render(report),
            Form::Json => json::render(report),
        }
    }
}

/// What one run found, all of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Report {
    /// The version of this form; 0 for reports from before there were versions.
    #[serde(default)]
    pub format_version: u32,
    pub database: String,
    /// `server_version` as the server gives it.
    pub server_version: String,
    /// When the run was made, in the server's time zone, ISO 8601.
    pub made_at: String,
    /// Where the statements came from.
    pub source: String,
    /// Length of the observed window, seconds, if known.
    pub window_seconds: Option<f64>,
    /// Times that the source evicted entries within the window, so that the workload is incomplete.
    pub evicted: u64,
    /// Every statement of the workload, heaviest first.
    pub statements: Vec<ExaminedStatement>,
    /// Best first.
    pub recommendations: Vec<Recommendation>,
    /// Plans of statements that the recommendations help most, heaviest recommendation first.
    #[serde(default)]
    pub plans: Vec<plans::StatementPlans>,
    /// What limited the choice.
    pub limits: ReportLimits,
    /// Candidates that the planner was asked about.
    pub candidates: usize,
    pub search: SearchRecord,
    /// How far the recommendations can be from the best set of the candidates.
    pub certificate: Certificate,
    /// What less storage would give, smallest first; the last is what is recommended.
    pub frontier: Vec<StoragePoint>,
    /// Where the previous recommendation stays: what the best set found would save more, as a share of the examined time.
    pub kept: Option<f64>,
    /// What the caller should know of the settings and arguments of the run, for people.
    pub notes: Vec<String>,
    /// What earlier runs add; None for a run that is not kept.
    #[serde(default)]
    pub past: Option<past::Past>,
    pub elapsed_ms: f64,
    /// Where that time went.
    #[serde(default)]
    pub phases_ms: Phases,
}

/// Milliseconds of a run by what it was doing, in this order; the planner's own are part of selection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Phases {
    /// Reading, analysing and planning the statements for the first time.
    pub examination: f64,
    /// Reading the catalog of their relations.
    pub catalog: f64,
    /// Sampling rows for expressions that have no statistics.
    pub expressions: f64,
    /// Making and pricing candidates, and telling which could matter to which statement.
    pub candidates: f64,
    /// Search and certificate.
    pub selection: f64,
    /// What-if calls within selection.
    pub planner: f64,
    /// Putting the answer into words.
    pub advice: f64,
}

/// What the workload would cost with a set of indexes of some size; no smaller set that was found saves as much.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StoragePoint {
    pub bytes: u64,
    /// Milliseconds a day of the examined statements, the indexes' write costs included.
    pub cost_ms: f64,
    /// CREATE INDEX statements of all of them.
    pub indexes: Vec<String>,
    /// The one that this set has more than the one before; None when more than that differs.
    pub added: Option<String>,
    /// Whether this is what is recommended.
    pub recommended: bool,
}

/// The frontier of a selection in the words of the report.
pub fn frontier(selection: &Selection, pool: &[Candidate], catalog: &Catalog) -> Vec<StoragePoint> {
    let ddl =
        |candidate: &usize| catalog.create_statement(&pool[*candidate].definition, true).unwrap_or_default();
    let last = selection.frontier.last();
    let point = |point: &FrontierPoint| StoragePoint {
        bytes: point.bytes,
        cost_ms: point.cost_ms,
        indexes: point.members.iter().map(ddl).collect(),
        added: point.added.as_ref().map(ddl),
        recommended: last.is_some_and(|last| last.bytes == point.bytes),
    };
    selection.frontier.iter().map(point).collect()
}

/// The limits that the run kept to.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ReportLimits {
    pub storage_bytes: Option<u64>,
    pub max_indexes: usize,
    pub max_indexes_per_table: Option<usize>,
    /// Share of the examined time, 0 to 1.
    pub min_saving: f64,
    /// Where it is asked for and the length of the window is known.
    pub min_saving_ms_per_day: Option<f64>,
    /// None for all.
    pub access_methods: Option<Vec<String>>,
    /// The relations in examined statements that get no index, by name.
    pub left_alone: Vec<String>,
    /// Most that a statement may get slower, as a share; None for no limit.
    pub slowdown: Option<f64>,
}

/// A statement of the workload and what became of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ExaminedStatement {
    pub query_id: Option<i64>,
    /// The role that ran it; None if it no longer exists.
    pub role: Option<String>,
    pub text: String,
    pub calls: f64,
    /// Planning plus execution over all calls, milliseconds.
    pub total_ms: f64,
    /// Share of the workload's total time, 0 to 1; all shares add up to 1.
    pub share: f64,
    /// The relations that it reads or writes, qualified and quoted, in order of name; none where it was left out.
    #[serde(default)]
    pub relations: Vec<String>,
    pub outcome: Outcome,
    /// What was assumed or repaired, for people.
    pub notes: Vec<String>,
}

/// From here on a statement's slowdown is worth a word, as a share.
const NOTABLE_SLOWDOWN: f64 = 0.05;

/// Whether a statement was examined.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Outcome {
    /// Planner cost with the existing indexes, and with the recommended ones as well.
    Examined {
        /// What `StatementEffect::statement` refers to.
        id: StatementId,
        cost_before: f64,
        cost_after: f64,
        /// How much longer it may take with the recommended indexes, as a share, by the worse of the planner's cost and the
        /// cost with all pages in memory; 0 when it does not.
        slowdown: f64,
    },
    LeftOut {
        reason: LeftOut,
    },
}

impl Outcome {
    /// How much longer the statement may take with the recommended indexes, as a share, where that is worth a word.
    pub fn notable_slowdown(&self) -> Option<f64> {
        match self {
            Outcome::Examined { slowdown, .. } => Some(*slowdown).filter(|share| *share > NOTABLE_SLOWDOWN),
            Outcome::LeftOut { .. } => None,
        }
    }
}

impl Report {
    /// The examined statement with this id.
    pub fn examined(&self, wanted: StatementId) -> Option<&ExaminedStatement> {
        self.statements
            .iter()
            .find(|statement| matches!(statement.outcome, Outcome::Examined { id, .. } if id == wanted))
    }

    /// The place of an examined statement among all statements, 1 for the heaviest.
    pub fn rank_of(&self, wanted: StatementId) -> Option<usize> {
        let position = self
            .statements
            .iter()
            .position(|statement| matches!(statement.outcome, Outcome::Examined { id, .. } if id == wanted));
        position.map(|position| position + 1)
    }

    /// The places of all examined statements, as `rank_of` gives them.
    fn ranks(&self) -> BTreeMap<StatementId, usize> {
        let statements = self.statements.iter().enumerate();
        let ranks = statements.filter_map(|(i, statement)| match statement.outcome {
            Outcome::Examined { id, .. } => Some((id, i + 1)),
            Outcome::LeftOut { .. } => None,
        });
        // Where ids come twice, which no run makes, the first counts, as in `rank_of`.
        ranks.rev().collect()
    }

    /// Share of the workload's total time that was examined, 0 to 1.
    pub fn coverage(&self) -> f64 {
        let examined = |statement: &&ExaminedStatement| matches!(statement.outcome, Outcome::Examined { .. });
        self.statements.iter().filter(examined).map(|statement| statement.share).sum()
    }

    /// Share of the examined time that all recommendations together save, 0 to 1.
    pub fn saving(&self) -> f64 {
        self.recommendations.iter().fold(0.0, |sum, recommendation| sum + recommendation.saving)
    }

    /// What all recommendations together take on disk.
    pub fn size_bytes(&self) -> u64 {
        // A kept report may have been altered: whatever it says, its sum is one.
        let sizes = self.recommendations.iter().map(|recommendation| recommendation.size_bytes);
        sizes.fold(0, u64::saturating_add)
    }
}
