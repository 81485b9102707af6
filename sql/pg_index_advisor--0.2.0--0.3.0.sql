-- From 0.2.0 to 0.3.0: verification, schedules and progress.
\echo Use "ALTER EXTENSION pg_index_advisor UPDATE TO '0.3.0'" to load this file. \quit

-- Jobs: runs that come by themselves. Written by schedule(), unschedule(), run_job() and the background worker, as the
-- owner of the table; the view shows to each role what it may see.

CREATE TABLE history_job (
    name               text PRIMARY KEY CHECK (octet_length(name) BETWEEN 1 AND 63),
    schedule           text NOT NULL,       -- a cron expression
    time_zone          text NOT NULL,       -- of which it is
    runner             text NOT NULL CHECK (runner IN ('pg_cron', 'worker')),
    owner              text NOT NULL,       -- the role that it runs as
    storage_budget     text,                -- arguments of run(); NULL for the setting
    max_indexes        integer,
    min_saving_percent double precision,
    time_limit         interval,
    scheduled_at       timestamptz NOT NULL,
    next_start         timestamptz,         -- NULL for never
    last_due           timestamptz,         -- when the last run should have begun
    last_start         timestamptz,
    last_end           timestamptz,
    last_status        text CHECK (last_status IN ('running', 'succeeded', 'failed', 'interrupted')),
    last_error         text,
    last_run           bigint,              -- of the view runs
    last_summary       text,
    interruptions      integer NOT NULL DEFAULT 0 -- runs in a row that were killed
);

-- Who runs a job holds a lock that goes with the process, so what is shown here cannot be out of date.
CREATE VIEW jobs WITH (security_barrier) AS
SELECT j.name, j.schedule, j.time_zone, j.runner, j.owner,
       CASE WHEN l.pid IS NOT NULL THEN 'running'
            WHEN j.last_status = 'running' THEN 'interrupted'
            ELSE j.last_status
       END AS status,
       l.pid, j.next_start, j.last_start, j.last_end, j.last_error, j.last_run, j.last_summary,
       j.storage_budget, j.max_indexes, j.min_saving_percent, j.time_limit
  FROM history_job AS j
  LEFT JOIN LATERAL (
       SELECT l.pid
         FROM pg_catalog.pg_locks AS l
        WHERE l.locktype = 'object' AND l.granted
          AND l.database = (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = pg_catalog.current_database())
          AND l.classid = 'index_advisor.history_job'::pg_catalog.regclass
          AND l.objid = (pg_catalog.hashtext(j.name)::bigint & 4294967295)::pg_catalog.oid
        LIMIT 1) AS l ON true
 WHERE _may_see_runs_of(j.owner);
COMMENT ON VIEW jobs IS 'scheduled runs: when they come, who runs them now, how the last one ended';

REVOKE ALL ON history_job FROM PUBLIC;
GRANT SELECT ON jobs TO PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('history_job', '');

CREATE FUNCTION schedule(
    schedule text,
    name text DEFAULT NULL,
    storage_budget text DEFAULT NULL,
    max_indexes integer DEFAULT NULL,
    min_saving_percent double precision DEFAULT NULL,
    time_limit interval DEFAULT NULL,
    time_zone text DEFAULT NULL,
    runner text DEFAULT NULL)
RETURNS text
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'schedule_wrapper';
COMMENT ON FUNCTION schedule(text, text, text, integer, double precision, interval, text, text)
    IS 'has run() and verify() come by themselves at the times of a cron expression; says when next and by whom';
REVOKE ALL ON FUNCTION schedule(text, text, text, integer, double precision, interval, text, text) FROM PUBLIC;

CREATE FUNCTION unschedule(name text DEFAULT NULL)
RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'unschedule_wrapper';
COMMENT ON FUNCTION unschedule(text) IS 'takes schedule() back; false if there is no such job. What it kept stays';
REVOKE ALL ON FUNCTION unschedule(text) FROM PUBLIC;

CREATE FUNCTION run_job(name text DEFAULT NULL)
RETURNS text
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'run_job_wrapper';
COMMENT ON FUNCTION run_job(text) IS 'runs a job now: run() with its arguments, then verify(); how it ended is in the view jobs';
REVOKE ALL ON FUNCTION run_job(text) FROM PUBLIC;

CREATE FUNCTION _jobs_changed()
RETURNS trigger
LANGUAGE c
AS 'MODULE_PATHNAME', '_jobs_changed_wrapper';
COMMENT ON FUNCTION _jobs_changed() IS 'lets the background worker look at changed jobs';

CREATE TRIGGER jobs_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON history_job
    FOR EACH STATEMENT EXECUTE FUNCTION _jobs_changed();

CREATE FUNCTION _progress()
RETURNS TABLE (
    pid integer, database oid, role oid, phase text, done bigint, total bigint,
    best_saving_percent double precision, started_at timestamptz)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'progress_rows_wrapper';
COMMENT ON FUNCTION _progress() IS 'what the view progress shows';
CREATE VIEW progress AS
SELECT p.pid, d.datname AS database, pg_catalog.pg_get_userbyid(p.role) AS role, p.phase, p.done, p.total,
       p.best_saving_percent, p.started_at
  FROM _progress() AS p LEFT JOIN pg_catalog.pg_database AS d ON d.oid = p.database;
COMMENT ON VIEW progress
    IS 'runs that go on now and where they are, where the library is preloaded: those of the caller or all for pg_read_all_stats';
GRANT SELECT ON progress TO PUBLIC;

COMMENT ON FUNCTION report(text, text, integer, double precision, interval, text[])
    IS 'a run over the recorded workload for people, as text, markdown or html, or for programs, as json';

-- Whether followed advice did what was expected of it.
CREATE FUNCTION verify()
RETURNS TABLE (
    recommendation bigint, verdict text, index text, relation text, ddl text,
    estimated_saving_percent double precision, measured_saving_percent double precision, noise_percent double precision,
    estimated_ms_per_day double precision, measured_ms_per_day double precision, others_lost_ms_per_day double precision,
    statements integer, calls_before double precision, calls_after double precision,
    explanation text, next_step text, next_ddl text)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'verify_wrapper';
COMMENT ON FUNCTION verify()
    IS 'measured effect of indexes that were created as run() advised, and of those that were dropped';
REVOKE ALL ON FUNCTION verify() FROM PUBLIC;

COMMENT ON VIEW verifications IS 'what verify() found out: a row for each time that a verdict changed';
