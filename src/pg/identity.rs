//! `Identity`: as whom, on which search path and with which settings a statement is analysed and planned.

use super::isolated::{PgError, reading};
use super::scalar::{self, Fields, read_rows};
use super::session::shorten_lock_timeout;
use crate::catalog::Oid;
use crate::workload::Role;
use pgrx::pg_sys;
use std::ffi::CString;

/// The role, search path and planner settings that a statement ran with, as far as the catalog tells.
#[derive(Clone, Debug)]
pub struct Identity {
    role: pg_sys::Oid,
    /// The role's name, for reasons.
    pub role_name: String,
    /// None: the session's own.
    search_path: Option<String>,
    /// Settings of the role or database that steer the planner or how constants are read.
    settings: Vec<(String, String)>,
    /// Upper bound for waiting on a lock, milliseconds.
    lock_timeout_ms: i32,
}

impl Identity {
    /// The caller, with the session's own settings.
    pub fn caller(lock_timeout_ms: i32) -> Identity {
        // SAFETY: reads a backend variable; always valid inside a transaction.
        let role = unsafe { pg_sys::GetUserId() };
        Identity {
            role,
            role_name: scalar::role_name(role).unwrap_or_else(|| role.to_u32().to_string()),
            search_path: None,
            settings: Vec::new(),
            lock_timeout_ms,
        }
    }

    /// The caller with no schema but the system's on the search path: catalog queries of ours find nobody's operators
    /// and functions, and what is deparsed names everything in full.
    pub fn reader() -> Identity {
        let path = Some("pg_catalog, pg_temp".to_string());
        Identity { search_path: path, ..Identity::caller(i32::MAX) }
    }

    /// As `reader`, but as the owner of a relation where the caller may act as the owner: code that the owner wrote into expressions
    /// then runs with the owner's rights, as ANALYZE and CREATE INDEX run it.
    pub fn owner_or_caller(relation: Oid) -> Identity {
        let reader = Identity::reader();
        let owner = scalar::look_up::<pg_sys::Oid>(
            "SELECT relowner FROM pg_catalog.pg_class WHERE oid = $1",
            &[pg_sys::Oid::from(relation).into()],
        );
        let Ok(Some(owner)) = owner else { return reader };
        // SAFETY: plain catalog look-up by two valid role OIDs.
        if owner == reader.role || !unsafe { pg_sys::is_member_of_role(reader.role, owner) } {
            return reader;
        }
        let role_name = scalar::role_name(owner).unwrap_or_else(|| owner.to_u32().to_string());
        Identity { role: owner, role_name, ..reader }
    }

    /// The owner of a relation of the extension's own, with no schema but the system's on the search path: for what runs keep, which
    /// nobody else may read or write. None where there is no such relation.
    ///
    /// # Errors
    /// Those of a catalog query.
    pub fn owner_of(relation: &str, lock_timeout_ms: i32) -> Result<Option<Identity>, PgError> {
        let owner = scalar::look_up::<pg_sys::Oid>(
            "SELECT relowner FROM pg_catalog.pg_class WHERE oid = pg_catalog.to_regclass($1)",
            &[relation.into()],
        )?;
        Ok(owner.map(|role| Identity { role, lock_timeout_ms, ..Identity::reader() }))
    }

    /// `role`, where the caller may act as it (a superuser or a member); else the caller (invariant 3).
    ///
    /// # Errors
    /// Those of reading `pg_db_role_setting`.
    pub fn of(role: &Role, lock_timeout_ms: i32) -> Result<Identity, PgError> {
        let caller = Identity::caller(lock_timeout_ms);
        let Some(name) = &role.name else { return Ok(caller) };
        let oid = pg_sys::Oid::from(role.oid);
        // SAFETY: plain catalog look-up by two valid role OIDs.
        if oid == caller.role || !unsafe { pg_sys::is_member_of_role(caller.role, oid) } {
            return Ok(caller);
        }
        let mut settings = role_settings(role.oid)?;
        let search_path = settings.iter().position(|(name, _)| name == "search_path");
        let search_path = match search_path {
            Some(position) => Some(settings.remove(position).1),
            None => scalar::reset_value("search_path"),
        };
        Ok(Identity { role: oid, role_name: name.clone(), search_path, settings, lock_timeout_ms })
    }

