//! The text report of hand-made runs: what it says, how wide it is, and that hostile text stays harmless.

use super::lines::{WIDTH, columns, is_hostile, sql_pieces};
use super::past::{Changes, Past};
use super::plans::StatementPlans;
use super::text::render;
use super::{ExaminedStatement, Outcome, Report, ReportLimits, StoragePoint};
use crate::recommendation::{Recommendation, StatementEffect};
use crate::selection::certificate::Certificate;
use crate::selection::{CutShort, SearchRecord};
use crate::statement::LeftOut;
use proptest::prelude::*;
use sample::{advice, examined, left_out, report};

mod html;
mod json;
mod large;
mod markdown;
mod sample;

/// The text with every run of white space as one space: what it says, wherever lines break.
fn said(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[track_caller]
fn says(report: &Report, sentences: &[&str]) -> String {
    let text = render(report);
    check_shape(&text);
    for sentence in sentences {
        assert!(said(&text).contains(sentence), "not said: {sentence}\n{text}");
    }
    text
}

#[track_caller]
fn check_shape(text: &str) {
    assert!(text.ends_with('\n') && !text.starts_with('\n'));
    for line in text.lines() {
        assert!(!line.chars().any(is_hostile), "hostile characters in {line:?}");
        assert!(!line.ends_with(' '), "trailing space in {line:?}");
        let unbreakable = line.starts_with("     ") && sql_pieces(line.trim_start()).len() == 1;
        assert!(columns(line) <= WIDTH || unbreakable, "{} columns: {line}", columns(line));
    }
}

#[test]
fn an_empty_workload_says_so() {
    let text = says(
        &Report { candidates: 0, ..report(Vec::new(), Vec::new()) },
        &["What to do Nothing yet: pg_stat_statements has no statement of this database."],
    );
    assert!(!text.contains("What it saves") && !text.contains("heaviest"), "{text}");
}

#[test]
fn no_index_helps_is_an_answer_with_its_reason() {
    let statements = vec![examined(0, 0.9, (10.0, 10.0)), left_out(0.1, LeftOut::NoTable)];
    let found_none = report(statements, Vec::new());
    let text = says(
        &found_none,
        &[
            "Nothing: no index helps here. The planner was asked about 41 indexes beside those that exist, and none \
             would save 0.5 % of the examined time after paying for its upkeep.",
            "90 % of the workload's time was examined (1 of 2 statements).",
        ],
    );
    assert!(!text.contains("Recommendations") && !text.contains("gexec"), "{text}");

    let budget = ReportLimits { storage_bytes: Some(20 << 20), ..found_none.limits.clone() };
    says(
        &Report { limits: budget, ..found_none.clone() },
        &["none within the storage budget of 20 MB would save"],
    );
    says(
        &Report { candidates: 0, ..found_none.clone() },
        &["All that the statements ask of an index exists already"],
    );
    let cut = SearchRecord { complete: false, ..found_none.search.clone() };
    says(
        &Report { search: cut, ..found_none.clone() },
        &["No index was found before the time limit ended the search"],
    );

    let mut writes = found_none;
    writes.statements[0].text = "insert into orders values ($1, $2)".to_string();
    says(&writes, &["100 % of the examined time goes to statements that write"]);
    let none = report(vec![left_out(1.0, LeftOut::Utility("VACUUM".to_string()))], Vec::new());
    says(&none, &["Nothing can be said: of 1 statement, none could be examined."]);
}

#[test]
fn one_recommendation_reads_from_what_to_do_to_how_to_do_it() {
    let ddl = "CREATE INDEX CONCURRENTLY ON public.orders (o_custkey)";
    let report = report(vec![examined(0, 1.0, (120_345.0, 1_203.0))], vec![advice(1, ddl, 0.62)]);
    let text = says(
        &report,
        &[
            "Create the one index below; it takes 120 MB.",
            "62 % of the examined time, as the planner estimates: 1 h 21 min a day at the observed rate. The \
             workload was observed for 2 h; times a day assume that this rate goes on.",
            "120 MB of disk. Keeping the index up to date takes writers about 3.2 s a day.",
            "100 % of the workload's time was examined (1 of 1 statement).",
            "Helps 1 statement: #1 saves 62 %, cost 120,345 -> 1,203 (-99 %)",
            "Why Serves equality on o_custkey.",
            "1 100 % 12,345 8.1 ms 120,345 -> 1,203 (-99 %) SELECT o_orderkey FROM orders WHERE o_custkey = $1",
            "Database shop on PostgreSQL 16.4, 2026-03-01 12:00:00 UTC. Workload: pg_stat_statements, observed for 2 \
             h. 41 candidate indexes considered with 1,234 planner calls in 2.3 s.",
            "WHERE rank = 1 \\gexec",
        ],
    );
    // The DDL stands alone on its line, ready to be copied.
    assert!(text.lines().any(|line| line.trim() == format!("{ddl};")), "{text}");
    let order = [
        "What to do",
        "Recommendations",
        "The statements, heaviest",
        "left out and why",
        "About this report",
    ];
    let places: Vec<usize> = order.iter().filter_map(|heading| text.find(heading)).collect();
    assert!(places.len() == order.len() && places.is_sorted(), "{text}");
}

#[test]
fn many_are_added_up_and_the_tables_are_cut() {
    let statements: Vec<_> = (0..30).map(|id| examined(id, 1.0 / 30.0, (500.0, 5.0))).collect();
    let mut recommendations: Vec<_> = (1..=3)
        .map(|rank| advice(rank, &format!("CREATE INDEX CONCURRENTLY ON public.t{rank} (a)"), 0.2))
        .collect();
    recommendations[0].saving_ms_per_day = Some(200_000_000.0);
    recommendations[1].hot_loss = 0.4;
    recommendations[1].statements[0].statement = 29;
    recommendations[2].statements = (0..7)
        .map(|statement| StatementEffect { statement, cost_before: 500.0, cost_after: 5.0, saving: 0.03 })
        .collect();
    let mut many = report(statements, recommendations);
    many.search.complete = false;
    many.search.cut_short =
        vec![CutShort { statement: 2, planner_calls: 9 }, CutShort { statement: 7, planner_calls: 1 }];
    many.search.failures = vec![(4, "relation \"x\" does not exist".to_string())];
    many.evicted = 35;
    many.limits = ReportLimits { storage_bytes: Some(1 << 30), max_indexes: 3, ..many.limits };
    for (at, share) in [(3, 0.04), (5, 0.12), (7, 0.31)] {
        if let Outcome::Examined { slowdown, .. } = &mut many.statements[at].outcome {
            *slowdown = share;
        }
    }
    many.statements[2].notes = vec!["parameter values assumed from column statistics".to_string()];
    let text = says(
        &many,
        &[
            "Create the 3 indexes below, 360 MB in all, best first. The storage budget is 1024 MB. No more than 3 were \
             asked for; more may help.",
            "60 % of the examined time, as the planner estimates: 56 h a day at the observed rate, over all sessions \
             together.",
            "#30 saves 20 %, cost 120,345 -> 1,203 (-99 %) SELECT o_orderkey FROM orders",
            "The first index alone saves 22 %.",
            "Index 2 turns up to 40 % of the updates of public.orders from HOT updates into full ones.",
            "The time limit ended the search: this is the best found by then",
            "as their plans take long: statement #3 and 1 more; indexes may help them more than is said",
            "pg_stat_statements was full and dropped its least used entries 35 times",
            "statement #5 (relation \"x\" does not exist).",
            "Assumed or repaired: parameter values assumed from column statistics (1 statement).",
            "Statement #8 may take up to 31 % longer and 1 other by less, mostly where its tables are in memory: measure it.",
            "may take 31 % longer",
            "Helps 7 statements, most of all:",
            "The 20 heaviest of 30 statements",
        ],
    );
    assert_eq!(text.matches("SELECT o_orderkey").count(), 21);
    assert_eq!(text.lines().filter(|line| line.contains("saves 3.0 %, cost")).count(), 3);
}

#[test]
fn examined_and_left_out_add_up_to_a_hundred_per_cent() {
    let third = 1.0 / 3.0;
    let gone = |name: &str| LeftOut::NotPlannable(format!("relation \"{name}\" does not exist"));
    let statements = vec![
        examined(0, third, (1.0, 1.0)),
        left_out(third, gone("a")),
        left_out(third, LeftOut::CatalogOnly),
    ];
    says(
        &report(statements, Vec::new()),
        &[
            "33.4 % 1 Examined 33.3 % 1 Not plannable such as #2: relation \"a\" does not exist 33.3 % 1 Reading \
             system catalogs only 100.0 % 3 In all",
            "left out: it reads system catalogs only",
        ],
    );
}

#[test]
fn without_a_window_no_time_a_day_is_given() {
    let mut unknown = report(
        vec![examined(0, 1.0, (9.0, 1.0))],
        vec![advice(1, "CREATE INDEX CONCURRENTLY ON public.orders (a)", 0.5)],
    );
    unknown.window_seconds = None;
    unknown.recommendations[0].saving_ms_per_day = None;
    unknown.recommendations[0].write_ms_per_day = None;
    let text =
        says(&unknown, &["How long the workload was observed is not known, so no time a day is given."]);
    assert!(!said(&text).contains(" a day at") && !text.contains("observed for"), "{text}");
}

#[test]
fn hostile_text_reaches_nobody() {
    let hostile = "\u{1b}]0;owned\u{7}\u{202e}\0\r\n\u{9b}2J\u{2066}x\u{200b}";
    let mut attacked = report(
        vec![examined(0, 0.5, (9.0, 1.0)), left_out(0.5, LeftOut::NotPlannable(hostile.to_string()))],
        vec![advice(1, &format!("CREATE INDEX CONCURRENTLY ON \"{hostile}\" (a)"), 0.5)],
    );
    for statement in &mut attacked.statements {
        statement.text = hostile.repeat(100);
        statement.notes = vec![hostile.to_string()];
    }
    for field in
        [&mut attacked.database, &mut attacked.server_version, &mut attacked.made_at, &mut attacked.source]
    {
        *field = hostile.to_string();
    }
    attacked.recommendations[0].relation_name = hostile.to_string();
    attacked.recommendations[0].reason = hostile.to_string();
    attacked.search.failures = vec![(0, hostile.to_string())];
    says(&attacked, &["take the statement from the ddl column"]);
}

#[test]
fn hostile_pasts_and_large_reports_keep_the_shape() {
    check_shape(&render(&large::large()));
    for attack in sample::ATTACKS {
        let text = render(&sample::hostile(attack));
        check_shape(&text);
        let headings =
            ["Recommendations", "What changed since the last report", "How earlier advice turned out"];
        assert!(headings.iter().all(|heading| text.contains(&format!("{heading}\n---"))), "{text}");
    }
}

#[test]
fn what_earlier_runs_add_is_told() {
    let mut first = report(vec![examined(0, 1.0, (10.0, 5.0))], Vec::new());
    first.past = Some(Past { run: 1, ..Past::default() });
    says(
        &first,
        &[
            "This is the first report of this database that is kept, so there is nothing to compare it with.",
            "No recommendation has been followed yet, so nothing has been measured.",
            "This is run 1.",
        ],
    );
    let same = Changes { since_run: 1, since: "yesterday".to_string(), unchanged: 1, ..Changes::default() };
    first.past = Some(Past { run: 2, changes: Some(same), ..Past::default() });
    says(&first, &["Since run 1 of yesterday: the one recommendation is the same."]);
    says(
        &large::large(),
        &[
            "Since run 41 of 2026-02-22 03:00:09.113+00: 3 new, 3 not advised any more and 57 as before.",
            "CREATE INDEX CONCURRENTLY ON shop.invoice (customer_id); (the index exists now)",
            "9 recommendations were followed, 7 can be judged, 6 paid. Estimated and measured savings differ by 8.0 % of the \
             time concerned in the median.",
            "shop.stock_movement_customer_id_created_at_idx: harms Estimated 20 %, 17 min a day Measured -31 %, -26 min a \
             day",
            "41 ms in 12,003 calls -> 3.2 ms in 11,420 calls (-92 %)",
            "8.8 ms in 11,420 calls (-3.3 %, within the noise)",
            "DROP INDEX CONCURRENTLY shop.payment_customer_id_created_at_idx;",
        ],
    );
}

#[test]
fn long_names_break_nothing_but_their_own_line() {
    let name = format!("\"{}\"", "N".repeat(300));
    let ddl = format!("CREATE INDEX CONCURRENTLY ON {name}.{name} ({name}, {name} DESC) INCLUDE (a, b)");
    let mut long = report(vec![examined(0, 1.0, (9.0, 1.0))], vec![advice(1, &ddl, 0.5)]);
    long.recommendations[0].relation_name = format!("{name}.{name}");
    long.recommendations[0].reason = format!("Serves equality on {name}.");
    long.database = "d".repeat(300);
    long.statements[0].text = format!("SELECT {name}");
    let text = says(&long, &[]);
    assert!(said(&text).contains(&format!("{ddl};")), "{text}");
}

fn any_number() -> impl Strategy<Value = f64> {
    prop_oneof![0.0..1.0, 0.0..1e12, any::<f64>()]
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z ]{0,20}",
        "\\PC{0,40}",
        any::<Vec<char>>().prop_map(String::from_iter),
        "[\u{0}-\u{20}]{0,9}",
        "x{150}"
    ]
}

