//! The tokens of a statement, each a slice of the text it came from, so that a repair can edit the text in place and
//! leave everything else byte for byte. Knows no grammar.

use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::tokenizer::{Token as Lexed, TokenWithSpan, Tokenizer, Whitespace};

/// What a token is, as far as reading statements needs to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A keyword or an unquoted identifier.
    Word,
    /// A quoted identifier.
    Quoted,
    /// A string, bit string or dollar-quoted literal.
    Literal,
    Number,
    Parameter(u32),
    /// The comment `/*, ... */` that PostgreSQL 18 leaves where it squashed a list.
    Squashed,
    /// Operators and punctuation.
    Symbol,
}

/// One token: `raw` is the text's own slice, from byte `start` to byte `end`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'a> {
    pub kind: Kind,
    pub raw: &'a str,
    pub start: usize,
    pub end: usize,
}

impl Token<'_> {
    /// Whether it is this word or symbol, in any case.
    pub fn is(&self, word: &str) -> bool {
        matches!(self.kind, Kind::Word | Kind::Symbol) && self.raw.eq_ignore_ascii_case(word)
    }

    /// Whether it is one of these words or symbols, in any case.
    pub fn is_any(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.is(word))
    }

    /// The identifier that PostgreSQL would read here: unquoted, or folded to lower case.
    pub fn identifier(&self) -> Option<String> {
        match self.kind {
            Kind::Word => Some(self.raw.to_ascii_lowercase()),
            Kind::Quoted => {
                let inner = self.raw.strip_prefix('"')?.strip_suffix('"')?;
                Some(inner.replace("\"\"", "\""))
            }
            _ => None,
        }
    }

    /// The number n of a token `$n`.
    pub fn parameter(&self) -> Option<u32> {
        match self.kind {
            Kind::Parameter(number) => Some(number),
            _ => None,
        }
    }
}

/// A text with its tokens and its brackets paired.
#[derive(Debug)]
pub(super) struct Tokens<'a> {
    pub text: &'a str,
    pub list: Vec<Token<'a>>,
    /// For every round or square bracket, the index of its partner.
    mates: Vec<Option<usize>>,
    /// Brackets left open at the end.
    pub open: usize,
    /// What the tokenizer stumbled on, if it could not read to the end.
    pub fault: Option<String>,
}

impl<'a> Tokens<'a> {
    /// Reads the tokens of a text; what cannot be read is told in `fault`, and the tokens before it are kept.
    pub fn of(text: &'a str) -> Self {
        let mut lexed = Vec::new();
        let fault = Tokenizer::new(&PostgreSqlDialect {}, text)
            .with_unescape(false)
            .tokenize_with_location_into_buf(&mut lexed)
            .err()
            .map(|error| error.to_string());
        let mut list = Vec::with_capacity(lexed.len());
        let mut offsets = Offsets::new(text);
        for token in &lexed {
            place(text, token, &mut offsets, &mut list);
        }
        let (mates, open) = pair(&list);
        Tokens { text, list, mates, open, fault }
    }

    pub fn get(&self, index: usize) -> Option<&Token<'a>> {
        self.list.get(index)
    }

    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether the token at `index` is this word or symbol.
    pub fn is(&self, index: usize, word: &str) -> bool {
        self.get(index).is_some_and(|token| token.is(word))
    }

    pub fn is_any(&self, index: usize, words: &[&str]) -> bool {
        self.get(index).is_some_and(|token| token.is_any(words))
    }

    /// Whether the tokens from `index` on are these words or symbols.
    pub fn are(&self, index: usize, words: &[&str]) -> bool {
        words.iter().enumerate().all(|(at, word)| self.is(index + at, word))
    }

    pub fn parameter(&self, index: usize) -> Option<u32> {
        self.get(index).and_then(Token::parameter)
    }

    pub fn identifier(&self, index: usize) -> Option<String> {
        self.get(index).and_then(Token::identifier)
    }

    /// The bracket that closes, or opens, the one at `index`.
    pub fn mate(&self, index: usize) -> Option<usize> {
        self.mates.get(index).copied().flatten()
    }

    /// The index after the token at `index` or, if that opens a bracket, after the whole bracket.
    pub fn step(&self, index: usize) -> usize {
        match self.mate(index) {
            Some(mate) if mate > index => mate + 1,
            _ => index + 1,
        }
    }

    /// The text of the tokens `from..to`, with what stands between them.
    pub fn slice(&self, from: usize, to: usize) -> &'a str {
        match (self.get(from), to.checked_sub(1).and_then(|last| self.get(last))) {
            (Some(first), Some(last)) if from < to => self.text.get(first.start..last.end).unwrap_or(""),
            _ => "",
        }
    }

    /// The ranges of tokens between the commas of `from..to`, brackets kept whole.
    pub fn split(&self, from: usize, to: usize) -> Vec<(usize, usize)> {
        let mut parts = Vec::new();
        let (mut start, mut at) = (from, from);
        while at < to {
            if self.is(at, ",") {
                parts.push((start, at));
                start = at + 1;
            }
            at = self.step(at);
        }
        parts.push((start, to));
        parts
    }

    /// The parameter numbers in use, the highest; 0 when there is none.
    pub fn highest_parameter(&self) -> u32 {
        self.list.iter().filter_map(Token::parameter).max().unwrap_or(0)
    }
}

