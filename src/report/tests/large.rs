//! A large report as a busy shop would get it: 500 statements, 60 recommendations, plans, a curve and a past. The same
//! numbers every time.

use super::sample::{advice, report};
use crate::recommendation::{Recommendation, StatementEffect};
use crate::report::past::{Changes, Past, WhyWithdrawn, Withdrawn};
use crate::report::plans::{StatementPlans, worth_printing};
use crate::report::{ExaminedStatement, Form, Outcome, Report, StoragePoint};
use crate::selection::SearchRecord;
use crate::selection::certificate::Certificate;
use crate::statement::LeftOut;
use crate::verification::{Mean, Record, StatementChange, Verdict, Verification, Windows, WriteChange};

pub const STATEMENTS: usize = 500;
pub const RECOMMENDATIONS: usize = 60;

/// Numbers that look random and are not (the constants of Knuth's MMIX).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn share(&mut self) -> f64 {
        self.next() as f64 / (1_u64 << 31) as f64
    }

    fn of<'a>(&mut self, items: &[&'a str]) -> &'a str {
        items[self.next() as usize % items.len()]
    }
}

const TABLES: [&str; 18] = [
    "customer",
    "customer_address",
    "purchase_order",
    "order_line",
    "order_line_discount",
    "shipment",
    "shipment_event",
    "invoice",
    "invoice_line",
    "payment",
    "payment_attempt",
    "product",
    "product_price",
    "warehouse_stock",
    "stock_movement",
    "support_ticket",
    "ticket_message",
    "session_event",
];
const COLUMNS: [&str; 14] = [
    "customer_id",
    "order_id",
    "status",
    "created_at",
    "updated_at",
    "product_id",
    "warehouse_id",
    "sku",
    "country_code",
    "external_reference",
    "assigned_to",
    "due_on",
    "amount_cents",
    "tenant_id",
];

pub fn large() -> Report {
    let mut numbers = Numbers(20_260_301);
    let statements = statements(&mut numbers);
    let recommendations = recommendations(&mut numbers, &statements);
    let frontier = frontier(&mut numbers, &recommendations);
    let plans = worth_printing(&recommendations).into_iter().map(|id| plans(&statements, id)).collect();
    let past = past(&recommendations, &statements);
    let base = report(statements, recommendations);
    let mut limits = base.limits.clone();
    limits.max_indexes = 100;
    limits.storage_bytes = Some(64 << 30);
    limits.left_alone = vec!["audit.log".to_string(), "audit.log_archive".to_string()];
    let certificate = Certificate {
        bound_ms: 9.0e7,
        total_before_ms: 4.1e8,
        total_after_ms: 1.0e8,
        gap: 0.024,
        checked: 5_210,
        violations: 12,
        complete: true,
    };
    let search = SearchRecord { complete: true, planner_calls: 38_211, ..SearchRecord::default() };
    Report {
        database: "shop_production".to_string(),
        server_version: "18.6 (Debian 18.6-1.pgdg13+1)".to_string(),
        made_at: "2026-03-01 03:00:12.482113+00".to_string(),
        window_seconds: Some(6.0 * 86_400.0 + 9_000.0),
        evicted: 3,
        candidates: 1_874,
        elapsed_ms: 61_234.0,
        notes: vec!["pg_index_advisor.exclude_tables: there is no table audit.log_2019".to_string()],
        limits,
        certificate,
        search,
        frontier,
        plans,
        past: Some(past),
        ..base
    }
}

