//! `Record`: how the advisor's followed advice turned out, in numbers.

use super::{Record, Verification};

impl Record {
    /// From how many recommendations were followed, and the newest verdict on each.
    pub fn of<'a>(applied: usize, verdicts: impl IntoIterator<Item = &'a Verification>) -> Record {
        let judged =
            verdicts.into_iter().filter(|one| one.recommendation.is_some() && one.verdict.is_claim());
        let judged: Vec<&Verification> = judged.collect();
        let paid = judged.iter().filter(|one| {
            one.verdict.helps() && one.measured_saving.is_some_and(|saving| saving > one.noise.unwrap_or(0.0))
        });
        // An unused index saves nothing, whatever its statements did.
        let measured = |one: &Verification| match one.verdict.helps() {
            true => one.measured_saving,
            false => Some(one.measured_saving.unwrap_or(0.0).min(0.0)),
        };
        let errors = judged.iter().filter_map(|one| Some((one.estimated_saving? - measured(one)?).abs()));
        let mut errors: Vec<f64> = errors.filter(|error| error.is_finite()).collect();
        errors.sort_by(f64::total_cmp);
        let middle = errors.len() / 2;
        let median_error = match errors.len() {
            0 => None,
            odd if odd % 2 == 1 => Some(errors[middle]),
            _ => Some((errors[middle - 1] + errors[middle]) / 2.0),
        };
        Record { applied, judged: judged.len(), paid: paid.count(), median_error }
    }
}
