//! Indexes that were created as advised.

use super::world::{DAY, HOUR, World, only};
use crate::verification::{Record, Verdict};

/// A day with 1000 calls of statement 1 that take this long.
fn day(world: &mut World, ms: f64) {
    world.runs(1, 1000.0, ms);
    world.others_run(1000.0, 5.0);
    world.passes(DAY);
}

/// A day before index 1, then a day with it that begins and ends with a snapshot.
fn usual(before: f64, after: f64) -> World {
    let mut world = World::usual();
    day(&mut world, before);
    world.snapshot();
    world.creates(1, "public.t");
    world.passes(60.0);
    world.snapshot();
    day(&mut world, after);
    world
}

#[test]
fn a_promise_that_was_kept() {
    let found = only(&mut usual(10.0, 1.0));
    assert_eq!(found.verdict, Verdict::KeptPromise, "{found:?}");
    assert!(
        (found.measured_saving.unwrap() - 0.9).abs() < 1e-9
            && (found.estimated_saving.unwrap() - 0.9).abs() < 1e-9
    );
    assert!((found.measured_ms_per_day.unwrap() - 9000.0).abs() < 1e-3);
    assert_eq!(found.next_step, "Nothing.");
    assert_eq!(
        found.explanation,
        "The statement that it was meant for took 1.0 ms instead of 10 ms, and 100 blocks instead of 1,000 a call: 90 % less \
         (noise: 1.0 %; estimated: 90 % less). It has been scanned 1,000 times. Compared: 1,000 calls in 25 h before with \
         1,000 calls in 24 h after. The machine was as fast as before: 10 statements that nothing changed for show it."
    );
}

#[test]
fn more_than_was_promised_is_kept_too() {
    assert_eq!(only(&mut usual(10.0, 0.1)).verdict, Verdict::KeptPromise);
}

#[test]
fn less_than_was_promised() {
    let found = only(&mut usual(10.0, 5.0));
    assert_eq!(found.verdict, Verdict::HelpsLess);
    assert!(found.next_ddl.is_none() && found.next_step.contains("1024 kB"), "{found:?}");
    let none = only(&mut usual(10.0, 9.9));
    assert_eq!(none.verdict, Verdict::HelpsLess);
    assert_eq!(none.next_ddl.as_deref(), Some("DROP INDEX CONCURRENTLY public.i1"));
}

#[test]
fn slower_than_before() {
    let found = only(&mut usual(10.0, 20.0));
    assert_eq!(found.verdict, Verdict::Harms, "{found:?}");
    assert!(found.explanation.contains("100 % more"), "{}", found.explanation);
    assert_eq!(found.next_ddl.as_deref(), Some("DROP INDEX CONCURRENTLY public.i1"));
}

#[test]
fn what_the_machine_did_is_not_the_indexs() {
    // Everything takes twice as long after, the index's statement included: the index did its part all the same.
    let mut world = World::usual();
    day(&mut world, 10.0);
    world.creates_between_snapshots(1);
    world.runs(1, 1000.0, 2.0);
    world.others_run(1000.0, 10.0);
    world.passes(DAY);
    let found = only(&mut world);
    assert_eq!(found.verdict, Verdict::KeptPromise, "{found:?}");
    assert!((found.measured_saving.unwrap() - 0.9).abs() < 1e-9);
    assert!((found.windows.unwrap().drift - 1.0).abs() < 1e-9);

    // And what got faster with everything else was not made faster by it.
    let mut world = World::usual();
    day(&mut world, 10.0);
    world.creates_between_snapshots(1);
    world.runs(1, 1000.0, 5.0);
    world.others_run(1000.0, 2.5);
    world.passes(DAY);
    let found = only(&mut world);
    assert_eq!((found.verdict, found.next_ddl.is_some()), (Verdict::HelpsLess, true), "{found:?}");
}

#[test]
fn nothing_is_said_of_three_calls() {
    let mut world = World::usual();
    day(&mut world, 10.0);
    world.creates_between_snapshots(1);
    world.runs(1, 3.0, 1.0);
    world.passes(3.0 * HOUR);
    let found = only(&mut world);
    assert_eq!((found.verdict, found.measured_saving), (Verdict::TooEarly, None));
    assert_eq!(
        found.next_step,
        "Verify again when the heaviest of its statements has run 2 times more, which takes 2 h at the rate so far."
    );
    // Nor of three calls before.
    let mut world = World::usual();
    world.runs(1, 3.0, 10.0);
    world.creates_between_snapshots(1);
    day(&mut world, 1.0);
    let found = only(&mut world);
    assert_eq!(found.verdict, Verdict::TooEarly);
    assert!(found.next_step.contains("only 3 times before"), "{}", found.next_step);
}

