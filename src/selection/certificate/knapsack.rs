//! `Knapsack`: the best set of items within bytes and a count, by best-first branch and bound.
//!
//! Knows nothing of statements. Its `most` is an upper bound at every moment, so ending early keeps whatever is built
//! on it true.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

/// Sums of the same rewards in another order are equal to this share.
const ROUNDING: f64 = 1e-12;
/// Halvings on the way to the best price of a place: to a millionth of the largest reward.
const HALVINGS: usize = 20;

/// An item worth having.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item {
    /// The caller's number.
    pub id: usize,
    pub reward: f64,
    pub bytes: u64,
    /// Items that share a number exclude each other; they are of one table.
    pub keys: Option<u32>,
    /// Of items that share a number, only so many fit.
    pub table: u32,
}

/// What a knapsack holds at most.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    /// None for no limit.
    pub bytes: Option<u64>,
    pub count: usize,
    /// Items of one table; None for no limit.
    pub per_table: Option<usize>,
}

/// What a knapsack can hold at most, and what to put into it for that.
#[derive(Clone, Debug)]
pub(super) struct Packed {
    /// No allowed set has a larger reward.
    pub most: f64,
    /// Items with their shares, 1 but for the one that did not fit whole when the search ended early.
    pub shares: Vec<(usize, f64)>,
    /// Whether `shares` is an allowed set whose reward is `most`.
    pub exact: bool,
}

/// The items by reward per byte, and the limits.
struct Knapsack<'i> {
    items: &'i [Item],
    /// Positions in `items` of those that nothing excludes, ...
    free: Vec<usize>,
    /// ... and of those that exclude each other, by bytes.
    rivals: Vec<Vec<usize>>,
    /// Positions in `items` by reward.
    by_reward: Vec<usize>,
    /// What a place costs, so that bytes and number together bound the most (Lagrange); 0 where the bytes leave places over.
    price: f64,
    /// Positions in `items` of those worth the price, by what is left of their rewards per byte.
    by_surplus: Vec<usize>,
    room: u64,
    count: usize,
    per_table: Option<usize>,
}

/// A larger share of a larger item in place of a smaller one, or of nothing.
struct Upgrade {
    from: Option<usize>,
    to: usize,
    bytes: u64,
    reward: f64,
}

/// Decisions on the first `decided` items.
#[derive(Clone, Debug)]
struct Node {
    most: f64,
    decided: usize,
    taken: Vec<usize>,
    reward: f64,
    bytes: u64,
    /// How the bytes alone would be filled up: shares of the items not decided.
    rest: Vec<(usize, f64)>,
}

impl PartialEq for Node {
    fn eq(&self, other: &Node) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Node {}

impl PartialOrd for Node {
    fn partial_cmp(&self, other: &Node) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Node {
    fn cmp(&self, other: &Node) -> Ordering {
        let by_bound = self.most.total_cmp(&other.most);
        by_bound.then_with(|| self.decided.cmp(&other.decided)).then_with(|| other.taken.cmp(&self.taken))
    }
}

/// Packs items of positive reward, looking at `nodes` partial choices at most.
pub(super) fn pack(mut items: Vec<Item>, limits: Room, nodes: usize) -> Packed {
    let room = limits.bytes.unwrap_or(u64::MAX);
    items.retain(|item| item.reward > 0.0 && item.bytes <= room);
    let per_byte = |item: &Item| item.reward / item.bytes.max(1) as f64;
    items.sort_by(|a, b| per_byte(b).total_cmp(&per_byte(a)).then(a.id.cmp(&b.id)));
    let mut by_reward: Vec<usize> = (0..items.len()).collect();
    by_reward.sort_by(|a, b| items[*b].reward.total_cmp(&items[*a].reward).then(a.cmp(b)));
    let Room { count, per_table, .. } = limits;
    let (free, rivals) = apart(&items);
    let mut knapsack = Knapsack {
        items: &items,
        free,
        rivals,
        by_reward,
        price: 0.0,
        by_surplus: Vec::new(),
        room,
        count,
        per_table,
    };
    knapsack.set_price();
    knapsack.search(nodes)
}

/// Positions of items that nothing excludes, and those of each that exclude each other, by bytes.
fn apart(items: &[Item]) -> (Vec<usize>, Vec<Vec<usize>>) {
    let mut free = Vec::new();
    let mut same: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for (at, item) in items.iter().enumerate() {
        match item.keys {
            Some(keys) => same.entry(keys).or_default().push(at),
            None => free.push(at),
        }
    }
    let (mut rivals, alone): (Vec<Vec<usize>>, Vec<Vec<usize>>) =
        same.into_values().partition(|same| same.len() > 1);
    free.extend(alone.into_iter().flatten());
    free.sort_unstable();
    rivals.iter_mut().for_each(|same| same.sort_by_key(|at| (items[*at].bytes, *at)));
    (free, rivals)
}

impl Knapsack<'_> {
    /// Finds the price at which the bound of all items is least: it is convex in the price, and falls while more items are
    /// worth their price and fit by bytes than there are places.
    fn set_price(&mut self) {
        let too_many = |price| self.worth(price).1 > self.count as f64;
        if !too_many(0.0) {
            return;
        }
        let (mut low, mut high) = (0.0, self.by_reward.first().map_or(0.0, |at| self.items[*at].reward));
        for _ in 0..HALVINGS {
            let middle = (low + high) / 2.0;
            if too_many(middle) { low = middle } else { high = middle }
        }
        self.by_surplus = self.worth(high).0;
        self.price = high;
    }

