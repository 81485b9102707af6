//! The linear program of a `Relaxation`, solved from both sides at once: sets in fractions against mixtures of cuts.
//!
//! Primal-dual hybrid gradient (Chambolle, Pock 2011) with their diagonal steps, restarted at the average as in PDLP
//! (Applegate et al. 2021). Gives a mixture and fractions that are close to optimal; proves nothing by itself.

use super::relaxation::{Cut, Taken, onto_simplex};

/// A price is right when no more than this share too much is wanted, or too little.
const CLOSE: f64 = 1e-9;
/// Prices tried in search of it.
const PRICES: usize = 40;

/// What both sides hold.
#[derive(Clone, Debug)]
pub(super) struct Point {
    /// By statement: shares of its cuts.
    pub mixture: Vec<Vec<f64>>,
    /// By candidate, 0 to 1, within bytes and count.
    pub shares: Vec<f64>,
}

/// The program as the iteration needs it, in shares of `unit`.
pub(super) struct Saddle<'c> {
    cuts: &'c [Vec<Cut>],
    candidates: &'c [Taken],
    room: Option<u64>,
    count: usize,
    /// Milliseconds that count as 1.
    unit: f64,
    /// Steps by statement and by candidate; 0 for a candidate that is in no cut.
    statement_steps: Vec<f64>,
    candidate_steps: Vec<f64>,
    /// How far the mixtures move for the fractions.
    balance: f64,
    /// What room cost in the last step.
    rents: Rents,
}

impl<'c> Saddle<'c> {
    /// The program of these cuts, before the first step.
    pub fn new(
        cuts: &'c [Vec<Cut>],
        candidates: &'c [Taken],
        room: Option<u64>,
        count: usize,
        unit: f64,
    ) -> Saddle<'c> {
        let unit = unit.max(f64::MIN_POSITIVE);
        let mut candidate_sums = vec![0.0; candidates.len()];
        let mut statement_steps = Vec::with_capacity(cuts.len());
        for cuts in cuts {
            let mut most: f64 = 0.0;
            for cut in cuts {
                let mut sum = 0.0;
                for (candidate, relief) in &cut.reliefs {
                    sum += relief.abs() / unit;
                    candidate_sums[*candidate] += relief.abs() / unit;
                }
                most = most.max(sum);
            }
            statement_steps.push(if most > 0.0 { 1.0 / most } else { 0.0 });
        }
        let candidate_steps =
            candidate_sums.iter().map(|sum| if *sum > 0.0 { 1.0 / sum } else { 0.0 }).collect();
        Saddle {
            cuts,
            candidates,
            room,
            count,
            unit,
            statement_steps,
            candidate_steps,
            balance: 1.0,
            rents: Rents::default(),
        }
    }

    /// `steps` steps from `start`: where they end, and their average.
    pub fn walk(&mut self, start: &Point, steps: usize) -> [Point; 2] {
        let mut now = start.clone();
        let mut sum = Point {
            mixture: now.mixture.iter().map(|mixture| vec![0.0; mixture.len()]).collect(),
            shares: vec![0.0; now.shares.len()],
        };
        for _ in 0..steps {
            let shares = self.next_shares(&now);
            let ahead: Vec<f64> = shares.iter().zip(&now.shares).map(|(new, old)| 2.0 * new - old).collect();
            for ((cuts, mixture), step) in self.cuts.iter().zip(&mut now.mixture).zip(&self.statement_steps) {
                if mixture.len() > 1 {
                    for (share, cut) in mixture.iter_mut().zip(cuts) {
                        *share += self.balance * step * cut.at(&ahead) / self.unit;
                    }
                    onto_simplex(mixture);
                }
            }
            now.shares = shares;
            for (sum, mixture) in sum.mixture.iter_mut().zip(&now.mixture) {
                sum.iter_mut().zip(mixture).for_each(|(sum, share)| *sum += share);
            }
            sum.shares.iter_mut().zip(&now.shares).for_each(|(sum, share)| *sum += share);
        }
        let scale = 1.0 / steps.max(1) as f64;
        sum.mixture.iter_mut().flatten().for_each(|share| *share *= scale);
        sum.shares.iter_mut().for_each(|share| *share *= scale);
        self.rebalance(start, &now);
        [now, sum]
    }

    /// Lets the side that moved more take the longer steps.
    fn rebalance(&mut self, start: &Point, end: &Point) {
        let square = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f64>();
        let mixtures = start.mixture.iter().zip(&end.mixture).map(|(a, b)| square(a, b)).sum::<f64>().sqrt();
        let shares = square(&start.shares, &end.shares).sqrt();
        self.balance = balanced(self.balance, mixtures, shares);
    }

    fn next_shares(&mut self, now: &Point) -> Vec<f64> {
        let mut slopes: Vec<f64> = self.candidates.iter().map(|c| c.write_ms / self.unit).collect();
        for (cuts, mixture) in self.cuts.iter().zip(&now.mixture) {
            for (cut, share) in cuts.iter().zip(mixture).filter(|(_, share)| **share > 0.0) {
                for (candidate, relief) in &cut.reliefs {
                    slopes[*candidate] -= share * relief / self.unit;
                }
            }
        }
        let steps = self.candidate_steps.iter().map(|step| step / self.balance);
        let steps: Vec<f64> = steps.collect();
        let wanted: Vec<f64> = now
            .shares
            .iter()
            .zip(&slopes)
            .zip(&steps)
            .map(|((share, slope), step)| share - step * slope)
            .collect();
        let (shares, rents) =
            within_limits(self.rents, &wanted, &steps, self.candidates, self.room, self.count);
        self.rents = rents;
        shares
    }
}

