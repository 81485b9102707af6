//! How long runs and counters are kept.

use super::History;
use super::sql::execute;
use crate::pg::isolated::PgError;

impl History {
    /// Forgets runs and counters that are older than this; the newest run and its counters stay in any case, and so do
    /// recommendations and verdicts, which are few.
    ///
    /// Age counts from the run before the newest, so that one run with a wrong clock makes nothing look old.
    ///
    /// # Errors
    /// If the history cannot be written.
    pub fn forget(&self, minutes: i32) -> Result<(), PgError> {
        self.owner.write(|| {
            for (table, time) in [("history_run", "made_at"), ("history_snapshot", "taken_at")] {
                execute(
                    &format!(
                        "DELETE FROM index_advisor.{table}
                          WHERE id < (SELECT max(id) FROM index_advisor.{table})
                            AND ($1 = 0 OR {time} < (SELECT {time} FROM index_advisor.{table} ORDER BY id DESC OFFSET 1 LIMIT 1)
                                                    - $1 * interval '1 minute')"
                    ),
                    &[minutes.into()],
                )?;
            }
            execute(
                "DELETE FROM index_advisor.history_statement AS s
                  WHERE NOT EXISTS (SELECT 1 FROM index_advisor.history_counter AS c WHERE c.statement = s.id)",
                &[],
            )?;
            execute(
                "DELETE FROM index_advisor.history_index AS i
                  WHERE i.gone_seen IS NOT NULL AND i.gone_snapshot IS NULL
                    AND NOT EXISTS (SELECT 1 FROM index_advisor.history_recommendation AS r WHERE r.index = i.id)",
                &[],
            )?;
            Ok(())
        })
    }
}
