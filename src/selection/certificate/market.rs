//! `Market`: what each statement would pay for each candidate, if its known plans were all there are.
//!
//! The linear program over known plans (CoPhy's, VLDB 2011): statements mix their plans, candidates fill the room in
//! fractions, and no statement uses more of a candidate than there is. Its dual has a price of each candidate for each statement: where
//! no unknown plan is better at these prices, the program is a bound (column generation; Dantzig, Wolfe 1960). Solved by
//! primal-dual hybrid gradient, as `saddle`, from where it ended the last time. Asks no planner, proves nothing by itself.

use super::Charges;
use super::covers::Cover;
use super::knapsack::Room;
use super::relaxation::{Taken, onto_simplex};
use super::saddle::{Rents, balanced, least_price, within_limits};
use crate::cost::CandidateId;
use crate::selection::search::is_within;
use std::collections::BTreeMap;

/// Steps of a walk, and walks.
const STEPS: usize = 60;
const WALKS: usize = 12;
/// Walks the first time, when the start is nowhere near.
const FIRST_WALKS: usize = 20;
/// It has arrived when so many walks in a row moved the prices by no more than this share of the cost of everything.
const STILL_WALKS: usize = 2;
const STILL: f64 = 1e-4;
/// Where the balance of the two sides begins: prices are far smaller than shares.
const FIRST_BALANCE: f64 = 1e-4;

/// A plan that is known of a statement.
#[derive(Clone, Debug)]
struct Known {
    /// Milliseconds a day.
    cost: f64,
    /// Positions in the statement's field, ascending.
    used: Vec<usize>,
    /// Of the statement's mixture.
    share: f64,
}

/// Something that shares of candidates may not exceed, as a set may not.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    /// Candidates with what one of each adds, 1 or -1.
    pub terms: Vec<(CandidateId, f64)>,
    pub most: f64,
}

impl Rule {
    /// By how much shares of candidates break it.
    pub fn excess(&self, shares: &[f64]) -> f64 {
        self.terms.iter().map(|(candidate, term)| term * shares[*candidate]).sum::<f64>() - self.most
    }
}

/// One statement of the program.
#[derive(Clone, Debug)]
struct Customer {
    /// Candidates that could change its plan, ascending.
    field: Vec<CandidateId>,
    plans: Vec<Known>,
    /// By position in the field, milliseconds a day.
    prices: Vec<f64>,
}

/// A candidate that plans of a customer use.
struct Asked {
    /// Its position in the field.
    at: usize,
    candidate: CandidateId,
    /// How many plans.
    plans: f64,
}

/// The program and where its solution stands.
pub(super) struct Market {
    candidates: Vec<Taken>,
    room: Room,
    /// Milliseconds a day that count as 1.
    unit: f64,
    customers: Vec<Customer>,
    /// By candidate, 0 to 1: what the program would choose.
    pub shares: Vec<f64>,
    /// One for each keys that several candidates have, then those that were added.
    rules: Vec<Rule>,
    keys: usize,
    /// By rule: what breaking it costs, milliseconds a day.
    tolls: Vec<f64>,
    balance: f64,
    walks: usize,
}

impl Market {
    /// Statements by their fields, of which no plan is known yet; `unit` is about what all of them cost.
    pub fn new(candidates: &[Taken], room: Room, fields: &[Vec<CandidateId>], unit: f64) -> Market {
        let customers = fields.iter().map(|field| Customer {
            field: field.clone(),
            plans: Vec::new(),
            prices: vec![0.0; field.len()],
        });
        let mut same: BTreeMap<u32, Vec<(CandidateId, f64)>> = BTreeMap::new();
        for (candidate, keys) in candidates.iter().enumerate().filter_map(|(c, taken)| Some((c, taken.keys?)))
        {
            same.entry(keys).or_default().push((candidate, 1.0));
        }
        let rules = same.into_values().filter(|terms| terms.len() > 1);
        let rules: Vec<Rule> = rules.map(|terms| Rule { terms, most: 1.0 }).collect();
        Market {
            keys: rules.len(),
            tolls: vec![0.0; rules.len()],
            rules,
            room,
            unit: unit.max(f64::MIN_POSITIVE),
            customers: customers.collect(),
            shares: vec![0.0; candidates.len()],
            candidates: candidates.to_vec(),
            balance: FIRST_BALANCE,
            walks: FIRST_WALKS,
        }
    }

