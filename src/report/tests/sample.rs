//! Reports made by hand: the pieces that the tests of all renderers put together.

use crate::candidate::definition::{AccessMethod, IndexDefinition};
use crate::recommendation::{Action, Recommendation, StatementEffect};
use crate::report::{ExaminedStatement, FORMAT_VERSION, Outcome, Phases, Report, ReportLimits};
use crate::selection::SearchRecord;
use crate::selection::certificate::Certificate;
use crate::statement::LeftOut;

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
