//! `Window`: a stretch between moments, cut into pieces; and which windows before and after a change are worth comparing.
//!
//! Chooses by moments alone; what was counted in a window is `tally`'s.

use super::known::Moment;

/// Pieces that a window is cut into at most: enough to see how much they differ, few enough to read.
const MOST_PIECES: usize = 8;
/// Windows whose lengths differ by less than this share count as equal.
const EQUAL: f64 = 0.1;
/// The worst share by which the lengths of chosen windows may differ; beyond it nothing is chosen.
const NEARLY_EQUAL: f64 = 0.25;
/// Of a window after, the share that may lie before the index was created without the effect being diluted by more than
/// what a promise is measured with anyway (`verdict::KEPT`).
const DILUTED: f64 = 0.05;
const DAY: f64 = 86_400.0;

/// Between which moments, by position, something changed: in the old one it had not yet, in the new one it had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// None if it is not known how things were before.
    pub old: Option<usize>,
    pub new: usize,
}

/// A window, by the positions of the moments that bound and cut it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// Whether what had been counted at the first moment belongs to it: then it begins when the counters were last reset before that.
    pub from_reset: bool,
    /// Ascending, without repetition; one is enough if it begins with a reset.
    pub cuts: Vec<usize>,
}

/// Two windows to compare.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    pub before: Window,
    pub after: Window,
    /// Part of the window after may lie before the change, which then looks smaller than it is.
    pub mixed: bool,
}

impl Window {
    /// From a moment (or the reset before the first, if None) to a later one; None if there is nothing in between.
    pub fn between(from: Option<usize>, to: usize) -> Option<Window> {
        let first = from.unwrap_or(0);
        if from.is_some_and(|from| from >= to) {
            return None;
        }
        let steps = to - first;
        let pieces = steps.min(MOST_PIECES);
        let mut cuts = vec![first];
        cuts.extend((1..=pieces).map(|piece| first + steps * piece / pieces));
        Some(Window { from_reset: from.is_none(), cuts })
    }

    /// The position of the moment that it begins after; None if it begins with a reset.
    pub fn from(&self) -> Option<usize> {
        if self.from_reset { None } else { self.cuts.first().copied() }
    }

    /// The position of the moment that it ends with.
    pub fn to(&self) -> usize {
        self.cuts.last().copied().unwrap_or(0)
    }

    /// Its length in seconds; None if the clock or the server does not tell.
    pub fn seconds(&self, moments: &[Moment]) -> Option<f64> {
        let first = self.cuts.first().copied().unwrap_or(0);
        let head = match self.from_reset {
            false => 0.0,
            true => moments[first].at - moments[first].statements_reset?,
        };
        // A clock that was put back makes one step unknown, not the whole negative.
        let steps = moments[first..=self.to()].windows(2).map(|two| (two[1].at - two[0].at).max(0.0));
        let seconds = head + steps.sum::<f64>();
        (seconds > 0.0).then_some(seconds)
    }
}

/// The windows worth comparing for a change, the best first: undisturbed by other changes and of equal length where possible.
///
/// `others` are changes to other indexes that the same statements could use. `at` is when it happened, in seconds since 1970, if known.
pub fn pairs(change: Change, at: Option<f64>, others: &[Change], moments: &[Moment]) -> Vec<Pair> {
    let (Some(old), Some(now)) = (change.old, moments.len().checked_sub(1)) else { return Vec::new() };
    // What changed in the same step cannot be told apart anyway.
    let undisturbed_from = others.iter().map(|other| other.new).filter(|new| *new <= old).max();
    let undisturbed_to = others.iter().map(|other| other.new).filter(|new| *new > change.new).min();
    let undisturbed_to = undisturbed_to.map_or(now, |new| new - 1);
    let clean = |from: usize, to: usize| begins_clean(at, from, moments).then_some(to);
    let mut pairs: Vec<Pair> = Vec::new();
    let mut add = |before: Option<Window>, after: Option<Window>, mixed: bool| {
        if let (Some(before), Some(after)) = (before, after) {
            let pair = Pair { before, after, mixed };
            if !pairs.contains(&pair) {
                pairs.push(pair);
            }
        }
    };
    for (from, to) in
        [(undisturbed_from, undisturbed_to), (None, undisturbed_to), (undisturbed_from, now), (None, now)]
    {
        let before = Window::between(from, old);
        let after = Window::between(Some(change.new), to);
        if let (Some(before), Some(after)) = (&before, &after)
            && let Some((before, after)) = equal(before, after, moments)
        {
            add(Some(before), Some(after), false);
        }
        add(before.clone(), after, false);
        let since_before = Window::between(Some(old), to);
        let mixed = since_before.is_some() && clean(old, to).is_none();
        add(before, since_before, mixed);
    }
    pairs
}

