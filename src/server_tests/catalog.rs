//! What is read of the catalog is what is there.

#[pgrx::pg_schema]
mod tests {
    use crate::catalog::{Catalog, ColumnGroup, Relation};
    use crate::pg::analyze::analyse;
    use crate::pg::catalog;
    use crate::pg::identity::Identity;
    use crate::server_tests::*;
    use pgrx::pg_sys;

    /// The only relation that a query reads.
    fn relation_of(query: &str) -> Relation {
        let reading = crate::statement::read(query, usize::MAX).expect("a statement");
        let analysed = analyse(&reading, &Identity::caller(1000), None).expect("can be planned");
        let catalog: Catalog = catalog::read_for(&[analysed]).expect("the catalog");
        catalog.relations.into_values().next().expect("a relation")
    }

    #[pg_test]
    fn extended_statistics_tell_the_combinations_of_columns() {
        run(
            "CREATE TABLE places AS SELECT g % 500 AS city, g % 500 / 10 AS country, g AS id FROM generate_series(1, 20000) AS g",
        );
        run("CREATE STATISTICS known (ndistinct) ON country, city FROM places");
        run("CREATE STATISTICS other (ndistinct) ON city, (country + 1), country FROM places");
        run("ANALYZE places");
        let groups = relation_of("SELECT * FROM places WHERE city = 1").column_groups;
        assert_eq!(groups, [ColumnGroup { columns: vec![1, 2], distinct: 500.0 }]);
        run("CREATE ROLE stranger");
        run("GRANT SELECT (city) ON places TO stranger");
        run("SET LOCAL ROLE stranger");
        let groups = relation_of("SELECT city FROM places WHERE city = 1").column_groups;
        assert!(groups.is_empty(), "statistics of columns that the caller may not read: {groups:?}");
    }

    #[pg_test]
    fn leaves_are_read_with_their_rows() {
        run("CREATE TABLE parts (k int, v int) PARTITION BY RANGE (k)");
        run("CREATE TABLE part1 PARTITION OF parts FOR VALUES FROM (0) TO (100)");
        run("CREATE TABLE part2 PARTITION OF parts FOR VALUES FROM (100) TO (100000)");
        run("INSERT INTO parts SELECT g, g FROM generate_series(0, 9999) AS g");
        run("ANALYZE");
        let relation = relation_of("SELECT * FROM parts WHERE v = 1");
        let mut leaves = relation.leaf_tuples.clone();
        leaves.sort_by(f64::total_cmp);
        assert_eq!((relation.leaves, leaves), (2, vec![100.0, 9900.0]));
        assert!(relation_of("SELECT * FROM part2 WHERE v = 1").leaf_tuples.is_empty());
    }

    #[pg_test]
    fn many_relations_are_read_as_few_are() {
        for table in 0..40 {
            run(&format!("CREATE TABLE few_or_many_{table} (k int)"));
        }
        let all = value::<Vec<pg_sys::Oid>>(
            "SELECT array_agg(oid ORDER BY oid) FROM pg_class WHERE relname LIKE 'few_or_many_%'",
        );
        let all: Vec<u32> = all.into_iter().map(|oid| oid.to_u32()).collect();
        let scans_of_the_catalog = |relations: &[u32]| {
            let scans = || value::<i64>("SELECT pg_stat_get_xact_numscans('pg_class'::regclass)");
            let before = scans();
            assert_eq!(catalog::read(relations).expect("the catalog").relations.len(), relations.len());
            scans() - before
        };
        // For each relation, all in the database were looked at: four thousand took seconds. How the others are joined is the planner's choice.
        let (few, many) = (scans_of_the_catalog(&all[..10]), scans_of_the_catalog(&all));
        assert!(many < few + 10, "{few} {many}");
    }

    #[pg_test]
    fn expressions_of_indexes_are_written_as_those_of_candidates() {
        run("CREATE TABLE words (a int, b int, t text)");
        let keys = [
            "lower(t)",
            "(a + b)",
            "CASE WHEN (a > 5) THEN b ELSE 0 END",
            "(a + CASE a WHEN 1 THEN 2 ELSE 3 END)",
            "((a)::text || t)",
            "(a)::text",
            "COALESCE(t, '(\n  x)'::text)",
            "((a > 1) AND (b > 1))",
        ];
        for key in keys {
            run(&format!("CREATE INDEX ON words (({key})) WHERE (a > 1) AND (b > a)"));
        }
        let relation = relation_of("SELECT * FROM words");
        let written = |index: &crate::catalog::ExistingIndex| {
            let definition = index.definition.clone().expect("a definition");
            assert_eq!(definition.predicate.expect("a predicate").sql, "((a > 1) AND (b > a))");
            match definition.keys[0].part.target.clone() {
                crate::candidate::definition::KeyTarget::Expression(expression) => expression.sql,
                column => panic!("{column:?}"),
            }
        };
        assert_eq!(relation.indexes.iter().map(written).collect::<Vec<_>>(), keys);
    }

    #[pg_test]
    fn dimensions_of_a_type_are_read() {
        run("CREATE TABLE short (a varchar(7), b int)");
        let columns = relation_of("SELECT * FROM short").columns;
        // VARHDRSZ is part of the modifier of varchar.
        assert_eq!((columns[&1].type_modifier, columns[&2].type_modifier), (11, -1));
    }
}
