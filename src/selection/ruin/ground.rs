//! `Ground`: the known plans in flat arrays. A look at a plan takes nanoseconds.

use super::offers::{Offer, Offers};
use super::plan::Plan;
use super::standing::Standing;
use super::{By, IN_VIEW};
use crate::cost::{CandidateId, WhatIf};
use crate::selection::Problem;
use crate::selection::greedy::nearly;
use crate::selection::search::{NEARLY, Search};
use fastrand::Rng;
use std::cell::Cell;
use std::collections::BTreeMap;

/// Bytes that every index counts as more when savings are compared by the byte: the smallest are not free.
const EVERY_INDEX: f64 = 8192.0;

/// Members of which the one goes whose room costs least: all that a few statements have, some of thousands'.
const ASKED_TO_GO: usize = 40;

/// A candidate that some known plan uses.
struct Item {
    id: CandidateId,
    bytes: u64,
    /// What of that falls to each who could use it, if all pay by what they save.
    bytes_each: f64,
    write_ms: f64,
    keys: Option<u32>,
    table: u32,
    /// Statements with a known plan that uses it, ...
    users: Vec<usize>,
    /// ... and the numbers of these plans.
    plans: Vec<usize>,
    /// Positions of smaller items that may do a part of its work: its first keys, or without included columns.
    smaller: Vec<usize>,
}

/// The known plans of a statement.
#[derive(Default)]
struct Plans {
    /// The number of the first among the plans of all statements; those of `ranked`, then those of `slow`.
    first: usize,
    /// By cost, without those that others do as well for: the first whose indexes are there is chosen.
    ranked: Vec<Plan>,
    /// By cost: those that are slower than the user allows.
    slow: Vec<Plan>,
}

/// What can be stood on.
pub(super) struct Ground {
    items: Vec<Item>,
    statements: Vec<Plans>,
    /// By table number: what may be on it, at most.
    per_table: Option<usize>,
    tables: usize,
    storage_bytes: u64,
    max_indexes: usize,
    least_gain: f64,
    /// By number of a plan: how many items it uses.
    sizes: Vec<u16>,
    /// Plans and offers looked at so far.
    looks: Cell<u64>,
}

impl Ground {
    /// The ground of all plans that a search knows now.
    pub fn of<W: WhatIf>(search: &Search<'_, W>) -> Ground {
        let problem = search.problem;
        let mut known: Vec<Vec<(Plan, &[CandidateId])>> = Vec::with_capacity(problem.statements.len());
        let mut ids: Vec<CandidateId> = search.best.members.clone();
        for (at, statement) in problem.statements.iter().enumerate() {
            let mut plans: Vec<(Plan, &[CandidateId])> = Vec::new();
            let before = search.cache.is_frozen(at).then_some(&statement.before);
            let entries = search.cache.plans(at).filter(|_| before.is_none()).chain(before);
            for entry in entries {
                let saving = search.saving_by(at, entry);
                let is_slow = !problem.accepts(at, entry);
                let existing = entry.used_existing.clone();
                let plan = Plan { total: entry.total, saving, is_slow, used: Vec::new(), rank: 0, existing };
                plans.push((plan, &entry.used));
            }
            // Of equal costs the smaller set first: it does as well for the larger.
            plans.sort_by(|a, b| a.0.total.total_cmp(&b.0.total).then(a.1.len().cmp(&b.1.len())));
            plans.iter().for_each(|(_, used)| ids.extend(*used));
            known.push(plans);
        }
        ids.sort_unstable();
        ids.dedup();
        let mut items: Vec<Item> = ids
            .iter()
            .map(|id| {
                let candidate = &problem.candidates[*id];
                Item {
                    id: *id,
                    bytes: candidate.size_bytes,
                    bytes_each: 0.0,
                    write_ms: candidate.write_ms,
                    keys: candidate.keys,
                    table: candidate.table,
                    users: Vec::new(),
                    plans: Vec::new(),
                    smaller: smaller_relatives(problem, *id, &ids),
                }
            })
            .collect();
        let mut sizes: Vec<u16> = Vec::new();
        let statements = known.into_iter().enumerate().map(|(at, plans)| {
            let mut kept = Plans { first: sizes.len(), ..Plans::default() };
            for (plan, used) in plans {
                let used: Vec<usize> = used.iter().filter_map(|id| ids.binary_search(id).ok()).collect();
                let plan = Plan { used, ..plan };
                if plan.is_slow && !kept.slow.iter().any(|slow| slow.is_within(&plan)) {
                    kept.slow.push(plan.clone());
                }
                if !kept.ranked.iter().any(|better| better.is_within(&plan)) {
                    kept.ranked.push(plan);
                }
            }
            for plan in kept.ranked.iter().chain(&kept.slow) {
                for item in &plan.used {
                    if items[*item].users.last() != Some(&at) {
                        items[*item].users.push(at);
                    }
                    items[*item].plans.push(sizes.len());
                }
                sizes.push(plan.used.len() as u16);
            }
            kept
        });
        let mut statements: Vec<Plans> = statements.collect();
        rank(&mut statements);
        share_out(&mut items, &statements);
        let limits = search.limits();
        Ground {
            statements,
            sizes,
            tables: items.iter().map(|item| item.table as usize + 1).max().unwrap_or(0),
            per_table: limits.max_indexes_per_table,
            storage_bytes: limits.storage_bytes.unwrap_or(u64::MAX),
            max_indexes: limits.max_indexes,
            least_gain: search.least_gain,
            looks: Cell::new(0),
            items,
        }
    }