/// What room costs: the whole of the bytes, and a place.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rents {
    pub bytes: f64,
    pub each: f64,
}

/// The nearest fractions within bytes and count, near as the steps measure it, and what room costs then: about as much as `before`.
pub(super) fn within_limits(
    before: Rents,
    wanted: &[f64],
    steps: &[f64],
    candidates: &[Taken],
    room: Option<u64>,
    count: usize,
) -> (Vec<f64>, Rents) {
    let room = room.map(|room| room.max(1) as f64);
    let size = |candidate: &Taken| room.map_or(0.0, |room| candidate.bytes as f64 / room);
    // Prices only lower shares, so those that are at nothing already stay there.
    let active: Vec<(usize, f64, f64, f64)> = (0..wanted.len())
        .filter(|at| wanted[*at] > 0.0 && steps[*at] > 0.0)
        .map(|at| (at, wanted[at], steps[at], size(&candidates[at])))
        .collect();
    let share = |wanted: f64, step: f64, size: f64, bytes: f64, each: f64| {
        (wanted - step * (bytes * size + each)).clamp(0.0, 1.0)
    };
    // What is wanted at these prices, and how fast that falls with the price of what `weigh` says a share takes.
    let wanted_at = |bytes: f64, each: f64, weigh: &dyn Fn(f64) -> f64| {
        let (mut sum, mut fall) = (0.0, 0.0);
        for &(_, wanted, step, size) in &active {
            let (share, weight) = (share(wanted, step, size, bytes, each), weigh(size));
            sum += weight * share;
            if 0.0 < share && share < 1.0 {
                fall += weight * weight * step;
            }
        }
        (sum, fall)
    };
    let places = 1.0 / count.max(1) as f64;
    let filled = |bytes: f64, each: f64| wanted_at(bytes, each, &|size| size);
    let number = |bytes: f64, each: f64| wanted_at(bytes, each * places, &|_| places);
    // The price of bytes, then that of a place: one of them is nearly always 0.
    let mut bytes = least_price(before.bytes, &|price| filled(price, 0.0));
    let each = least_price(before.each / places, &|price| number(bytes, price)) * places;
    if bytes > 0.0 && each > 0.0 {
        bytes = least_price(bytes, &|price| filled(price, each));
    }
    let mut shares = vec![0.0; wanted.len()];
    for &(at, wanted, step, size) in &active {
        shares[at] = share(wanted, step, size, bytes, each);
    }
    (shares, Rents { bytes, each })
}

/// The balance of two sides for the next walk, by how far the first and the second have moved in the last.
pub(super) fn balanced(balance: f64, first: f64, second: f64) -> f64 {
    if first > 1e-9 && second > 1e-9 { (balance * first / second).sqrt().clamp(1e-6, 1e3) } else { balance }
}

/// The least price, from 0, at which no more than 1 is wanted; `wanted` gives that and how fast it falls. In pieces it is linear:
/// Newton's steps from a guess, halvings where they lead astray.
pub(super) fn least_price(guess: f64, wanted: &dyn Fn(f64) -> (f64, f64)) -> f64 {
    let (mut price, mut low, mut high) = (guess, f64::NEG_INFINITY, f64::INFINITY);
    for _ in 0..PRICES {
        let (sum, fall) = wanted(price);
        if (sum - 1.0).abs() <= CLOSE || sum <= 1.0 && price == 0.0 {
            return price;
        }
        if sum > 1.0 {
            low = price
        } else {
            high = price
        }
        let next = match fall > 0.0 {
            true => (price + (sum - 1.0) / fall).max(0.0),
            false if sum > 1.0 => f64::INFINITY,
            false => 0.0,
        };
        price = if low < next && next < high {
            next
        } else if high.is_finite() {
            (low.max(0.0) + high) / 2.0
        } else {
            (4.0 * price).max(1e-3)
        };
    }
    if high.is_finite() { high } else { price }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_price_leaves_no_more_than_there_is_room_for_and_not_much_less(
            wishes in prop::collection::vec((0.0..3.0, 1e-6..10.0, 1e-4..0.9), 1..30),
            guess in prop_oneof![Just(0.0), 0.0..1e3],
        ) {
            let wanted = |price: f64| {
                let share = |(wanted, step, size): &(f64, f64, f64)| (wanted - step * size * price).clamp(0.0, 1.0);
                let sum: f64 = wishes.iter().map(|wish| wish.2 * share(wish)).sum();
                let falls = wishes.iter().filter(|wish| 0.0 < share(wish) && share(wish) < 1.0);
                (sum, falls.map(|(_, step, size)| size * size * step).sum())
            };
            let price = least_price(guess, &wanted);
            let (sum, before) = (wanted(price).0, wanted(0.0).0);
            if before <= 1.0 - 1e-6 {
                prop_assert_eq!(price, 0.0);
            } else {
                prop_assert!((sum - 1.0).abs() <= 1e-6, "{} at {}", sum, price);
            }
        }
    }
}
