//! Tidy: the rules of the house (ARCHITECTURE.md) as tests over the files of this repository.
//!
//! Needs no server and not the crate itself. Every rule reports all its violations, each with file and line, and is
//! itself tried on text that breaks it.

#[path = "tidy/source.rs"]
mod source;
#[path = "tidy/style.rs"]
mod style;

use source::{Source, words};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What the pure modules are: they compile and are tested without a server.
const PURE: [&str; 10] = [
    "src/candidate/",
    "src/cost/",
    "src/selection/",
    "src/statement/",
    "src/workload/",
    "src/recommendation/",
    "src/report/",
    "src/schedule/",
    "src/verification/",
    "src/catalog.rs",
];

/// Modules that the pure ones must not name.
const SERVER_SIDE: [&str; 8] = ["pg", "settings", "source", "api", "run", "examine", "history", "worker"];

/// Files that may use hash tables, and why that shows in no answer.
const HASHED: [(&str, &str); 1] = [("src/cost/cache.rs", "looked up by key, never iterated")];

const LONGEST_FILE: usize = 600;

/// The attribute by which the postmaster finds a worker's entry point. It stands before functions that are safe to call; what
/// is promised is that no other function of the server has the name.
const ENTRY_POINT: &str = "#[unsafe(no_mangle)]";

#[test]
fn unsafe_code_lives_in_pg_only() {
    assert_clean(&rust_files("src"), |file| match file.path.starts_with("src/pg/") {
        true => Vec::new(),
        false => unsafe_outside(file),
    });
}

/// Unsafe code, entry points of `src/worker.rs` aside.
fn unsafe_outside(file: &Source) -> Vec<Violation> {
    let entry_point =
        |line: &usize| file.path == "src/worker.rs" && file.code[line - 1].trim() == ENTRY_POINT;
    let mut found = word_violations(file, &["unsafe"], "unsafe code belongs under src/pg/");
    found.retain(|(line, _)| !entry_point(line));
    found
}

#[test]
fn every_unsafe_block_says_why_it_is_sound() {
    assert_clean(&rust_files("src"), unexplained_unsafe);
}

#[test]
fn pure_modules_know_no_server() {
    assert_clean(&rust_files("src"), |file| match PURE.iter().any(|pure| file.path.starts_with(pure)) {
        true => server_side_names(file),
        false => Vec::new(),
    });
}

#[test]
fn versions_differ_in_compat_only() {
    assert_clean(&rust_files("src"), |file| match file.path.as_str() {
        "src/pg/compat.rs" => Vec::new(),
        _ => version_conditions(file),
    });
}

#[test]
fn errors_are_caught_in_one_place() {
    assert_clean(&rust_files("src"), |file| match file.path.as_str() {
        "src/pg/isolated.rs" => Vec::new(),
        _ => word_violations(file, &["PgTryBuilder", "catch_unwind"], "only pg::isolated catches errors"),
    });
}

#[test]
fn files_say_what_they_are() {
    assert_clean(&all_rust_files(), |file| match file.comments.first() {
        Some(line) if line.len() > "//! ".len() && line.starts_with("//! ") => Vec::new(),
        _ => vec![(1, "a file opens with `//!`: the noun it defines and what it must not do".to_string())],
    });
}

#[test]
fn files_are_of_a_readable_length() {
    assert_clean(&all_rust_files(), |file| match file.code.len() {
        lines if lines > LONGEST_FILE => vec![(lines, format!("{lines} lines; {LONGEST_FILE} at most"))],
        _ => Vec::new(),
    });
}

#[test]
fn no_hash_order_in_any_answer() {
    assert_clean(&rust_files("src"), |file| {
        let unordered = ["HashMap", "HashSet", "RandomState", "DefaultHasher"];
        match HASHED.iter().any(|(path, _)| *path == file.path) {
            true => Vec::new(),
            false => word_violations(file, &unordered, "hash order differs from run to run; use a BTreeMap"),
        }
    });
}

#[test]
fn nothing_is_left_unfinished_or_printed() {
    assert_clean(&rust_files("src"), style::leftovers);
}

#[test]
fn public_items_are_documented() {
    assert_clean(&rust_files("src"), style::undocumented);
}

#[test]
fn names_say_what_things_are() {
    assert_clean(&all_rust_files(), style::empty_words);
    let paths = repository_files();
    let bad: Vec<String> = paths.iter().filter(|path| style::has_empty_word(path)).cloned().collect();
    assert!(bad.is_empty(), "file names with a word that says nothing:\n{}", bad.join("\n"));
}

