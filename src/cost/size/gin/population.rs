//! `KeyClass`: the keys of a whole relation, estimated from those on sampled pages.
//!
//! Which distribution of keys over pages makes what was seen most likely is found by expectation maximisation over a grid of
//! frequencies, as Efron and Thisted (Biometrika 1976) put the question and Valiant and Valiant (*Estimating the Unseen*, J. ACM 2017)
//! answer it by the whole spectrum rather than by the number of keys seen once. An estimator of the number alone (Haas and Stokes, as
//! analyze.c uses it) fails where unique keys are mixed with frequent ones, as in a jsonb column. Pages, not rows, are what is
//! sampled, so what counts is on how many pages a key was seen: keys of neighbouring rows are not independent.

use crate::cost::size::sample::KeyGroup;

/// Keys of one frequency.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct KeyClass {
    pub keys: f64,
    /// Pages of the relation with rows that have the key, each.
    pub pages: f64,
    /// Rows with the key, each.
    pub items: f64,
    /// Bytes of the index tuple without posting list.
    pub bytes: f64,
}

/// Keys seen on more pages than this are as frequent as they look.
const RARE: u32 = 30;
/// Step between two frequencies that are told apart.
const STEP: f64 = 1.25;
/// Steps of expectation maximisation; the estimates hardly move beyond.
const ITERATIONS: usize = 400;

/// The keys of the whole relation, of which a share `fraction` of the pages was read.
pub(super) fn classes(groups: &[KeyGroup], fraction: f64) -> Vec<KeyClass> {
    let (rare, frequent): (Vec<&KeyGroup>, Vec<&KeyGroup>) = groups
        .iter()
        .filter(|group| group.keys > 0.0)
        .partition(|group| group.pages <= RARE && fraction < 0.999);
    let mut classes: Vec<KeyClass> = frequent
        .into_iter()
        .map(|group| KeyClass {
            keys: group.keys,
            pages: f64::from(group.pages) / fraction,
            items: group.items / group.keys / fraction,
            bytes: group.bytes / group.keys,
        })
        .collect();
    if !rare.is_empty() {
        classes.extend(unseen(&rare, fraction));
    }
    classes
}

fn unseen(groups: &[&KeyGroup], fraction: f64) -> Vec<KeyClass> {
    let mut grid = vec![1.0f64];
    while let Some(last) = grid.last().copied().filter(|last| *last < f64::from(RARE) / fraction) {
        grid.push((last * STEP).round().max(last + 1.0));
    }
    // chance[x][g]: that a key on grid[x] pages is seen on as many as group g says.
    let chance: Vec<Vec<f64>> = grid
        .iter()
        .map(|pages| groups.iter().map(|group| binomial(f64::from(group.pages), *pages, fraction)).collect())
        .collect();
    // That it is seen at all. Keys at the grid's end that are seen more often than `RARE` are counted as frequent ones.
    let seen: Vec<f64> = grid.iter().map(|pages| -(pages * (-fraction).ln_1p()).exp_m1()).collect();
    let mut keys: Vec<f64> = grid.iter().map(|pages| 1.0 / pages).collect();
    for _ in 0..ITERATIONS {
        let ratios = ratios(groups, &chance, &keys);
        for (x, keys) in keys.iter_mut().enumerate() {
            let pull: f64 = chance[x].iter().zip(&ratios).map(|(chance, ratio)| chance * ratio).sum();
            *keys *= pull / seen[x];
        }
    }
    let ratios = ratios(groups, &chance, &keys);
    grid.iter()
        .zip(&keys)
        .zip(&chance)
        .filter(|((_, keys), _)| **keys > 1e-6)
        .map(|((pages, keys), chance)| {
            // What the keys of each group are like, weighted by how many of them belong here.
            let weights = || chance.iter().zip(&ratios).map(|(chance, ratio)| chance * ratio);
            let total: f64 = weights().sum::<f64>().max(1e-300);
            let mean = |of: fn(&KeyGroup) -> f64| {
                weights().zip(groups).map(|(weight, group)| weight * of(group)).sum::<f64>() / total
            };
            KeyClass {
                keys: *keys,
                pages: *pages,
                items: pages * mean(|group| group.items / group.keys / f64::from(group.pages.max(1))),
                bytes: mean(|group| group.bytes / group.keys),
            }
        })
        .collect()
}

/// Keys seen over keys expected, by group.
fn ratios(groups: &[&KeyGroup], chance: &[Vec<f64>], keys: &[f64]) -> Vec<f64> {
    let expected = |g: usize| keys.iter().zip(chance).map(|(keys, chance)| keys * chance[g]).sum::<f64>();
    groups.iter().enumerate().map(|(g, group)| group.keys / expected(g).max(1e-300)).collect()
}

/// The chance of `hits` in `trials`.
fn binomial(hits: f64, trials: f64, chance: f64) -> f64 {
    if hits > trials {
        return 0.0;
    }
    let mut logarithm = hits * chance.ln() + (trials - hits) * (-chance).ln_1p();
    let mut k = 0.0;
    while k < hits {
        logarithm += ((trials - k) / (k + 1.0)).ln();
        k += 1.0;
    }
    logarithm.exp()
}
