//! stub
use super::Report;
/// stub
pub fn render(report: &Report) -> String { super::text::render(report) }
