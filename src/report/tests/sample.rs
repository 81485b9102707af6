//! Reports made by hand: the pieces that the tests of all renderers put together.

use crate::candidate::definition::{AccessMethod, IndexDefinition};
use crate::recommendation::{Action, Recommendation, StatementEffect};
use crate::report::past::{Changes, Past, WhyWithdrawn, Withdrawn};
use crate::report::plans::StatementPlans;
use crate::report::{ExaminedStatement, FORMAT_VERSION, Outcome, Phases, Report, ReportLimits, StoragePoint};
use crate::selection::SearchRecord;
use crate::selection::certificate::Certificate;
use crate::statement::LeftOut;
use crate::verification::{Mean, Record, StatementChange, Verdict, Verification, Windows, WriteChange};

pub fn report(statements: Vec<ExaminedStatement>, recommendations: Vec<Recommendation>) -> Report {
    Report {
        format_version: FORMAT_VERSION,
        database: "shop".to_string(),
        server_version: "16.4".to_string(),
        made_at: "2026-03-01 12:00:00 UTC".to_string(),
        source: "pg_stat_statements".to_string(),
        window_seconds: Some(7200.0),
        evicted: 0,
        statements,
        recommendations,
        plans: Vec::new(),
        limits: ReportLimits {
            storage_bytes: None,
            max_indexes: 20,
            max_indexes_per_table: None,
            min_saving: 0.005,
            min_saving_ms_per_day: None,
            access_methods: None,
            left_alone: Vec::new(),
            slowdown: None,
        },
        candidates: 41,
        search: SearchRecord { complete: true, planner_calls: 1234, ..SearchRecord::default() },
        certificate: Certificate::default(),
        frontier: Vec::new(),
        kept: None,
        past: None,
        notes: Vec::new(),
        elapsed_ms: 2345.0,
        phases_ms: Phases::default(),
    }
}

pub fn examined(id: usize, share: f64, cost: (f64, f64)) -> ExaminedStatement {
    ExaminedStatement {
        query_id: Some(id as i64),
        role: Some("app".to_string()),
        text: "SELECT o_orderkey\n  FROM orders\n WHERE o_custkey = $1".to_string(),
        calls: 12_345.0,
        total_ms: share * 100_000.0,
        share,
        outcome: Outcome::Examined { id, cost_before: cost.0, cost_after: cost.1, slowdown: 0.0 },
        relations: Vec::new(),
        notes: Vec::new(),
    }
}

pub fn left_out(share: f64, reason: LeftOut) -> ExaminedStatement {
    ExaminedStatement { outcome: Outcome::LeftOut { reason }, ..examined(0, share, (0.0, 0.0)) }
}

pub fn advice(rank: u32, ddl: &str, saving: f64) -> Recommendation {
    Recommendation {
        rank,
        action: Action::Create,
        definition: IndexDefinition {
            relation: 16_384,
            access_method: AccessMethod::Btree,
            keys: Vec::new(),
            include: Vec::new(),
            predicate: None,
            parameters: Default::default(),
        },
        ddl: ddl.to_string(),
        relation: 16_384,
        relation_name: "public.orders".to_string(),
        size_bytes: 120 << 20,
        saving_alone: saving * 1.1,
        saving,
        saving_ms_per_day: Some(saving * 7_800_000.0),
        write_ms_per_day: Some(3_200.0),
        hot_loss: 0.0,
        statements: vec![StatementEffect {
            statement: 0,
            cost_before: 120_345.0,
            cost_after: 1_203.0,
            saving,
        }],
        reason: "Serves equality on o_custkey.".to_string(),
    }
}

/// What breaks out of HTML, Markdown, scripts, styles, tables, fences and terminals, where it is let.
pub const ATTACKS: [&str; 14] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' onmouseover='alert(1)",
    "</style><style>*{display:none}</style>",
    "</pre></code></details><h1>owned</h1>",
    "]]><!--",
    "```\n# owned\n```",
    "`owned` ``owned`` ` \\`",
    "| owned | \\| a | b |\n| --- |",
    "[owned](javascript:alert(1)) ![owned](//example.org/x) <https://example.org>",
    "**owned** __owned__ ~~owned~~ $x$ &lt; &#60; https://example.org www.example.org",
    "\u{1b}]0;owned\u{7}\u{202e}\u{2066}evil\u{200b}\0\u{9b}2J\u{2028}",
    "{{ owned }} {% owned %} ${owned}",
    "- item\n\n---\n> quote\n1. one\n\tcode\r\nline\rline",
];

