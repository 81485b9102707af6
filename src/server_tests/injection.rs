//! Errors, cancels and panics at random points of planning, thousands of them: whatever is thrown and wherever it lands, the
//! session goes on as if the call had never been made.

use crate::pg::inject::{self, Fault};
use crate::server_tests::*;
use pgrx::pg_sys::errcodes::PgSqlErrorCode::*;
use std::collections::BTreeMap;

/// Rounds of one run; the end-to-end tests make as many again.
const ROUNDS: usize = 4000;
/// Rounds between two looks at what takes longer: plans, locks, memory.
const LOOK_EVERY: usize = 20;
/// Rounds until the caches of the session are filled.
const WARM: usize = 1000;
/// What comes after must not add up: a leak of the smallest memory context (1 kB) a round would be five times this.
const ALLOWED_GROWTH: i64 = 1024 * 1024;

/// Random numbers that are the same in each run (splitmix64, after Steele, Lea and Flood 2014).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % limit
    }

    fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len() as u64) as usize]
    }
}

/// Some codes are handled on the way (a missing table is looked for elsewhere, a lock is a reason of its own).
const FAULTS: [Fault; 10] = [
    Fault::ErrorInC,
    Fault::Panic,
    Fault::Cancel,
    Fault::CancelLater,
    Fault::Error(ERRCODE_INTERNAL_ERROR),
    Fault::Error(ERRCODE_UNDEFINED_TABLE),
    Fault::Error(ERRCODE_LOCK_NOT_AVAILABLE),
    Fault::Error(ERRCODE_INSUFFICIENT_PRIVILEGE),
    Fault::Error(ERRCODE_OUT_OF_MEMORY),
    Fault::Error(ERRCODE_QUERY_CANCELED),
];

