//! A finished plan without the values that were assumed for its parameters, so that showing it shows no column statistics.
//!
//! Such values come from `pg_stats`, as whoever the statement is planned as may read them; a report goes to others. The
//! plan has to be made with them, or it would not be the one whose cost is told; so they are taken out of it
//! afterwards: in the text that `nodeToString` makes of it (outfuncs.c), which is read back. Parallel workers get their
//! plans the same way.
//!
//! Changes constants only; never makes a plan that could be executed.

use super::{compat, node};
use pgrx::pg_sys;
use std::ffi::{CStr, CString};

/// The number of the parameter that stands for a value computed from others. No statement has as many, and none is
/// ever evaluated: the plan is not run.
const COMPUTED: i32 = i32::MAX;

/// The plan with `$n` in the place of values bound to parameters. None where values could be in it that no constant of ours shows:
/// foreign scans and those of extensions keep texts of their own.
///
/// # Safety
/// `plan` must be a valid finished plan of `source`, with nothing in it that is shared; the new one lives in the current
/// memory context.
pub unsafe fn without_values(
    plan: *mut pg_sys::PlannedStmt,
    source: &CStr,
) -> Option<*mut pg_sys::PlannedStmt> {
    // SAFETY: the caller's promise.
    unsafe {
        let mut relations = node::list::<pg_sys::RangeTblEntry>((*plan).rtable);
        if relations.any(|entry| (*entry).relkind as u8 == pg_sys::RELKIND_FOREIGN_TABLE) {
            return None;
        }
        // As ExecSerializePlan (execParallel.c): of no use to one who only looks.
        (*plan).invalItems = std::ptr::null_mut();
        let dump = CStr::from_ptr(compat::node_to_string(plan.cast()));
        if contains(dump.to_bytes(), b"{CUSTOMSCAN ") {
            return None;
        }
        let masked = CString::new(masked(dump.to_bytes(), source.to_bytes())).ok()?;
        Some(pg_sys::stringToNode(masked.as_ptr()).cast())
    }
}

/// EXPLAIN's text of such a plan, with a sign for what was computed.
pub fn readable(text: &str) -> String {
    text.replace(&format!("${COMPUTED}"), "?")
}

fn contains(text: &[u8], wanted: &[u8]) -> bool {
    text.windows(wanted.len()).any(|window| window == wanted)
}

/// The dump with parameters in the place of constants, but for literals that stand in the source.
///
/// A constant that a parameter became keeps its place in the source, where `$n` stands (eval_const_expressions, clauses.c).
/// One that was computed has no place (-1), and neither has one of a view: both are taken for computed.
fn masked(dump: &[u8], source: &[u8]) -> Vec<u8> {
    let mut masked = Vec::with_capacity(dump.len());
    let mut at = 0;
    while at < dump.len() {
        let rest = &dump[at..];
        // What starting the executor evaluates even for EXPLAIN stays; it is not shown (ExecInitPartitionPruning).
        if rest.starts_with(b"{PARTITIONPRUNEINFO ") {
            let end = end_of_node(rest);
            masked.extend_from_slice(&rest[..end]);
            at += end;
        } else if rest.starts_with(b"{CONST ") {
            let end = end_of_node(rest);
            let constant = &rest[..end];
            masked.extend(parameter(constant, source).unwrap_or_else(|| constant.to_vec()));
            at += end;
        } else if rest[0] == b'\\' {
            masked.extend(rest.iter().take(2));
            at += 2;
        } else {
            masked.push(rest[0]);
            at += 1;
        }
    }
    masked
}

/// Where the node that the text begins with ends. A brace within a token has a backslash before it (outToken,
/// outfuncs.c).
fn end_of_node(text: &[u8]) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        match text[at] {
            b'\\' => at += 1,
            b'{' => depth += 1,
            b'}' => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
        at += 1;
    }
    text.len()
}