    /// Takes up a plan of a statement, unless another does with less at no more; `used` are positions in its field.
    pub fn learn(&mut self, statement: usize, cost: f64, used: Vec<usize>) {
        let plans = &mut self.customers[statement].plans;
        if plans.iter().any(|known| known.cost <= cost && is_within(&known.used, &used)) {
            return;
        }
        let mut share = 0.0;
        plans.retain(|known| {
            let beaten = cost <= known.cost && is_within(&used, &known.used);
            share += if beaten { known.share } else { 0.0 };
            !beaten
        });
        // The first plan is there alone, with what the statement costs as things are.
        share = if plans.is_empty() { 1.0 } else { share };
        plans.push(Known { cost, used, share });
    }

    /// What the cheapest known plan of a statement costs with the prices of what it uses, milliseconds a day.
    pub fn cheapest(&self, statement: usize, prices: &[f64]) -> f64 {
        let dear = |known: &Known| known.cost + known.used.iter().map(|at| prices[*at]).sum::<f64>();
        self.customers[statement].plans.iter().map(dear).fold(f64::INFINITY, f64::min)
    }

    /// Of the known plans of a statement that cost no more than `most`, milliseconds a day, what they use.
    pub fn plans_within(&self, statement: usize, most: f64) -> impl Iterator<Item = &[usize]> {
        let plans = self.customers[statement].plans.iter();
        plans.filter(move |known| known.cost <= most).map(|known| known.used.as_slice())
    }

    /// Puts in place of the rules added so far those of covers; of these, the ones that were there come first.
    pub fn keep_to(&mut self, covers: &[Cover]) {
        self.rules.truncate(self.keys);
        self.rules.extend(covers.iter().map(Cover::rule));
        self.tolls.resize(self.rules.len(), 0.0);
    }

    /// Goes on towards the solution until `go_on` says no. What a candidate's room is worth and nobody pays for is laid on those who could
    /// use it, by what they may save at most below their `floors`: as long as the sum is no more than that, no bound falls by it.
    pub fn solve(&mut self, floors: &[f64], go_on: &mut dyn FnMut() -> bool) -> Charges {
        let mut rents = vec![0.0; self.candidates.len()];
        let mut still = 0;
        for _ in 0..std::mem::replace(&mut self.walks, WALKS) {
            if !go_on() || still >= STILL_WALKS {
                break;
            }
            let (worth, moved) = self.walk();
            rents = worth;
            still = if moved <= STILL { still + 1 } else { 0 };
        }
        let mut of: Vec<Vec<f64>> = self.customers.iter().map(|customer| customer.prices.clone()).collect();
        let mut open = rents;
        for customer in &self.customers {
            for (candidate, price) in customer.field.iter().zip(&customer.prices) {
                open[*candidate] -= price;
            }
        }
        for (rule, toll) in self.rules.iter().zip(&self.tolls) {
            rule.terms.iter().for_each(|(candidate, term)| open[*candidate] += term * toll);
        }
        let hopes: Vec<f64> = (0..self.customers.len())
            .map(|at| (self.cheapest(at, &self.customers[at].prices) - floors[at]).max(0.0))
            .collect();
        let mut hoping = vec![0.0; self.candidates.len()];
        for (customer, hope) in self.customers.iter().zip(&hopes) {
            customer.field.iter().for_each(|candidate| hoping[*candidate] += hope);
        }
        for ((customer, hope), prices) in self.customers.iter().zip(&hopes).zip(&mut of) {
            for (candidate, price) in customer.field.iter().zip(prices) {
                if open[*candidate] > 0.0 && hoping[*candidate] > 0.0 {
                    *price += open[*candidate] * hope / hoping[*candidate];
                }
            }
        }
        Charges { prices: of, tolls: self.tolls[self.keys..].to_vec() }
    }