    /// The positions of items that are worth a price, by what is left per byte, and how many of them the bytes hold.
    fn worth(&self, price: f64) -> (Vec<usize>, f64) {
        let surplus = |at: &usize| self.items[*at].reward - price;
        let per_byte = |at: &usize| surplus(at) / self.items[*at].bytes.max(1) as f64;
        let mut order: Vec<usize> = (0..self.items.len()).filter(|at| surplus(at) > 0.0).collect();
        order.sort_by(|a, b| per_byte(b).total_cmp(&per_byte(a)).then(a.cmp(b)));
        let number = self.filled(order.iter().copied(), self.room).map(|(_, share)| share).sum();
        (order, number)
    }

    /// The items that `room` bytes hold, in the order given, each with its share, the last in part.
    fn filled(&self, order: impl Iterator<Item = usize>, room: u64) -> impl Iterator<Item = (usize, f64)> {
        order.scan(Some(room), |left, at| {
            let (room, bytes) = ((*left)?, self.items[at].bytes);
            *left = room.checked_sub(bytes);
            Some((at, if bytes <= room { 1.0 } else { room as f64 / bytes as f64 }))
        })
    }

    /// What the undecided can hold at most in fractions, where of those that exclude each other there is one in all: the knapsack of
    /// upgrades along their hulls (Sinha, Zoltners 1979). Items with their shares.
    fn in_fractions(&self, decided: usize, taken: &[usize], room: u64) -> Vec<(usize, f64)> {
        let is_open = |keys: Option<u32>| !taken.iter().any(|at| self.items[*at].keys == keys);
        let of_rivals = self.rivals.iter().filter(|same| is_open(self.items[same[0]].keys));
        let mut upgrades: Vec<Upgrade> = Vec::new();
        for same in of_rivals {
            let first = upgrades.len();
            for at in same.iter().copied().filter(|at| *at >= decided) {
                self.upgrade(&mut upgrades, first, at);
            }
        }
        let free = self.free.iter().copied().filter(|at| *at >= decided);
        upgrades.extend(free.map(|to| {
            let Item { bytes, reward, .. } = self.items[to];
            Upgrade { from: None, to, bytes, reward }
        }));
        let per_byte = |upgrade: &Upgrade| upgrade.reward / upgrade.bytes.max(1) as f64;
        upgrades.sort_by(|a, b| per_byte(b).total_cmp(&per_byte(a)).then(a.to.cmp(&b.to)));
        let mut shares: BTreeMap<usize, f64> = BTreeMap::new();
        let mut left = room;
        for Upgrade { from, to, bytes, .. } in upgrades {
            let share = if bytes <= left { 1.0 } else { left as f64 / bytes as f64 };
            if let Some(share_before) = from.and_then(|from| shares.get_mut(&from)) {
                *share_before -= share;
            }
            shares.insert(to, share);
            let Some(rest) = left.checked_sub(bytes) else { break };
            left = rest;
        }
        shares.into_iter().filter(|(_, share)| *share > 0.0).collect()
    }

    /// Goes on along the hull of the items from upgrade `first` on to one that is no smaller than any of them.
    fn upgrade(&self, upgrades: &mut Vec<Upgrade>, first: usize, to: usize) {
        loop {
            let last = upgrades[first..].last();
            let from = last.map(|last| last.to);
            let (bytes, reward) =
                from.map_or((0, 0.0), |from| (self.items[from].bytes, self.items[from].reward));
            let next = Upgrade {
                from,
                to,
                bytes: self.items[to].bytes - bytes,
                reward: self.items[to].reward - reward,
            };
            // A hull gets flatter: what is steeper than the step before goes there at once.
            match last {
                Some(_) if next.reward <= 0.0 => return,
                Some(last) if next.reward * last.bytes as f64 >= last.reward * next.bytes as f64 => {
                    upgrades.pop();
                }
                _ => return upgrades.push(next),
            }
        }
    }

    fn reward_of(&self, shares: &[(usize, f64)]) -> f64 {
        shares.iter().map(|(at, share)| share * self.items[*at].reward).sum()
    }

