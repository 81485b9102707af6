-- index: btree, one column
CREATE INDEX ON lineitem (l_shipdate);
-- pair: shipdate_month
SELECT sum(l_extendedprice * l_discount) FROM lineitem WHERE l_shipdate >= '1994-01-01' AND l_shipdate < '1994-02-01';
