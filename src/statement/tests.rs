//! Tests of reading statement texts. The expected readings in `tests/cases` were tried on PostgreSQL 15 and 18: one
//! variant of each can be prepared there against `statement_texts_schema.sql`.

use super::{LeftOut, ParameterType, Reading, Repair, Wrapper, read};
use proptest::prelude::*;

const LIMIT: usize = 1 << 20;
const NORMALIZED: &str = include_str!("../../tests/cases/normalized_statements.sql");
const TEXTS: &str = include_str!("../../tests/cases/statement_texts.jsonl");

fn reading(text: &str) -> Reading {
    read(text, LIMIT).unwrap_or_else(|reason| panic!("{text}: {reason}"))
}

fn first(text: &str) -> String {
    reading(text).variants[0].sql.clone()
}

#[test]
fn every_case_reads_as_recorded() {
    for line in TEXTS.lines() {
        let case: serde_json::Value = serde_json::from_str(line).unwrap();
        let text = case["text"].as_str().unwrap();
        match read(text, LIMIT) {
            Ok(found) => assert_eq!(serde_json::to_value(&found).unwrap(), case["reading"], "{text}"),
            Err(reason) => assert_eq!(Some(reason.to_string().as_str()), case["left_out"].as_str(), "{text}"),
        }
    }
}

#[test]
fn normalized_statements_are_all_read() {
    let texts: Vec<&str> = NORMALIZED.lines().filter(|line| !line.starts_with("--")).collect();
    assert_eq!(texts.len(), 41);
    let repaired =
        texts.iter().filter(|text| reading(text).variants.iter().any(|variant| !variant.repairs.is_empty()));
    assert!(repaired.count() >= 8);
}

#[test]
fn typed_constants_become_casts() {
    for (text, expected) in [
        ("select interval $1 day * id from o", "select $1::interval day * id from o"),
        ("select numeric(10,2) $1", "select $1::numeric(10,2)"),
        ("select time(3) with time zone $1", "select $1::time(3) with time zone"),
        ("select \"S\".t $1", "select $1::\"S\".t"),
        ("select x at time zone $1", "select x at time zone $1"),
        ("select distinct on (a) $1 from o", "select distinct on (a) $1 from o"),
        ("select a operator(pg_catalog.~) $1 from o", "select a operator(pg_catalog.~) $1 from o"),
        ("select date$1 from o where t like$2and b", "select $1::date from o where t like $2 and b"),
    ] {
        assert_eq!(first(text), expected);
    }
}

#[test]
fn a_literal_that_survived_is_put_back() {
    let found = reading("select extract($1 from c), count(*) from o group by extract(year from c)");
    let grouped = found.variants.last().unwrap();
    assert_eq!(grouped.sql, "select extract(year from c), count(*) from o group by extract(year from c)");
    assert_eq!(grouped.repairs, [Repair::GroupedParameter]);
}

#[test]
fn squashed_lists_get_ten_elements() {
    let found = reading("select * from o where id in ($1 /*, ... */) and n = $2");
    assert_eq!(found.squashed_lists, [[1, 3, 4, 5, 6, 7, 8, 9, 10, 11]]);
    assert!(found.variants[0].sql.ends_with("in ($1, $3, $4, $5, $6, $7, $8, $9, $10, $11) and n = $2"));
}

#[test]
fn prepare_declares_types() {
    let found = reading("PREPARE q(int, numeric(10,2)) AS SELECT * FROM o WHERE id = $1 AND n = $2");
    assert_eq!(found.wrapper, Some(Wrapper::Prepare));
    let types = &found.variants[0].parameter_types;
    assert_eq!(types.get(&2), Some(&ParameterType::Named("numeric(10,2)".to_owned())));
    assert!(found.variants[0].repairs.is_empty());
}

#[test]
fn long_deep_and_hostile_texts_are_bounded() {
    assert_eq!(read("select 1", 7).unwrap_err(), LeftOut::TooLong { limit: 7 });
    let deep = format!("select {}1{}", "(".repeat(200_000), ")".repeat(200_000));
    assert_eq!(first(&deep), deep);
    assert!(matches!(read(&"(".repeat(900_000), LIMIT), Err(LeftOut::Truncated(_))));
    reading(&"select ".repeat(100_000));
    reading(&format!("select {} 1", "date $1, ".repeat(100_000)));
    assert!(matches!(read("select \0", LIMIT), Err(LeftOut::NotPlannable(_))));
}

/// Words and signs that statements are made of, in any order.
fn soup() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "select",
        "from",
        "where",
        "group by",
        "order by",
        "(",
        ")",
        "[",
        "]",
        ",",
        ".",
        "$1",
        "$2",
        "$3",
        "date",
        "interval",
        "day",
        "extract",
        "from",
        "in",
        "values",
        "x",
        "o",
        "\"Q q\"",
        "'s'",
        "1",
        "-",
        "=",
        "::",
        "array",
        "any",
        "case",
        "when",
        "then",
        "else",
        "end",
        "union",
        "all",
        "insert into",
        "update",
        "set",
        "with",
        "as",
        "explain",
        "create table",
        "declare",
        "cursor for",
        "copy",
        "prepare",
        "/*, ... */",
        "/* c */",
        "-- l\n",
        ";",
        "normalize",
        "uescape",
        "using",
        "distinct",
        "on",
        "json_table",
        "columns",
        "limit",
        "offset",
        "coalesce",
        "zone",
        "time",
        "é",
        "漢",
        "into",
        "is",
    ]);
    let space = prop::sample::select(vec![" ", "", "\n"]);
    prop::collection::vec((words, space), 0..40)
        .prop_map(|parts| parts.into_iter().map(|(word, space)| format!("{word}{space}")).collect())
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in any::<String>()) {
        let _ = read(&text, LIMIT);
        let _ = read(&format!("select {text}"), LIMIT);
    }

    #[test]
    fn any_soup_is_read_or_refused(text in soup()) {
        let _ = read(&text, LIMIT);
        if let Ok(found) = read(&format!("select {text}"), LIMIT) {
            prop_assert!((1..=12).contains(&found.variants.len()));
        }
    }
}

#[test]
fn a_repaired_text_needs_no_repair() {
    for line in TEXTS.lines() {
        let case: serde_json::Value = serde_json::from_str(line).unwrap();
        let Ok(found) = read(case["text"].as_str().unwrap(), LIMIT) else { continue };
        for variant in &found.variants {
            assert_eq!(first(&variant.sql), variant.sql);
        }
    }
}
