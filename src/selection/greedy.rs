//! Lazy greedy: fills a configuration with what saves most, per index or per byte.
//!
//! Only adds. A candidate is re-evaluated when its last known value puts it on top of the queue (Minoux 1978), which
//! is right as long as returns diminish; where two candidates help each other, both count as unknown again.

use super::search::{Configuration, Gain, Search};
use crate::cost::cache::Expired;
use crate::cost::{CandidateId, WhatIf};
use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::rc::Rc;

/// What greedy maximises at every step. Either can be far off alone (JOB within 1 GB: 78 against 63 % of the cost),
/// so both are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    GainPerByte,
    Gain,
}

pub(super) const KEYS: [Key; 2] = [Key::GainPerByte, Key::Gain];

/// Gains within 1 % of each other are equal for a planner whose costs are within 1 % of each other; the preferred index
/// (`canonical`) then wins, and answers do not flip with the last digit.
const STEP: f64 = 1.01;

/// Candidates that are added together: one, or a bundle.
struct Item {
    members: Rc<[CandidateId]>,
    /// The newest queue entry; older ones are void.
    version: u32,
    /// An upper bound of the net gain if returns diminish: the gain when it was last evaluated.
    last_gain: f64,
}

/// A place in the queue: highest value first, then the earlier item.
type Place = (i64, Reverse<usize>, u32, usize);

struct Queue {
    items: Vec<Item>,
    heap: BinaryHeap<Place>,
    key: Key,
}

/// What an item would bring now, as far as is known.
struct Offer {
    added: Vec<CandidateId>,
    bytes: u64,
}

/// Adds to `start` until nothing fits or nothing saves enough. Candidates in `banned` are not added.
pub(super) fn fill<W: WhatIf>(
    search: &mut Search<'_, W>,
    start: &Configuration,
    key: Key,
    banned: &BTreeSet<CandidateId>,
) -> Result<Configuration, Expired> {
    let mut current = start.clone();
    let filled = fill_in_place(search, &mut current, key, banned);
    if filled.is_err() {
        search.consider(&current);
    }
    filled.map(|()| current)
}

fn fill_in_place<W: WhatIf>(
    search: &mut Search<'_, W>,
    current: &mut Configuration,
    key: Key,
    banned: &BTreeSet<CandidateId>,
) -> Result<(), Expired> {
    let mut queue = Queue::new(search, current, key, banned);
    while let Some((bucket, Reverse(index), version, evaluated_at)) = queue.heap.pop() {
        search.cache.check_time()?;
        if queue.items[index].version != version {
            continue;
        }
        let Some(offer) = offer(search, current, &queue.items[index].members) else { continue };
        if evaluated_at == current.members.len() {
            *current = search.moved(current, current.with(&offer.added))?;
            queue.forget_partners(search, current, &offer.added);
            continue;
        }
        let bound = search.potential(current, &offer.added).min(queue.items[index].last_gain);
        match queue.bucket(search, bound, &offer) {
            Some(tighter) if tighter < bucket => queue.push(index, tighter, usize::MAX),
            Some(_) => {
                let enough = queue.least_to_stay_first(search, &offer);
                let (gain, evaluated_at) = match search.gain_if_enough(current, &offer.added, enough)? {
                    Gain::Exactly(gain) => (gain, current.members.len()),
                    Gain::AtMost(bound) => (bound, usize::MAX),
                };
                queue.items[index].last_gain = gain;
                if let Some(bucket) = queue.bucket(search, gain, &offer) {
                    queue.push(index, bucket, evaluated_at);
                }
            }
            None => {}
        }
    }
    Ok(())
}

/// What adding these would take; None when they are all there or do not fit.
fn offer<W: WhatIf>(
    search: &Search<'_, W>,
    current: &Configuration,
    members: &[CandidateId],
) -> Option<Offer> {
    let added = added(current, members)?;
    let bytes = search.bytes(&added);
    let rivalry = search.has_rivals_within(&added) || !search.rivals(&current.members, &added).is_empty();
    let fits = !rivalry && search.fits_beside(&current.members, current.bytes, &added);
    fits.then_some(Offer { added, bytes })
}

