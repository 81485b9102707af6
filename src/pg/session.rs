//! `Quiet`: settings of the caller's session that hold for one call of ours and are put back at its end.

use super::identity::set_setting;
use super::isolated::PgError;
use super::scalar;
use crate::catalog::Oid;
use crate::cost::write::CostUnits;
use pgrx::pg_sys;
use std::collections::BTreeMap;

/// While it lives, pg_stat_statements records nothing that this session does, so that our catalog queries and probes
/// never enter the workload (invariant 7).
pub struct Quiet {
    nest_level: i32,
}

impl Quiet {
    /// `lock_timeout_ms` bounds our own waiting for locks; a shorter one of the session wins.
    pub fn begin(lock_timeout_ms: i32) -> Quiet {
        // SAFETY: pairs with AtEOXact_GUC in drop; an error in between lets the (sub)transaction's abort do it.
        let nest_level = unsafe { pg_sys::NewGUCNestLevel() };
        if scalar::setting("pg_stat_statements.track").is_some() {
            set_setting("pg_stat_statements.track", "none");
        }
        shorten_lock_timeout(lock_timeout_ms);
        Quiet { nest_level }
    }
}

/// Lowers `lock_timeout` for the current nest level.
pub(super) fn shorten_lock_timeout(milliseconds: i32) {
    let current = scalar::setting_ms("lock_timeout");
    if current == 0 || current > milliseconds {
        set_setting("lock_timeout", &milliseconds.to_string());
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        super::watch::end();
        // On the way of an error the transaction's abort restores the settings itself, and may already have.
        if !std::thread::panicking() {
            // SAFETY: nest_level came from NewGUCNestLevel of the same (sub)transaction.
            unsafe { pg_sys::AtEOXact_GUC(true, self.nest_level) };
        }
    }
}

/// The planner's cost constants as the session has them.
pub fn cost_units() -> CostUnits {
    let default = CostUnits::default();
    let number = |name: &str, default: f64| {
        scalar::setting(name).and_then(|value| value.parse().ok()).unwrap_or(default)
    };
    // SAFETY: reads a setting's variable, in pages.
    let cache_pages = unsafe { pg_sys::effective_cache_size };
    CostUnits {
        cpu_operator_cost: number("cpu_operator_cost", default.cpu_operator_cost),
        cpu_index_tuple_cost: number("cpu_index_tuple_cost", default.cpu_index_tuple_cost),
        random_page_cost: number("random_page_cost", default.random_page_cost),
        seq_page_cost: number("seq_page_cost", default.seq_page_cost),
        cache_bytes: f64::from(cache_pages) * f64::from(pg_sys::BLCKSZ),
    }
}

/// The database that the session is connected to.
pub fn database_name() -> String {
    // SAFETY: a catalog look-up of the database that the session is connected to.
    scalar::owned(unsafe { pg_sys::get_database_name(pg_sys::MyDatabaseId) }).unwrap_or_default()
}

/// Whether this server is a standby, where nothing can be written.
pub fn is_standby() -> bool {
    // SAFETY: reads shared memory.
    unsafe { pg_sys::RecoveryInProgress() }
}

/// The name of the caller.
pub fn user_name() -> String {
    // SAFETY: reads a backend variable.
    let user = unsafe { pg_sys::GetUserId() };
    scalar::role_name(user).unwrap_or_else(|| user.to_u32().to_string())
}

/// The role of this name, if it may log in.
///
/// # Errors
/// Those of a catalog query.
pub fn login_role(name: &str) -> Result<Option<Oid>, PgError> {
    let found = scalar::look_up::<pg_sys::Oid>(
        "SELECT oid FROM pg_catalog.pg_roles WHERE rolname = $1 AND rolcanlogin",
        &[name.into()],
    )?;
    Ok(found.map(|oid| oid.to_u32()))
}

/// Whether the caller is a superuser.
pub fn is_superuser() -> bool {
    // SAFETY: a catalog look-up of the current role.
    unsafe { pg_sys::superuser() }
}

/// The settings of this extension by name, as SHOW gives them, with `given` in place of theirs.
///
/// # Errors
/// Those of a catalog query.
pub fn settings_in_force(given: &[(&'static str, String)]) -> Result<serde_json::Value, PgError> {
    let shown = scalar::look_up::<String>(
        "SELECT pg_catalog.jsonb_object_agg(pg_catalog.split_part(name, '.', 2), pg_catalog.current_setting(name))::text
           FROM pg_catalog.pg_settings WHERE name LIKE 'pg\\_index\\_advisor.%'",
        &[],
    )?;
    let mut settings: BTreeMap<String, String> =
        shown.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    settings.extend(given.iter().map(|(name, value)| (name.to_string(), value.clone())));
    Ok(serde_json::json!(settings))
}

pub fn server_version() -> String {
    scalar::setting("server_version").unwrap_or_default()
}

/// The start of the current statement in the session's time zone, ISO 8601.
pub fn now() -> String {
    // SAFETY: formats a timestamp into a static buffer.
    scalar::owned(unsafe { pg_sys::timestamptz_to_str(pg_sys::GetCurrentStatementStartTimestamp()) })
        .unwrap_or_default()
}
