//! `Source`: a Rust file with its code, its comments and its strings told apart, line by line.
//!
//! A lexer of just enough of Rust for rules about text; it never fails, and knows no grammar.

/// One file. The three views have the same lines; what belongs to another view is blank in each.
pub struct Source {
    /// Relative to the repository, with forward slashes.
    pub path: String,
    pub code: Vec<String>,
    pub comments: Vec<String>,
    pub strings: Vec<String>,
}

#[derive(Clone, Copy, PartialEq)]
enum View {
    Code,
    Comment,
    Text,
}

impl Source {
    /// Tells the views of `text` apart.
    pub fn read(path: &str, text: &str) -> Source {
        let chars: Vec<char> = text.chars().collect();
        let views = views(&chars);
        let lines = |wanted: View| -> Vec<String> {
            let shown = chars.iter().zip(&views).map(|(c, view)| match *c {
                '\n' => '\n',
                c if *view == wanted => c,
                _ => ' ',
            });
            shown.collect::<String>().lines().map(|line| line.trim_end().to_string()).collect()
        };
        Source {
            path: path.to_string(),
            code: lines(View::Code),
            comments: lines(View::Comment),
            strings: lines(View::Text),
        }
    }

    /// The words of the code (identifiers and keywords) with their line, counted from 1.
    pub fn words(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code.iter().enumerate().flat_map(|(i, line)| words(line).map(move |word| (i + 1, word)))
    }

    /// The line, counted from 1, where the block ends whose `{` is the first at or after `line` and `column`.
    pub fn block_end(&self, line: usize, column: usize) -> usize {
        let mut depth = 0;
        for (i, text) in self.code.iter().enumerate().skip(line - 1) {
            let skip = if i == line - 1 { column } else { 0 };
            for c in text.chars().skip(skip) {
                depth += i32::from(c == '{') - i32::from(c == '}');
                if matches!(c, '}' | ';') && depth == 0 {
                    return i + 1;
                }
            }
        }
        self.code.len()
    }
}

/// The identifiers of a piece of code.
pub fn words(code: &str) -> impl Iterator<Item = &str> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    code.split(move |c| !is_word(c)).filter(|word| word.starts_with(|c: char| c.is_alphabetic() || c == '_'))
}

fn views(chars: &[char]) -> Vec<View> {
    let mut views = vec![View::Code; chars.len()];
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let mut i = 0;
    while i < chars.len() {
        let (view, end) = match at(i) {
            '/' if at(i + 1) == '/' => (View::Comment, until(chars, i, |j| at(j) == '\n')),
            '/' if at(i + 1) == '*' => (View::Comment, block_comment_end(chars, i)),
            '"' => (View::Text, string_end(chars, i)),
            'r' if !follows_word(chars, i) && raw_hashes(chars, i).is_some() => {
                (View::Text, raw_string_end(chars, i, raw_hashes(chars, i).unwrap_or(0)))
            }
            // A lifetime has no closing quote.
            '\'' if at(i + 1) == '\\' => (View::Text, until(chars, i + 3, |j| at(j) == '\'') + 1),
            '\'' if at(i + 2) == '\'' => (View::Text, i + 3),
            _ => (View::Code, i + 1),
        };
        let end = end.min(chars.len());
        views[i..end].fill(view);
        i = end;
    }
    views
}

fn until(chars: &[char], from: usize, stop: impl Fn(usize) -> bool) -> usize {
    (from..chars.len()).find(|j| stop(*j)).unwrap_or(chars.len())
}

fn block_comment_end(chars: &[char], from: usize) -> usize {
    let mut depth = 0;
    let mut i = from;
    while i < chars.len() {
        match (chars[i], chars.get(i + 1)) {
            ('/', Some('*')) => (depth, i) = (depth + 1, i + 2),
            ('*', Some('/')) => (depth, i) = (depth - 1, i + 2),
            _ => i += 1,
        }
        if depth == 0 {
            return i;
        }
    }
    i
}

fn string_end(chars: &[char], from: usize) -> usize {
    let mut i = from + 1;
    while i < chars.len() && chars[i] != '"' {
        i += if chars[i] == '\\' { 2 } else { 1 };
    }
    i + 1
}

/// The number of `#` of a raw string that begins with the `r` at `i` (`br` and `cr` end in it, too).
fn raw_hashes(chars: &[char], i: usize) -> Option<usize> {
    let end = until(chars, i + 1, |j| chars[j] != '#');
    (chars.get(end) == Some(&'"')).then(|| end - i - 1)
}

fn raw_string_end(chars: &[char], from: usize, hashes: usize) -> usize {
    let closes = |j: usize| {
        chars[j] == '"' && chars[j + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes
    };
    until(chars, from + hashes + 2, closes) + hashes + 1
}

/// Whether the character before `i` belongs to a word, other than the prefix of `br"..."` or `cr"..."`.
fn follows_word(chars: &[char], i: usize) -> bool {
    let word = |j: usize| chars[j].is_alphanumeric() || chars[j] == '_';
    match i {
        0 => false,
        1 => word(0) && !matches!(chars[0], 'b' | 'c'),
        _ => word(i - 1) && (!matches!(chars[i - 1], 'b' | 'c') || word(i - 2)),
    }
}
