//! The server boundary: everything that touches PostgreSQL's C structures, and the only place for `unsafe`.
//!
//! Takes and gives plain Rust values; no raw pointer leaves this module.

#![allow(unsafe_code)]

pub mod access_method;
pub mod analyze;
pub mod board;
pub mod catalog;
mod clause;
pub mod clock;
mod column_analysis;
mod compat;
pub mod create_index;
pub mod elsewhere;
pub mod explain;
mod explain_hook;
mod expression;
pub mod expression_statistics;
mod facts;
mod guesses;
mod hook;
mod hypothetical;
pub mod identity;
mod index_cost;
pub mod inject;
pub mod isolated;
pub mod job_lock;
pub mod left_alone;
pub mod lengths;
pub mod list_setting;
pub mod neighbours;
mod node;
pub mod opclass;
mod opclass_options;
mod page_work;
pub mod parameters;
mod planner;
mod predicates;
pub mod pricing;
pub mod process;
pub mod progress;
pub mod sample;
pub mod scalar;
mod services;
pub mod session;
pub mod session_indexes;
mod spgist;
pub mod storage;
mod watch;
pub mod what_if;
mod without_values;

/// Installs all hooks; called once, by `_PG_init`.
pub fn install_hooks() {
    hook::init();
    explain_hook::init();
}

pub use watch::init as watch_relations;

/// Reserves `pg_index_advisor.*` so that a misspelt setting is noticed.
pub fn reserve_settings_prefix() {
    // SAFETY: called once by _PG_init, after the settings are defined.
    unsafe { pgrx::pg_sys::MarkGUCPrefixReserved(c"pg_index_advisor".as_ptr()) };
}
