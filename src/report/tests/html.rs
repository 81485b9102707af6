//! The page as a browser reads it: what it says, that nothing in it is other people's markup, that it loads nothing and
//! that it can be used by everybody.

use super::large::large;
use super::sample::{ATTACKS, advice, examined, hostile, report};
use crate::report::html::{SCRIPT_HASH, STYLE_HASH};
use crate::report::lines::is_hostile;
use crate::report::{Form, Report};
use base64::Engine;
use scraper::{ElementRef, Html, Selector};
use sha2::Digest;
use std::collections::BTreeSet;

/// More than this is long to load on a phone.
const LARGEST: usize = 2_000_000;

pub struct Page {
    text: String,
    tree: Html,
}

impl Page {
    pub fn of(report: &Report) -> Page {
        let text = Form::Html.render(report);
        let tree = Html::parse_document(&text);
        Page { text, tree }
    }

    fn all(&self, selector: &str) -> Vec<ElementRef<'_>> {
        let selector = Selector::parse(selector).expect("a selector of this test");
        self.tree.select(&selector).collect()
    }

    fn texts(&self, selector: &str) -> Vec<String> {
        self.all(selector).iter().map(|element| words(&element.text().collect::<String>())).collect()
    }
}

fn words(text: &str) -> String {
    text.replace('\u{a0}', " ").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What holds for every page, whatever was in the report.
#[track_caller]
pub fn check(page: &Page) {
    assert_eq!(page.tree.errors, Vec::<std::borrow::Cow<str>>::new(), "{}", page.text);
    assert!(!page.text.chars().any(|c| c != '\n' && is_hostile(c)));
    assert_eq!(
        (page.all("script").len(), page.all("style").len(), page.all("title").len()),
        (1, 1, 1 + charts(page))
    );
    // One file: nothing is loaded, sent or framed, and the only links lead to places in the page.
    for outside in [
        "link", "img", "iframe", "object", "embed", "form", "base", "audio", "video", "source", "use",
        "image",
    ] {
        assert!(page.all(outside).is_empty(), "{outside}");
    }
    let ids: Vec<&str> = page.all("[id]").iter().filter_map(|element| element.value().attr("id")).collect();
    let distinct: BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!(distinct.len(), ids.len(), "an id is there twice");
    for element in page.all("*") {
        for (name, value) in element.value().attrs() {
            assert!(!name.starts_with("on") && name != "style" && name != "src", "{name}={value}");
            if matches!(name, "href" | "aria-labelledby" | "aria-describedby") {
                let target = value.trim_start_matches('#');
                assert!(
                    distinct.contains(target) && (name != "href" || value.starts_with('#')),
                    "{name}={value}"
                );
            }
        }
    }
    let policy = page.all("meta[http-equiv=Content-Security-Policy]");
    let policy = policy[0].value().attr("content").unwrap_or_default();
    assert!(policy.starts_with("default-src 'none';") && !policy.contains("unsafe"), "{policy}");
    usable(page);
}

fn charts(page: &Page) -> usize {
    page.all("svg.chart").len()
}

/// Headings in order, tables with headers, pictures with words.
#[track_caller]
fn usable(page: &Page) {
    assert_eq!(page.all("html[lang=en]").len(), 1);
    assert_eq!(page.all("h1").len(), 1);
    let levels: Vec<u32> = page
        .all("h1, h2, h3, h4, h5, h6")
        .iter()
        .filter_map(|heading| heading.value().name()[1..].parse().ok())
        .collect();
    assert!(levels.windows(2).all(|pair| pair[1] <= pair[0] + 1), "a level is left out: {levels:?}");
    let row = Selector::parse("thead tr").expect("a selector of this test");
    let cells = Selector::parse("th, td").expect("a selector of this test");
    let rows = Selector::parse("tbody tr").expect("a selector of this test");
    for table in page.all("table") {
        let head = table.select(&row).next().expect("a table has a head");
        assert!(head.select(&cells).all(|cell| cell.value().attr("scope") == Some("col")));
        let columns = head.select(&cells).count();
        for row in table.select(&rows) {
            assert_eq!(row.select(&cells).count(), columns, "{}", row.html());
            assert!(
                row.select(&cells).any(|cell| cell.value().attr("scope") == Some("row")),
                "{}",
                row.html()
            );
        }
    }
    let hidden = |svg: &ElementRef<'_>| svg.value().attr("aria-hidden") == Some("true");
    for svg in page.all("svg").iter().filter(|svg| !hidden(svg)) {
        assert_eq!(svg.value().attr("role"), Some("img"));
        let title = Selector::parse("title").expect("a selector of this test");
        let title: String = svg.select(&title).flat_map(|title| title.text()).collect();
        assert!(!title.is_empty());
    }
    // What scrolls can be scrolled with the keyboard, and has a name.
    for scroll in page.all(".scroll") {
        assert_eq!(scroll.value().attr("tabindex"), Some("0"));
        assert!(scroll.value().attr("aria-label").is_some_and(|label| !label.is_empty()));
    }
}

#[test]
fn the_policy_allows_the_page_its_own_style_and_script() {
    let page = Page::of(&report(Vec::new(), Vec::new()));
    for (element, hash) in [("style", STYLE_HASH), ("script", SCRIPT_HASH)] {
        let text: String = page.all(element)[0].text().collect();
        let digest = base64::engine::general_purpose::STANDARD.encode(sha2::Sha256::digest(text.as_bytes()));
        assert_eq!(hash, format!("sha256-{digest}"), "the {element} has changed: this is its hash now");
        assert!(page.text.contains(&format!("{element}-src '{hash}'")));
    }
}

#[test]
fn an_empty_report_is_a_page() {
    let page = Page::of(&Report { candidates: 0, ..report(Vec::new(), Vec::new()) });
    check(&page);
    assert!(page.texts("dd")[0].starts_with("Nothing yet: pg_stat_statements has no statement"));
    assert_eq!(page.texts("h2"), ["About this report"]);
}

#[test]
fn one_recommendation_is_told_from_what_to_do_to_how_to_do_it() {
    let ddl = "CREATE INDEX CONCURRENTLY ON public.orders (o_custkey)";
    let page = Page::of(&report(vec![examined(0, 1.0, (120_345.0, 1_203.0))], vec![advice(1, ddl, 0.62)]));
    check(&page);
    assert_eq!(page.texts("dl.answers dt"), ["What to do", "What it saves", "What it costs", "How sure"]);
    assert_eq!(page.texts("dl.answers dd")[0], "Create the one index below; it takes 120 MB.");
    assert_eq!(page.texts(".figures dd"), ["1 index", "62 %", "120 MB", "100 %"]);
    assert_eq!(page.texts(".advice .ddl code"), [format!("{ddl};")]);
    assert_eq!(page.texts("td.measure"), ["120,345 \u{2192} 1,203"]);
    assert!(page.texts(".advice dd").iter().any(|text| text.contains("Serves equality on o_custkey.")));
    // No curve of one point, no plans, no past.
    assert_eq!((charts(&page), page.all(".plans").len(), page.all("#changes").len()), (0, 0, 0));
}

#[test]
fn the_order_is_that_of_reading() {
    let page = Page::of(&large());
    let headings = page.texts("h2");
    assert_eq!(
        headings,
        [
            "Recommendations",
            "Cost against storage",
            "The 20 heaviest of 500 statements",
            "The recommendations one by one",
            "What was examined, and what was left out and why",
            "What changed since the last report",
            "How earlier advice turned out",
            "About this report"
        ]
    );
}

#[test]
fn a_large_report_is_whole_and_not_too_large() {
    let large = large();
    let page = Page::of(&large);
    check(&page);
    assert!(page.text.len() < LARGEST, "{} bytes", page.text.len());
    assert_eq!(page.all("tr[id^=s]").len(), large.statements.len());
    assert_eq!(page.all("details.advice .body[id^=r]").len(), large.recommendations.len());
    assert_eq!(charts(&page), 2);
    assert_eq!(page.all("figure circle").len(), 2 * 2 * large.frontier.len());
    // The heaviest lie open, the others fold.
    let folded = page.all("details.rest tr[id^=s]").len();
    assert_eq!(folded, large.statements.len() - 20);
    // Each plan stands under the recommendations that it speaks for.
    assert!(page.all(".plans").len() >= large.plans.len());
    assert!(page.texts("dl.answers dd")[0].starts_with("Create the 60 indexes below"));
}

#[test]
fn thousands_of_statements_do_not_make_a_page_of_thousands_of_rows() {
    let statements: Vec<_> = (0..1_200).map(|id| examined(id, 1.0 / 1_200.0, (500.0, 5.0))).collect();
    let mut advised = advice(1, "CREATE INDEX CONCURRENTLY ON public.orders (o_custkey)", 0.5);
    advised.statements[0].statement = 1_150;
    let page = Page::of(&report(statements, vec![advised]));
    check(&page);
    assert_eq!(page.all("tr[id^=s]").len(), 1_000);
    assert!(page.texts("p").contains(&"200 more statements are in index_advisor.statements().".to_string()));
}

#[test]
fn hostile_text_stays_text() {
    let all = ATTACKS.concat();
    for attack in ATTACKS.iter().copied().chain([all.as_str()]) {
        let report = hostile(attack);
        let page = Page::of(&report);
        check(&page);
        // All of it is read, as text, but for the characters that nobody should see.
        let visible = |text: &str| {
            text.chars().filter(|c| !c.is_whitespace() && !is_hostile(*c) && *c != '?').collect::<String>()
        };
        let wholes = page.texts("details.whole pre");
        assert!(visible(&wholes[0]).contains(&visible(attack)), "{wholes:?}");
        assert!(page.texts("h1")[0].starts_with("Index advice for database"));
        assert_eq!(page.all("h1").len() + page.all("h2").len(), 9, "{}", page.text);
    }
}

#[test]
fn what_is_copied_is_the_statement_byte_for_byte() {
    let ddl = "CREATE INDEX CONCURRENTLY ON public.\"Order % 5 & <x>\" (\"a  b\") WHERE ((c % 2) = 0)";
    let page = Page::of(&report(vec![examined(0, 1.0, (9.0, 1.0))], vec![advice(1, ddl, 0.5)]));
    let code: Vec<String> = page.all(".advice .ddl code").iter().map(|code| code.text().collect()).collect();
    assert_eq!(code, [format!("{ddl};")]);
}

/// The colours of a block of the style sheet, by name.
fn colours(style: &str, start: &str) -> Vec<(String, [f64; 3])> {
    let block =
        style.split_once(start).and_then(|(_, rest)| rest.split_once('}')).expect("the block is there").0;
    let declared =
        block.split(';').filter_map(|declaration| declaration.trim().strip_prefix("--")?.split_once(": #"));
    let channel = |hex: &str, at: usize| {
        let value = f64::from(u8::from_str_radix(&hex[at..at + 2], 16).expect("a colour")) / 255.0;
        // Relative luminance of sRGB, as WCAG 2 defines it.
        if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    declared.map(|(name, hex)| (name.to_string(), [0, 2, 4].map(|at| channel(hex, at)))).collect()
}

#[test]
fn words_stand_out_in_light_dark_and_print() {
    let page = Page::of(&report(Vec::new(), Vec::new()));
    let style: String = page.all("style")[0].text().collect();
    let dark = style.split_once("prefers-color-scheme: dark").expect("there is a dark page").1;
    let print = style.split_once("@media print").expect("there is a printed page").1;
    for sheet in [style.as_str(), dark, print] {
        let colours = colours(sheet, ":root {");
        let light = |name: &str| {
            let (_, [r, g, b]) =
                colours.iter().find(|(known, _)| known == name).expect("the colour is there");
            0.2126 * r + 0.7152 * g + 0.0722 * b
        };
        for ink in ["ink", "quiet", "accent", "good", "warn", "bad"] {
            for ground in ["page", "card"] {
                let (ink_light, ground_light) = (light(ink), light(ground));
                let (more, less) = (ink_light.max(ground_light), ink_light.min(ground_light));
                let contrast = (more + 0.05) / (less + 0.05);
                // 4.5 is what WCAG 2 asks of text.
                assert!(contrast >= 4.5, "{ink} on {ground}: {contrast:.2}");
            }
        }
    }
}

#[test]
fn the_dark_page_has_a_colour_for_each_of_the_chart() {
    let page = Page::of(&large());
    let style: String = page.all("style")[0].text().collect();
    let mut known = 0;
    for shape in page.all("svg.chart *") {
        for name in ["fill", "stroke"] {
            let Some(colour) = shape.value().attr(name).filter(|colour| *colour != "none") else { continue };
            assert!(style.contains(&format!(".chart [{name}=\"{colour}\"]")), "{name}={colour}");
            known += 1;
        }
    }
    assert!(known > 100);
}
