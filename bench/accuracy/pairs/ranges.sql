-- index: gist, ranges
CREATE INDEX ON bookings USING gist (during);
-- pair: during_contains
SELECT * FROM bookings WHERE during @> timestamptz '2026-06-06 12:00 UTC';
-- pair: during_overlaps
SELECT * FROM bookings WHERE during && tstzrange('2026-06-06 12:00 UTC', '2026-06-06 18:00 UTC');
-- pair: during_left
SELECT count(*) FROM bookings WHERE during << tstzrange('2026-01-02 00:00 UTC', '2026-01-03 00:00 UTC');
-- pair: during_within
SELECT count(*) FROM bookings WHERE during <@ tstzrange('2026-03-01 00:00 UTC', '2026-03-02 00:00 UTC');
-- pair: during_most_unused
SELECT count(guest) FROM bookings WHERE during && tstzrange('2026-01-06 12:00 UTC', '2026-12-06 18:00 UTC');
-- pair: during_contains_default; settings: default
SELECT * FROM bookings WHERE during @> timestamptz '2026-06-06 12:00 UTC';

-- index: gist, ranges
CREATE INDEX ON bookings USING gist (price);
-- pair: price_contains
SELECT id FROM bookings WHERE price @> 5;
-- pair: price_overlaps
SELECT id FROM bookings WHERE price && int4range(900, 905);
-- pair: price_equal
SELECT id FROM bookings WHERE price = int4range(100, 150);

-- index: gist, ranges
CREATE INDEX ON bookings USING gist (stay);
-- pair: stay_contains
SELECT count(*) FROM bookings WHERE stay @> date '2026-01-02';
-- pair: stay_empty
SELECT count(*) FROM bookings WHERE stay = 'empty'::daterange;

-- index: gist, btree_gist
CREATE INDEX ON bookings USING gist (room, during);
-- pair: room_overlaps
SELECT * FROM bookings WHERE room = 17 AND during && tstzrange('2026-06-06 12:00 UTC', '2026-06-09 18:00 UTC');
-- pair: room_alone
SELECT count(*) FROM bookings WHERE room = 17;
-- pair: room_join
SELECT a.id, b.id FROM bookings a JOIN bookings b ON a.room = b.room AND a.during && b.during AND a.id < b.id WHERE a.id < 50;

-- index: gist, btree_gist
CREATE INDEX ON documents USING gist (day);
-- pair: day_eq
SELECT title FROM documents WHERE day = '2020-02-02';
-- pair: day_nearest
SELECT id FROM documents ORDER BY day <-> date '2020-02-02' LIMIT 5;

-- index: gist, btree_gist
CREATE INDEX ON documents USING gist (token);
-- pair: token_eq
SELECT title FROM documents WHERE token = 'c4ca4238-a0b9-2382-0dcc-509a6f75849b';

-- index: gist, btree_gist
CREATE INDEX ON documents USING gist (code);
-- pair: code_range
SELECT title FROM documents WHERE code BETWEEN 500000000000 AND 500500000000;
-- pair: code_nearest
SELECT id, code FROM documents ORDER BY code <-> 777777777777 LIMIT 3;

-- index: gist, btree_gist
CREATE INDEX ON documents USING gist (score);
-- pair: score_above
SELECT title FROM documents WHERE score > 998;

-- index: gist, btree_gist
CREATE INDEX ON documents USING gist (title);
-- pair: title_eq
SELECT id FROM documents WHERE title = 'bababa bababa bababa bababa';

-- index: gist, geometry
CREATE INDEX ON places USING gist (spot);
-- pair: spot_in_box
SELECT id FROM places WHERE spot <@ box '((100,100),(120,120))';
-- pair: spot_nearest
SELECT id, name FROM places ORDER BY spot <-> point '(500,500)' LIMIT 10;
-- pair: spot_nearest_kind
SELECT id FROM places WHERE kind = 19 ORDER BY spot <-> point '(500,500)' LIMIT 3;
-- pair: spot_in_circle
SELECT id FROM places WHERE spot <@ circle '((300,300),5)';
-- pair: spot_eq
SELECT id FROM places WHERE spot ~= point '(1,1)';
-- pair: spot_join
SELECT a.id, count(*) FROM places a JOIN places b ON b.spot <@ a.disc WHERE a.id < 20 GROUP BY a.id;