    /// Candidates that some known plan uses.
    pub fn size(&self) -> usize {
        self.items.len()
    }

    pub fn looks(&self) -> u64 {
        self.looks.get()
    }

    /// Of candidates, those that some known plan uses.
    pub fn standing(&self, members: &[CandidateId]) -> Standing {
        let mut standing = Standing {
            members: Vec::new(),
            is_member: vec![false; self.items.len()],
            missing: self.sizes.clone(),
            on_table: vec![0; self.tables],
            bytes: 0,
            chosen: vec![0; self.statements.len()],
            savings: vec![0.0; self.statements.len()],
            net: 0.0,
        };
        for member in members {
            if let Ok(item) = self.items.binary_search_by_key(member, |item| item.id) {
                self.toggle(&mut standing, item);
            }
        }
        let choice = |statement| self.choice(statement, 0, |number, _| standing.missing[number] == 0);
        (standing.chosen, standing.savings) = (0..self.statements.len()).map(choice).unzip();
        let write_ms: f64 = standing.members.iter().map(|item| self.items[*item].write_ms).sum();
        standing.net = standing.savings.iter().sum::<f64>() - write_ms;
        standing
    }

    /// Ascending.
    pub fn members(&self, standing: &Standing) -> Vec<CandidateId> {
        let mut ids: Vec<CandidateId> = standing.members.iter().map(|item| self.items[*item].id).collect();
        ids.sort_unstable();
        ids
    }

    /// Where the plan stands that a statement has, none of the first `from` being there, and what that saves, as `Search::saving` says.
    fn choice(&self, statement: usize, from: usize, is_there: impl Fn(usize, &Plan) -> bool) -> (usize, f64) {
        let Plans { first, ranked, slow } = &self.statements[statement];
        let mut numbered = ranked.iter().enumerate().skip(from);
        let chosen = numbered.find(|(at, plan)| is_there(first + at, plan));
        let end = chosen.map_or(ranked.len(), |(at, _)| at + 1);
        self.look(end - from);
        let Some((at, chosen)) = chosen else { return (ranked.len(), 0.0) };
        if chosen.is_slow || chosen.saving <= 0.0 {
            return (at, chosen.saving);
        }
        let near = slow.iter().enumerate().take_while(|(_, slow)| slow.total <= NEARLY * chosen.total);
        let near = near.filter(|(at, slow)| is_there(first + ranked.len() + at, slow));
        let near = near.filter(|(_, slow)| !slow.indexes().stand_in_for(chosen.indexes()));
        (at, near.map(|(_, slow)| slow.saving).fold(chosen.saving, f64::min))
    }

    fn look(&self, at: usize) {
        self.looks.set(self.looks.get() + at as u64);
    }

