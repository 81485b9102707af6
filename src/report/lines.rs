//! `Page`: plain text of a fixed width, made of lines that are safe to show in a terminal.
//!
//! Knows widths, wrapping and hostile characters; nothing of indexes.

use unicode_width::UnicodeWidthChar;

/// Columns of a page.
pub const WIDTH: usize = 100;

/// Text under construction.
#[derive(Default)]
pub struct Page {
    text: String,
}

impl Page {
    /// The lines so far.
    pub fn into_text(self) -> String {
        self.text
    }

    /// An empty line.
    pub fn blank(&mut self) {
        self.text.push('\n');
    }

    /// A line with a rule below it.
    pub fn heading(&mut self, text: &str, rule: char) {
        let text = shortened(text, WIDTH);
        let rule: String = std::iter::repeat_n(rule, columns(&text)).collect();
        self.push(&text);
        self.push(&rule);
    }

    /// A paragraph, wrapped: `first` stands before its first line, spaces of that width before the others.
    pub fn paragraph(&mut self, first: &str, text: &str) {
        let indent = " ".repeat(columns(first));
        let mut start = first.to_string();
        for line in wrapped(text, WIDTH.saturating_sub(indent.len())) {
            self.push(&format!("{start}{line}"));
            start.clone_from(&indent);
        }
    }

    /// A row of a table: cut at the page's edge.
    pub fn row(&mut self, text: &str) {
        self.push(&shortened(text, WIDTH));
    }

    /// SQL that stays the same SQL when it is copied: broken only where white space stands outside quotes, before a
    /// clause or after a comma where that leaves the line at least half full. A single long token may overflow.
    pub fn sql(&mut self, indent: usize, sql: &str) {
        let hanging = indent + 4;
        let mut line = " ".repeat(indent);
        let mut pieces: Vec<&str> = Vec::new();
        let mut room = WIDTH.saturating_sub(indent);
        for piece in sql_pieces(sql) {
            let width = width_of(&pieces) + usize::from(!pieces.is_empty()) + columns(piece);
            if width > room && !pieces.is_empty() {
                let carried = pieces.split_off(best_break(&pieces, piece, room));
                line.push_str(&pieces.join(" "));
                self.push(&line);
                line = " ".repeat(hanging);
                room = WIDTH.saturating_sub(hanging);
                pieces = carried;
            }
            pieces.push(piece);
        }
        line.push_str(&pieces.join(" "));
        self.push(&line);
    }

    /// Every line goes through here, so no control character reaches the text.
    fn push(&mut self, line: &str) {
        self.text.extend(line.trim_end().chars().map(safe));
        self.text.push('\n');
    }
}

/// Whether a terminal or a reader could take the character for something else than a visible character: control
/// characters (ESC begins terminal commands), line separators, and the invisible format characters of Unicode, with
/// which text can be made to read backwards (the bidi controls) or to look like other text.
pub fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

/// The character as a page shows it.
fn safe(c: char) -> char {
    if is_hostile(c) { '?' } else { c }
}

/// Text of several lines that stays so: tabs as spaces, hostile characters replaced, `...` where it is cut after `most`
/// bytes.
pub fn block(text: &str, most: usize) -> String {
    let end = (0..=most.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    let more = if end < text.len() { "..." } else { "" };
    let lines =
        text[..end].lines().map(|line| line.replace('\t', "    ").trim_end().chars().map(safe).collect());
    format!("{}{more}", lines.collect::<Vec<String>>().join("\n").trim_matches('\n'))
}

/// The text with every hostile character but the newline replaced: what leaves a renderer goes through here.
pub fn cleaned(text: &str) -> String {
    text.chars().map(|c| if c == '\n' { c } else { safe(c) }).collect()
}

/// One line of at most `width` columns: white space squeezed, hostile characters replaced, `...` where it is cut.
pub fn one_line(text: &str, width: usize) -> String {
    let mut line = String::new();
    // Marks of no width could make a short line long; and a megabyte need not be read for its first words.
    for c in text.trim_start().chars().take(8 * width.max(1)) {
        if c.is_whitespace() {
            if !line.ends_with(' ') {
                line.push(' ');
            }
        } else {
            line.push(safe(c));
        }
    }
    let longer = text.trim().chars().nth(8 * width.max(1)).is_some();
    let line = line.trim_end();
    if longer { cut(&format!("{line}..."), width) } else { cut(line, width) }
}

/// At most `width` columns of a line, `...` at its end where it is cut.
fn shortened(line: &str, width: usize) -> String {
    let line: String = line.chars().map(safe).collect();
    cut(&line, width)
}

fn cut(line: &str, width: usize) -> String {
    if columns(line) <= width {
        return line.to_string();
    }
    let room = width.saturating_sub(3);
    let mut kept = String::new();
    let mut used = 0;
    for c in line.chars() {
        used += c.width().unwrap_or(1);
        if used > room {
            break;
        }
        kept.push(c);
    }
    format!("{}...", kept.trim_end())
}

/// Lines of at most `width` columns, broken at white space; a longer word is broken anywhere.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let width = width.max(2);
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split_whitespace() {
        let word: String = word.chars().map(safe).collect();
        let wide = columns(&word);
        if used > 0 && used + 1 + wide <= width {
            last(&mut lines).push(' ');
            last(&mut lines).push_str(&word);
            used += 1 + wide;
            continue;
        }
        if used > 0 {
            lines.push(String::new());
            used = 0;
        }
        for c in word.chars() {
            let wide = c.width().unwrap_or(1);
            if used + wide > width {
                lines.push(String::new());
                used = 0;
            }
            last(&mut lines).push(c);
            used += wide;
        }
    }
    lines
}