-- index: gist, geometry
CREATE INDEX ON places USING gist (area);
-- pair: area_overlaps
SELECT id FROM places WHERE area && box '((100,100),(101,101))';
-- pair: area_contains
SELECT id FROM places WHERE area @> box '((500,500),(500.5,500.5))';

-- index: gist, geometry
CREATE INDEX ON places USING gist (disc);
-- pair: disc_overlaps
SELECT id FROM places WHERE disc && circle '((100,100),1)';
-- pair: disc_nearest
SELECT id FROM places ORDER BY disc <-> point '(3,3)' LIMIT 5;

-- index: gist, geometry
CREATE INDEX ON places USING gist (plot);
-- pair: plot_overlaps
SELECT id FROM places WHERE plot && polygon '((1,1),(2,2),(3,1))';

-- index: gist, geometry, other than plain
CREATE INDEX ON places USING gist (spot) WHERE kind = 0;
-- pair: kind_spot_nearest
SELECT id FROM places WHERE kind = 0 ORDER BY spot <-> point '(200,700)' LIMIT 10;
-- pair: kind_spot_box
SELECT id FROM places WHERE kind = 0 AND spot <@ box '((100,100),(140,140))';

-- index: gist, geometry, other than plain
CREATE INDEX ON places USING gist (box(spot, spot));
-- pair: spot_as_box
SELECT id FROM places WHERE box(spot, spot) && box '((100,100),(110,110))';

-- index: gist, geometry, other than plain
CREATE INDEX ON places USING gist (spot) INCLUDE (kind);
-- pair: covered_nearest
SELECT spot, kind FROM places ORDER BY spot <-> point '(500,500)' LIMIT 10;
-- pair: covered_box
SELECT kind, count(*) FROM places WHERE spot <@ box '((100,100),(200,200))' GROUP BY kind;

-- index: gist, inet
CREATE INDEX ON hosts USING gist (address inet_ops);
-- pair: address_in_network
SELECT name FROM hosts WHERE address <<= '10.3.4.0/24';
-- pair: address_eq
SELECT name FROM hosts WHERE address = '10.3.4.5';

-- index: gist, inet
CREATE INDEX ON hosts USING gist (network inet_ops);
-- pair: network_of_address
SELECT name FROM hosts WHERE network >>= inet '10.3.4.5';
-- pair: network_overlap
SELECT count(*) FROM hosts WHERE network && inet '10.3.0.0/18';

-- index: gist, tsvector
CREATE INDEX ON documents USING gist (body);
-- pair: body_seldom
SELECT id FROM documents WHERE body @@ to_tsquery('simple', 'trepligu');
-- pair: body_and
SELECT id FROM documents WHERE body @@ to_tsquery('simple', 'brakiba & baceba');

-- index: gist, tsvector
CREATE INDEX ON documents USING gist (body tsvector_ops(siglen = 256));
-- pair: body_long_signature
SELECT id FROM documents WHERE body @@ to_tsquery('simple', 'trepligu');

-- index: gist, pg_trgm
CREATE INDEX ON documents USING gist (title gist_trgm_ops);
-- pair: title_like
SELECT id FROM documents WHERE title LIKE '%treplig%';
-- pair: title_similar
SELECT id FROM documents WHERE title % 'brakiba cebaba dibaba bababa';
-- pair: title_nearest
SELECT id, title FROM documents ORDER BY title <-> 'brakiba cebaba' LIMIT 5;

-- index: gist, pg_trgm
CREATE INDEX ON hosts USING gist (url gist_trgm_ops(siglen = 64));
-- pair: url_like
SELECT id FROM hosts WHERE url LIKE '%brakiba/fob%';
-- pair: url_like_default; settings: default
SELECT id FROM hosts WHERE url LIKE '%brakiba/fob%';