#[test]
fn noise_is_no_change() {
    let mut noisy = World::usual();
    noisy.deviation = 5.0;
    noisy.known.promises[0].ratios.insert(1, 0.9);
    day(&mut noisy, 10.0);
    noisy.creates_between_snapshots(1);
    day(&mut noisy, 9.0);
    let found = only(&mut noisy);
    assert_eq!(found.verdict, Verdict::TooEarly, "{found:?}");
    assert!(found.explanation.starts_with("What changed is within the noise."), "{}", found.explanation);
}

#[test]
fn calls_that_return_fewer_rows_may_be_faster_for_that() {
    let mut world = World::usual();
    world.known.promises[0].ratios.insert(1, 0.5);
    day(&mut world, 10.0);
    world.rows(1, 1_000_000.0);
    world.creates_between_snapshots(1);
    day(&mut world, 5.0);
    assert_eq!(only(&mut world).verdict, Verdict::TooEarly);
}

/// Index 1 exists for two days, and nothing has scanned it.
fn unused() -> World {
    let mut world = usual(10.0, 10.0);
    world.snapshot();
    day(&mut world, 10.0);
    world.present(1).scans = 0.0;
    world
}

#[test]
fn an_index_that_nothing_scans() {
    let mut world = unused();
    let found = only(&mut world);
    assert_eq!(found.verdict, Verdict::Unused);
    assert!(
        found
            .explanation
            .starts_with("Nothing has scanned it, while the statement that it was meant for ran")
    );
    assert_eq!(found.next_ddl.as_deref(), Some("DROP INDEX CONCURRENTLY public.i1"));
    // A unique one stays.
    world.index(1).definition = "CREATE UNIQUE INDEX i1 ON public.t USING btree (c1)".to_string();
    assert!(world.judged()[0].next_ddl.is_none());
    // Where scans were counted anew since, it may have been scanned before that.
    let mut reset = usual(10.0, 1.0);
    reset.present(1).scans = 0.0;
    reset.tables_reset = 1.8e9 + 1.5 * DAY;
    assert_eq!(only(&mut reset).verdict, Verdict::KeptPromise);
}

#[test]
fn scans_of_calls_just_made_may_not_be_reported_yet() {
    // All calls may have been in the last second.
    let mut world = usual(10.0, 10.0);
    world.present(1).scans = 0.0;
    let found = only(&mut world);
    assert_eq!(found.verdict, Verdict::TooEarly);
    assert!(found.explanation.contains("no scan of it has been reported yet"), "{}", found.explanation);
    // Unless the planner would not use it anyway.
    world.known.plans.insert(1, [].into());
    assert_eq!(world.judged()[0].verdict, Verdict::Unused);
    world.known.plans.insert(1, [1].into());
    assert_eq!(world.judged()[0].verdict, Verdict::TooEarly);
}

#[test]
fn unused_is_not_said_where_statements_did_not_run() {
    let mut world = World::usual();
    day(&mut world, 10.0);
    world.snapshot();
    world.creates(1, "public.t");
    world.present(1).scans = 0.0;
    world.snapshot();
    world.passes(DAY);
    assert_eq!(only(&mut world).verdict, Verdict::TooEarly);
}

#[test]
fn an_expression_without_statistics_is_analysed_first() {
    let mut world = unused();
    world.present(1).needs_analyze = true;
    let found = only(&mut world);
    assert_eq!((found.verdict, found.next_ddl.as_deref()), (Verdict::Unused, Some("ANALYZE public.t")));
}