/// Whether a window that begins at the last moment without the index has nearly all of its time with it.
fn begins_clean(created: Option<f64>, old: usize, moments: &[Moment]) -> bool {
    let Some(now) = moments.last() else { return false };
    let Some(created) = created else { return false };
    // What was counted before a reset is not in the window.
    let begin = now.statements_reset.map_or(moments[old].at, |reset| reset.max(moments[old].at));
    now.at > begin && created >= moments[old].at && created - begin <= DILUTED * (now.at - begin)
}

/// The longer of two windows cut to the length of the other, at the same hours of the day and days of the week as far as
/// moments allow. None where they are equal as they are, or no moments cut them so.
fn equal(before: &Window, after: &Window, moments: &[Moment]) -> Option<(Window, Window)> {
    let (length_before, length_after) = (before.seconds(moments)?, after.seconds(moments)?);
    if (length_before - length_after).abs() <= EQUAL * length_before.max(length_after) {
        return None;
    }
    if length_before > length_after {
        let (from, to) = (before.cuts.first().copied()?, before.to());
        let anchor = moments[after.from()?].at;
        let (from, to) = nearest(from, to, length_after, anchor, moments)?;
        Some((Window::between(Some(from), to)?, after.clone()))
    } else {
        let (from, to) = (after.from()?, after.to());
        let anchor = moments[before.to()].at - length_before;
        let (from, to) = nearest(from, to, length_before, anchor, moments)?;
        Some((before.clone(), Window::between(Some(from), to)?))
    }
}

/// The stretch within `from..=to` that is most like one of `length` seconds that begins at the same hour as `anchor`; the
/// latest of equally good ones.
fn nearest(from: usize, to: usize, length: f64, anchor: f64, moments: &[Moment]) -> Option<(usize, usize)> {
    let mut best: Option<(f64, usize, usize)> = None;
    for begin in from..to {
        let wanted = moments[begin].at + length;
        // Clocks may go back; the search is then not exact, and what it finds is checked like any other.
        let end = begin + 1 + moments[begin + 1..=to].partition_point(|moment| moment.at < wanted);
        for end in [end.saturating_sub(1), end].into_iter().filter(|end| *end > begin && *end <= to) {
            let off = ((moments[end].at - moments[begin].at) / length - 1.0).abs();
            if off > NEARLY_EQUAL {
                continue;
            }
            let score = off + phase(moments[begin].at - anchor, length);
            if best.is_none_or(|(known, ..)| score <= known) {
                best = Some((score, begin, end));
            }
        }
    }
    best.map(|(_, begin, end)| (begin, end))
}

/// How badly two windows of this length suit each other that begin this far apart: 0 for the same hour of the same day of the
/// week, 1.5 at worst.
fn phase(apart: f64, length: f64) -> f64 {
    let distance = |period: f64| {
        let rest = apart.rem_euclid(period);
        rest.min(period - rest) / (period / 2.0)
    };
    let day = if length < 0.9 * DAY { distance(DAY) } else { 0.0 };
    let week = if length < 6.5 * DAY { 0.5 * distance(7.0 * DAY) } else { 0.0 };
    day + week
}
