//! `Quiet`: settings of the caller's session that hold for one call of ours and are put back at its end.

use super::identity::set_setting;
use pgrx::pg_sys;

/// While it lives, pg_stat_statements records nothing that this session does, so that our catalog queries and probes
/// never enter the workload (invariant 7).
pub struct Quiet {
    nest_level: i32,
}

impl Quiet {
    pub fn begin() -> Quiet {
        // SAFETY: pairs with AtEOXact_GUC in drop; an error in between lets the (sub)transaction's abort do it.
        let nest_level = unsafe { pg_sys::NewGUCNestLevel() };
        if super::scalar::setting("pg_stat_statements.track").is_some() {
            set_setting("pg_stat_statements.track", "none");
        }
        Quiet { nest_level }
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        // On the way of an error the transaction's abort restores the settings itself, and may already have.
        if !std::thread::panicking() {
            // SAFETY: nest_level came from NewGUCNestLevel of the same (sub)transaction.
            unsafe { pg_sys::AtEOXact_GUC(true, self.nest_level) };
        }
    }
}
