//! What holds of every history.

use super::world::{DAY, World};
use crate::verification::{Verdict, Verification};
use proptest::prelude::*;

/// What varies from history to history.
#[derive(Clone, Debug)]
struct Case {
    calls: (f64, f64),
    ms: (f64, f64),
    others_ms: f64,
    deviation: f64,
    ratio: f64,
    scans: f64,
    snapshot_between: bool,
}

fn case() -> impl Strategy<Value = Case> {
    let calls = (0u32..2000, 0u32..2000).prop_map(|(a, b)| (f64::from(a), f64::from(b)));
    let ms = (0.01f64..100.0, 0.01f64..100.0);
    (calls, ms, 0.5f64..50.0, 0.0f64..3.0, 0.01f64..0.99, prop_oneof![Just(0.0), Just(50.0)], any::<bool>())
        .prop_map(|(calls, ms, others_ms, deviation, ratio, scans, snapshot_between)| Case {
            calls,
            ms,
            others_ms,
            deviation,
            ratio,
            scans,
            snapshot_between,
        })
}

/// The case with all times before and after multiplied, and calls too.
fn judged(case: &Case, scale: (f64, f64), calls: f64) -> Verification {
    let mut world = World::usual();
    world.known.promises[0].ratios.insert(1, case.ratio);
    world.deviation = case.deviation;
    world.runs(1, case.calls.0 * calls, case.ms.0 * scale.0);
    world.others_run(1000.0, case.others_ms * scale.0);
    world.passes(DAY);
    world.snapshot();
    world.creates(1, "public.t");
    world.present(1).scans = case.scans;
    if case.snapshot_between {
        world.snapshot();
    }
    world.runs(1, case.calls.1 * calls, case.ms.1 * scale.1);
    world.others_run(1000.0, case.others_ms * scale.1);
    world.passes(DAY);
    world.verify().remove(0)
}

/// A place in the order of how sure a verdict is.
fn is_claim(found: &Verification) -> bool {
    found.verdict.is_claim()
}

proptest! {
    #[test]
    fn a_drift_of_the_whole_machine_changes_no_verdict(case in case(), drift in 0.2f64..5.0, unit in 0.01f64..100.0) {
        let plain = judged(&case, (1.0, 1.0), 1.0);
        let drifted = judged(&case, (unit, unit * drift), 1.0);
        prop_assert_eq!(plain.verdict, drifted.verdict, "{}\n{}", plain.explanation, drifted.explanation);
    }

    #[test]
    fn more_of_the_same_calls_make_only_surer(case in case(), more in 1.0f64..50.0) {
        let few = judged(&case, (1.0, 1.0), 1.0);
        let many = judged(&case, (1.0, 1.0), more);
        if is_claim(&few) {
            // One that does not help may turn out to harm.
            let found_out = (few.verdict, many.verdict) == (Verdict::HelpsLess, Verdict::Harms);
            prop_assert!(found_out || few.verdict == many.verdict, "{}\n{}", few.explanation, many.explanation);
        }
        if let (Some(few), Some(many)) = (few.noise, many.noise) {
            prop_assert!(many <= few + 1e-9);
        }
    }

    #[test]
    fn without_a_change_nothing_is_kept_or_harmed(mut case in case()) {
        case.ms.1 = case.ms.0;
        let verdict = judged(&case, (1.0, 1.0), 1.0).verdict;
        prop_assert!(!matches!(verdict, Verdict::KeptPromise | Verdict::Harms | Verdict::Missed), "{verdict:?}");
    }

    #[test]
    fn three_calls_claim_nothing(mut case in case(), before in any::<bool>()) {
        case.scans = 50.0;
        if before { case.calls.0 = 3.0 } else { case.calls.1 = 3.0 }
        prop_assert_eq!(judged(&case, (1.0, 1.0), 1.0).verdict, Verdict::TooEarly);
    }

    #[test]
    fn all_numbers_are_numbers(case in case()) {
        let found = judged(&case, (1.0, 1.0), 1.0);
        let text = serde_json::to_string(&found).unwrap();
        let again: Verification = serde_json::from_str(&text).unwrap();
        prop_assert_eq!((again.verdict, &again.explanation), (found.verdict, &found.explanation));
        for number in [found.measured_saving, found.estimated_saving, found.noise, found.measured_ms_per_day] {
            prop_assert!(number.is_none_or(f64::is_finite));
        }
        prop_assert!(!found.explanation.is_empty() && !found.next_step.is_empty());
        prop_assert!(!found.explanation.contains("NaN") && !found.explanation.contains("inf"));
    }

    #[test]
    fn the_order_in_which_things_are_known_does_not_matter(case in case(), rotate in 0usize..12) {
        let plain = judged(&case, (1.0, 1.0), 1.0);
        let mut world = World::usual();
        world.known.statements.rotate_left(rotate % 11);
        world.known.promises[0].ratios.insert(1, case.ratio);
        world.deviation = case.deviation;
        world.others_run(1000.0, case.others_ms);
        world.runs(1, case.calls.0, case.ms.0);
        world.passes(DAY);
        world.snapshot();
        world.creates(1, "public.t");
        world.present(1).scans = case.scans;
        if case.snapshot_between {
            world.snapshot();
        }
        world.others_run(1000.0, case.others_ms);
        world.runs(1, case.calls.1, case.ms.1);
        world.passes(DAY);
        let other = world.verify().remove(0);
        prop_assert_eq!(plain.explanation, other.explanation);
        prop_assert_eq!(plain.verdict, other.verdict);
    }
}
