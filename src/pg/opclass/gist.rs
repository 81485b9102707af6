//! GiST: a tree of sampled rows in memory, shaped by the operator class's own penalty, picksplit and union.
//!
//! Replays gistdoinsert and gistSplit (gist.c), gistchoose (gistutil.c) and the sorted build (gistbuild.c). A random choice between equals
//! is made the same way every time.
//!
//! # Safety
//!
//! Its private unsafe functions run within `look_at`, under the same promises.

mod class;

use super::Scratch;
use crate::candidate::definition::IndexDefinition;
use crate::cost::size::{Storage, TreeReplay};
use crate::pg::sample::SampledRows;
use class::Classes;
use pgrx::pg_sys;

/// Page header and `GISTPageOpaqueData`.
const PAGE_OVERHEAD: u32 = 24 + 16;
/// `GIST_DEFAULT_FILLFACTOR`.
const FILLFACTOR: u32 = 90;
/// Pages that a sorted build splits anew together (`GIST_SORTED_BUILD_PAGE_NUM`).
const SORTED_PAGES: usize = 4;
/// Most bytes of leaf tuples inserted one by one, about a hundred pages: more changes the pages' fill no further.
const INSERTED_BYTES: usize = 600_000;
/// The same for a sorted build, which is cheaper.
const SORTED_BYTES: usize = 2_000_000;

/// What a page holds of one row or one page below.
pub(super) struct Entry {
    /// Decompressed.
    keys: Box<[Option<pg_sys::Datum>]>,
    /// Bytes of the compressed keys.
    end: usize,
    /// Bytes of the tuple with its line pointer.
    size: u32,
    /// Position of the page below; 0 in a leaf.
    child: usize,
}

#[derive(Default)]
struct Page {
    is_leaf: bool,
    entries: Vec<Entry>,
    bytes: u32,
}

struct Tree {
    classes: Classes,
    pages: Vec<Page>,
    root: usize,
    leaves: usize,
    room: u32,
    /// Bytes to be left free on a page.
    reserve: u32,
    chance: u64,
}

/// Builds the tree; None where an operator class lacks a function.
///
/// # Safety
/// The rows' first columns must be the definition's keys, of the types that the operator classes take.
pub(super) unsafe fn look_at(
    definition: &IndexDefinition,
    rows: &SampledRows,
    storage: Storage,
) -> Option<TreeReplay> {
    unsafe {
        let mut classes = Classes::new(definition, rows.columns())?;
        let kept: Vec<usize> = (0..rows.places().len()).filter(|row| rows.places()[*row].kept).collect();
        let fillfactor = definition.parameters.get("fillfactor").and_then(|value| value.parse().ok());
        let forced = definition.parameters.get("buffering").is_some_and(|value| value == "on");
        let sorted = classes.can_sort() && !forced;
        let most = if sorted { SORTED_BYTES } else { INSERTED_BYTES };
        let scratch = Scratch::enter();
        let leaf_entries: Vec<Entry> = spread(&kept, &mut classes, rows, most, &scratch);
        let mut tree = Tree {
            classes,
            pages: vec![Page { is_leaf: true, ..Page::default() }],
            root: 0,
            leaves: 1,
            room: storage.block_size - PAGE_OVERHEAD,
            reserve: storage.block_size * (100 - fillfactor.unwrap_or(FILLFACTOR)) / 100,
            chance: 1,
        };
        let whole = leaf_entries.len() == kept.len() && rows.fraction() >= 1.0;
        let mut replay = TreeReplay {
            rows: leaf_entries.len() as f64,
            leaf_bytes: leaf_entries.iter().map(|entry| f64::from(entry.size)).sum(),
            ..TreeReplay::default()
        };
        if sorted {
            let share = tree.build_sorted(leaf_entries, &scratch);
            replay.leaf_pages = if whole { tree.leaves as f64 } else { share * replay.leaf_bytes };
        } else {
            // Pages tend to split at the same time: the average over the last doubling is what a larger tree has.
            let count = leaf_entries.len();
            let mut shares = Vec::new();
            for (i, entry) in leaf_entries.into_iter().enumerate() {
                pgrx::check_for_interrupts!();
                tree.insert(entry);
                scratch.reset();
                if 2 * i >= count {
                    shares.push(tree.leaves as f64 / (i + 1) as f64);
                }
            }
            let mean = shares.iter().sum::<f64>() / shares.len().max(1) as f64;
            replay.leaf_pages = if whole { tree.leaves as f64 } else { (mean * count as f64).max(1.0) };
        }
        let inner: Vec<&Page> = tree.pages.iter().filter(|page| !page.is_leaf).collect();
        replay.inner_pages = inner.len() as f64;
        let downlinks: usize = inner.iter().map(|page| page.entries.len()).sum();
        let bytes: f64 = inner.iter().map(|page| f64::from(page.bytes)).sum();
        replay.downlink_bytes = match downlinks {
            // A single page: the one above would hold an entry as large as a leaf's.
            0 => replay.leaf_bytes / replay.rows.max(1.0),
            count => bytes / count as f64,
        };
        Some(replay)
    }
}