fn any_left_out() -> impl Strategy<Value = LeftOut> {
    prop_oneof![
        any_text().prop_map(LeftOut::Utility),
        any_text().prop_map(LeftOut::Truncated),
        any_text().prop_map(LeftOut::NotPlannable),
        (any_text(), any_text()).prop_map(|(role, message)| LeftOut::NoRights { role, message }),
        Just(LeftOut::Locked),
        any::<u32>().prop_map(|limit| LeftOut::BeyondCount { limit }),
    ]
}

prop_compose! {
    fn any_statement()(
        text in any_text(), notes in proptest::collection::vec(any_text(), 0..3), calls in any_number(),
        total_ms in any_number(), share in any_number(), costs in (any_number(), any_number()), id in 0_usize..30,
        reason in proptest::option::of(any_left_out()),
    ) -> ExaminedStatement {
        let outcome = match reason {
            Some(reason) => Outcome::LeftOut { reason },
            None => Outcome::Examined { id, cost_before: costs.0, cost_after: costs.1, slowdown: 0.0 },
        };
        let relations = Vec::new();
        ExaminedStatement { query_id: None, role: None, text, calls, total_ms, share, relations, outcome, notes }
    }
}

prop_compose! {
    fn any_advice()(
        rank in any::<u32>(), text in any_text(), name in any_text(), reason in any_text(), size_bytes in any::<u64>(),
        savings in (any_number(), any_number()), daily in proptest::option::of((any_number(), any_number())),
        hot_loss in any_number(),
        effects in proptest::collection::vec((0_usize..30, any_number(), any_number(), any_number()), 0..6),
    ) -> Recommendation {
        let effect = |(statement, cost_before, cost_after, saving)| {
            StatementEffect { statement, cost_before, cost_after, saving }
        };
        Recommendation {
            ddl: format!("CREATE INDEX ON \"{}\" (a, b)", text.replace('"', "\"\"")),
            relation_name: name, reason, size_bytes, saving_alone: savings.0,
            saving_ms_per_day: daily.map(|daily| daily.0), write_ms_per_day: daily.map(|daily| daily.1), hot_loss,
            statements: effects.into_iter().map(effect).collect(),
            ..advice(rank, "", savings.1)
        }
    }
}

