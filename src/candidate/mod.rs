//! Candidates: the indexes worth asking the planner about, each with the clause that asks for it.
//!
//! Pure: facts and catalog in, `IndexDefinition`s out. Costs nothing and chooses nothing.

pub mod ask;
mod asking;
pub mod definition;
pub mod facts;
pub mod generate;
pub mod merge;
pub mod pool;
pub mod preference;
pub mod relevance;
pub mod service;
mod several_uses;
#[cfg(test)]
mod tests;
pub mod width;

pub use generate::Options;
pub use merge::relatives;
pub use pool::{Candidate, on_relations_of, pool};
pub use preference::preferences;
pub use relevance::relevant;
pub use service::service;
