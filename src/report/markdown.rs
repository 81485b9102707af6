//! The report as Markdown, for a wiki, an issue or a chat: CommonMark with the tables of GitHub.
//!
//! Lays out; the sentences are those of every renderer. Statement texts, names and DDL are other people's: they stand in
//! fences or code spans longer than any run of backticks within, or escaped, so that nothing in them is markup. No HTML.

use super::Report;
use super::about::{self, about};
use super::advice::{self, Advice};
use super::coverage::{self, coverage};
use super::earlier;
use super::lines::{block, cleaned, one_line};
use super::past::Past;
use super::rows::{self, HEAVIEST};
use super::storage;
use super::summary::Summary;

/// Statements named with a recommendation.
const HELPED: usize = 5;
/// Columns of a statement's text within a table.
const LINE: usize = 120;
/// Bytes of a whole text.
const WHOLE: usize = 40_000;

/// Renders the report as Markdown.
pub fn render(report: &Report) -> String {
    let mut page = Page::default();
    page.heading(1, &about::title(report));
    for (label, answer) in Summary::of(report).answers() {
        page.labelled(label, answer);
    }
    page.blank();
    let advice = advice::all(report, HELPED);
    contents(&mut page, &advice);
    curve(&mut page, report);
    statements(&mut page, report);
    evidence(&mut page, &advice);
    left_out(&mut page, report);
    if let Some(past) = &report.past {
        changes(&mut page, past);
        followed(&mut page, past);
    }
    footer(&mut page, report);
    cleaned(&page.text)
}