/// Those that are not there yet; None when all are.
fn added(current: &Configuration, members: &[CandidateId]) -> Option<Vec<CandidateId>> {
    let added: Vec<CandidateId> = members.iter().copied().filter(|c| !current.contains(*c)).collect();
    (!added.is_empty()).then_some(added)
}

impl Queue {
    fn new<W: WhatIf>(
        search: &mut Search<'_, W>,
        current: &Configuration,
        key: Key,
        banned: &BTreeSet<CandidateId>,
    ) -> Queue {
        let allowed = |set: &&Rc<[CandidateId]>| set.iter().all(|candidate| !banned.contains(candidate));
        let items = search.items();
        let items = items.iter().filter(allowed).map(|members| Item {
            members: members.clone(),
            version: 0,
            last_gain: f64::INFINITY,
        });
        let items = items.collect();
        let mut queue = Queue { items, heap: BinaryHeap::new(), key };
        for index in 0..queue.items.len() {
            queue.offer_again(search, current, index);
        }
        queue
    }

    /// Puts an item into the queue at the most that it can be worth.
    fn offer_again<W: WhatIf>(&mut self, search: &Search<'_, W>, current: &Configuration, index: usize) {
        self.items[index].last_gain = f64::INFINITY;
        let members = &self.items[index].members;
        // Most of a large pool is worth nothing beside what is there, which is told sooner than what stands in its way.
        let Some(added) = added(current, members) else { return };
        let bound = search.potential(current, &added);
        if bound < search.least_gain * added.len() as f64 {
            return;
        }
        let Some(offer) = offer(search, current, members) else { return };
        if let Some(bucket) = self.bucket(search, bound, &offer) {
            self.push(index, bucket, usize::MAX);
        }
    }

    /// After a choice: what was learnt of the candidates that work together with the chosen ones no longer bounds
    /// them.
    fn forget_partners<W: WhatIf>(
        &mut self,
        search: &Search<'_, W>,
        current: &Configuration,
        chosen: &[CandidateId],
    ) {
        let mut partners: BTreeSet<CandidateId> = BTreeSet::new();
        for bundle in &search.bundles {
            if bundle.iter().any(|candidate| chosen.contains(candidate)) {
                partners.extend(bundle);
            }
        }
        for index in 0..self.items.len() {
            if self.items[index].members.iter().any(|candidate| partners.contains(candidate)) {
                self.items[index].version += 1;
                self.offer_again(search, current, index);
            }
        }
    }

    fn push(&mut self, index: usize, bucket: i64, evaluated_at: usize) {
        self.items[index].version += 1;
        self.heap.push((bucket, Reverse(index), self.items[index].version, evaluated_at));
    }

    /// The net gain below which an offer falls behind the next in the queue, or below what it has to save.
    fn least_to_stay_first<W: WhatIf>(&self, search: &Search<'_, W>, offer: &Offer) -> f64 {
        let count = offer.added.len() as f64;
        let next = self.heap.peek().map_or(0.0, |place| STEP.powi(place.0 as i32));
        let next = match self.key {
            Key::Gain => next * count,
            Key::GainPerByte => next * offer.bytes.max(1) as f64,
        };
        next.max(search.least_gain * count)
    }

    /// The rank of a net gain under this key; None when it is below what an index has to save.
    fn bucket<W: WhatIf>(&self, search: &Search<'_, W>, net: f64, offer: &Offer) -> Option<i64> {
        let each = net / offer.added.len() as f64;
        if each < search.least_gain || each <= 0.0 {
            return None;
        }
        let value = match self.key {
            Key::Gain => each,
            Key::GainPerByte => net / offer.bytes.max(1) as f64,
        };
        Some(nearly(value) as i64)
    }
}

/// The number of steps that a value above 0 is large, a whole one.
pub(super) fn nearly(value: f64) -> f64 {
    (value.ln() / STEP.ln()).floor()
}