#[test]
fn an_index_that_costs_writers_more_than_it_saves() {
    let mut world = World::usual();
    world.statement(2, &["public.t"]);
    let work = |world: &mut World, read: f64, write: f64, hot: f64| {
        day(world, read);
        world.runs(2, 100_000.0, write);
        world.writes("public.t", 100_000.0, hot);
    };
    work(&mut world, 10.0, 1.0, 90_000.0);
    world.creates_between_snapshots(1);
    work(&mut world, 1.0, 2.0, 10_000.0);
    let found = only(&mut world);
    assert_eq!(found.verdict, Verdict::Harms, "{found:?}");
    assert!(found.others_lost_ms_per_day.unwrap() > found.measured_ms_per_day.unwrap());
    assert!(found.explanation.contains("1 statement that it was not meant for got slower, by at least"));
    assert!(found.explanation.contains("90 % were HOT before and 10 % after"), "{}", found.explanation);
    assert_eq!(found.statements.len(), 2);
    // One that nothing scans harms by the same.
    world.present(1).scans = 0.0;
    world.known.plans.insert(1, [].into());
    assert_eq!(world.judged()[0].verdict, Verdict::Harms);
}

#[test]
fn an_index_that_is_not_valid() {
    let mut world = usual(10.0, 10.0);
    world.present(1).valid = false;
    let found = only(&mut world);
    assert_eq!(found.verdict, Verdict::Invalid);
    assert_eq!(found.next_ddl.as_deref(), Some("REINDEX INDEX CONCURRENTLY public.i1"));
    world.present(1).building = true;
    assert!(world.judged()[0].next_ddl.is_none());
    world.present(1).building = false;
    world.index(1).name = "public.i1_ccnew".to_string();
    assert_eq!(world.judged()[0].next_ddl.as_deref(), Some("DROP INDEX CONCURRENTLY public.i1_ccnew"));
}

#[test]
fn without_a_snapshot_between_the_effect_is_diluted() {
    // Created some time between the run and now: what is seen of it is at least there.
    let mut world = World::usual();
    day(&mut world, 10.0);
    world.snapshot();
    world.creates(1, "public.t");
    world.runs(1, 10.0, 10.0);
    day(&mut world, 1.0);
    let found = only(&mut world);
    assert_eq!(found.verdict, Verdict::KeptPromise);
    assert!(
        found.windows.unwrap().mixed && found.explanation.contains("some of them from before the change")
    );

    for (ms, scans) in [(5.0, 10.0), (10.0, 10.0), (10.0, 0.0), (20.0, 10.0)] {
        let mut world = World::usual();
        day(&mut world, 10.0);
        world.snapshot();
        world.creates(1, "public.t");
        world.present(1).scans = scans;
        day(&mut world, ms);
        let found = only(&mut world);
        assert_eq!(found.verdict, Verdict::TooEarly, "{ms} {found:?}");
        // Where it is known when it was created, and that is nearly all of the window, all can be said.
        world.index(1).created_at = Some(1.8e9 + DAY + 60.0);
        world.known.plans.insert(1, [].into());
        assert_ne!(world.judged()[0].verdict, Verdict::TooEarly, "{ms}");
    }
}

#[test]
fn counters_that_were_reset_begin_a_window_of_their_own() {
    let mut world = World::usual();
    day(&mut world, 10.0);
    world.snapshot();
    world.creates(1, "public.t");
    world.resets();
    day(&mut world, 1.0);
    assert_eq!(only(&mut world).verdict, Verdict::KeptPromise);
    // An eviction likewise; what was counted until then is lost and not made up.
    let mut world = usual(10.0, 1.0);
    world.snapshot();
    world.evicts(1);
    world.runs(1, 10.0, 1.0);
    world.passes(HOUR);
    let found = only(&mut world);
    assert_eq!((found.verdict, found.statements[0].after.calls), (Verdict::KeptPromise, 1010.0));
}

#[test]
fn indexes_created_together_share_what_they_saved() {
    // 0.1 and 0.5 of the cost were promised, one on top of the other.
    let mut world = World::usual();
    world.promise(2, 2, &[(1, 0.5)]);
    day(&mut world, 10.0);
    world.snapshot();
    world.creates(1, "public.t");
    world.creates(2, "public.t");
    world.snapshot();
    day(&mut world, 0.5);
    let found = world.verify();
    assert_eq!([found[0].verdict, found[1].verdict], [Verdict::KeptPromise; 2]);
    let sum = found[0].measured_saving.unwrap() + found[1].measured_saving.unwrap();
    assert!((sum - 0.95).abs() < 1e-9, "{sum}");
    assert!(found[0].measured_saving > found[1].measured_saving);
    assert!(found[0].explanation.contains("Measured together with public.i2"), "{}", found[0].explanation);
    // Only the first one did it: the other is not blamed on it, and gets no credit.
    world.present(2).scans = 0.0;
    world.known.plans.insert(1, [1].into());
    let found = world.judged();
    assert_eq!([found[0].verdict, found[1].verdict], [Verdict::KeptPromise, Verdict::Unused]);
}