-- index: gin, pg_trgm
CREATE INDEX ON hosts USING gin (url gin_trgm_ops);
-- pair: gin_url_like
SELECT id FROM hosts WHERE url LIKE '%brakiba/fob%';
-- pair: gin_url_unused
SELECT count(*) FROM hosts WHERE url LIKE '%example%';

-- index: gin, tsvector
CREATE INDEX ON documents USING gin (body);
-- pair: gin_body_seldom
SELECT id FROM documents WHERE body @@ to_tsquery('simple', 'trepligu');
-- pair: gin_body_and
SELECT id FROM documents WHERE body @@ to_tsquery('simple', 'brakiba & baceba');
-- pair: gin_body_phrase
SELECT id FROM documents WHERE body @@ to_tsquery('simple', 'brakiba <-> baceba');
-- pair: gin_body_not
SELECT id FROM documents WHERE body @@ to_tsquery('simple', 'brakiba & !baceba');

-- index: spgist, text
CREATE INDEX ON hosts USING spgist (url);
-- pair: url_prefix
SELECT id FROM hosts WHERE url ^@ 'https://www.example.com/brakiba/fo';
-- pair: url_eq
SELECT id FROM hosts WHERE url = 'https://www.example.com/bababa/bababa/1';
-- pair: url_like_prefix
SELECT id FROM hosts WHERE url LIKE 'https://www.example.com/brakiba/fo%';

-- index: spgist, text
CREATE INDEX ON hosts USING spgist (name);
-- pair: rack_prefix
SELECT id FROM hosts WHERE name ^@ 'rack17.node12';
-- pair: rack_eq
SELECT id FROM hosts WHERE name = 'rack17.node12345.example.net';

-- index: spgist, text
CREATE INDEX ON bookings USING spgist (guest);
-- pair: guest_eq
SELECT * FROM bookings WHERE guest = 'brakiba';
-- pair: guest_range
SELECT count(*) FROM bookings WHERE guest ~<~ 'baca';

-- index: spgist, point
CREATE INDEX ON places USING spgist (spot);
-- pair: quad_box
SELECT id FROM places WHERE spot <@ box '((100,100),(120,120))';
-- pair: quad_nearest
SELECT id FROM places ORDER BY spot <-> point '(500,500)' LIMIT 10;
-- pair: quad_left
SELECT count(*) FROM places WHERE spot << point '(5,0)';

-- index: spgist, point
CREATE INDEX ON places USING spgist (spot kd_point_ops);
-- pair: kd_box
SELECT id FROM places WHERE spot <@ box '((100,100),(120,120))';
-- pair: kd_nearest
SELECT id FROM places ORDER BY spot <-> point '(500,500)' LIMIT 10;

-- index: spgist, geometry
CREATE INDEX ON places USING spgist (area);
-- pair: sp_area_overlaps
SELECT id FROM places WHERE area && box '((100,100),(101,101))';

-- index: spgist, geometry
CREATE INDEX ON places USING spgist (plot);
-- pair: sp_plot_overlaps
SELECT id FROM places WHERE plot && polygon '((1,1),(2,2),(3,1))';

-- index: spgist, ranges
CREATE INDEX ON bookings USING spgist (during);
-- pair: sp_during_contains
SELECT * FROM bookings WHERE during @> timestamptz '2026-06-06 12:00 UTC';
-- pair: sp_during_overlaps
SELECT * FROM bookings WHERE during && tstzrange('2026-06-06 12:00 UTC', '2026-06-06 18:00 UTC');

-- index: spgist, ranges
CREATE INDEX ON bookings USING spgist (price);
-- pair: sp_price_contains
SELECT id FROM bookings WHERE price @> 5;

-- index: spgist, inet
CREATE INDEX ON hosts USING spgist (address);
-- pair: sp_address_in_network
SELECT name FROM hosts WHERE address <<= '10.3.4.0/24';
-- pair: sp_address_eq
SELECT name FROM hosts WHERE address = '10.3.4.5';

-- index: spgist, inet
CREATE INDEX ON hosts USING spgist (network);
-- pair: sp_network_of_address
SELECT name FROM hosts WHERE network >>= inet '10.3.4.5';

