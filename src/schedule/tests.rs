//! Schedules in zones with daylight saving, missed and interrupted runs, clocks that jump, and the launcher's agenda.

use super::agenda::{Agenda, Due, Found, earlier};
use super::cron::{Schedule, Unreadable};
use super::zone::Zone;
use super::{Timing, Verdict, decide, next_start};
use proptest::prelude::*;

/// Clocks that are changed at given instants; before the first, the first offset's predecessor holds.
struct Changing {
    before: i64,
    changes: Vec<(i64, i64)>,
}

impl Zone for Changing {
    fn offset(&self, instant: i64) -> i64 {
        let past = self.changes.iter().rev().find(|(at, _)| *at <= instant);
        past.map_or(self.before, |(_, offset)| *offset)
    }
}

const HOUR: i64 = 3600;
const DAY: i64 = 86_400;
/// 2026-03-29 01:00 UTC: Berlin's clocks go from 02:00 to 03:00.
const SPRING: i64 = 1_774_746_000;
/// 2026-10-25 01:00 UTC: Berlin's clocks go from 03:00 back to 02:00.
const AUTUMN: i64 = 1_792_890_000;

fn berlin() -> Changing {
    Changing { before: HOUR, changes: vec![(SPRING, 2 * HOUR), (AUTUMN, HOUR)] }
}

fn utc() -> Changing {
    Changing { before: 0, changes: Vec::new() }
}

fn read(text: &str) -> Schedule {
    Schedule::read(text).unwrap_or_else(|why| panic!("{text}: {why}"))
}

fn times(text: &str, zone: &Changing, mut after: i64, count: usize) -> Vec<i64> {
    let schedule = read(text);
    (0..count)
        .map(|_| {
            after = schedule.next_after(zone, after).expect("it comes again");
            after
        })
        .collect()
}

#[test]
fn a_time_that_is_skipped_comes_at_the_first_instant_after() {
    // 02:30 does not exist on 29 March: 03:00 summer time, which is the instant of the change.
    let found = times("30 2 * * *", &berlin(), SPRING - DAY, 3);
    assert_eq!(found, [SPRING - DAY + HOUR / 2, SPRING, SPRING + DAY - HOUR / 2]);
}

#[test]
fn a_time_that_comes_twice_counts_once() {
    // 02:30 comes at 00:30 and at 01:30 UTC on 25 October.
    let found = times("30 2 * * *", &berlin(), AUTUMN - HOUR, 2);
    assert_eq!(found, [AUTUMN - HOUR / 2, AUTUMN + DAY + HOUR / 2]);
}

#[test]
fn every_hour_is_every_hour_of_the_sun() {
    for change in [SPRING, AUTUMN] {
        let found = times("0 * * * *", &berlin(), change - 3 * HOUR, 6);
        let expected: Vec<i64> = (-2..4).map(|i| change + i * HOUR).collect();
        assert_eq!(found, expected);
    }
}

#[test]
fn a_schedule_is_of_its_zone() {
    let three = |zone: &Changing| times("0 3 * * *", zone, SPRING + DAY, 1)[0];
    assert_eq!((three(&utc()) - three(&berlin()) + DAY) % DAY, 2 * HOUR);
    let half = Changing { before: 5 * HOUR + HOUR / 2, changes: Vec::new() };
    assert_eq!((three(&utc()) - three(&half) + DAY) % DAY, 5 * HOUR + HOUR / 2);
}

#[test]
fn days_of_the_month_and_of_the_week() {
    // 2026-02-28 is a Saturday.
    let from = 1_772_236_800;
    assert_eq!(times("0 0 L * *", &utc(), from - 1, 2), [from, from + 31 * DAY]);
    assert_eq!(times("0 0 29 FEB *", &utc(), from, 1), [1_835_395_200]);
    assert_eq!(times("0 0 * * mon", &utc(), from, 2), [from + 2 * DAY, from + 9 * DAY]);
    assert_eq!(times("0 0 * * 7", &utc(), from, 1), [from + DAY]);
    // As in cron, a day of the month and a day of the week together mean either.
    assert_eq!(times("0 0 3 * SUN", &utc(), from, 2), [from + DAY, from + 3 * DAY]);
    assert_eq!(times("*/20 * * * * *", &utc(), from, 2), [from + 20, from + 40]);
    assert_eq!(times("@weekly", &utc(), from, 1), [from + DAY]);
    assert_eq!(times("@MIDNIGHT", &utc(), from, 1), [from + DAY]);
}

