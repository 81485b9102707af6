//! Numbers in place of things, for what asks only which of them are the same.

use rustc_hash::FxHashMap;
use std::hash::Hash;

/// Gives out a number for each thing, from 0 in the order they come, and for one that was there the same again.
pub fn numbering<T: Hash + Eq>() -> impl FnMut(T) -> u32 {
    let mut known = FxHashMap::default();
    move |thing| {
        let next = known.len() as u32;
        *known.entry(thing).or_insert(next)
    }
}

#[cfg(test)]
mod tests {
    use super::numbering;

    #[test]
    fn the_same_have_the_same_number() {
        let numbers: Vec<u32> = ["b", "a", "b", "c", "a"].into_iter().map(numbering()).collect();
        assert_eq!(numbers, [0, 1, 0, 2, 1]);
    }
}
