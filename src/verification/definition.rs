//! Index definitions as text, as pg_get_indexdef writes them: what makes two the same, and DDL made from them.
//!
//! Reads no more of a definition than its beginning: `CREATE [UNIQUE] INDEX name ON [ONLY] table ...`.

/// A definition taken apart. All pieces are slices of it.
struct Definition<'a> {
    unique: bool,
    /// From the table's name on.
    rest: &'a str,
}

fn read(definition: &str) -> Option<Definition<'_>> {
    let (unique, rest) = match definition.strip_prefix("CREATE UNIQUE INDEX ") {
        Some(rest) => (true, rest),
        None => (false, definition.strip_prefix("CREATE INDEX ")?),
    };
    let rest = after_identifier(rest)?.strip_prefix(" ON ")?;
    // A partitioned index is written for its own table alone; created so, its partitions would be missing.
    Some(Definition { unique, rest: rest.strip_prefix("ONLY ").unwrap_or(rest) })
}

/// What follows an identifier, quoted or not.
fn after_identifier(text: &str) -> Option<&str> {
    let Some(quoted) = text.strip_prefix('"') else { return text.find(' ').map(|end| &text[end..]) };
    let mut rest = quoted;
    loop {
        rest = &rest[rest.find('"')? + 1..];
        match rest.strip_prefix('"') {
            Some(more) => rest = more,
            None => return Some(rest),
        }
    }
}

/// What is the same for two indexes that differ in their names only.
pub fn shape(definition: &str) -> &str {
    read(definition).map_or(definition, |known| known.rest)
}

/// Whether it forbids equal values, so that dropping it changes what the table accepts.
pub fn is_unique(definition: &str) -> bool {
    read(definition).is_some_and(|known| known.unique)
}

/// DDL that creates it again under the same name without locking out writers, where PostgreSQL can; None for a text of another form.
pub fn restore(definition: &str, partitioned: bool) -> Option<String> {
    let known = read(definition)?;
    let start = if known.unique { "CREATE UNIQUE INDEX " } else { "CREATE INDEX " };
    let name = &definition[start.len()..];
    let name = &name[..name.len() - after_identifier(name)?.len()];
    let concurrently = if partitioned { "" } else { "CONCURRENTLY " };
    Some(format!("{start}{concurrently}{name} ON {}", known.rest))
}

/// DDL that drops it without locking out others, where PostgreSQL can.
pub fn drop(index: &str, partitioned: bool) -> String {
    format!("DROP INDEX {}{index}", if partitioned { "" } else { "CONCURRENTLY " })
}

/// Whether it is what a REINDEX CONCURRENTLY that failed leaves behind (indexcmds.c appends these to the name).
pub fn is_left_over(name: &str) -> bool {
    let name = name.trim_end_matches('"').trim_end_matches(|c: char| c.is_ascii_digit());
    name.ends_with("_ccnew") || name.ends_with("_ccold")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_that_differ_in_name_have_one_shape() {
        let plain = "CREATE INDEX a ON public.t USING btree (x)";
        let odd = "CREATE INDEX \"a \"\" ON b\" ON public.t USING btree (x)";
        let parent = "CREATE INDEX p ON ONLY public.t USING btree (x)";
        assert_eq!(shape(plain), "public.t USING btree (x)");
        assert!(shape(plain) == shape(odd) && shape(plain) == shape(parent));
        assert_ne!(shape(plain), shape("CREATE INDEX a ON public.t USING btree (y)"));
        assert_eq!(shape("no index"), "no index");
    }

    #[test]
    fn restored_as_it_was_named() {
        let odd = "CREATE UNIQUE INDEX \"My \"\" ON x\" ON \"S\".t USING btree (x) WHERE (y > 0)";
        assert_eq!(
            restore(odd, false).unwrap(),
            "CREATE UNIQUE INDEX CONCURRENTLY \"My \"\" ON x\" ON \"S\".t USING btree (x) WHERE (y > 0)"
        );
        assert_eq!(
            restore("CREATE INDEX p ON ONLY public.t USING btree (x)", true).unwrap(),
            "CREATE INDEX p ON public.t USING btree (x)"
        );
        assert!(restore("DROP TABLE t", false).is_none());
        assert!(restore("CREATE INDEX \"unended ON t", false).is_none());
        assert!(is_unique(odd) && !is_unique("CREATE INDEX p ON public.t USING btree (x)"));
        assert_eq!(drop("public.a", false), "DROP INDEX CONCURRENTLY public.a");
        assert_eq!(drop("public.a", true), "DROP INDEX public.a");
    }

    #[test]
    fn what_a_failed_reindex_leaves_is_known_by_name() {
        assert!(is_left_over("public.a_ccnew") && is_left_over("public.a_ccold2"));
        assert!(is_left_over("public.\"A_ccnew1\"") && !is_left_over("public.a_new"));
    }
}