#[test]
fn what_the_runners_must_know_is_seen() {
    let kind = |text: &str| (read(text).seconds, read(text).extended);
    assert_eq!(kind("0 3 * * *"), (false, false));
    assert_eq!(kind("0 3 * JUL Wed"), (false, false));
    assert_eq!(kind("@daily"), (false, false));
    assert_eq!(kind("*/5 * * * * *"), (true, false));
    for text in ["0 3 L * *", "0 3 15W * *", "0 3 * * 5L", "0 3 * * 5#2"] {
        assert_eq!(kind(text), (false, true), "{text}");
    }
}

#[test]
fn what_cannot_be_read_says_where() {
    let refusal = |text: &str| match Schedule::read(text) {
        Ok(_) => panic!("{text} was read"),
        Err(why) => why,
    };
    let field = |text: &str| match refusal(text) {
        Unreadable::Field { number, name, text, .. } => (number, name, text),
        other => panic!("{text}: {other}"),
    };
    assert_eq!(refusal(""), Unreadable::Empty);
    assert_eq!(refusal("  \t "), Unreadable::Empty);
    assert_eq!(refusal("* * *"), Unreadable::Fields(3));
    assert_eq!(refusal("0 0 0 1 1 * 2026"), Unreadable::Fields(7));
    assert_eq!(refusal("@reboot"), Unreadable::Name("@reboot".to_string()));
    assert_eq!(refusal("0 0 30 2 *"), Unreadable::Never);
    assert!(matches!(refusal(&"1,".repeat(600)), Unreadable::TooLong(1200)));
    assert_eq!(field("0 25 * * *"), (2, "hour", "25".to_string()));
    assert_eq!(field("61 * * * * *"), (1, "second", "61".to_string()));
    assert_eq!(field("* * * * * 8"), (6, "day of week", "8".to_string()));
    assert_eq!(field("0 0 0 * *"), (3, "day of month", "0".to_string()));
    assert_eq!(field("0 0 1 13 *"), (4, "month", "13".to_string()));
    assert_eq!(field("every 1 * * *").0, 1);
    // Croner alone would read these as numbers.
    assert_eq!(field("0 MON * * *"), (2, "hour", "MON".to_string()));
    assert_eq!(field("0 3 * * JAN"), (5, "day of week", "JAN".to_string()));
    assert_eq!(field("0 3 JAN * *"), (3, "day of month", "JAN".to_string()));
    for text in
        ["5-1 * * * *", "*/0 * * * *", "1- * * * *", ", * * * *", "0 3 * * *;", "0 3 * * é", "-1 * * * *"]
    {
        field(text);
    }
    let words = refusal("0 25 * * *").to_string();
    assert!(words.starts_with("field 2 (hour: 0-23) is \"25\": "), "{words}");
}

#[test]
fn runs_that_were_missed_are_due_once() {
    let schedule = read("0 * * * *");
    let timing = Timing { next_start: Some(SPRING), last_due: Some(SPRING - HOUR), ..Timing::default() };
    let now = SPRING + 50 * HOUR + 7;
    assert_eq!(decide(&timing, false, &schedule, &utc(), now), Verdict::Due);
    let next = next_start(&schedule, &utc(), now, timing.next_start);
    assert_eq!(next, Some(SPRING + 51 * HOUR));
    let after = Timing { next_start: next, last_due: timing.next_start, ..Timing::default() };
    assert_eq!(decide(&after, false, &schedule, &utc(), now + 60), Verdict::Wait(next));
}

#[test]
fn a_clock_set_back_brings_no_start_again() {
    let schedule = read("0 3 * * *");
    let three = SPRING + 2 * HOUR;
    let timing = Timing { next_start: Some(three + DAY), last_due: Some(three), ..Timing::default() };
    for back in [1, 60, 5 * HOUR, DAY] {
        let verdict = decide(&timing, false, &schedule, &utc(), three - back);
        assert_eq!(verdict, Verdict::Wait(Some(three + DAY)), "{back}");
    }
}