    /// What items not decided yet bring at most in so many bytes and places, by the price of a place.
    fn by_price(&self, decided: usize, places: usize, room: u64) -> f64 {
        if self.price <= 0.0 {
            return f64::INFINITY;
        }
        let undecided = self.by_surplus.iter().copied().filter(|at| *at >= decided);
        let surplus = |(at, share): (usize, f64)| share * (self.items[at].reward - self.price);
        self.price * places as f64 + self.filled(undecided, room).map(surplus).sum::<f64>()
    }

    fn search(&self, nodes: usize) -> Packed {
        let mut open = BinaryHeap::from([self.node(0, Vec::new(), 0.0, 0)]);
        let mut looked_at = 0;
        loop {
            // Never empty: every node but a whole one leaves at least the one without its next item.
            let Some(node) = open.pop() else { return self.packed(&self.node(0, Vec::new(), 0.0, 0)) };
            looked_at += 1;
            if self.is_whole(&node) || looked_at >= nodes {
                return self.packed(&node);
            }
            let (next, item) = (node.decided, self.items[node.decided]);
            let excluded =
                item.keys.is_some() && node.taken.iter().any(|at| self.items[*at].keys == item.keys);
            let bytes = node.bytes.saturating_add(item.bytes);
            let full = self.is_full(item.table, &node.taken);
            if !excluded && !full && bytes <= self.room && node.taken.len() < self.count {
                let taken = [node.taken.as_slice(), &[next]].concat();
                open.push(self.node(next + 1, taken, node.reward + item.reward, bytes));
            }
            open.push(self.node(next + 1, node.taken, node.reward, node.bytes));
        }
    }

    /// Whether as many as may be are of this table.
    fn is_full(&self, table: u32, taken: &[usize]) -> bool {
        self.per_table
            .is_some_and(|most| taken.iter().filter(|at| self.items[**at].table == table).count() >= most)
    }

    /// Whether the bound of the node is the reward of an allowed set.
    fn is_whole(&self, node: &Node) -> bool {
        let all = || node.taken.iter().chain(node.rest.iter().map(|(at, _)| at));
        let keys = |at: &usize| self.items[*at].keys;
        let rivals = || {
            all().enumerate().any(|(i, a)| keys(a).is_some() && all().skip(i + 1).any(|b| keys(a) == keys(b)))
        };
        let crowded = || {
            let table = |at: &usize| self.items[*at].table;
            let on_one = |a: &usize| all().filter(|b| table(a) == table(b)).count();
            self.per_table.is_some_and(|most| all().any(|at| on_one(at) > most))
        };
        node.rest.iter().all(|(_, share)| *share == 1.0)
            && node.reward + self.reward_of(&node.rest) <= node.most * (1.0 + ROUNDING)
            && node.taken.len() + node.rest.len() <= self.count
            && !rivals()
            && !crowded()
    }

    fn packed(&self, node: &Node) -> Packed {
        let taken = node.taken.iter().map(|at| (self.items[*at].id, 1.0));
        let rest = node.rest.iter().map(|(at, share)| (self.items[*at].id, *share));
        Packed { most: node.most, shares: taken.chain(rest).collect(), exact: self.is_whole(node) }
    }

