//! The SQL surface: thin functions that turn arguments into a run and a run into rows.

mod arguments;
mod bench;

mod recommend;
mod report;
mod statements;

pgrx::extension_sql_file!(
    "../sql/comments.sql",
    name = "comments",
    requires = [
        recommend::recommend,
        recommend::recommend_for,
        statements::statements,
        report::report,
        bench::bench_what_if
    ]
);
