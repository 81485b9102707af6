//! Lists of names as users write them in a setting: `orders, "My Schema"."T"`.
//!
//! Reads them as the server reads such lists (SplitIdentifierString, varlena.c): unquoted names are folded to lower case,
//! quoted ones are taken as they are. Looks nothing up.

use crate::candidate::definition::AccessMethod;
use std::collections::BTreeSet;
use std::iter::Peekable;
use std::str::Chars;

/// A name, with the schema in front where one is given.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name {
    pub schema: Option<String>,
    pub name: String,
}

/// `NAMEDATALEN` - 1 (pg_config_manual.h): longer identifiers are cut by the server as well.
const LONGEST: usize = 63;

/// Names of tables, each with or without a schema.
///
/// # Errors
/// What is wrong, for people.
pub fn tables(text: &str) -> Result<Vec<Name>, String> {
    let names = list(text)?.into_iter().map(|parts| match <[String; 2]>::try_from(parts) {
        Ok([schema, name]) => Ok(Name { schema: Some(schema), name }),
        Err(mut parts) if parts.len() == 1 => Ok(Name { schema: None, name: parts.remove(0) }),
        Err(parts) => Err(format!("\"{}\" has too many dots: give table or schema.table.", parts.join("."))),
    });
    names.collect()
}

/// Names of schemas, in which `*` stands for any characters.
///
/// # Errors
/// What is wrong, for people.
pub fn schemas(text: &str) -> Result<Vec<String>, String> {
    single(text, "a schema")
}

/// Access methods; all of them for an empty list.
///
/// # Errors
/// What is wrong, for people.
pub fn access_methods(text: &str) -> Result<BTreeSet<AccessMethod>, String> {
    let names = single(text, "an access method")?;
    if names.is_empty() {
        return Ok(AccessMethod::ALL.into());
    }
    let known: Vec<&str> = AccessMethod::ALL.iter().map(|method| method.name()).collect();
    let methods = names.iter().map(|name| {
        AccessMethod::named(name).ok_or_else(|| {
            format!("There is no access method \"{name}\" to choose; known are {}.", known.join(", "))
        })
    });
    methods.collect()
}

fn single(text: &str, what: &str) -> Result<Vec<String>, String> {
    let names = list(text)?.into_iter().map(|mut parts| match parts.len() {
        1 => Ok(parts.remove(0)),
        _ => Err(format!("\"{}\" is no name of {what}.", parts.join("."))),
    });
    names.collect()
}

/// Names, each in its parts between dots.
fn list(text: &str) -> Result<Vec<Vec<String>>, String> {
    let mut rest = text.chars().peekable();
    let mut names = Vec::new();
    skip_space(&mut rest);
    while rest.peek().is_some() {
        let mut parts = Vec::new();
        loop {
            parts.push(identifier(&mut rest)?);
            skip_space(&mut rest);
            if rest.peek() != Some(&'.') {
                break;
            }
            rest.next();
            skip_space(&mut rest);
        }
        names.push(parts);
        match rest.next() {
            None => break,
            Some(',') => skip_space(&mut rest),
            Some(other) => return Err(format!("A comma is missing before \"{other}\".")),
        }
        if rest.peek().is_none() {
            return Err("A name is missing after the last comma.".to_string());
        }
    }
    Ok(names)
}

fn identifier(rest: &mut Peekable<Chars<'_>>) -> Result<String, String> {
    let mut name = String::new();
    if rest.peek() == Some(&'"') {
        rest.next();
        loop {
            match rest.next() {
                None => return Err("A quoted name does not end.".to_string()),
                Some('"') if rest.peek() == Some(&'"') => name.extend(rest.next()),
                Some('"') => break,
                Some(other) => name.push(other),
            }
        }
    } else {
        let ends = |c: &char| c.is_ascii_whitespace() || [',', '.', '"'].contains(c);
        while let Some(next) = rest.next_if(|c| !ends(c)) {
            name.push(next.to_ascii_lowercase());
        }
    }
    if name.is_empty() {
        return Err("A name is missing.".to_string());
    }
    let mut end = name.len().min(LONGEST);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name.truncate(end);
    Ok(name)
}

fn skip_space(rest: &mut Peekable<Chars<'_>>) {
    while rest.next_if(char::is_ascii_whitespace).is_some() {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name(schema: &str, name: &str) -> Name {
        Name { schema: (!schema.is_empty()).then(|| schema.to_string()), name: name.to_string() }
    }

    #[test]
    fn names_are_read_as_the_server_reads_them() {
        let read = |text: &str| tables(text).unwrap();
        assert_eq!(read(""), []);
        assert_eq!(read(" \n"), []);
        assert_eq!(read("Orders"), [name("", "orders")]);
        assert_eq!(
            read("public . orders ,\"My Schema\".\"T\",a.\"x.y,\"\"z\"\"\""),
            [name("public", "orders"), name("My Schema", "T"), name("a", "x.y,\"z\"")]
        );
        assert_eq!(read("ÉTÉ"), [name("", "ÉtÉ")], "as a server with a multibyte encoding folds");
        let cut = read(&"é".repeat(40));
        assert_eq!(cut, [name("", &"é".repeat(31))], "63 bytes, in whole characters");
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for text in [",", "a,", "a,,b", "a b", "\"a", "a.", ".a", "\"\"", "a.b.c", "a\"b\"", ", a"] {
            assert!(tables(text).is_err(), "{text}");
        }
        assert!(schemas("public.orders").is_err());
        assert_eq!(schemas("Audit, tenant_*").unwrap(), ["audit", "tenant_*"]);
    }

    #[test]
    fn unknown_access_methods_are_told_which_are_known() {
        assert_eq!(access_methods(" BTREE, brin").unwrap(), [AccessMethod::Btree, AccessMethod::Brin].into());
        assert_eq!(access_methods("").unwrap().len(), AccessMethod::ALL.len());
        let refusal = access_methods("btree, btre").unwrap_err();
        assert!(refusal.contains("\"btre\"") && refusal.contains("known are btree, hash, brin"), "{refusal}");
    }

    proptest! {
        #[test]
        fn quoted_names_come_back(names in prop::collection::vec(("[^\0]{1,15}", "[^\0]{1,15}"), 1..4)) {
            let quoted = |part: &String| format!("\"{}\"", part.replace('"', "\"\""));
            let text: Vec<String> = names.iter().map(|(s, n)| format!("{}.{}", quoted(s), quoted(n))).collect();
            let expected: Vec<Name> = names.iter().map(|(s, n)| name(s, n)).collect();
            prop_assert_eq!(tables(&text.join(", ")).unwrap(), expected);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,40}") {
            let _ = (tables(&text), schemas(&text), access_methods(&text));
        }
    }
}