    /// As `choice`, where items were taken out of a standing and none put in.
    fn choice_without(
        &self,
        statement: usize,
        standing: &Standing,
        is_there: impl Fn(usize, &Plan) -> bool,
    ) -> (usize, f64) {
        let (chosen, saving) = (standing.chosen[statement], standing.savings[statement]);
        let Plans { first, ranked, .. } = &self.statements[statement];
        // Where something too slow is near, it counts, and may be what is out.
        let stays =
            ranked.get(chosen).is_some_and(|plan| plan.saving == saving && is_there(first + chosen, plan));
        if stays { (chosen, saving) } else { self.choice(statement, chosen, is_there) }
    }

    /// Puts an item in or takes it out, without a look at what that saves.
    fn toggle(&self, standing: &mut Standing, item: usize) {
        let Item { bytes, table, ref plans, .. } = self.items[item];
        self.look(plans.len());
        if standing.is_member[item] {
            plans.iter().for_each(|plan| standing.missing[*plan] += 1);
            standing.members.retain(|member| *member != item);
            standing.on_table[table as usize] -= 1;
            standing.bytes -= bytes;
        } else {
            plans.iter().for_each(|plan| standing.missing[*plan] -= 1);
            standing.members.push(item);
            standing.on_table[table as usize] += 1;
            standing.bytes += bytes;
        }
        standing.is_member[item] = !standing.is_member[item];
    }

    /// Puts items in or takes them out, whichever changes something.
    fn change(&self, standing: &mut Standing, items: &[usize]) {
        for item in items {
            self.toggle(standing, *item);
            let write_ms = self.items[*item].write_ms;
            standing.net += if standing.is_member[*item] { -write_ms } else { write_ms };
        }
        let only_out = items.iter().all(|item| !standing.is_member[*item]);
        for statement in self.users(items) {
            let is_there = |number: usize, _: &Plan| standing.missing[number] == 0;
            let (chosen, saving) = if only_out {
                self.choice_without(statement, standing, is_there)
            } else {
                self.choice(statement, 0, is_there)
            };
            standing.net += saving - standing.savings[statement];
            standing.chosen[statement] = chosen;
            standing.savings[statement] = saving;
        }
    }

    pub fn remove(&self, standing: &mut Standing, member: usize) {
        self.change(standing, &[member]);
    }

    /// What would be lost with another item in place of a member, net.
    pub fn loss_by_exchange(&self, standing: &Standing, member: usize, item: usize) -> f64 {
        let is_there = |number: usize, plan: &Plan| match standing.missing[number] {
            0 => !plan.uses(member),
            1 => plan.uses(item) && !plan.uses(member),
            _ => false,
        };
        let lost = |statement: usize| standing.savings[statement] - self.choice(statement, 0, is_there).1;
        let lost: f64 = self.users(&[member, item]).map(lost).sum();
        lost + self.items[item].write_ms - self.items[member].write_ms
    }

    /// A smaller item to put in place of a member, by lot.
    fn smaller(&self, standing: &Standing, member: usize, lots: &mut Rng) -> Option<usize> {
        let smaller = lots.choice(&self.items[member].smaller).copied()?;
        let rivals = self.rivals(standing, &[smaller]);
        (!standing.is_member[smaller] && rivals.iter().all(|rival| *rival == member)).then_some(smaller)
    }

    /// What would be lost without a member, net.
    pub fn loss(&self, standing: &Standing, member: usize) -> f64 {
        let is_there = |number: usize, plan: &Plan| standing.missing[number] == 0 && !plan.uses(member);
        let left = |statement: usize| self.choice_without(statement, standing, is_there).1;
        let item = &self.items[member];
        let lost = |statement: &usize| standing.savings[*statement] - left(*statement);
        item.users.iter().map(lost).sum::<f64>() - item.write_ms
    }

    /// Items of a plan that are not there.
    fn lacking(&self, standing: &Standing, plan: &Plan) -> Vec<usize> {
        plan.used.iter().copied().filter(|item| !standing.is_member[*item]).collect()
    }

