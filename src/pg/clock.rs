//! The server's time zones and the time.

use crate::schedule::zone::Zone;
use pgrx::datum::TimestampWithTimeZone;
use pgrx::pg_sys;
use std::ffi::CString;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A time zone that the server knows.
pub struct ServerZone {
    /// Lives as long as the process (pgtz.c keeps every zone that was asked for).
    zone: *mut pg_sys::pg_tz,
}

impl ServerZone {
    /// The zone of this name, as `SET TimeZone` would take it; None if there is none.
    pub fn named(name: &str) -> Option<ServerZone> {
        let name = CString::new(name).ok()?;
        // SAFETY: returns NULL for an unknown name; zones with leap seconds are refused as SET refuses them (variable.c).
        unsafe {
            let zone = pg_sys::pg_tzset(name.as_ptr());
            (!zone.is_null() && pg_sys::pg_tz_acceptable(zone)).then_some(ServerZone { zone })
        }
    }
}

impl Zone for ServerZone {
    fn offset(&self, instant: i64) -> i64 {
        // SAFETY: fills a static struct; NULL only for years beyond those of an int.
        unsafe {
            let local = pg_sys::pg_localtime(&instant, self.zone);
            if local.is_null() { 0 } else { (*local).tm_gmtoff }
        }
    }
}

/// The time that is left until an instant, given in Unix seconds; none where it has passed.
pub fn until(instant: i64) -> Duration {
    let then = UNIX_EPOCH + Duration::from_secs(instant.max(0) as u64);
    then.duration_since(SystemTime::now()).unwrap_or_default()
}

/// The time, also within a transaction.
pub fn timestamp() -> TimestampWithTimeZone {
    pgrx::datum::datetime_support::clock_timestamp()
}

/// Unix seconds.
pub fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64)
}