fn contents(page: &mut Page, advice: &[Advice<'_>]) {
    if advice.is_empty() {
        return;
    }
    page.heading(2, advice::TITLE);
    page.columns(&[">#", advice::INDEX, ">Saves", ">Storage", ">Upkeep"]);
    for advice in advice {
        let rank = advice.rank.to_string();
        page.cells(&[rank, code_cell(advice.on()), advice.share(), advice.size(), advice.upkeep()]);
    }
    page.blank();
}

fn curve(page: &mut Page, report: &Report) {
    let points = storage::points(report);
    if points.is_empty() {
        return;
    }
    page.heading(2, storage::TITLE);
    page.paragraph(&storage::in_words(&points));
    let [size, indexes, left, added] = storage::COLUMNS;
    page.columns(&[&format!(">{size}"), &format!(">{indexes}"), &format!(">{left}"), added]);
    for point in points {
        let added = point.added.map_or_else(String::new, code_cell);
        let chosen =
            if point.point.recommended { format!(" **{}**", storage::RECOMMENDED) } else { String::new() };
        page.cells(&[point.size, point.indexes.to_string(), point.left_percent, format!("{added}{chosen}")]);
    }
    page.blank();
}

fn statements(page: &mut Page, report: &Report) {
    if report.statements.is_empty() {
        return;
    }
    page.heading(2, &rows::title(report));
    let right = |name: &str| format!(">{name}");
    page.columns(&[
        ">#",
        &right(rows::SHARE),
        &right(rows::CALLS),
        &right(rows::MEAN),
        rows::COSTS,
        rows::STATEMENT,
    ]);
    for row in rows::all(report).take(HEAVIEST) {
        let fate = cell(&row.fate());
        page.cells(&[
            row.rank.to_string(),
            row.share,
            row.calls,
            row.mean,
            fate,
            code_cell(&one_line(&row.statement.text, LINE)),
        ]);
    }
    page.blank();
}

fn evidence(page: &mut Page, all: &[Advice<'_>]) {
    if all.is_empty() {
        return;
    }
    page.heading(2, advice::EVIDENCE);
    if all.iter().any(|advice| !advice.plans.is_empty()) {
        page.paragraph(advice::OF_PLANS);
    }
    for advice in all {
        page.heading(3, &format!("{}. {}", advice.rank, advice.title));
        page.fence("sql", &advice.ddl);
        if let Some(careful) = advice.careful {
            page.labelled(advice::CAREFUL, careful);
        }
        page.labelled(advice::SAVES, &advice.saves);
        page.labelled(advice::COSTS, &advice.costs);
        page.labelled(advice::WHY, advice.why);
        page.labelled(advice::HELPS, &advice.helps);
        page.blank();
        if !advice.helped.is_empty() {
            page.columns(&[">#", ">Saves", rows::COSTS, rows::STATEMENT]);
        }
        for helped in &advice.helped {
            page.cells(&[
                helped.rank.to_string(),
                helped.saves.clone(),
                cell(&helped.costs.in_words()),
                code_cell(&one_line(helped.text, LINE)),
            ]);
        }
        page.blank();
        if let Some(more) = advice.more_helped() {
            page.paragraph(&more);
        }
        for plans in &advice.plans {
            page.paragraph(&format!("{} #{}. {}:", advice::PLANS_OF, plans.rank, advice::PLAN_NOW));
            page.fence("", &plans.plans.before);
            page.paragraph(&format!("{}:", advice::PLAN_THEN));
            page.fence("", &plans.plans.after);
        }
    }
}

fn left_out(page: &mut Page, report: &Report) {
    if report.statements.is_empty() {
        return;
    }
    let groups = coverage(report);
    page.heading(2, coverage::TITLE);
    page.columns(&[&format!(">{}", coverage::SHARE), ">statements", "what"]);
    for group in groups.iter().chain([&coverage::whole(&groups)]) {
        let example =
            group.example().map_or_else(String::new, |example| format!(", {}", one_line(&example, LINE)));
        page.cells(&[group.percent(), group.count(), cell(&format!("{}{example}", group.name))]);
    }
    page.blank();
}

fn changes(page: &mut Page, past: &Past) {
    page.heading(2, earlier::CHANGES);
    page.paragraph(&earlier::changes(past));
    let Some(changes) = &past.changes else { return };
    if !changes.new.is_empty() {
        page.paragraph(&format!("{}:", earlier::NEW));
        let all: Vec<String> = changes.new.iter().map(|ddl| format!("{ddl};")).collect();
        page.fence("sql", &all.join("\n"));
    }
    if !changes.withdrawn.is_empty() {
        page.paragraph(&format!("{}:", earlier::WITHDRAWN));
        for withdrawn in &changes.withdrawn {
            page.item(&format!("{}: {}", code(&withdrawn.ddl), earlier::why(withdrawn.why)));
        }
        page.blank();
    }
}

fn followed(page: &mut Page, past: &Past) {
    page.heading(2, earlier::FOLLOWED);
    page.paragraph(&earlier::record(&past.record));
    let all = earlier::verified(past);
    if all.is_empty() {
        return;
    }
    page.columns(&earlier::VERIFIED);
    for verified in &all {
        page.cells(&[
            code_cell(verified.index),
            verified.verdict.to_string(),
            verified.estimated.clone(),
            verified.measured.clone(),
        ]);
    }
    page.blank();
    for verified in &all {
        page.heading(3, &format!("{}: {}", verified.index, verified.verdict));
        page.labelled(advice::WHY, &verified.verification.explanation);
        if let Some(writes) = &verified.writes {
            page.labelled(earlier::WRITES, writes);
        }
        page.labelled(earlier::NEXT, &verified.verification.next_step);
        page.blank();
        if let Some(ddl) = &verified.verification.next_ddl {
            page.fence("sql", &format!("{ddl};"));
        }
        if verified.statements.is_empty() {
            continue;
        }
        page.columns(&earlier::MEASURED);
        for statement in &verified.statements {
            page.cells(&[
                code_cell(&one_line(statement.text, LINE)),
                cell(&statement.before),
                cell(&statement.after),
                cell(&statement.change),
            ]);
        }
        page.blank();
    }
}

fn footer(page: &mut Page, report: &Report) {
    let about = about(report);
    page.heading(2, about::TITLE);
    page.paragraph(&about.run);
    page.paragraph(&about.limits);
    for note in &about.notes {
        page.paragraph(note);
    }
    if let Some((sentence, command)) = about.next {
        page.paragraph(sentence);
        page.fence("sql", command);
    }
}

/// Markdown under construction. What it is given is plain text, but for the cells, which the functions below make.
#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    fn blank(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with("\n\n") {
            self.text.push('\n');
        }
    }

    fn heading(&mut self, level: usize, text: &str) {
        self.blank();
        self.line(&format!("{} {}", "#".repeat(level), escaped(text)));
        self.blank();
    }

    fn paragraph(&mut self, text: &str) {
        self.blank();
        // A line that begins so is an item, a quote or a rule.
        let start = if text.trim_start().starts_with(['+', '-', '=', '>']) { "\\" } else { "" };
        self.line(&format!("{start}{}", escaped(text)));
        self.blank();
    }

    /// An item of a list: a word in bold and what it is about.
    fn labelled(&mut self, label: &str, text: &str) {
        self.item(&format!("**{label}**: {}", escaped(text)));
    }

    /// An item of a list, of text that is Markdown already.
    fn item(&mut self, markdown: &str) {
        self.line(&format!("- {markdown}"));
    }

    /// The head of a table; a leading `>` puts a column to the right.
    fn columns(&mut self, names: &[&str]) {
        self.blank();
        let name = |name: &&str| name.trim_start_matches('>').to_string();
        self.cells(&names.iter().map(name).collect::<Vec<String>>());
        let rule = |name: &&str| if name.starts_with('>') { "---:" } else { "---" }.to_string();
        self.cells(&names.iter().map(rule).collect::<Vec<String>>());
    }

    fn cells(&mut self, cells: &[String]) {
        self.line(&format!("| {} |", cells.join(" | ")));
    }

    /// Text as it is, in a fence that nothing in it can close.
    fn fence(&mut self, language: &str, text: &str) {
        let text = block(text, WHOLE);
        let fence = "`".repeat(longest_run(&text).max(2) + 1);
        self.blank();
        self.line(&format!("{fence}{language}"));
        // Not by `line`: no space at the end of a line is trimmed here but what `block` has trimmed.
        self.text.push_str(&text);
        self.text.push('\n');
        self.line(&fence);
        self.blank();
    }
}