prop_compose! {
    fn any_report()(
        statements in proptest::collection::vec(any_statement(), 0..30),
        recommendations in proptest::collection::vec(any_advice(), 0..4),
        names in (any_text(), any_text(), any_text(), any_text()),
        numbers in (proptest::option::of(any_number()), any::<u64>(), any_number(), any_number(), any::<usize>()),
        storage in proptest::option::of(any::<u64>()), complete in any::<bool>(),
        failures in proptest::collection::vec((0_usize..40, any_text()), 0..3),
        points in proptest::collection::vec((any::<u64>(), any_number(), any::<bool>()), 0..9),
        plans in proptest::collection::vec((0_usize..30, any_text(), any_text()), 0..3),
    ) -> Report {
        let mut any = report(statements, recommendations);
        (any.database, any.server_version, any.made_at, any.source) = names;
        (any.window_seconds, any.evicted, any.elapsed_ms, any.limits.min_saving, any.candidates) = numbers;
        any.limits.storage_bytes = storage;
        any.search.complete = complete;
        any.search.failures = failures;
        let point = |(bytes, cost_ms, recommended)| StoragePoint { bytes, cost_ms, indexes: Vec::new(), added: None, recommended };
        any.frontier = points.into_iter().map(point).collect();
        let plans = plans.into_iter().map(|(statement, before, after)| StatementPlans { statement, before, after });
        any.plans = plans.collect();
        // A rank is a place in the list, and pages link to it.
        (1..).zip(&mut any.recommendations).for_each(|(rank, advice)| advice.rank = rank);
        any
    }
}

