//! `Sketch`: what the cuts of a statement are drawn from, so that they become tighter as more is known.
//!
//! How much an absent candidate takes off is bounded by monotonicity until it is asked, and asked only where the relaxed program
//! leans on it. Bounds only; what the program makes of them is `relaxation`'s.

use super::relaxation::Cut;
use super::{CUTS, PARTS, Proof, WORTH_ASKING, united};
use crate::cost::{CandidateId, WhatIf};
use std::collections::BTreeSet;

/// Absent candidates asked about before the relaxed program is solved again, at least.
const AT_A_TIME: usize = 15;

/// What cuts of a statement are drawn from: how much the absent ones take off is asked when the bound rests on it.
pub(super) struct Sketch {
    pub field: Vec<CandidateId>,
    /// Planner units, with the field alone.
    pub level: f64,
    /// In the order in which they were taken away, each with what the statement cost when it was still there.
    pub absent: Vec<(CandidateId, f64)>,
}

/// Absent candidates with what a cut falls when they come back, milliseconds a day.
type Falls = Vec<(f64, CandidateId)>;

impl<W: WhatIf> Proof<'_, '_, W> {
    /// Draws the cuts of a statement from what is known of it by now.
    pub(super) fn draw(&mut self, statement: usize) {
        if self.sketches[statement].is_empty() {
            return;
        }
        let old = std::mem::take(&mut self.program.cuts[statement]);
        let mut cuts: Vec<Cut> = old.iter().find(|cut| cut.reliefs.is_empty()).cloned().into_iter().collect();
        let mut add = |cut: Cut| {
            if cuts.len() < CUTS && !cuts.contains(&cut) {
                cuts.push(cut);
            }
        };
        for sketch in &self.sketches[statement] {
            let reliefs: Vec<f64> = sketch
                .absent
                .iter()
                .map(|(candidate, _)| self.relief(statement, sketch, *candidate))
                .collect();
            let drawn = |wider: usize, level: f64| -> Vec<(CandidateId, f64)> {
                let back = sketch.absent[..wider].iter().zip(&reliefs);
                back.map(|((candidate, least), relief)| (*candidate, relief.min(level - least).max(0.0)))
                    .collect()
            };
            add(self.cut(statement, sketch.level, drawn(sketch.absent.len(), sketch.level)));
            // On the way down, a candidate that comes back takes off no more than it does at the end.
            let mut wider = sketch.absent.len();
            while let Some(last) = wider.checked_sub(1) {
                let level = sketch.absent[last].1;
                wider = sketch.absent.partition_point(|(_, cost)| *cost < level).min(last);
                if wider > 0 {
                    add(self.cut(statement, level, drawn(wider, level)));
                }
            }
        }
        self.program.replace(statement, &old, cuts);
    }

    /// What an absent candidate takes off the level when it comes back, at most, planner units.
    pub(super) fn relief(&self, statement: usize, sketch: &Sketch, candidate: CandidateId) -> f64 {
        let back = united(&sketch.field, &[candidate]);
        let least =
            sketch.absent.iter().find(|(absent, _)| *absent == candidate).map_or(0.0, |(_, cost)| *cost);
        let cost = self.at_least(statement, &back).max(least);
        (sketch.level - cost).max(0.0)
    }

    /// Asks what the absent candidates take off by which the highest cuts at `shares` fall most. Returns whether anything was
    /// learnt.
    pub(super) fn refine(&mut self, shares: &[f64]) -> bool {
        let worth = WORTH_ASKING * self.search.total_before;
        let mut open: Vec<(f64, usize, usize, CandidateId)> = Vec::new();
        for statement in 0..self.fields.len() {
            let scale = self.scale(statement);
            let mut highest: Option<(f64, usize, Falls)> = None;
            for (at, sketch) in self.sketches[statement].iter().enumerate() {
                let falls: Falls = sketch
                    .absent
                    .iter()
                    .filter(|(candidate, _)| shares[*candidate] > 0.0)
                    .map(|(candidate, _)| {
                        (shares[*candidate] * scale * self.relief(statement, sketch, *candidate), *candidate)
                    })
                    .collect();
                let value = scale * sketch.level - falls.iter().map(|(fall, _)| fall).sum::<f64>();
                if highest.as_ref().is_none_or(|(most, ..)| value > *most) {
                    highest = Some((value, at, falls));
                }
            }
            let Some((_, at, falls)) = highest else { continue };
            open.extend(
                falls.into_iter().filter(|(fall, _)| *fall > worth).map(|(fall, c)| (fall, statement, at, c)),
            );
        }
        open.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| (a.1, a.2, a.3).cmp(&(b.1, b.2, b.3))));
        let left = self.last_call.saturating_sub(self.search.cache.counters().planner_calls) as usize;
        let at_a_time = (left / PARTS).max(AT_A_TIME);
        let mut asked = BTreeSet::new();
        for (_, statement, at, candidate) in open {
            if asked.len() < at_a_time && self.ask_about_one(statement, at, candidate) {
                asked.insert((statement, at, candidate));
            }
        }
        let sketches: BTreeSet<(usize, usize)> =
            asked.iter().map(|(statement, at, _)| (*statement, *at)).collect();
        for (statement, at) in sketches {
            let sketch = self.sketches[statement].swap_remove(at);
            self.ask_about_pairs(statement, &sketch);
            self.sketches[statement].push(sketch);
        }
        !asked.is_empty()
    }

    /// Asks what an absent candidate takes off: together with all the absent ones on its table first, which bounds each of
    /// them, then alone. Returns whether anything was learnt.
    fn ask_about_one(&mut self, statement: usize, at: usize, candidate: CandidateId) -> bool {
        let sketch = &self.sketches[statement][at];
        let alone = united(&sketch.field, &[candidate]);
        if self.search.cache.known(statement, &alone).is_some() {
            return false;
        }
        let problem = self.search.problem;
        let room = problem.statements[statement].at_once.saturating_sub(alone.len());
        let table = |c: CandidateId| problem.candidates[c].table;
        let beside = sketch.absent.iter().map(|(absent, _)| *absent);
        let beside: Vec<CandidateId> =
            beside.filter(|other| table(*other) == table(candidate)).take(room).collect();
        let together = united(&alone, &beside);
        let set = if self.search.cache.known(statement, &together).is_none() { together } else { alone };
        self.look(statement, &set).is_some()
    }
}
