//! The words of a verification: what was found, over which windows, how sure, and what to do next.
//!
//! Says nothing that is not in the evidence, and names no value of the data: neither statements nor their constants.

use super::definition;
use super::evidence::{Evidence, Measured, Saving};
use super::known::{KnownIndex, Present};
use super::noise::MIN_CALLS;
use super::verdict::Wait;
use super::{Verdict, Verification};
use crate::report::format::{count, duration, listed, number, per_day, percent, size};

const MS: f64 = 1000.0;
const DAY: f64 = 86_400.0 * MS;
/// Indexes that are named before the rest is counted.
const MOST_NAMED: usize = 5;
/// How a verdict begins that is repeated because nothing newer says otherwise.
const EARLIER: &str = "As found earlier, and nothing measured since says otherwise: ";

/// What to do next: in words, and as a statement where there is one.
pub type Step = (String, Option<String>);

/// The explanation of a verdict on an index that was created.
pub fn created(verdict: Verdict, wait: Option<Wait>, evidence: &Evidence<'_>, scans: Option<f64>) -> String {
    let saving = evidence.saving();
    let mut text = Vec::new();
    match verdict {
        Verdict::Unused | Verdict::Harms if scans == Some(0.0) => {
            text.push(format!(
                "Nothing has scanned it, while {} ran {}.",
                statements(evidence.promised.len()),
                number(evidence.calls_after() as usize, "time", "times")
            ));
            if saving.least > 0.0 {
                text.push(
                    "They got faster all the same: by statistics that ANALYZE made for an expression of it, or by \
                     something else that changed."
                        .to_string(),
                );
            }
        }
        _ => {
            text.extend(wait.map(waiting));
            text.extend(times(evidence, saving));
            text.extend(
                scans
                    .filter(|scans| *scans > 0.0)
                    .map(|scans| format!("It has been scanned {}.", number(scans as usize, "time", "times"))),
            );
        }
    }
    text.extend(plans(evidence));
    text.extend(side_effects(evidence));
    text.extend(compared(evidence));
    text.join(" ")
}

/// The explanation of a verdict on an index that was dropped.
pub fn dropped(verdict: Verdict, wait: Option<Wait>, evidence: &Evidence<'_>) -> String {
    let judged = evidence.others.iter().filter(|other| other.shift.is_some()).count();
    let mut text = Vec::new();
    match verdict {
        Verdict::Missed => text.push("Without it, statements got slower.".to_string()),
        Verdict::NotMissed => text.push(format!(
            "Of {} on its table with enough calls, none that counts got slower without it beyond the noise.",
            number(judged, "statement", "statements")
        )),
        _ => text.extend(wait.map(waiting)),
    }
    text.extend(side_effects(evidence));
    text.extend(compared(evidence));
    text.join(" ")
}

/// The explanation where there are no windows to compare.
pub fn without_windows() -> String {
    "There are no counters from before it existed that could be compared with those of now.".to_string()
}

/// An index that is not valid.
pub fn invalid(index: &KnownIndex, now: Present) -> (String, Step) {
    let (why, step) = if now.building {
        ("A session is building it.", (String::from("Wait until it is built."), None))
    } else if now.partitioned {
        (
            "Some partition has no valid index of this definition, so the planner does not use it there.",
            ("Create the index on each partition that lacks it, and attach it with ALTER INDEX ... ATTACH PARTITION.".to_string(), None),
        )
    } else if definition::is_left_over(&index.name) {
        (
            "A REINDEX CONCURRENTLY that failed has left it behind.",
            ("Drop it.".to_string(), Some(definition::drop(&index.name, false))),
        )
    } else {
        (
            "Its build failed: writers keep it up to date, and no plan uses it.",
            (
                "Build it anew; drop it first if its build fails for a reason that remains.".to_string(),
                Some(format!("REINDEX INDEX CONCURRENTLY {}", index.name)),
            ),
        )
    };
    (format!("The index is not valid. {why}"), step)
}

/// What to do about an index that was created.
pub fn step(
    verdict: Verdict,
    wait: Option<Wait>,
    index: &KnownIndex,
    now: Present,
    evidence: Option<&Evidence<'_>>,
) -> Step {
    if now.needs_analyze && verdict != Verdict::KeptPromise {
        let text = "Let ANALYZE look at the index's expression, without which the planner guesses; then verify again.";
        return (text.to_string(), Some(format!("ANALYZE {}", index.relation)));
    }
    let drop = |text: &str| {
        if index.backs_constraint || definition::is_unique(&index.definition) {
            return (format!("{text} It also guards a constraint of the table, so it has to stay."), None);
        }
        (text.to_string(), Some(definition::drop(&index.name, now.partitioned)))
    };
    match verdict {
        Verdict::KeptPromise => ("Nothing.".to_string(), None),
        Verdict::HelpsLess if evidence.is_some_and(|evidence| evidence.saving().least > 0.0) => {
            (format!("Keep it if what it saves is worth {} and its upkeep.", size(now.size_bytes)), None)
        }
        Verdict::HelpsLess => drop(&format!(
            "Nothing that it saves can be told from noise, and it takes {}. Drop it, unless something needs it that these windows do not show.",
            size(now.size_bytes)
        )),
        Verdict::Unused => drop(&format!(
            "Drop it, unless something needs it that ran too rarely to be seen, or on a standby; that frees {}.",
            size(now.size_bytes)
        )),
        Verdict::Harms => drop("Drop it, and verify again."),
        _ => (wait_for(wait, evidence), None),
    }
}

