//! Statement text: what kind of statement it is, what has to be repaired before PostgreSQL can parse it, or why it
//! is left out.
//!
//! Pure: works on text with sqlparser's tokenizer and syntax tree; knows nothing of the catalog.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

mod classify;
mod derived;
mod grouping;
mod parameters;
mod reading;
mod relations;
mod repair;
mod scope;
#[cfg(test)]
mod tests;
mod tokens;
mod unwrap;

pub use classify::begins_as_writer;
pub use reading::read;

/// Whether a text is a call of this extension's, which is no part of a workload.
pub fn is_own_statement(text: &str) -> bool {
    // Few texts hold the word; only those are worth reading.
    text.to_ascii_lowercase().contains("index_advisor")
        && matches!(read(text, usize::MAX), Err(LeftOut::OwnStatement))
}

/// A statement text made ready for the server's parser.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Reading {
    /// Texts to try in turn until the server can analyse one; at least one, the most faithful first.
    pub variants: Vec<Variant>,
    /// The utility statement it was taken out of, if any.
    pub wrapper: Option<Wrapper>,
    /// Relations named in FROM, UPDATE, INTO and so on, in order of appearance, without CTE names; best effort:
    /// used only to find relations that are not on the search path.
    pub relations: Vec<RelationName>,
    /// Parameters that stand in LIMIT or FETCH FIRST.
    pub limit_parameters: Vec<u32>,
    /// Parameters that stand in OFFSET.
    pub offset_parameters: Vec<u32>,
    /// Parameters (all of them) that were made from one squashed list, `IN ($1 /*, ... */)`.
    pub squashed_lists: Vec<Vec<u32>>,
}

/// One text to try.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Variant {
    pub sql: String,
    /// Types for parameters that the server could not infer, by parameter number.
    pub parameter_types: BTreeMap<u32, ParameterType>,
    /// What was changed from the original text, in order; empty when nothing was.
    pub repairs: Vec<Repair>,
}

/// The type a parameter is given before analysis.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ParameterType {
    /// A type name as `regtype` reads it.
    Named(String),
    /// The type of a column of a relation named in the statement.
    OfColumn { relation: RelationName, column: String },
}

/// A relation name as written, unquoted and case-folded as PostgreSQL does.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RelationName {
    pub schema: Option<String>,
    pub name: String,
}

/// What a plannable statement was wrapped in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wrapper {
    Explain,
    DeclareCursor,
    Copy,
    CreateTableAs,
    CreateMaterializedView,
    Prepare,
    SelectInto,
    /// `REFRESH MATERIALIZED VIEW name`: the server has the text. `variants` then holds `TABLE name` only as a
    /// placeholder that the server replaces by the view's definition.
    RefreshMaterializedView(RelationName),
}

/// A change made to a text so that it can be planned; each says what normalisation had broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Repair {
    /// `interval $1` became `$1::interval`.
    TypedConstant,
    /// `extract($1 from x)` became `pg_catalog.extract($1, x)`.
    ExtractField,
    /// Parameters were given types that the context does not determine.
    ParameterType,
    /// Parameters of equal expressions in the select list and GROUP BY or ORDER BY were made one.
    GroupedParameter,
    /// A squashed list was given several elements again.
    SquashedList,
    /// A keyword that had become a parameter was put back: `normalize(t, $1)`, `$1 uescape '!'`.
    Keyword,
    /// A space was put between a parameter and the word it was glued to: `date$1`, `$1and`.
    Spacing,
}

impl Repair {
    /// What users read.
    pub fn describe(self) -> &'static str {
        match self {
            Repair::TypedConstant => "a typed constant was made a cast so that it can be planned",
            Repair::ExtractField => "EXTRACT was made a function call so that it can be planned",
            Repair::ParameterType => "parameter types were inferred from what they are compared with",
            Repair::GroupedParameter => "parameters of grouped expressions were taken as one",
            Repair::SquashedList => "a shortened list was given ten elements",
            Repair::Keyword => "a keyword that had become a parameter was put back",
            Repair::Spacing => "a space was put between a parameter and a word",
        }
    }
}

/// Why a statement was not examined. `Display` is what users read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum LeftOut {
    /// The command's name in capitals, `VACUUM` for example.
    #[error("{0} is a utility statement, which no index helps")]
    Utility(String),
    #[error("the text is empty")]
    Empty,
    #[error("the text is cut off: {0}")]
    Truncated(String),
    #[error("the text holds several statements; give one at a time")]
    SeveralStatements,
    #[error("the text is longer than {limit} bytes (pg_index_advisor.max_statement_length)")]
    TooLong { limit: usize },
    #[error("its text is hidden from you: only {role} and members of pg_read_all_stats may read it")]
    HiddenText { role: String },
    #[error("it reads no table")]
    NoTable,
    #[error("it reads system catalogs only")]
    CatalogOnly,
    #[error("it is a statement of this extension")]
    OwnStatement,
    #[error("{message} for role {role}")]
    NoRights { role: String, message: String },
    #[error("a table of it is locked; try again later (lock_timeout)")]
    Locked,
    #[error("{0}")]
    NotPlannable(String),
    #[error("beyond the {cover} % of total time that is examined")]
    BeyondCover { cover: u32 },
    #[error("beyond the {limit} statements that are examined (pg_index_advisor.max_statements)")]
    BeyondCount { limit: u32 },
    #[error("the time limit ended the run before its turn")]
    OutOfTime,
}
