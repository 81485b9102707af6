//! The SQL surface: thin functions that turn arguments into a run and a run into rows.

// A row type is spelt out where it is returned, as pgrx reads the column names there.
#![allow(clippy::type_complexity)]

mod arguments;
mod bench;
mod by_hand;
mod explain;
mod frontier;
mod history;
mod progress;
mod recommend;
mod report;
mod schedule;
mod statements;
mod verify;
