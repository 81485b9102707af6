//! The size models of GIN, GiST and SP-GiST on samples recorded from servers, against the indexes that were there:
//! `tests/cases/sampled_sizes.py` made the files.

use super::*;

#[derive(Deserialize)]
struct Recorded {
    index: String,
    method: AccessMethod,
    pages: f64,
    sample: Sample,
}

/// The cases of each server version.
fn measured() -> [Vec<Recorded>; 2] {
    [
        include_str!("../../../../tests/cases/sampled_sizes_15.json"),
        include_str!("../../../../tests/cases/sampled_sizes_18.json"),
    ]
    .map(|text| serde_json::from_str(text).expect("the cases can be read"))
}

fn pages(case: &Recorded) -> f64 {
    let storage = Storage { block_size: 8192, bpchar_deduplicates: false };
    let sample = &case.sample;
    let size = match case.method {
        AccessMethod::Gin => gin::estimate(sample, 1, storage),
        AccessMethod::Gist => gist::estimate(sample, 1, storage),
        AccessMethod::Spgist => spgist::estimate(sample, 1, storage),
        other => panic!("{other:?} needs no sample"),
    };
    size.expect("the sample is of this access method").pages
}

/// Asserts bounds on the median and on the largest error, where an error of three pages is none.
fn assert_near(method: AccessMethod, median: f64, most: f64) {
    for cases in measured() {
        let mut errors: Vec<(f64, String)> = cases
            .iter()
            .filter(|case| case.method == method)
            .map(|case| {
                let estimate = pages(case);
                let ratio = (estimate / case.pages).max(case.pages / estimate);
                let error = if (estimate - case.pages).abs() <= 3.0 { 0.0 } else { ratio - 1.0 };
                (error, format!("{}: {estimate} of {} pages", case.index, case.pages))
            })
            .collect();
        errors.sort_by(|a, b| b.0.total_cmp(&a.0));
        assert!(errors.len() >= 30, "{} cases", errors.len());
        let lines: Vec<&str> = errors.iter().take(10).map(|(_, line)| line.as_str()).collect();
        let found = errors[errors.len() / 2].0;
        assert!(found <= median && errors[0].0 <= most, "median {found:.3}, most:\n{}", lines.join("\n"));
    }
}

#[test]
fn gin_estimates_are_near_real_indexes() {
    assert_near(AccessMethod::Gin, 0.1, 0.35);
}

#[test]
fn gist_estimates_are_near_real_indexes() {
    assert_near(AccessMethod::Gist, 0.1, 0.65);
}

#[test]
fn spgist_estimates_are_near_real_indexes() {
    assert_near(AccessMethod::Spgist, 0.15, 0.5);
}

#[test]
fn a_wrong_kind_of_sample_says_nothing() {
    let storage = Storage::from(8192);
    let sample = Sample { rows: 10.0, total_pages: 1.0, sampled_pages: 1.0, ..Sample::default() };
    assert_eq!(gin::estimate(&sample, 1, storage), None);
    assert_eq!(gist::estimate(&sample, 1, storage), None);
    assert_eq!(spgist::estimate(&sample, 1, storage), None);
}

/// A GIN sample of one kind of keys, each in one row, on one page.
fn unique_keys(rows: f64, total_pages: f64, sampled_pages: f64) -> Sample {
    let group = KeyGroup { pages: 1, keys: rows, items: rows, bytes: 16.0 * rows };
    let keys = GinKeys { groups: vec![group], build_memory: 64.0 * 1024.0 * 1024.0, sorted: false };
    Sample { relation_rows: rows, rows, total_pages, sampled_pages, entries: Entries::Gin(keys) }
}

#[test]
fn unseen_keys_are_counted_in() {
    let storage = Storage::from(8192);
    let pages = |sample: &Sample| gin::estimate(sample, 1, storage).expect("GIN").pages;
    let whole = pages(&unique_keys(100_000.0, 1000.0, 1000.0));
    let tenth = pages(&unique_keys(10_000.0, 1000.0, 100.0));
    // Every key is on one page, and nothing that was seen says otherwise: as many keys as rows.
    assert!((tenth / whole - 1.0).abs() < 0.2, "{tenth} for {whole}");
    let batches = |memory: f64| {
        let mut sample = unique_keys(100_000.0, 1000.0, 1000.0);
        if let Entries::Gin(keys) = &mut sample.entries {
            keys.build_memory = memory;
        }
        pages(&sample)
    };
    // Keys that come in order leave pages half empty, keys that come in batches fill the gaps.
    assert!(batches(1e6) < 0.85 * batches(1e9), "{} and {}", batches(1e6), batches(1e9));
}

#[test]
fn frequent_keys_have_trees_of_their_own() {
    let group = KeyGroup { pages: 1000, keys: 1.0, items: 100_000.0, bytes: 16.0 };
    let mut sample = unique_keys(100_000.0, 1000.0, 1000.0);
    if let Entries::Gin(keys) = &mut sample.entries {
        keys.groups = vec![group];
    }
    let pages = gin::estimate(&sample, 1, Storage::from(8192)).expect("GIN").pages;
    // 100 000 rows at a byte and a bit each take 13 pages and a root; then the metapage and the key's own.
    assert!((14.0..19.0).contains(&pages), "{pages}");
}
