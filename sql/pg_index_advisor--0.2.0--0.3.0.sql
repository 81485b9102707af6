-- From 0.2.0 to 0.3.0: verification, schedules and progress.
\echo Use "ALTER EXTENSION pg_index_advisor UPDATE TO '0.3.0'" to load this file. \quit
