//! `Relaxation`: a lower bound on what the workload must cost under any allowed set, by Lagrangian relaxation.
//!
//! The program: minimise the sum of y_q over the statements plus the write costs of the chosen x, where every cut of a
//! statement says y_q >= level - sum of relief_i x_i, and x keeps to bytes and count (Nemhauser and Wolsey 1981 for cuts
//! of this form). Dualised are the cuts: each statement mixes its cuts, the mixture makes a reward of every candidate, and
//! what is left is one knapsack, which `knapsack` solves whole. So the bound is no weaker than that of the linear program, and better where
//! few large indexes fill a small budget. Any mixture gives a true bound; iterations only tighten it. Asks no planner.

use super::knapsack::{Item, Room, pack};
use super::saddle::{Point, Saddle};
use crate::cost::CandidateId;

/// A lower bound of one statement's cost: `level` less the relief of every candidate that is there. Of a statement that costs nothing, what
/// breaking a rule costs.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Cut {
    /// Milliseconds a day.
    pub level: f64,
    /// Candidates with what each can take off the level, milliseconds a day, or adds where negative; ascending.
    pub reliefs: Vec<(CandidateId, f64)>,
}

impl Cut {
    pub fn at(&self, shares: &[f64]) -> f64 {
        self.level - self.reliefs.iter().map(|(candidate, relief)| relief * shares[*candidate]).sum::<f64>()
    }
}

/// A candidate as the knapsack sees it.
#[derive(Clone, Debug)]
pub(super) struct Taken {
    pub bytes: u64,
    pub write_ms: f64,
    pub keys: Option<u32>,
    pub table: u32,
}

/// The program and the best mixture of cuts so far.
#[derive(Clone, Debug)]
pub(super) struct Relaxation {
    pub candidates: Vec<Taken>,
    pub room: Room,
    /// By statement; never empty.
    pub cuts: Vec<Vec<Cut>>,
    /// By statement, the share of each cut in the mixture; they add up to 1.
    mixture: Vec<Vec<f64>>,
}

/// What an iteration came to.
#[derive(Clone, Debug)]
pub(super) struct Bound {
    /// No allowed set costs less, milliseconds a day.
    pub least: f64,
    /// The set that the relaxed program would choose.
    pub set: Vec<CandidateId>,
}

/// Steps of a walk towards the optimum of the linear program, and walks.
const STEPS: usize = 60;
const WALKS: usize = 40;
/// Walks that bring the two sides no nearer, after which it is as good as it gets.
const IDLE_WALKS: usize = 6;
/// Further steps for whole indexes, and how many without progress halve them.
const CLIMB: usize = 80;
const PATIENCE: usize = 6;
/// The first step and the last, as shares of Polyak's (1969), which would be right if the target were the optimum.
const FIRST_STEP: f64 = 0.3;
const LAST_STEP: f64 = 0.01;
/// The bound is as good as the program's optimum when they are this close.
const CLOSE: f64 = 2e-4;
/// Partial choices that the knapsack looks at in a step, and in the last one.
const NODES: usize = 60;
const LAST_NODES: usize = 3_000;

/// One step: what it bounds, and where it could go from there.
#[derive(Clone)]
struct Step {
    least: f64,
    shares: Vec<f64>,
    whole: bool,
}

impl Relaxation {
    /// A program over statements of which only that they cost at least `floors` is known, milliseconds a day.
    pub fn new(candidates: Vec<Taken>, room: Room, floors: &[f64]) -> Relaxation {
        let cuts = floors.iter().map(|level| vec![Cut { level: *level, reliefs: Vec::new() }]).collect();
        Relaxation { candidates, room, cuts, mixture: vec![vec![1.0]; floors.len()] }
    }

    /// Puts `cuts` in place of all that was known of a statement; those that stay keep their part in the mixture.
    pub fn replace(&mut self, statement: usize, old: &[Cut], cuts: Vec<Cut>) {
        let share = |cut: &Cut| {
            let before = old.iter().position(|known| known == cut);
            before.map_or(0.0, |at| self.mixture[statement][at])
        };
        let mut mixture: Vec<f64> = cuts.iter().map(share).collect();
        if mixture.iter().sum::<f64>() <= 0.0 {
            mixture.iter_mut().for_each(|share| *share = 1.0);
        }
        normalise(&mut mixture);
        self.mixture[statement] = mixture;
        self.cuts[statement] = cuts;
    }

    /// Forgets all cuts of a statement but that it costs at least `level`.
    pub fn fix(&mut self, statement: usize, level: f64) {
        self.cuts[statement] = vec![Cut { level, reliefs: Vec::new() }];
        self.mixture[statement] = vec![1.0];
    }