fn tables() {
    run("CREATE TABLE orders AS
         SELECT g AS id, g % 997 AS customer, g % 5 AS state, md5(g::text) AS note, date '2020-01-01' + g / 40 AS day,
                jsonb_build_object('k', g % 50) AS doc, ARRAY[g % 10, g % 7] AS tags, int4range(g, g + 10) AS span
           FROM generate_series(1, 4000) AS g");
    run("ALTER TABLE orders ADD PRIMARY KEY (id)");
    run("CREATE INDEX orders_doc ON orders USING gin (doc)");
    run("CREATE INDEX orders_note ON orders (lower(note)) WHERE state = 3");
    run("CREATE INDEX orders_span ON orders USING gist (span)");
    run(
        "CREATE TABLE customers AS SELECT g AS id, 'name ' || g AS name, g % 20 AS region FROM generate_series(1, 997) AS g",
    );
    run("CREATE TABLE parts (k int, v int, w text) PARTITION BY RANGE (k)");
    run("CREATE TABLE part1 PARTITION OF parts FOR VALUES FROM (0) TO (2000)");
    run("CREATE TABLE part2 (w text, junk int, v int, k int)");
    run("ALTER TABLE part2 DROP COLUMN junk");
    run("ALTER TABLE parts ATTACH PARTITION part2 FOR VALUES FROM (2000) TO (9000)");
    run("INSERT INTO parts SELECT g, g % 300, md5(g::text) FROM generate_series(1, 4000) AS g");
    run(
        "CREATE VIEW rich AS SELECT customer, count(*) AS n FROM orders GROUP BY customer HAVING count(*) > 2",
    );
    run(
        "CREATE FUNCTION of_customer(int) RETURNS SETOF orders STABLE LANGUAGE sql AS 'SELECT * FROM orders WHERE customer = $1'",
    );
    run("CREATE FUNCTION looked_up(int) RETURNS int IMMUTABLE LANGUAGE plpgsql
         AS 'BEGIN RETURN (SELECT region FROM customers WHERE id = $1); END'");
    run("ANALYZE");
}

const STATEMENTS: [&str; 20] = [
    "SELECT * FROM orders WHERE customer = 5",
    "SELECT note FROM orders WHERE customer = $1 AND state IN (1, 2) ORDER BY day DESC LIMIT 5",
    "SELECT c.name, o.note FROM customers c JOIN orders o ON o.customer = c.id WHERE c.region = 3 AND o.state = 2",
    "SELECT c.name FROM customers c LEFT JOIN orders o ON o.customer = c.id LEFT JOIN parts p ON p.v = o.state WHERE p.k = 7",
    "SELECT * FROM parts WHERE v = 77",
    "SELECT p.w FROM parts p JOIN orders o ON o.id = p.k WHERE o.customer = 8",
    "SELECT n FROM rich WHERE customer = 17",
    "SELECT * FROM of_customer(7) WHERE day > '2020-02-01'",
    "WITH latest AS (SELECT customer, max(day) AS day FROM orders GROUP BY customer) SELECT * FROM latest WHERE customer = 3",
    "WITH RECURSIVE r AS (SELECT id, customer FROM orders WHERE id = 990 UNION ALL SELECT o.id, o.customer FROM orders o JOIN r
     ON o.customer = r.id + 1) SELECT * FROM r",
    "SELECT * FROM orders WHERE doc @> '{\"k\": 5}' AND customer = 9",
    "SELECT * FROM orders WHERE tags @> ARRAY[3, 4]",
    "SELECT * FROM orders WHERE span && int4range(5, 9)",
    "SELECT * FROM orders WHERE lower(note) = 'x' AND state = 3",
    "SELECT * FROM orders WHERE upper(note) = 'x'",
    "SELECT day, count(*) FROM orders WHERE day BETWEEN '2020-01-10' AND '2020-01-20' GROUP BY day ORDER BY day",
    "UPDATE orders SET state = 1 WHERE customer = 4 AND note LIKE 'ab%'",
    "SELECT * FROM customers WHERE region = looked_up(5) AND name = 'x'",
    "SELECT * FROM orders o WHERE EXISTS (SELECT FROM parts p WHERE p.v = o.customer AND p.w > 'f') AND o.state = 1",
    "SELECT * FROM orders WHERE customer = 5 UNION ALL SELECT * FROM orders WHERE day = '2020-03-01' ORDER BY id LIMIT 3",
];

/// Indexes made by hand for a moment.
const MADE: [&str; 10] = [
    "CREATE INDEX ON orders (customer, state DESC)",
    "CREATE INDEX ON orders (upper(note)) WHERE state > 1",
    "CREATE UNIQUE INDEX ON orders (id, day) INCLUDE (note)",
    "CREATE INDEX ON parts (v)",
    "CREATE INDEX ON parts (lower(w), k); CREATE INDEX ON orders (day)",
    "CREATE INDEX ON orders ((customer + state)) WHERE note LIKE 'a%'",
    "CREATE INDEX ON orders USING gin (tags)",
    "CREATE INDEX ON orders USING gist (span)",
    "CREATE INDEX ON orders USING brin (day, customer)",
    "CREATE INDEX ON orders USING hash (upper(note))",
];

/// Plans that must be the same before and after.
const PLAIN: [&str; 6] = [
    "SELECT * FROM orders WHERE customer = 5",
    "SELECT * FROM orders WHERE doc @> '{\"k\": 5}'",
    "SELECT * FROM orders WHERE lower(note) = 'x' AND state = 3",
    "SELECT p.w FROM parts p JOIN orders o ON o.id = p.k WHERE o.customer = 8 AND p.v = 5",
    "SELECT n FROM rich WHERE customer = 17",
    "SELECT c.id FROM customers c JOIN orders o ON o.id = c.id WHERE c.name = 'name 7' AND c.region < 3",
];

const RELATIONS: [&str; 8] =
    ["orders", "customers", "parts", "part1", "part2", "orders_pkey", "orders_doc", "orders_note"];

/// What is looked at after a call.
#[derive(Debug, PartialEq)]
struct Seen {
    session: String,
    held: String,
    locks: String,
    plans: Vec<String>,
    answers: Vec<i64>,
}

fn seen() -> Seen {
    let plan = |text: &&str| {
        let query = format!("SELECT string_agg(line, E'\\n') FROM explained({}) AS line", quoted(text));
        value::<String>(&query)
    };
    let plans = PLAIN.iter().map(plan).collect();
    Seen {
        plans,
        session: session_state(),
        held: inject::held(),
        locks: value(
            "SELECT coalesce(string_agg(concat_ws(' ', relation::regclass, mode), ', ' ORDER BY relation, mode), '')
               FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'relation' AND relation >= 16384",
        ),
        answers: ["EXECUTE by_customer(5)", "SELECT count(*) FROM parts WHERE v = 77"]
            .map(|query| value::<i64>(&format!("SELECT counted({})", quoted(query))))
            .to_vec(),
    }
}

/// Bytes of the session's memory by the name of their contexts, SPI's own aside: the tests run inside one.
fn allocated() -> BTreeMap<String, i64> {
    let sums = value::<pgrx::Json>(
        "SELECT json_object_agg(name, bytes) FROM (SELECT name, sum(total_bytes)::bigint AS bytes
           FROM pg_backend_memory_contexts WHERE name <> 'SPI Proc' GROUP BY name) AS s",
    );
    let sums = sums.0.as_object().cloned().unwrap_or_default();
    sums.into_iter().filter_map(|(name, bytes)| Some((name, bytes.as_i64()?))).collect()
}

