//! `Shift`: by how much a statement's mean time changed, and how much of a change would be nothing but noise.
//!
//! Works on logarithms of times, so that twice as fast and twice as slow are equally far from no change.

use super::tally::Tally;

/// Calls that a statement must have in each window before anything is said of it. Fewer tell little of how calls differ.
pub const MIN_CALLS: f64 = 5.0;
/// How often noise may be taken for a change.
const ODDS: f64 = 0.01;
/// Statements that have to agree on the drift of the machine before it is believed.
const MIN_CONTROLS: usize = 5;
/// By how much the mean of a statement differs between windows in which nothing changed, as a standard deviation of logarithms, where too few
/// statements tell. Ten statements in windows of 60 calls each differed by 0.12 (PostgreSQL 15) to 0.16 (18) on a machine with two busy cores.
const USUAL_SPREAD: f64 = 0.15;
/// The same at least, however well the statements agree.
const LEAST_SPREAD: f64 = 0.03;
/// Makes the median absolute deviation of normally distributed values their standard deviation.
const MAD_TO_DEVIATION: f64 = 1.4826;

/// How the machine changed between two windows, as statements show that no changed index concerns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Drift {
    /// Logarithm of their time after over their time before, in the middle.
    pub log: f64,
    /// How differently single statements drift, as a standard deviation.
    pub spread: f64,
    /// How many statements that rests on; 0 if too few.
    pub controls: usize,
}

/// A statement's change beyond the drift of the machine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shift {
    /// Logarithm of the time of a call after over the time before.
    pub log: f64,
    /// What could be noise: the change lies within this of `log`, but for one case in a hundred.
    pub noise: f64,
}

impl Shift {
    pub fn is_certain(&self) -> bool {
        self.log.abs() > self.noise
    }
}

impl Drift {
    /// From the windows of the statements that nothing concerns.
    pub fn of<'a>(controls: impl Iterator<Item = (&'a Tally, &'a Tally)>) -> Drift {
        let changes = controls.filter_map(|(before, after)| {
            let (log, variance, _) = change(before, after)?;
            Some((log, 1.0 / (LEAST_SPREAD * LEAST_SPREAD + variance)))
        });
        let changes: Vec<(f64, f64)> = changes.collect();
        if changes.len() < MIN_CONTROLS {
            return Drift { log: 0.0, spread: USUAL_SPREAD, controls: 0 };
        }
        let log = median(changes.clone());
        let off = median(changes.iter().map(|(other, weight)| ((other - log).abs(), *weight)).collect());
        Drift { log, spread: (off * MAD_TO_DEVIATION).max(LEAST_SPREAD), controls: changes.len() }
    }
}

/// The change of a statement between two windows; None for too few calls. `looks` is how many statements are looked at in search of any
/// that changed: the more, the more of them change by chance.
pub fn shift(before: &Tally, after: &Tally, drift: &Drift, looks: usize) -> Option<Shift> {
    let (raw, variance, freedom) = change(before, after)?;
    let normal = normal_quantile(ODDS / looks.max(1) as f64);
    let sampled = student_quantile(normal, freedom) * variance.sqrt();
    let log = raw - drift.log;
    // Calls that return half the rows may take half the time, index or no index.
    let rows = ((rows_per_call(after) + 1.0) / (rows_per_call(before) + 1.0)).ln();
    let by_rows = if rows * log > 0.0 { rows.abs() } else { 0.0 };
    Some(Shift { log, noise: sampled.hypot(normal * drift.spread) + by_rows })
}

/// Logarithm of after over before, its variance and Welch's degrees of freedom.
fn change(before: &Tally, after: &Tally) -> Option<(f64, f64, f64)> {
    if before.sum.calls < MIN_CALLS || after.sum.calls < MIN_CALLS {
        return None;
    }
    let (old, new) = (before.mean_ms(), after.mean_ms());
    if old <= 0.0 || new <= 0.0 {
        return None;
    }
    let (a, b) = (before.variance()?, after.variance()?);
    // The variance of a logarithm is that of its argument over the square of its mean (the delta method).
    let (of_old, of_new) = (a.value / (old * old), b.value / (new * new));
    let sum = of_old + of_new;
    let freedom = match sum > 0.0 {
        true => sum * sum / (of_old * of_old / a.freedom + of_new * of_new / b.freedom),
        false => a.freedom.min(b.freedom),
    };
    Some(((new / old).ln(), sum, freedom))
}

fn rows_per_call(tally: &Tally) -> f64 {
    if tally.sum.calls > 0.0 { tally.sum.rows / tally.sum.calls } else { 0.0 }
}

/// A number of standard deviations that a normal variable exceeds, on either side, with at most these odds (Chernoff's bound, a
/// little more than the quantile itself).
fn normal_quantile(odds: f64) -> f64 {
    (2.0 * (1.0 / odds).ln()).sqrt()
}

/// The same for Student's distribution (Abramowitz and Stegun 26.7.5, two terms).
fn student_quantile(normal: f64, freedom: f64) -> f64 {
    let square = normal * normal;
    let first = (square + 1.0) / (4.0 * freedom);
    let second = ((5.0 * square + 16.0) * square + 3.0) / (96.0 * freedom * freedom);
    normal * (1.0 + first + second)
}

/// The value that half of the weight lies below.
fn median(mut values: Vec<(f64, f64)>) -> f64 {
    values.sort_by(|a, b| a.0.total_cmp(&b.0));
    let half = values.iter().map(|(_, weight)| weight).sum::<f64>() / 2.0;
    let mut below = 0.0;
    for (value, weight) in &values {
        below += weight;
        if below >= half {
            return *value;
        }
    }
    0.0
}
