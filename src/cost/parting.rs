//! `Parting`: how the price of an index is divided among the places of a statement that it could serve.
//!
//! A plan pays the parts of the places where it uses the index. So whatever the parts, none pays more than the price, and the least of
//! plan and prices is a bound; the best parts make it highest. They are those of a game against the plans seen so far: where the
//! cheapest of them uses an index, its part grows (conditional gradient; Frank, Wolfe 1956).

use super::CandidateId;
use crate::catalog::Oid;
use std::collections::BTreeMap;

/// Rounds of the game.
const ROUNDS: usize = 120;
/// Plans remembered of a statement, the newest.
const PLANS: usize = 60;

/// What a price is put on.
#[derive(Clone, Copy, Debug)]
pub struct Ware {
    pub candidate: CandidateId,
    /// Planner units.
    pub price: f64,
    pub table: Oid,
    /// Indexes that serve the same places share a number.
    pub kind: u32,
    /// How often its table stands in the statement.
    pub places: usize,
}

/// A plan that the planner has chosen at some prices.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// Planner units, without prices.
    pub cost: f64,
    /// Candidates with the places where it uses them, ascending.
    pub used: Vec<(CandidateId, Vec<usize>)>,
}

/// What is known of one statement.
#[derive(Clone, Debug, Default)]
pub struct Parting {
    plans: Vec<Seen>,
    /// By table: how often plans have used any index in each of its places.
    counts: BTreeMap<Oid, Vec<f64>>,
    /// By kind of index: the newest candidate that a plan has used.
    newest: BTreeMap<u32, CandidateId>,
}

/// A plan as the game sees it.
struct Player<'s> {
    /// With the prices of what has one place only.
    cost: f64,
    /// Positions among the wares.
    used: Vec<(usize, &'s [usize])>,
}

impl Parting {
    /// The shares of each ware's price that its places are charged; wares ascend by candidate. They add up to 1 each.
    pub fn divide(&self, wares: &[Ware]) -> Vec<Vec<f64>> {
        let mut shares: Vec<Vec<f64>> = wares.iter().map(|ware| self.by_counts(ware)).collect();
        let players: Vec<Player<'_>> = self.plans.iter().filter_map(|plan| player(plan, wares)).collect();
        let cost = |player: &Player<'_>, shares: &[Vec<f64>]| {
            let part = |at: usize, place: &usize| shares[at].get(*place).copied().unwrap_or(0.0);
            let charged = |(at, places): &(usize, &[usize])| {
                wares[*at].price * places.iter().map(|place| part(*at, place)).sum::<f64>()
            };
            player.cost + player.used.iter().map(charged).sum::<f64>()
        };
        let mut best = (f64::NEG_INFINITY, shares.clone());
        for round in 0..ROUNDS {
            let costs = players.iter().map(|player| (cost(player, &shares), player));
            let Some((least, cheapest)) = costs.min_by(|a, b| a.0.total_cmp(&b.0)) else { break };
            if least > best.0 {
                best.0 = least;
                best.1.clone_from(&shares);
            }
            if cheapest.used.is_empty() {
                break;
            }
            // The first goes the whole way: an index that serves one place is charged there in full.
            let stride = 2.0 / (round as f64 + 2.0);
            for (at, places) in &cheapest.used {
                shares[*at].iter_mut().for_each(|share| *share *= 1.0 - stride);
                places.iter().for_each(|place| shares[*at][*place] += stride / places.len() as f64);
            }
        }
        let mut shares = best.1;
        let is_seen = |candidate: CandidateId| {
            self.plans.iter().any(|plan| plan.used.iter().any(|(used, _)| *used == candidate))
        };
        for at in (0..wares.len()).filter(|at| wares[*at].places > 1 && !is_seen(wares[*at].candidate)) {
            let like = self.newest.get(&wares[at].kind);
            let like = like.and_then(|like| wares.binary_search_by_key(like, |ware| ware.candidate).ok());
            if let Some(like) = like {
                shares[at] = shares[like].clone();
            }
        }
        shares
    }

    /// As plans have used the table's indexes so far; else the same for each place.
    fn by_counts(&self, ware: &Ware) -> Vec<f64> {
        let places = ware.places.max(1);
        let counts = self.counts.get(&ware.table);
        let count = |place: usize| counts.and_then(|counts| counts.get(place)).copied().unwrap_or(0.0);
        let all: f64 = (0..places).map(count).sum();
        (0..places).map(|place| if all > 0.0 { count(place) / all } else { 1.0 / places as f64 }).collect()
    }

    /// Remembers a plan; false where it was known already.
    pub fn learn(&mut self, plan: Seen, wares: &[Ware]) -> bool {
        for (candidate, places) in &plan.used {
            let Ok(at) = wares.binary_search_by_key(candidate, |ware| ware.candidate) else { continue };
            let Ware { table, kind, places: all, .. } = wares[at];
            self.newest.insert(kind, *candidate);
            let counts = self.counts.entry(table).or_default();
            counts.resize(all.max(counts.len()), 0.0);
            places.iter().filter(|place| **place < all).for_each(|place| counts[*place] += 1.0);
        }
        // Sums of prices in another order differ by rounding.
        let is_known = |known: &Seen| known.used == plan.used && known.cost <= plan.cost * (1.0 + 1e-9);
        if self.plans.iter().any(is_known) {
            return false;
        }
        self.plans.retain(|known| known.used != plan.used);
        self.plans.push(plan);
        if self.plans.len() > PLANS {
            self.plans.remove(0);
        }
        true
    }
}

