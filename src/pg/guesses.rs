//! Guesses: conditions of which the planner tells the share of rows by a hundred values at best.
//!
//! It holds a pattern against the bounds of a histogram (patternsel, like_support.c): of one that a twentieth of the rows match it may
//! find two in a hundred, or eight. What they make of a plan is for `page_work`; a sample of rows tells better.
//!
//! # Safety
//!
//! The function takes a node of the planner call that is under way.

use super::node;
use pgrx::pg_sys;
use pgrx::pg_sys::NodeTag::*;

/// The estimators of patterns (pg_proc.dat), and of their negations.
const OF_PATTERNS: [u32; 9] = [
    pg_sys::F_LIKESEL,
    pg_sys::F_ICLIKESEL,
    pg_sys::F_REGEXEQSEL,
    pg_sys::F_ICREGEXEQSEL,
    pg_sys::F_PREFIXSEL,
    pg_sys::F_NLIKESEL,
    pg_sys::F_ICNLIKESEL,
    pg_sys::F_REGEXNESEL,
    pg_sys::F_ICREGEXNESEL,
];
/// Of a condition that keeps a larger share of the rows, a wrong guess makes little.
const MOST: f64 = 0.5;

/// Whether the planner guesses at how many rows a restriction keeps, and much hangs on it.
pub(super) unsafe fn is_guess(restriction: *mut pg_sys::RestrictInfo) -> bool {
    unsafe {
        let share = (*restriction).norm_selec;
        share > 0.0 && share <= MOST && holds_pattern((*restriction).clause.cast())
    }
}

unsafe fn holds_pattern(clause: *mut pg_sys::Node) -> bool {
    unsafe {
        match node::tag(clause) {
            Some(T_OpExpr) => {
                let estimator = pg_sys::get_oprrest((*clause.cast::<pg_sys::OpExpr>()).opno);
                OF_PATTERNS.contains(&estimator.to_u32())
            }
            Some(T_BoolExpr) => node::list((*clause.cast::<pg_sys::BoolExpr>()).args)
                .any(|argument: *mut pg_sys::Node| holds_pattern(argument)),
            _ => false,
        }
    }
}