    /// The same with `schemas` appended to the search path; they are quoted here.
    pub fn with_schemas(&self, schemas: &[String]) -> Identity {
        let base = match &self.search_path {
            Some(path) => path.clone(),
            None => scalar::setting("search_path").unwrap_or_default(),
        };
        let mut path: Vec<String> = Vec::new();
        if !base.trim().is_empty() {
            path.push(base);
        }
        path.extend(schemas.iter().map(|schema| scalar::quote_identifier(schema)));
        Identity { search_path: Some(path.join(", ")), ..self.clone() }
    }

    /// Takes on role, security restriction and settings. Only inside `isolated`, whose rollback puts them back.
    pub(super) fn assume(&self) {
        // SAFETY: the enclosing sub-transaction's abort restores user id and security context (xact.c,
        // AbortSubTransaction). The restriction keeps code run by the planner from changing the session, as
        // commands/analyze.c does.
        unsafe {
            let (mut user, mut context) = (pg_sys::InvalidOid, 0);
            pg_sys::GetUserIdAndSecContext(&mut user, &mut context);
            pg_sys::SetUserIdAndSecContext(self.role, context | pg_sys::SECURITY_RESTRICTED_OPERATION as i32);
        }
        super::inject::point();
        if let Some(path) = &self.search_path {
            set_setting("search_path", path);
        }
        for (name, value) in &self.settings {
            // At log-in the server only warns of a value that it cannot use (ProcessGUCArray, guc.c).
            change_setting(name, value, pg_sys::DEBUG5 as i32);
        }
        shorten_lock_timeout(self.lock_timeout_ms);
    }
}

/// Sets a setting for the rest of the current nest level, whatever its context; raises if the value is refused.
pub(super) fn set_setting(name: &str, value: &str) {
    change_setting(name, value, pg_sys::PGERROR as i32);
}

/// `level` is how loud a refused value is reported.
fn change_setting(name: &str, value: &str, level: i32) {
    let (Ok(name), Ok(value)) = (CString::new(name), CString::new(value)) else { return };
    // SAFETY: both strings are NUL-terminated and outlive the call, which copies them.
    unsafe {
        pg_sys::set_config_option(
            name.as_ptr(),
            value.as_ptr(),
            pg_sys::GucContext::PGC_SUSET,
            pg_sys::GucSource::PGC_S_SESSION,
            pg_sys::GucAction::GUC_ACTION_SAVE,
            true,
            level,
            false,
        );
    }
}

/// What ALTER ROLE / ALTER DATABASE ... SET gives `role` in this database, most specific winning, limited to the
/// settings that change plans or the meaning of constants.
fn role_settings(role: Oid) -> Result<Vec<(String, String)>, PgError> {
    const QUERY: &str = "
        SELECT DISTINCT ON (name) split_part(entry, '=', 1) AS name,
               substr(entry, strpos(entry, '=') + 1) AS value
          FROM pg_catalog.pg_db_role_setting AS s
         CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) AS entry
          JOIN pg_catalog.pg_settings AS g ON g.name = pg_catalog.split_part(entry, '=', 1)
         WHERE s.setrole IN (0, $1)
           AND s.setdatabase IN (0, (SELECT oid FROM pg_catalog.pg_database
                                      WHERE datname = pg_catalog.current_database()))
           AND g.context IN ('user', 'superuser')
           AND (g.category LIKE 'Query Tuning%'
                OR g.name IN ('search_path', 'work_mem', 'hash_mem_multiplier', 'max_parallel_workers_per_gather',
                              'DateStyle', 'IntervalStyle', 'TimeZone', 'standard_conforming_strings',
                              'default_text_search_config'))
         ORDER BY name, (s.setrole <> 0) DESC, (s.setdatabase <> 0) DESC";
    reading(|| {
        read_rows(QUERY, &[pg_sys::Oid::from(role).into()], |row| Ok((row.text("name")?, row.text("value")?)))
    })?
}
