//! `Advice`: a recommendation as every renderer says it.
//!
//! Sentences and their numbers; lays nothing out.

use super::Report;
use super::format::{count, number, per_day, percent, size};
use super::lines::is_hostile;
use super::plans::StatementPlans;
use super::rows::Costs;
use crate::cost::StatementId;
use crate::recommendation::Recommendation;
use std::collections::BTreeMap;

/// What is said of a recommendation beside its own texts.
pub struct Advice<'a> {
    pub rank: u32,
    /// `An index of 120 MB on public.orders that saves 62 %`.
    pub title: String,
    /// Ready to run.
    pub ddl: String,
    /// Why the DDL as shown may not be the one to run.
    pub careful: Option<&'static str>,
    /// A sentence: how much of what.
    pub saves: String,
    /// A sentence: storage and the time of writers.
    pub costs: String,
    /// How many statements it helps: `3 statements`.
    pub helps: String,
    /// The statements that it helps, most saved first.
    pub helped: Vec<Helped<'a>>,
    pub why: &'a str,
    /// Of the statements that it helps, those whose plans are known.
    pub plans: Vec<Plans<'a>>,
    pub recommendation: &'a Recommendation,
}

impl Advice<'_> {
    /// What it is on: `public.orders (customer_id) WHERE (status = 'open'::text)`.
    pub fn on(&self) -> &str {
        let ddl = &self.recommendation.ddl;
        ddl.split_once(" ON ").map_or(ddl, |(_, on)| on)
    }

    /// Its saving on top of those above, `62 %`.
    pub fn share(&self) -> String {
        percent(self.recommendation.saving)
    }

    /// Its storage.
    pub fn size(&self) -> String {
        size(self.recommendation.size_bytes)
    }

    /// What keeping it costs writers a day; nothing where that is not known.
    pub fn upkeep(&self) -> String {
        self.recommendation.write_ms_per_day.map_or_else(String::new, per_day)
    }

    /// `and 3 more`, where it helps more statements than are named.
    pub fn more_helped(&self) -> Option<String> {
        let more = self.recommendation.statements.len().saturating_sub(self.helped.len());
        (more > 0).then(|| format!("and {} more", count(more as f64)))
    }
}

/// A statement that a recommendation helps.
pub struct Helped<'a> {
    /// Its place among all statements.
    pub rank: usize,
    /// `62 %` of the examined time.
    pub saves: String,
    /// Planner costs without it and with it, on top of those above.
    pub costs: Costs,
    pub text: &'a str,
}

/// Plans of a statement that a recommendation helps.
pub struct Plans<'a> {
    /// The statement's place among all statements.
    pub rank: usize,
    pub plans: &'a StatementPlans,
}

/// The heading above all of them.
pub const TITLE: &str = "Recommendations";
/// The heading above what is known of each.
pub const EVIDENCE: &str = "The recommendations one by one";
/// The name of a column.
pub const INDEX: &str = "Index";
/// Plans shown with a recommendation, of the statements that it helps most.
const PLANS: usize = 2;
/// Labels of what is said.
pub const CAREFUL: &str = "Careful";
pub const SAVES: &str = "Saves";
pub const COSTS: &str = "Costs";
pub const HELPS: &str = "Helps";
pub const WHY: &str = "Why";
pub const PLANS_OF: &str = "Plans of";
pub const PLAN_NOW: &str = "Plan now";
pub const PLAN_THEN: &str = "Plan with the recommended indexes";
/// What plans do not show, and what the names in them mean.
pub const OF_PLANS: &str = "Plans are estimates of the planner, which ran nothing. Values assumed for parameters are not shown: \
     $1 stands for the value itself, ? for one computed from it. Indexes that do not exist yet are called \
     recommended_1, recommended_2 and so on.";

const NOT_AS_SHOWN: &str = "a name in it holds characters that cannot be shown here, ? in their place: take the statement \
     from the ddl column of index_advisor.recommend().";

/// All recommendations, best first, each with at most `most` of the statements that it helps.
pub fn all(report: &Report, most: usize) -> Vec<Advice<'_>> {
    let ranks = report.ranks();
    report.recommendations.iter().map(|recommendation| advice(report, recommendation, &ranks, most)).collect()
}

fn advice<'a>(
    report: &'a Report,
    recommendation: &'a Recommendation,
    ranks: &BTreeMap<StatementId, usize>,
    most: usize,
) -> Advice<'a> {
    let named = recommendation.statements.iter().take(most);
    let helped = named.filter_map(|effect| {
        let rank = *ranks.get(&effect.statement)?;
        Some(Helped {
            rank,
            saves: percent(effect.saving),
            costs: Costs::of(effect.cost_before, effect.cost_after),
            text: &report.statements.get(rank - 1)?.text,
        })
    });
    let helped = helped.collect();
    let plans = recommendation.statements.iter().take(most).filter_map(|effect| {
        let plans = report.plans.iter().find(|plans| plans.statement == effect.statement)?;
        Some(Plans { rank: *ranks.get(&effect.statement)?, plans })
    });
    let plans = plans.take(PLANS);
    Advice {
        rank: recommendation.rank,
        title: title(recommendation),
        ddl: format!("{};", recommendation.ddl),
        careful: recommendation.ddl.chars().any(is_hostile).then_some(NOT_AS_SHOWN),
        saves: saves(recommendation),
        costs: costs_of(recommendation),
        helps: number(recommendation.statements.len(), "statement", "statements"),
        helped,
        why: &recommendation.reason,
        plans: plans.collect(),
        recommendation,
    }
}

fn title(recommendation: &Recommendation) -> String {
    format!(
        "An index of {} on {} that saves {}",
        size(recommendation.size_bytes),
        recommendation.relation_name,
        percent(recommendation.saving)
    )
}

fn saves(recommendation: &Recommendation) -> String {
    let daily = recommendation.saving_ms_per_day.map_or_else(String::new, |ms| format!(", {}", per_day(ms)));
    match recommendation.rank {
        1 => format!("{} of the examined time{daily}.", percent(recommendation.saving)),
        _ => format!(
            "{} of the examined time on top of those above{daily}; {} alone.",
            percent(recommendation.saving),
            percent(recommendation.saving_alone)
        ),
    }
}

fn costs_of(recommendation: &Recommendation) -> String {
    let upkeep = match recommendation.write_ms_per_day {
        Some(ms) if ms > 0.0 => format!("; {} for writers", per_day(ms)),
        Some(_) => "; nothing for writers at the observed rate".to_string(),
        None => String::new(),
    };
    format!("{}{upkeep}.", size(recommendation.size_bytes))
}
