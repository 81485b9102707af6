//! What kind of statement a text is, told from its first words: one to plan, or one to leave out and why.
//! Looks at tokens only; whether the server can plan it is the server's to say.

use super::LeftOut;
use super::tokens::{Kind, Tokens};

/// The schema and the name that are this extension's own.
const OWN_SCHEMA: &str = "index_advisor";
const OWN_EXTENSION: &str = "pg_index_advisor";

/// First words of statements that the planner sees. MERGE came with PostgreSQL 15; a bracket opens `(SELECT ...)`.
const PLANNABLE: [&str; 8] = ["select", "insert", "update", "delete", "merge", "values", "table", "with"];

/// First words of the other statements (gram.y, `stmt`).
const UTILITIES: [&str; 45] = [
    "abort",
    "alter",
    "analyse",
    "analyze",
    "begin",
    "call",
    "checkpoint",
    "close",
    "cluster",
    "comment",
    "commit",
    "copy",
    "create",
    "deallocate",
    "declare",
    "discard",
    "do",
    "drop",
    "end",
    "execute",
    "explain",
    "fetch",
    "grant",
    "import",
    "listen",
    "load",
    "lock",
    "move",
    "notify",
    "prepare",
    "reassign",
    "refresh",
    "reindex",
    "release",
    "reset",
    "revoke",
    "rollback",
    "savepoint",
    "security",
    "set",
    "show",
    "start",
    "truncate",
    "unlisten",
    "vacuum",
];
/// Commands whose name takes more than one word.
const TWO_WORDS: [&str; 14] = [
    "alter", "create", "drop", "refresh", "comment", "security", "start", "reassign", "import", "release",
    "rollback", "commit", "prepare", "set",
];

/// Says what a complete text is not: empty, cut off, several statements, our own.
///
/// # Errors
/// The reason to leave it out.
pub(super) fn check_whole(tokens: &Tokens) -> Result<(), LeftOut> {
    if let Some(fault) = &tokens.fault
        && unterminated(fault)
    {
        return Err(LeftOut::Truncated(fault.clone()));
    }
    if tokens.list.iter().all(|token| token.kind == Kind::Squashed) && tokens.fault.is_none() {
        return Err(LeftOut::Empty);
    }
    if is_own(tokens) {
        return Err(LeftOut::OwnStatement);
    }
    let mut at = 0;
    while at < tokens.len() {
        // A semicolon inside brackets belongs to a rule or an SQL function body.
        if tokens.is(at, ";") && at + 1 < tokens.len() && !creates_body(tokens) {
            return Err(LeftOut::SeveralStatements);
        }
        at = tokens.step(at);
    }
    if tokens.open > 0 && tokens.fault.is_none() {
        let brackets = if tokens.open == 1 { "a bracket is" } else { "brackets are" };
        return Err(LeftOut::Truncated(format!("{brackets} not closed")));
    }
    Ok(())
}

/// `CREATE FUNCTION ... BEGIN ATOMIC a; b; END` holds semicolons and is one statement.
fn creates_body(tokens: &Tokens) -> bool {
    tokens.is(0, "create") && tokens.list.windows(2).any(|pair| pair[0].is("begin") && pair[1].is("atomic"))
}

/// Whether a text begins as one that writes rows does. Cheaper than reading it; WITH may hide a writer.
pub fn begins_as_writer(text: &str) -> bool {
    Tokens::of(text).is_any(0, &["insert", "update", "delete", "merge"])
}

/// Says whether the planner sees a statement that starts like this one.
///
/// # Errors
/// `Utility` with the command's name.
pub(super) fn check_plannable(tokens: &Tokens) -> Result<(), LeftOut> {
    let mut at = 0;
    while tokens.is(at, "(") {
        at += 1;
    }
    if tokens.is_any(at, &PLANNABLE) {
        return Ok(());
    }
    match tokens.get(at) {
        Some(first) if first.is_any(&UTILITIES) && at == 0 => Err(LeftOut::Utility(command(tokens))),
        Some(first) => {
            Err(LeftOut::NotPlannable(format!("it does not start like a statement: {}", clip(first.raw))))
        }
        None => Err(LeftOut::Empty),
    }
}

/// The command's name in capitals, `CREATE INDEX` for example.
fn command(tokens: &Tokens) -> String {
    let mut words = vec![];
    let adverbs = [
        "or",
        "replace",
        "temp",
        "temporary",
        "unlogged",
        "global",
        "local",
        "unique",
        "trusted",
        "recursive",
    ];
    let longer = tokens.is_any(0, &TWO_WORDS);
    for token in tokens.list.iter() {
        if token.kind != Kind::Word || words.len() == 3 {
            break;
        }
        if words.len() == 1 && token.is_any(&adverbs) {
            continue;
        }
        if words.len() == 2 && !(words[1] == "MATERIALIZED" || words[1] == "FOREIGN" || words[1] == "EVENT") {
            break;
        }
        words.push(clip(token.raw).to_uppercase());
        if !longer {
            break;
        }
    }
    // SET search_path, PREPARE name: the second word is not the command's.
    let named = ["SET", "PREPARE", "RELEASE", "ROLLBACK", "COMMIT"];
    let kept = ["TRANSACTION", "SESSION", "ROLE", "CONSTRAINTS", "SAVEPOINT", "PREPARED"];
    if words.len() > 1 && named.contains(&words[0].as_str()) && !kept.contains(&words[1].as_str()) {
        words.truncate(1);
    }
    words.join(" ")
}

/// At most 40 characters of a word, for a message.
fn clip(word: &str) -> String {
    word.chars().take(40).collect()
}

fn unterminated(fault: &str) -> bool {
    ["unterminated", "before eof", "unexpected eof"]
        .iter()
        .any(|sign| fault.to_ascii_lowercase().contains(sign))
}

fn is_own(tokens: &Tokens) -> bool {
    let named = |index: usize, name: &str| tokens.identifier(index).is_some_and(|found| found == name);
    let qualifies = |index: usize| {
        named(index, OWN_SCHEMA) && tokens.is(index + 1, ".") && !(index > 0 && tokens.is(index - 1, "."))
    };
    if (0..tokens.len()).any(qualifies) {
        return true;
    }
    let name = if tokens.are(2, &["if", "not", "exists"]) || tokens.are(2, &["if", "exists"]) {
        (2..6).find(|&index| named(index, OWN_EXTENSION))
    } else {
        Some(2)
    };
    tokens.is_any(0, &["create", "alter", "drop"])
        && tokens.is(1, "extension")
        && name.is_some_and(|index| named(index, OWN_EXTENSION))
}