    /// Members that have the same keys as one of `items`.
    fn rivals(&self, standing: &Standing, items: &[usize]) -> Vec<usize> {
        let same =
            |a: usize, b: usize| self.items[a].keys.is_some() && self.items[a].keys == self.items[b].keys;
        let is_rival =
            |member: &usize| !items.contains(member) && items.iter().any(|item| same(*item, *member));
        standing.members.iter().copied().filter(is_rival).collect()
    }

    fn are_rivals(&self, items: &[usize]) -> bool {
        let keys = |item: &usize| self.items[*item].keys;
        let same =
            |(at, item)| keys(item).is_some() && items[..at].iter().any(|other| keys(other) == keys(item));
        items.iter().enumerate().any(same)
    }

    fn is_crowded(&self, standing: &Standing, item: usize, more: usize) -> bool {
        let on_table = standing.on_table[self.items[item].table as usize];
        self.per_table.is_some_and(|most| on_table + more > most)
    }

    /// Whether items that are not there may be added.
    fn fits(&self, standing: &Standing, added: &[usize]) -> bool {
        let bytes: u64 = added.iter().map(|item| self.items[*item].bytes).sum();
        let on_table = |item: &usize| {
            let table = self.items[*item].table;
            added.iter().filter(|other| self.items[**other].table == table).count()
        };
        standing.bytes.saturating_add(bytes) <= self.storage_bytes
            && standing.members.len() + added.len() <= self.max_indexes
            && !added.iter().any(|item| self.is_crowded(standing, *item, on_table(item)))
    }

    /// Puts a plan of some statement in that is cheaper than what it has, limits or not; returns its items.
    pub fn put_in(&self, standing: &mut Standing, lots: &mut Rng) -> Vec<usize> {
        let statement = lots.usize(0..self.statements.len().max(1));
        let Some(plans) = self.statements.get(statement) else { return Vec::new() };
        let better: Vec<&Plan> = self.better(plans, standing.savings[statement]).collect();
        let Some(plan) = lots.choice(better).filter(|plan| !self.are_rivals(&plan.used)) else {
            return Vec::new();
        };
        let rivals = self.rivals(standing, &plan.used);
        self.change(standing, &rivals);
        let lacking = self.lacking(standing, plan);
        self.change(standing, &lacking);
        plan.used.clone()
    }