/// What to do about an index that was dropped.
pub fn step_after_drop(
    verdict: Verdict,
    wait: Option<Wait>,
    index: &KnownIndex,
    partitioned: bool,
    evidence: &Evidence<'_>,
) -> Step {
    match verdict {
        Verdict::Missed if index.backs_constraint => (
            "It belonged to a constraint, which only ALTER TABLE ... ADD CONSTRAINT brings back; whether the table needs that is not for times to say.".to_string(),
            None,
        ),
        Verdict::Missed => ("Create it again.".to_string(), definition::restore(&index.definition, partitioned)),
        Verdict::NotMissed => ("Nothing.".to_string(), None),
        _ => (wait_for(wait, Some(evidence)), None),
    }
}

/// The verdict from before, where nothing newer can be said.
pub fn repeated(last: &Verification) -> Verification {
    let explanation = match last.explanation.strip_prefix(EARLIER) {
        Some(_) => last.explanation.clone(),
        None => format!("{EARLIER}{}", last.explanation),
    };
    Verification { explanation, ..last.clone() }
}

fn waiting(wait: Wait) -> String {
    match wait {
        Wait::NoBefore => without_windows(),
        Wait::Calls => format!(
            "Too few calls to judge: a statement needs {} before and as many after.",
            count(MIN_CALLS)
        ),
        Wait::Mixed => "The counters since the last snapshot without it are partly of the time before it existed, so they \
                        show too little of its effect."
            .to_string(),
        Wait::Scans => "Its statements have run, and no scan of it has been reported yet.".to_string(),
        Wait::Noise => "What changed is within the noise.".to_string(),
        Wait::HowMuch => "It helps; whether as much as estimated is within the noise.".to_string(),
        Wait::Nothing => "No statement is known that it concerns.".to_string(),
    }
}

fn wait_for(wait: Option<Wait>, evidence: Option<&Evidence<'_>>) -> String {
    let calls = || {
        let evidence = evidence?;
        let wanting = evidence.wanting();
        let first = wanting.first()?;
        if first.before.sum.calls < MIN_CALLS {
            return Some(format!(
                "Nothing: the heaviest of its statements ran only {} before the index existed.",
                number(first.before.sum.calls as usize, "time", "times")
            ));
        }
        let missing = MIN_CALLS - first.after.sum.calls;
        let rate = first.after.sum.calls / evidence.seconds_after?;
        let when = if rate > 0.0 {
            format!(", which takes {} at the rate so far", duration(missing / rate * MS))
        } else {
            String::new()
        };
        Some(format!(
            "Verify again when the heaviest of its statements has run {} more{when}.",
            number(missing as usize, "time", "times")
        ))
    };
    match wait {
        Some(Wait::Mixed) => "Verify again after its statements have run for a while: what is counted from now on is all with the change.".to_string(),
        Some(Wait::Scans) => "Verify again in some minutes: backends report scans later than calls are counted.".to_string(),
        Some(Wait::Calls) => calls().unwrap_or_else(|| "Verify again when its statements have run more often.".to_string()),
        Some(Wait::Noise | Wait::HowMuch) => "Verify again over longer windows: the more calls, the less noise, down to what differs from window to window whatever changes.".to_string(),
        _ => "Nothing: there is nothing to compare with.".to_string(),
    }
}