/// The longest run of backticks.
fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

/// Prose on one line in which nothing is markup: a backslash before what could be, as CommonMark has it. An underscore
/// within a word is none, and names are full of them.
fn escaped(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let line: Vec<char> = words.join(" ").chars().collect();
    let word = |at: Option<usize>| at.and_then(|at| line.get(at)).is_some_and(|c| c.is_alphanumeric());
    let mut safe = String::new();
    for (at, c) in line.iter().enumerate() {
        let markup = match c {
            '\\' | '`' | '*' | '[' | ']' | '<' | '&' | '|' | '~' | '$' => true,
            '_' => !(word(at.checked_sub(1)) && word(Some(at + 1))),
            // `https://` and `www.` become links without any brackets.
            ':' => line.get(at + 1) == Some(&'/'),
            '.' => at >= 3 && line[at - 3..at].iter().collect::<String>().eq_ignore_ascii_case("www"),
            // At the end of a heading they would go.
            '#' => !word(Some(at + 1)),
            _ => false,
        };
        if markup {
            safe.push('\\');
        }
        safe.push(*c);
    }
    safe
}

/// Prose within a table.
fn cell(text: &str) -> String {
    // An escaped pipe still ends a cell where a backslash stands before it, so pipes are written as entities.
    escaped(text).replace("\\|", "&#124;")
}

/// Code on one line, within a fence of backticks that nothing in it can close.
fn code(text: &str) -> String {
    let line = one_line(text, WHOLE);
    if line.is_empty() {
        return String::new();
    }
    let fence = "`".repeat(longest_run(&line) + 1);
    // One space on either side is taken away again; it keeps backticks at the ends apart from the fence.
    let space = if line.starts_with('`') || line.ends_with('`') { " " } else { "" };
    format!("{fence}{space}{line}{space}{fence}")
}

/// Code within a table. A pipe would end the cell whatever stands around it, so a text that has one is prose.
fn code_cell(text: &str) -> String {
    if text.contains('|') { cell(&one_line(text, WHOLE)) } else { code(text) }
}
