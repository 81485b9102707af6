-- index: hnsw, vector
CREATE INDEX ON items USING hnsw (small vector_l2_ops);
-- pair: small_nearest
SELECT id FROM items ORDER BY small <-> '[0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8]' LIMIT 5;
-- pair: small_nearest_of_category
SELECT id FROM items WHERE category = 7 ORDER BY small <-> '[0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8]' LIMIT 5;
-- pair: small_all
SELECT id FROM items ORDER BY small <-> '[0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8]';
-- pair: small_other_distance_unused
SELECT id FROM items ORDER BY small <=> '[0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8]' LIMIT 5;

-- index: hnsw, vector, other than plain
CREATE INDEX ON items USING hnsw (small vector_cosine_ops) WITH (m = 8, ef_construction = 32);
-- pair: small_cosine
SELECT id FROM items ORDER BY small <=> '[0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8]' LIMIT 50;

-- index: hnsw, vector
CREATE INDEX ON items USING hnsw (embedding vector_ip_ops);
-- pair: embedding_product
SELECT a.id, b.id FROM items a, LATERAL (SELECT id FROM items ORDER BY embedding <#> a.embedding LIMIT 3) b WHERE a.id < 5;

-- index: hnsw, vector, other than plain
CREATE INDEX ON items USING hnsw ((embedding::halfvec(48)) halfvec_l2_ops) WHERE category < 10;
-- pair: embedding_half
SELECT id FROM items WHERE category < 10 ORDER BY embedding::halfvec(48) <-> (SELECT embedding FROM items WHERE id = 3)::halfvec(48) LIMIT 5;

-- index: ivfflat, vector
CREATE INDEX ON items USING ivfflat (embedding vector_l2_ops) WITH (lists = 40);
-- pair: ivf_nearest
SELECT id FROM items ORDER BY embedding <-> (SELECT embedding FROM items WHERE id = 3) LIMIT 5;
-- pair: ivf_nearest_of_category
SELECT id FROM items WHERE category = 7 ORDER BY embedding <-> (SELECT embedding FROM items WHERE id = 3) LIMIT 5;
-- pair: ivf_all
SELECT id FROM items ORDER BY embedding <-> (SELECT embedding FROM items WHERE id = 3);

-- index: ivfflat, vector
CREATE INDEX ON items USING ivfflat (small vector_cosine_ops);
-- pair: ivf_small
SELECT id FROM items ORDER BY small <=> '[0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8]' LIMIT 20;
