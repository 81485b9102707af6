-- index: btree, one column
CREATE INDEX ON lineitem (l_shipdate);
-- pair: shipdate_month
SELECT sum(l_extendedprice * l_discount) FROM lineitem WHERE l_shipdate >= '1994-01-01' AND l_shipdate < '1994-02-01';
-- pair: q6
SELECT sum(l_extendedprice * l_discount) AS revenue FROM lineitem
WHERE l_shipdate >= date '1994-01-01' AND l_shipdate < date '1994-01-01' + interval '1' year AND l_discount BETWEEN 0.05 AND 0.07 AND l_quantity < 24;
-- pair: q14
SELECT 100.00 * sum(CASE WHEN p_type LIKE 'PROMO%' THEN l_extendedprice * (1 - l_discount) ELSE 0 END) / sum(l_extendedprice * (1 - l_discount))
FROM lineitem, part WHERE l_partkey = p_partkey AND l_shipdate >= date '1995-09-01' AND l_shipdate < date '1995-10-01';
-- pair: q15_inner
SELECT l_suppkey, sum(l_extendedprice * (1 - l_discount)) FROM lineitem
WHERE l_shipdate >= date '1996-01-01' AND l_shipdate < date '1996-01-08' GROUP BY l_suppkey;
-- pair: q1_unused
SELECT l_returnflag, l_linestatus, sum(l_quantity), count(*) FROM lineitem WHERE l_shipdate <= date '1998-09-02' GROUP BY l_returnflag, l_linestatus ORDER BY 1, 2;
-- pair: shipdate_months
SELECT l_shipdate, count(*) FROM lineitem GROUP BY l_shipdate ORDER BY l_shipdate;
-- pair: q6_default; settings: default
SELECT sum(l_extendedprice * l_discount) AS revenue FROM lineitem WHERE l_shipdate >= date '1994-01-01' AND l_shipdate < date '1994-02-01';
-- pair: q6_parallel; settings: parallel
SELECT sum(l_extendedprice * l_discount) AS revenue FROM lineitem WHERE l_shipdate >= date '1994-01-01' AND l_shipdate < date '1994-06-01';

-- index: btree, one column
CREATE INDEX ON lineitem (l_partkey);
-- pair: q17
SELECT sum(l_extendedprice) / 7.0 AS avg_yearly FROM lineitem, part
WHERE p_partkey = l_partkey AND p_brand = 'Brand#23' AND p_container = 'MED BOX'
  AND l_quantity < (SELECT 0.2 * avg(l_quantity) FROM lineitem WHERE l_partkey = p_partkey);
-- pair: q19
SELECT sum(l_extendedprice * (1 - l_discount)) FROM lineitem, part
WHERE p_partkey = l_partkey AND p_brand = 'Brand#12' AND p_container IN ('SM CASE', 'SM BOX') AND l_quantity BETWEEN 1 AND 11 AND p_size BETWEEN 1 AND 5;
-- pair: lines_of_part
SELECT * FROM lineitem WHERE l_partkey = 15000;
-- pair: lines_of_parts
SELECT l_partkey, count(*) FROM lineitem WHERE l_partkey < 100 GROUP BY l_partkey;

-- index: btree, several columns
CREATE INDEX ON lineitem (l_suppkey, l_shipdate);
-- pair: supplier_shipments
SELECT count(*) FROM lineitem WHERE l_suppkey = 77 AND l_shipdate > '1998-01-01';
-- pair: supplier_latest
SELECT * FROM lineitem WHERE l_suppkey = 77 ORDER BY l_shipdate DESC LIMIT 10;
-- pair: suppliers_of_nation
SELECT s_name, count(*) FROM supplier JOIN lineitem ON l_suppkey = s_suppkey WHERE s_nationkey = 3 AND l_shipdate >= '1998-10-01' GROUP BY s_name;
-- pair: supplier_shipdate_first_missing
SELECT count(*) FROM lineitem WHERE l_shipdate = '1998-10-01';

