//! `verify`: a verdict on every index that was created as advised, and on those that were dropped.

use super::evidence::{Evidence, Subject};
use super::known::{Archive, Known, KnownIndex, Present, Promise};
use super::verdict::{Finding, Wait};
use super::window::{Change, Pair, pairs};
use super::{Verdict, Verification, Windows, definition, verdict, words};
use std::collections::BTreeMap;

/// Statements shown of an index.
const MOST_SHOWN: usize = 50;
/// Days after which a dropped index that nothing could be said of is left at that.
const GIVEN_UP: f64 = 30.0 * 86_400.0;

/// Indexes of the same shape, whatever their names, by table and shape.
struct Shapes<'a> {
    alike: BTreeMap<(&'a str, &'a str), Vec<&'a KnownIndex>>,
}

/// Judges each followed recommendation, then each dropped index, in the order of their numbers; gives the number of the
/// index with each verdict.
///
/// # Errors
/// Those of reading counters.
pub fn verify<A: Archive>(known: &Known, archive: &mut A) -> Result<Vec<(i64, Verification)>, A::Error> {
    let shapes = Shapes::of(&known.indexes);
    let changes = shapes.changes(known);
    let mut verdicts = Vec::new();
    let mut promises: Vec<&Promise> = known.promises.iter().collect();
    promises.sort_by_key(|promise| promise.recommendation);
    for promise in promises {
        let Some(index) = known.index(promise.index) else { continue };
        let Some(now) = index.now else { continue };
        let subject = Subject { known, index, changes: &changes, created: true };
        let change = shapes.creation(known, index);
        verdicts.push((index.id, created(&subject, change, promise, now, archive)?));
    }
    for index in known.indexes.iter().filter(|index| shapes.is_to_judge(index)) {
        let subject = Subject { known, index, changes: &changes, created: false };
        if let Some(verdict) = dropped(&subject, archive)? {
            verdicts.push((index.id, verdict));
        }
    }
    Ok(verdicts)
}

impl<'a> Shapes<'a> {
    fn of(indexes: &'a [KnownIndex]) -> Shapes<'a> {
        let mut alike: BTreeMap<(&str, &str), Vec<&KnownIndex>> = BTreeMap::new();
        for index in indexes {
            alike.entry(key(index)).or_default().push(index);
        }
        Shapes { alike }
    }

    /// The others of the same shape.
    fn like<'b>(&'b self, index: &'b KnownIndex) -> impl Iterator<Item = &'a KnownIndex> + use<'a, 'b> {
        let id = index.id;
        self.alike.get(&key(index)).into_iter().flatten().copied().filter(move |other| other.id != id)
    }

    /// When each index came or went, as far as moments tell. One that took the place of another of the same shape changed
    /// nothing.
    fn changes(&self, known: &'a Known) -> Vec<(Change, &'a KnownIndex)> {
        let mut changes = Vec::new();
        for index in &known.indexes {
            let came = self.creation(known, index);
            if came.old.is_some() && self.predecessor(index).is_none() {
                changes.push((came, index));
            }
            if let Some(went) = removal(known, index)
                && self.successor(index).is_none()
            {
                changes.push((went, index));
            }
        }
        changes
    }

    /// Between which moments it came; that of the first of its shape where it only took another's place.
    fn creation(&self, known: &Known, index: &'a KnownIndex) -> Change {
        let mut first = index;
        while let Some(earlier) = self.predecessor(first) {
            first = earlier;
        }
        Change { old: known.position(first.absent), new: known.position(first.first).unwrap_or(0) }
    }

    /// The index of the same shape that went when this one came, or later. It came before.
    fn predecessor(&self, index: &KnownIndex) -> Option<&'a KnownIndex> {
        self.like(index).find(|other| {
            matches!((other.gone, index.first), (Some(gone), Some(first)) if gone >= first)
                && other.first.unwrap_or(0) < index.first.unwrap_or(i64::MAX)
        })
    }