/// Turns sqlparser's line and column, both counted in characters from 1, into byte offsets, in one pass.
struct Offsets<'a> {
    rest: std::str::CharIndices<'a>,
    at: usize,
    line: u64,
    column: u64,
}

impl<'a> Offsets<'a> {
    fn new(text: &'a str) -> Self {
        Offsets { rest: text.char_indices(), at: 0, line: 1, column: 1 }
    }

    /// Byte offset of a place at or after the last one asked for.
    fn find(&mut self, line: u64, column: u64) -> usize {
        while (self.line, self.column) < (line, column) {
            let Some((_, character)) = self.rest.next() else { break };
            self.at = self.rest.offset();
            if character == '\n' {
                self.line += 1;
                self.column = 1;
            } else {
                self.column += 1;
            }
        }
        self.at
    }
}

fn place<'a>(text: &'a str, token: &TokenWithSpan, offsets: &mut Offsets, list: &mut Vec<Token<'a>>) {
    let start = offsets.find(token.span.start.line, token.span.start.column);
    let end = offsets.find(token.span.end.line, token.span.end.column);
    let raw = text.get(start..end).unwrap_or("");
    let kind = match &token.token {
        Lexed::EOF => return,
        // pgss writes exactly this; see generate_normalized_query in PostgreSQL 18's pg_stat_statements.c.
        Lexed::Whitespace(Whitespace::MultiLineComment(comment)) if comment == ", ... " => Kind::Squashed,
        Lexed::Whitespace(_) => return,
        Lexed::Word(word) if word.quote_style.is_some() => Kind::Quoted,
        Lexed::Word(_) if raw.contains('$') => return split_glued(raw, start, list),
        Lexed::Word(_) => Kind::Word,
        Lexed::Placeholder(_) => return split_glued(raw, start, list),
        Lexed::Number(..) => Kind::Number,
        Lexed::SingleQuotedString(_)
        | Lexed::DollarQuotedString(_)
        | Lexed::SingleQuotedByteStringLiteral(_)
        | Lexed::DoubleQuotedByteStringLiteral(_)
        | Lexed::NationalStringLiteral(_)
        | Lexed::EscapedStringLiteral(_)
        | Lexed::UnicodeStringLiteral(_)
        | Lexed::HexStringLiteral(_) => Kind::Literal,
        _ => Kind::Symbol,
    };
    list.push(Token { kind, raw, start, end });
}

/// Words that a normalised constant may have been glued to: `date'2026-01-01'` is stored as `date$1`, which reads as
/// one identifier, and `'x'and` as `$1and`.
const GLUED: [&str; 48] = [
    "all",
    "and",
    "any",
    "between",
    "bit",
    "bool",
    "bytea",
    "by",
    "box",
    "case",
    "char",
    "cidr",
    "date",
    "distinct",
    "else",
    "escape",
    "float4",
    "float8",
    "from",
    "having",
    "ilike",
    "in",
    "inet",
    "int",
    "interval",
    "is",
    "json",
    "jsonb",
    "jsonpath",
    "like",
    "limit",
    "not",
    "numeric",
    "offset",
    "on",
    "or",
    "point",
    "regclass",
    "select",
    "set",
    "text",
    "then",
    "time",
    "timestamp",
    "timestamptz",
    "to",
    "uuid",
    "when",
];

/// Splits `like$1and$2` into words and parameters; a word that merely contains a dollar sign stays whole.
fn split_glued<'a>(raw: &'a str, start: usize, list: &mut Vec<Token<'a>>) {
    let mut pieces = Vec::new();
    let mut rest = 0;
    while let Some(tail) = raw.get(rest..).filter(|tail| !tail.is_empty()) {
        let (length, kind) = match tail.strip_prefix('$') {
            Some(after) => {
                let digits = after.bytes().take_while(u8::is_ascii_digit).count();
                match after.get(..digits).and_then(|number| number.parse().ok()) {
                    Some(number) if number > 0 => (digits + 1, Kind::Parameter(number)),
                    _ => (tail.len(), Kind::Symbol),
                }
            }
            None => {
                let length = tail.find('$').unwrap_or(tail.len());
                (length, Kind::Word)
            }
        };
        let piece = tail.get(..length).unwrap_or(tail);
        let known = GLUED.iter().any(|word| piece.eq_ignore_ascii_case(word));
        if kind == Kind::Symbol || (kind == Kind::Word && rest + length < raw.len() && !known) {
            let kind = if raw.starts_with('$') { Kind::Symbol } else { Kind::Word };
            list.push(Token { kind, raw, start, end: start + raw.len() });
            return;
        }
        pieces.push(Token { kind, raw: piece, start: start + rest, end: start + rest + length });
        rest += length;
    }
    list.extend(pieces);
}

fn pair(list: &[Token]) -> (Vec<Option<usize>>, usize) {
    let mut mates = vec![None; list.len()];
    let mut open: Vec<usize> = Vec::new();
    for (index, token) in list.iter().enumerate() {
        if token.kind != Kind::Symbol {
            continue;
        }
        let opener = match token.raw {
            "(" | "[" => {
                open.push(index);
                continue;
            }
            ")" => "(",
            "]" => "[",
            _ => continue,
        };
        if open.last().is_some_and(|&last| list[last].raw == opener)
            && let Some(last) = open.pop()
        {
            mates[last] = Some(index);
            mates[index] = Some(last);
        }
    }
    (mates, open.len())
}
