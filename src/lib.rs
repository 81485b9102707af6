//! pg_index_advisor: which indexes to create, by asking the real planner. Start reading at `run.rs`.

::pgrx::pg_module_magic!(name, version);

pub mod candidate;
pub mod catalog;
pub mod cost;
pub mod recommendation;
pub mod selection;
pub mod statement;
pub mod workload;
