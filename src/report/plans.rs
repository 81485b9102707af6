//! `StatementPlans`: what EXPLAIN prints of a statement as things are and with the recommended indexes.
//!
//! Chooses the statements and keeps the texts short; who prints plans is the server half.

use crate::cost::StatementId;
use crate::recommendation::Recommendation;
use serde::{Deserialize, Serialize};

/// A statement's plans, as text. Values that were assumed for its parameters do not show: `$1` stands in their place, or
/// `?` where a value was computed from them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StatementPlans {
    pub statement: StatementId,
    /// With the existing indexes.
    pub before: String,
    /// With all recommended indexes as well; they are called `recommended_1` and so on, by rank.
    pub after: String,
}

/// Statements whose plans a report holds, at most: plans are long, and few are read.
pub const MOST: usize = 20;
/// Lines of a plan that are kept: the plan of a table with a thousand partitions says after a few what it is.
const LINES: usize = 150;
/// Bytes of a line that are kept: a list of values can be very long.
const LINE_BYTES: usize = 400;

/// The statements whose plans are worth printing, in this order: for each recommendation the one that it helps most,
/// then, while there is room, the next ones of the best recommendations.
pub fn worth_printing(recommendations: &[Recommendation]) -> Vec<StatementId> {
    let mut chosen: Vec<StatementId> = Vec::new();
    let deepest = recommendations.iter().map(|advice| advice.statements.len()).max().unwrap_or(0);
    // Beyond the second, what a plan would show has been seen.
    for place in 0..deepest.min(2) {
        for effect in recommendations.iter().filter_map(|advice| advice.statements.get(place)) {
            if chosen.len() < MOST && !chosen.contains(&effect.statement) {
                chosen.push(effect.statement);
            }
        }
    }
    chosen
}

/// What the plan with the index of this rank calls it.
pub fn index_name(rank: u32) -> String {
    format!("recommended_{rank}")
}

/// A plan's text at the length that a report keeps.
pub fn shortened(plan: &str) -> String {
    let mut lines: Vec<String> = plan.lines().take(LINES).map(line).collect();
    let more = plan.lines().count().saturating_sub(LINES);
    if more > 0 {
        lines.push(format!("... and {more} more lines"));
    }
    lines.join("\n")
}

fn line(line: &str) -> String {
    if line.len() <= LINE_BYTES {
        return line.to_string();
    }
    let end = (0..=LINE_BYTES).rev().find(|end| line.is_char_boundary(*end)).unwrap_or(0);
    format!("{}...", &line[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_plans_are_cut_between_characters_and_lines() {
        let short = "Seq Scan on orders\n  Filter: (a = $1)";
        assert_eq!(shortened(short), short);
        let wide = format!("{}\u{e9}\u{e9}", "x".repeat(LINE_BYTES - 1));
        assert_eq!(shortened(&wide), format!("{}...", "x".repeat(LINE_BYTES - 1)));
        let long: Vec<String> = (0..LINES + 7).map(|i| format!("line {i}")).collect();
        let cut = shortened(&long.join("\n"));
        assert_eq!(cut.lines().count(), LINES + 1);
        assert!(cut.ends_with("... and 7 more lines"));
    }
}