#[test]
fn no_path_of_somebodys_machine() {
    let violations: Vec<String> = repository_files()
        .iter()
        .filter_map(|path| Some((path, std::fs::read_to_string(root().join(path)).ok()?)))
        .flat_map(|(path, text)| {
            let lines = style::machine_paths(&text);
            lines.into_iter().map(move |(line, what)| format!("{path}:{line}: {what}"))
        })
        .collect();
    assert!(violations.is_empty(), "\n{}", violations.join("\n"));
}

#[test]
fn the_readme_has_every_setting() {
    let readme = read("README.md");
    let wrong: Vec<String> = settings(&read("src/settings.rs"))
        .into_iter()
        .map(|(name, default)| format!("| `{name}` | `{default}` |"))
        .filter(|row| !readme.contains(row))
        .collect();
    assert!(wrong.is_empty(), "README.md's table of settings lacks:\n{}", wrong.join("\n"));
}

#[test]
fn the_readme_has_every_function() {
    let readme = read("README.md");
    let known: BTreeSet<&str> = words(&readme).collect();
    let mut missing = Vec::new();
    for file in paths_under("src/api", "rs") {
        // A leading underscore marks what is not for users.
        for (function, names) in functions(&read(&file)).into_iter().filter(|(f, _)| !f.starts_with('_')) {
            if !readme.contains(&format!("index_advisor.{function}(")) {
                missing.push(format!("{file}: {function}()"));
            }
            let unknown = names.iter().filter(|name| !known.contains(name.as_str()));
            missing.extend(unknown.map(|name| format!("{file}: {function}(): {name}")));
        }
    }
    assert!(missing.is_empty(), "missing from README.md:\n{}", missing.join("\n"));
}

