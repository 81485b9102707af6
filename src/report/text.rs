//! The report as plain text of 100 columns, for psql, a pager or a mail.
//!
//! Lays out; what it says in sentences is `summary`, what a number looks like is `format`, what is safe to show is
//! `lines`.

use super::coverage::{Group, coverage};
use super::format::{change, count, duration, number, per_day, percent, size, thousands};
use super::limits::in_words;
use super::lines::{Page, is_hostile, one_line};
use super::summary::Summary;
use super::{ExaminedStatement, Outcome, Report};
use crate::recommendation::{Recommendation, StatementEffect};
use crate::statement::LeftOut;

/// Statements in the table of the heaviest.
const HEAVIEST: usize = 20;
/// Statements named with a recommendation.
const HELPED: usize = 3;
/// Columns of a statement's text, where it has a line of its own.
const TEXT_WIDTH: usize = 90;
/// The words that describe a recommendation stand from this column on.
const LABEL: usize = 11;

/// Renders the report for a terminal or a mail: no line is longer than 100 columns, except for a piece of DDL that
/// cannot be broken, and no control character but the newline is in it.
pub fn render(report: &Report) -> String {
    let mut page = Page::default();
    page.heading(&format!("Index advice for database {}", report.database), '=');
    page.blank();
    summary(&mut page, &Summary::of(report));
    recommendations(&mut page, report);
    heaviest(&mut page, report);
    left_out(&mut page, &coverage(report));
    footer(&mut page, report);
    page.into_text()
}

fn summary(page: &mut Page, summary: &Summary) {
    page.paragraph("What to do     ", &summary.what_to_do);
    if let Some(saves) = &summary.what_it_saves {
        page.paragraph("What it saves  ", saves);
    }
    if let Some(costs) = &summary.what_it_costs {
        page.paragraph("What it costs  ", costs);
    }
    page.paragraph("How sure       ", &summary.how_sure);
}

fn recommendations(page: &mut Page, report: &Report) {
    if report.recommendations.is_empty() {
        return;
    }
    page.blank();
    page.heading("Recommendations", '-');
    for advice in &report.recommendations {
        page.blank();
        recommendation(page, report, advice);
    }
}

fn recommendation(page: &mut Page, report: &Report, advice: &Recommendation) {
    page.paragraph(
        &format!("{:>3}. ", advice.rank),
        &format!(
            "An index of {} on {} that saves {}",
            size(advice.size_bytes),
            advice.relation_name,
            percent(advice.saving)
        ),
    );
    page.blank();
    page.sql(5, &format!("{};", advice.ddl));
    page.blank();
    if advice.ddl.chars().any(is_hostile) {
        labelled(
            page,
            "Careful",
            "a name in it holds characters that cannot be shown here, ? in their place: take the statement from the \
             ddl column of index_advisor.recommend().",
        );
    }
    let daily = advice.saving_ms_per_day.map_or_else(String::new, |ms| format!(", {}", per_day(ms)));
    labelled(
        page,
        "Saves",
        &match advice.rank {
            1 => format!("{} of the examined time{daily}.", percent(advice.saving)),
            _ => format!(
                "{} of the examined time on top of those above{daily}; {} alone.",
                percent(advice.saving),
                percent(advice.saving_alone)
            ),
        },
    );
    let upkeep = match advice.write_ms_per_day {
        Some(ms) if ms > 0.0 => format!("; {} for writers", per_day(ms)),
        Some(_) => "; nothing for writers at the observed rate".to_string(),
        None => String::new(),
    };
    labelled(page, "Costs", &format!("{}{upkeep}.", size(advice.size_bytes)));
    helped(page, report, &advice.statements);
    labelled(page, "Why", &advice.reason);
}

/// The statements that a recommendation helps: how many, and the first few.
fn helped(page: &mut Page, report: &Report, effects: &[StatementEffect]) {
    let more = if effects.len() > HELPED { ", most of all" } else { "" };
    labelled(page, "Helps", &format!("{}{more}:", number(effects.len(), "statement", "statements")));
    for effect in effects.iter().take(HELPED) {
        let Some(rank) = report.rank_of(effect.statement) else { continue };
        let costs = costs(effect.cost_before, effect.cost_after);
        let indent = " ".repeat(5 + LABEL);
        page.row(&format!("{indent}#{rank}  saves {}, {costs}", percent(effect.saving)));
        // Without a row below, its text is shown here.
        if let Some(statement) = report.examined(effect.statement).filter(|_| rank > HEAVIEST) {
            page.row(&format!("{indent}    {}", one_line(&statement.text, TEXT_WIDTH - indent.len())));
        }
    }
}

