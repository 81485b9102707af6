-- From 0.2.0 to 0.3.0: verification, schedules and progress.
\echo Use "ALTER EXTENSION pg_index_advisor UPDATE TO '0.3.0'" to load this file. \quit

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
COMMENT ON FUNCTION report(text, text, integer, double precision, interval, text[])
    IS 'a run over the recorded workload for people, as text, markdown or html, or for programs, as json';
