//! Time zones as the server knows them, jobs within one session, and what progress costs.

use crate::pg::clock::ServerZone;
use crate::pg::progress::{self, Phase};
use crate::schedule::cron::Schedule;
use crate::schedule::zone::Zone;
use pgrx::prelude::*;
use std::time::Instant;

#[pg_schema]
mod tests {
    use super::*;

    /// Zones with summer time on both hemispheres, of half and three quarters of an hour, without any, and by a rule.
    const ZONES: [&str; 9] = [
        "Europe/Berlin",
        "America/New_York",
        "Australia/Lord_Howe",
        "Asia/Kathmandu",
        "Pacific/Apia",
        "America/St_Johns",
        "UTC",
        "<+03>-3",
        "EST5EDT,M3.2.0,M11.1.0",
    ];

    #[pg_test]
    fn offsets_are_those_of_sql() {
        for name in ZONES {
            let zone = ServerZone::named(name).unwrap_or_else(|| panic!("{name}"));
            for step in 0..400 {
                // Somewhat more than a week apart, over eleven years.
                let instant = 1_704_067_200 + step * 900_001;
                let expected = Spi::get_one_with_args::<i64>(
                    "SELECT extract(epoch FROM to_timestamp($1) AT TIME ZONE $2)::bigint - $1::bigint",
                    &[(instant as f64).into(), name.into()],
                );
                assert_eq!(Ok(Some(zone.offset(instant))), expected, "{name} at {instant}");
            }
        }
    }

    #[pg_test]
    fn zones_that_do_not_exist() {
        for name in ["Europe/Nowhere", "../../etc/passwd", "Europe/Berlin; DROP TABLE x"] {
            assert!(ServerZone::named(name).is_none(), "{name}");
        }
    }

    #[pg_test]
    fn a_schedule_comes_when_sql_says_it_is_that_time() {
        let schedule = Schedule::read("30 2 * * *").unwrap();
        for name in ZONES {
            let zone = ServerZone::named(name).unwrap();
            let mut at = 1_735_689_600;
            let mut days = 0;
            for _ in 0..400 {
                at = schedule.next_after(&zone, at).unwrap();
                let clock = Spi::get_one_with_args::<String>(
                    "SELECT to_char(to_timestamp($1) AT TIME ZONE $2, 'HH24:MI:SS')",
                    &[(at as f64).into(), name.into()],
                );
                // But for the night in spring that has no such time.
                days += i32::from(clock == Ok(Some("02:30:00".to_string())));
            }
            assert!((398..=400).contains(&days), "{name}: {days}");
        }
    }

    #[pg_test]
    fn a_job_by_hand() {
        Spi::run(
            "INSERT INTO index_advisor.history_job (name, schedule, time_zone, runner, owner, scheduled_at, next_start)
             VALUES ('nightly', '0 3 * * *', 'UTC', 'worker', current_user, now(), '2100-01-01')",
        )
        .unwrap();
        let said = Spi::get_one::<String>("SELECT index_advisor.run_job('nightly')").unwrap().unwrap();
        let kept = Spi::get_two::<String, String>(
            "SELECT status, coalesce(last_error, last_summary) FROM index_advisor.jobs WHERE name = 'nightly'",
        );
        let (status, words) = kept.map(|(status, words)| (status.unwrap(), words.unwrap())).unwrap();
        // While this transaction lasts, it holds the lock of the job that it ran.
        assert_eq!(status, "running");
        assert!(said.contains(&words), "{said}: {words}");
        let next = "SELECT next_start::date::text FROM index_advisor.jobs WHERE name = 'nightly'";
        assert_eq!(Spi::get_one::<String>(next), Ok(Some("2100-01-01".to_string())));
    }

    #[pg_test]
    fn progress_costs_next_to_nothing() {
        let _shown = progress::begin();
        progress::enter(Phase::Selection, None);
        let began = Instant::now();
        for _ in 0..100_000 {
            progress::step();
        }
        let each = began.elapsed() / 100_000;
        // A planner call takes 0.3 ms and more (docs/BENCHMARKS.md): no more than 1 % of it, also without optimisation.
        assert!(each.as_nanos() < 3000, "{each:?}");
        pgrx::log!("progress: {each:?} a step");
    }
}
