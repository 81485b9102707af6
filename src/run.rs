//! The whole pipeline, from a workload to a report. The file to read first.

use crate::candidate;
use crate::cost::model::CostModel;
use crate::examine::examine;
use crate::expressions;
use crate::pg::catalog;
use crate::pg::isolated::PgError;
use crate::pg::lengths;
use crate::pg::neighbours;
use crate::pg::progress::{self, Phase};
use crate::pg::sample::Sampler;
use crate::pg::session::{self, Quiet};
use crate::pg::what_if::ServerWhatIf;
use crate::plans;
use crate::previous::Previous;
use crate::recommendation::advise;
use crate::report::{self, Phases, Report};
use crate::selection;
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
    let started = Instant::now();
    let deadline = settings.time_limit.map(|limit| started + limit);
    let _quiet = Quiet::begin(settings.lock_timeout_ms);
    let _shown = progress::begin();
    let mut phases_ms = Phases::default();
    let mut since = started;
    let mut lap = || {
        let now = Instant::now();
        now.duration_since(std::mem::replace(&mut since, now)).as_secs_f64() * 1000.0
    };

    // What each statement needs, as the planner sees it.
    progress::enter(Phase::Examination, Some(workload.statements.len()));
    let mut examination = examine(workload, settings, deadline)?;
    phases_ms.examination = lap();
    progress::enter(Phase::Catalog, None);
    let mut catalog = catalog::read_for(&examination.examined)?;
    phases_ms.catalog = lap();
    let left_alone = settings.left_alone(&catalog)?;
    let options = settings.candidate_options(&left_alone);
    let mut previous = Previous::read(&settings.previous, &catalog, &options, settings.lock_timeout_ms)?;
    // The planner is told what ANALYZE would say of the expressions in them.
    progress::enter(Phase::Expressions, None);
    let raising = expressions::sample(&mut examination, workload, &mut catalog, &options, deadline);
    phases_ms.expressions = lap();
    // Which indexes could serve it, and what each would take.
    progress::enter(Phase::Candidates, None);
    let model =
        CostModel::new(&examination.measured(workload), workload.window_seconds, session::cost_units());
    let pool = candidate::pool(&examination.facts(&model), &catalog, &options);
    let (pool, dismissed) = candidate::pool::without(pool, &settings.dismissed, &catalog);
    let pool = previous.added_to(pool, &catalog);
    let pool = expressions::buildable(pool, &raising);
    let until = expressions::sampling_ends(deadline);
    let definitions = pool.iter().map(|c| &c.definition);
    let storage = neighbours::count_all(definitions, &mut catalog, Sampler::as_set(), until);
    examination.see(storage, until);
    lengths::read_all(pool.iter().map(|c| &c.definition), &mut catalog);
    let (pool, prices) = model.priced(pool, &catalog);
    let limits = settings.limits(workload.window_seconds);
    let mut problem = model.problem(&examination.measured(workload), &pool, &prices, &catalog, limits);
    problem.previous = previous.candidates(&pool);
    phases_ms.candidates = lap();
    // What the planner says they would save, and the best choice among them.
    progress::enter(Phase::Selection, None);
    let mut what_if = ServerWhatIf::new(
        &mut examination.examined,
        &pool,
        &prices,
        &catalog,
        deadline,
        settings.statement_time_limit,
    )?;
    let selection = selection::select(&problem, &mut what_if);
    phases_ms.selection = lap();
    phases_ms.planner = what_if.planner_time().as_secs_f64() * 1000.0;
    progress::enter(Phase::Advice, None);
    let recommendations = advise(&problem, &selection, &pool, &prices, &catalog, workload.window_seconds);
    let plans =
        plans::print(&problem, &selection, &pool, &recommendations, &mut what_if, settings.time_limit);
    phases_ms.advice = lap();

    Ok(Report {
        format_version: report::FORMAT_VERSION,
        database: session::database_name(),
        server_version: session::server_version(),
        made_at: session::now(),
        source: workload.source.clone(),
        window_seconds: workload.window_seconds,
        evicted: workload.evicted,
        statements: examination.report(workload, &problem, &selection, &catalog),
        recommendations,
        plans,
        limits: settings.report_limits(&problem.limits, &catalog, &left_alone),
        notes: [left_alone.notes(&catalog), previous.notes, dismissed.iter().map(not_again).collect()]
            .concat(),
        candidates: pool.len(),
        certificate: selection.certificate.clone(),
        frontier: report::frontier(&selection, &pool, &catalog),
        kept: selection.kept,
        search: selection.search,
        past: None,
        elapsed_ms: started.elapsed().as_secs_f64() * 1000.0,
        phases_ms,
    })
}

fn not_again(ddl: &String) -> String {
    format!("dismissed, so not recommended: {ddl}")
}
