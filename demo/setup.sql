-- The database of the demonstration: what the advisor needs, before TPC-H and pgbench are loaded beside each other.
CREATE EXTENSION pg_stat_statements;
CREATE EXTENSION pg_index_advisor;
