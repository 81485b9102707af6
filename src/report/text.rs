//! The report as plain text of 100 columns, for psql, a pager or a mail.
//!
//! Lays out; what it says in sentences is `summary`, what a number looks like is `format`, what is safe to show is
//! `lines`.

use super::Report;
use super::about::{self, about};
use super::advice::{self, Advice};
use super::coverage::{self, Group, coverage};
use super::earlier;
use super::lines::{Page, one_line};
use super::past::Past;
use super::rows::{self, HEAVIEST, Row};
use super::summary::Summary;

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
    page.heading(&about::title(report), '=');
    page.blank();
    summary(&mut page, &Summary::of(report));
    recommendations(&mut page, report);
    heaviest(&mut page, report);
    left_out(&mut page, &coverage(report));
    if let Some(past) = &report.past {
        changes(&mut page, past);
        followed(&mut page, past);
    }
    footer(&mut page, report);
    page.into_text()
}

fn summary(page: &mut Page, summary: &Summary) {
    for (label, sentences) in summary.answers() {
        page.paragraph(&format!("{label:<15}"), sentences);
    }
}

fn recommendations(page: &mut Page, report: &Report) {
    if report.recommendations.is_empty() {
        return;
    }
    page.blank();
    page.heading(advice::TITLE, '-');
    for advice in advice::all(report, HELPED) {
        page.blank();
        recommendation(page, &advice);
    }
}

fn recommendation(page: &mut Page, advice: &Advice<'_>) {
    page.paragraph(&format!("{:>3}. ", advice.rank), &advice.title);
    page.blank();
    page.sql(5, &advice.ddl);
    page.blank();
    if let Some(careful) = advice.careful {
        labelled(page, advice::CAREFUL, careful);
    }
    labelled(page, advice::SAVES, &advice.saves);
    labelled(page, advice::COSTS, &advice.costs);
    helped(page, advice);
    labelled(page, advice::WHY, advice.why);
}

/// The statements that a recommendation helps: how many, and the first few.
fn helped(page: &mut Page, advice: &Advice<'_>) {
    let more = if advice.recommendation.statements.len() > HELPED { ", most of all" } else { "" };
    labelled(page, advice::HELPS, &format!("{}{more}:", advice.helps));
    for helped in &advice.helped {
        let indent = " ".repeat(5 + LABEL);
        let costs = helped.costs.in_words();
        page.row(&format!("{indent}#{}  saves {}, cost {costs}", helped.rank, helped.saves));
        // Without a row below, its text is shown here.
        if helped.rank > HEAVIEST {
            page.row(&format!("{indent}    {}", one_line(helped.text, TEXT_WIDTH - indent.len())));
        }
    }
}

fn labelled(page: &mut Page, label: &str, text: &str) {
    page.paragraph(&format!("     {label:<LABEL$}"), text);
}

fn heaviest(page: &mut Page, report: &Report) {
    if report.statements.is_empty() {
        return;
    }
    page.blank();
    page.heading(&rows::title(report), '-');
    page.blank();
    page.row(&format!(
        "   #  {:>8}  {:>12}  {:>10}  planner cost now -> with the indexes above",
        rows::SHARE,
        rows::CALLS,
        rows::MEAN
    ));
    for row in rows::all(report).take(HEAVIEST) {
        statement(page, &row);
    }
}

fn statement(page: &mut Page, row: &Row<'_>) {
    page.row(&format!(
        "{:>4}  {:>8}  {:>12}  {:>10}  {}",
        row.rank,
        row.share,
        row.calls,
        row.mean,
        one_line(&row.fate(), 58)
    ));
    page.row(&format!("      {}", one_line(&row.statement.text, TEXT_WIDTH)));
}

fn left_out(page: &mut Page, groups: &[Group]) {
    if groups.iter().all(|group| group.statements == 0) {
        return;
    }
    page.blank();
    page.heading(coverage::TITLE, '-');
    page.blank();
    page.row(&format!("  {}  statements", coverage::SHARE));
    for group in groups.iter().chain([&coverage::whole(groups)]) {
        page.row(&format!("{:>9}  {:>10}  {}", group.percent(), group.count(), group.name));
        if let Some(example) = group.example() {
            page.row(&format!("{}{}", " ".repeat(25), one_line(&example, 75)));
        }
    }
}

fn changes(page: &mut Page, past: &Past) {
    page.blank();
    page.heading(earlier::CHANGES, '-');
    page.blank();
    page.paragraph("", &earlier::changes(past));
    let Some(changes) = &past.changes else { return };
    if !changes.new.is_empty() {
        page.blank();
        page.row(&format!("  {}", earlier::NEW));
        for ddl in &changes.new {
            page.sql(5, &format!("{ddl};"));
        }
    }
    if !changes.withdrawn.is_empty() {
        page.blank();
        page.row(&format!("  {}", earlier::WITHDRAWN));
        for withdrawn in &changes.withdrawn {
            page.sql(5, &format!("{};", withdrawn.ddl));
            page.paragraph("         ", &format!("({})", earlier::why(withdrawn.why)));
        }
    }
}

fn followed(page: &mut Page, past: &Past) {
    page.blank();
    page.heading(earlier::FOLLOWED, '-');
    page.blank();
    page.paragraph("", &earlier::record(&past.record));
    for verified in earlier::verified(past) {
        page.blank();
        page.paragraph("  ", &format!("{}: {}", verified.index, verified.verdict));
        let [_, _, estimated, measured] = earlier::VERIFIED;
        labelled(page, estimated, &verified.estimated);
        labelled(page, measured, &verified.measured);
        for statement in &verified.statements {
            let indent = " ".repeat(5 + LABEL);
            page.row(&format!("{indent}{} -> {} ({})", statement.before, statement.after, statement.change));
            page.row(&format!("{indent}    {}", one_line(statement.text, TEXT_WIDTH - indent.len())));
        }
        if let Some(writes) = &verified.writes {
            labelled(page, earlier::WRITES, writes);
        }
        labelled(page, advice::WHY, &verified.verification.explanation);
        labelled(page, earlier::NEXT, &verified.verification.next_step);
        if let Some(ddl) = &verified.verification.next_ddl {
            page.sql(5 + LABEL, &format!("{ddl};"));
        }
    }
}

fn footer(page: &mut Page, report: &Report) {
    let about = about(report);
    page.blank();
    page.heading(about::TITLE, '-');
    page.blank();
    page.paragraph("", &about.run);
    page.blank();
    page.paragraph("", &about.limits);
    for note in &about.notes {
        page.blank();
        page.paragraph("", note);
    }
    page.blank();
    page.paragraph("", "The report without psql's frame, so that statements can be copied out of it:");
    page.blank();
    page.row("    SELECT index_advisor.report() \\g (format=unaligned tuples_only=on)");
    let Some((sentence, command)) = about.next else { return };
    page.blank();
    page.paragraph("", sentence);
    page.blank();
    page.row(&format!("    {command}"));
}