fn labelled(page: &mut Page, label: &str, text: &str) {
    page.paragraph(&format!("     {label:<LABEL$}"), text);
}

fn costs(before: f64, after: f64) -> String {
    format!("cost {} -> {} ({})", thousands(before), thousands(after), change(before, after))
}

fn heaviest(page: &mut Page, report: &Report) {
    if report.statements.is_empty() {
        return;
    }
    let shown = report.statements.len().min(HEAVIEST);
    page.blank();
    let of = match report.statements.len() {
        all if all > shown => format!("The {shown} heaviest of {} statements", count(all as f64)),
        _ => "The statements, heaviest first".to_string(),
    };
    page.heading(&of, '-');
    page.blank();
    page.row("   #   of time         calls        mean  planner cost now -> with the indexes above");
    for (position, statement) in report.statements.iter().enumerate().take(HEAVIEST) {
        row(page, position + 1, statement);
    }
}

fn row(page: &mut Page, rank: usize, statement: &ExaminedStatement) {
    let mean = if statement.calls > 0.0 { statement.total_ms / statement.calls } else { 0.0 };
    let fate = match &statement.outcome {
        Outcome::Examined { cost_before, cost_after, .. } => {
            let slower = statement.outcome.notable_slowdown();
            let slower =
                slower.map_or_else(String::new, |share| format!(", may take {} longer", percent(share)));
            format!(
                "{} -> {} ({}){slower}",
                thousands(*cost_before),
                thousands(*cost_after),
                change(*cost_before, *cost_after)
            )
        }
        Outcome::LeftOut { reason: LeftOut::Utility(command) } => {
            format!("left out: {command}, a utility statement")
        }
        Outcome::LeftOut { reason } => format!("left out: {reason}"),
    };
    page.row(&format!(
        "{rank:>4}  {:>8}  {:>12}  {:>10}  {}",
        percent(statement.share),
        count(statement.calls),
        duration(mean),
        one_line(&fate, 58)
    ));
    page.row(&format!("      {}", one_line(&statement.text, TEXT_WIDTH)));
}

fn left_out(page: &mut Page, groups: &[Group]) {
    if groups.iter().all(|group| group.statements == 0) {
        return;
    }
    page.blank();
    page.heading("What was examined, and what was left out and why", '-');
    page.blank();
    page.row("  of time  statements");
    for group in groups {
        page.row(&shares(group.tenths, group.statements, group.name));
        if let Some((rank, reason)) = &group.example {
            page.row(&format!("{}such as #{rank}: {}", " ".repeat(25), one_line(reason, 65)));
        }
    }
    let all = groups.iter().map(|group| group.statements).sum();
    page.row(&shares(groups.iter().map(|group| group.tenths).sum(), all, "In all"));
}

fn shares(tenths: u32, statements: usize, name: &str) -> String {
    format!("{:>5}.{} %  {:>10}  {name}", tenths / 10, tenths % 10, count(statements as f64))
}

fn footer(page: &mut Page, report: &Report) {
    page.blank();
    page.heading("About this report", '-');
    page.blank();
    let window = match report.window_seconds {
        Some(seconds) => format!(", observed for {}", duration(seconds * 1000.0)),
        None => String::new(),
    };
    page.paragraph(
        "",
        &format!(
            "Database {} on PostgreSQL {}, {}. Workload: {}{window}. {} considered with {} in {}.",
            report.database,
            report.server_version,
            report.made_at,
            report.source,
            number(report.candidates, "candidate index", "candidate indexes"),
            number(report.search.planner_calls as usize, "planner call", "planner calls"),
            duration(report.elapsed_ms)
        ),
    );
    page.blank();
    page.paragraph("", &in_words(&report.limits));
    for note in &report.notes {
        page.blank();
        page.paragraph("", &format!("Note: {note}."));
    }
    page.blank();
    page.paragraph("", "The report without psql's frame, so that statements can be copied out of it:");
    page.blank();
    page.row("    SELECT index_advisor.report() \\g (format=unaligned tuples_only=on)");
    if report.recommendations.is_empty() {
        return;
    }
    page.blank();
    page.paragraph(
        "",
        "Nothing has been created. Create one index, measure, then ask again; in psql, with the arguments of this \
         report if it had any, and outside a transaction block because of CONCURRENTLY:",
    );
    page.blank();
    page.row("    SELECT ddl FROM index_advisor.recommend() WHERE rank = 1 \\gexec");
}
