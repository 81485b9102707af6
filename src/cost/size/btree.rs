//! A btree as CREATE INDEX would build it: its bulk load replayed on tuples drawn from column statistics.
//!
//! Replays `nbtsort.c`; says nothing of bloat, and never looks at an existing index's size.

use super::distribution::NullMask;
use super::shape::{Draws, MAXALIGN, Shape, TUPLE_HEADER, align};
use super::{SizeEstimate, Storage, parameter};
use crate::candidate::definition::IndexDefinition;
use crate::catalog::Relation;

/// Estimates the index that `definition` would create on `relation`.
///
/// `kept` is the share of the rows that the predicate of a partial index keeps.
///
/// What statistics cannot tell is assumed as follows. Key columns are independent of each other, unless the number of their
/// combinations is known (`Relation::column_groups`) or a unique index says that rows differ. An expression without statistics of
/// its own has as many distinct values as the columns it reads (an upper bound). A column without statistics holds no value twice. Each of these errs towards a larger index. Every collation is taken to be deterministic.
pub(super) fn estimate(
    definition: &IndexDefinition,
    relation: &Relation,
    kept: f64,
    storage: Storage,
) -> SizeEstimate {
    let block_size = storage.block_size;
    let trees = f64::from(relation.leaves.max(1));
    let tuples = (relation.tuples * kept).round().max(0.0);
    let shape = Shape::new(definition, relation, kept, storage);
    let load =
        Load { shape: &shape, page: Page::new(definition, block_size), tuples: (tuples / trees).ceil() };
    let (pages, tree_height) = load.run();
    SizeEstimate { pages: pages * trees, tuples, tree_height: Some(tree_height), block_size }
}

// Sizes and rules from PostgreSQL's bufpage.h, itup.h, nbtree.h and nbtsort.c.
/// `SizeOfPageHeaderData` and the aligned `BTPageOpaqueData`.
const PAGE_OVERHEAD: u32 = 24 + 16;
const LINE_POINTER: u32 = 4;
/// `sizeof(ItemPointerData)`, one heap TID.
const HEAP_TID: u32 = 6;
/// `BTREE_DEFAULT_FILLFACTOR` and `BTREE_NONLEAF_FILLFACTOR`.
const LEAF_FILLFACTOR: u32 = 90;
const INTERNAL_FILLFACTOR: u32 = 70;
/// Most items loaded in a replay; a larger level is extrapolated from its full pages.
const REPLAY_LIMIT: f64 = 8_000.0;
/// The same of pivot tuples, whose pages are one in some hundred.
const PIVOT_LIMIT: f64 = 2_000.0;

/// Full posting lists of one value from which on they are a level of their own: ten pages of them.
const LONG_RUN: f64 = 90.0;

/// Page geometry of one `BLCKSZ`.
#[derive(Clone, Copy, Debug)]
struct Page {
    size: u32,
    /// Per cent of a leaf page that a build fills.
    leaf_fillfactor: u32,
}

impl Page {
    fn new(definition: &IndexDefinition, size: u32) -> Page {
        let fillfactor: u32 = parameter(definition, "fillfactor").unwrap_or(LEAF_FILLFACTOR);
        Page { size: size.max(1024), leaf_fillfactor: fillfactor.clamp(10, 100) }
    }

    /// `PageGetFreeSpace` of an empty page of a build, which reserves the high key's line pointer.
    fn free(self) -> i64 {
        i64::from(self.size - PAGE_OVERHEAD - 2 * LINE_POINTER)
    }

    /// `btps_full`: a page is finished once less than this is free.
    fn reserve(self, leaf: bool) -> i64 {
        let fillfactor = if leaf { self.leaf_fillfactor } else { INTERNAL_FILLFACTOR };
        i64::from(self.size * (100 - fillfactor) / 100)
    }

    /// `BTMaxItemSize`.
    fn item_limit(self) -> u32 {
        let header = align(24 + 3 * LINE_POINTER + 3 * HEAP_TID, MAXALIGN);
        (self.size - header - 16) / 3 / MAXALIGN * MAXALIGN
    }

    /// `maxpostingsize` of `_bt_load`: a posting list tuple takes a tenth of a page at most.
    fn posting_limit(self) -> u32 {
        self.size * 10 / 100 / MAXALIGN * MAXALIGN - LINE_POINTER
    }
}

