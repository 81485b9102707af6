-- From 0.1.0 to 0.2.0: runs are kept.
\echo Use "ALTER EXTENSION pg_index_advisor UPDATE TO '0.2.0'" to load this file. \quit

-- What runs keep. Every table is pg_dump's to keep (at the end); nobody but the owner reads or writes them: the views
-- below show to each role what it may see, and the functions write as the owner.

-- Counters as they stood at a moment. Those of two moments can be compared where `server` is the same and no counter fell.
CREATE TABLE history_snapshot (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    taken_at         timestamptz NOT NULL,
    server           text NOT NULL,         -- system identifier and database: counters of another place are others
    statements_reset timestamptz,           -- when pg_stat_statements was last reset as a whole
    tables_reset     timestamptz            -- when this database's table statistics were last reset
);

-- A normalised statement, by the query id of this server.
CREATE TABLE history_statement (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    server    text NOT NULL,
    query_id  bigint NOT NULL,
    role      text,                         -- who ran it most; NULL for a role that no longer exists
    text      text NOT NULL,
    relations text[] NOT NULL DEFAULT '{}', -- qualified and quoted; known once a run examined it
    UNIQUE (server, query_id)
);

CREATE TABLE history_counter (
    snapshot    bigint NOT NULL REFERENCES history_snapshot ON DELETE CASCADE,
    statement   bigint NOT NULL REFERENCES history_statement ON DELETE CASCADE,
    calls       double precision NOT NULL,
    total_ms    double precision NOT NULL,  -- planning and execution
    exec_ms     double precision NOT NULL,
    squares     double precision NOT NULL,  -- sum over the calls of the square of their execution time, ms^2
    rows        double precision NOT NULL,
    blocks_hit  double precision NOT NULL,  -- shared and local
    blocks_read double precision NOT NULL,
    since       timestamptz,                -- when counting began for this statement, where the server says
    PRIMARY KEY (snapshot, statement)
);
CREATE INDEX ON history_counter (statement);

CREATE TABLE history_table_counter (
    snapshot    bigint NOT NULL REFERENCES history_snapshot ON DELETE CASCADE,
    relation    text NOT NULL,              -- qualified and quoted
    inserted    double precision NOT NULL,  -- rows, as pg_stat_user_tables counts them
    updated     double precision NOT NULL,
    hot_updated double precision NOT NULL,
    deleted     double precision NOT NULL,
    PRIMARY KEY (snapshot, relation)
);

-- Indexes of user tables as snapshots met them: from when to when each was there.
CREATE TABLE history_index (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    server          text NOT NULL,
    oid             oid NOT NULL,           -- of that server; a rebuilt index of the same name is another
    relation        text NOT NULL,
    name            text NOT NULL,          -- qualified and quoted
    definition      text NOT NULL,          -- pg_get_indexdef
    backs_constraint boolean NOT NULL,
    valid           boolean NOT NULL,       -- one that is being built is not; it counts as there from when it is
    first_snapshot  bigint REFERENCES history_snapshot ON DELETE SET NULL,
    first_seen      timestamptz NOT NULL,   -- of that snapshot
    created_at      timestamptz,            -- where the server tells (track_commit_timestamp)
    absent_snapshot bigint REFERENCES history_snapshot ON DELETE SET NULL, -- the last one without it; NULL if it was there from the start
    gone_snapshot   bigint REFERENCES history_snapshot ON DELETE SET NULL, -- the first one without it again
    gone_seen       timestamptz             -- of that snapshot; NULL while it is there
);
CREATE INDEX ON history_index (relation);
CREATE UNIQUE INDEX ON history_index (server, oid) WHERE gone_seen IS NULL;

-- The same advice over all runs.
CREATE TABLE history_recommendation (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    definition      text NOT NULL UNIQUE,   -- CREATE INDEX without a name and without CONCURRENTLY
    relation        text NOT NULL,          -- qualified and quoted
    first_run       bigint,
    first_seen      timestamptz NOT NULL,
    last_run        bigint,                 -- the newest run that gave it
    last_seen       timestamptz NOT NULL,
    dismissed_at    timestamptz,
    dismissed_by    text,
    dismissed_why   text,
    index           bigint REFERENCES history_index ON DELETE SET NULL, -- the index that follows it
    applied_at      timestamptz             -- when that was first seen
);

