-- The first session of a new user: what the functions are, and the advice for one statement.
SELECT p.proname AS function, pg_get_function_arguments(p.oid) AS arguments
FROM pg_proc p WHERE p.pronamespace = 'index_advisor'::regnamespace AND p.proname !~ '^_'
ORDER BY 1, 2;
-- Every function has a comment.
SELECT p.proname FROM pg_proc p
WHERE p.pronamespace = 'index_advisor'::regnamespace AND p.proname !~ '^_' AND obj_description(p.oid, 'pg_proc') IS NULL;

CREATE TABLE readings (device integer NOT NULL, taken timestamptz NOT NULL, "Value °C" numeric);
INSERT INTO readings
SELECT i % 500, timestamptz '2026-01-01' + i * interval '1 minute', i % 40 FROM generate_series(1, 50000) i;
VACUUM ANALYZE readings;

SELECT rank, action, ddl, relation FROM index_advisor.recommend_for('SELECT * FROM readings WHERE device = $1');
-- In any case the name is quoted as it must be.
SELECT substring(ddl FROM '\(.*?\)') AS columns FROM index_advisor.recommend_for('SELECT device FROM readings WHERE "Value °C" = $1');
-- What exists is not proposed again.
CREATE INDEX ON readings (device);
SELECT ddl FROM index_advisor.recommend_for('SELECT * FROM readings WHERE device = $1');
-- Nothing helps, and nothing is said.
SELECT ddl FROM index_advisor.recommend_for('SELECT count(*) FROM readings');
