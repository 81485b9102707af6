//! Several uses: what a statement that reads a relation in several places asks of it as a whole.
//!
//! Each place asks for its own columns; one index with those of all of them serves them all. Looks at the asks of one statement,
//! adds keys to none.

use super::ask::Ask;
use super::definition::{IndexDefinition, KeyPart};
use super::generate::Options;
use super::width::{column_width, copies_the_table};
use crate::catalog::{AttrNumber, Catalog, Relation};
use std::collections::BTreeMap;

/// For asks that differ in nothing but their included columns: the ask with the columns of all of them, as far as these fit.
pub(super) fn joined(asks: &[Ask], catalog: &Catalog, options: &Options) -> Vec<Ask> {
    let mut alike: BTreeMap<(IndexDefinition, bool, usize), Vec<&Ask>> = BTreeMap::new();
    for ask in asks.iter().filter(|ask| !ask.include.is_empty()) {
        let bare = IndexDefinition { include: Vec::new(), ..ask.index(KeyPart::cmp) };
        alike.entry((bare, ask.directed, ask.equal.len())).or_default().push(ask);
    }
    let mut joined = Vec::new();
    for group in alike.into_values().filter(|group| group.len() > 1) {
        let Some(relation) = catalog.relations.get(&group[0].relation) else { continue };
        let mut whole = group[0].clone();
        for ask in &group[1..] {
            let mut include = [whole.include.as_slice(), &ask.include].concat();
            include.sort_unstable();
            include.dedup();
            if fits(&whole, &include, relation, options) {
                whole.include = include;
            }
        }
        if group.iter().all(|ask| ask.include != whole.include) {
            joined.push(whole);
        }
    }
    joined
}

fn fits(ask: &Ask, include: &[AttrNumber], relation: &Relation, options: &Options) -> bool {
    let keys: Vec<AttrNumber> = ask.key_columns().collect();
    let width: f64 = include.iter().map(|number| column_width(relation, *number)).sum();
    include.len() <= options.max_include_columns
        && width <= options.max_include_width
        && !copies_the_table(relation, &keys, include)
}
