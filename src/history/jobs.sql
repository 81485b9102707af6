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
