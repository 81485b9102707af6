//! `Offers`: the plans that a standing could be filled with, dearest first.

use super::plan::Plan;
use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

/// A plan that a statement could have if what it lacks were added.
pub(super) struct Offer<'p> {
    pub statement: usize,
    pub plan: &'p Plan,
    /// By what the lot makes its value larger, where the lot has a say.
    pub lift: Option<f64>,
}

/// Offers with their values.
#[derive(Default)]
pub(super) struct Offers<'p> {
    offers: Vec<Offer<'p>>,
    /// None for those that were taken or withdrawn.
    values: Vec<Option<f64>>,
    /// Statements in ascending order, each with the position of its first offer.
    firsts: Vec<(usize, usize)>,
    /// Those whose value has changed since are passed over.
    queue: BinaryHeap<Place>,
}

/// A value, the rank of what the plan uses and the position of the offer: the highest first, then that of the preferred items, then
/// the earlier.
struct Place(f64, Reverse<u32>, Reverse<u32>);

impl<'p> Offers<'p> {
    /// Offers, those to the same statement together and these in ascending order, but for those of no value.
    pub fn of(
        offers: impl Iterator<Item = Offer<'p>>,
        value: impl Fn(&Offer<'p>) -> Option<f64>,
    ) -> Offers<'p> {
        let mut all = Offers::default();
        let mut places = Vec::new();
        for offer in offers {
            let Some(value) = value(&offer) else { continue };
            let at = all.offers.len();
            if all.firsts.last().is_none_or(|(statement, _)| *statement != offer.statement) {
                all.firsts.push((offer.statement, at));
            }
            places.push(Place::of(value, &offer, at));
            all.values.push(Some(value));
            all.offers.push(offer);
        }
        all.queue = places.into();
        all
    }

    /// Offers taken and withdrawn since or not.
    pub fn len(&self) -> usize {
        self.offers.len()
    }

    /// Takes the dearest.
    pub fn take(&mut self) -> Option<&'p Plan> {
        while let Some(Place(value, _, Reverse(at))) = self.queue.pop() {
            let at = at as usize;
            if self.values[at] == Some(value) {
                self.values[at] = None;
                return Some(self.offers[at].plan);
            }
        }
        None
    }

    /// Values the offers to a statement anew; withdraws those of no value. Returns how many there were.
    pub fn value(&mut self, statement: usize, value: impl Fn(&Offer<'p>) -> Option<f64>) -> usize {
        let Ok(at) = self.firsts.binary_search_by_key(&statement, |(statement, _)| *statement) else {
            return 0;
        };
        let end = self.firsts.get(at + 1).map_or(self.offers.len(), |(_, first)| *first);
        let mut there = 0;
        for at in self.firsts[at].1..end {
            let Some(before) = self.values[at] else { continue };
            let now = value(&self.offers[at]);
            if let Some(now) = now.filter(|now| *now != before) {
                self.queue.push(Place::of(now, &self.offers[at], at));
            }
            self.values[at] = now;
            there += 1;
        }
        there
    }
}

impl Place {
    fn of(value: f64, offer: &Offer<'_>, at: usize) -> Place {
        Place(value, Reverse(offer.plan.rank), Reverse(at as u32))
    }
}

impl Ord for Place {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0).then(self.1.cmp(&other.1)).then(self.2.cmp(&other.2))
    }
}

impl PartialOrd for Place {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Place {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Place {}