CREATE TABLE history_run (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    snapshot       bigint REFERENCES history_snapshot ON DELETE SET NULL,
    made_at        timestamptz NOT NULL,
    made_by        text NOT NULL,
    job            text,                    -- the job that made it; NULL by hand
    settings       jsonb NOT NULL,
    window_seconds double precision,
    coverage       double precision NOT NULL, -- shares: 0 to 1
    statements     integer NOT NULL,
    candidates     integer NOT NULL,
    planner_calls  bigint NOT NULL,
    saving         double precision NOT NULL,
    size_bytes     bigint NOT NULL,
    gap            double precision,        -- no set of the candidates saves more than this on top, share of the examined time
    elapsed_ms     double precision NOT NULL,
    report         jsonb NOT NULL           -- all of it, as report(format => 'json')
);
CREATE INDEX ON history_run (made_at);

-- What one run said of a recommendation.
CREATE TABLE history_advice (
    run               bigint NOT NULL REFERENCES history_run ON DELETE CASCADE,
    recommendation    bigint NOT NULL REFERENCES history_recommendation ON DELETE CASCADE,
    rank              integer NOT NULL,
    ddl               text NOT NULL,
    size_bytes        bigint NOT NULL,
    saving            double precision NOT NULL,
    saving_alone      double precision NOT NULL,
    saving_ms_per_day double precision,
    write_ms_per_day  double precision,
    reason            text NOT NULL,
    PRIMARY KEY (run, recommendation)
);
CREATE INDEX ON history_advice (recommendation);

-- What it promised to a statement, on top of the ones ranked above it.
CREATE TABLE history_effect (
    run            bigint NOT NULL,
    recommendation bigint NOT NULL,
    query_id       bigint NOT NULL,
    cost_before    double precision NOT NULL,
    cost_after     double precision NOT NULL,
    PRIMARY KEY (run, recommendation, query_id),
    FOREIGN KEY (run, recommendation) REFERENCES history_advice ON DELETE CASCADE
);

-- Verdicts on indexes that were created as advised, or dropped.
CREATE TABLE history_verification (
    id                    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    recommendation        bigint REFERENCES history_recommendation ON DELETE CASCADE, -- NULL for a dropped index
    index                 bigint REFERENCES history_index ON DELETE SET NULL,
    snapshot              bigint REFERENCES history_snapshot ON DELETE SET NULL,
    verified_at           timestamptz NOT NULL,
    verdict               text NOT NULL,
    estimated_saving      double precision, -- shares of the time of the statements concerned
    measured_saving       double precision,
    verification          jsonb NOT NULL    -- all of it
);
CREATE INDEX ON history_verification (recommendation, verified_at);
CREATE INDEX ON history_verification (index, verified_at);

