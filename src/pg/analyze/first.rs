//! The first planning passes of a statement: its facts and rights, then values that stand for its parameters.

use super::{Analysed, Trees, refusal};
use crate::pg::clause;
use crate::pg::facts::Collector;
use crate::pg::hook::Configuration;
use crate::pg::identity::Identity;
use crate::pg::isolated::isolated;
use crate::pg::parameters::{self, LEVELS, ParameterUse, Roles, Shape};
use crate::pg::planner::Planned;
use crate::settings;
use crate::statement::{LeftOut, Reading, Variant};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Instant;

/// Values closer to the rows that were measured by less than this are no better.
const SAME_ROWS: f64 = 1e-9;

/// A text for each parameter that has one, and the plan with them.
struct Bound {
    texts: Vec<Option<String>>,
    planned: Planned,
}

/// Plans a statement as things are.
pub(super) fn plan(
    mut trees: Trees,
    variant: &Variant,
    identity: Identity,
    reading: &Reading,
    rows_per_call: Option<f64>,
    mut notes: Vec<String>,
) -> Result<Analysed, LeftOut> {
    let started = Instant::now();
    let mut collector = Collector::default();
    let generic = isolated(Some(&identity), || {
        trees.lock();
        // A relation may have changed between the rollback of analysis and this lock.
        let as_is = Configuration::default();
        (!trees.is_stale()).then(|| trees.plan(trees.bound, &as_is, Some(&mut collector), true))
    })
    .map_err(|error| refusal(error, &identity))?
    .ok_or(LeftOut::Locked)?;
    // A table that only sub-plans read is seen by the hook as well, so nothing seen means nothing read.
    if !collector.reads_relation {
        return Err(LeftOut::NoTable);
    }
    if !collector.reads_user_relation {
        return Err(LeftOut::CatalogOnly);
    }
    isolated(Some(&Identity::reader()), || clause::qualify(&mut collector.facts))
        .map_err(|error| refusal(error, &identity))?;
    let roles =
        Roles { limits: &reading.limit_parameters, offsets: &reading.offset_parameters, rows_per_call };
    let mut typical = None;
    if !trees.types.is_empty() {
        typical = with_typical_values(&mut trees, &collector.parameters, &roles, &identity, started);
        notes.push(assumed(typical.as_ref(), &collector.parameters));
    }
    notes.extend(variant.repairs.iter().map(|repair| repair.describe().to_string()));
    let Bound { texts, planned: before } =
        typical.unwrap_or_else(|| Bound { texts: vec![None; trees.types.len()], planned: generic });
    isolated(Some(&identity), || trees.bind(&texts)).map_err(|error| refusal(error, &identity))?;
    Ok(Analysed {
        without_statistics: collector.without_statistics(),
        guessed: collector.guessed.into_iter().collect(),
        facts: collector.facts,
        relation_sizes: collector.relation_sizes,
        statistics: Vec::new(),
        storage: Rc::default(),
        planner_time: started.elapsed(),
        before,
        notes,
        identity,
        variant: variant.clone(),
        trees,
        texts,
    })
}

/// The plan with those values for the parameters that bring the rows nearest to what was measured; None where they can be given none,
/// or none that the planner takes.
fn with_typical_values(
    trees: &mut Trees,
    uses: &[ParameterUse],
    roles: &Roles<'_>,
    identity: &Identity,
    started: Instant,
) -> Option<Bound> {
    let shapes: Vec<Shape> = trees.types.iter().map(|oid| Shape::of(*oid)).collect();
    let measured = roles.rows_per_call.filter(|_| trees.returns_rows_read());
    let mut best: Option<(f64, Bound)> = None;
    let mut tried: Vec<Vec<Option<String>>> = Vec::new();
    for level in LEVELS {
        if settings::statement_time_limit().is_some_and(|most| started.elapsed() >= most) {
            break;
        }
        let texts = parameters::values(uses, &shapes, roles, level);
        if texts.iter().all(Option::is_none) || tried.contains(&texts) {
            continue;
        }
        tried.push(texts.clone());
        let planned = isolated(Some(identity), || {
            trees.lock();
            trees.bind(&texts);
            let as_is = Configuration::default();
            (!trees.is_stale()).then(|| trees.plan(trees.bound, &as_is, None, false))
        });
        let Ok(Some(planned)) = planned else { continue };
        let distance = measured.map_or(0.0, |rows| ((planned.rows + 1.0).ln() - (rows + 1.0).ln()).abs());
        // Ties go to the more typical level, which comes first.
        if best.as_ref().is_none_or(|(least, _)| distance < *least - SAME_ROWS) {
            best = Some((distance, Bound { texts, planned }));
        }
        // None can be nearer; where nothing was measured, the first will do.
        if distance <= SAME_ROWS {
            break;
        }
    }
    best.map(|(_, bound)| bound)
}

/// What people should know of the parameters' values.
fn assumed(typical: Option<&Bound>, uses: &[ParameterUse]) -> String {
    let Some(Bound { texts, .. }) = typical else {
        return "no values for its parameters: generic plan".to_string();
    };
    let compared: BTreeSet<u32> = uses.iter().map(|parameter| parameter.number).collect();
    let open = compared.iter().filter(|number| texts[**number as usize - 1].is_none()).count();
    match open {
        0 => "parameter values assumed from column statistics".to_string(),
        open => format!("parameter values assumed from column statistics, {open} left open"),
    }
}