#[test]
fn the_code_map_is_true() {
    let mut wrong = Vec::new();
    for page in
        ["README.md", "ARCHITECTURE.md"].map(String::from).into_iter().chain(paths_under("docs", "md"))
    {
        let text = read(&page);
        let named = text.split(|c: char| c.is_whitespace() || "`()[],;|".contains(c));
        for path in named.filter(|word| word.starts_with("src/")) {
            let path = path.trim_end_matches(['.', ':']);
            if !path.contains('*') && !root().join(path).exists() {
                wrong.push(format!("{page} names {path}, which does not exist"));
            }
        }
    }
    let map = read("ARCHITECTURE.md");
    for path in paths_under("src", "rs") {
        let name = path.trim_start_matches("src/").trim_end_matches("/mod.rs");
        let top = name.split('/').next().unwrap_or(name);
        let unit = if top.ends_with(".rs") { format!("src/{top}") } else { format!("src/{top}/") };
        if !map.contains(&unit) && !wrong.iter().any(|known| known.contains(&unit)) {
            wrong.push(format!("ARCHITECTURE.md does not name {unit}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn links_lead_somewhere() {
    let mut broken = Vec::new();
    for page in repository_files().into_iter().filter(|path| path.ends_with(".md")) {
        let folder = root().join(&page).parent().map_or_else(PathBuf::new, Path::to_path_buf);
        for target in links(&read(&page)) {
            let outside = target.starts_with("http") || target.starts_with('#');
            let file = target.split('#').next().unwrap_or_default();
            if !outside && !folder.join(file).exists() {
                broken.push(format!("{page}: {target}"));
            }
        }
    }
    assert!(broken.is_empty(), "links to what does not exist:\n{}", broken.join("\n"));
}

/// A line, counted from 1, and what is wrong there.
type Violation = (usize, String);

fn assert_clean(files: &[Source], rule: impl Fn(&Source) -> Vec<Violation>) {
    assert!(!files.is_empty(), "no files to look at");
    let violations: Vec<String> = files
        .iter()
        .flat_map(|file| {
            rule(file).into_iter().map(move |(line, what)| format!("{}:{line}: {what}", file.path))
        })
        .collect();
    assert!(violations.is_empty(), "{} violations\n{}", violations.len(), violations.join("\n"));
}

fn word_violations(file: &Source, forbidden: &[&str], why: &str) -> Vec<Violation> {
    let found = file.words().filter(|(_, word)| forbidden.contains(word));
    found.map(|(line, word)| (line, format!("{word}: {why}"))).collect()
}

/// Unsafe blocks and implementations without a `// SAFETY:` before or inside them, outside functions whose own
/// documentation, or the file's, has a `# Safety` section.
fn unexplained_unsafe(file: &Source) -> Vec<Violation> {
    let mut violations = Vec::new();
    // Where the function or block that explains what is inside it ends.
    let mut explained_until = 0;
    for (i, line) in file.code.iter().enumerate() {
        let number = i + 1;
        let Some(column) = find_word(line, "unsafe") else { continue };
        let rest = line[column..].trim_start_matches("unsafe").trim_start();
        let function = rest.starts_with("fn ") || (rest.starts_with("extern") && rest.contains("fn "));
        if function && !rest.contains("fn(") {
            let by_file = file.comments.iter().any(|line| line.starts_with("//! # Safety"));
            if by_file || comment_above(file, i).iter().any(|line| line.starts_with("/// # Safety")) {
                explained_until = explained_until.max(file.block_end(number, column));
            }
            continue;
        }
        let block = rest.is_empty() || rest.starts_with('{') || rest.starts_with("impl");
        if !block || number <= explained_until {
            continue;
        }
        let end = file.block_end(number, column);
        let inside = file.comments[i..end].iter().any(|line| line.contains("// SAFETY:"));
        let above = statement_comments(file, i).iter().any(|line| line.contains("// SAFETY:"));
        if inside || above {
            explained_until = explained_until.max(end);
        } else {
            violations.push((number, "unsafe without a `// SAFETY:` comment".to_string()));
        }
    }
    violations
}

/// The byte position of a whole word.
fn find_word(line: &str, wanted: &str) -> Option<usize> {
    let word = words(line).find(|word| *word == wanted)?;
    Some(word.as_ptr() as usize - line.as_ptr() as usize)
}

/// The comment and attribute lines directly above a line.
fn comment_above(file: &Source, index: usize) -> Vec<&str> {
    let above = (0..index).rev().take_while(|j| {
        let code = file.code[*j].trim();
        code.starts_with("#[") || (code.is_empty() && !file.comments[*j].is_empty())
    });
    above.map(|j| file.comments[j].trim()).collect()
}

/// The comments above the statement that a line belongs to: it may have begun some lines before.
fn statement_comments(file: &Source, index: usize) -> Vec<&str> {
    let starts = |j: &usize| {
        *j == 0 || {
            let before = file.code[*j - 1].trim_end();
            before.is_empty() || before.ends_with([';', '{', '}', ','])
        }
    };
    let start = (0..=index).rev().find(starts).unwrap_or(0);
    comment_above(file, start)
}

fn server_side_names(file: &Source) -> Vec<Violation> {
    let mut violations = word_violations(file, &["pgrx", "pg_sys"], "a pure module");
    for (i, line) in file.code.iter().enumerate() {
        for (at, _) in line.match_indices("crate::") {
            let rest = &line[at + "crate::".len()..];
            let module = words(rest).next().unwrap_or_default();
            if rest.starts_with('{') {
                violations
                    .push((i + 1, "name modules one `use` a line, so that this can be checked".to_string()));
            } else if SERVER_SIDE.contains(&module) {
                violations.push((i + 1, format!("crate::{module}: a pure module")));
            }
        }
    }
    violations
}

fn version_conditions(file: &Source) -> Vec<Violation> {
    let conditional = file.code.iter().zip(&file.strings).enumerate();
    let versioned = |text: &str| {
        text.match_indices("\"pg").any(|(at, _)| text[at + 3..].starts_with(|c: char| c.is_ascii_digit()))
    };
    let found = conditional.filter(|(_, (code, text))| code.contains("feature") && versioned(text));
    found.map(|(i, _)| (i + 1, "version differences belong in src/pg/compat.rs".to_string())).collect()
}

/// The targets of the links in a Markdown page.
fn links(page: &str) -> Vec<String> {
    let targets = page.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.map(str::to_string).collect()
}

/// The settings that `settings.rs` defines, with their defaults as SHOW gives them.
fn settings(text: &str) -> Vec<(String, String)> {
    // Lists of names have a check of their own.
    let definitions = text.replace("list_setting::define(", "GucRegistry::define_list(");
    let definitions = definitions.split("GucRegistry::define_").skip(1);
    definitions
        .map(|definition| {
            let definition = definition.split_once(");").map_or(definition, |(definition, _)| definition);
            let name = definition.split("c\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or("?");
            let variable = definition.split_once("\n        &").and_then(|(_, rest)| rest.split(',').next());
            let value = variable
                .and_then(|variable| text.split_once(&format!("static {variable}: ")))
                .and_then(|(_, rest)| rest.split_once("::new("))
                .and_then(|(_, rest)| rest.split(");").next());
            let unit = definition.split("GucFlags::UNIT_").nth(1).and_then(|rest| words(rest).next());
            (name.to_string(), value.map_or("?".to_string(), |value| shown(value, unit)))
        })
        .collect()
}

/// A default as SHOW gives it, in the largest unit that divides it (guc.c).
fn shown(expression: &str, unit: Option<&str>) -> String {
    match expression {
        "true" => return "on".to_string(),
        "false" => return "off".to_string(),
        "Some(c\"\")" => return "''".to_string(),
        _ => {}
    }
    let factors = expression.split('*').map(|factor| factor.trim().replace('_', "").parse::<f64>());
    let value: f64 = factors.map(|factor| factor.unwrap_or(f64::NAN)).product();
    let units: &[(&str, f64)] = match unit {
        Some("MIN") => &[("d", 1440.0), ("h", 60.0), ("min", 1.0)],
        Some("MS") => &[("min", 60_000.0), ("s", 1000.0), ("ms", 1.0)],
        Some("BYTE") => &[("MB", 1_048_576.0), ("kB", 1024.0), ("B", 1.0)],
        Some("MB") => &[("GB", 1024.0), ("MB", 1.0)],
        _ => &[("", 1.0)],
    };
    match units.iter().find(|(_, size)| value != 0.0 && value % size == 0.0) {
        Some((name, size)) => format!("{}{name}", value / size),
        None => format!("{value}"),
    }
}

/// The SQL functions that a file of `src/api` creates, each with its arguments and columns.
fn functions(text: &str) -> Vec<(String, Vec<String>)> {
    let created = text.split("CREATE FUNCTION ").skip(1);
    created
        .filter_map(|rest| {
            let declaration = rest.split("LANGUAGE").next()?;
            let (name, rest) = declaration.split_once('(')?;
            let rest = rest.replace("RETURNS TABLE (", ",");
            let names = rest.split(',').filter_map(|item| words(item).next());
            let names = names.filter(|name| *name != "RETURNS" && *name != "DEFAULT");
            Some((name.trim().to_string(), names.map(str::to_string).collect()))
        })
        .collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn rust_files(folder: &str) -> Vec<Source> {
    paths_under(folder, "rs").iter().map(|path| Source::read(path, &read(path))).collect()
}

fn all_rust_files() -> Vec<Source> {
    rust_files("src").into_iter().chain(rust_files("tests")).collect()
}

/// The files of the repository: sources and documents, nothing generated.
fn repository_files() -> Vec<String> {
    let folders = ["src", "tests", "docs", "demo", "bench", "tools", "sql", ".ci"];
    let in_folders = folders.iter().flat_map(|folder| paths_under(folder, ""));
    let top = std::fs::read_dir(root()).into_iter().flatten().flatten();
    let top = top.filter(|entry| entry.path().is_file()).map(|entry| entry.file_name());
    in_folders
        .chain(top.map(|name| name.to_string_lossy().into_owned()))
        .filter(|path| path != ".git")
        .collect()
}

/// Files under a folder, sorted, relative to the repository; all where `extension` is empty.
fn paths_under(folder: &str, extension: &str) -> Vec<String> {
    let mut paths = Vec::new();
    let mut folders = vec![PathBuf::from(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(root().join(&folder)).into_iter().flatten().flatten() {
            let path = folder.join(entry.file_name());
            let is_cache =
                entry.file_name().to_string_lossy().starts_with(['_', '.']) && entry.path().is_dir();
            if entry.path().is_dir() && !is_cache {
                folders.push(path);
            } else if !is_cache && (extension.is_empty() || path.extension().is_some_and(|e| e == extension))
            {
                paths.push(path.to_string_lossy().replace('\\', "/"));
            }
        }
    }
    paths.sort();
    paths
}

mod rules_can_fail {
    //! Each rule on text that breaks it, and on text that looks as if it did.

    use super::*;

    fn source(text: &str) -> Source {
        Source::read("src/cost/x.rs", text)
    }

    fn lines(violations: Vec<Violation>) -> Vec<usize> {
        violations.into_iter().map(|(line, _)| line).collect()
    }

    #[test]
    fn comments_and_strings_are_not_code() {
        let text = "// unsafe\nlet a = \"unsafe \\\" unsafe\"; /* unsafe /* unsafe */ unsafe */ 'x'; '\\''; f::<'a>();\n\
                    let b = r#\"unsafe \" unsafe\"#; br\"unsafe\"; attr\nunsafe";
        assert_eq!(lines(word_violations(&source(text), &["unsafe"], "")), [4]);
        assert_eq!(source(text).words().filter(|(_, word)| *word == "attr").count(), 1);
    }

    #[test]
    fn unsafe_code_outside_is_found() {
        let text = "#[unsafe(no_mangle)]\npub extern \"C-unwind\" fn f() {\n    unsafe { g() }\n}";
        let found = |path: &str| lines(unsafe_outside(&Source::read(path, text)));
        assert_eq!((found("src/worker.rs"), found("src/api/x.rs")), (vec![3], vec![1, 3]));
    }

    #[test]
    fn unsafe_needs_a_reason() {
        let found = |text: &str| lines(unexplained_unsafe(&source(text)));
        assert_eq!(found("fn f() {\n    unsafe { g() }\n}"), [2]);
        assert_eq!(
            found("fn f() {\n    // SAFETY: g is kind.\n    unsafe { g() }\n    unsafe { h() }\n}"),
            [4]
        );
        assert_eq!(found("fn f() {\n    // SAFETY: g is kind.\n    let x =\n        unsafe { g() };\n}"), []);
        assert_eq!(found("fn f() {\n    unsafe {\n        // SAFETY: so\n        g();\n    }\n}"), []);
        assert_eq!(
            found("/// F.\n///\n/// # Safety\n/// Be careful.\nunsafe fn f() {\n    unsafe { g() }\n}"),
            []
        );
        assert_eq!(found("/// F.\nunsafe fn f() {\n    unsafe { g() }\n}"), [3]);
        assert_eq!(found("unsafe impl Sync for X {}"), [1]);
    }

    #[test]
    fn a_files_safety_section_covers_unsafe_functions_only() {
        let with = |function: &str| {
            format!("//! X.\n//!\n//! # Safety\n//! All.\n{function} {{\n    unsafe {{ g() }}\n}}")
        };
        assert_eq!(lines(unexplained_unsafe(&source(&with("unsafe fn f()")))), []);
        assert_eq!(lines(unexplained_unsafe(&source(&with("pub unsafe extern \"C-unwind\" fn f()")))), []);
        assert_eq!(lines(unexplained_unsafe(&source(&with("fn f()")))), [6]);
    }

    #[test]
    fn server_side_names_are_found() {
        let text = "use crate::catalog::Oid;\nuse crate::pg::scalar;\nuse crate::{cost};\nuse pgrx::Spi;\n// crate::pg";
        let mut found = lines(server_side_names(&source(text)));
        found.sort();
        assert_eq!(found, [2, 3, 4]);
    }

    #[test]
    fn version_conditions_are_found() {
        let text =
            "#[cfg(feature = \"pg15\")]\n#[cfg(any(test, feature = \"pg_test\"))]\nlet pg18 = \"pg18\";";
        assert_eq!(lines(version_conditions(&source(text))), [1]);
    }

    #[test]
    fn links_are_found() {
        assert_eq!(links("See [a](b/c.md#d), (e) and [f](http://g)."), ["b/c.md#d", "http://g"]);
    }

    #[test]
    fn functions_and_settings_are_found() {
        let sql = "CREATE FUNCTION f(\n  a text DEFAULT NULL,\n  b integer DEFAULT NULL)\nRETURNS TABLE (\n  c bigint[], d text)\nLANGUAGE c";
        let names = ["a", "b", "c", "d"].map(str::to_string).to_vec();
        assert_eq!(functions(sql), [("f".to_string(), names)]);
        let text = "static X: G<i32> = G::<i32>::new(90_000);\nGucRegistry::define_int_guc(\n        c\"a.x\",\n        c\"X.\",\n        \
                    &X,\n        GucFlags::UNIT_MS,\n    );";
        assert_eq!(settings(text), [("a.x".to_string(), "90s".to_string())]);
        assert_eq!(
            [shown("0", Some("MB")), shown("256 * 1024", Some("BYTE")), shown("0.5", None)],
            ["0", "256kB", "0.5"]
        );
    }
}