/// The parameter in the place of a constant; None where the constant may be shown.
fn parameter(constant: &[u8], source: &[u8]) -> Option<Vec<u8>> {
    let constant = std::str::from_utf8(constant).ok()?;
    let field = |name: &str| constant.split_once(name)?.1.split([' ', '}']).next();
    // NULL says nothing, and truth would show in what the planner makes of it anyway.
    let kind = field(" :consttype ")?;
    if field(" :constisnull ")? == "true" || kind == pg_sys::BOOLOID.to_u32().to_string() {
        return None;
    }
    let place: i64 = field(" :location ")?.parse().ok()?;
    let number = match usize::try_from(place).ok().and_then(|place| source.get(place..)) {
        None => COMPUTED,
        Some(text) => match text.strip_prefix(b"$") {
            None => return None,
            Some(digits) => {
                let digits: Vec<u8> = digits.iter().copied().take_while(u8::is_ascii_digit).collect();
                String::from_utf8(digits).ok()?.parse().unwrap_or(COMPUTED)
            }
        },
    };
    let (modifier, collation) = (field(" :consttypmod ")?, field(" :constcollid ")?);
    // The form of a Param with PARAM_EXTERN, 0 (primnodes.h).
    Some(
        format!(
            "{{PARAM :paramkind 0 :paramid {number} :paramtype {kind} :paramtypmod {modifier} :paramcollid {collation} :location \
             -1}}"
        )
        .into_bytes(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &[u8] = b"SELECT * FROM t WHERE a = $12 AND b = 'x'";

    fn constant(kind: u32, location: i64) -> String {
        format!(
            "{{CONST :consttype {kind} :consttypmod -1 :constcollid 100 :constlen -1 :constbyval false :constisnull false \
             :location {location} :constvalue 8 [ 32 0 0 0 104 111 104 111 ]}}"
        )
    }

    fn parameter(number: i32, kind: u32) -> String {
        format!(
            "{{PARAM :paramkind 0 :paramid {number} :paramtype {kind} :paramtypmod -1 :paramcollid 100 :location -1}}"
        )
    }

    fn seen(dump: &str) -> String {
        String::from_utf8_lossy(&masked(dump.as_bytes(), SOURCE)).into_owned()
    }

    #[test]
    fn only_literals_of_the_text_stay() {
        let at = |wanted: &str| {
            SOURCE.windows(wanted.len()).position(|w| w == wanted.as_bytes()).map(|at| at as i64)
        };
        let (bound, literal) = (at("$12").unwrap_or(0), at("'x'").unwrap_or(0));
        let dump = |first: &str, second: &str, third: &str| {
            format!("{{OPEXPR :args ({first} {second}) :x {third}}}")
        };
        let plan = dump(&constant(25, bound), &constant(25, literal), &constant(1082, -1));
        let expected = dump(&parameter(12, 25), &constant(25, literal), &parameter(COMPUTED, 1082));
        assert_eq!(seen(&plan), expected);
        // A place beyond the text is none; `$` of a dollar quote is no parameter.
        assert_eq!(seen(&constant(25, 4_000)), parameter(COMPUTED, 25));
        assert_eq!(seen(&constant(16, -1)), constant(16, -1));
        let null = constant(25, -1).replace(":constisnull false", ":constisnull true");
        assert_eq!(seen(&null), null);
    }

    #[test]
    fn what_the_executor_evaluates_on_start_stays() {
        let pruning = format!("{{PARTITIONPRUNEINFO :prune_infos (({} {{X :y \\}}}}))}}", constant(23, -1));
        let plan = format!("{{APPEND :part_prune_info {pruning} :qual {}}}", constant(23, -1));
        let expected = format!("{{APPEND :part_prune_info {pruning} :qual {}}}", parameter(COMPUTED, 23));
        assert_eq!(seen(&plan), expected);
    }

    #[test]
    fn tokens_that_look_like_nodes_are_tokens() {
        let token = "\"\\{CONST\\ :consttype\\ 25\\}\"";
        assert_eq!(seen(token), token);
        assert_eq!(readable(&format!("Filter: (a > ${COMPUTED})")), "Filter: (a > ?)");
    }
}