-- index: btree, INCLUDE
CREATE INDEX ON lineitem (l_shipdate) INCLUDE (l_extendedprice, l_discount, l_quantity);
-- pair: q6_covered
SELECT sum(l_extendedprice * l_discount) AS revenue FROM lineitem
WHERE l_shipdate >= date '1994-01-01' AND l_shipdate < date '1995-01-01' AND l_discount BETWEEN 0.05 AND 0.07 AND l_quantity < 24;
-- pair: day_covered
SELECT avg(l_quantity) FROM lineitem WHERE l_shipdate = '1996-06-06';

-- index: btree, INCLUDE
CREATE INDEX ON lineitem (l_partkey) INCLUDE (l_quantity, l_extendedprice);
-- pair: q17_covered
SELECT sum(l_extendedprice) / 7.0 AS avg_yearly FROM lineitem, part
WHERE p_partkey = l_partkey AND p_brand = 'Brand#23' AND p_container = 'MED BOX'
  AND l_quantity < (SELECT 0.2 * avg(l_quantity) FROM lineitem WHERE l_partkey = p_partkey);

-- index: btree, partial
CREATE INDEX ON lineitem (l_receiptdate) WHERE l_returnflag = 'R';
-- pair: returned_lately
SELECT count(*) FROM lineitem WHERE l_returnflag = 'R' AND l_receiptdate > '1995-06-01';
-- pair: returned_month
SELECT sum(l_extendedprice) FROM lineitem WHERE l_returnflag = 'R' AND l_receiptdate BETWEEN '1993-03-01' AND '1993-03-31';

-- index: btree, partial
CREATE INDEX ON lineitem (l_orderkey) WHERE l_receiptdate > l_commitdate;
-- pair: q4
SELECT o_orderpriority, count(*) FROM orders WHERE o_orderdate >= date '1993-07-01' AND o_orderdate < date '1993-08-01'
  AND EXISTS (SELECT * FROM lineitem WHERE l_orderkey = o_orderkey AND l_commitdate < l_receiptdate) GROUP BY o_orderpriority ORDER BY o_orderpriority;
-- pair: late_of_order
SELECT count(*) FROM lineitem WHERE l_orderkey = 12 AND l_receiptdate > l_commitdate;

-- index: btree, partial
CREATE INDEX ON orders (o_orderdate) WHERE o_orderpriority = '1-URGENT';
-- pair: urgent_month
SELECT o_orderkey FROM orders WHERE o_orderpriority = '1-URGENT' AND o_orderdate BETWEEN '1994-05-01' AND '1994-05-31';

-- index: btree, expression
CREATE INDEX ON orders (date_part('year', o_orderdate));
-- pair: year_1998
SELECT count(*) FROM orders WHERE date_part('year', o_orderdate) = 1998;
-- pair: year_groups_unused
SELECT date_part('year', o_orderdate), sum(o_totalprice) FROM orders GROUP BY 1;

-- index: btree, expression
CREATE INDEX ON lineitem ((l_extendedprice * (1 - l_discount)));
-- pair: revenue_top
SELECT l_orderkey FROM lineitem ORDER BY l_extendedprice * (1 - l_discount) DESC LIMIT 10;
-- pair: revenue_above
SELECT l_orderkey FROM lineitem WHERE l_extendedprice * (1 - l_discount) > 100000;

-- index: btree, expression
CREATE INDEX ON customer (substring(c_phone FROM 1 FOR 2));
-- pair: q22
SELECT cntrycode, count(*), sum(c_acctbal) FROM (SELECT substring(c_phone FROM 1 FOR 2) AS cntrycode, c_acctbal FROM customer
  WHERE substring(c_phone FROM 1 FOR 2) IN ('13', '31') AND c_acctbal > 5000
  AND NOT EXISTS (SELECT * FROM orders WHERE o_custkey = c_custkey)) AS custsale GROUP BY cntrycode ORDER BY cntrycode;
-- pair: country_code
SELECT count(*) FROM customer WHERE substring(c_phone FROM 1 FOR 2) = '17';

-- index: btree, char(n) and varchar(n)
CREATE INDEX ON orders (o_clerk);
-- pair: clerk
SELECT count(*) FROM orders WHERE o_clerk = 'Clerk#000000042';
-- pair: clerk_range
SELECT * FROM orders WHERE o_clerk BETWEEN 'Clerk#000000042' AND 'Clerk#000000044';

