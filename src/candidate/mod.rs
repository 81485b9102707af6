//! Candidates: the indexes worth asking the planner about, each with the clause that asks for it.
//!
//! Pure: facts and catalog in, `IndexDefinition`s out. Costs nothing and chooses nothing.

pub mod definition;
pub mod facts;
