//! What less storage would give, in words and as rows: the frontier as every renderer says it.
//!
//! Says what the points are; the chart is drawn by `html`.

use super::format::{number, percent, size};
use super::{Report, StoragePoint};

/// The heading of the frontier.
pub const TITLE: &str = "Cost against storage";
/// Names of the columns.
pub const COLUMNS: [&str; 4] = ["Storage", "Indexes", "Cost left", "One more than above"];
/// What the marked point is.
pub const RECOMMENDED: &str = "recommended";

/// A point of the frontier as cells.
pub struct Point<'a> {
    pub size: String,
    pub indexes: usize,
    /// What is left of the cost, as a share of the cost without any index.
    pub left: f64,
    /// The same in per cent.
    pub left_percent: String,
    /// DDL of the one index that this set has more than the one before.
    pub added: Option<&'a str>,
    pub point: &'a StoragePoint,
}

/// The points, smallest first; none where there is no curve to speak of.
pub fn points(report: &Report) -> Vec<Point<'_>> {
    let all = match report.frontier.first() {
        Some(first) if report.frontier.len() > 1 && first.cost_ms > 0.0 && first.cost_ms.is_finite() => {
            first.cost_ms
        }
        _ => return Vec::new(),
    };
    let left = |point: &StoragePoint| (point.cost_ms / all).clamp(0.0, 1.0);
    let points = report.frontier.iter().filter(|this| this.cost_ms.is_finite()).map(|this| Point {
        size: size(this.bytes),
        indexes: this.indexes.len(),
        left: left(this),
        left_percent: percent(left(this)),
        added: this.added.as_deref(),
        point: this,
    });
    points.collect()
}

/// What the curve shows, for those who cannot see it, and what it says beside the points.
pub fn in_words(points: &[Point<'_>]) -> String {
    let (Some(last), true) = (points.last(), points.len() > 1) else { return String::new() };
    let mut text = format!(
        "Each point is the best set of indexes of its size that was found. The recommended one takes {} for {} and leaves \
         {} of the cost of the examined statements, upkeep included.",
        last.size,
        number(last.indexes, "index", "indexes"),
        last.left_percent
    );
    // The smallest set that brings nine tenths of what the whole brings: often a fraction of its size.
    let most = 1.0 - last.left;
    let early = points.iter().find(|point| 1.0 - point.left >= 0.9 * most);
    if let Some(early) = early.filter(|early| early.point.bytes <= last.point.bytes / 2) {
        text.push_str(&format!(
            " {} for {} bring most of that already: {} left.",
            early.size,
            number(early.indexes, "index", "indexes"),
            early.left_percent
        ));
    }
    text
}
