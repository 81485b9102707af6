//! The report as one page of HTML, for a browser or a printer.
//!
//! Lays out; the sentences are those of every renderer. The page is one file that loads nothing. Every text goes through
//! the template's escaping, and no hostile character is left in the page.

mod chart;

use super::about::{self, About, about};
use super::advice::{self, Advice, Plans};
use super::coverage::{self, Group, coverage};
use super::earlier::{self, Verified};
use super::format::number;
use super::lines::{block, cleaned, one_line};
use super::rows::{self, Costs, Row};
use super::storage::{self, Point};
use super::summary::{Figure, Summary};
use super::{Outcome, Report};
use crate::verification::Verdict;
use askama::Template;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");
/// What the page allows itself to apply and to run (Content-Security-Policy): these two and nothing else.
pub const STYLE_HASH: &str = "sha256-PSaaaxtCWvdtF1xl1ynyay++WyhCQrUNDGyHCKPzWUk=";
pub const SCRIPT_HASH: &str = "sha256-OzbkMoS5F3uvTb3A0iMsBvbrfRuRikVg0XKKAy3L6Dg=";

/// Recommendations listed at the top before the others fold away.
const CONTENTS: usize = 20;
/// Recommendations whose evidence lies open.
const OPEN: usize = 3;
/// Statements named with a recommendation.
const HELPED: usize = 6;
/// Statements in the page: more of them would make it slow, and have next to no time.
const MOST: usize = 1_000;
/// Columns of a statement's text on one line.
const LINE: usize = 160;
/// Characters of a plan's lines that half of a wide page has room for.
const BESIDE: usize = 72;
/// Bytes of a statement's or a plan's whole text.
const WHOLE: usize = 4_000;
const PLAN: usize = 20_000;

#[derive(Template)]
#[template(path = "page.html")]
struct Page<'a> {
    report: &'a Report,
    title: String,
    summary: Summary,
    figures: Vec<Figure>,
    advice: Vec<Advice<'a>>,
    curve: Option<Curve<'a>>,
    statements: Vec<Statement<'a>>,
    groups: Vec<Group>,
    verified: Vec<Verified<'a>>,
    about: About,
}

/// The frontier: drawn for wide and for narrow pages, in words and as a table.
struct Curve<'a> {
    wide: String,
    narrow: String,
    words: String,
    points: Vec<Point<'a>>,
}

/// A row of the table of statements.
struct Statement<'a> {
    row: Row<'a>,
    line: String,
    /// The whole text, where the line does not hold it.
    whole: Option<String>,
    /// Lengths of the bars of time now and then, 100 for the heaviest statement's time now.
    bar: Option<(String, String)>,
}

/// Renders the report for a browser.
pub fn render(report: &Report) -> String {
    let summary = Summary::of(report);
    let groups = coverage(report);
    let whole = coverage::whole(&groups);
    let page = Page {
        report,
        title: about::title(report),
        figures: Figure::of(report),
        summary,
        advice: advice::all(report, HELPED),
        curve: curve(report),
        statements: statements(report),
        groups: groups.into_iter().chain([whole]).collect(),
        verified: report.past.as_ref().map_or_else(Vec::new, earlier::verified),
        about: about(report),
    };
    // Writing into a String does not fail.
    cleaned(&page.render().unwrap_or_default())
}

fn curve(report: &Report) -> Option<Curve<'_>> {
    let points = storage::points(report);
    let words = storage::in_words(&points);
    let wide = chart::draw(&points, chart::WIDE, &words)?;
    let narrow = chart::draw(&points, chart::NARROW, &words)?;
    Some(Curve { wide, narrow, words, points })
}

fn statements(report: &Report) -> Vec<Statement<'_>> {
    let longest = report.statements.iter().map(|statement| statement.share).fold(0.0, f64::max);
    rows::all(report).take(MOST).map(|row| statement(row, longest)).collect()
}

fn statement(row: Row<'_>, longest: f64) -> Statement<'_> {
    let line = one_line(&row.statement.text, LINE);
    let foldable = row.rank <= rows::HEAVIEST && row.statement.text.trim() != line;
    let whole = foldable.then(|| block(&row.statement.text, WHOLE));
    let left = row.costs.as_ref().map_or(1.0, |costs| costs.left);
    let length = |share: f64| match 100.0 * share / longest {
        length if length.is_finite() => format!("{:.1}", length.clamp(0.0, 100.0)),
        _ => "0".to_string(),
    };
    let examined = matches!(row.statement.outcome, Outcome::Examined { .. }) && longest > 0.0;
    let bar = examined.then(|| (length(row.statement.share), length(row.statement.share * left)));
    Statement { line, whole, bar, row }
}

/// The text with no line break between a number and its per cent sign.
fn prose(text: impl std::fmt::Display) -> String {
    text.to_string().replace(" %", "\u{a0}%")
}

impl Plans<'_> {
    /// Class of the two plans: side by side where both can be read so.
    fn place(&self) -> &'static str {
        let lines = self.plans.before.lines().chain(self.plans.after.lines());
        if lines.map(|line| line.chars().count()).max().unwrap_or(0) <= BESIDE { "beside" } else { "" }
    }
}

impl Costs {
    /// Class of the change, by the same threshold as its words.
    fn tone(&self) -> &'static str {
        match self.left {
            left if left < 0.999 => "less",
            left if left > 1.001 => "more",
            _ => "same",
        }
    }
}

/// The first `most` of a list, and the others.
fn split<T>(list: &[T], most: usize) -> (&[T], &[T]) {
    list.split_at(most.min(list.len()))
}

impl Verified<'_> {
    /// Class of the verdict.
    fn tone(&self) -> &'static str {
        match self.verification.verdict {
            Verdict::KeptPromise | Verdict::NotMissed => "good",
            Verdict::HelpsLess | Verdict::Unused | Verdict::Invalid => "warn",
            Verdict::Harms | Verdict::Missed => "bad",
            Verdict::TooEarly => "quiet",
        }
    }
}
