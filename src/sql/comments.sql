COMMENT ON FUNCTION recommend(text, integer, double precision, interval) IS
'Ranked indexes for the workload that pg_stat_statements recorded in this database, with what each saves and costs. Creates nothing.';
COMMENT ON FUNCTION recommend_for(text, text, integer, double precision, interval) IS
'Ranked indexes for one statement; it may contain $1, $2, ... The statement is planned, never run.';
COMMENT ON FUNCTION statements(text, integer, double precision, interval) IS
'The workload as examined: every statement with its planner cost now and with the recommended indexes, or why it was left out.';
COMMENT ON FUNCTION report(text, text, integer, double precision, interval) IS
'The advice as a report for people (text), or for programs (json).';
COMMENT ON FUNCTION _bench_what_if(text[], integer, integer) IS
'For benchmarks: how long the planner takes for each query with hypothetical indexes in view.';
