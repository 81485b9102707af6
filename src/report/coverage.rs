//! `Coverage`: where the workload's time went, examined or left out and why, in groups that add up to the whole.
//!
//! Arithmetic and the names of the groups, for every renderer; lays nothing out.

use super::format::count;
use super::{Outcome, Report};
use crate::statement::LeftOut;

/// The heading of the groups, and of the column of their shares.
pub const TITLE: &str = "What was examined, and what was left out and why";
pub const SHARE: &str = "of time";

/// Statements with one fate.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// `Utility statements, which no index helps`.
    pub name: &'static str,
    pub statements: usize,
    /// Of the workload's total time, 0 to 1.
    pub share: f64,
    /// `share` in tenths of a per cent, rounded so that those of all groups add up to 1000.
    pub tenths: u32,
    /// The heaviest statement of a group whose members have reasons of their own: rank, and the reason.
    pub example: Option<(usize, String)>,
}

/// The examined statements, then those left out by reason, the heaviest group first.
pub fn coverage(report: &Report) -> Vec<Group> {
    let mut examined = Group::new("Examined");
    let mut left_out: Vec<Group> = Vec::new();
    for (position, statement) in report.statements.iter().enumerate() {
        let group = match &statement.outcome {
            Outcome::Examined { .. } => &mut examined,
            Outcome::LeftOut { reason } => {
                let name = kind(reason);
                let at = left_out.iter().position(|group| group.name == name).unwrap_or_else(|| {
                    left_out.push(Group::new(name));
                    left_out.len() - 1
                });
                if says_more(reason) {
                    left_out[at].example.get_or_insert_with(|| (position + 1, reason.to_string()));
                }
                &mut left_out[at]
            }
        };
        group.statements += 1;
        group.share += statement.share;
    }
    left_out.sort_by(|a, b| b.share.total_cmp(&a.share).then(a.name.cmp(b.name)));
    left_out.insert(0, examined);
    round(&mut left_out);
    left_out
}

/// All groups together.
pub fn whole(groups: &[Group]) -> Group {
    Group {
        statements: groups.iter().map(|group| group.statements).sum(),
        share: groups.iter().map(|group| group.share).sum(),
        tenths: groups.iter().map(|group| group.tenths).sum(),
        ..Group::new("In all")
    }
}

impl Group {
    /// `99.9 %`, all with one digit so that they visibly add up.
    pub fn percent(&self) -> String {
        format!("{}.{} %", self.tenths / 10, self.tenths % 10)
    }

    /// How many statements.
    pub fn count(&self) -> String {
        count(self.statements as f64)
    }

    /// `such as #7: permission denied for table x`.
    pub fn example(&self) -> Option<String> {
        self.example.as_ref().map(|(rank, reason)| format!("such as #{rank}: {reason}"))
    }

    fn new(name: &'static str) -> Group {
        Group { name, statements: 0, share: 0.0, tenths: 0, example: None }
    }
}

/// Rounds shares by the largest remainder, so that the rounded ones add up to the whole as the shares do.
fn round(groups: &mut [Group]) {
    let total: f64 = groups.iter().map(|group| group.share).sum();
    // A workload without time has no shares.
    if !total.is_finite() || total <= 0.0 {
        return;
    }
    let exact: Vec<f64> =
        groups.iter().map(|group| (group.share / total * 1000.0).clamp(0.0, 1000.0)).collect();
    for (group, exact) in groups.iter_mut().zip(&exact) {
        group.tenths = exact.floor() as u32;
    }
    let rounded: u32 = groups.iter().map(|group| group.tenths).sum();
    let mut order: Vec<usize> = (0..groups.len()).collect();
    order.sort_by(|a, b| exact[*b].fract().total_cmp(&exact[*a].fract()).then(a.cmp(b)));
    for at in order.into_iter().take(1000_u32.saturating_sub(rounded) as usize) {
        groups[at].tenths += 1;
    }
}

/// What the statements that were left out for such a reason have in common, as a heading.
pub fn kind(reason: &LeftOut) -> &'static str {
    match reason {
        LeftOut::Utility(_) => "Utility statements, which no index helps",
        LeftOut::Empty => "Empty text",
        LeftOut::Truncated(_) => "Text cut off",
        LeftOut::SeveralStatements => "Several statements in one text",
        LeftOut::TooLong { .. } => "Longer than pg_index_advisor.max_statement_length",
        LeftOut::HiddenText { .. } => "Text hidden from you",
        LeftOut::NoTable => "Reading no table",
        LeftOut::CatalogOnly => "Reading system catalogs only",
        LeftOut::OwnStatement => "Statements of this extension",
        LeftOut::NoRights { .. } => "Without the rights to plan them",
        LeftOut::Locked => "With a table locked at the time",
        LeftOut::NotPlannable(_) => "Not plannable",
        LeftOut::BeyondCover { .. } => "Beyond the share of time to examine (pg_index_advisor.cover)",
        LeftOut::BeyondCount { .. } => "Beyond the number to examine (pg_index_advisor.max_statements)",
        LeftOut::OutOfTime => "Not reached within the time limit",
    }
}

/// Whether the reason tells something that its kind does not.
fn says_more(reason: &LeftOut) -> bool {
    matches!(
        reason,
        LeftOut::Truncated(_)
            | LeftOut::HiddenText { .. }
            | LeftOut::NoRights { .. }
            | LeftOut::NotPlannable(_)
    )
}
