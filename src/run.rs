//! The whole pipeline, from a workload to a report. The file to read first.

use crate::candidate::{self, Candidate};
use crate::cost::model::{CostModel, Measured};
use crate::examine::{Examined, examine};
use crate::pg::catalog::read_for;
use crate::pg::isolated::PgError;
use crate::pg::session::{self, Quiet};
use crate::pg::what_if::ServerWhatIf;
use crate::recommendation::advise;
use crate::report::{Report, summarise};
use crate::selection::{self, Problem};
use crate::settings::Settings;
use crate::workload::Workload;
use std::time::Instant;

/// Examines a workload, chooses indexes for it and reports both.
///
/// Writes nothing, runs nothing of the workload, and leaves the session as it was.
///
/// # Errors
/// Only what concerns the whole run; a statement's own trouble is a row of the report.
pub fn run(workload: &Workload, settings: &Settings) -> Result<Report, PgError> {
    let _quiet = Quiet::begin(settings.lock_timeout_ms);
    let started = Instant::now();
    let deadline = settings.time_limit.map(|limit| started + limit);

    // What each statement needs, as the planner sees it.
    let mut examination = examine(workload, settings, deadline)?;
    let catalog = read_for(examination.examined.iter().map(|examined| &examined.analysed))?;
    // Which indexes could serve it, and what each would take.
    let model = CostModel::new(&examination.measured(workload), workload.window_seconds, session::cost_units());
    let pool = candidate::pool(&examination.facts(&model), &catalog, &settings.candidate_options());
    let (pool, prices) = model.price_all(pool, &catalog);
    let problem = model.problem(&examination.measured(workload), &pool, &prices, &catalog, settings.limits());
    // What the planner says they would save, and the best choice among them.
    let mut what_if = ServerWhatIf::new(examination.analysed(), &pool, &prices, &catalog, deadline)?;
    let selection = selection::select(&problem, &mut what_if);
    let recommendations = advise(&problem, &selection, &pool, &prices, &catalog, &mut what_if);
    drop(what_if);
    Ok(summarise(workload, examination, &selection, recommendations, settings))
}
