//! Rules of style: documentation, leftovers, words. Each looks at one file.

use super::Violation;
use super::source::{Source, words};

/// Words that say nothing of what a thing is.
const EMPTY: [&str; 7] = ["smart", "magic", "manager", "helper", "helpers", "util", "utils"];
/// Names that are not ours.
const FOREIGN: [&str; 1] = ["pg_module_magic"];

/// Notes to self, and macros that print or stop.
pub fn leftovers(file: &Source) -> Vec<Violation> {
    let mut violations = Vec::new();
    let macros: &[&str] = match is_test(file) {
        true => &["dbg!", "todo!", "unimplemented!"],
        false => &["dbg!", "todo!", "unimplemented!", "print!", "println!", "eprint!", "eprintln!"],
    };
    for (i, (code, comment)) in file.code.iter().zip(&file.comments).enumerate() {
        let notes =
            ["TODO", "FIXME", "XXX"].into_iter().filter(|note| words(comment).any(|word| word == *note));
        let called = macros.iter().copied().filter(|name| {
            let name = name.trim_end_matches('!');
            words(code).any(|word| word == name) && code.contains(&format!("{name}!"))
        });
        violations.extend(notes.chain(called).map(|what| (i + 1, format!("{what} does not belong here"))));
    }
    violations
}

/// Whether the file is compiled for tests only.
fn is_test(file: &Source) -> bool {
    let tests = ["/tests.rs", "/simulated.rs"];
    let places = ["src/server_tests/", "/tests/"];
    tests.iter().any(|end| file.path.ends_with(end)) || places.iter().any(|place| file.path.contains(place))
}

/// Public types, traits and functions without a documentation comment. Fields are left to judgement, and so are
/// functions of one line, whose name and body say it already.
pub fn undocumented(file: &Source) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (i, line) in file.code.iter().enumerate().filter(|_| !is_test(file)) {
        let modifier = |word: &&str| ["pub", "const", "unsafe", "extern", "async"].contains(word);
        let kind = words(line).find(|word| !modifier(word));
        let Some(kind @ ("fn" | "struct" | "enum" | "trait" | "type")) = kind else { continue };
        let public = line.trim_start().starts_with("pub ");
        let short = kind == "fn" && file.block_end(i + 1, 0) <= i + 3;
        if public && !short && !is_documented(file, i) {
            let name = words(line).skip_while(|word| *word != kind).nth(1).unwrap_or("?");
            violations.push((i + 1, format!("{kind} {name} has no documentation")));
        }
    }
    violations
}

/// Whether `///` stands above a line, attributes (also of several lines) aside.
fn is_documented(file: &Source, index: usize) -> bool {
    let mut depth = 0;
    for j in (0..index).rev() {
        let code = file.code[j].trim();
        if file.comments[j].trim_start().starts_with("///") {
            return true;
        }
        let closed = |c: char| code.chars().filter(|x| *x == c).count() as i32;
        depth += closed(']') - closed('[');
        let attribute = code.starts_with("#[") || depth > 0 || (code.ends_with(']') && depth >= 0);
        let comment = code.is_empty() && !file.comments[j].is_empty();
        if !attribute && !comment {
            return false;
        }
    }
    false
}

/// Identifiers of ours with a word that says nothing.
pub fn empty_words(file: &Source) -> Vec<Violation> {
    let found = file.words().filter(|(_, word)| !FOREIGN.contains(word) && has_empty_word(word));
    found.map(|(line, word)| (line, format!("{word}: say what it is"))).collect()
}

/// Whether a name, in snake or camel case, or a path has a word that says nothing.
pub fn has_empty_word(name: &str) -> bool {
    let mut separated = String::new();
    for c in name.chars() {
        if c.is_uppercase() {
            separated.push(' ');
        }
        separated.push(if c.is_alphanumeric() { c.to_ascii_lowercase() } else { ' ' });
    }
    separated.split_whitespace().any(|word| EMPTY.contains(&word))
}

/// Lines with an absolute path into somebody's home or work place.
pub fn machine_paths(text: &str) -> Vec<Violation> {
    // In two pieces, or this file would find itself.
    let places = [concat!("/wo", "rk/"), concat!("/tmp/", "w"), concat!("/ho", "me/"), concat!("/ro", "ot/")];
    let starts_a_path =
        |line: &str, at: usize| !line[..at].ends_with(|c: char| c.is_alphanumeric() || "._-}>/)".contains(c));
    let mut violations = Vec::new();
    for (i, line) in text.lines().enumerate() {
        for place in places {
            if line.match_indices(place).any(|(at, _)| starts_a_path(line, at)) {
                violations.push((i + 1, format!("{place}...: a path of one machine")));
            }
        }
    }
    violations
}

mod rules_can_fail {
    use super::*;

    fn lines(rule: impl Fn(&Source) -> Vec<Violation>, text: &str) -> Vec<usize> {
        rule(&Source::read("src/x.rs", text)).into_iter().map(|(line, _)| line).collect()
    }

    #[test]
    fn leftovers_are_found() {
        let note = concat!("// TO", "DO: more");
        assert_eq!(
            lines(leftovers, &format!("{note}\nlet println = 1;\nprintln!(\"x\");\n\"dbg!\";")),
            [1, 3]
        );
    }

    #[test]
    fn missing_documentation_is_found() {
        let text = "/// A.\n#[derive(\n    Debug,\n)]\npub struct A;\n\npub struct B;\n// C.\npub const fn c(\n)\n{\n}\n\
                    pub(super) struct D;\n/// E.\npub struct E;\nlet x = y[0];\npub enum F {}\npub fn g() {}";
        assert_eq!(lines(undocumented, text), [7, 9, 17]);
    }

    #[test]
    fn empty_words_are_found() {
        assert_eq!(
            lines(empty_words, "struct PoolManager;\nfn utility(helpful: X) {}\nfn date_util() {}"),
            [1, 3]
        );
        assert!(has_empty_word("src/pg/helpers.rs") && !has_empty_word("src/statement/classify.rs"));
    }

    #[test]
    fn machine_paths_are_found() {
        let text = format!("see {}x/y\nhttps://example.org{}x", concat!("/ho", "me/"), concat!("/ho", "me/"));
        let found: Vec<usize> = machine_paths(&text).into_iter().map(|(line, _)| line).collect();
        assert_eq!(found, [1]);
    }
}
