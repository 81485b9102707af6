//! A GIN index as CREATE INDEX would build it, without fast update: a tree of keys, each with the rows that have it, inline or as a tree
//! of their own.
//!
//! Keys are estimated from a sample (`population`), what they take is computed as `gininsert.c` and `ginpostinglist.c` lay it out.

mod entry_tree;
mod population;

use super::sample::{Entries, GinKeys};
use super::{Sample, SizeEstimate, Storage};
use entry_tree::{Growing, leaf_pages};
use population::{KeyClass, classes};

// Sizes from PostgreSQL's ginblock.h, gindatapage.c, ginpostinglist.c and itup.h.
/// Page header and `GinPageOpaqueData`.
const PAGE_OVERHEAD: u32 = 24 + 8;
/// The same and the right bound of a posting tree's leaf.
const DATA_PAGE_OVERHEAD: f64 = 24.0 + 8.0 + 8.0;
const LINE_POINTER: u32 = 4;
/// `offsetof(GinPostingList, bytes)`: the first item and the length.
const POSTING_HEADER: f64 = 8.0;
/// `GinPostingListSegmentMaxSize` and `GinPostingListSegmentTargetSize`: a segment in between is what leafRepackItems leaves.
const SEGMENT: f64 = (384.0 + 256.0) / 2.0;
/// Bits of an item pointer's number that the offset takes (`MaxHeapTuplesPerPageBits`).
const OFFSET_BITS: u32 = 11;
/// Bytes of a downlink of a posting tree (`PostingItem`).
const POSTING_DOWNLINK: f64 = 10.0;
/// Bytes of a `GinEntryAccumulator` (ginbulk.c, gin_private.h), a first list of five items and two allocations' headers.
const ACCUMULATOR: f64 = 64.0 + 32.0 + 2.0 * 16.0;
/// Items of that first list (`DEF_NPTR`); it doubles from there.
const FIRST_LIST: f64 = 5.0;
/// Keys replayed; more are extrapolated from these.
const REPLAYED: f64 = 20_000.0;
/// Batches replayed; with more, the pages are as full as random insertion leaves them.
const MOST_BATCHES: usize = 40;

/// Estimates an index of `trees` trees, one for each partition; None where the sample is of another access method.
pub(super) fn estimate(sample: &Sample, trees: u32, storage: Storage) -> Option<SizeEstimate> {
    let Entries::Gin(found) = &sample.entries else { return None };
    let rows = sample.indexed_rows();
    let trees = f64::from(trees.max(1));
    let layout = Layout { block_size: storage.block_size, total_pages: sample.total_pages.max(1.0) };
    let classes = classes(&found.groups, sample.fraction().max(1e-9));
    let shares = batches(found, &classes);
    let (leaves, tuple) = layout.entry_leaves(&classes, &shares);
    let split_fill = if shares.len() == 1 { 0.52 } else { 0.69 };
    let above = inner_pages(leaves, f64::from(storage.block_size - PAGE_OVERHEAD) * split_fill / tuple);
    let posting: f64 = classes.iter().map(|class| class.keys * layout.posting_tree(class)).sum();
    // Each tree has a metapage and a root.
    let pages = (trees + leaves + above + posting).max(2.0 * trees).round();
    Some(SizeEstimate { pages, tuples: rows, tree_height: None, block_size: storage.block_size })
}

/// Pages of the levels above `leaves` pages.
fn inner_pages(leaves: f64, fanout: f64) -> f64 {
    let mut level = leaves;
    let mut above = 0.0;
    while level > 1.0 {
        level = (level / fanout.max(2.0)).ceil();
        above += level;
    }
    above
}

/// How keys and item pointers are laid out.
struct Layout {
    block_size: u32,
    /// Pages of the relation.
    total_pages: f64,
}

/// A key of the replay.
struct ReplayedKey {
    base: f64,
    items: f64,
    bytes_per_item: f64,
    /// When in the course of the build the key's first row comes, as a share of its average distance.
    phase: f64,
    limit: f64,
}

impl Growing for ReplayedKey {
    fn size(&self, share: f64) -> Option<u32> {
        let items = (self.items.max(1.0) * share + self.phase).floor();
        if items < 1.0 {
            return None;
        }
        let inline = aligned(self.base + posting_list(items, self.bytes_per_item));
        let size = if inline > self.limit { aligned(self.base) } else { inline };
        Some(size as u32 + LINE_POINTER)
    }
}

impl Layout {
    /// `GinMaxItemSize`.
    fn item_limit(&self) -> f64 {
        f64::from((self.block_size - 24 - 3 * LINE_POINTER - 4 - 8) / 3 / 8 * 8)
    }

