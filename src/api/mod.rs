//! The SQL surface: thin functions that turn arguments into a run and a run into rows.

mod arguments;
mod bench;

mod recommend;
mod report;
mod statements;