/// A report in which every text is hostile.
pub fn hostile(text: &str) -> Report {
    let name = text.to_string();
    let ddl = format!("CREATE INDEX CONCURRENTLY ON \"{text}\" (a) WHERE (b = '{text}'::text)");
    let mut statements = vec![
        examined(0, 0.5, (900.0, 1.0)),
        examined(1, 0.2, (9.0, 9.0)),
        left_out(0.1, LeftOut::NotPlannable(name.clone())),
        left_out(0.1, LeftOut::NoRights { role: name.clone(), message: name.clone() }),
        left_out(0.1, LeftOut::Utility(name.clone())),
    ];
    for statement in &mut statements {
        statement.text = format!("SELECT 1 /* {text} */\nFROM x\n{text}");
        statement.role = Some(name.clone());
        statement.notes = vec![name.clone()];
        statement.relations = vec![name.clone()];
    }
    let advised = Recommendation {
        relation_name: name.clone(),
        reason: format!("{text} Serves {text}."),
        ..advice(1, &ddl, 0.5)
    };
    let mut report = report(statements, vec![advised.clone(), Recommendation { rank: 2, ..advised }]);
    report.database.clone_from(&name);
    report.server_version.clone_from(&name);
    report.made_at.clone_from(&name);
    report.source.clone_from(&name);
    report.notes = vec![name.clone()];
    report.limits.left_alone = vec![name.clone()];
    report.limits.access_methods = Some(vec![name.clone()]);
    report.search.failures = vec![(0, name.clone())];
    report.plans = vec![StatementPlans {
        statement: 0,
        before: format!("Seq Scan on x\n  Filter: {text}"),
        after: format!("{text}\n  Index Scan using recommended_1 on x"),
    }];
    let point = |bytes: u64, cost_ms: f64| StoragePoint {
        bytes,
        cost_ms,
        indexes: vec![ddl.clone(); (bytes > 0).into()],
        added: Some(ddl.clone()).filter(|_| bytes > 0),
        recommended: bytes > 0,
    };
    report.frontier = vec![point(0, 900.0), point(120 << 20, 300.0)];
    report.past = Some(past(text, &ddl));
    report
}

fn past(text: &str, ddl: &str) -> Past {
    let mean = Mean { calls: 120.0, ms: 3.5, deviation_ms: 0.4, blocks_read: 1.0, blocks: 9.0 };
    Past {
        run: 7,
        changes: Some(Changes {
            since_run: 6,
            since: text.to_string(),
            new: vec![ddl.to_string()],
            withdrawn: vec![Withdrawn { ddl: ddl.to_string(), why: WhyWithdrawn::NoLongerPays }],
            unchanged: 1,
        }),
        verifications: vec![Verification {
            recommendation: Some(3),
            ddl: ddl.to_string(),
            index: Some(text.to_string()),
            relation: text.to_string(),
            verdict: Verdict::HelpsLess,
            estimated_saving: Some(0.9),
            measured_saving: Some(0.3),
            noise: Some(0.1),
            others_lost_ms_per_day: Some(1e4),
            windows: Some(Windows::default()),
            measured_ms_per_day: Some(3e5),
            estimated_ms_per_day: Some(9e5),
            statements: vec![StatementChange {
                query_id: -3,
                text: text.to_string(),
                before: mean,
                after: Mean { ms: 1.2, ..mean },
                estimated_saving: None,
                role: Some(text.to_string()),
                planned_with: None,
                certain: false,
            }],
            writes: Some(WriteChange {
                rows_per_day_before: 10.0,
                rows_per_day_after: 12.0,
                hot_before: 0.5,
                hot_after: 0.25,
            }),
            explanation: text.to_string(),
            next_step: text.to_string(),
            next_ddl: Some(ddl.to_string()),
        }],
        record: Record { applied: 4, judged: 3, paid: 2, median_error: Some(0.1) },
    }
}