-- index: spgist, partial or INCLUDE
CREATE INDEX ON places USING spgist (spot) INCLUDE (kind) WHERE kind < 3;
-- pair: sp_partial_box
SELECT kind FROM places WHERE kind < 3 AND spot <@ box '((100,100),(120,120))';

-- index: hash, duplicates
CREATE INDEX ON facets USING hash (a);
-- pair: hash_a
SELECT * FROM facets WHERE a = 17 AND b = 4;

-- index: hash, duplicates
CREATE INDEX ON facets USING hash (e);
-- pair: hash_e
SELECT count(*) FROM facets WHERE e = 'brakiba' AND c = 7;

-- index: hash, unique values
CREATE INDEX ON hosts USING hash (id);
-- pair: hash_id
SELECT name FROM hosts WHERE id = 4711;

-- index: bloom, several columns
CREATE INDEX ON facets USING bloom (a, b, c, d);
-- pair: bloom_ab
SELECT * FROM facets WHERE a = 17 AND b = 4;
-- pair: bloom_d
SELECT * FROM facets WHERE d = 4711;
-- pair: bloom_all
SELECT * FROM facets WHERE a = 17 AND b = 4 AND c = 5 AND d = 4711;

-- index: bloom, several columns
CREATE INDEX ON facets USING bloom (a, b, e) WITH (length = 128, col1 = 4, col2 = 4, col3 = 3);
-- pair: bloom_long_signature
SELECT * FROM facets WHERE a = 17 AND e = 'brakiba';
-- pair: bloom_parallel; settings: parallel
SELECT count(*) FROM facets WHERE e = 'brakiba' AND b = 5;

-- index: bloom, several columns
CREATE INDEX ON facets USING bloom (a, f) WHERE f IS NOT NULL;
-- pair: bloom_partial
SELECT * FROM facets WHERE a = 17 AND f = 4;

-- index: btree, several columns
CREATE INDEX ON facets (a, b, c);
-- pair: facets_prefix
SELECT * FROM facets WHERE a = 17 AND b < 40;
-- pair: facets_skip
SELECT * FROM facets WHERE a = 17 AND c = 40;
-- pair: facets_skip_first
SELECT * FROM facets WHERE b = 17 AND c = 40;
-- pair: facets_rows
SELECT * FROM facets WHERE (a, b) IN ((1, 2), (3, 4), (5, 6));
-- pair: facets_in_in
SELECT count(*) FROM facets WHERE a IN (1, 2, 3, 4) AND b IN (10, 20, 30, 40, 50);

-- index: btree, few distinct values
CREATE INDEX ON facets (c, a);
-- pair: skip_scan_few
SELECT * FROM facets WHERE a = 17 AND c BETWEEN 1 AND 90;
-- pair: groups_sorted
SELECT c, a, count(*) FROM facets GROUP BY c, a ORDER BY c, a LIMIT 10;
-- pair: incremental_sort
SELECT * FROM facets ORDER BY c, d LIMIT 50;

-- index: btree, uuid
CREATE INDEX ON documents (token) INCLUDE (code);
-- pair: token_code
SELECT code FROM documents WHERE token = 'c4ca4238-a0b9-2382-0dcc-509a6f75849b';

-- index: btree, nulls
CREATE INDEX ON facets (f DESC NULLS LAST, d);
-- pair: facets_null
SELECT count(*) FROM facets WHERE f IS NULL AND d < 100;
-- pair: facets_ordered
SELECT f, d FROM facets ORDER BY f DESC NULLS LAST, d LIMIT 20;

-- index: btree, several indexes
CREATE INDEX ON facets (a);
CREATE INDEX ON facets (b);
CREATE INDEX ON facets (c);
-- pair: and_of_three
SELECT * FROM facets WHERE a BETWEEN 10 AND 30 AND b BETWEEN 100 AND 120 AND c = 5;
-- pair: or_of_three
SELECT * FROM facets WHERE a = 10 OR b = 100;
-- pair: and_or
SELECT * FROM facets WHERE a = 10 AND (b = 100 OR c = 3);
