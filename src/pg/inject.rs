//! Injection: errors and cancels raised on purpose at the places where the planner and the executor call out.
//!
//! For tests alone: a release build has an empty `point` and nothing else of this file.

#[cfg(not(feature = "pg_test"))]
mod points {
    /// A place where tests make errors happen.
    #[inline(always)]
    pub fn point() {}
}

#[cfg(feature = "pg_test")]
#[path = "inject/points.rs"]
mod points;

pub use points::*;
