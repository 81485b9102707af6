//! pg_index_advisor: which indexes to create, by asking the real planner. Start reading at `run.rs`.

use pgrx::prelude::*;

::pgrx::pg_module_magic!(name, version);

mod api;
mod candidate;
mod catalog;
mod cost;
mod examine;
mod expressions;
mod history;
mod numbering;
mod pg;
mod plans;
mod previous;
mod recommendation;
mod report;
mod run;
mod schedule;
mod selection;
#[cfg(feature = "pg_test")]
mod server_tests;
mod settings;
mod source;
mod statement;
mod verification;
mod worker;
mod workload;

#[pg_guard]
extern "C-unwind" fn _PG_init() {
    settings::define();
    pg::install_hooks();
    pg::watch_relations();
    if pg::board::is_preloading() {
        pg::board::init();
        pg::progress::init();
        pg::process::register_launcher();
    }
    #[cfg(feature = "pg_test")]
    pg::inject::init();
}

/// Required by `cargo pgrx test`.
#[cfg(test)]
pub mod pg_test {
    pub fn setup(_options: Vec<&str>) {}

    /// Lines for the configuration of the server that the tests start.
    pub fn postgresql_conf_options() -> Vec<&'static str> {
        vec!["shared_preload_libraries = 'pg_stat_statements'", "pg_stat_statements.track = all"]
    }
}