/// Leaf entries of evenly spread rows, as many as together take `most` bytes.
unsafe fn spread(
    kept: &[usize],
    classes: &mut Classes,
    rows: &SampledRows,
    most: usize,
    scratch: &Scratch,
) -> Vec<Entry> {
    unsafe {
        // A first look at some tells how wide they are.
        let probe = kept.len().min(64);
        let mut bytes = 0;
        for i in 0..probe {
            bytes += classes.leaf(rows.row(kept[i * kept.len() / probe])).size as usize;
            scratch.reset();
        }
        let width = (bytes / probe.max(1)).max(1);
        let count = kept.len().min((most / width).max(200));
        (0..count)
            .map(|i| {
                pgrx::check_for_interrupts!();
                let entry = classes.leaf(rows.row(kept[i * kept.len() / count]));
                scratch.reset();
                entry
            })
            .collect()
    }
}

impl Tree {
    /// Inserts a row from the root down.
    unsafe fn insert(&mut self, entry: Entry) {
        unsafe {
            let parts = self.insert_below(self.root, entry);
            if parts.len() > 1 {
                let bytes = parts.iter().map(|part| part.size).sum();
                self.pages.push(Page { is_leaf: false, entries: parts, bytes });
                self.root = self.pages.len() - 1;
            }
        }
    }

    /// Inserts below a page; the downlinks that are to stand for it if it had to be split.
    unsafe fn insert_below(&mut self, at: usize, entry: Entry) -> Vec<Entry> {
        unsafe {
            if self.pages[at].is_leaf {
                return self.put(at, vec![entry]);
            }
            let chosen = self.choose(at, &entry);
            let mut adjusted = {
                let old = &self.pages[at].entries[chosen];
                self.classes.union([old, &entry].into_iter())
            };
            let child = self.pages[at].entries[chosen].child;
            adjusted.child = child;
            let parts = self.insert_below(child, entry);
            let page = &mut self.pages[at];
            if parts.is_empty() {
                // The downlink grew at most.
                let old = std::mem::replace(&mut page.entries[chosen], adjusted);
                page.bytes = page.bytes + page.entries[chosen].size - old.size;
                return self.put(at, Vec::new());
            }
            let old = page.entries.remove(chosen);
            page.bytes -= old.size;
            self.put(at, parts)
        }
    }

    /// Adds entries to a page; the downlinks that are to stand for it if it had to be split.
    unsafe fn put(&mut self, at: usize, entries: Vec<Entry>) -> Vec<Entry> {
        let page = &mut self.pages[at];
        page.bytes += entries.iter().map(|entry| entry.size).sum::<u32>();
        page.entries.extend(entries);
        if page.bytes + self.reserve <= self.room {
            return Vec::new();
        }
        let is_leaf = page.is_leaf;
        let entries = std::mem::take(&mut page.entries);
        if entries.len() < 2 {
            page.entries = entries;
            return Vec::new();
        }
        let parts = unsafe { self.split(entries, is_leaf) };
        let mut downlinks = Vec::new();
        for (i, (entries, mut downlink)) in parts.into_iter().enumerate() {
            let bytes = entries.iter().map(|entry| entry.size).sum();
            let page = Page { is_leaf, entries, bytes };
            downlink.child = if i == 0 {
                self.pages[at] = page;
                at
            } else {
                self.leaves += usize::from(is_leaf);
                self.pages.push(page);
                self.pages.len() - 1
            };
            downlinks.push(downlink);
        }
        downlinks
    }

