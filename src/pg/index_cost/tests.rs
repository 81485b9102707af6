//! Our cost functions against the access methods' own: an index is built, planned with, hidden, and planned again as a
//! hypothetical one of the same size.

#[pgrx::pg_schema]
mod tests {
    use crate::candidate::definition::*;
    use crate::catalog::{Catalog, Oid};
    use crate::cost::size::{self, SizeEstimate};
    use crate::pg::access_method::Traits;
    use crate::pg::analyze::{Analysed, analyse};
    use crate::pg::catalog;
    use crate::pg::hypothetical::Hypothetical;
    use crate::pg::identity::Identity;
    use crate::pg::planner::Planned;
    use crate::server_tests::{run, value};
    use pgrx::prelude::*;
    use std::collections::BTreeMap;

    /// The definition of an index on plain columns.
    fn definition_of(index: &str) -> IndexDefinition {
        let row = value::<pgrx::Json>(&format!(
            "SELECT json_build_object('relation', i.indrelid::bigint, 'method', m.amname, 'parameters', c.reloptions,
                    'keys', (SELECT json_agg(json_build_object('column', k.attribute, 'class', o.oid::bigint,
                             'family', o.opcfamily::bigint, 'input', o.opcintype::bigint, 'name', o.opcname) ORDER BY k.n)
                               FROM unnest(i.indkey::int2[], i.indclass::oid[]) WITH ORDINALITY AS k(attribute, class, n)
                               JOIN pg_opclass AS o ON o.oid = k.class))
               FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid JOIN pg_am AS m ON m.oid = c.relam
              WHERE c.oid = '{index}'::regclass"
        ));
        let row = row.0;
        let oid = |value: &serde_json::Value| value.as_u64().expect("an OID") as Oid;
        let parameters = row["parameters"].as_array().cloned().unwrap_or_default();
        let key = |key: &serde_json::Value| {
            Key::ascending(KeyPart {
                target: KeyTarget::Column(key["column"].as_i64().expect("a number") as i16),
                operator_class: OperatorClass {
                    oid: oid(&key["class"]),
                    family: oid(&key["family"]),
                    input_type: oid(&key["input"]),
                    sql_name: key["name"].as_str().map(str::to_string),
                    options: BTreeMap::new(),
                },
                collation: Collation { oid: 0, sql_name: None },
            })
        };
        IndexDefinition {
            relation: oid(&row["relation"]),
            access_method: AccessMethod::named(row["method"].as_str().expect("a name")).expect("known"),
            keys: row["keys"].as_array().expect("keys").iter().map(key).collect(),
            include: Vec::new(),
            predicate: None,
            parameters: parameters
                .iter()
                .filter_map(|text| text.as_str()?.split_once('='))
                .map(|(name, value)| (name.to_string(), value.to_string()))
                .collect::<BTreeMap<_, _>>(),
        }
    }

    const FAKE_OID: Oid = 4_000_000_000;

    struct Comparison {
        analysed: Analysed,
        catalog: Catalog,
    }

    impl Comparison {
        fn of(query: &str) -> Comparison {
            let reading = crate::statement::read(query, usize::MAX).expect("a statement");
            let analysed = analyse(&reading, &Identity::caller(1000), None).expect("can be planned");
            let catalog = catalog::read_for(std::slice::from_ref(&analysed)).expect("the catalog");
            Comparison { analysed, catalog }
        }

        /// The plan with a hypothetical index of this definition, None for the size as we estimate it, and without `hidden`.
        fn plan(&mut self, definition: &IndexDefinition, pages: Option<f64>, hidden: &[Oid]) -> Planned {
            let relation = &self.catalog.relations[&definition.relation];
            let estimate = size::estimate(definition, relation, 1.0, self.catalog.storage, None);
            let mut size: SizeEstimate = estimate.expect("the access method has a size model");
            size.pages = pages.unwrap_or(size.pages);
            let index = Hypothetical::new(
                definition,
                size,
                relation.tuples,
                FAKE_OID,
                Traits::of(definition.access_method).expect("installed"),
                |number| relation.column(number).map_or(0, |column| column.type_oid),
            );
            self.analysed.plan(&[&index], hidden).expect("can be planned")
        }

        fn plan_without(&mut self, hidden: &[Oid]) -> Planned {
            self.analysed.plan(&[], hidden).expect("can be planned")
        }
    }

    /// Builds `ddl` as index `i`, and compares the plans of `query` with it and with its like.
    fn assert_same_cost(ddl: &str, query: &str) {
        run(&format!("CREATE INDEX i ON {ddl}"));
        run("ANALYZE");
        let real = value::<i64>("SELECT 'i'::regclass::oid::bigint") as Oid;
        let pages = value::<i64>("SELECT pg_relation_size('i') / current_setting('block_size')::int") as f64;
        let definition = definition_of("i");
        let mut comparison = Comparison::of(query);
        let truth = comparison.plan_without(&[]);
        assert!(truth.indexes.contains(&real), "{ddl} is not used by {query}");
        let same = comparison.plan(&definition, Some(pages), &[real]);
        assert!(same.indexes.contains(&FAKE_OID), "{ddl}: the hypothetical index is not used by {query}");
        let close = |a: f64, b: f64, share: f64| (a - b).abs() <= share * b.abs() + 1e-9;
        assert!(
            close(same.total, truth.total, 1e-9) && close(same.startup, truth.startup, 1e-9),
            "{ddl}, {query}: {same:?} is not {truth:?}"
        );
        // With the size as estimated, too, about the same. How full the lists of ivfflat are is a matter of where random centres lie.
        let tolerance = if ddl.contains("ivfflat") { 0.1 } else { 0.05 };
        let estimated = comparison.plan(&definition, None, &[real]);
        assert!(
            close(estimated.total, truth.total, tolerance),
            "{ddl}, {query}: {estimated:?} is far from {truth:?}"
        );
        run("DROP INDEX i");
    }

    fn readings() {
        run("CREATE TABLE readings AS SELECT g AS id, timestamp '2024-01-01' + g * interval '1 minute' AS at,
                    (g * 7919) % 100003 AS shuffled, md5(g::text) AS note FROM generate_series(1, 200000) AS g");
        run("CREATE TABLE sensors AS SELECT g AS id, timestamp '2024-01-01' + g * interval '1 day' AS since
               FROM generate_series(1, 20) AS g");
        run("SET LOCAL enable_seqscan = off");
        run("SET LOCAL max_parallel_workers_per_gather = 0");
    }

    #[pg_test]
    fn brin_costs_what_the_real_index_does() {
        readings();
        let narrow = "SELECT * FROM readings WHERE at BETWEEN '2024-02-01' AND '2024-02-02'";
        for parameters in
            ["", "WITH (pages_per_range = 1)", "WITH (pages_per_range = 16)", "WITH (pages_per_range = 1000)"]
        {
            assert_same_cost(&format!("readings USING brin (at) {parameters}"), narrow);
        }
        let two = "SELECT * FROM readings WHERE shuffled < 100 AND id BETWEEN 1000 AND 2000";
        assert_same_cost("readings USING brin (shuffled, id) WITH (pages_per_range = 2)", two);
        run("SET LOCAL enable_hashjoin = off");
        run("SET LOCAL enable_mergejoin = off");
        let join = "SELECT * FROM sensors s JOIN readings r ON r.at = s.since WHERE s.id < 3";
        assert_same_cost("readings USING brin (at) WITH (pages_per_range = 4)", join);
    }

    #[pg_test]
    fn the_pages_per_range_of_brin_change_its_cost() {
        readings();
        run("CREATE INDEX i ON readings USING brin (at)");
        run("ANALYZE");
        let mut definition = definition_of("i");
        run("DROP INDEX i");
        let mut comparison = Comparison::of("SELECT * FROM readings WHERE at = '2024-02-01'");
        let coarse = comparison.plan(&definition, None, &[]).total;
        definition.parameters.insert("pages_per_range".into(), "4".into());
        let fine = comparison.plan(&definition, None, &[]).total;
        assert!(fine < coarse, "{fine} with 4 pages in a range, {coarse} with 128");
    }

    #[pg_test]
    fn hash_and_bloom_cost_what_the_real_indexes_do() {
        readings();
        assert_same_cost("readings USING hash (note)", "SELECT * FROM readings WHERE note = 'x'");
        if value::<bool>("SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'bloom')") {
            run("CREATE EXTENSION bloom");
            let both = "SELECT * FROM readings WHERE id = 5 AND shuffled = 7";
            assert_same_cost("readings USING bloom (id, shuffled) WITH (length = 40)", both);
        }
    }

    /// Tables of vectors; false where the server has no pgvector.
    fn items() -> bool {
        if !value::<bool>("SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'vector')") {
            return false;
        }
        run("CREATE EXTENSION vector");
        run("CREATE TABLE items AS SELECT g AS id, g % 10 AS kind,
                    (SELECT array_agg(random() + 0 * g * n) FROM generate_series(1, 24) AS n)::vector(24) AS v
               FROM generate_series(1, 4000) AS g");
        run("ALTER TABLE items ALTER v TYPE vector(24)");
        run("CREATE TABLE large AS SELECT g AS id,
                    (SELECT array_agg(random() + 0 * g * n) FROM generate_series(1, 800) AS n)::vector(800) AS v
               FROM generate_series(1, 1000) AS g");
        run("ALTER TABLE large ALTER v TYPE vector(800)");
        true
    }

    /// The nearest of `table` to a vector of that many dimensions.
    fn nearest(table: &str, dimensions: usize) -> String {
        format!("SELECT id FROM {table} ORDER BY v <-> '[{}]' LIMIT 10", vec!["0.5"; dimensions].join(","))
    }

    #[pg_test]
    fn hnsw_is_costed_without_being_opened() {
        if !items() {
            return;
        }
        run("SET LOCAL enable_seqscan = off");
        for parameters in ["", "WITH (m = 5)"] {
            assert_same_cost(
                &format!("items USING hnsw (v vector_l2_ops) {parameters}"),
                &nearest("items", 24),
            );
        }
        run("SET LOCAL hnsw.ef_search = 10");
        assert_same_cost("items USING hnsw (v vector_l2_ops)", &nearest("items", 24));
        assert_same_cost("large USING hnsw (v vector_l2_ops)", &nearest("large", 800));
    }

    #[pg_test]
    fn ivfflat_is_costed_without_being_opened() {
        if !items() {
            return;
        }
        run("SET LOCAL enable_seqscan = off");
        let mut probes = 1;
        for parameters in ["WITH (lists = 10)", "WITH (lists = 40)"] {
            run(&format!("SET LOCAL ivfflat.probes = {probes}"));
            assert_same_cost(
                &format!("items USING ivfflat (v vector_l2_ops) {parameters}"),
                &nearest("items", 24),
            );
            probes += 20;
        }
        run("SET LOCAL ivfflat.probes = 1");
        assert_same_cost("large USING ivfflat (v vector_l2_ops) WITH (lists = 10)", &nearest("large", 800));
    }

    #[pg_test]
    fn a_vector_index_is_of_no_use_without_its_order() {
        if !items() {
            return;
        }
        run("CREATE INDEX i ON items USING hnsw (v vector_l2_ops)");
        run("CREATE INDEX j ON items USING ivfflat (v vector_l2_ops) WITH (lists = 10)");
        run("ANALYZE");
        let definitions = [definition_of("i"), definition_of("j")];
        run("DROP INDEX i, j");
        for query in [
            "SELECT * FROM items WHERE kind = 3",
            "SELECT count(*) FROM items",
            "SELECT v FROM items ORDER BY id",
        ] {
            let mut comparison = Comparison::of(query);
            let before = comparison.plan_without(&[]);
            for definition in &definitions {
                let after = comparison.plan(definition, None, &[]);
                assert!(after.indexes.is_empty(), "{query} uses {definition:?}");
                assert_eq!(after.total, before.total);
            }
        }
    }
}