    /// Leaf pages of the tree of keys, and the average size of a key's tuple without posting list, with line pointer.
    fn entry_leaves(&self, classes: &[KeyClass], shares: &[f64]) -> (f64, f64) {
        let total: f64 = classes.iter().map(|class| class.keys).sum();
        let replayed = total.min(REPLAYED).round();
        if replayed < 1.0 {
            return (1.0, 20.0);
        }
        let mut keys: Vec<ReplayedKey> = Vec::new();
        let mut sum = 0.0;
        let mut base = 0.0;
        for class in classes {
            sum += class.keys;
            base += class.keys * class.bytes;
            let until = (sum * replayed / total).round() as usize;
            while keys.len() < until {
                let n = keys.len() as f64;
                keys.push(ReplayedKey {
                    base: class.bytes,
                    items: class.items,
                    bytes_per_item: self.bytes_per_item(class),
                    // Evenly spread over 0 to 1, by the golden ratio.
                    phase: (n * 0.618_033_988_749_895).fract(),
                    limit: self.item_limit(),
                });
            }
        }
        // Frequency tells nothing of a key's place in the order.
        let count = keys.len();
        let stride =
            (1..).map(|k| (count as f64 * 0.381_966) as usize + k).find(|k| coprime(*k, count)).unwrap_or(1);
        let mut shuffled: Vec<Option<ReplayedKey>> = keys.into_iter().map(Some).collect();
        let order: Vec<ReplayedKey> =
            (0..count).filter_map(|i| shuffled[(i * stride) % count].take()).collect();
        let pages = leaf_pages(&order, shares, self.block_size - PAGE_OVERHEAD) as f64;
        let scale = total / replayed;
        (if scale > 1.0 { pages * scale } else { pages }, base / total + f64::from(LINE_POINTER) + 4.0)
    }

    /// Average bytes of an item pointer after the first of its list (encode_varbyte, ginpostinglist.c: seven bits a byte, of the
    /// distance to the one before).
    fn bytes_per_item(&self, class: &KeyClass) -> f64 {
        let items = class.items.max(1.0);
        let pages = class.pages.clamp(1.0, items.min(self.total_pages));
        // Pages until the next with the key, distributed geometrically.
        let next_within = (pages / self.total_pages).min(1.0);
        let beyond = |bits: u32| {
            let distance = 2f64.powi((bits - OFFSET_BITS) as i32);
            (1.0 - next_within).max(0.0).powf(distance - 1.0)
        };
        let across = 2.0 + beyond(14) + beyond(21) + beyond(28) + beyond(35);
        let share_across = (pages - 1.0).max(0.0) / (items - 1.0).max(1.0);
        across * share_across + 1.0 * (1.0 - share_across)
    }

    /// Pages of the posting tree of one key; 0 where the list is inline.
    fn posting_tree(&self, class: &KeyClass) -> f64 {
        let bytes_per_item = self.bytes_per_item(class);
        let list = posting_list(class.items.max(1.0), bytes_per_item);
        if aligned(class.bytes + list) <= self.item_limit() {
            return 0.0;
        }
        let room = f64::from(self.block_size) - DATA_PAGE_OVERHEAD;
        // Whole segments on a page: half of one stays free.
        let fill = (room - SEGMENT / 2.0) / (1.0 + POSTING_HEADER / SEGMENT);
        let leaves = (list / fill).ceil();
        leaves + inner_pages(leaves, room / POSTING_DOWNLINK)
    }
}

/// Bytes of a compressed posting list (`SizeOfGinPostingList`).
fn posting_list(items: f64, bytes_per_item: f64) -> f64 {
    POSTING_HEADER + ((items - 1.0) * bytes_per_item / 2.0).ceil() * 2.0
}

/// MAXALIGN.
fn aligned(bytes: f64) -> f64 {
    (bytes / 8.0).ceil() * 8.0
}

fn coprime(a: usize, b: usize) -> bool {
    let (mut a, mut b) = (a, b);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a == 1
}

/// The shares of the rows after which CREATE INDEX writes out what it has collected; the last is 1.
fn batches(found: &GinKeys, classes: &[KeyClass]) -> Vec<f64> {
    let fits = |share: f64| memory(classes, share) <= found.build_memory;
    if found.sorted || found.build_memory <= 0.0 || fits(1.0) {
        return vec![1.0];
    }
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..30 {
        let middle = (low + high) / 2.0;
        if fits(middle) { low = middle } else { high = middle }
    }
    let count = ((1.0 / low.max(1e-9)).ceil() as usize).clamp(2, MOST_BATCHES);
    let step = low.max(1.0 / count as f64);
    (1..=count).map(|i| if i == count { 1.0 } else { (i as f64 * step).min(1.0) }).collect()
}

/// Bytes that the keys of this share of the rows take in memory (ginbulk.c).
fn memory(classes: &[KeyClass], share: f64) -> f64 {
    classes
        .iter()
        .map(|class| {
            let items = class.items * share;
            let present = -(-items).exp_m1();
            let key = (class.bytes - 8.0).max(8.0).log2().ceil().exp2();
            let key = if class.bytes > 16.0 { key + 16.0 } else { 0.0 };
            let mut list = FIRST_LIST;
            while list < items {
                list *= 2.0;
            }
            let list = if list > FIRST_LIST { (list * 6.0).log2().ceil().exp2() } else { 0.0 };
            class.keys * present * (ACCUMULATOR + key + list)
        })
        .sum()
}