fn text(numbers: &mut Numbers, at: usize) -> String {
    let (table, other) = (numbers.of(&TABLES), numbers.of(&TABLES));
    let (a, b, c) = (numbers.of(&COLUMNS), numbers.of(&COLUMNS), numbers.of(&COLUMNS));
    match at % 7 {
        0 => format!(
            "SELECT t.id, t.{a}, t.{b}, o.{c}\n  FROM {table} AS t\n  JOIN {other} AS o ON o.{table}_id = t.id\n WHERE t.{a} = $1\n   \
             AND t.{b} >= $2\n ORDER BY t.{b} DESC\n LIMIT $3"
        ),
        1 => format!(
            "SELECT count(*), sum(amount_cents) FROM {table} WHERE {a} = $1 AND {b} IN ($2, $3, $4) GROUP BY {c}"
        ),
        2 => format!("UPDATE {table} SET {a} = $1, updated_at = now() WHERE {b} = $2 AND {c} IS NULL"),
        3 => format!(
            "SELECT * FROM {table} WHERE {a} = $1 AND {b} = $2 /* app:web,controller:{other}s,action:index */"
        ),
        4 => format!("INSERT INTO {table} ({a}, {b}, {c}) VALUES ($1, $2, $3) RETURNING id"),
        5 => format!(
            "WITH recent AS (SELECT {a}, max({b}) AS newest FROM {table} WHERE {b} > now() - $1::interval GROUP BY {a}) SELECT \
             o.*, recent.newest FROM {other} AS o JOIN recent USING ({a}) WHERE o.{c} LIKE $2 ORDER BY recent.newest DESC"
        ),
        _ => format!("DELETE FROM {table} WHERE {a} < $1 AND {b} = ANY ($2)"),
    }
}

fn statements(numbers: &mut Numbers) -> Vec<ExaminedStatement> {
    let weights: Vec<f64> = (0..STATEMENTS).map(|i| 1.0 / (i as f64 + 1.4).powf(1.15)).collect();
    let sum: f64 = weights.iter().sum();
    let one = |(i, weight): (usize, &f64)| {
        let share = weight / sum;
        let total_ms = share * 2.9e9;
        let before = 10.0 + 900_000.0 * numbers.share() * numbers.share();
        let outcome = match i {
            7 => Outcome::LeftOut { reason: LeftOut::Utility("VACUUM".to_string()) },
            23 => Outcome::LeftOut {
                reason: LeftOut::NoRights {
                    role: "reporting".to_string(),
                    message: "permission denied for table payment_attempt".to_string(),
                },
            },
            _ if i % 41 == 40 => Outcome::LeftOut { reason: LeftOut::NoTable },
            _ if i > 410 => Outcome::LeftOut { reason: LeftOut::BeyondCover { cover: 99 } },
            _ => Outcome::Examined {
                id: i,
                cost_before: before,
                cost_after: if i % 3 == 0 { before } else { 4.0 + before * numbers.share().powi(4) },
                slowdown: if i == 30 { 0.08 } else { 0.0 },
            },
        };
        ExaminedStatement {
            query_id: Some(numbers.next() as i64 * 1_234_567_891 - 1_000_000_000_000_000_000),
            role: Some(numbers.of(&["shop_web", "shop_worker", "reporting"]).to_string()),
            text: text(numbers, i),
            calls: (1.0 + 1e7 * numbers.share().powi(6)).round(),
            total_ms,
            share,
            relations: Vec::new(),
            outcome,
            notes: vec!["parameter values assumed from column statistics".to_string()],
        }
    };
    weights.iter().enumerate().map(one).collect()
}

fn recommendations(numbers: &mut Numbers, statements: &[ExaminedStatement]) -> Vec<Recommendation> {
    let helped: Vec<(usize, f64, f64)> = statements
        .iter()
        .filter_map(|statement| match statement.outcome {
            Outcome::Examined { id, cost_before, cost_after, .. } if cost_after < cost_before => {
                Some((id, cost_before, cost_after))
            }
            _ => None,
        })
        .collect();
    let one = |i: usize| {
        let rank = i as u32 + 1;
        let saving = 0.19 / (f64::from(rank) + 0.6).powf(1.2);
        let table = numbers.of(&TABLES);
        let (a, b, c) = (numbers.of(&COLUMNS), numbers.of(&COLUMNS), numbers.of(&COLUMNS));
        let on = format!("shop.{table}");
        let ddl = match i % 5 {
            0 => format!("CREATE INDEX CONCURRENTLY ON {on} ({a}, {b} DESC)"),
            1 => {
                format!("CREATE INDEX CONCURRENTLY ON {on} ({a}, {b}) INCLUDE ({c}, amount_cents, currency)")
            }
            2 => format!("CREATE INDEX CONCURRENTLY ON {on} ({a}) WHERE ({b} IS NULL)"),
            3 => format!("CREATE INDEX CONCURRENTLY ON {on} (lower(({a})::text) text_pattern_ops, {b})"),
            _ => format!("CREATE INDEX CONCURRENTLY ON {on} ({a}, {b}, {c})"),
        };
        let count = 1 + numbers.next() as usize % 19;
        let statements: Vec<StatementEffect> = (0..count)
            .map(|k| {
                let (statement, cost_before, cost_after) = helped[(i + k * k * 7) % helped.len()];
                StatementEffect { statement, cost_before, cost_after, saving: saving / (k as f64 + 1.5) }
            })
            .collect();
        Recommendation {
            relation: 16_384 + numbers.next() as u32 % 18,
            relation_name: on.clone(),
            size_bytes: 1 << (20 + numbers.next() % 12),
            saving_ms_per_day: Some(saving * 4.1e8),
            write_ms_per_day: Some(if i % 6 == 5 { 0.0 } else { 4.0e4 * numbers.share() }),
            hot_loss: if i == 11 { 0.17 } else { 0.0 },
            reason: format!(
                "Serves equality on {a}, then range on {b}; also order by {c}. {count} statements get cheaper, most of all one \
                 from cost {:.0} to {:.0}. That one now reads {on} (48,210,993 rows) without an index. The included columns \
                 spare reading the table as long as vacuum keeps up (94 % of its pages are all-visible now).",
                statements[0].cost_before, statements[0].cost_after
            ),
            statements,
            ..advice(rank, &ddl, saving)
        }
    };
    (0..RECOMMENDATIONS).map(one).collect()
}

