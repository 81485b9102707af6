//! Telling of news: a notification for whoever listens, and a line in the server's log.

use super::sql::execute;
use super::{History, Kept};
use crate::pg::isolated::PgError;
use crate::report::format::{number, percent};
use crate::report::past::WhyWithdrawn;

/// The channel that notifications go to.
const CHANNEL: &str = "index_advisor";

impl Kept {
    /// How many recommendations are new, and how many the run before had that this one has not.
    pub fn changed(&self) -> (usize, usize) {
        let past = self.report.past.as_ref();
        match past.and_then(|past| past.changes.as_ref()) {
            Some(changes) => (changes.new.len(), changes.withdrawn.len()),
            None => (self.report.recommendations.len(), 0),
        }
    }

    /// Whether advice was withdrawn that nobody has followed or dismissed: who did knows.
    fn thinks_otherwise(&self) -> bool {
        let changes = self.report.past.as_ref().and_then(|past| past.changes.as_ref());
        changes
            .is_some_and(|changes| changes.withdrawn.iter().any(|one| one.why == WhyWithdrawn::NoLongerPays))
    }
}

impl History {
    /// Tells that a run has new advice, or thinks otherwise of some; nothing where all is as before.
    ///
    /// # Errors
    /// If the notification cannot be queued.
    pub fn tell(&self, kept: &Kept) -> Result<(), PgError> {
        let (new, withdrawn) = kept.changed();
        if new == 0 && !kept.thinks_otherwise() {
            return Ok(());
        }
        let report = &kept.report;
        let payload = serde_json::json!({
            "database": report.database,
            "run": kept.run,
            "recommendations": report.recommendations.len(),
            "new": new,
            "withdrawn": withdrawn,
            "saving_percent": report.saving() * 100.0,
        });
        self.owner.write(|| {
            execute("SELECT pg_catalog.pg_notify($1, $2)", &[CHANNEL.into(), payload.to_string().into()])
        })?;
        pgrx::log!(
            "index advice for database \"{}\" changed: {new} new, {withdrawn} withdrawn; {} would save {} of the examined time (run {})",
            report.database,
            number(report.recommendations.len(), "index", "indexes"),
            percent(report.saving()),
            kept.run
        );
        Ok(())
    }
}
