//! Which windows are compared, and what is counted in them.

use super::world::{DAY, HOUR, World};
use crate::verification::known::Moment;
use crate::verification::tally::Tally;
use crate::verification::window::{Change, Window, pairs};
use proptest::prelude::*;

fn hourly(n: usize) -> Vec<Moment> {
    let at = |i: usize| 1.8e9 + i as f64 * HOUR;
    (0..n)
        .map(|i| Moment {
            id: i as i64 * 3,
            at: at(i),
            statements_reset: Some(1.8e9 - DAY),
            tables_reset: None,
        })
        .collect()
}

fn change(old: usize) -> Change {
    Change { old: Some(old), new: old + 1 }
}

#[test]
fn windows_are_of_equal_length_and_at_the_same_hours() {
    // Ten days before, 36 hours after.
    let moments = hourly(240 + 37);
    let first = &pairs(change(240), None, &[], &moments)[0];
    let (before, after) = (&first.before, &first.after);
    assert_eq!(after.seconds(&moments), Some(35.0 * HOUR));
    assert_eq!(before.seconds(&moments), Some(35.0 * HOUR));
    let apart = moments[after.from().unwrap()].at - moments[before.from().unwrap()].at;
    assert_eq!(apart, 7.0 * DAY, "the same day of the week");
    assert!(!first.mixed);
}

#[test]
fn the_longer_window_after_is_cut_too() {
    // A day before, ten days after: the newest day of the same weekday.
    let moments = hourly(25 + 240);
    let first = &pairs(change(24), None, &[], &moments)[0];
    let length = first.before.seconds(&moments).unwrap();
    assert!((first.after.seconds(&moments).unwrap() / length - 1.0).abs() < 0.05);
    let begin = moments[24].at - length;
    let apart = (moments[first.after.from().unwrap()].at - begin).rem_euclid(7.0 * DAY);
    assert!(apart.min(7.0 * DAY - apart) <= 2.0 * HOUR, "{apart}");
}

#[test]
fn other_changes_bound_windows_first() {
    let moments = hourly(100);
    let all = pairs(change(50), None, &[change(30), change(70)], &moments);
    let within = |from: usize, window: &Window, to: usize| {
        window.from().is_some_and(|begin| begin >= from) && window.to() <= to
    };
    assert!(within(31, &all[0].before, 50) && within(51, &all[0].after, 70), "{:?}", all[0]);
    // Wider ones come later, for when those are not enough.
    assert!(all.iter().any(|pair| pair.before.from_reset && pair.after.to() == 99));
}

#[test]
fn without_a_before_there_is_nothing_to_compare() {
    assert!(pairs(Change { old: None, new: 0 }, None, &[], &hourly(10)).is_empty());
    assert!(pairs(Change { old: None, new: 0 }, None, &[], &[]).is_empty());
}

#[test]
fn a_clock_that_goes_back_makes_no_length_negative() {
    let mut moments = hourly(10);
    moments[5].at -= 30.0 * DAY;
    for from in 0..9 {
        for to in from + 1..10 {
            let window = Window::between(Some(from), to).unwrap();
            assert!(window.seconds(&moments).is_none_or(|seconds| seconds > 0.0));
        }
    }
    assert!(pairs(change(4), None, &[], &moments).iter().all(|pair| !pair.after.cuts.is_empty()));
}

#[test]
fn a_window_has_few_pieces_and_all_of_its_time() {
    for to in 1..60 {
        let window = Window::between(Some(0), to).unwrap();
        assert!(
            window.cuts.len() <= 9
                && window.cuts.is_sorted()
                && window.to() == to
                && window.from() == Some(0)
        );
        let reset = Window::between(None, to).unwrap();
        assert!(reset.from_reset && reset.from().is_none() && reset.to() == to);
    }
    assert_eq!(Window::between(Some(3), 3), None);
    assert_eq!(Window::between(None, 0).unwrap().cuts, [0]);
}

#[test]
fn counters_of_a_promoted_standby_are_not_compared() {
    let mut world = World::new();
    world.statement(1, &["public.t"]);
    world.runs(1, 100.0, 1.0);
    world.snapshot();
    world.runs(1, 900.0, 1.0);
    world.passes(HOUR);
    world.snapshot();
    let of = |world: &World| {
        let window = Window::between(Some(0), 1).unwrap();
        Tally::of(1, &window, &world.known.moments, &world.noted.counters).sum.calls
    };
    assert_eq!(of(&world), 900.0);
    world.known.moments[1].statements_reset = Some(1.7e9);
    assert_eq!(of(&world), 0.0);
}

#[test]
fn windows_work_on_a_history_of_years() {
    let moments = hourly(20_000);
    let others: Vec<Change> = (0..200).map(|i| change(i * 97)).collect();
    for old in [10_000, 19_000, 19_998] {
        for pair in pairs(change(old), None, &others, &moments) {
            assert!(pair.before.to() == old || pair.before.to() < old);
            assert!(pair.after.to() < moments.len());
        }
    }
}

proptest! {
    /// What was counted in a window is what was counted in its parts, whatever happened in between.
    #[test]
    fn windows_are_additive(steps in prop::collection::vec((0u32..50, 1u32..100, 0u8..10), 2..30), split in 0.0f64..1.0) {
        let mut world = World::new();
        world.statement(1, &["public.t"]);
        for (calls, ms, event) in &steps {
            match event {
                0 => world.resets(),
                1 => world.evicts(1),
                _ => {}
            }
            world.runs(1, f64::from(*calls), f64::from(*ms));
            world.passes(HOUR);
            world.snapshot();
        }
        let last = steps.len() - 1;
        let middle = ((last as f64 * split) as usize).clamp(0, last);
        let every = |from: usize, to: usize| Window { from_reset: false, cuts: (from..=to).collect() };
        let of = |window: &Window| Tally::of(1, window, &world.known.moments, &world.noted.counters).sum;
        let (whole, head, tail) = (of(&every(0, last)), of(&every(0, middle)), of(&every(middle, last)));
        prop_assert!((whole.calls - head.calls - tail.calls).abs() < 1e-6);
        prop_assert!((whole.total_ms - head.total_ms - tail.total_ms).abs() < 1e-6 * whole.total_ms.max(1.0));
        // Nothing is ever counted that did not run.
        let ran: f64 = steps.iter().map(|(calls, ..)| f64::from(*calls)).sum();
        prop_assert!(whole.calls <= ran + 1e-6 && whole.calls >= 0.0 && whole.squares >= 0.0);
    }
}