    /// Adds a cut that no allowed set exceeds 0 by, as of a statement that costs nothing, with a share to begin with.
    pub fn require(&mut self, rule: Cut, share: f64) {
        self.cuts.push(vec![Cut { level: 0.0, reliefs: Vec::new() }, rule]);
        self.mixture.push(vec![1.0 - share, share]);
    }

    /// Lets the mixture of a statement begin with one of its cuts alone.
    pub fn begin_with(&mut self, statement: usize, cut: usize) {
        self.mixture[statement].iter_mut().for_each(|share| *share = 0.0);
        self.mixture[statement][cut] = 1.0;
    }

    /// What one cut of each statement bounds, milliseconds a day.
    pub fn bound_of(&self, cuts: &[Cut]) -> f64 {
        let step = self.packed(cuts.iter().map(|cut| (cut, 1.0)), 1);
        step.least
    }

    /// What the cuts say of a statement under a set.
    fn statement_at(&self, statement: usize, shares: &[f64]) -> f64 {
        self.cuts[statement].iter().map(|cut| cut.at(shares)).fold(0.0, f64::max)
    }

    /// What the cuts say of the workload under a set, writes included.
    fn program_at(&self, shares: &[f64]) -> f64 {
        let writes: f64 = self.candidates.iter().zip(shares).map(|(c, share)| c.write_ms * share).sum();
        (0..self.cuts.len()).map(|statement| self.statement_at(statement, shares)).sum::<f64>() + writes
    }

    /// Tightens the bound until `go_on` says no or nothing is to be gained: by the linear program first, then for whole
    /// indexes; `target` is what an allowed set costs.
    pub fn tighten(&mut self, target: f64, go_on: &mut dyn FnMut() -> bool) -> Bound {
        self.solve_in_fractions(target, go_on);
        self.climb(target, go_on);
        let last = self.step(LAST_NODES);
        let set = (0..self.candidates.len()).filter(|candidate| last.shares[*candidate] == 1.0).collect();
        Bound { least: last.least, set }
    }

    /// Leaves the mixture at the best that the linear program came to.
    fn solve_in_fractions(&mut self, target: f64, go_on: &mut dyn FnMut() -> bool) {
        let (cuts, candidates) = (self.cuts.clone(), self.candidates.clone());
        let mut saddle = Saddle::new(&cuts, &candidates, self.room.bytes, self.room.count, target);
        let mut now = Point { mixture: self.mixture.clone(), shares: vec![0.0; candidates.len()] };
        let mut most = self.program_at(&now.shares);
        let mut best = self.step(1).least;
        let mut kept = self.mixture.clone();
        let mut idle = 0;
        for _ in 0..WALKS {
            if most - best <= CLOSE * target || idle >= IDLE_WALKS || !go_on() {
                break;
            }
            let (mut gaps, before) = ([0.0; 2], most - best);
            let ends = saddle.walk(&now, STEPS);
            for (end, gap) in ends.iter().zip(&mut gaps) {
                let cost = self.program_at(&end.shares);
                most = most.min(cost);
                self.mixture.clone_from(&end.mixture);
                let least = self.step(1).least;
                if least > best {
                    best = least;
                    kept.clone_from(&self.mixture);
                }
                *gap = cost - least;
            }
            idle = if most - best < 0.95 * before { 0 } else { idle + 1 };
            let [last, average] = ends;
            now = if gaps[1] <= gaps[0] { average } else { last };
        }
        self.mixture = kept;
    }

    /// Subgradient steps with whole indexes in the knapsack, from where the linear program ended.
    fn climb(&mut self, target: f64, go_on: &mut dyn FnMut() -> bool) {
        let mut best = self.step(NODES);
        let mut kept = self.mixture.clone();
        let mut current = best.clone();
        let (mut target, mut step, mut idle) = (target, FIRST_STEP, 0);
        for _ in 0..CLIMB {
            if current.whole {
                target = target.min(self.program_at(&current.shares));
            }
            if target - best.least <= CLOSE * target.abs() || step < LAST_STEP || !go_on() {
                break;
            }
            self.mix(&current.shares, step * (target - current.least));
            current = self.step(NODES);
            if current.least > best.least {
                idle = 0;
                kept.clone_from(&self.mixture);
                best = current.clone();
            } else {
                idle += 1;
                if idle >= PATIENCE {
                    (idle, step) = (0, step / 2.0);
                    self.mixture.clone_from(&kept);
                    current = best.clone();
                }
            }
        }
        self.mixture = kept;
    }