#[test]
fn an_index_that_came_later_is_kept_out_of_the_window() {
    let mut world = usual(10.0, 1.0);
    world.promise(2, 2, &[(1, 0.5)]);
    world.creates_between_snapshots(2);
    day(&mut world, 0.5);
    let found = world.verify();
    assert_eq!([found[0].verdict, found[1].verdict], [Verdict::KeptPromise; 2], "{found:?}");
    assert!((found[0].measured_saving.unwrap() - 0.9).abs() < 1e-9, "{found:?}");
    assert!((found[1].measured_saving.unwrap() - 0.5).abs() < 1e-9, "{found:?}");
}

#[test]
fn a_rebuilt_index_is_the_same() {
    let mut world = usual(10.0, 1.0);
    world.snapshot();
    world.drops(1);
    let rebuilt = world.creates(2, "public.t");
    rebuilt.definition = "CREATE INDEX i2 ON public.t USING btree (c1)".to_string();
    world.known.promises[0].index = 2;
    world.snapshot();
    day(&mut world, 1.0);
    let found = only(&mut world);
    assert_eq!(found.verdict, Verdict::KeptPromise, "{found:?}");
    assert!((found.measured_saving.unwrap() - 0.9).abs() < 1e-9);
}

#[test]
fn a_verdict_outlives_the_counters_that_it_rests_on() {
    let mut world = usual(10.0, 1.0);
    let found = only(&mut world);
    let index = world.index(1);
    (index.last, index.absent) = (Some(Box::new(found.clone())), None);
    let again = only(&mut world);
    assert_eq!((again.verdict, again.measured_saving), (found.verdict, found.measured_saving));
    assert!(again.explanation.starts_with("As found earlier"));
    // Repeated once more, it is the same text.
    world.index(1).last = Some(Box::new(again.clone()));
    assert_eq!(only(&mut world).explanation, again.explanation);
    // One that was never judged has nothing to go by.
    world.index(1).last = None;
    assert_eq!(only(&mut world).verdict, Verdict::TooEarly);
}

#[test]
fn the_planner_is_asked_too() {
    let mut world = usual(10.0, 1.0);
    world.known.plans.insert(1, [1].into());
    let found = only(&mut world);
    assert!(found.explanation.contains("Planned anew with typical values, the statement would use it."));
    assert_eq!(found.statements[0].planned_with, Some(true));
    world.known.plans.insert(1, [4].into());
    let found = world.judged().remove(0);
    assert!(found.explanation.contains("the statement would not use it."));
    assert_eq!(found.statements[0].planned_with, Some(false));
}

#[test]
fn no_explanation_shows_a_statement() {
    let mut world = usual(10.0, 20.0);
    world.known.statements[0].text = "SELECT 'secret'".to_string();
    let found = only(&mut world);
    assert!(!format!("{}{}", found.explanation, found.next_step).contains("secret"));
    assert_eq!(found.statements[0].text, "SELECT 'secret'");
}

#[test]
fn the_record_counts_what_paid() {
    let verdict = |verdict, estimated, measured| {
        let mut found = only(&mut usual(10.0, 1.0));
        found.verdict = verdict;
        (found.estimated_saving, found.measured_saving) = (estimated, measured);
        found
    };
    let all = [
        verdict(Verdict::KeptPromise, Some(0.9), Some(0.95)),
        verdict(Verdict::HelpsLess, Some(0.9), Some(0.5)),
        verdict(Verdict::HelpsLess, Some(0.9), Some(0.0)),
        verdict(Verdict::Unused, Some(0.5), Some(0.3)),
        verdict(Verdict::TooEarly, None, None),
        verdict(Verdict::Invalid, None, None),
    ];
    let record = Record::of(7, &all);
    assert_eq!((record.applied, record.judged, record.paid), (7, 4, 2));
    // 0.05, 0.4, 0.5, 0.9.
    assert!((record.median_error.unwrap() - 0.45).abs() < 1e-9);
    assert_eq!(Record::of(0, []), Record::default());
}