#[test]
fn a_clock_that_was_years_ahead_keeps_nobody_waiting() {
    let schedule = read("0 3 * * *");
    let ahead = SPRING + 1500 * DAY;
    let timing = Timing { next_start: Some(ahead + DAY), last_due: Some(ahead), ..Timing::default() };
    let verdict = decide(&timing, false, &schedule, &utc(), SPRING);
    assert_eq!(verdict, Verdict::Wait(Some(SPRING + 2 * HOUR)));
}

#[test]
fn an_interrupted_run_is_repeated_once() {
    let schedule = read("0 3 * * *");
    let begun =
        Timing { begun: true, last_due: Some(SPRING), next_start: Some(SPRING + DAY), interruptions: 0 };
    let now = SPRING + 100;
    assert_eq!(decide(&begun, true, &schedule, &utc(), now), Verdict::Busy);
    assert_eq!(decide(&begun, false, &schedule, &utc(), now), Verdict::Interrupted(Some(now)));
    let again = Timing { interruptions: 1, ..begun };
    assert_eq!(decide(&again, false, &schedule, &utc(), now), Verdict::Interrupted(Some(SPRING + 2 * HOUR)));
}

fn expressions() -> impl Strategy<Value = String> {
    let field = |most: u32| {
        prop_oneof![
            Just("*".to_string()),
            (1..=most).prop_map(|value| value.to_string()),
            (2_u32..7).prop_map(|step| format!("*/{step}")),
            (1..=most, 1..=most).prop_map(|(a, b)| format!("{}-{}", a.min(b), a.max(b))),
        ]
    };
    (field(59), field(23), field(28), field(12), field(6))
        .prop_map(|(minute, hour, day, month, weekday)| format!("{minute} {hour} {day} {month} {weekday}"))
}

proptest! {
    #[test]
    fn the_next_time_is_later_and_the_first(text in expressions(), instant in SPRING - 400 * DAY..AUTUMN + 400 * DAY) {
        let schedule = read(&text);
        let next = schedule.next_after(&berlin(), instant);
        let next = next.expect("days up to the 28th come every month");
        prop_assert!(next > instant);
        // From anywhere in between, it is the same.
        let between = instant + (next - instant) / 2;
        if between < next {
            prop_assert_eq!(schedule.next_after(&berlin(), between), Some(next));
        }
        prop_assert_eq!(schedule.next_after(&berlin(), next - 1), Some(next));
    }

    #[test]
    fn no_text_makes_it_panic(text in "[-0-9*/,#LW+?@A-Za-z \u{e9}]{0,30}") {
        let _ = Schedule::read(&text);
    }

    #[test]
    fn waiting_leads_to_the_next_start(text in expressions(), now in SPRING - 400 * DAY..AUTUMN + 400 * DAY, had in any::<bool>()) {
        let schedule = read(&text);
        let timing = Timing { last_due: had.then_some(now - 1), ..Timing::default() };
        let Verdict::Wait(Some(next)) = decide(&timing, false, &schedule, &berlin(), now) else { panic!() };
        let kept = Timing { next_start: Some(next), ..timing };
        prop_assert_eq!(decide(&kept, false, &schedule, &berlin(), next - 1), Verdict::Wait(Some(next)));
        prop_assert_eq!(decide(&kept, false, &schedule, &berlin(), next), Verdict::Due);
        // Having run, it is not due again before its next time, wherever in the next day the clock goes.
        let ran = Timing { last_due: Some(next), next_start: next_start(&schedule, &berlin(), next, Some(next)), ..kept };
        prop_assert!(ran.next_start > Some(next));
        prop_assert_ne!(decide(&ran, false, &schedule, &berlin(), next - 10), Verdict::Due);
    }
}

fn due(name: &str) -> Found {
    Found::Due(Due { name: name.to_string(), role: 10 })
}