    /// Plans of a statement that the user accepts and that save more than `saving`.
    fn better<'p>(&self, plans: &'p Plans, saving: f64) -> impl Iterator<Item = &'p Plan> {
        let ranked = plans.ranked.iter().filter(|plan| !plan.is_slow);
        ranked.take_while(move |plan| plan.saving > saving)
    }

    /// Takes out members, but none of `kept`, until the limits are kept to; false where that cannot be.
    pub fn make_room(&self, standing: &mut Standing, kept: &[usize], lots: &mut Rng) -> bool {
        loop {
            let crowded = |item: &usize| self.is_crowded(standing, *item, 0);
            let anywhere = !standing.members.iter().any(crowded);
            if anywhere && self.fits(standing, &[]) {
                return true;
            }
            let others: Vec<usize> = standing
                .members
                .iter()
                .copied()
                .filter(|m| !kept.contains(m) && (anywhere || crowded(m)))
                .collect();
            let others = lots.choose_multiple(others, ASKED_TO_GO);
            let by_bytes = anywhere && standing.bytes > self.storage_bytes;
            let mut cheapest: Option<(f64, usize, Option<usize>)> = None;
            let mut consider = |loss: f64, bytes: u64, member: usize, smaller: Option<usize>, lot: f64| {
                let bytes = if by_bytes { bytes as f64 + EVERY_INDEX } else { 1.0 };
                let price = loss.max(0.0) / bytes * (0.5 + lot);
                if cheapest.is_none_or(|(least, ..)| price < least) {
                    cheapest = Some((price, member, smaller));
                }
            };
            for member in others {
                let bytes = self.items[member].bytes;
                consider(self.loss(standing, member), bytes, member, None, lots.f64());
                if by_bytes && let Some(smaller) = self.smaller(standing, member, lots) {
                    let loss = self.loss_by_exchange(standing, member, smaller);
                    consider(loss, bytes - self.items[smaller].bytes, member, Some(smaller), lots.f64());
                }
            }
            let Some((_, member, smaller)) = cheapest else { return false };
            self.remove(standing, member);
            self.change(standing, smaller.as_slice());
        }
    }

    /// Adds what the plans lack that save most `by` one measure, until nothing fits or saves enough; nothing of `banned`.
    pub fn fill(&self, standing: &mut Standing, by: By, noise: f64, banned: &[usize], lots: &mut Rng) {
        let in_view = self.in_view(standing, banned, lots);
        self.fill_of(standing, in_view, by, noise, banned, lots);
    }

    /// As `fill`, with plans of all statements in view and nothing left to the lot.
    pub fn fill_of_all(&self, standing: &mut Standing, by: By, lots: &mut Rng) {
        self.fill_of(standing, 0..self.statements.len(), by, 0.0, &[], lots);
    }

    fn fill_of(
        &self,
        standing: &mut Standing,
        in_view: impl IntoIterator<Item = usize>,
        by: By,
        noise: f64,
        banned: &[usize],
        lots: &mut Rng,
    ) {
        let now: &Standing = standing;
        let better = in_view.into_iter().flat_map(|statement| {
            let better = self.better(&self.statements[statement], now.savings[statement]);
            better.map(move |plan| (statement, plan))
        });
        let allowed = better.filter(|(_, plan)| !plan.used.iter().any(|item| banned.contains(item)));
        let offers = allowed.map(|(statement, plan)| {
            let lift = (noise > 0.0).then(|| 1.0 + noise * lots.f64());
            Offer { statement, plan, lift }
        });
        let mut offers = Offers::of(offers, |offer| self.value(now, by, offer));
        let mut looks = offers.len();
        while let Some(plan) = offers.take() {
            let added = self.lacking(standing, plan);
            let may_be = self.fits(standing, &added)
                && !self.are_rivals(&added)
                && self.rivals(standing, &added).is_empty();
            // What does not fit now will not while the room is filled: it shrinks by no less than what is lacking.
            if !may_be {
                continue;
            }
            let before = standing.net;
            self.change(standing, &added);
            let refused = standing.net < before + self.least_gain;
            if refused {
                self.change(standing, &added);
            }
            let is_over = |offer: &Offer| refused && offer.plan.used.iter().any(|item| added.contains(item));
            for statement in self.users(&added) {
                looks += offers.value(statement, |offer| {
                    (!is_over(offer)).then(|| self.value(standing, by, offer)).flatten()
                });
            }
        }
        self.look(looks);
    }

    /// What an offer is worth `by` one measure; None where it saves nothing or does not fit.
    fn value(&self, standing: &Standing, by: By, offer: &Offer<'_>) -> Option<f64> {
        let gain = offer.plan.saving - standing.savings[offer.statement];
        let lacking = offer.plan.used.iter().filter(|item| !standing.is_member[**item]);
        let lacking = lacking.map(|item| &self.items[*item]);
        let bytes: u64 = lacking.clone().map(|item| item.bytes).sum();
        if gain <= 0.0 || bytes == 0 || standing.bytes.saturating_add(bytes) > self.storage_bytes {
            return None;
        }
        let value = match by {
            By::Bytes => gain / (bytes as f64 + EVERY_INDEX),
            By::BytesEach => gain / lacking.map(|item| item.bytes_each).sum::<f64>(),
            By::Gain => gain,
        };
        // Where the lot has no say, the preferred of those that are nearly equal.
        Some(offer.lift.map_or_else(|| nearly(value), |lift| lift * value))
    }

    /// Statements with a known plan that uses one of `items`, each once.
    fn users<'g>(&'g self, items: &'g [usize]) -> impl Iterator<Item = usize> + 'g {
        items.iter().enumerate().flat_map(move |(at, item)| {
            let seen = move |statement: &usize| {
                items[..at].iter().any(|other| self.items[*other].users.binary_search(statement).is_ok())
            };
            self.items[*item].users.iter().copied().filter(move |statement| !seen(statement))
        })
    }

    /// Statements whose plans are looked at to fill the room: those that lost what they had by `out`, then others by lot.
    fn in_view(&self, standing: &Standing, out: &[usize], lots: &mut Rng) -> Vec<usize> {
        let plans = |statement: usize| self.statements[statement].ranked.len();
        let all = self.statements.len();
        if self.sizes.len() <= IN_VIEW {
            return (0..all).collect();
        }
        let mut in_view: Vec<usize> =
            out.iter().flat_map(|item| self.items[*item].users.iter().copied()).collect();
        in_view.extend(standing.members.last().map(|item| &self.items[*item].users).into_iter().flatten());
        let mut seen: usize = in_view.iter().copied().map(plans).sum();
        while seen < IN_VIEW {
            let statement = lots.usize(0..all);
            seen += plans(statement).max(1);
            in_view.push(statement);
        }
        in_view.sort_unstable();
        in_view.dedup();
        in_view
    }

    /// Takes out members that save less than they have to, the least useful first, of those that help statements that other members
    /// have helped since `before`; whether there were any.
    pub fn prune(&self, standing: &mut Standing, before: &Standing, pinned: &[usize]) -> bool {
        let mut any = false;
        let mut changed: Vec<usize> = (0..self.items.len())
            .filter(|item| standing.is_member[*item] != before.is_member[*item])
            .collect();
        let mut is_touched = vec![false; self.statements.len()];
        loop {
            let touched = changed.drain(..).flat_map(|item| &self.items[item].users);
            touched.for_each(|statement| is_touched[*statement] = true);
            let suspects: Vec<usize> = standing
                .members
                .iter()
                .copied()
                .filter(|member| {
                    if pinned.contains(member) {
                        return false;
                    }
                    let users = &self.items[*member].users;
                    users.is_empty() || users.iter().any(|statement| is_touched[*statement])
                })
                .collect();
            let mut weakest: Option<(f64, usize)> = None;
            for member in suspects {
                let loss = self.loss(standing, member);
                if weakest.is_none_or(|(least, _)| loss < least) {
                    weakest = Some((loss, member));
                }
            }
            match weakest.filter(|(loss, _)| *loss < self.least_gain) {
                Some((_, member)) => self.remove(standing, member),
                None => return any,
            }
            any = true;
            changed.extend(weakest.map(|(_, member)| member));
        }
    }
}