-- index: btree, char(n) and varchar(n)
CREATE INDEX ON customer (c_mktsegment, c_custkey);
-- pair: q3
SELECT l_orderkey, sum(l_extendedprice * (1 - l_discount)) AS revenue, o_orderdate FROM customer, orders, lineitem
WHERE c_mktsegment = 'BUILDING' AND c_custkey = o_custkey AND l_orderkey = o_orderkey AND o_orderdate < date '1995-03-15' AND l_shipdate > date '1995-03-15'
GROUP BY l_orderkey, o_orderdate ORDER BY revenue DESC, o_orderdate LIMIT 10;
-- pair: segment_count
SELECT count(*) FROM customer WHERE c_mktsegment = 'BUILDING';

-- index: btree, wide text
CREATE INDEX ON orders (o_comment);
-- pair: comment_sorted
SELECT o_orderkey FROM orders ORDER BY o_comment LIMIT 5;
-- pair: comment_from
SELECT count(*) FROM orders WHERE o_comment >= 'z';

-- index: btree, numeric
CREATE INDEX ON orders (o_totalprice DESC);
-- pair: q18_top
SELECT o_orderkey, o_totalprice FROM orders ORDER BY o_totalprice DESC, o_orderdate LIMIT 100;
-- pair: price_above
SELECT * FROM orders WHERE o_totalprice > 420000;

-- index: btree, one column
CREATE INDEX ON orders (o_custkey);
-- pair: orders_of_customer
SELECT * FROM orders WHERE o_custkey = 370;
-- pair: q13
SELECT c_count, count(*) FROM (SELECT c_custkey, count(o_orderkey) FROM customer LEFT JOIN orders ON c_custkey = o_custkey
  AND o_comment NOT LIKE '%special%requests%' GROUP BY c_custkey) AS c_orders (c_custkey, c_count) GROUP BY c_count ORDER BY 1 DESC, 2 DESC;
-- pair: orders_of_rich
SELECT c_name, sum(o_totalprice) FROM customer JOIN orders ON o_custkey = c_custkey WHERE c_acctbal > 9950 GROUP BY c_name;
-- pair: customers_without_orders
SELECT count(*) FROM customer WHERE NOT EXISTS (SELECT FROM orders WHERE o_custkey = c_custkey);

-- index: btree, several columns
CREATE INDEX ON orders (o_orderdate, o_custkey);
-- pair: q10
SELECT c_custkey, c_name, sum(l_extendedprice * (1 - l_discount)) AS revenue FROM customer, orders, lineitem
WHERE c_custkey = o_custkey AND l_orderkey = o_orderkey AND o_orderdate >= date '1993-10-01' AND o_orderdate < date '1993-10-15' AND l_returnflag = 'R'
GROUP BY c_custkey, c_name ORDER BY revenue DESC LIMIT 20;
-- pair: customers_of_day
SELECT DISTINCT o_custkey FROM orders WHERE o_orderdate = '1996-01-02';
-- pair: orderdate_last
SELECT max(o_orderdate) FROM orders;

-- index: btree, several columns
CREATE INDEX ON partsupp (ps_suppkey, ps_supplycost);
-- pair: q11_inner
SELECT ps_partkey, sum(ps_supplycost * ps_availqty) FROM partsupp, supplier, nation
WHERE ps_suppkey = s_suppkey AND s_nationkey = n_nationkey AND n_name = 'GERMANY' GROUP BY ps_partkey;
-- pair: cheapest_of_supplier
SELECT ps_partkey FROM partsupp WHERE ps_suppkey = 500 ORDER BY ps_supplycost LIMIT 1;

-- index: btree, several indexes
CREATE INDEX ON part (p_size, p_type);
CREATE INDEX ON supplier (s_nationkey);
-- pair: q2
SELECT s_acctbal, s_name, n_name, p_partkey FROM part, supplier, partsupp, nation, region
WHERE p_partkey = ps_partkey AND s_suppkey = ps_suppkey AND p_size = 15 AND p_type LIKE '%BRASS' AND s_nationkey = n_nationkey AND n_regionkey = r_regionkey
  AND r_name = 'EUROPE' AND ps_supplycost = (SELECT min(ps_supplycost) FROM partsupp, supplier, nation, region
    WHERE p_partkey = ps_partkey AND s_suppkey = ps_suppkey AND s_nationkey = n_nationkey AND n_regionkey = r_regionkey AND r_name = 'EUROPE')