#[test]
fn every_database_is_looked_into_once() {
    let mut agenda = Agenda::default();
    agenda.databases(100, &[5, 3]);
    assert_eq!(agenda.next_look(100), Some(3));
    assert_eq!(agenda.looked(100, 3, Found::Nothing(None), 2), None);
    assert_eq!(agenda.next_look(100), Some(5));
    agenda.looked(100, 5, Found::Nothing(Some(130)), 2);
    assert_eq!((agenda.next_look(100), agenda.wait(100)), (None, 30));
    agenda.databases(110, &[3, 5, 8]);
    assert_eq!(agenda.next_look(110), Some(8));
    agenda.looked(110, 8, Found::Nothing(None), 2);
    assert_eq!(agenda.next_look(129), None);
    assert_eq!(agenda.next_look(130), Some(5));
    // One that was dropped is not asked for any more.
    agenda.databases(130, &[3, 8]);
    assert_eq!((agenda.next_look(1000), agenda.wait(130)), (None, super::agenda::LONGEST_WAIT));
    agenda.told(140, 8);
    agenda.told(140, 77);
    assert_eq!(agenda.next_look(140), Some(8));
}

#[test]
fn one_job_a_database_and_no_more_than_allowed() {
    let mut agenda = Agenda::default();
    agenda.databases(100, &[1, 2]);
    assert!(agenda.looked(100, 1, due("a"), 1).is_some());
    assert_eq!(agenda.looked(100, 2, due("b"), 1), None);
    agenda.told(101, 1);
    agenda.told(101, 2);
    assert_eq!(agenda.next_look(101), None);
    agenda.ended(105, 1);
    assert_eq!(agenda.next_look(105), Some(1));
    agenda.begin_look(1);
    agenda.looked(105, 1, Found::Nothing(None), 1);
    assert_eq!(agenda.next_look(105), Some(2));
    assert!(agenda.looked(105, 2, due("b"), 1).is_some());
    // A database that is dropped while its job ends is forgotten after that.
    agenda.databases(106, &[1]);
    agenda.ended(107, 2);
    agenda.databases(107, &[1]);
    assert_eq!(agenda.next_look(1000), None);
}

#[test]
fn a_change_during_a_look_is_not_lost() {
    let mut agenda = Agenda::default();
    agenda.databases(100, &[1]);
    agenda.begin_look(1);
    agenda.told(100, 1);
    agenda.looked(100, 1, Found::Nothing(None), 1);
    assert_eq!(agenda.next_look(100), Some(1));
    agenda.begin_look(1);
    agenda.looked(100, 1, Found::Nothing(None), 1);
    assert_eq!(agenda.next_look(10_000), None);
}

#[test]
fn trouble_is_tried_again_later_and_a_clock_set_back_asks_anew() {
    let mut agenda = Agenda::default();
    agenda.clock(1000);
    agenda.databases(1000, &[1]);
    agenda.looked(1000, 1, Found::Trouble, 1);
    assert_eq!((agenda.next_look(1004), agenda.next_look(1005)), (None, Some(1)));
    agenda.looked(1005, 1, Found::Trouble, 1);
    assert_eq!((agenda.next_look(1014), agenda.next_look(1015)), (None, Some(1)));
    agenda.looked(1060, 1, Found::Nothing(Some(900_000)), 1);
    agenda.clock(1059);
    assert_eq!(agenda.next_look(1059), None);
    agenda.clock(500);
    assert_eq!(agenda.next_look(500), Some(1));
    // A time that has passed already is not looked at in a loop.
    agenda.begin_look(1);
    agenda.looked(500, 1, Found::Nothing(Some(3)), 1);
    assert_eq!((agenda.next_look(500), agenda.wait(500)), (None, 1));
    assert_eq!(agenda.looked(501, 1, due("a"), 1), Some(Due { name: "a".to_string(), role: 10 }));
    agenda.postpone(501, 1, 10);
    assert_eq!((agenda.next_look(510), agenda.next_look(511)), (None, Some(1)));
}

#[test]
fn never_is_later_than_any_time() {
    assert_eq!(earlier(Some(2), Some(1)), Some(1));
    assert_eq!(earlier(None, Some(1)), Some(1));
    assert_eq!(earlier(Some(2), None), Some(2));
    assert_eq!(earlier(None, None), None);
}