    /// A node with its bound: the smallest of what the bytes left can hold in fractions, of what the best items of the
    /// number left bring, and of both together by the price of a place. The second keeps to the limits by keys and by table, too: taking
    /// the best that still may be taken is best there is (the limits lie within each other and make a matroid, Edmonds 1971).
    fn node(&self, decided: usize, taken: Vec<usize>, reward: f64, bytes: u64) -> Node {
        let places = self.count - taken.len();
        let mut rest = self.in_fractions(decided, &taken, self.room - bytes);
        let by_bytes = self.reward_of(&rest);
        let mut of_table: BTreeMap<u32, usize> = BTreeMap::new();
        if self.per_table.is_some() {
            taken.iter().for_each(|at| *of_table.entry(self.items[*at].table).or_default() += 1);
        }
        let mut keys: BTreeSet<u32> = taken.iter().filter_map(|at| self.items[*at].keys).collect();
        let mut fits_table = |at: &usize| {
            if self.items[*at].keys.is_some_and(|same| !keys.insert(same)) {
                return false;
            }
            let Some(most) = self.per_table else { return true };
            let there = of_table.entry(self.items[*at].table).or_default();
            *there += 1;
            *there <= most
        };
        let undecided = self.by_reward.iter().copied().filter(|at| *at >= decided);
        let best: Vec<usize> = undecided.filter(|at| fits_table(at)).take(places).collect();
        let by_count: f64 = best.iter().map(|at| self.items[*at].reward).sum();
        if by_count < by_bytes {
            // What counts is the number: its best items, if they fit, are the answer.
            let fit = best.iter().map(|at| self.items[*at].bytes).fold(0_u64, u64::saturating_add)
                <= self.room - bytes;
            if fit {
                rest = best.into_iter().map(|at| (at, 1.0)).collect();
            }
        }
        let most = by_bytes.min(by_count).min(self.by_price(decided, places, self.room - bytes));
        Node { most: reward + most, decided, taken, reward, bytes, rest }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::selection::tests::sets;
    use proptest::prelude::*;

    fn best(items: &[Item], room: u64, count: usize, per_table: usize) -> f64 {
        let sets = sets(items.len()).map(|set| set.iter().map(|at| &items[*at]).collect::<Vec<&Item>>());
        let allowed = sets.filter(|set| {
            let crowded = |a: &&Item| set.iter().filter(|b| a.table == b.table).count() > per_table;
            let has_rival =
                |(at, a): (usize, &&Item)| a.keys.is_some() && set[at + 1..].iter().any(|b| a.keys == b.keys);
            set.len() <= count
                && set.iter().map(|item| item.bytes).sum::<u64>() <= room
                && !set.iter().any(crowded)
                && !set.iter().enumerate().any(has_rival)
        });
        allowed.map(|set| set.iter().map(|item| item.reward).sum()).fold(0.0, f64::max)
    }

    #[test]
    fn bytes_and_places_bound_together() {
        // Two places and 10 bytes: the bytes alone would hold six small ones (6), the places alone two large ones (6).
        let item = |id, reward, bytes| Item { id, reward, bytes, keys: None, table: 0 };
        let small = (0..6).map(|id| item(id, 1.0, 1));
        let items: Vec<Item> = small.chain([item(6, 3.0, 9), item(7, 3.0, 9)]).collect();
        let room = Room { bytes: Some(10), count: 2, per_table: None };
        assert_eq!(best(&items, 10, 2, usize::MAX), 4.0);
        // In fractions: the eighth part of a small one makes room for as much of another large one.
        let most = pack(items.clone(), room, 1).most;
        assert!((4.0..=4.25 + 1e-5).contains(&most), "{most}");
        let whole = pack(items, room, usize::MAX);
        assert!(whole.exact && (whole.most - 4.0).abs() < 1e-9, "{}", whole.most);
    }

    #[test]
    fn of_those_that_exclude_each_other_one_counts() {
        let item = |id, reward, bytes, keys| Item { id, reward, bytes, keys, table: 0 };
        // The narrow one, or for four bytes more the wide one; the middle one is under the hull.
        let items = vec![
            item(0, 3.0, 1, Some(1)),
            item(1, 3.5, 3, Some(1)),
            item(2, 5.0, 5, Some(1)),
            item(3, 1.0, 1, None),
        ];
        let room = |bytes| Room { bytes: Some(bytes), count: 9, per_table: None };
        // 3 + 1, then what is left of the four bytes; in 4 the wide one has no place at all.
        for (bytes, most) in [(1, 3.0), (2, 4.0), (4, 4.5), (5, 5.5), (6, 6.0), (9, 6.0)] {
            let found = pack(items.clone(), room(bytes), 1).most;
            assert!((found - most).abs() < 1e-9, "{found} in {bytes}");
        }
        let whole = pack(items, room(4), usize::MAX);
        assert!(whole.exact && (whole.most - 4.5).abs() < 1e-9, "{}", whole.most);
    }

    proptest! {
        #[test]
        fn an_upper_bound_always_and_the_optimum_when_exact(
            items in prop::collection::vec((-1.0..9.0, 0_u64..50, 0_u32..6, 0_u32..4), 0..10),
            room in 0_u64..150, count in 0_usize..8, per_table in 0_usize..5, nodes in 1_usize..300,
        ) {
            let items: Vec<Item> = items.into_iter().enumerate().map(|(id, (reward, bytes, keys, table))| {
                let table = if keys < 3 { keys % 2 } else { table };
                Item { id, reward, bytes, keys: (keys < 3).then_some(keys), table }
            }).collect();
            // 4 stands for no limit.
            let limits = Room { bytes: Some(room), count, per_table: (per_table < 4).then_some(per_table) };
            let truth = best(&items, room, count, limits.per_table.unwrap_or(usize::MAX));
            let packed = pack(items.clone(), limits, nodes);
            prop_assert!(packed.most >= truth - 1e-9, "{} < {truth}", packed.most);
            let whole = pack(items.clone(), limits, usize::MAX);
            prop_assert!(whole.exact && (whole.most - truth).abs() <= 1e-9, "{} != {truth}", whole.most);
            let reward: f64 = whole.shares.iter().map(|(id, share)| items[*id].reward * share).sum();
            prop_assert!((reward - truth).abs() <= 1e-9);
        }
    }
}