/// None where something that the plan uses is not among the wares.
fn player<'s>(plan: &'s Seen, wares: &[Ware]) -> Option<Player<'s>> {
    let mut player = Player { cost: plan.cost, used: Vec::new() };
    for (candidate, places) in &plan.used {
        let at = wares.binary_search_by_key(candidate, |ware| ware.candidate).ok()?;
        if wares[at].places > 1 && !places.is_empty() {
            if places.iter().any(|place| *place >= wares[at].places) {
                return None;
            }
            player.used.push((at, places));
        } else {
            player.cost += wares[at].price;
        }
    }
    Some(player)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ware(candidate: CandidateId, price: f64) -> Ware {
        Ware { candidate, price, table: 1, kind: 7, places: 2 }
    }

    fn seen(cost: f64, used: &[(CandidateId, &[usize])]) -> Seen {
        Seen { cost, used: used.iter().map(|(c, places)| (*c, places.to_vec())).collect() }
    }

    /// What the cheapest of plans costs with the prices as they are divided.
    fn least(parting: &Parting, plans: &[Seen], wares: &[Ware]) -> f64 {
        let shares = parting.divide(wares);
        let charged = |(candidate, places): &(CandidateId, Vec<usize>)| {
            let at = wares.iter().position(|ware| ware.candidate == *candidate).unwrap();
            wares[at].price * places.iter().map(|place| shares[at][*place]).sum::<f64>()
        };
        let cost = |plan: &Seen| plan.cost + plan.used.iter().map(charged).sum::<f64>();
        plans.iter().map(cost).fold(f64::INFINITY, f64::min)
    }

    #[test]
    fn an_index_that_serves_one_place_is_charged_there() {
        let mut parting = Parting::default();
        assert_eq!(parting.divide(&[ware(3, 10.0)]), [[0.5, 0.5]]);
        let plan = seen(50.0, &[(3, &[1])]);
        assert!(parting.learn(plan.clone(), &[ware(3, 10.0)]));
        assert!(!parting.learn(plan.clone(), &[ware(3, 10.0)]));
        assert_eq!(least(&parting, &[plan], &[ware(3, 10.0)]), 60.0);
        // One that no plan has used yet is of the same kind.
        let shares = parting.divide(&[ware(3, 10.0), ware(4, 10.0)]);
        assert!(shares[1][1] > 0.95, "{shares:?}");
    }

    #[test]
    fn plans_that_use_it_in_different_places_cost_about_the_same_then() {
        let mut parting = Parting::default();
        let plans = [seen(50.0, &[(3, &[0])]), seen(56.0, &[(3, &[1])]), seen(48.0, &[(3, &[0, 1])])];
        let wares = [ware(3, 10.0)];
        plans.iter().for_each(|plan| assert!(parting.learn(plan.clone(), &wares)));
        // 50 + 8 = 56 + 2 = 48 + 10.
        let found = least(&parting, &plans, &wares);
        assert!((57.5..=58.0 + 1e-9).contains(&found), "{found}");
    }

    #[test]
    fn a_plan_with_what_is_not_offered_plays_no_part() {
        let mut parting = Parting::default();
        let wares = [ware(3, 10.0), ware(5, 10.0)];
        parting.learn(seen(50.0, &[(3, &[0])]), &wares);
        parting.learn(seen(1.0, &[(3, &[1]), (5, &[1])]), &wares);
        assert!(parting.divide(&wares[..1])[0][0] > 0.9);
    }
}