proptest! {
    #[test]
    fn any_report_can_be_shown(any in any_report()) {
        check_shape(&render(&any));
    }
}

proptest! {
    // Parsers take their time.
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn any_report_is_a_page_and_markdown(any in any_report()) {
        html::check(&html::Page::of(&any));
        markdown::check(&any);
    }
}

#[test]
fn how_far_from_the_best_is_said_with_what_it_rests_on() {
    let certificate = Certificate {
        bound_ms: 479.0,
        total_before_ms: 1000.0,
        total_after_ms: 500.0,
        gap: 0.021,
        checked: 240,
        violations: 0,
        complete: true,
    };
    let base =
        report(vec![examined(0, 1.0, (10.0, 5.0))], vec![advice(1, "CREATE INDEX ON orders (a)", 0.5)]);
    let budget = ReportLimits { storage_bytes: Some(1 << 30), ..base.limits.clone() };
    let proven = Report { certificate: certificate.clone(), limits: budget, ..base.clone() };
    says(
        &proven,
        &[
            "No set of up to 20 of the 41 candidates within 1024 MB can save more than 2.1 % of the examined time on top \
           of this, in planner cost, as far as the planner's plans show when every index has a price (240 combinations \
           checked, no exception).",
        ],
    );
    let exceptions = Certificate { violations: 3, ..certificate.clone() };
    says(
        &Report { certificate: exceptions, ..base.clone() },
        &["41 candidates can save more", "(240 combinations checked, 3 exceptions, all allowed for)."],
    );
    let late = Certificate { complete: false, ..certificate };
    says(&Report { certificate: late, ..base.clone() }, &["Time ran out before more could be proven."]);
    let unproven = says(&base, &[]);
    assert!(!said(&unproven).contains("No set of"), "nothing to prove, nothing to say");
}