fn frontier(numbers: &mut Numbers, recommendations: &[Recommendation]) -> Vec<StoragePoint> {
    let mut points =
        vec![StoragePoint { bytes: 0, cost_ms: 4.1e8, indexes: Vec::new(), added: None, recommended: false }];
    let mut indexes: Vec<String> = Vec::new();
    for recommendation in recommendations {
        let last = &points[points.len() - 1];
        let (bytes, cost_ms) = (last.bytes, last.cost_ms);
        indexes.push(recommendation.ddl.clone());
        points.push(StoragePoint {
            bytes: bytes + recommendation.size_bytes,
            cost_ms: cost_ms - recommendation.saving * 4.1e8,
            indexes: indexes.clone(),
            added: Some(recommendation.ddl.clone()).filter(|_| !numbers.next().is_multiple_of(5)),
            recommended: indexes.len() == recommendations.len(),
        });
    }
    points
}

fn plans(statements: &[ExaminedStatement], id: usize) -> StatementPlans {
    let table = TABLES[id % TABLES.len()];
    let rows = statements[id].calls.min(90_000.0);
    StatementPlans {
        statement: id,
        before: format!(
            "Limit  (cost=412345.10..412346.27 rows=10 width=84)\n  ->  Gather Merge  (cost=412345.10..417801.44 rows={rows} \
             width=84)\n        Workers Planned: 2\n        ->  Sort  (cost=411345.08..411403.54 rows={rows} width=84)\n              Sort \
             Key: t.created_at DESC\n              ->  Hash Join  (cost=1843.00..410082.12 rows={rows} width=84)\n                    Hash \
             Cond: (o.{table}_id = t.id)\n                    ->  Parallel Seq Scan on order_line o  (cost=0.00..391204.00 rows=20087913 \
             width=24)\n                    ->  Hash  (cost=1793.00..1793.00 rows=4000 width=68)\n                          ->  Seq Scan on \
             {table} t  (cost=0.00..1793.00 rows=4000 width=68)\n                                Filter: ((created_at >= $2) AND \
             (customer_id = $1) AND (status <> 'cancelled'::text))"
        ),
        after: format!(
            "Limit  (cost=0.99..61.20 rows=10 width=84)\n  ->  Nested Loop  (cost=0.99..9021.77 rows={rows} width=84)\n        ->  Index \
             Scan using recommended_1 on {table} t  (cost=0.43..132.91 rows=40 width=68)\n              Index Cond: ((customer_id = $1) \
             AND (created_at >= $2))\n              Filter: (status <> 'cancelled'::text)\n        ->  Index Scan using recommended_2 on \
             order_line o  (cost=0.56..220.07 rows=215 width=24)\n              Index Cond: ({table}_id = t.id)"
        ),
    }
}