    /// The bound of the present mixture, and the set that the knapsack chose for it.
    fn step(&self, nodes: usize) -> Step {
        let mixed = self.cuts.iter().zip(&self.mixture).flat_map(|(cuts, mixture)| {
            cuts.iter().zip(mixture).filter(|(_, share)| **share > 0.0).map(|(cut, share)| (cut, *share))
        });
        self.packed(mixed, nodes)
    }

    /// The bound of cuts with their shares, which add up to 1 for each statement.
    fn packed<'c>(&self, mixed: impl Iterator<Item = (&'c Cut, f64)>, nodes: usize) -> Step {
        let mut rewards: Vec<f64> = self.candidates.iter().map(|candidate| -candidate.write_ms).collect();
        let mut least = 0.0;
        for (cut, share) in mixed {
            least += share * cut.level;
            for (candidate, relief) in &cut.reliefs {
                rewards[*candidate] += share * relief;
            }
        }
        let items = rewards.iter().zip(&self.candidates).enumerate();
        let items = items.filter(|(_, (reward, _))| **reward > 0.0).map(|(id, (reward, candidate))| Item {
            id,
            reward: *reward,
            bytes: candidate.bytes,
            keys: candidate.keys,
            table: candidate.table,
        });
        let packed = pack(items.collect(), self.room, nodes);
        let mut shares = vec![0.0; self.candidates.len()];
        for (id, share) in packed.shares {
            shares[id] = share;
        }
        Step { least: least - packed.most, shares, whole: packed.exact }
    }

    /// Moves the mixture towards the cuts that are highest at `shares`, as far as would close `gap` if the program were
    /// linear around here.
    fn mix(&mut self, shares: &[f64], gap: f64) {
        let slopes = self.cuts.iter().map(|cuts| {
            let values: Vec<f64> = cuts.iter().map(|cut| cut.at(shares)).collect();
            let middle = values.iter().sum::<f64>() / values.len() as f64;
            values.into_iter().map(|value| value - middle).collect::<Vec<f64>>()
        });
        let slopes: Vec<Vec<f64>> = slopes.collect();
        let square: f64 = slopes.iter().flatten().map(|slope| slope * slope).sum();
        if square <= 0.0 {
            return;
        }
        for (mixture, slopes) in self.mixture.iter_mut().zip(&slopes).filter(|(mixture, _)| mixture.len() > 1)
        {
            for (share, slope) in mixture.iter_mut().zip(slopes) {
                *share += gap / square * slope;
            }
            onto_simplex(mixture);
        }
    }
}

/// The nearest point whose coordinates are not negative and add up to 1 (Held, Wolfe, Crowder 1974), by casting out what is at
/// nothing already (Michelot 1986).
pub(super) fn onto_simplex(point: &mut [f64]) {
    let mut shift = point.iter().copied().fold(f64::NEG_INFINITY, f64::max) - 1.0;
    loop {
        let (mut sum, mut left) = (0.0, 0.0);
        for value in point.iter().filter(|value| **value > shift) {
            sum += value;
            left += 1.0;
        }
        let next = (sum - 1.0) / left;
        if next.is_nan() || next <= shift {
            break;
        }
        shift = next;
    }
    for value in point.iter_mut() {
        *value = (*value - shift).max(0.0);
    }
    // Rounding may leave a sum off 1; a mixture above it would bound too much.
    normalise(point);
}

/// Makes shares of numbers that are not negative.
fn normalise(shares: &mut [f64]) {
    let sum: f64 = shares.iter().sum();
    shares.iter_mut().for_each(|share| *share /= sum.max(f64::MIN_POSITIVE));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_left_of_a_point_on_the_simplex_is_lower_by_the_same(
            point in prop::collection::vec(prop_oneof![-3.0..3.0, -1e4..1e4, Just(0.5)], 1..40),
        ) {
            let mut nearest = point.clone();
            onto_simplex(&mut nearest);
            prop_assert!((nearest.iter().sum::<f64>() - 1.0).abs() < 1e-9 && nearest.iter().all(|share| *share >= 0.0));
            let left = point.iter().zip(&nearest).filter(|(_, share)| **share > 0.0);
            let shifts: Vec<f64> = left.map(|(before, after)| before - after).collect();
            let (low, high) = shifts.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), s| (l.min(*s), h.max(*s)));
            prop_assert!(high - low < 1e-6, "{shifts:?}");
            let gone = point.iter().zip(&nearest).filter(|(_, share)| **share <= 0.0);
            prop_assert!(gone.into_iter().all(|(before, _)| *before <= high + 1e-6));
        }
    }
}
