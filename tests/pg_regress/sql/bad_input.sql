-- What the user reads when something is wrong.
CREATE TABLE t (i integer PRIMARY KEY, v text);
SELECT * FROM index_advisor.recommend_for('give me the rows please');
SELECT * FROM index_advisor.recommend_for('SELECT 1; SELECT 2');
SELECT * FROM index_advisor.recommend_for('');
SELECT * FROM index_advisor.recommend_for('SELECT * FROM no_such_table');
SELECT * FROM index_advisor.recommend_for('SELECT no_such_column FROM t');
SELECT * FROM index_advisor.recommend_for('VACUUM t');
SELECT * FROM index_advisor.recommend(storage_budget => '2 elephants');
SELECT * FROM index_advisor.recommend(storage_budget => '-5MB');
SELECT * FROM index_advisor.recommend(max_indexes => 0);
SELECT * FROM index_advisor.recommend(min_saving_percent => 101);
SELECT * FROM index_advisor.recommend(min_saving_percent => 'NaN');
SELECT * FROM index_advisor.recommend(time_limit => interval '-1 s');
SELECT * FROM index_advisor.report(format => 'pdf');
SET pg_index_advisor.max_indexes = 'many';
SET pg_index_advisor.max_indexes = 0;
SET pg_index_advisor.no_such_setting = 1;
SET pg_index_advisor.access_methods = 'btree, btre';
SET pg_index_advisor.exclude_tables = 'a.b.c';
SET pg_index_advisor.exclude_schemas = '"audit';
SELECT * FROM index_advisor.recommend(previous => ARRAY['DROP TABLE t']);
SELECT * FROM index_advisor.recommend(previous => ARRAY['CREATE INDX ON t (v)']);
-- Names that stand for nothing are no error: the setting may be a role's, for all its databases.
SET pg_index_advisor.exclude_tables = 'nowhere, "T".v';
SET pg_index_advisor.exclude_schemas = 'tenant_*';
SELECT ddl FROM index_advisor.recommend_for('SELECT * FROM t WHERE i = 1');