fn past(recommendations: &[Recommendation], statements: &[ExaminedStatement]) -> Past {
    let ddl = |at: usize| recommendations[at].ddl.clone();
    let mean =
        |calls: f64, ms: f64| Mean { calls, ms, deviation_ms: ms / 3.0, blocks_read: 12.0, blocks: 80.0 };
    let change = |at: usize, before: f64, after: f64, certain: bool| StatementChange {
        query_id: at as i64,
        text: statements[at].text.clone(),
        before: mean(12_003.0, before),
        after: mean(11_420.0, after),
        estimated_saving: Some(0.9),
        role: Some("shop".to_string()),
        planned_with: Some(certain),
        certain,
    };
    let verification = |verdict: Verdict, index: &str, estimated: f64, measured: Option<f64>| {
        Verification {
        recommendation: Some(7),
        ddl: format!("CREATE INDEX ON shop.{index} (customer_id, created_at)"),
        index: Some(format!("shop.{index}_customer_id_created_at_idx")),
        relation: format!("shop.{index}"),
        verdict,
        estimated_saving: Some(estimated),
        measured_saving: measured,
        noise: measured.map(|_| 0.04),
        others_lost_ms_per_day: Some(-1e4),
        windows: Some(Windows {
            before_seconds: Some(86_400.0),
            after_seconds: Some(86_400.0),
            mixed: false,
            drift: 0.02,
            controls: 40,
        }),
        measured_ms_per_day: measured.map(|share| share * 5e6),
        estimated_ms_per_day: Some(estimated * 5e6),
        statements: vec![change(2, 41.0, 3.2, true), change(5, 9.1, 8.8, false)],
        writes: Some(WriteChange {
            rows_per_day_before: 120_450.0,
            rows_per_day_after: 118_020.0,
            hot_before: 0.82,
            hot_after: 0.79,
        }),
        explanation: "Measured over two windows of 24 h: the statements that it was meant for take 87 % less time than before, \
                      far more than the noise of either window."
            .to_string(),
        next_step: "Nothing to do.".to_string(),
        next_ddl: None,
    }
    };
    Past {
        run: 42,
        changes: Some(Changes {
            since_run: 41,
            since: "2026-02-22 03:00:09.113+00".to_string(),
            new: vec![ddl(3), ddl(17), ddl(44)],
            withdrawn: vec![
                Withdrawn {
                    ddl: "CREATE INDEX CONCURRENTLY ON shop.invoice (customer_id)".to_string(),
                    why: WhyWithdrawn::Applied,
                },
                Withdrawn {
                    ddl: "CREATE INDEX CONCURRENTLY ON shop.payment (status, created_at)".to_string(),
                    why: WhyWithdrawn::NoLongerPays,
                },
                Withdrawn {
                    ddl: "CREATE INDEX CONCURRENTLY ON shop.session_event (tenant_id)".to_string(),
                    why: WhyWithdrawn::Dismissed,
                },
            ],
            unchanged: 57,
        }),
        verifications: vec![
            verification(Verdict::KeptPromise, "invoice", 0.91, Some(0.87)),
            verification(Verdict::HelpsLess, "shipment", 0.74, Some(0.22)),
            Verification {
                next_step: "Drop it: nothing has used it for 30 days.".to_string(),
                next_ddl: Some("DROP INDEX CONCURRENTLY shop.payment_customer_id_created_at_idx".to_string()),
                ..verification(Verdict::Unused, "payment", 0.12, None)
            },
            verification(Verdict::Harms, "stock_movement", 0.2, Some(-0.31)),
            verification(Verdict::TooEarly, "product_price", 0.4, None),
        ],
        record: Record { applied: 9, judged: 7, paid: 6, median_error: Some(0.08) },
    }
}

/// Writes the large report in every form into the directory that LARGE_REPORT_DIR names, to be looked at.
#[test]
fn the_large_report_is_written_when_asked_for() {
    let report = large();
    assert_eq!((report.statements.len(), report.recommendations.len()), (STATEMENTS, RECOMMENDATIONS));
    let Ok(directory) = std::env::var("LARGE_REPORT_DIR") else { return };
    let forms = [(Form::Text, "txt"), (Form::Markdown, "md"), (Form::Html, "html"), (Form::Json, "json")];
    for (form, extension) in forms {
        let path = std::path::Path::new(&directory).join(format!("report.{extension}"));
        std::fs::write(path, form.render(&report)).expect("the directory can be written to");
    }
}