    /// `STEPS` steps; stands at their average then. Returns what the room for each candidate is worth and keeping it costs, and how far
    /// the prices have moved.
    fn walk(&mut self) -> (Vec<f64>, f64) {
        let unit = self.unit;
        let mut asked_by = vec![0.0; self.candidates.len()];
        let asked: Vec<Vec<Asked>> = self
            .customers
            .iter()
            .map(|customer| {
                let mut rows = vec![0.0; customer.field.len()];
                customer.plans.iter().flat_map(|known| &known.used).for_each(|at| rows[*at] += 1.0);
                let asked: Vec<Asked> = (0..rows.len())
                    .filter(|at| rows[*at] > 0.0)
                    .map(|at| Asked { at, candidate: customer.field[at], plans: rows[at] })
                    .collect();
                asked.iter().for_each(|asked| asked_by[asked.candidate] += 1.0);
                asked
            })
            .collect();
        let terms = self.rules.iter().flat_map(|rule| &rule.terms);
        terms.for_each(|(candidate, _)| asked_by[*candidate] += 1.0);
        let mixture_steps: Vec<f64> = self
            .customers
            .iter()
            .map(|customer| {
                let most = customer.plans.iter().map(|known| known.used.len()).max().unwrap_or(0);
                1.0 / self.balance / most.max(1) as f64
            })
            .collect();
        let share_steps: Vec<f64> = asked_by
            .iter()
            .map(|asked| if *asked > 0.0 { 1.0 / asked / self.balance } else { 0.0 })
            .collect();
        let start = (self.customers.clone(), self.shares.clone(), self.tolls.clone());
        let mut sums: Vec<(Vec<f64>, Vec<f64>)> = self
            .customers
            .iter()
            .map(|customer| (vec![0.0; customer.plans.len()], vec![0.0; customer.field.len()]))
            .collect();
        let mut toll_sums = vec![0.0; self.rules.len()];
        let mut share_sums = vec![0.0; self.candidates.len()];
        let (mut rent_sums, mut latest) = (Rents::default(), Rents::default());
        let mut crowding = vec![0.0; self.candidates.len()];
        for _ in 0..STEPS {
            let mut wanted: Vec<f64> = self.candidates.iter().map(|c| c.write_ms / unit).collect();
            for (customer, asked) in self.customers.iter().zip(&asked) {
                for asked in asked {
                    wanted[asked.candidate] -= customer.prices[asked.at] / unit;
                }
            }
            for (rule, toll) in self.rules.iter().zip(&self.tolls).filter(|(_, toll)| **toll > 0.0) {
                rule.terms.iter().for_each(|(candidate, term)| wanted[*candidate] += term * toll / unit);
            }
            for ((wanted, share), step) in wanted.iter_mut().zip(&self.shares).zip(&share_steps) {
                *wanted = share - step * *wanted;
            }
            let (mut shares, rents) = within_limits(
                latest,
                &wanted,
                &share_steps,
                &self.candidates,
                self.room.bytes,
                self.room.count,
            );
            latest = rents;
            self.spread(&wanted, rents, &share_steps, &mut shares, &mut crowding);
            let ahead = shares.iter().zip(&self.shares).map(|(after, before)| 2.0 * after - before);
            let ahead: Vec<f64> = ahead.collect();
            for (((customer, asked), step), sums) in
                self.customers.iter_mut().zip(&asked).zip(&mixture_steps).zip(&mut sums)
            {
                customer.step(asked, *step, self.balance, unit, &ahead);
                sums.0.iter_mut().zip(&customer.plans).for_each(|(sum, known)| *sum += known.share);
                asked.iter().for_each(|asked| sums.1[asked.at] += customer.prices[asked.at]);
            }
            for ((rule, toll), sum) in self.rules.iter().zip(&mut self.tolls).zip(&mut toll_sums) {
                let step = unit * self.balance / rule.terms.len().max(1) as f64;
                *toll = (*toll + step * rule.excess(&ahead)).max(0.0);
                *sum += *toll;
            }
            share_sums.iter_mut().zip(&shares).for_each(|(sum, share)| *sum += share);
            rent_sums.bytes += rents.bytes;
            rent_sums.each += rents.each;
            self.shares = shares;
        }
        let scale = 1.0 / STEPS as f64;
        for (customer, (mixture, prices)) in self.customers.iter_mut().zip(sums) {
            customer.plans.iter_mut().zip(mixture).for_each(|(known, sum)| known.share = sum * scale);
            customer.prices = prices.into_iter().map(|sum| sum * scale).collect();
        }
        self.shares = share_sums.into_iter().map(|sum| sum * scale).collect();
        self.tolls = toll_sums.into_iter().map(|sum| sum * scale).collect();
        let moved = self.rebalance(&start.0, &start.1, &start.2);
        let rent = |(candidate, crowding): (&Taken, &f64)| {
            let size = self.room.bytes.map_or(0.0, |room| candidate.bytes as f64 / room.max(1) as f64);
            unit * scale * (rent_sums.bytes * size + rent_sums.each + crowding) + candidate.write_ms
        };
        (self.candidates.iter().zip(&crowding).map(rent).collect(), moved)
    }