/// Ranks the ranked plans of all statements by what they use.
fn rank(statements: &mut [Plans]) {
    let mut plans: Vec<&mut Plan> = statements.iter_mut().flat_map(|plans| &mut plans.ranked).collect();
    plans.sort_by(|a, b| a.used.cmp(&b.used));
    for at in 1..plans.len() {
        let before = &plans[at - 1];
        plans[at].rank = before.rank + u32::from(before.used != plans[at].used);
    }
}

/// Splits the bytes of items among the statements that could use them: the more save by an item, the less of it each has to be worth
/// (the greedy for set-union knapsacks weighs so; Arulselvan, Discrete Appl. Math. 169, 2014).
fn share_out(items: &mut [Item], statements: &[Plans]) {
    let mut sums = vec![0.0; items.len()];
    let mut most = vec![0.0_f64; items.len()];
    for Plans { ranked, .. } in statements {
        let mut best: BTreeMap<usize, f64> = BTreeMap::new();
        // By cost: the first plan with an item is the best one.
        for plan in ranked.iter().filter(|plan| plan.saving > 0.0) {
            plan.used.iter().for_each(|item| _ = best.entry(*item).or_insert(plan.saving));
        }
        for (item, saving) in best {
            sums[item] += saving;
            most[item] = most[item].max(saving);
        }
    }
    for ((item, sum), most) in items.iter_mut().zip(sums).zip(most) {
        let users = if most > 0.0 { sum / most } else { 1.0 };
        item.bytes_each = (item.bytes as f64 + EVERY_INDEX) / users;
    }
}

/// Positions in `ids`, ascending, of smaller relatives of a candidate.
fn smaller_relatives(problem: &Problem, id: CandidateId, ids: &[CandidateId]) -> Vec<usize> {
    let candidate = &problem.candidates[id];
    let smaller = |relative: &&CandidateId| problem.candidates[**relative].size_bytes < candidate.size_bytes;
    let found = candidate.relatives.iter().filter(smaller);
    found.filter_map(|relative| ids.binary_search(relative).ok()).collect()
}