/// What calls do with the locks that they take.
#[derive(Clone, Copy, PartialEq)]
enum Locks {
    GivenBack,
    /// They are the server's own statements, which keep them.
    Kept,
}

/// Makes calls of ours with a fault each, and looks at the session after them.
struct Trial {
    random: Random,
    seed: u64,
    calls: Vec<String>,
    /// How many points each call passes when nothing is in its way.
    points: Vec<u64>,
    relations: Vec<(String, u32)>,
    before: Seen,
}

impl Trial {
    fn new(seed: u64, calls: Vec<String>, kept: Locks) -> Trial {
        run("CREATE FUNCTION explained(query text) RETURNS SETOF text LANGUAGE plpgsql
             AS $$ BEGIN RETURN QUERY EXECUTE 'EXPLAIN ' || query; END $$");
        run("CREATE FUNCTION counted(query text) RETURNS bigint LANGUAGE plpgsql
             AS $$ DECLARE n bigint; BEGIN EXECUTE query INTO n; RETURN n; END $$");
        run("CREATE FUNCTION attempt(query text) RETURNS text LANGUAGE plpgsql
             AS $$ BEGIN EXECUTE query; RETURN NULL; EXCEPTION WHEN query_canceled OR others THEN RETURN SQLERRM; END $$");
        run("PREPARE by_customer (int) AS SELECT count(*) FROM orders WHERE customer = $1");
        let relations = RELATIONS.map(|name| {
            (name.to_string(), value::<pgrx::pg_sys::Oid>(&format!("SELECT '{name}'::regclass::oid")))
        });
        let mut trial = Trial {
            random: Random(seed),
            seed,
            calls,
            points: Vec::new(),
            relations: relations.map(|(name, oid)| (name, oid.to_u32())).to_vec(),
            before: seen(),
        };
        // What the looks and the clearing up lock themselves is no trace of a call; nor is what EXPLAIN or a statement that is run
        // keeps locked until the end of the transaction.
        allocated();
        trial.clear_up();
        if kept == Locks::Kept {
            trial.clean_calls();
        }
        let plans = std::mem::replace(&mut trial.before, seen()).plans;
        assert_eq!(trial.before.plans, plans, "plans have changed");
        trial.points = trial.clean_calls();
        trial.look("without faults");
        trial
    }

    /// Makes each call without a fault; how many points each passes.
    fn clean_calls(&self) -> Vec<u64> {
        let clean = |call: usize| {
            // Twice: the first call fills caches and passes more points.
            let points = [(), ()].map(|()| {
                inject::arm(u64::MAX, Fault::Panic, None);
                assert_eq!(self.attempt(call), None, "{}", self.calls[call]);
                inject::disarm().0
            });
            self.clear_up();
            points[1]
        };
        (0..self.calls.len()).map(clean).collect()
    }

    /// Drops what a call made by hand and did not come to drop again.
    fn clear_up(&self) {
        run(
            "SELECT index_advisor.drop_hypothetical_index(indexrelid) FROM index_advisor.hypothetical_indexes
              WHERE table_name <> 'customers'",
        );
        run("SELECT attempt('DEALLOCATE made')");
    }

    fn attempt(&self, call: usize) -> Option<String> {
        pgrx::Spi::get_one(&format!("SELECT attempt({})", quoted(&self.calls[call])))
            .expect("attempt() catches all")
    }

    /// One call with a fault; whether it was raised.
    fn round(&mut self) -> bool {
        let call = self.random.below(self.calls.len() as u64) as usize;
        let fault = *self.random.of(&FAULTS);
        let left = self.random.below(self.points[call].max(1));
        // Every third fault is followed by more of its kind: errors on the way of handling an error.
        let again = (self.random.below(3) == 0).then(|| self.random.below(20));
        inject::arm(left, fault, again);
        let error = self.attempt(call);
        let (passed, raised) = inject::disarm();
        let what = format!(
            "seed {}, {fault:?} after {left} of {passed} points, again {again:?}, gave {error:?}: {}",
            self.seed, self.calls[call]
        );
        if raised > 0 && matches!(fault, Fault::Cancel | Fault::Error(ERRCODE_QUERY_CANCELED)) {
            let error = error.as_deref().unwrap_or_default();
            assert!(error.contains("cancel") || error.contains("injected"), "a cancel ends the call: {what}");
        }
        assert_eq!(inject::held(), self.before.held, "{what}");
        for (name, oid) in &self.relations {
            assert_eq!(inject::references(*oid), 0, "references to {name}: {what}");
        }
        self.clear_up();
        raised > 0
    }

    fn look(&self, when: &str) {
        let (now, before) = (seen(), &self.before);
        let when = format!("{when}, seed {}", self.seed);
        assert_eq!(now.plans, before.plans, "{when}");
        assert_eq!(now.locks, before.locks, "{when}");
        assert_eq!(&now, before, "{when}");
    }

    fn rounds(&mut self, rounds: usize) {
        let (mut raised, mut warm) = (0, BTreeMap::new());
        for round in 0..rounds {
            raised += usize::from(self.round());
            if round % LOOK_EVERY == 0 {
                self.look(&format!("round {round}"));
            }
            if round == WARM.min(rounds / 2) {
                warm = allocated();
            }
        }
        self.look("at the end");
        let growth = |(name, bytes): (String, i64)| (bytes - warm.get(&name).copied().unwrap_or(0), name);
        let grown: Vec<(i64, String)> =
            allocated().into_iter().map(growth).filter(|(by, _)| *by != 0).collect();
        let sum: i64 = grown.iter().map(|(by, _)| by).sum();
        assert!(sum < ALLOWED_GROWTH, "grew by {sum} bytes, seed {}: {grown:?}", self.seed);
        // A trial whose faults never come would prove nothing.
        assert!(raised > rounds * 9 / 10, "{raised} of {rounds} rounds had a fault, seed {}", self.seed);
    }
}

#[pgrx::pg_schema]
mod tests {
    use super::*;

    #[pg_test]
    fn faults_while_advice_is_asked_for() {
        tables();
        let call =
            |text: &&str| format!("SELECT count(*) FROM index_advisor.recommend_for({})", quoted(text));
        Trial::new(20_261_123, STATEMENTS.iter().map(call).collect(), Locks::GivenBack).rounds(ROUNDS);
    }

    #[pg_test]
    fn faults_in_a_session_with_hypothetical_indexes() {
        tables();
        // These stay, and EXPLAIN sees them all the time; nothing else ever does.
        run(
            "SELECT index_advisor.create_hypothetical_index('CREATE INDEX ON customers (region, id); CREATE INDEX ON customers (name)')",
        );
        run("SELECT index_advisor.hide_index('orders_pkey'::regclass)");
        let plan = value::<pgrx::Json>("EXPLAIN (FORMAT JSON) SELECT * FROM customers WHERE name = 'x'")
            .0
            .to_string();
        assert!(plan.contains("customers_name"), "{plan}");
        let mut calls = Vec::new();
        for (i, text) in STATEMENTS.iter().enumerate().filter(|(_, text)| !text.contains('$')) {
            let made = MADE[i % MADE.len()];
            calls.push(format!("EXPLAIN {text}"));
            // Run as well, unless that would change what the next plan is made from.
            let executed = if text.starts_with("UPDATE") { "" } else { "EXECUTE made;" };
            calls.push(format!("PREPARE made AS {text}; EXPLAIN EXECUTE made; {executed} DEALLOCATE made"));
            calls.push(format!(
                "SELECT index_advisor.create_hypothetical_index({}); EXPLAIN {text}; SELECT index_advisor.drop_hypothetical_index(indexrelid)
                   FROM index_advisor.hypothetical_indexes WHERE table_name <> 'customers'",
                quoted(made)
            ));
            calls.push(format!(
                "SELECT * FROM index_advisor.explain({}, ARRAY[{}])",
                quoted(text),
                quoted(made)
            ));
        }
        Trial::new(20_261_124, calls, Locks::Kept).rounds(ROUNDS);
    }
}