    /// Leaves no more on a table than may be there, and adds to each candidate's `crowding` what a place on its table costs then.
    fn spread(&self, wanted: &[f64], rents: Rents, steps: &[f64], shares: &mut [f64], crowding: &mut [f64]) {
        let Some(most) = self.room.per_table else { return };
        let size = |bytes: u64| self.room.bytes.map_or(0.0, |room| bytes as f64 / room.max(1) as f64);
        let mut tables: BTreeMap<u32, Vec<(usize, f64)>> = BTreeMap::new();
        for (at, candidate) in self.candidates.iter().enumerate().filter(|(at, _)| shares[*at] > 0.0) {
            // Above 1 where it is worth more than its room: that much later it gives way.
            let wish = wanted[at] - steps[at] * (rents.bytes * size(candidate.bytes) + rents.each);
            tables.entry(candidate.table).or_default().push((at, wish));
        }
        let place = 1.0 / most.max(1) as f64;
        for (table, on_it) in tables {
            let share = |at: usize, wish: f64, price: f64| (wish - price * steps[at]).clamp(0.0, 1.0);
            let filled = |price: f64| {
                let (mut sum, mut fall) = (0.0, 0.0);
                for &(at, wish) in &on_it {
                    let share = share(at, wish, price * place);
                    sum += place * share;
                    fall += if 0.0 < share && share < 1.0 { place * place * steps[at] } else { 0.0 };
                }
                (sum, fall)
            };
            let price = least_price(0.0, &filled) * place;
            if price > 0.0 {
                on_it.iter().for_each(|&(at, wish)| shares[at] = share(at, wish, price));
                let there = self.candidates.iter().zip(&mut *crowding);
                there.filter(|(c, _)| c.table == table).for_each(|(_, crowding)| *crowding += price);
            }
        }
    }

    /// Lets the side that moved more take the longer steps; returns how far prices did.
    fn rebalance(&mut self, customers: &[Customer], shares: &[f64], tolls: &[f64]) -> f64 {
        let square = |a: f64, b: f64| (a - b) * (a - b);
        let (mut moved, mut priced) = (0.0, 0.0);
        for (before, after) in customers.iter().zip(&self.customers) {
            let plans = before.plans.iter().zip(&after.plans);
            moved += plans.map(|(a, b)| square(a.share, b.share)).sum::<f64>();
            let prices = before.prices.iter().zip(&after.prices);
            priced += prices.map(|(a, b)| square(a / self.unit, b / self.unit)).sum::<f64>();
        }
        let tolls = tolls.iter().zip(&self.tolls);
        priced += tolls.map(|(a, b)| square(a / self.unit, b / self.unit)).sum::<f64>();
        moved += shares.iter().zip(&self.shares).map(|(a, b)| square(*a, *b)).sum::<f64>();
        self.balance = balanced(self.balance, priced.sqrt(), moved.sqrt());
        priced.sqrt()
    }
}

