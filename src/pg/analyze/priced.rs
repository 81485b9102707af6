//! A statement planned with a price on every hypothetical index (`pricing`).

use super::{Analysed, planner};
use crate::pg::hook::Configuration;
use crate::pg::hypothetical::Hypothetical;
use crate::pg::isolated::PgError;
use crate::pg::planner::Planned;
use crate::pg::pricing::{Places, Pricing};
use std::time::Instant;

impl Analysed {
    /// What the planner says of the statement with a price on each index, in parts for each place of its table in the statement: the least of what a plan costs with
    /// the prices of the indexes that it uses; and where it uses them, by their fake OIDs. Plans that cost more than `most_in_memory` when
    /// all pages are in memory are left out as far as joins tell.
    ///
    /// # Errors
    /// As `Analysed::plan`.
    pub fn plan_at_prices(
        &mut self,
        indexes: &[&Hypothetical],
        prices: &[Vec<f64>],
        most_in_memory: f64,
    ) -> Result<(Planned, Places), PgError> {
        let statistics = self.statistics.clone();
        let storage = self.storage.clone();
        let started = Instant::now();
        let planned = self.on_locked_trees(|trees, made_anew| {
            let mut sum = Planned::default();
            let mut places = Places::new();
            for query in &trees.queries {
                // An index that several queries of the statement use is charged in each its part.
                let part = |prices: &Vec<f64>| {
                    prices.iter().map(|price| price / trees.queries.len() as f64).collect()
                };
                let prices = indexes.iter().map(|index| index.fake_oid).zip(prices.iter().map(part));
                let pricing = Pricing::new(prices, most_in_memory);
                let configuration = Configuration {
                    pricing: Some(&pricing),
                    ..Configuration::resting_on(indexes, &[], &statistics, Some(&*storage))
                };
                // SAFETY: the trees are valid and their relations locked; `isolated` throws the context away.
                sum.add(unsafe {
                    planner::plan(*query, &trees.source, trees.bound, &configuration, None, made_anew)
                });
                for (index, used) in pricing.places() {
                    places.entry(index).or_default().extend(used);
                }
            }
            (sum, places)
        });
        self.planner_time += started.elapsed();
        planned
    }
}
