//! Indexes that were dropped.

use super::world::{DAY, World, only};
use crate::verification::Verdict;

/// Nothing was promised, and index 7 was there from the start.
fn with_seven() -> World {
    let mut world = World::usual();
    world.known.promises.clear();
    world.has(7, "public.t");
    world
}

fn day(world: &mut World, read: f64, write: f64) {
    world.runs(1, 1000.0, read);
    world.runs(2, 1000.0, write);
    world.others_run(1000.0, 5.0);
    world.passes(DAY);
}

/// A day with index 7, then a day without it.
fn usual(before: (f64, f64), after: (f64, f64)) -> World {
    let mut world = with_seven();
    world.statement(2, &["public.t"]);
    day(&mut world, before.0, before.1);
    world.snapshot();
    world.drops(7);
    world.passes(60.0);
    world.snapshot();
    day(&mut world, after.0, after.1);
    world
}

#[test]
fn one_that_is_missed_comes_with_its_ddl() {
    let found = only(&mut usual((1.0, 1.0), (10.0, 0.9)));
    assert_eq!(found.verdict, Verdict::Missed, "{found:?}");
    assert_eq!(found.recommendation, None);
    assert_eq!(found.next_ddl.as_deref(), Some("CREATE INDEX CONCURRENTLY i7 ON public.t USING btree (c7)"));
    assert!(
        found.explanation.starts_with(
            "Without it, statements got slower. 1 statement on its table got slower, by at least"
        )
    );
    assert_eq!(found.statements[0].query_id, 1);
}

#[test]
fn one_that_is_not_missed_is_left_at_that() {
    let mut world = usual((1.0, 1.0), (1.0, 0.5));
    let found = only(&mut world);
    assert_eq!((found.verdict, found.next_ddl.as_ref()), (Verdict::NotMissed, None), "{found:?}");
    world.index(7).last = Some(Box::new(found));
    assert!(world.verify().is_empty());
}

#[test]
fn a_constraint_is_not_ours_to_restore() {
    let mut world = usual((1.0, 1.0), (10.0, 1.0));
    world.index(7).backs_constraint = true;
    let found = only(&mut world);
    assert!(
        found.verdict == Verdict::Missed
            && found.next_ddl.is_none()
            && found.next_step.contains("ALTER TABLE")
    );
}

#[test]
fn what_came_back_or_has_no_table_any_more_is_not_missed() {
    let mut world = usual((1.0, 1.0), (10.0, 1.0));
    let back = world.creates(8, "public.t");
    back.definition = "CREATE INDEX other_name ON public.t USING btree (c7)".to_string();
    assert!(world.verify().is_empty());
    let mut world = usual((1.0, 1.0), (10.0, 1.0));
    world.index(7).has_table = false;
    assert!(world.verify().is_empty());
}

#[test]
fn too_little_to_tell() {
    let mut world = usual((1.0, 1.0), (1.0, 1.0));
    world.known.moments.truncate(1);
    // The drop has only just been noticed.
    let found = only(&mut world);
    assert_eq!(found.verdict, Verdict::TooEarly);
    // A month later, with nothing run, it is left at that.
    let mut world = with_seven();
    world.runs(1, 1000.0, 1.0);
    world.drops_between_snapshots(7);
    world.passes(DAY);
    assert_eq!(only(&mut world).verdict, Verdict::TooEarly);
    world.passes(40.0 * DAY);
    assert!(world.verify().is_empty());
}

#[test]
fn many_statements_are_not_searched_for_one_that_happens_to_be_slower() {
    // 5 % slower is beyond the noise of one statement that was pointed out, and not of any of two hundred.
    let mut world = with_seven();
    for other in 201..=400 {
        world.statement(other, &["public.t"]);
    }
    let work = |world: &mut World, first: f64| {
        world.others_run(1000.0, 5.0);
        for other in 201..=400 {
            world.runs(other, 1000.0, if other == 201 { first } else { 1.0 });
        }
        world.passes(DAY);
    };
    work(&mut world, 1.0);
    world.drops_between_snapshots(7);
    work(&mut world, 1.13);
    assert_eq!(only(&mut world).verdict, Verdict::NotMissed);
}

#[test]
fn the_time_before_it_was_created_is_not_the_time_with_it() {
    let mut world = World::usual();
    world.known.promises.clear();
    day(&mut world, 10.0, 1.0);
    world.creates_between_snapshots(7);
    day(&mut world, 1.0, 1.0);
    world.drops_between_snapshots(7);
    day(&mut world, 5.0, 1.0);
    let found = only(&mut world);
    assert_eq!((found.verdict, found.statements[0].before.calls), (Verdict::Missed, 1000.0), "{found:?}");
}