impl Customer {
    /// One step of the mixture, then of the prices, by the shares of candidates a step ahead. What no plan uses has no price.
    fn step(&mut self, asked: &[Asked], step: f64, balance: f64, unit: f64, ahead: &[f64]) {
        let mut mixture: Vec<f64> = self
            .plans
            .iter()
            .map(|known| {
                let price: f64 = known.used.iter().map(|at| self.prices[*at]).sum();
                known.share - step * (known.cost + price) / unit
            })
            .collect();
        onto_simplex(&mut mixture);
        // How much more is used of each than there is, looked at a step ahead too.
        let mut used = vec![0.0; self.field.len()];
        for (known, share) in self.plans.iter_mut().zip(mixture) {
            let ahead = 2.0 * share - known.share;
            known.used.iter().for_each(|at| used[*at] += ahead);
            known.share = share;
        }
        for Asked { at, candidate, plans } in asked {
            let price = &mut self.prices[*at];
            *price = (*price + unit * balance / (plans + 1.0) * (used[*at] - ahead[*candidate])).max(0.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MB: u64 = 1 << 20;

    fn taken(bytes: u64, table: u32) -> Taken {
        Taken { bytes, write_ms: 0.0, keys: None, table }
    }

    /// Two statements want different indexes of 60 MB, one of them twice as much as the other, and there is room for one.
    fn rivals(room: Room) -> Market {
        let fields = [vec![0, 1], vec![1]];
        let mut market = Market::new(&[taken(60 * MB, 0), taken(60 * MB, 0)], room, &fields, 200.0);
        for (statement, cost, used) in
            [(0, 100.0, vec![]), (0, 20.0, vec![0]), (1, 100.0, vec![]), (1, 60.0, vec![0])]
        {
            market.learn(statement, cost, used);
        }
        market
    }

    fn solved(market: &mut Market) -> Vec<Vec<f64>> {
        let mut prices = Vec::new();
        for _ in 0..20 {
            prices = market.solve(&[10.0, 10.0], &mut || true).prices;
        }
        prices
    }

    #[test]
    fn what_is_worth_most_gets_the_room_and_all_pay_what_it_is_worth() {
        let mut market = rivals(Room { bytes: Some(60 * MB), count: 10, per_table: None });
        let prices = solved(&mut market);
        assert!(market.shares[0] > 0.99 && market.shares[1] < 0.01, "{:?}", market.shares);
        // The room is worth at least what the loser would save by it, and no more than the winner does.
        assert!((40.0 - 0.5..=80.0 + 0.5).contains(&prices[0][0]), "{prices:?}");
        // At these prices the known plans cost what they cost in the program: 20 and 100.
        let least: f64 = (0..2).map(|s| market.cheapest(s, &prices[s])).sum();
        let rents = prices[0][0].max(prices[0][1] + prices[1][0]);
        assert!((least - rents - 120.0).abs() < 1.0, "{least} {prices:?}");
        // Nobody knows a plan of the first with 1, and yet it pays: by what it might save.
        assert!(prices[0][1] > 1.0, "{prices:?}");
    }

    #[test]
    fn what_there_is_room_for_costs_nothing() {
        let mut market = rivals(Room { bytes: Some(200 * MB), count: 10, per_table: None });
        let prices = solved(&mut market);
        assert!(market.shares.iter().all(|share| *share > 0.99), "{:?}", market.shares);
        assert!(prices.iter().flatten().all(|price| *price < 0.5), "{prices:?}");
    }

    #[test]
    fn places_on_a_table_are_room_too() {
        let mut market = rivals(Room { bytes: None, count: 10, per_table: Some(1) });
        let prices = solved(&mut market);
        assert!(market.shares[0] > 0.99 && market.shares[1] < 0.01, "{:?}", market.shares);
        assert!((40.0 - 0.5..=80.0 + 0.5).contains(&prices[0][0]), "{prices:?}");
    }

    #[test]
    fn of_those_with_the_same_keys_there_is_one_in_all() {
        let same = |bytes| Taken { keys: Some(1), ..taken(bytes, 0) };
        let room = Room { bytes: None, count: 10, per_table: None };
        let mut market = Market::new(&[same(MB), same(MB)], room, &[vec![0, 1], vec![1]], 200.0);
        for (statement, cost, used) in
            [(0, 100.0, vec![]), (0, 20.0, vec![0]), (1, 100.0, vec![]), (1, 60.0, vec![0])]
        {
            market.learn(statement, cost, used);
        }
        let prices = solved(&mut market);
        assert!(market.shares[0] > 0.99 && market.shares[1] < 0.01, "{:?}", market.shares);
        assert!((40.0 - 0.5..=80.0 + 0.5).contains(&prices[0][0]), "{prices:?}");
    }

    #[test]
    fn a_plan_that_another_beats_is_not_taken_up() {
        let mut market = rivals(Room { bytes: None, count: 1, per_table: None });
        market.learn(0, 30.0, vec![0, 1]);
        assert_eq!(market.customers[0].plans.len(), 2);
        market.learn(0, 15.0, vec![0]);
        assert_eq!(market.customers[0].plans.len(), 2);
        let shares: f64 = market.customers[0].plans.iter().map(|known| known.share).sum();
        assert!((shares - 1.0).abs() < 1e-9);
        assert_eq!(market.cheapest(0, &[10.0, 0.0]), 25.0);
    }
}
