//! The report as JSON: what is written is what is read, and what the published schema says.

use super::large::large;
use super::sample::{ATTACKS, hostile, report};
use crate::report::{FORMAT_VERSION, Form, Report, json};
use crate::statement::LeftOut;
use schemars::generate::SchemaSettings;
use serde_json::Value;

const SCHEMA: &str = "docs/report.schema.json";
/// The name of this version of the form.
const NAME: &str = "urn:pg_index_advisor:report:1";

/// The schema of what is written, which has every field.
fn schema() -> String {
    let generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    let mut schema = generator.into_root_schema_for::<Report>();
    schema.insert("$id".to_string(), NAME.into());
    schema.insert("title".to_string(), "Report of pg_index_advisor".into());
    let mut text = serde_json::to_string_pretty(&schema).expect("a schema is JSON");
    text.push('\n');
    text
}

/// With UPDATE=1 in the environment, writes the schema anew.
#[test]
fn the_published_schema_is_that_of_the_types() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(SCHEMA);
    if std::env::var("UPDATE").is_ok_and(|value| value == "1") {
        std::fs::write(&path, schema()).expect("docs/ can be written to");
    }
    let published = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(published == schema(), "{SCHEMA} is not what the types give; UPDATE=1 writes it anew");
}

#[track_caller]
fn validate(report: &Report) -> Value {
    let value: Value = serde_json::from_str(&json::render(report)).expect("a report is JSON");
    let schema: Value = serde_json::from_str(&schema()).expect("a schema is JSON");
    let validator = jsonschema::draft202012::new(&schema).expect("the schema is one");
    let errors: Vec<String> =
        validator.iter_errors(&value).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert_eq!(errors, Vec::<String>::new());
    value
}

#[test]
fn reports_are_as_the_schema_says() {
    let empty = validate(&report(Vec::new(), Vec::new()));
    assert_eq!(empty["format_version"], FORMAT_VERSION);
    // Those who look at the beginning of a file find the version there.
    assert!(json::render(&report(Vec::new(), Vec::new())).starts_with("{\n  \"format_version\""));
    validate(&large());
    let mut every = hostile(ATTACKS[0]);
    let reasons = [
        LeftOut::Utility("VACUUM".to_string()),
        LeftOut::Empty,
        LeftOut::Truncated(String::new()),
        LeftOut::SeveralStatements,
        LeftOut::TooLong { limit: 1 },
        LeftOut::HiddenText { role: String::new() },
        LeftOut::NoTable,
        LeftOut::CatalogOnly,
        LeftOut::OwnStatement,
        LeftOut::Locked,
        LeftOut::BeyondCover { cover: 99 },
        LeftOut::BeyondCount { limit: 3 },
        LeftOut::OutOfTime,
    ];
    every.statements.extend(reasons.into_iter().map(|reason| super::sample::left_out(0.0, reason)));
    validate(&every);
}

#[test]
fn a_field_that_the_schema_does_not_know_or_that_is_missing_is_noticed() {
    let schema: Value = serde_json::from_str(&schema()).expect("a schema is JSON");
    let validator = jsonschema::draft202012::new(&schema).expect("the schema is one");
    let whole = validate(&large());
    for (path, value) in [("/format_version", Value::Null), ("/statements/0/outcome/status", "lost".into())] {
        let mut changed = whole.clone();
        *changed.pointer_mut(path).expect("the field is there") = value;
        assert!(!validator.is_valid(&changed), "{path}");
    }
    let fields = whole.as_object().expect("a report is an object");
    let described = schema["properties"].as_object().expect("the schema has properties");
    assert_eq!(fields.keys().collect::<Vec<_>>(), described.keys().collect::<Vec<_>>());
    for field in fields.keys() {
        let mut lacking = whole.clone();
        lacking.as_object_mut().expect("a report is an object").remove(field);
        assert!(!validator.is_valid(&lacking), "{field}");
    }
}

/// The fields that an object of the schema has, and those of the objects within its variants.
fn fields_of(schema: &Value, found: &mut std::collections::BTreeSet<String>) {
    match schema {
        Value::Object(object) => {
            if let Some(Value::Object(properties)) = object.get("properties") {
                found.extend(properties.keys().cloned());
            }
            object.values().for_each(|value| fields_of(value, found));
        }
        Value::Array(items) => items.iter().for_each(|item| fields_of(item, found)),
        _ => {}
    }
}

#[test]
fn every_field_is_explained() {
    let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/REPORT_JSON.md");
    let page = std::fs::read_to_string(page).unwrap_or_default();
    let mut fields = std::collections::BTreeSet::new();
    fields_of(&serde_json::from_str(&schema()).expect("a schema is JSON"), &mut fields);
    assert!(fields.len() > 100 && fields.contains("median_error"));
    let missing: Vec<&String> = fields.iter().filter(|field| !page.contains(&format!("`{field}`"))).collect();
    assert!(missing.is_empty(), "docs/REPORT_JSON.md does not have {missing:?}");
}

#[test]
fn a_report_from_json_is_the_same_in_every_form() {
    for original in [report(Vec::new(), Vec::new()), large(), hostile(&ATTACKS.concat())] {
        let again = json::read(&json::render(&original)).expect("what was written can be read");
        for form in [Form::Text, Form::Markdown, Form::Html, Form::Json] {
            assert_eq!(form.render(&again), form.render(&original));
        }
        // PostgreSQL's jsonb orders the fields of an object anew.
        let value: Value = serde_json::from_str(&json::render(&original)).expect("a report is JSON");
        let ordered = json::read(&value.to_string()).expect("the order of fields does not matter");
        assert_eq!(json::render(&ordered), json::render(&original));
    }
}

#[test]
fn reports_of_before_are_read() {
    let mut value: Value = serde_json::from_str(&json::render(&large())).expect("a report is JSON");
    let fields = value.as_object_mut().expect("a report is an object");
    for new in ["format_version", "plans", "past", "phases_ms"] {
        fields.remove(new).expect("the field is there");
    }
    for statement in fields["statements"].as_array_mut().expect("statements are a list") {
        statement.as_object_mut().expect("a statement is an object").remove("relations");
    }
    let read = json::read(&value.to_string()).expect("a report of version 0.1.0 can be read");
    assert_eq!((read.format_version, read.plans.len(), read.past.is_none()), (0, 0, true));
    assert!(json::read("{}").is_err());
}

#[test]
fn forms_have_names() {
    assert_eq!(Form::named("Markdown"), Some(Form::Markdown));
    assert_eq!(Form::named("md"), Some(Form::Markdown));
    assert_eq!(Form::named("HTML"), Some(Form::Html));
    assert_eq!(Form::named("pdf"), None);
    for name in
        Form::NAMES.split('\'').filter(|name| name.chars().all(|c| c.is_ascii_lowercase()) && name.len() > 1)
    {
        assert!(Form::named(name).is_some(), "{name}");
    }
}
