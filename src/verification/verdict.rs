//! What the evidence of a pair of windows amounts to: a `Finding`.
//!
//! Decides; measures nothing and words nothing. A verdict that the noise could explain is not given.

use super::Verdict;
use super::evidence::Evidence;
use super::noise::MIN_CALLS;

/// Of what was estimated, the share that must be measured for a promise to count as kept: a judgement. Estimates are planner costs
/// taken for times, and an index that brings four fifths of what was expected is as good a choice as it looked.
pub const KEPT: f64 = 0.8;
/// Of what was estimated, the share that an index must certainly miss before it is said to help less where it may not help at all.
const HALF: f64 = 0.5;
/// Of what is at stake, the share that must belong to statements with enough calls.
const MOST: f64 = 0.5;
/// Seconds of a window after which an index that was not scanned in it gets no credit for what its statements saved.
const LONG_AGO: f64 = 120.0;
/// Of the statements on a table, by number and by time, the share that must be known well enough before an index that was dropped is said not
/// to be missed.
const NEARLY_ALL: f64 = 0.8;

/// A verdict on a pair of windows, or why there is none yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    Claim(Verdict),
    Wait(Wait),
}

/// What is missing for a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Nothing is known of the time before.
    NoBefore,
    /// Its statements ran too rarely in one of the windows.
    Calls,
    /// The window after begins before the index did.
    Mixed,
    /// Its statements ran, and what they scanned may not have been reported yet.
    Scans,
    /// The noise is as large as what was promised.
    Noise,
    /// It helps, but whether as much as was promised is within the noise.
    HowMuch,
    /// Nothing is known of what was promised, or of statements that could miss it.
    Nothing,
}

/// What became of an index that was created. `scans` is how often it was scanned, if that is known for the whole window.
pub fn created(evidence: &Evidence<'_>, scans: Option<f64>) -> Finding {
    let saving = evidence.saving();
    let (lost, gained) = evidence.side_effects();
    // An index that came within the window has not had all of it to be used, or to do harm.
    let whole = !evidence.mixed;
    // Scans are reported later than calls are counted. Where the planner would not use it anyway, there is nothing to wait for.
    let ran = evidence.calls_after() >= MIN_CALLS;
    let reported = evidence.calls_reported >= MIN_CALLS || (ran && evidence.planned_without());
    if whole && reported && scans == Some(0.0) {
        return Finding::Claim(if lost > gained { Verdict::Harms } else { Verdict::Unused });
    }
    let long_ago = evidence.seconds_after.is_some_and(|seconds| seconds >= LONG_AGO);
    if scans == Some(0.0) && long_ago {
        // Whatever changed, it was not by this index; or it was created, or used, a moment ago.
        return Finding::Wait(match (whole, ran) {
            (false, _) => Wait::Mixed,
            (true, false) => Wait::Calls,
            (true, true) => Wait::Scans,
        });
    }
    if evidence.promised.is_empty() {
        return Finding::Wait(Wait::Nothing);
    }
    if saving.judged < MOST {
        return Finding::Wait(Wait::Calls);
    }
    if whole && (saving.most < 0.0 || lost > gained + saving.weight * saving.most.max(0.0)) {
        return Finding::Claim(Verdict::Harms);
    }
    let helps = saving.least > 0.0;
    if helps && saving.measured >= KEPT * saving.estimated {
        return Finding::Claim(Verdict::KeptPromise);
    }
    // That nothing was saved is within the noise; that much was is not.
    let too_little = if helps { saving.estimated } else { HALF * saving.estimated };
    if saving.most < too_little {
        return if whole { Finding::Claim(Verdict::HelpsLess) } else { Finding::Wait(Wait::Mixed) };
    }
    Finding::Wait(match (evidence.mixed, helps) {
        (true, _) => Wait::Mixed,
        (false, true) => Wait::HowMuch,
        (false, false) => Wait::Noise,
    })
}

/// What became of the statements of a table that an index was dropped from.
pub fn dropped(evidence: &Evidence<'_>) -> Finding {
    let (lost, gained) = evidence.side_effects();
    if lost > gained {
        return Finding::Claim(Verdict::Missed);
    }
    if evidence.others.is_empty() {
        return Finding::Wait(Wait::Nothing);
    }
    let (judged, visible) = evidence.known_of_table();
    if judged < NEARLY_ALL {
        return Finding::Wait(Wait::Calls);
    }
    if visible < NEARLY_ALL {
        return Finding::Wait(Wait::Noise);
    }
    if evidence.mixed { Finding::Wait(Wait::Mixed) } else { Finding::Claim(Verdict::NotMissed) }
}
