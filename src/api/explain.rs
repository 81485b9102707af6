//! `explain()`: a statement's plan before and after, side by side.

use crate::pg::explain::{Comparison, Format, compare};
use crate::pg::isolated::PgError;
use crate::pg::session::Quiet;
use crate::report::format;
use crate::settings;
use pgrx::pg_sys;
use pgrx::pg_sys::errcodes::PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE;
use pgrx::prelude::*;

#[pg_extern(
    volatile,
    parallel_unsafe,
    sql = r#"
CREATE FUNCTION explain(
    query text,
    indexes text[] DEFAULT '{}',
    hide regclass[] DEFAULT '{}',
    format text DEFAULT 'text')
RETURNS TABLE (before text, after text)
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
COMMENT ON FUNCTION explain(text, text[], regclass[], text)
    IS 'the plan of a statement as things are, and with hypothetical and without hidden indexes; nothing is run or created';
"#
)]
fn explain(
    query: &str,
    indexes: Vec<Option<String>>,
    hide: Vec<Option<pg_sys::Oid>>,
    format: &str,
) -> TableIterator<'static, (name!(before, String), name!(after, String))> {
    let format = match format.to_lowercase().as_str() {
        "text" => Format::Text,
        "json" => Format::Json,
        "xml" => Format::Xml,
        "yaml" => Format::Yaml,
        _ => PgError::new(
            ERRCODE_INVALID_PARAMETER_VALUE,
            format!("explain format \"{format}\" does not exist"),
        )
        .with_hint("Formats are 'text', 'json', 'xml' and 'yaml'.")
        .raise(),
    };
    let lock_timeout = settings::lock_timeout_ms();
    let _quiet = Quiet::begin(lock_timeout);
    let ddl: Vec<String> = indexes.into_iter().flatten().collect();
    let hidden: Vec<u32> = hide.into_iter().flatten().map(|oid| oid.to_u32()).collect();
    let comparison =
        compare(query, &ddl, &hidden, format, lock_timeout).unwrap_or_else(|error| error.raise());
    TableIterator::new(match format {
        Format::Text => side_by_side(&comparison),
        _ => vec![(comparison.before.text, comparison.after.text)],
    })
}

/// The plans line by line, then what changed and what it takes.
fn side_by_side(comparison: &Comparison) -> Vec<(String, String)> {
    let Comparison { before, after, indexes } = comparison;
    let mut left: Vec<String> = before.text.lines().map(str::to_string).collect();
    let mut right: Vec<String> = after.text.lines().map(str::to_string).collect();
    let lines = left.len().max(right.len());
    left.resize(lines, String::new());
    right.resize(lines, String::new());
    left.push(format!("total cost {:.2}", before.planned.total));
    let change = match before.planned.total {
        cost if cost > 0.0 => 100.0 * (after.planned.total / cost - 1.0),
        _ => 0.0,
    };
    right.push(format!("total cost {:.2} ({change:+.1} %)", after.planned.total));
    for entry in indexes {
        let used = if after.planned.indexes.contains(&entry.oid) { "used" } else { "not used" };
        left.push(String::new());
        right.push(format!("{}: {}, {used}", entry.name, format::size(entry.size.bytes() as u64)));
    }
    left.into_iter().zip(right).collect()
}
