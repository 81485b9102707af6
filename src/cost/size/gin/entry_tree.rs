//! `EntryTree`: the leaf level of GIN's tree of keys, filled batch by batch as CREATE INDEX fills it.
//!
//! Replays `ginEntryInsert` (gininsert.c) and `entrySplitPage` (ginentrypage.c) on the sizes of tuples alone.

/// One key: the size of its tuple depends on how many rows have come so far.
pub(super) trait Growing {
    /// Bytes of the tuple with its line pointer once this share of the rows is in; None before the first row with the key.
    fn size(&self, share: f64) -> Option<u32>;
}

struct Page {
    /// Positions of keys, ascending.
    keys: Vec<u32>,
    bytes: u32,
}

/// Number of leaf pages after batches that each bring rows up to a share of all, the last up to 1. `keys` are in key order.
pub(super) fn leaf_pages<K: Growing>(keys: &[K], batches: &[f64], capacity: u32) -> usize {
    let mut sizes = vec![0u32; keys.len()];
    let mut pages = vec![Page { keys: Vec::new(), bytes: 0 }];
    for share in batches {
        for (i, key) in keys.iter().enumerate() {
            let Some(size) = key.size(*share).filter(|size| *size != sizes[i]) else { continue };
            let key = i as u32;
            let mut at = pages.partition_point(|page| page.keys.first().is_some_and(|first| *first <= key));
            at = at.saturating_sub(1);
            let page = &mut pages[at];
            if sizes[i] == 0 {
                let place = page.keys.partition_point(|other| *other < key);
                page.keys.insert(place, key);
            }
            page.bytes = page.bytes + size - sizes[i];
            sizes[i] = size;
            if page.bytes > capacity && page.keys.len() > 1 {
                let right = split(page, &sizes);
                pages.insert(at + 1, right);
            }
        }
    }
    pages.len()
}

/// Moves the right half to a new page: the left one takes tuples as long as it holds no more than half.
fn split(page: &mut Page, sizes: &[u32]) -> Page {
    let total = page.bytes;
    let mut left = 0;
    let mut cut = 0;
    while cut < page.keys.len() - 1 && left <= total / 2 {
        left += sizes[page.keys[cut] as usize];
        cut += 1;
    }
    let keys = page.keys.split_off(cut);
    page.bytes = left;
    Page { keys, bytes: total - left }
}