    /// Splits entries until each part fits on a page, with what covers it (gistSplit).
    unsafe fn split(&mut self, entries: Vec<Entry>, is_leaf: bool) -> Vec<(Vec<Entry>, Entry)> {
        unsafe {
            let members: Vec<usize> = (0..entries.len()).collect();
            let (left, _) = self.classes.halves(&entries, &members, 0, is_leaf);
            let mut is_left = vec![false; entries.len()];
            for i in left {
                is_left[i] = true;
            }
            let mut flags = is_left.into_iter();
            let (left, right): (Vec<Entry>, Vec<Entry>) =
                entries.into_iter().partition(|_| flags.next().unwrap_or(false));
            let mut parts = Vec::new();
            for half in [left, right] {
                let bytes: u32 = half.iter().map(|entry| entry.size).sum();
                if half.len() > 1 && bytes > self.room {
                    parts.extend(self.split(half, is_leaf));
                } else if !half.is_empty() {
                    let cover = self.classes.union(half.iter());
                    parts.push((half, cover));
                }
            }
            parts
        }
    }

    /// The downlink with the least penalty, column by column (gistchoose).
    unsafe fn choose(&mut self, at: usize, entry: &Entry) -> usize {
        let columns = self.classes.columns();
        let mut best = vec![-1.0f32; columns];
        let mut result = 0;
        let mut keep: Option<bool> = None;
        for i in 0..self.pages[at].entries.len() {
            let mut zero = true;
            let mut equal = true;
            for column in 0..columns {
                let penalty = unsafe { self.classes.penalty(column, &self.pages[at].entries[i], entry) };
                zero &= penalty <= 0.0;
                if best[column] < 0.0 || penalty < best[column] {
                    result = i;
                    best[column] = penalty;
                    if let Some(next) = best.get_mut(column + 1) {
                        *next = -1.0;
                    }
                    keep = None;
                } else if best[column] != penalty {
                    (zero, equal) = (false, false);
                    break;
                }
            }
            if equal && result != i && !*keep.get_or_insert_with(|| toss(&mut self.chance)) {
                result = i;
                keep = None;
            }
            if zero && *keep.get_or_insert_with(|| toss(&mut self.chance)) {
                break;
            }
        }
        result
    }

    /// Fills pages in order, four at a time split anew (gist_indexsortbuild). Leaf pages per byte of leaf tuples, the last pages aside,
    /// which are what is left over.
    unsafe fn build_sorted(&mut self, mut entries: Vec<Entry>, scratch: &Scratch) -> f64 {
        unsafe {
            let total: f64 = entries.iter().map(|entry| f64::from(entry.size)).sum();
            let mut flushed = (0.0, 0.0);
            entries.sort_by(|a, b| self.classes.compare(a, b));
            self.pages.clear();
            let mut is_leaf = true;
            loop {
                let mut above: Vec<Entry> = Vec::new();
                let mut waiting: Vec<Vec<Entry>> = vec![Vec::new()];
                let mut bytes = 0;
                for entry in entries {
                    pgrx::check_for_interrupts!();
                    if bytes + entry.size > self.room {
                        if waiting.len() == SORTED_PAGES {
                            let group: u32 = waiting.iter().flatten().map(|entry| entry.size).sum();
                            self.flush(std::mem::take(&mut waiting), is_leaf, &mut above);
                            scratch.reset();
                            if is_leaf {
                                flushed = (self.pages.len() as f64, flushed.1 + f64::from(group));
                            }
                        }
                        waiting.push(Vec::new());
                        bytes = 0;
                    }
                    bytes += entry.size;
                    if let Some(page) = waiting.last_mut() {
                        page.push(entry);
                    }
                }
                self.flush(waiting, is_leaf, &mut above);
                scratch.reset();
                if is_leaf {
                    self.leaves = self.pages.len();
                }
                if above.len() <= 1 {
                    break;
                }
                (entries, is_leaf) = (above, false);
            }
            match flushed {
                (0.0, _) => self.leaves as f64 / total.max(1.0),
                (pages, bytes) => pages / bytes,
            }
        }
    }

    /// Writes out what waits, and its downlinks.
    unsafe fn flush(&mut self, waiting: Vec<Vec<Entry>>, is_leaf: bool, above: &mut Vec<Entry>) {
        let several = waiting.len() > 1;
        let entries: Vec<Entry> = waiting.into_iter().flatten().collect();
        let parts = unsafe {
            if several {
                self.split(entries, is_leaf)
            } else {
                let cover = self.classes.union(entries.iter());
                vec![(entries, cover)]
            }
        };
        for (entries, mut cover) in parts {
            let bytes = entries.iter().map(|entry| entry.size).sum();
            self.pages.push(Page { is_leaf, entries, bytes });
            cover.child = self.pages.len() - 1;
            above.push(cover);
        }
    }
}

/// A coin that falls the same way every time (xorshift).
fn toss(state: &mut u64) -> bool {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state & 1 == 1
}