fn last(lines: &mut Vec<String>) -> &mut String {
    if lines.is_empty() {
        lines.push(String::new());
    }
    let end = lines.len() - 1;
    &mut lines[end]
}

/// SQL split at single spaces outside quoted identifiers and string literals.
pub fn sql_pieces(sql: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut start = 0;
    let mut quote = None;
    // A doubled quote closes and opens again, which comes to the same.
    for (at, c) in sql.char_indices() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if c == '"' || c == '\'' => quote = Some(c),
            None if c == ' ' => {
                pieces.push(&sql[start..at]);
                start = at + 1;
            }
            None => {}
        }
    }
    pieces.push(&sql[start..]);
    pieces
}

/// How many of the pieces to leave on the line when `next` no longer fits: all, or up to a better place to break.
fn best_break(pieces: &[&str], next: &str, room: usize) -> usize {
    let good = |at: usize| {
        let following = pieces.get(at).copied().unwrap_or(next);
        pieces[at - 1].ends_with(',') || ["INCLUDE", "WHERE", "AND", "OR"].contains(&following)
    };
    (1..=pieces.len())
        .rev()
        .take_while(|at| width_of(&pieces[..*at]) >= room / 2)
        .find(|at| good(*at))
        .unwrap_or(pieces.len())
}

fn width_of(pieces: &[&str]) -> usize {
    pieces.iter().map(|piece| columns(piece)).sum::<usize>() + pieces.len().saturating_sub(1)
}

/// Columns that a text takes when it is shown, hostile characters as their stand-ins.
/// Summed over the characters, as psql counts (`pg_wcswidth`); the crate's width of a string joins sequences.
pub fn columns(text: &str) -> usize {
    text.chars().map(|c| safe(c).width().unwrap_or(1)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn page(fill: impl FnOnce(&mut Page)) -> String {
        let mut page = Page::default();
        fill(&mut page);
        page.into_text()
    }

    #[test]
    fn statement_text_becomes_one_harmless_line() {
        let hostile = "  SELECT\n\t1,\r\n '\u{1b}[31mred\u{1b}[0m \u{202e}evil\u{2066}'\0 -- \u{85}x";
        let line = one_line(hostile, 60);
        assert_eq!(line, "SELECT 1, '?[31mred?[0m ?evil?'? -- x");
        assert_eq!(one_line(&"x".repeat(200), 60), format!("{}...", "x".repeat(57)));
        assert_eq!(one_line("", 60), "");
        // Two columns each, and never half of one.
        assert_eq!(one_line(&"\u{6f22}".repeat(50), 20), format!("{}...", "\u{6f22}".repeat(8)));
        // Marks without width are not endless.
        assert!(one_line(&format!("a{}", "\u{301}".repeat(100_000)), 60).chars().count() < 600);
    }

    #[test]
    fn long_sql_breaks_after_commas_and_before_clauses() {
        let columns: Vec<String> = (1..=9).map(|i| format!("column_number_{i} DESC")).collect();
        let sql = format!(
            "CREATE INDEX CONCURRENTLY ON public.orders ({}) INCLUDE (o_comment) WHERE (o_status = 'a b'::text);",
            columns.join(", ")
        );
        let text = page(|page| page.sql(4, &sql));
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines.len() > 2 && lines.iter().all(|line| line.len() <= WIDTH), "{text}");
        assert!(lines[0].ends_with(',') && lines[1].starts_with("        column"), "{text}");
        assert_eq!(text.split_whitespace().collect::<Vec<_>>(), sql.split_whitespace().collect::<Vec<_>>());
    }

    #[test]
    fn sql_never_breaks_within_quotes() {
        let name = format!("\"{} \"\" {}\"", "a ".repeat(20), "b ".repeat(20));
        let text = page(|page| page.sql(4, &format!("CREATE INDEX CONCURRENTLY ON {name} (x);")));
        assert!(text.lines().any(|line| line.contains(&name)), "{text}");
    }

    proptest! {
        #[test]
        fn a_paragraph_keeps_the_width_and_every_visible_character(text in "\\PC{0,400}") {
            let shown = page(|page| page.paragraph("  Why   ", &text));
            prop_assert!(shown.lines().all(|line| columns(line) <= WIDTH), "{shown}");
            let visible = |text: &str| text.chars().filter(|c| !c.is_whitespace()).map(safe).collect::<String>();
            prop_assert_eq!(visible(&shown), format!("Why{}", visible(&text)));
        }

        #[test]
        fn broken_sql_is_the_same_sql(
            words in proptest::collection::vec("[a-z,()]{1,30}|'[a-z ]{0,30}'|\"[A-Z ]{1,30}\"", 1..40),
        ) {
            let sql = words.join(" ");
            let text = page(|page| page.sql(4, &sql));
            let joined = text.lines().map(str::trim_start).collect::<Vec<_>>().join(" ");
            prop_assert_eq!(joined.trim_end(), sql.trim_end());
            for line in text.lines().filter(|line| columns(line) > WIDTH) {
                prop_assert_eq!(sql_pieces(line.trim_start()).len(), 1);
            }
        }
    }
}
