//! `Summary`: what a report comes to, in plain words that every renderer shows first.
//!
//! Sentences only; lays nothing out, and says nothing that the report does not hold.

use super::format::{count, duration, number, per_day, percent, size};
use super::limits::least_saving;
use super::{ExaminedStatement, Outcome, Report};
use crate::selection::CutShort;
use std::cmp::Reverse;

/// Answers to the four questions that a reader has, each one or more sentences.
#[derive(Clone, Debug)]
pub struct Summary {
    /// How many indexes to create, or why none.
    pub what_to_do: String,
    /// None when there is nothing to do.
    pub what_it_saves: Option<String>,
    /// None when there is nothing to do.
    pub what_it_costs: Option<String>,
    pub how_sure: String,
}

/// From here on a window is long enough to speak of a day without a word of caution.
const LONG_WINDOW_SECONDS: f64 = 86_400.0;
const MS_A_DAY: f64 = 86_400_000.0;
/// Share of the examined time that writes must take before they are named as the reason why no index helps.
const MOSTLY_WRITES: f64 = 0.5;
/// Assumptions named, the most frequent first.
const ASSUMPTIONS: usize = 3;

impl Summary {
    /// The summary of a report.
    pub fn of(report: &Report) -> Summary {
        let advised = !report.recommendations.is_empty();
        Summary {
            what_to_do: if advised { what_to_do(report) } else { why_nothing(report) },
            what_it_saves: advised.then(|| what_it_saves(report)),
            what_it_costs: advised.then(|| what_it_costs(report)),
            how_sure: how_sure(report),
        }
    }
}

impl Summary {
    /// The answers with their labels, in the order of reading.
    pub fn answers(&self) -> Vec<(&'static str, &str)> {
        let all = [
            ("What to do", Some(&self.what_to_do)),
            ("What it saves", self.what_it_saves.as_ref()),
            ("What it costs", self.what_it_costs.as_ref()),
            ("How sure", Some(&self.how_sure)),
        ];
        all.into_iter().filter_map(|(label, answer)| Some((label, answer?.as_str()))).collect()
    }
}

/// A number that a reader looks for first, with what it is.
pub struct Figure {
    pub value: String,
    pub label: &'static str,
}

impl Figure {
    /// The numbers that sum the report up; none where there is nothing to do.
    pub fn of(report: &Report) -> Vec<Figure> {
        if report.recommendations.is_empty() {
            return Vec::new();
        }
        let n = report.recommendations.len();
        vec![
            Figure { value: number(n, "index", "indexes"), label: "to create" },
            Figure { value: percent(report.saving()), label: "of the examined time saved, estimated" },
            Figure { value: size(report.size_bytes()), label: "of storage for them" },
            Figure { value: percent(report.coverage()), label: "of the workload's time was examined" },
        ]
    }
}

fn what_to_do(report: &Report) -> String {
    let n = report.recommendations.len();
    let bytes = report.size_bytes();
    let mut text = match n {
        1 => format!("Create the one index below; it takes {}.", size(bytes)),
        _ => format!("Create the {n} indexes below, {} in all, best first.", size(bytes)),
    };
    if let Some(budget) = report.limits.storage_bytes {
        text.push_str(&format!(" The storage budget is {}.", size(budget)));
    }
    if n >= report.limits.max_indexes {
        text.push_str(&format!(
            " No more than {} asked for; more may help.",
            if n == 1 { "one was".to_string() } else { format!("{n} were") }
        ));
    }
    if let Some(most) = limit_by_table_reached(report) {
        let were = if most == 1 { "one was".to_string() } else { format!("{most} were") };
        text.push_str(&format!(" No more than {were} asked for on one table; more may help."));
    }
    if let Some(more) = report.kept {
        let more = match more {
            share if share > 0.0 => {
                format!("the best set found would save only {} of the examined time more", percent(share))
            }
            _ => "nothing better was found".to_string(),
        };
        text.push_str(&format!(" This is the previous recommendation as far as it still pays: {more}."));
    }
    text
}

/// The most indexes that one table may get, if one gets them.
fn limit_by_table_reached(report: &Report) -> Option<usize> {
    let most = report.limits.max_indexes_per_table?;
    let on_table =
        |relation: u32| report.recommendations.iter().filter(|advice| advice.relation == relation).count();
    report.recommendations.iter().any(|advice| on_table(advice.relation) >= most).then_some(most)
}