    /// The index of the same shape that was there when this one went.
    fn successor(&self, index: &KnownIndex) -> Option<&'a KnownIndex> {
        let gone = index.gone?;
        self.like(index).find(|other| {
            other.first.unwrap_or(0) <= gone && (!other.is_gone || other.gone.is_some_and(|went| went > gone))
        })
    }

    /// Whether a dropped index is still worth a verdict: there is none that settled it, and none like it has come back.
    fn is_to_judge(&self, index: &KnownIndex) -> bool {
        let back = self.like(index).any(|other| other.now.is_some());
        let settled = index.last.as_ref().is_some_and(|last| last.verdict == Verdict::NotMissed);
        index.is_gone && index.has_table && !back && !settled
    }
}

fn key(index: &KnownIndex) -> (&str, &str) {
    (&index.relation, definition::shape(&index.definition))
}

/// Between which moments it went.
fn removal(known: &Known, index: &KnownIndex) -> Option<Change> {
    let new = known.position(index.gone)?;
    Some(Change { old: Some(new.checked_sub(1)?), new })
}

/// The verdict on an index that was created as advised.
fn created<A: Archive>(
    subject: &Subject<'_>,
    change: Change,
    promise: &Promise,
    now: Present,
    archive: &mut A,
) -> Result<Verification, A::Error> {
    let (known, index) = (subject.known, subject.index);
    let blank = Verification {
        recommendation: Some(promise.recommendation),
        ddl: promise.ddl.clone(),
        ..blank(index)
    };
    if !now.valid {
        let (explanation, (next_step, next_ddl)) = words::invalid(index, now);
        return Ok(Verification { verdict: Verdict::Invalid, explanation, next_step, next_ddl, ..blank });
    }
    let mut waiting: Option<(Wait, Evidence<'_>)> = None;
    for pair in pairs(change, index.created_at, &others(subject, change), &known.moments) {
        let evidence = subject.measure(&pair, archive)?;
        let scans = scans(known, now, &pair);
        match verdict::created(&evidence, scans) {
            Finding::Claim(verdict) => {
                let explanation = words::created(verdict, None, &evidence, scans);
                let step = words::step(verdict, None, index, now, Some(&evidence));
                return Ok(told(blank, verdict, &evidence, explanation, step));
            }
            Finding::Wait(wait) => waiting = Some(better(waiting, (wait, evidence))),
        }
    }
    if let Some(last) = judged_before(index, true) {
        return Ok(words::repeated(last));
    }
    let verdict = Verdict::TooEarly;
    Ok(match waiting {
        Some((wait, evidence)) => {
            let explanation = words::created(verdict, Some(wait), &evidence, Some(now.scans));
            let step = words::step(verdict, Some(wait), index, now, Some(&evidence));
            told(blank, verdict, &evidence, explanation, step)
        }
        None => {
            let (next_step, next_ddl) = words::step(verdict, Some(Wait::NoBefore), index, now, None);
            Verification { explanation: words::without_windows(), next_step, next_ddl, ..blank }
        }
    })
}

/// The verdict on an index that was dropped; None where nothing can be said any more.
fn dropped<A: Archive>(subject: &Subject<'_>, archive: &mut A) -> Result<Option<Verification>, A::Error> {
    let (known, index) = (subject.known, subject.index);
    let Some(change) = removal(known, index) else { return Ok(None) };
    let partitioned = index.definition.contains(" ON ONLY ");
    let mut waiting: Option<(Wait, Evidence<'_>)> = None;
    for pair in pairs(change, None, &others(subject, change), &known.moments) {
        let evidence = subject.measure(&pair, archive)?;
        match verdict::dropped(&evidence) {
            Finding::Claim(verdict) => {
                let explanation = words::dropped(verdict, None, &evidence);
                let step = words::step_after_drop(verdict, None, index, partitioned, &evidence);
                return Ok(Some(told(blank(index), verdict, &evidence, explanation, step)));
            }
            Finding::Wait(wait) => waiting = Some(better(waiting, (wait, evidence))),
        }
    }
    if let Some(last) = judged_before(index, false) {
        return Ok(Some(words::repeated(last)));
    }
    let old =
        known.moments.last().zip(known.moments.get(change.new)).map_or(0.0, |(now, then)| now.at - then.at);
    let waiting = waiting.filter(|_| old <= GIVEN_UP);
    Ok(waiting.map(|(wait, evidence)| {
        let explanation = words::dropped(Verdict::TooEarly, Some(wait), &evidence);
        let step = words::step_after_drop(Verdict::TooEarly, Some(wait), index, partitioned, &evidence);
        told(blank(index), Verdict::TooEarly, &evidence, explanation, step)
    }))
}

/// The newest verdict, if measurements bore it out and it is on the same question: while it was there, or after it was dropped.
fn judged_before(index: &KnownIndex, created: bool) -> Option<&Verification> {
    let last = index.last.as_deref()?;
    (last.verdict.is_claim() && last.recommendation.is_some() == created).then_some(last)
}

/// Other changes to indexes that the subject's statements could use, its own at another time among them.
fn others(subject: &Subject<'_>, own: Change) -> Vec<Change> {
    let relations = subject.relations();
    let others = subject.changes.iter().filter(|(change, other)| {
        relations.contains(other.relation.as_str()) && (other.id != subject.index.id || *change != own)
    });
    others.map(|(change, _)| *change).collect()
}

/// Scans of the index within the window after, if they were all counted. It has none from before it was there.
fn scans(known: &Known, now: Present, pair: &Pair) -> Option<f64> {
    let begin = known.moments.get(pair.after.cuts.first().copied()?)?;
    let reset = known.moments.last()?.tables_reset.unwrap_or(f64::MIN);
    (now.scans > 0.0 || reset <= begin.at).then_some(now.scans)
}

/// Of two reasons to wait, the one that says more: with whole windows before mixed ones, then with more calls.
fn better<'a>(known: Option<(Wait, Evidence<'a>)>, new: (Wait, Evidence<'a>)) -> (Wait, Evidence<'a>) {
    let rank = |(wait, evidence): &(Wait, Evidence<'_>)| {
        let told = match wait {
            Wait::HowMuch => 3,
            Wait::Noise | Wait::Scans => 2,
            Wait::Mixed => 1,
            _ => 0,
        };
        (told, evidence.saving().judged)
    };
    match known {
        Some(known) if rank(&known) >= rank(&new) => known,
        _ => new,
    }
}

fn blank(index: &KnownIndex) -> Verification {
    Verification {
        recommendation: None,
        ddl: index.definition.clone(),
        index: Some(index.name.clone()),
        relation: index.relation.clone(),
        verdict: Verdict::TooEarly,
        estimated_saving: None,
        measured_saving: None,
        noise: None,
        measured_ms_per_day: None,
        estimated_ms_per_day: None,
        others_lost_ms_per_day: None,
        windows: None,
        statements: Vec::new(),
        writes: None,
        explanation: String::new(),
        next_step: String::new(),
        next_ddl: None,
    }
}

/// A verdict with its evidence.
fn told(
    blank: Verification,
    verdict: Verdict,
    evidence: &Evidence<'_>,
    explanation: String,
    (next_step, next_ddl): words::Step,
) -> Verification {
    let saving = evidence.saving();
    let judged = saving.weight > 0.0;
    let (lost, gained) = evidence.side_effects();
    Verification {
        verdict,
        estimated_saving: judged.then_some(saving.estimated),
        measured_saving: judged.then_some(saving.measured),
        noise: judged.then(|| (saving.measured - saving.least).max(saving.most - saving.measured)),
        measured_ms_per_day: evidence.per_day(saving.measured * saving.weight).filter(|_| judged),
        estimated_ms_per_day: evidence.per_day(saving.estimated * saving.weight).filter(|_| judged),
        others_lost_ms_per_day: evidence.per_day(lost - gained),
        windows: Some(Windows {
            before_seconds: evidence.seconds_before,
            after_seconds: evidence.seconds_after,
            mixed: evidence.mixed,
            drift: evidence.drift.log.exp() - 1.0,
            controls: evidence.drift.controls,
        }),
        statements: evidence.changes(MOST_SHOWN),
        writes: evidence.writes,
        explanation,
        next_step,
        next_ddl,
        ..blank
    }
}