/// One item to be loaded: its size without and with posting list.
#[derive(Clone, Copy)]
struct Item {
    base: u32,
    size: u32,
}

/// Equal keys of one kind: `count` groups of `full` tuples with these NULL keys and `tids` heap TIDs each, and what is left of the
/// group's TIDs in one more.
struct Kind {
    nulls: NullMask,
    tids: u32,
    full: usize,
    /// Heap TIDs of the last tuple; 0 for none.
    rest: u32,
    count: f64,
    /// Parts of long runs, which nothing else comes between.
    is_run: bool,
}

impl Kind {
    /// Tuples of a group, each with its heap TIDs.
    fn tuples(&self) -> impl Iterator<Item = u32> + '_ {
        std::iter::repeat_n(self.tids, self.full).chain((self.rest > 0).then_some(self.rest))
    }
}

/// A bulk load of one tree.
struct Load<'a> {
    shape: &'a Shape,
    page: Page,
    tuples: f64,
}

impl Load<'_> {
    /// Pages with the metapage, and the level of the root.
    fn run(&self) -> (f64, u32) {
        if self.tuples < 1.0 {
            return (1.0, 0);
        }
        let kinds = self.leaf_kinds();
        let items: f64 = kinds.iter().map(|kind| kind.count * kind.tuples().count() as f64).sum();
        let mut level_pages = self.level(true, items, &self.leaf_items(&kinds, items));
        let mut pages = 1.0 + level_pages;
        let mut height = 0;
        let pivots = if level_pages > 1.0 { self.pivots(level_pages, items) } else { Vec::new() };
        while level_pages > 1.0 {
            level_pages = self.level(false, level_pages, &pivots[..pivots.len().min(level_pages as usize)]);
            pages += level_pages;
            height += 1;
        }
        (pages, height)
    }

    /// What the leaf level holds.
    fn leaf_kinds(&self) -> Vec<Kind> {
        let whole = self.shape.prefixes.last().expect("an index has a key");
        if self.shape.unique || !self.shape.deduplicates {
            let shares = whole.null_shares();
            return shares
                .into_iter()
                .map(|(nulls, share)| Kind {
                    nulls,
                    tids: 1,
                    full: 1,
                    rest: 0,
                    count: share * self.tuples,
                    is_run: false,
                })
                .collect();
        }
        let mut kinds = Vec::new();
        for group in whole.groups(self.tuples) {
            let base = self.shape.tuple_size(self.shape.keys.len(), false, group.nulls, &Draws(0));
            // `_bt_dedup_save_htid` refuses a TID that would make the tuple larger than the limit.
            let most = self.page.posting_limit() / MAXALIGN * MAXALIGN;
            let capacity = f64::from((most.saturating_sub(base) / HEAP_TID).max(1));
            let full = (group.rows / capacity).floor();
            let rest = (group.rows - full * capacity) as u32;
            let (nulls, tids) = (group.nulls, capacity as u32);
            let kind = |full, rest, count| Kind { nulls, tids, full, rest, count, is_run: false };
            if full >= LONG_RUN {
                // Where it begins and ends on a page no longer matters, and a share of it stands for the whole.
                kinds.push(Kind { is_run: true, ..kind(1, 0, full * group.groups) });
                kinds.extend((rest > 0).then(|| kind(0, rest, group.groups)));
            } else if full > 0.0 || rest > 0 {
                kinds.push(kind(full as usize, rest, group.groups));
            }
        }
        kinds
    }

    /// The leaf items in a well-mixed order, or an even sample of at most `REPLAY_LIMIT`.
    fn leaf_items(&self, kinds: &[Kind], items: f64) -> Vec<Item> {
        let scale = (REPLAY_LIMIT / items).min(1.0);
        let keys = self.shape.keys.len();
        let mut drawn: Vec<&Kind> = Vec::new();
        let mut sum = 0.0;
        for kind in kinds {
            sum += kind.count * scale;
            drawn.resize((sum.round() as usize).max(drawn.len()), kind);
        }
        if drawn.is_empty() {
            drawn.extend(kinds.first());
        }
        // Posting lists of one value follow each other, values are mixed.
        let (runs, others): (Vec<&Kind>, Vec<&Kind>) = drawn.into_iter().partition(|kind| kind.is_run);
        let order = runs.into_iter().chain(mixed(&others));
        let is_even = self.shape.is_even();
        let mut last: Option<(NullMask, u32)> = None;
        order
            .flat_map(|kind| kind.tuples().map(|tids| (kind.nulls, tids)))
            .enumerate()
            .map(|(index, (nulls, tids))| {
                let base = match last {
                    Some((of, base)) if is_even && of == nulls => base,
                    _ => self.shape.tuple_size(keys, true, nulls, &Draws(index as u64)),
                };
                last = Some((nulls, base));
                let base = base.min(self.page.item_limit());
                let size = if tids > 1 { align(base + tids * HEAP_TID, MAXALIGN) } else { base };
                Item { base, size }
            })
            .collect()
    }

    /// The pivot tuples of the internal levels: high keys of leaf pages, truncated as `_bt_truncate` does.
    ///
    /// A pivot keeps the keys up to the first that differs between its two neighbours in the leaf level, which is as likely
    /// as the distinct prefixes are many; if none differs, all keys and a heap TID.
    fn pivots(&self, count: f64, items: f64) -> Vec<Item> {
        let keys = self.shape.keys.len();
        let mut differ: Vec<f64> =
            self.shape.prefixes.iter().map(|prefix| prefix.group_count(self.tuples) / items).collect();
        if self.shape.unique {
            differ[keys - 1] = 1.0;
        }
        let shares = self.shape.prefixes[keys - 1].null_shares();
        (0..count.min(PIVOT_LIMIT) as usize)
            .map(|index| {
                let draws = Draws(index as u64);
                let choice = draws.nth(11);
                let kept =
                    differ.iter().position(|share| choice < *share).map_or(keys, |position| position + 1);
                let tie = choice >= differ[keys - 1];
                let mut nulls = draws.nth(10);
                let mask = shares.iter().find(|(_, share)| {
                    nulls -= share;
                    nulls < 0.0
                });
                let mask = mask.map_or(0, |(mask, _)| *mask);
                let size = self.shape.tuple_size(kept, false, mask, &draws);
                let size = size + if tie { align(HEAP_TID, MAXALIGN) } else { 0 };
                Item { base: size, size }
            })
            .collect()
    }

    /// Pages of a level of `count` items of which `sample` is typical (the items themselves if it has them all).
    fn level(&self, leaf: bool, count: f64, sample: &[Item]) -> f64 {
        let reserve = self.page.reserve(leaf);
        let tid = if leaf { i64::from(align(HEAP_TID, MAXALIGN)) } else { 0 };
        let (mut free, mut on_page) = (self.page.free(), 0);
        let (mut finished, mut loaded) = (0.0, 0.0);
        let mut last = Item { base: 0, size: 0 };
        for item in sample {
            // The condition of `_bt_buildadd`; the posting list of the last item counts as free, for it is cut off
            // when that item becomes the high key.
            let posting = if leaf { i64::from(last.size - last.base) } else { 0 };
            if on_page > 0 && (free < i64::from(item.size) + tid || (free + posting < reserve && on_page > 1))
            {
                finished += 1.0;
                loaded += f64::from(on_page - 1);
                // The last item moves to the new page. First items of internal pages have no key.
                let moved = if leaf { last.size } else { TUPLE_HEADER };
                free = self.page.free() - i64::from(moved + LINE_POINTER);
                on_page = 1;
            }
            let size = if leaf || on_page > 0 { item.size } else { TUPLE_HEADER };
            free -= i64::from(size + LINE_POINTER);
            on_page += 1;
            last = *item;
        }
        if count <= sample.len() as f64 + 0.5 || finished == 0.0 {
            return finished + 1.0;
        }
        // The last page of a level gives no item away.
        ((count - 1.0) * finished / loaded).ceil()
    }
}

/// All of `items`, each once, far from their neighbours (steps near the golden section).
fn mixed<T: Copy>(items: &[T]) -> impl Iterator<Item = T> + '_ {
    let length = items.len();
    let gcd = |mut a: usize, mut b: usize| {
        while b > 0 {
            (a, b) = (b, a % b);
        }
        a
    };
    let mut step = ((length as f64 * 0.618_033_988_75) as usize).max(1);
    while gcd(step, length) > 1 {
        step += 1;
    }
    (0..length).map(move |index| items[index * step % length])
}