fn why_nothing(report: &Report) -> String {
    let examined = examined(report).count();
    if report.statements.is_empty() {
        return format!("Nothing yet: {} has no statement of this database.", report.source);
    }
    if examined == 0 {
        return format!(
            "Nothing can be said: of {}, none could be examined. The reasons are below.",
            number(report.statements.len(), "statement", "statements")
        );
    }
    let least = least_saving(&report.limits);
    let mut text = match (report.search.complete, report.candidates) {
        (false, _) => {
            "No index was found before the time limit ended the search; a longer time_limit may find one."
                .to_string()
        }
        (true, 0) => {
            let but = match report.limits.left_alone.is_empty() && report.limits.access_methods.is_none() {
                true => "",
                false => ", or is excluded by the settings",
            };
            format!(
                "Nothing: no index helps here. All that the statements ask of an index exists already, or is nothing \
                 that an index can serve{but}."
            )
        }
        (true, candidates) => {
            let within = match report.limits.storage_bytes {
                Some(budget) => format!(" within the storage budget of {}", size(budget)),
                None => String::new(),
            };
            format!(
                "Nothing: no index helps here. The planner was asked about {} beside those that exist, and \
                 none{within} would save {least} after paying for its upkeep.",
                number(candidates, "index", "indexes")
            )
        }
    };
    let writes = share_of_writes(report);
    if writes >= MOSTLY_WRITES {
        text.push_str(&format!(
            " {} of the examined time goes to statements that write, which each further index makes slower.",
            percent(writes)
        ));
    }
    text
}

fn what_it_saves(report: &Report) -> String {
    let mut text = format!("{} of the examined time, as the planner estimates", percent(report.saving()));
    let daily: Option<f64> =
        report.recommendations.iter().map(|recommendation| recommendation.saving_ms_per_day).sum();
    match (daily, report.window_seconds) {
        (Some(ms), Some(window)) => {
            let together = if ms > MS_A_DAY { ", over all sessions together" } else { "" };
            text.push_str(&format!(": {} at the observed rate{together}.", per_day(ms)));
            if window < LONG_WINDOW_SECONDS {
                text.push_str(&format!(
                    " The workload was observed for {}; times a day assume that this rate goes on.",
                    duration(window * 1000.0)
                ));
            }
        }
        _ => text.push_str(". How long the workload was observed is not known, so no time a day is given."),
    }
    if let [first, _, ..] = report.recommendations.as_slice() {
        text.push_str(&format!(" The first index alone saves {}.", percent(first.saving_alone)));
    }
    text
}

fn what_it_costs(report: &Report) -> String {
    let mut text = format!("{} of disk.", size(report.size_bytes()));
    let daily: Option<f64> =
        report.recommendations.iter().map(|recommendation| recommendation.write_ms_per_day).sum();
    match daily {
        Some(ms) if ms > 0.0 => {
            let them = if report.recommendations.len() == 1 { "the index" } else { "the indexes" };
            text.push_str(&format!(" Keeping {them} up to date takes writers about {}.", per_day(ms)));
        }
        Some(_) => text.push_str(
            " The examined statements write nothing to these tables, so upkeep costs next to nothing at this rate.",
        ),
        None => text.push_str(" What upkeep costs a day is not known without the length of the window."),
    }
    let hot = report.recommendations.iter().filter(|recommendation| recommendation.hot_loss > 0.01);
    if let Some(worst) = hot.max_by(|a, b| a.hot_loss.total_cmp(&b.hot_loss).then(b.rank.cmp(&a.rank))) {
        text.push_str(&format!(
            " Index {} turns up to {} of the updates of {} from HOT updates into full ones.",
            worst.rank,
            percent(worst.hot_loss),
            worst.relation_name
        ));
    }
    text.push_str(&slower(report));
    text
}

/// Statements that may get slower, the worst first.
fn slower(report: &Report) -> String {
    let statements = report.statements.iter().enumerate();
    let mut slower: Vec<(f64, usize)> =
        statements.filter_map(|(i, s)| Some((s.outcome.notable_slowdown()?, i + 1))).collect();
    slower.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let Some(&(most, worst)) = slower.first() else { return String::new() };
    let others = match slower.len() - 1 {
        0 => String::new(),
        more => format!(" and {} by less", number(more, "other", "others")),
    };
    format!(
        " Statement #{worst} may take up to {} longer{others}, mostly where its tables are in memory: measure it.",
        percent(most)
    )
}

