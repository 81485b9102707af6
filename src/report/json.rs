//! The report as JSON, as docs/REPORT_JSON.md describes it, and back.
//!
//! Chooses nothing: what is in the value is in the text.

use super::Report;

/// Renders the report for programs.
pub fn render(report: &Report) -> String {
    // Only maps with other keys than strings fail, and there are none.
    serde_json::to_string_pretty(report).unwrap_or_default()
}

/// A report from its JSON, of this version of the form or an earlier one.
///
/// # Errors
/// What keeps the text from being a report.
pub fn read(text: &str) -> Result<Report, serde_json::Error> {
    serde_json::from_str(text)
}
