//! Histories with a known outcome, and laws that hold for all.

mod chance;
mod created;
mod dropped;
mod laws;
mod windows;
mod world;