#[test]
fn the_limits_of_the_run_are_told() {
    let base = report(
        vec![examined(0, 1.0, (10.0, 5.0))],
        vec![advice(1, "CREATE INDEX ON orders (a)", 0.5), advice(2, "CREATE INDEX ON orders (b)", 0.1)],
    );
    says(&base, &["Limits: 20 indexes at most; each saves at least 0.5 % of the examined time. The report"]);
    let limits = ReportLimits {
        storage_bytes: Some(1 << 30),
        max_indexes_per_table: Some(2),
        min_saving_ms_per_day: Some(60_000.0),
        access_methods: Some(vec!["btree".to_string(), "gin".to_string()]),
        left_alone: vec!["public.audit".to_string(), "public.log".to_string()],
        ..base.limits.clone()
    };
    let limited = Report {
        limits,
        notes: vec!["pg_index_advisor.exclude_tables: there is no table x".to_string()],
        ..base.clone()
    };
    says(
        &limited,
        &[
            "No more than 2 were asked for on one table; more may help.",
            "Limits: 1024 MB in all, 20 indexes at most, 2 of them on one table, btree and gin only; each saves at \
             least 0.5 % of the examined time and 1 min a day. Left alone, as asked: public.audit and public.log.",
            "Note: pg_index_advisor.exclude_tables: there is no table x.",
        ],
    );
    let many =
        ReportLimits { left_alone: (0..7).map(|i| format!("public.t{i}")).collect(), ..base.limits.clone() };
    let none = Report { candidates: 0, recommendations: Vec::new(), limits: many, ..base };
    says(
        &none,
        &[
            "or is nothing that an index can serve, or is excluded by the settings.",
            "Left alone, as asked: public.t0, public.t1, public.t2, public.t3, public.t4 and 2 more.",
        ],
    );
}

#[test]
fn a_kept_recommendation_says_what_a_change_would_bring() {
    let base =
        report(vec![examined(0, 1.0, (10.0, 5.0))], vec![advice(1, "CREATE INDEX ON orders (a)", 0.5)]);
    let kept = Report { kept: Some(0.012), ..base.clone() };
    says(
        &kept,
        &[
            "This is the previous recommendation as far as it still pays: the best set found would save only 1.2 % of the \
           examined time more.",
        ],
    );
    says(&Report { kept: Some(0.0), ..base.clone() }, &["still pays: nothing better was found."]);
    assert!(!said(&says(&base, &[])).contains("previous"));
}