-- What may be seen of a relation: nothing is said about a table that the caller may not read. By catalog, since regclass is
-- an error in a schema that the caller may not use.
CREATE FUNCTION _may_read(relation text)
RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
RETURN coalesce(
    (SELECT pg_catalog.has_table_privilege(c.oid, 'SELECT') OR pg_catalog.has_any_column_privilege(c.oid, 'SELECT')
       FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
      WHERE n.nspname = (pg_catalog.parse_ident(relation))[1] AND c.relname = (pg_catalog.parse_ident(relation))[2]),
    pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE'));

-- Whose runs may be seen: one's own, and all by those who may read all statistics.
CREATE FUNCTION _may_see_runs_of(role text)
RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
RETURN pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE')
    OR coalesce((SELECT pg_catalog.pg_has_role(r.oid, 'USAGE') FROM pg_catalog.pg_roles AS r WHERE r.rolname = role), false);

CREATE VIEW runs WITH (security_barrier) AS
SELECT id AS run, made_at, made_by, job, window_seconds, coverage * 100 AS coverage_percent, statements, candidates,
       planner_calls, (SELECT pg_catalog.count(*) FROM history_advice AS a WHERE a.run = r.id) AS recommendations,
       saving * 100 AS saving_percent, size_bytes, gap * 100 AS gap_percent, elapsed_ms, settings
  FROM history_run AS r
 WHERE _may_see_runs_of(made_by);
COMMENT ON VIEW runs IS 'the runs kept by run(), those of the caller or all for pg_read_all_stats';

CREATE VIEW recommendations WITH (security_barrier) AS
SELECT r.id AS recommendation,
       CASE WHEN r.dismissed_at IS NOT NULL THEN 'dismissed'
            WHEN i.id IS NOT NULL AND i.gone_seen IS NULL THEN coalesce(v.verdict, 'applied')
            WHEN i.id IS NOT NULL THEN 'dropped again'
            WHEN r.last_run = (SELECT pg_catalog.max(id) FROM history_run) THEN 'open'
            ELSE 'withdrawn'
       END AS status,
       coalesce(a.ddl, r.definition) AS ddl, r.relation, a.size_bytes, a.saving * 100 AS saving_percent,
       a.saving_ms_per_day, a.write_ms_per_day, r.first_seen, r.last_seen,
       (SELECT pg_catalog.count(*) FROM history_advice AS h WHERE h.recommendation = r.id) AS runs,
       i.name AS index, r.applied_at, v.verified_at, v.estimated_saving * 100 AS estimated_percent,
       v.measured_saving * 100 AS measured_percent,
       r.dismissed_at, r.dismissed_by, r.dismissed_why, a.reason
  FROM history_recommendation AS r
  LEFT JOIN history_advice AS a ON a.run = r.last_run AND a.recommendation = r.id
  LEFT JOIN history_index AS i ON i.id = r.index
  LEFT JOIN LATERAL (SELECT * FROM history_verification AS v
                      WHERE v.recommendation = r.id AND v.index = r.index
                      ORDER BY v.verified_at DESC, v.id DESC LIMIT 1) AS v ON true
 WHERE _may_read(r.relation);
COMMENT ON VIEW recommendations
    IS 'each recommendation over all runs: when first and last given, dismissed, applied, verified';

CREATE VIEW verifications WITH (security_barrier) AS
SELECT v.recommendation, v.verified_at, v.verdict, coalesce(i.name, v.verification ->> 'index') AS index,
       v.verification ->> 'relation' AS relation, v.estimated_saving * 100 AS estimated_percent,
       v.measured_saving * 100 AS measured_percent,
       (v.verification ->> 'measured_ms_per_day')::double precision AS measured_ms_per_day,
       v.verification ->> 'explanation' AS explanation, v.verification ->> 'next_step' AS next_step,
       v.verification ->> 'next_ddl' AS next_ddl
  FROM history_verification AS v LEFT JOIN history_index AS i ON i.id = v.index
 WHERE _may_read(v.verification ->> 'relation');
COMMENT ON VIEW verifications IS 'what verify() found out, each time';

REVOKE ALL ON history_snapshot, history_statement, history_counter, history_table_counter, history_index,
    history_recommendation, history_run, history_advice, history_effect, history_verification FROM PUBLIC;
GRANT SELECT ON runs, recommendations, verifications TO PUBLIC;

DO $$
DECLARE
    kept record;
BEGIN
    FOR kept IN
        SELECT c.oid::pg_catalog.regclass AS name
          FROM pg_catalog.pg_class AS c
          JOIN pg_catalog.pg_depend AS d ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e'
          JOIN pg_catalog.pg_extension AS e ON e.oid = d.refobjid AND e.extname = 'pg_index_advisor'
         WHERE c.relname LIKE 'history\_%' AND c.relkind IN ('r', 'S')
    LOOP
        PERFORM pg_catalog.pg_extension_config_dump(kept.name, '');
    END LOOP;
END $$;

CREATE FUNCTION dismiss(recommendation bigint, why text DEFAULT NULL)
RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'dismiss_wrapper';
COMMENT ON FUNCTION dismiss(bigint, text) IS 'advice not to be given again, by its number in the view recommendations';
REVOKE ALL ON FUNCTION dismiss(bigint, text) FROM PUBLIC;

CREATE FUNCTION report(run bigint, format text DEFAULT 'text')
RETURNS text
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'report_of_run_wrapper';
COMMENT ON FUNCTION report(bigint, text) IS 'the report of a kept run, in any format of report()';

CREATE FUNCTION run(
    storage_budget text DEFAULT NULL,
    max_indexes integer DEFAULT NULL,
    min_saving_percent double precision DEFAULT NULL,
    time_limit interval DEFAULT NULL,
    job text DEFAULT NULL)
RETURNS TABLE (
    run bigint, recommendations integer, new integer, withdrawn integer,
    saving_percent double precision, size_bytes bigint, summary text)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'run_wrapper';
COMMENT ON FUNCTION run(text, integer, double precision, interval, text)
    IS 'a run over the recorded workload that is kept: see runs, recommendations and report(run)';
REVOKE ALL ON FUNCTION run(text, integer, double precision, interval, text) FROM PUBLIC;

CREATE FUNCTION undismiss(recommendation bigint)
RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'undismiss_wrapper';
COMMENT ON FUNCTION undismiss(bigint) IS 'takes dismiss() back';
REVOKE ALL ON FUNCTION undismiss(bigint) FROM PUBLIC;
