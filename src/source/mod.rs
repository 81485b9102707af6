//! Sources: where a `Workload` comes from.
//!
//! Reads and measures nothing of its own; a source turns what the server has recorded into plain values.

pub mod pg_stat_statements;
