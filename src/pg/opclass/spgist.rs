//! SP-GiST: the leaf tuples of sampled rows, cut short where the operator class stores only suffixes.
//!
//! # Safety
//!
//! Its private unsafe functions run within `look_at`, under the same promises.

use super::super::spgist::config;
use super::{Function, Scratch, Stored, aligned};
use crate::candidate::definition::IndexDefinition;
use crate::cost::size::LeafSizes;
use crate::pg::sample::{SampledRows, Value};
use pgrx::pg_sys;

/// `SPGIST_COMPRESS_PROC`.
const COMPRESS_PROCEDURE: u32 = 6;
/// `SGLTHDRSZ`, with or without NULL bitmap; also the least a tuple takes (`SGDTSIZE`).
const LEAF_HEADER: usize = 16;
const LINE_POINTER: usize = 4;
/// Bytes of an inner tuple without prefix (`SGITHDRSZ`), and of one of its nodes: header and a label passed by value.
const INNER_HEADER: usize = 8;
const NODE: usize = 8 + 8;
/// Rows that stay together under one prefix: a chain of fewer than 64 (spgdoinsert) is moved rather than split, and a page holds some hundred.
const CHAIN: f64 = 80.0;
/// How many labels follow a prefix where the sample is too thin to show it.
const BRANCHES: f64 = 16.0;

/// Measures the leaf tuples; None where the class has no config function.
///
/// # Safety
/// The rows' first column must be the definition's key, of the type that the operator class takes.
pub(super) unsafe fn look_at(definition: &IndexDefinition, rows: &SampledRows) -> Option<LeafSizes> {
    unsafe {
        let key = definition.keys.first()?;
        let config = config(key)?;
        let column = rows.columns().first()?.type_oid;
        let stored =
            Stored::of(if config.leaf_type == pg_sys::InvalidOid { column } else { config.leaf_type });
        let included: Vec<Stored> =
            rows.columns()[1..].iter().map(|column| Stored::of(column.type_oid)).collect();
        let mut compress = Function::of(key, COMPRESS_PROCEDURE, std::ptr::null_mut());
        let is_suffixing = config.long_values_ok && stored.length == -1;
        let mut sizes = LeafSizes::default();
        let mut texts: Vec<Text> = Vec::new();
        let scratch = Scratch::enter();
        for row in (0..rows.places().len()).filter(|row| rows.places()[*row].kept) {
            pgrx::check_for_interrupts!();
            let values = rows.row(row);
            sizes.rows += 1.0;
            let after = |key_end: usize| {
                let ends =
                    included.iter().zip(&values[1..]).fold(key_end, |end, (stored, value)| match value {
                        Value::Datum(datum) => stored.end(end, stored.image(datum).len()),
                        Value::Wide(bytes) => end + bytes,
                        Value::Null => end,
                    });
                (aligned(LEAF_HEADER + ends) + LINE_POINTER) as f64
            };
            match &values[0] {
                Value::Null => sizes.leaf_bytes += after(0),
                // Only a suffixing class takes it: a page's worth of inner tuples leads to it.
                Value::Wide(_) => sizes.leaf_bytes += after(1),
                Value::Datum(datum) => {
                    let leaf = match &mut compress {
                        Some(compress) => compress.call1(*datum),
                        None => *datum,
                    };
                    let image = stored.image(&leaf);
                    if is_suffixing {
                        let more = after(0) as usize - LEAF_HEADER - LINE_POINTER;
                        texts.push(Text { bytes: image.to_vec(), more });
                    } else {
                        sizes.leaf_bytes += after(stored.end(0, image.len()));
                    }
                }
            }
            scratch.reset();
        }
        drop(scratch);
        texts.sort_by(|a, b| a.bytes.cmp(&b.bytes));
        let mut trie = Trie { stored, fraction: rows.fraction().max(1e-9), leaf: 0.0, inner: 0.0 };
        trie.descend(&texts, 0);
        sizes.leaf_bytes += trie.leaf;
        sizes.inner_bytes_per_row = trie.inner * trie.fraction / sizes.rows.max(1.0);
        Some(sizes)
    }
}

/// A value of which the tree stores what follows a prefix.
struct Text {
    bytes: Vec<u8>,
    /// Bytes of what is stored beside it.
    more: usize,
}

/// The radix tree of the whole relation, as the sample shows it (`spgtextproc.c`).
struct Trie {
    stored: Stored,
    /// Share of the relation's pages that was read.
    fraction: f64,
    /// Bytes of leaf tuples of the sample.
    leaf: f64,
    /// Bytes of inner tuples of the relation.
    inner: f64,
}

impl Trie {
    /// Texts that share their first `depth` bytes, in order.
    fn descend(&mut self, texts: &[Text], depth: usize) {
        let (Some(first), Some(last)) = (texts.first(), texts.last()) else { return };
        let expected = texts.len() as f64 / self.fraction;
        if expected <= CHAIN || texts.len() == 1 {
            // Below what the sample shows, each level has its labels.
            let levels = (expected / CHAIN).ln() / BRANCHES.ln();
            let unseen = if levels > 0.0 { levels.ceil() as usize } else { 0 };
            for text in texts {
                self.put(text, depth + unseen);
            }
            return;
        }
        let limit = first.bytes.len().min(last.bytes.len());
        let shared = (depth..limit).take_while(|i| first.bytes[*i] == last.bytes[*i]).count();
        let end = depth + shared;
        if first.bytes.len() == end && last.bytes.len() == end {
            // All the same: nothing is left to tell them apart by.
            texts.iter().for_each(|text| self.put(text, end));
            return;
        }
        let label = |text: &Text| text.bytes.get(end).copied();
        let mut nodes = 0;
        let mut rest = texts;
        while let Some(text) = rest.first() {
            let same = rest.partition_point(|other| label(other) <= label(text));
            let (group, others) = rest.split_at(same);
            self.descend(group, end + 1);
            nodes += 1;
            rest = others;
        }
        self.inner += (INNER_HEADER + aligned(shared + 1) + nodes * NODE + LINE_POINTER) as f64;
    }

    fn put(&mut self, text: &Text, depth: usize) {
        let suffix = text.bytes.len().saturating_sub(depth);
        self.leaf += (aligned(LEAF_HEADER + self.stored.end(0, suffix) + text.more) + LINE_POINTER) as f64;
    }
}
