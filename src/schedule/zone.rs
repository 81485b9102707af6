//! `Zone`: a time zone, as the one number that tells everything of it; and `Moment`, an instant in a zone, which cron
//! expressions are matched against.
//!
//! Knows no names of zones and no rules of daylight saving: those are the server's.

use croner::errors::CronError;
use croner::{CivilDate, CivilDateTime, CivilTime, CronDateTime, Resolution, Weekday};
use std::cmp::Ordering;

const DAY: i64 = 86_400;
/// Days from 1 January of year 1 to 1 January 1970.
const DAYS_TO_EPOCH: i64 = 719_162;

/// A time zone.
pub trait Zone {
    /// Seconds that its clocks are ahead of UTC at an instant, given in Unix seconds. Within a day of each other, clocks
    /// change once at most.
    fn offset(&self, instant: i64) -> i64;
}

/// An instant in a zone.
pub struct Moment<'z, Z: Zone> {
    pub zone: &'z Z,
    /// Unix seconds.
    pub instant: i64,
}

// Not derived: a zone need not be copied for that.
impl<Z: Zone> Clone for Moment<'_, Z> {
    fn clone(&self) -> Self {
        Moment { zone: self.zone, instant: self.instant }
    }
}

impl<Z: Zone> Moment<'_, Z> {
    fn local(&self) -> i64 {
        self.instant + self.zone.offset(self.instant)
    }
}

impl<Z: Zone> CronDateTime for Moment<'_, Z> {
    fn to_civil(&self) -> CivilDateTime {
        let local = self.local();
        let second = local.rem_euclid(DAY) as u32;
        let time = CivilTime::from_parts_unchecked(second / 3600, second / 60 % 60, second % 60);
        CivilDateTime::new(date_of(local.div_euclid(DAY)), time)
    }

    fn civil_weekday(&self) -> Weekday {
        // 1 January 1970 was a Thursday.
        Weekday::from_days_from_sunday((self.local().div_euclid(DAY) + 4).rem_euclid(7) as u32)
    }

    fn resolve_civil(&self, civil: CivilDateTime) -> Result<Resolution<Self>, CronError> {
        let local = days_of(civil.date()) * DAY
            + i64::from(civil.hour()) * 3600
            + i64::from(civil.minute()) * 60
            + i64::from(civil.second());
        // No zone is a day away from UTC, so these lie before and after any change of clocks that matters.
        let (before, after) = (self.zone.offset(local - DAY), self.zone.offset(local + DAY));
        let at = |offset: i64| Moment { zone: self.zone, instant: local - offset };
        let exists = |offset: i64| self.zone.offset(local - offset) == offset;
        Ok(match (exists(before), exists(after)) {
            (true, true) if before > after => Resolution::Ambiguous(at(before), at(after)),
            (true, _) => Resolution::Single(at(before)),
            (false, true) => Resolution::Single(at(after)),
            (false, false) => Resolution::Gap,
        })
    }

    fn checked_add_seconds(&self, seconds: i64) -> Option<Self> {
        Some(Moment { zone: self.zone, instant: self.instant.checked_add(seconds)? })
    }

    fn cmp_instant(&self, other: &Self) -> Ordering {
        self.instant.cmp(&other.instant)
    }
}

/// Days from 1 January 1970 to the first of January of a year.
fn days_before(year: i64) -> i64 {
    let years = year - 1;
    365 * years + years.div_euclid(4) - years.div_euclid(100) + years.div_euclid(400) - DAYS_TO_EPOCH
}

fn days_of(date: CivilDate) -> i64 {
    days_before(i64::from(date.year())) + i64::from(date.day_of_year()) - 1
}

fn date_of(days: i64) -> CivilDate {
    // 400 years have 146,097 days; so reckoned, the year is right or one too large.
    let mut year = (days + DAYS_TO_EPOCH) * 400 / 146_097 + 1;
    while days_before(year) > days {
        year -= 1;
    }
    while days_before(year + 1) <= days {
        year += 1;
    }
    let mut day = (days - days_before(year)) as u32 + 1;
    let mut month = 1;
    loop {
        let length = CivilDate::from_parts_unchecked(year as i32, month, 1).days_in_month();
        if day <= length {
            return CivilDate::from_parts_unchecked(year as i32, month, day);
        }
        day -= length;
        month += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    struct Utc;

    impl Zone for Utc {
        fn offset(&self, _instant: i64) -> i64 {
            0
        }
    }

    #[test]
    fn known_days() {
        let civil = |instant: i64| Moment { zone: &Utc, instant }.to_civil().to_string();
        assert_eq!(civil(0), "1970-01-01T00:00:00");
        assert_eq!(civil(951_782_399), "2000-02-28T23:59:59");
        assert_eq!(civil(951_782_400), "2000-02-29T00:00:00");
        assert_eq!(civil(4_107_542_399), "2100-02-28T23:59:59");
        assert_eq!(civil(4_107_542_400), "2100-03-01T00:00:00");
        assert_eq!(civil(-1), "1969-12-31T23:59:59");
        assert_eq!(Moment { zone: &Utc, instant: 951_782_400 }.civil_weekday(), Weekday::Tuesday);
    }

    proptest! {
        #[test]
        fn a_moment_is_its_civil_time(instant in -60_000_000_000_i64..90_000_000_000) {
            let moment = Moment { zone: &Utc, instant };
            let Ok(Resolution::Single(back)) = moment.resolve_civil(moment.to_civil()) else { panic!() };
            prop_assert_eq!(back.instant, instant);
        }

        #[test]
        fn days_follow_each_other(day in -600_000_i64..900_000) {
            let (today, tomorrow) = (date_of(day), date_of(day + 1));
            prop_assert_eq!(days_of(today), day);
            let next = (tomorrow.day() == today.day() + 1 && tomorrow.month() == today.month())
                || (tomorrow.day() == 1 && today.day() == today.days_in_month());
            prop_assert!(next, "{} then {}", today, tomorrow);
        }
    }
}
