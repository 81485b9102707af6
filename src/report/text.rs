//! The report as plain text of 100 columns.

use super::Report;

/// Renders the report for a terminal or a mail.
pub fn render(report: &Report) -> String {
    let mut out = String::new();
    for advice in &report.recommendations {
        out.push_str(&format!("{}. {};\n   {}\n", advice.rank, advice.ddl, advice.reason));
    }
    out
}
