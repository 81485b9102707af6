//! Markdown as a parser reads it: nothing in it is other people's markup, and code is what it was.

use super::large::large;
use super::sample::{ATTACKS, advice, examined, hostile, report};
use crate::report::lines::is_hostile;
use crate::report::{Form, Report};
use proptest::prelude::*;
use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

/// What a parser found.
#[derive(Default)]
pub struct Read {
    headings: Vec<String>,
    fences: Vec<(String, String)>,
    /// Cells of each row of each table, heads included.
    rows: Vec<Vec<String>>,
    paragraphs: Vec<String>,
    items: Vec<String>,
    strong: Vec<String>,
}

/// Reads Markdown with everything that GitHub reads, and refuses what we never write.
#[track_caller]
fn read(markdown: &str) -> Read {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_MATH;
    let mut read = Read::default();
    let mut text = String::new();
    let mut fence: Option<String> = None;
    let mut strong = 0;
    for event in Parser::new_ext(markdown, options) {
        match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(language))) => {
                fence = Some(language.to_string());
                text.clear();
            }
            Event::End(TagEnd::CodeBlock) => {
                read.fences.push((fence.take().unwrap_or_default(), std::mem::take(&mut text)));
            }
            Event::Start(Tag::TableRow | Tag::TableHead) => read.rows.push(Vec::new()),
            Event::Start(Tag::TableCell | Tag::Heading { .. } | Tag::Paragraph | Tag::Item) => text.clear(),
            Event::End(TagEnd::TableCell) => {
                if let Some(row) = read.rows.last_mut() {
                    row.push(std::mem::take(&mut text));
                }
            }
            Event::End(TagEnd::Heading(_)) => read.headings.push(std::mem::take(&mut text)),
            Event::End(TagEnd::Paragraph) => read.paragraphs.push(std::mem::take(&mut text)),
            Event::End(TagEnd::Item) => read.items.push(std::mem::take(&mut text)),
            Event::Text(piece) | Event::Code(piece) => text.push_str(&piece),
            Event::Start(Tag::Strong) => strong = text.len(),
            Event::End(TagEnd::Strong) => read.strong.push(text[strong..].to_string()),
            Event::Start(Tag::List(None) | Tag::Table(_))
            | Event::End(TagEnd::List(false))
            | Event::End(TagEnd::Table | TagEnd::TableRow | TagEnd::TableHead) => {}
            // Links, images, HTML, rules, quotes, emphasis, indented code: none is ours.
            other => panic!("{other:?} in\n{markdown}"),
        }
    }
    read
}

/// What holds for every report.
#[track_caller]
pub fn check(report: &Report) -> Read {
    let markdown = Form::Markdown.render(report);
    assert!(!markdown.chars().any(|c| c != '\n' && is_hostile(c)));
    let read = read(&markdown);
    let labels = [
        "What to do",
        "What it saves",
        "What it costs",
        "How sure",
        "Careful",
        "Saves",
        "Costs",
        "Helps",
        "Why",
        "Writes",
        "Next",
        "recommended",
    ];
    assert!(read.strong.iter().all(|text| labels.contains(&text.as_str())), "{:?}", read.strong);
    let columns = |rows: &[Vec<String>]| {
        rows.iter().all(|row| (3..=6).contains(&row.len()) && row.len() == rows[0].len())
    };
    let mut tables: Vec<&[Vec<String>]> = Vec::new();
    let mut start = 0;
    for at in 1..=read.rows.len() {
        if at == read.rows.len() || read.rows[at].len() != read.rows[start].len() {
            tables.push(&read.rows[start..at]);
            start = at;
        }
    }
    assert!(read.rows.is_empty() || tables.iter().all(|table| columns(table)), "{markdown}");
    read
}

#[test]
fn an_empty_report_says_so() {
    let read = check(&report(Vec::new(), Vec::new()));
    assert_eq!(read.headings, ["Index advice for database shop", "About this report"]);
    assert!(read.items[0].starts_with("What to do: Nothing yet"), "{:?}", read.items);
}

#[test]
fn one_recommendation_is_told_in_full() {
    let ddl = "CREATE INDEX CONCURRENTLY ON public.orders (o_custkey)";
    let read = check(&report(vec![examined(0, 1.0, (120_345.0, 1_203.0))], vec![advice(1, ddl, 0.62)]));
    assert!(read.fences.contains(&("sql".to_string(), format!("{ddl};\n"))), "{:?}", read.fences);
    assert!(read.headings.contains(&"1. An index of 120 MB on public.orders that saves 62 %".to_string()));
    let row = [
        "1",
        "100 %",
        "12,345",
        "8.1 ms",
        "120,345 -> 1,203 (-99 %)",
        "SELECT o_orderkey FROM orders WHERE o_custkey = $1",
    ];
    assert!(read.rows.contains(&row.map(str::to_string).to_vec()), "{:?}", read.rows);
    assert!(read.items.contains(&"Why: Serves equality on o_custkey.".to_string()));
}

#[test]
fn a_large_report_has_all_of_it() {
    let large = large();
    let read = check(&large);
    let ddl: Vec<String> = large.recommendations.iter().map(|advice| format!("{};\n", advice.ddl)).collect();
    assert!(ddl.iter().all(|ddl| read.fences.iter().any(|(_, text)| text == ddl)));
    let plans =
        large.plans.iter().filter(|plans| read.fences.iter().any(|(_, text)| text.trim_end() == plans.after));
    assert_eq!(plans.count(), large.plans.len());
    assert_eq!(read.headings.iter().filter(|heading| heading.contains("that saves")).count(), 60);
}

#[test]
fn hostile_text_stays_text() {
    let all = ATTACKS.concat();
    for attack in ATTACKS.iter().copied().chain([all.as_str()]) {
        let read = check(&hostile(attack));
        assert_eq!(read.headings.len(), 12, "{attack:?}: {:?}", read.headings);
        assert!(
            read.fences.iter().filter(|(_, text)| text.starts_with("CREATE INDEX")).count() >= 3,
            "{attack:?}"
        );
    }
}

proptest! {
    #[test]
    fn any_text_stays_text(
        text in prop_oneof!["[`|\\\\*_<>\\[\\]#~$&!\n\r\t {}()-]{0,40}", "\\PC{0,40}", proptest::collection::vec(proptest::sample::select(&ATTACKS[..]), 0..4).prop_map(|all| all.concat())],
    ) {
        let read = check(&hostile(&text));
        prop_assert_eq!(read.headings.len(), 12);
        // The plan is in a fence as it was, but for what is hostile and for space at the ends of lines.
        let plan: String = format!("Seq Scan on x Filter: {text}").chars().map(|c| if is_hostile(c) && !c.is_whitespace() { '?' } else { c }).collect();
        let squeezed = |text: &str| text.chars().filter(|c| !c.is_whitespace() && *c != '?').collect::<String>();
        prop_assert!(read.fences.iter().any(|(_, text)| squeezed(text) == squeezed(&plan)), "{:?}", read.fences);
    }
}
