//! `Row`: a statement of the workload in a table, as every renderer says it.
//!
//! Cells as text; how wide a cell may be is the renderers' matter.

use super::format::{change, count, duration, number, percent, thousands};
use super::{ExaminedStatement, Outcome, Report};
use crate::statement::LeftOut;

/// Statements in the table of the heaviest.
pub const HEAVIEST: usize = 20;

/// The cells of a statement.
pub struct Row<'a> {
    /// 1 for the heaviest.
    pub rank: usize,
    /// Of the workload's time: `62 %`.
    pub share: String,
    pub calls: String,
    /// Of a call: `8.1 ms`.
    pub mean: String,
    /// Planner cost now and with the recommended indexes; None where it was left out.
    pub costs: Option<Costs>,
    /// What there is to say beside costs: why it was left out, or that it may get slower.
    pub remark: Option<String>,
    pub statement: &'a ExaminedStatement,
}

/// Planner costs of a statement.
pub struct Costs {
    pub before: String,
    pub after: String,
    /// `-99 %`.
    pub change: String,
    /// What is left of the cost, as a share, 1 for all of it; more where it rises.
    pub left: f64,
}

/// Names of the columns.
pub const SHARE: &str = "of time";
pub const CALLS: &str = "calls";
pub const MEAN: &str = "mean";
pub const STATEMENT: &str = "Statement";
pub const COSTS: &str = "Planner cost";

/// What the table is about: `The 20 heaviest of 500 statements`.
pub fn title(report: &Report) -> String {
    let shown = report.statements.len().min(HEAVIEST);
    match report.statements.len() {
        all if all > shown => format!("The {shown} heaviest of {} statements", count(all as f64)),
        _ => "The statements, heaviest first".to_string(),
    }
}

/// Where the others are, for a table that ends after `shown`.
pub fn beyond(report: &Report, shown: usize) -> Option<String> {
    let more = report.statements.len().saturating_sub(shown);
    (more > 0).then(|| {
        format!("{} are in index_advisor.statements().", number(more, "more statement", "more statements"))
    })
}

/// The statements in the report's order.
pub fn all(report: &Report) -> impl Iterator<Item = Row<'_>> {
    report.statements.iter().enumerate().map(|(position, statement)| row(position + 1, statement))
}

fn row(rank: usize, statement: &ExaminedStatement) -> Row<'_> {
    let mean = if statement.calls > 0.0 { statement.total_ms / statement.calls } else { 0.0 };
    let (costs, remark) = match &statement.outcome {
        Outcome::Examined { cost_before, cost_after, .. } => {
            let slower = statement.outcome.notable_slowdown();
            let costs = Costs::of(*cost_before, *cost_after);
            (Some(costs), slower.map(|share| format!("may take {} longer", percent(share))))
        }
        Outcome::LeftOut { reason: LeftOut::Utility(command) } => {
            (None, Some(format!("left out: {command}, a utility statement")))
        }
        Outcome::LeftOut { reason } => (None, Some(format!("left out: {reason}"))),
    };
    Row {
        rank,
        share: percent(statement.share),
        calls: count(statement.calls),
        mean: duration(mean),
        costs,
        remark,
        statement,
    }
}

impl Costs {
    /// Two costs of the planner.
    pub fn of(before: f64, after: f64) -> Costs {
        Costs {
            before: thousands(before),
            after: thousands(after),
            change: change(before, after),
            left: after / before,
        }
    }

    /// `120,345 -> 1,203 (-99 %)`.
    pub fn in_words(&self) -> String {
        format!("{} -> {} ({})", self.before, self.after, self.change)
    }
}

impl Row<'_> {
    /// What becomes of it, on one line: `120,345 -> 1,203 (-99 %)`, or why it was left out.
    pub fn fate(&self) -> String {
        let costs = self.costs.as_ref().map(Costs::in_words);
        let remark = self.remark.clone();
        costs.into_iter().chain(remark).collect::<Vec<_>>().join(", ")
    }
}