fn statements(n: usize) -> String {
    match n {
        1 => "the statement that it was meant for".to_string(),
        n => format!("the {} statements that it was meant for", count(n as f64)),
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// Times of those that something was promised to.
fn times(evidence: &Evidence<'_>, saving: Saving) -> Option<String> {
    let judged: Vec<&Measured<'_>> =
        evidence.promised.iter().filter(|statement| statement.shift.is_some()).collect();
    let heaviest = judged.iter().max_by(|a, b| a.weight.total_cmp(&b.weight))?;
    let share = match saving.measured {
        saved if saved >= 0.0 => format!("{} less", percent(saved)),
        lost => format!("{} more", percent(-lost)),
    };
    let noise = (saving.measured - saving.least).max(saving.most - saving.measured);
    let (before, after) = (heaviest.before.mean(), heaviest.after.mean());
    let blocks = match before.blocks >= 1.0 || after.blocks >= 1.0 {
        true => format!(", and {} blocks instead of {}", amount(after.blocks), amount(before.blocks)),
        false => String::new(),
    };
    let each = format!("{} instead of {}{blocks}", duration(after.ms), duration(before.ms));
    let who = capital(&statements(judged.len()));
    let together = if evidence.together.is_empty() { "" } else { ", its part of what changed together" };
    let compared = format!(
        "{share} (noise: {}; estimated: {} less{together})",
        percent(noise),
        percent(saving.estimated)
    );
    Some(match judged.len() {
        1 => format!("{who} took {each} a call: {compared}."),
        _ => format!("{who} took {compared}; the heaviest took {each} a call."),
    })
}

/// Which statements the planner uses the index for, where that is not all of them or nothing has scanned it.
fn plans(evidence: &Evidence<'_>) -> Option<String> {
    let planned = evidence.promised.iter().filter_map(|statement| statement.planned_with);
    let (with, all) = planned.fold((0, 0), |(with, all), uses| (with + usize::from(uses), all + 1));
    let of = |n: usize| {
        if n == 1 { "the statement".to_string() } else { format!("the {} statements", count(n as f64)) }
    };
    match (with, all) {
        (_, 0) => None,
        (0, all) => Some(format!("Planned anew with typical values, {} would not use it.", of(all))),
        (with, all) if with == all => {
            Some(format!("Planned anew with typical values, {} would use it.", of(all)))
        }
        (with, all) => Some(format!("Planned anew with typical values, {with} of {} would use it.", of(all))),
    }
}

fn amount(number: f64) -> String {
    if number < 9.95 { format!("{number:.1}").trim_end_matches(".0").to_string() } else { count(number) }
}

/// What happened to others, and to HOT updates.
fn side_effects(evidence: &Evidence<'_>) -> Option<String> {
    let slower = evidence.others.iter().filter(|other| other.is_slower()).count();
    let faster = evidence.others.iter().filter(|other| other.is_faster()).count();
    let (lost, gained) = evidence.side_effects();
    let mut text = Vec::new();
    let mut tell = |n: usize, how: &str, ms: f64| {
        if n > 0 {
            let rate =
                evidence.per_day(ms).map_or_else(String::new, |ms| format!(", by at least {}", per_day(ms)));
            let of = if evidence.promised.is_empty() { "on its table" } else { "that it was not meant for" };
            text.push(format!("{} {of} got {how}{rate}.", number(n, "statement", "statements")));
        }
    };
    tell(slower, "slower", lost);
    tell(faster, "faster", gained);
    if let Some((before, after)) = evidence.hot
        && (before - after).abs() >= 0.01
    {
        text.push(format!(
            "Of the updates of its table, {} were HOT before and {} after.",
            percent(before),
            percent(after)
        ));
    }
    (!text.is_empty()).then(|| text.join(" "))
}

/// The windows and what they rest on.
fn compared(evidence: &Evidence<'_>) -> Option<String> {
    let concerned = if evidence.promised.is_empty() { &evidence.others } else { &evidence.promised };
    let calls = |before: bool| -> f64 {
        concerned.iter().map(|one| if before { one.before.sum.calls } else { one.after.sum.calls }).sum()
    };
    let window = |calls: f64, seconds: Option<f64>| {
        let length = seconds.map_or_else(|| "an unknown time".to_string(), |seconds| length(seconds * MS));
        format!("{} in {length}", number(calls as usize, "call", "calls"))
    };
    let mut text = vec![format!(
        "Compared: {} before with {} after{}.",
        window(calls(true), evidence.seconds_before),
        window(calls(false), evidence.seconds_after),
        if evidence.mixed { ", some of them from before the change" } else { "" }
    )];
    if evidence.drift.controls > 0 {
        let drift = evidence.drift.log.exp() - 1.0;
        let witnesses = number(evidence.drift.controls, "statement", "statements");
        text.push(match drift {
            none if none.abs() < 0.005 => {
                format!("The machine was as fast as before: {witnesses} that nothing changed for show it.")
            }
            less if less < 0.0 => format!(
                "The machine was {} faster, as {witnesses} that nothing changed for show; that is taken out.",
                percent(-less)
            ),
            more => format!(
                "The machine was {} slower, as {witnesses} that nothing changed for show; that is taken out.",
                percent(more)
            ),
        });
    }
    if !evidence.together.is_empty() {
        let mut names: Vec<String> =
            evidence.together.iter().take(MOST_NAMED).map(|index| index.name.clone()).collect();
        if evidence.together.len() > MOST_NAMED {
            names.push(format!("{} more", evidence.together.len() - MOST_NAMED));
        }
        text.push(format!(
            "Measured together with {}, which came or went between the same snapshots.",
            listed(&names)
        ));
    }
    Some(text.join(" "))
}

/// A length of a window: days are counted in halves.
fn length(ms: f64) -> String {
    if ms < 2.0 * DAY { duration(ms) } else { format!("{} days", amount(ms / DAY)) }
}