ORDER BY s_acctbal DESC, n_name, s_name, p_partkey LIMIT 100;
-- pair: parts_of_size
SELECT count(*) FROM part WHERE p_size = 15 AND p_type = 'ECONOMY BRUSHED BRASS';

-- index: btree, several indexes
CREATE INDEX ON lineitem (l_suppkey);
CREATE INDEX ON orders (o_orderstatus);
-- pair: q21
SELECT s_name, count(*) AS numwait FROM supplier, lineitem l1, orders, nation
WHERE s_suppkey = l1.l_suppkey AND o_orderkey = l1.l_orderkey AND o_orderstatus = 'F' AND l1.l_receiptdate > l1.l_commitdate
  AND EXISTS (SELECT * FROM lineitem l2 WHERE l2.l_orderkey = l1.l_orderkey AND l2.l_suppkey <> l1.l_suppkey)
  AND NOT EXISTS (SELECT * FROM lineitem l3 WHERE l3.l_orderkey = l1.l_orderkey AND l3.l_suppkey <> l1.l_suppkey AND l3.l_receiptdate > l3.l_commitdate)
  AND s_nationkey = n_nationkey AND n_name = 'SAUDI ARABIA' GROUP BY s_name ORDER BY numwait DESC, s_name LIMIT 100;
-- pair: orders_pending
SELECT count(*) FROM orders WHERE o_orderstatus = 'P';

-- index: btree, several indexes
CREATE INDEX ON lineitem (l_shipdate);
CREATE INDEX ON lineitem (l_partkey);
-- pair: and_of_two
SELECT * FROM lineitem WHERE l_shipdate BETWEEN '1995-01-01' AND '1995-01-31' AND l_partkey BETWEEN 500 AND 700;
-- pair: or_of_two
SELECT * FROM lineitem WHERE l_shipdate = '1995-01-01' OR l_partkey = 700;

-- index: hash, duplicates
CREATE INDEX ON orders USING hash (o_custkey);
-- pair: hash_custkey
SELECT * FROM orders WHERE o_custkey = 370;
-- pair: hash_join
SELECT c_name, sum(o_totalprice) FROM customer JOIN orders ON o_custkey = c_custkey WHERE c_acctbal > 9990 GROUP BY c_name;

-- index: hash, text and uuid
CREATE INDEX ON part USING hash (p_name);
-- pair: hash_part_name
SELECT * FROM part WHERE p_name = 'goldenrod lavender spring chocolate lace';

-- index: hash, duplicates
CREATE INDEX ON lineitem USING hash (l_shipdate);
-- pair: hash_shipdate
SELECT count(l_tax) FROM lineitem WHERE l_shipdate = '1995-01-01';

-- index: brin, minmax
CREATE INDEX ON lineitem USING brin (l_orderkey) WITH (pages_per_range = 8);
-- pair: brin_orderkeys
SELECT sum(l_quantity) FROM lineitem WHERE l_orderkey BETWEEN 1000 AND 2000;
-- pair: brin_orderkey_set
SELECT sum(l_quantity) FROM lineitem WHERE l_orderkey IN (5, 70000, 590000) AND l_tax > 0.03;

-- index: brin, minmax
CREATE INDEX ON lineitem USING brin (l_shipdate);
-- pair: brin_shipdate_uncorrelated
SELECT sum(l_extendedprice) FROM lineitem WHERE l_shipdate BETWEEN '1994-01-01' AND '1994-01-31';

-- index: bloom, several columns
CREATE INDEX ON lineitem USING bloom (l_partkey, l_suppkey, l_linenumber);
-- pair: bloom_two
SELECT * FROM lineitem WHERE l_partkey = 15000 AND l_suppkey = 501;
-- pair: bloom_three
SELECT * FROM lineitem WHERE l_partkey = 15000 AND l_suppkey = 501 AND l_linenumber = 2;
