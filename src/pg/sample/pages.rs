//! `Spread`: which pages of which tables a sample reads, and in which order.
//!
//! Pure arithmetic; reads nothing.

/// Tables of a partitioned one that are looked at, at most: each takes a lock and a plan.
const MAX_LEAVES: usize = 64;

/// A table with storage.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Leaf {
    /// Schema and name, quoted.
    pub sql_name: String,
    pub pages: u32,
}

/// One page of one table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Page {
    /// Position in `Spread::leaves`.
    pub leaf: usize,
    pub block: u32,
}

/// Pages chosen evenly over all pages of all tables, which share them in proportion to their size.
pub(super) struct Spread {
    pub leaves: Vec<Leaf>,
    /// Pages of all tables, chosen or not.
    pub total_pages: f64,
    /// Pages before each of `leaves`, and at the end of all.
    starts: Vec<u64>,
    chosen: u64,
}

impl Spread {
    /// At most `max_pages` pages.
    pub fn new(all: &[Leaf], max_pages: u32) -> Spread {
        let filled: Vec<&Leaf> = all.iter().filter(|leaf| leaf.pages > 0).collect();
        let total_pages = filled.iter().map(|leaf| f64::from(leaf.pages)).sum();
        let most = MAX_LEAVES.min(max_pages as usize);
        let leaves: Vec<Leaf> = if filled.len() <= most {
            filled.into_iter().cloned().collect()
        } else {
            // The tables in which evenly spread pages lie.
            let starts = starts(filled.iter().map(|leaf| leaf.pages));
            let mut picked: Vec<usize> = (0..most as u64)
                .map(|k| leaf_of(&starts, evenly(k, most as u64, *starts.last().unwrap_or(&0))))
                .collect();
            picked.dedup();
            picked.into_iter().map(|i| filled[i].clone()).collect()
        };
        let starts = starts(leaves.iter().map(|leaf| leaf.pages));
        let chosen = starts.last().copied().unwrap_or(0).min(u64::from(max_pages));
        Spread { leaves, total_pages, starts, chosen }
    }

    /// The chosen pages, ordered so that those read before any stop are evenly spread as well (van der Corput's sequence).
    /// With `scattered`, each lies anywhere in its part of the table, in the same place every time: what comes again at equal distances is not
    /// met again and again.
    pub fn pages(&self, scattered: bool) -> impl Iterator<Item = Page> + '_ {
        let bits = u64::BITS - self.chosen.saturating_sub(1).leading_zeros();
        let order = (0..1u64 << bits)
            .map(move |k| if bits == 0 { 0 } else { k.reverse_bits() >> (u64::BITS - bits) });
        let total = self.starts.last().copied().unwrap_or(0);
        order.filter(|k| *k < self.chosen).map(move |k| {
            let page =
                if scattered { somewhere(k, self.chosen, total) } else { evenly(k, self.chosen, total) };
            let leaf = leaf_of(&self.starts, page);
            Page { leaf, block: (page - self.starts[leaf]) as u32 }
        })
    }
}

/// The middle of the `k`-th of `parts` equal parts of `total`.
fn evenly(k: u64, parts: u64, total: u64) -> u64 {
    ((2 * u128::from(k) + 1) * u128::from(total) / (2 * u128::from(parts.max(1)))) as u64
}

/// A page of the `k`-th of `parts` equal parts of `total`, by the fractions of multiples of the golden section.
fn somewhere(k: u64, parts: u64, total: u64) -> u64 {
    let begin = |k: u64| (u128::from(k) * u128::from(total) / u128::from(parts.max(1))) as u64;
    let length = (begin(k + 1) - begin(k)).max(1);
    begin(k) + ((k as f64 * 0.618_033_988_749_895).fract() * length as f64) as u64 % length
}

fn starts(sizes: impl Iterator<Item = u32>) -> Vec<u64> {
    let ends = sizes.scan(0, |end, size| {
        *end += u64::from(size);
        Some(*end)
    });
    std::iter::once(0).chain(ends).collect()
}

fn leaf_of(starts: &[u64], page: u64) -> usize {
    starts.partition_point(|start| *start <= page).saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn tables(pages: &[u32]) -> Vec<Leaf> {
        pages.iter().enumerate().map(|(i, pages)| Leaf { sql_name: format!("t{i}"), pages: *pages }).collect()
    }

    #[test]
    fn a_small_table_is_read_wholly_and_once() {
        for pages in [0, 1, 2, 7, 299, 300] {
            let spread = Spread::new(&tables(&[pages]), 300);
            let read: Vec<u32> = spread.pages(false).map(|page| page.block).collect();
            let distinct: BTreeSet<u32> = read.iter().copied().collect();
            assert_eq!((read.len(), distinct.len() as u32), (pages as usize, pages));
            assert!(distinct.iter().all(|block| *block < pages));
        }
    }

    #[test]
    fn scattered_pages_lie_each_in_its_part_at_no_equal_distances() {
        for pages in [7, 100, 706, 1_000_000, u32::MAX] {
            let spread = Spread::new(&tables(&[pages]), 100);
            let read: BTreeSet<u32> = spread.pages(true).map(|page| page.block).collect();
            assert_eq!(read.len() as u32, pages.min(100));
            let read: Vec<u32> = read.into_iter().collect();
            let gaps: BTreeSet<u32> = read.windows(2).map(|pair| pair[1] - pair[0]).collect();
            assert!(pages <= 100 || gaps.len() > 2, "{gaps:?}");
            assert!(gaps.last().is_none_or(|gap| *gap <= 2 * (pages / 100 + 1)), "{gaps:?}");
        }
    }

    #[test]
    fn no_more_than_allowed_and_evenly() {
        let spread = Spread::new(&tables(&[1_000_000]), 300);
        let read: Vec<u32> = spread.pages(false).map(|page| page.block).collect();
        assert_eq!(read.len(), 300);
        let mut sorted = read.clone();
        sorted.sort();
        assert!(sorted.windows(2).all(|pair| (3332..=3335).contains(&(pair[1] - pair[0]))));
        // Also when stopped early: no gap is more than four times the average one.
        let mut begun = read[..50].to_vec();
        begun.sort();
        assert!(begun.windows(2).all(|pair| pair[1] - pair[0] < 80_000));
        assert_eq!(Spread::new(&tables(&[u32::MAX]), 1).pages(false).count(), 1);
    }

    #[test]
    fn partitions_share_in_proportion() {
        let spread = Spread::new(&tables(&[3000, 0, 1000]), 400);
        let of = |leaf| spread.pages(false).filter(|page| page.leaf == leaf).count();
        assert_eq!((spread.leaves.len(), of(0), of(1), spread.total_pages), (2, 300, 100, 4000.0));
        let many = Spread::new(&tables(&[10; 1000]), 300);
        assert_eq!(
            (many.leaves.len(), many.pages(false).count(), many.total_pages),
            (MAX_LEAVES, 300, 10_000.0)
        );
        let pages: BTreeSet<Page> = many.pages(false).collect();
        assert_eq!(pages.len(), 300);
        assert!(pages.iter().all(|page| page.block < 10));
    }
}