fn how_sure(report: &Report) -> String {
    let mut sentences = Vec::new();
    let examined: Vec<&ExaminedStatement> = examined(report).collect();
    if !report.statements.is_empty() {
        sentences.push(format!(
            "{} of the workload's time was examined ({} of {}).",
            percent(report.coverage()),
            count(examined.len() as f64),
            number(report.statements.len(), "statement", "statements")
        ));
    }
    if !report.recommendations.is_empty() {
        sentences.push(
            "Savings are measured times scaled by planner costs: estimates, so measure after each index."
                .to_string(),
        );
    }
    sentences.extend(how_far_from_best(report));
    if let Some(assumed) = assumptions(&examined) {
        sentences.push(assumed);
    }
    // Without advice, this is the first thing said.
    if !report.search.complete && !report.recommendations.is_empty() {
        sentences.push(
            "The time limit ended the search: this is the best found by then, and a longer time_limit may find better."
                .to_string(),
        );
    }
    if report.evicted > 0 {
        sentences.push(format!(
            "{} was full and dropped its least used entries {}, so part of the workload is missing; a larger \
             pg_stat_statements.max would keep it.",
            report.source,
            number(report.evicted as usize, "time", "times")
        ));
    }
    if let [first, others @ ..] = report.search.cut_short.as_slice() {
        let which = report.rank_of(first.statement).map_or_else(String::new, |rank| format!(" #{rank}"));
        let more = match others.len() {
            0 => String::new(),
            n => format!(" and {} more", count(n as f64)),
        };
        sentences.push(format!(
            "Planned less often than the search wanted, as their plans take long: statement{which}{more}; indexes may help \
             them more than is said, and a longer pg_index_advisor.statement_time_limit would tell."
        ));
    }
    if let [(statement, message), others @ ..] = report.search.failures.as_slice() {
        let which = report.rank_of(*statement).map_or_else(String::new, |rank| format!(" #{rank}"));
        let more = match others.len() {
            0 => String::new(),
            n => format!(", and {} more", count(n as f64)),
        };
        sentences.push(format!(
            "Could not be planned any more during the search, so unchanged here: statement{which} ({message}){more}."
        ));
    }
    if sentences.is_empty() {
        sentences.push("There was nothing to examine.".to_string());
    }
    sentences.join(" ")
}

/// What the best set could save beyond the recommendations, and what that rests on.
fn how_far_from_best(report: &Report) -> Option<String> {
    let certificate = &report.certificate;
    if certificate.total_before_ms <= 0.0 || report.candidates == 0 {
        return None;
    }
    let within = match report.limits.storage_bytes {
        Some(budget) => format!(" within {}", size(budget)),
        None => String::new(),
    };
    let most = match report.limits.max_indexes < report.candidates {
        true => format!("up to {} of ", count(report.limits.max_indexes as f64)),
        false => String::new(),
    };
    let exceptions = match certificate.violations as usize {
        0 => "no exception".to_string(),
        n => format!("{}, all allowed for", number(n, "exception", "exceptions")),
    };
    let checked = match certificate.checked as usize {
        0 => String::new(),
        n => format!(" ({} checked, {exceptions})", number(n, "combination", "combinations")),
    };
    let late = if certificate.complete { "" } else { " Time ran out before more could be proven." };
    Some(format!(
        "No set of {most}the {}{within} can save more than {} of the examined time on top of this, in planner cost, \
         as far as the planner's plans show when every index has a price{checked}.{late}",
        number(report.candidates, "candidate", "candidates"),
        percent(certificate.gap),
    ))
}

/// What was assumed of how many statements.
fn assumptions(examined: &[&ExaminedStatement]) -> Option<String> {
    let mut found: Vec<(&str, usize)> = Vec::new();
    let notes = examined.iter().flat_map(|statement| &statement.notes);
    // Statements that were cut short have a sentence of their own.
    for note in notes.filter(|note| *note != CutShort::NOTE) {
        match found.iter_mut().find(|(text, _)| text == note) {
            Some((_, times)) => *times += 1,
            None => found.push((note, 1)),
        }
    }
    found.sort_by_key(|(text, times)| (Reverse(*times), *text));
    let named: Vec<String> = found
        .iter()
        .take(ASSUMPTIONS)
        .map(|(text, times)| format!("{text} ({})", number(*times, "statement", "statements")))
        .collect();
    let more =
        if found.len() > ASSUMPTIONS { "; further notes are in index_advisor.statements()" } else { "" };
    (!named.is_empty()).then(|| format!("Assumed or repaired: {}{more}.", named.join("; ")))
}

fn examined(report: &Report) -> impl Iterator<Item = &ExaminedStatement> {
    report.statements.iter().filter(|statement| matches!(statement.outcome, Outcome::Examined { .. }))
}

/// Share of the examined time that INSERT, UPDATE, DELETE and MERGE take, by the first word of the text.
fn share_of_writes(report: &Report) -> f64 {
    let coverage = report.coverage();
    let writes = examined(report).filter(|statement| {
        let first = statement.text.split_whitespace().next().unwrap_or_default();
        ["insert", "update", "delete", "merge"].iter().any(|word| first.eq_ignore_ascii_case(word))
    });
    let share: f64 = writes.map(|statement| statement.share).sum();
    if coverage > 0.0 { share / coverage } else { 0.0 }
}
