//! `Schedule`: a cron expression that was read, and when it comes next in a time zone.
//!
//! The expressions are those of the croner crate; what it is given has been looked at field by field, so that an error can
//! say where it is.

use super::zone::{Moment, Zone};
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};

/// Longer texts are not read: no expression of use comes near it.
const LONGEST: usize = 1000;

const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// Names of whole expressions, as cron knows them.
const NAMED: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

/// The fields of an expression in the order in which they stand, seconds first where they are given.
const FIELDS: [Field; 6] = [
    Field { name: "second", range: "0-59", words: &[] },
    Field { name: "minute", range: "0-59", words: &[] },
    Field { name: "hour", range: "0-23", words: &[] },
    Field { name: "day of month", range: "1-31, L, W", words: &["L", "W", "LW"] },
    Field { name: "month", range: "1-12 or JAN-DEC", words: &MONTHS },
    Field { name: "day of week", range: "0-7 or SUN-SAT, L", words: &["L"] },
];
const DAY_OF_WEEK: usize = 5;

struct Field {
    name: &'static str,
    range: &'static str,
    /// Words that may stand in it.
    words: &'static [&'static str],
}

/// A cron expression that can be read and comes at some time.
#[derive(Clone, Debug)]
pub struct Schedule {
    cron: Cron,
    /// It has a field for seconds.
    pub seconds: bool,
    /// It uses what Vixie cron does not know: `L`, `W`, `#`, `+`, `?`.
    pub extended: bool,
}

/// Why an expression cannot be read. The text is for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    #[error("it is empty")]
    Empty,
    #[error("it has {0} characters; {LONGEST} at most")]
    TooLong(usize),
    #[error("\"{0}\" is not one of @hourly, @daily, @midnight, @weekly, @monthly, @yearly and @annually")]
    Name(String),
    #[error(
        "it has {0} fields instead of 5 (minute, hour, day of month, month, day of week) or 6 (second first)"
    )]
    Fields(usize),
    /// The field's number counts from 1, as it stands in the text.
    #[error("field {number} ({name}: {range}) is \"{text}\": {why}")]
    Field { number: usize, name: &'static str, range: &'static str, text: String, why: String },
    #[error("there is no such day")]
    Never,
}

impl Schedule {
    /// Reads `minute hour day-of-month month day-of-week`, with seconds before if there are six fields, or a name such as
    /// `@daily`.
    ///
    /// # Errors
    /// Why it cannot be read, with the field.
    pub fn read(text: &str) -> Result<Schedule, Unreadable> {
        if text.len() > LONGEST {
            return Err(Unreadable::TooLong(text.chars().count()));
        }
        let trimmed = text.trim();
        let expression = match trimmed.starts_with('@') {
            true => named(trimmed).ok_or_else(|| Unreadable::Name(trimmed.to_string()))?,
            false => trimmed,
        };
        let fields: Vec<&str> = expression.split_whitespace().collect();
        let missing = match fields.len() {
            0 => return Err(Unreadable::Empty),
            5 => 1,
            6 => 0,
            count => return Err(Unreadable::Fields(count)),
        };
        for (i, field) in fields.iter().enumerate() {
            check(i + missing, field).map_err(|why| {
                let Field { name, range, .. } = FIELDS[i + missing];
                Unreadable::Field { number: i + 1, name, range, text: field.to_string(), why }
            })?;
        }
        let cron = parser().parse(&fields.join(" ")).map_err(|error| Unreadable::Field {
            number: 1,
            name: FIELDS[missing].name,
            range: FIELDS[missing].range,
            text: fields[0].to_string(),
            why: error.to_string(),
        })?;
        let weekdays = fields[fields.len() - 1];
        let extended = expression.contains(['#', '+', '?'])
            || fields[fields.len() - 3].to_ascii_uppercase().contains(['L', 'W'])
            || words(weekdays).any(|word| word == "L");
        let schedule = Schedule { cron, seconds: missing == 0, extended };
        match schedule.next_after(&Anywhere, 0) {
            Some(_) => Ok(schedule),
            None => Err(Unreadable::Never),
        }
    }

    /// The first time after an instant, both in Unix seconds, at which clocks of the zone show a time of this schedule.
    ///
    /// Where clocks are set forward over a fixed time, the job comes at the first instant after; where they are set back over
    /// it, once. A schedule with a `*` for the hour or the minute comes whenever the clock shows it.
    pub fn next_after<Z: Zone>(&self, zone: &Z, instant: i64) -> Option<i64> {
        self.cron.find_next_occurrence(&Moment { zone, instant }, false).ok().map(|next| next.instant)
    }
}

/// Some zone, for asking whether an expression comes at all.
struct Anywhere;

impl Zone for Anywhere {
    fn offset(&self, _instant: i64) -> i64 {
        0
    }
}

fn parser() -> CronParser {
    CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed).build()
}

fn named(name: &str) -> Option<&'static str> {
    let known = NAMED.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    known.map(|(_, expression)| *expression)
}

/// The words in a field, in capitals.
fn words(field: &str) -> impl Iterator<Item = String> {
    let parts = field.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty());
    parts.map(str::to_uppercase).collect::<Vec<_>>().into_iter()
}

/// Whether one field can be read in its place.
fn check(place: usize, text: &str) -> Result<(), String> {
    if let Some(strange) = text.chars().find(|c| !c.is_ascii_alphanumeric() && !"*/,-#+?".contains(*c)) {
        return Err(format!("'{strange}' has no meaning here"));
    }
    if text.split(',').any(str::is_empty) {
        return Err("a value is missing beside a comma".to_string());
    }
    let allowed = |word: &String| {
        FIELDS[place].words.contains(&word.as_str())
            || (place == DAY_OF_WEEK && WEEKDAYS.contains(&word.as_str()))
    };
    if let Some(word) = words(text).find(|word| !allowed(word)) {
        return Err(format!("{word} has no meaning here"));
    }
    let mut alone = ["*"; FIELDS.len()];
    alone[place] = text;
    parser().parse(&alone.join(" ")).map(drop).map_err(|error| {
        let message = error.to_string();
        message.split_once(": ").map_or(message.clone(), |(_, what)| what.trim_end_matches('.').to_string())
    })
}
