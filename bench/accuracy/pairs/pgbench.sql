-- index: btree, one column
CREATE INDEX ON pgbench_accounts (abalance);
-- pair: balance_eq
SELECT * FROM pgbench_accounts WHERE abalance = 4321;
-- pair: balance_range
SELECT aid FROM pgbench_accounts WHERE abalance BETWEEN 100 AND 110;
-- pair: balance_wide_range_unused
SELECT count(filler) FROM pgbench_accounts WHERE abalance > -4000;
-- pair: balance_top
SELECT aid, abalance FROM pgbench_accounts ORDER BY abalance DESC LIMIT 10;
-- pair: balance_min_max
SELECT min(abalance), max(abalance) FROM pgbench_accounts;
-- pair: balance_in
SELECT * FROM pgbench_accounts WHERE abalance IN (1, 17, 40, 99, -2000);
-- pair: balance_count_only
SELECT count(*) FROM pgbench_accounts WHERE abalance < -4900;
-- pair: balance_groups
SELECT abalance, count(*) FROM pgbench_accounts GROUP BY abalance ORDER BY abalance LIMIT 20;
-- pair: balance_range_default; settings: default
SELECT aid FROM pgbench_accounts WHERE abalance BETWEEN 100 AND 120;
-- pair: balance_range_parallel; settings: parallel
SELECT count(filler) FROM pgbench_accounts WHERE abalance BETWEEN 0 AND 1000;

-- index: btree, few distinct values
CREATE INDEX ON pgbench_accounts (bid);
-- pair: branch_eq
SELECT sum(abalance) FROM pgbench_accounts WHERE bid = 3;
-- pair: branch_count
SELECT count(*) FROM pgbench_accounts WHERE bid = 3;
-- pair: branch_eq_default; settings: default
SELECT sum(abalance) FROM pgbench_accounts WHERE bid = 3;
-- pair: branch_join
SELECT b.bid, count(*) FROM pgbench_branches b JOIN pgbench_accounts a USING (bid) WHERE b.bid IN (2, 4) GROUP BY b.bid;
-- pair: branch_count_parallel; settings: parallel
SELECT count(*) FROM pgbench_accounts WHERE bid >= 6;

-- index: btree, several columns
CREATE INDEX ON pgbench_accounts (bid, abalance);
-- pair: branch_balance_eq
SELECT aid FROM pgbench_accounts WHERE bid = 7 AND abalance = 12;
-- pair: branch_balance_top
SELECT * FROM pgbench_accounts WHERE bid = 7 ORDER BY abalance DESC LIMIT 5;
-- pair: branch_balance_range
SELECT aid FROM pgbench_accounts WHERE bid = 7 AND abalance BETWEEN 0 AND 20;
-- pair: branch_balance_second_only
SELECT count(*) FROM pgbench_accounts WHERE abalance = 12;
-- pair: branch_balance_sorted
SELECT bid, abalance FROM pgbench_accounts ORDER BY bid, abalance LIMIT 1000;
-- pair: branch_balance_sum
SELECT bid, sum(abalance) FROM pgbench_accounts GROUP BY bid ORDER BY bid;

-- index: btree, INCLUDE
CREATE INDEX ON pgbench_accounts (aid) INCLUDE (abalance);
-- pair: covering_eq
SELECT abalance FROM pgbench_accounts WHERE aid = 12345;
-- pair: covering_range
SELECT sum(abalance) FROM pgbench_accounts WHERE aid BETWEEN 1000 AND 90000;
-- pair: covering_join
SELECT sum(a.abalance) FROM pgbench_history h JOIN pgbench_accounts a USING (aid) WHERE h.mtime < '2026-01-01 01:00';

-- index: btree, partial
CREATE INDEX ON pgbench_accounts (aid) WHERE abalance < -4900;
-- pair: poor_all
SELECT count(*) FROM pgbench_accounts WHERE abalance < -4900;
-- pair: poor_range
SELECT * FROM pgbench_accounts WHERE abalance < -4900 AND aid < 20000;
-- pair: poor_sorted
SELECT aid FROM pgbench_accounts WHERE abalance < -4950 ORDER BY aid LIMIT 50;

-- index: btree, wide text
CREATE INDEX ON pgbench_accounts (filler);
-- pair: filler_eq_unused
SELECT count(*) FROM pgbench_accounts WHERE filler = '' AND abalance = 3;

-- index: btree, one column
CREATE INDEX ON pgbench_history (aid);
-- pair: history_of_account
SELECT * FROM pgbench_history WHERE aid = 500000;
-- pair: history_of_poor
SELECT h.* FROM pgbench_accounts a JOIN pgbench_history h USING (aid) WHERE a.aid BETWEEN 1000 AND 1050;
-- pair: history_anti
SELECT count(*) FROM pgbench_accounts a WHERE a.aid < 300 AND NOT EXISTS (SELECT FROM pgbench_history h WHERE h.aid = a.aid);
-- pair: history_distinct
SELECT DISTINCT aid FROM pgbench_history ORDER BY aid LIMIT 100;

-- index: btree, time
CREATE INDEX ON pgbench_history (mtime);
-- pair: history_day
SELECT sum(delta) FROM pgbench_history WHERE mtime >= '2026-01-05' AND mtime < '2026-01-06';
-- pair: history_latest
SELECT * FROM pgbench_history ORDER BY mtime DESC LIMIT 20;
-- pair: history_whole_unused
SELECT sum(delta) FROM pgbench_history WHERE mtime >= '2026-01-02';

-- index: btree, several columns
CREATE INDEX ON pgbench_history (bid, tid, mtime DESC);
-- pair: teller_latest
SELECT * FROM pgbench_history WHERE bid = 4 AND tid = 44 ORDER BY mtime DESC LIMIT 3;
-- pair: teller_day
SELECT count(*) FROM pgbench_history WHERE bid = 4 AND tid = 44 AND mtime >= '2026-01-10';
-- pair: teller_of_branch
SELECT tid, max(mtime) FROM pgbench_history WHERE bid = 4 GROUP BY tid;

-- index: hash, unique values
CREATE INDEX ON pgbench_accounts USING hash (aid);
-- pair: hash_account
SELECT count(*) FROM pgbench_accounts WHERE aid = 77;

-- index: hash, duplicates
CREATE INDEX ON pgbench_accounts USING hash (abalance);
-- pair: hash_balance
SELECT * FROM pgbench_accounts WHERE abalance = 77;
-- pair: hash_balance_in
SELECT * FROM pgbench_accounts WHERE abalance IN (1, 2, 3);

-- index: hash, duplicates
CREATE INDEX ON pgbench_history USING hash (tid);
-- pair: hash_teller
SELECT count(*) FROM pgbench_history WHERE tid = 5 AND delta = 11;

-- index: brin, minmax
CREATE INDEX ON pgbench_accounts USING brin (aid, bid);
-- pair: brin_branch
SELECT sum(abalance) FROM pgbench_accounts WHERE bid = 3;
-- pair: brin_branch_default; settings: default
SELECT sum(abalance) FROM pgbench_accounts WHERE bid = 3;

-- index: brin, minmax
CREATE INDEX ON pgbench_history USING brin (mtime) WITH (pages_per_range = 32);
-- pair: brin_history_day
SELECT sum(delta) FROM pgbench_history WHERE mtime >= '2026-01-05' AND mtime < '2026-01-06';
-- pair: brin_history_whole_unused
SELECT sum(delta) FROM pgbench_history WHERE mtime >= '2026-01-02';
