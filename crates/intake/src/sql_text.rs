//! The text of SQL before it is parsed: how long it may be, and what it may not call.
//!
//! A chain of operators becomes a tree as deep as it is long, which is walked on the stack, so that
//! length is what bounds depth. And of the functions that Polars knows as tables all read a file,
//! whichever is named: an import reads its declared sources and nothing else.

/// A rule is a condition; a shipped one has some dozens of words and signs.
pub(crate) const RULE_TOKENS_MAX: usize = 500;
/// The SQL of an import's target; the longest shipped one has 1,200.
pub(crate) const TARGET_TOKENS_MAX: usize = 5_000;

/// A word or sign of SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token<'a> {
    /// A name, with or without quotes, which are left out; a keyword; a number.
    Word(&'a str),
    /// A text in single quotes.
    Text,
    /// Anything else, character by character.
    Sign(char),
}

/// The words and signs of `sql`, without comments and blanks.
fn tokens(sql: &str) -> impl Iterator<Item = Token<'_>> {
    let mut rest = sql;
    std::iter::from_fn(move || {
        loop {
            rest = rest.trim_start();
            let first = rest.chars().next()?;
            if rest.starts_with("--") {
                rest = rest.split_once('\n').map_or("", |(_, after)| after);
                continue;
            }
            if let Some(comment) = rest.strip_prefix("/*") {
                rest = comment.split_once("*/").map_or("", |(_, after)| after);
                continue;
            }
            let quoted = |rest: &str| rest[1..].find(first).map_or(rest.len(), |at| at + 2);
            let is_of_word = |c: char| c.is_alphanumeric() || c == '_';
            let (length, is_quoted) = match first {
                '\'' | '"' | '`' => (quoted(rest), true),
                c if is_of_word(c) => {
                    (rest.find(|c: char| !is_of_word(c)).unwrap_or(rest.len()), false)
                }
                c => (c.len_utf8(), false),
            };
            let (token, after) = rest.split_at(length);
            rest = after;
            return Some(match first {
                '\'' => Token::Text,
                _ if is_quoted => Token::Word(token.trim_matches(first)),
                c if is_of_word(c) => Token::Word(token),
                c => Token::Sign(c),
            });
        }
    })
}

/// What is wrong with the length of `sql`, as what was expected and what was found.
pub(crate) fn too_long(sql: &str, tokens_max: usize) -> Option<(String, String)> {
    let n = tokens(sql).take(tokens_max + 1).count();
    if n > tokens_max {
        return Some((format!("at most {tokens_max} words and signs"), "more".to_owned()));
    }
    // Of each chain, up to where another expression begins, and of the chains of whole tables.
    let (mut n_operators, mut n_tables) = (0, 0);
    for token in tokens(sql) {
        let is = |words: &[&str]| matches!(token, Token::Word(word) if has(words, word));
        match token {
            Token::Sign(',') => n_operators = 0,
            Token::Sign('(' | ')' | '.' | ';') => {}
            Token::Sign(_) => n_operators += 1,
            _ if is(&OPERATORS) => n_operators += 1,
            _ if is(&OF_TABLES) => (n_operators, n_tables) = (0, n_tables + 1),
            _ if is(&BEGINS) => n_operators = 0,
            Token::Word(_) | Token::Text => {}
        }
        if n_operators > CHAIN_MAX || n_tables > CHAIN_MAX {
            let expected = format!("at most {CHAIN_MAX} operators or tables in a row");
            return Some((expected, "more".to_owned()));
        }
    }
    None
}

/// How long a chain of operators, or of tables, may be.
const CHAIN_MAX: usize = 100;
/// Words that are operators.
const OPERATORS: [&str; 9] = ["AND", "OR", "NOT", "IS", "LIKE", "ILIKE", "RLIKE", "IN", "BETWEEN"];
/// Words that chain tables.
const OF_TABLES: [&str; 4] = ["UNION", "INTERSECT", "EXCEPT", "JOIN"];
/// Words after which another expression begins.
const BEGINS: [&str; 9] = ["SELECT", "FROM", "WHERE", "ON", "BY", "HAVING", "WHEN", "THEN", "ELSE"];

fn has(words: &[&str], word: &str) -> bool {
    words.iter().any(|known| known.eq_ignore_ascii_case(word))
}

/// The first function that reads a file, if `sql` calls one.
pub(crate) fn reads_a_file(sql: &str) -> Option<&str> {
    const PREFIXES: [&str; 2] = ["read_", "scan_"];
    let mut before = None;
    for token in tokens(sql) {
        if let (Some(name), Token::Sign('(')) = (before, token) {
            return Some(name);
        }
        before = match token {
            Token::Word(word) => {
                let lower = word.to_lowercase();
                PREFIXES.iter().any(|prefix| lower.starts_with(prefix)).then_some(word)
            }
            _ => None,
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_that_reads_a_file_is_found_however_it_is_written() {
        for sql in [
            "SELECT * FROM read_csv('/etc/passwd')",
            "SELECT * FROM READ_CSV /* why */ -- not\n ('/etc/passwd')",
            "SELECT * FROM \"read_parquet\"('x')",
            "SELECT * FROM a JOIN `scan_ipc`('x') ON 1 = 1",
        ] {
            assert!(reads_a_file(sql).is_some(), "{sql}");
        }
        for sql in ["SELECT 'read_csv(' FROM a", "SELECT read_at FROM a", "-- read_csv('x')", ""] {
            assert_eq!(reads_a_file(sql), None, "{sql}");
        }
    }

    #[test]
    fn length_is_counted_in_words_and_signs_and_any_text_ends() {
        let chain = vec!["n_units"; 20_000].join(" + ");
        assert!(too_long(&chain, TARGET_TOKENS_MAX).is_some());
        for (word, n, is_long) in [(" + ", 101, false), (" + ", 102, true), (" AND ", 102, true)] {
            let chain = vec!["a"; n].join(word);
            assert_eq!(too_long(&chain, TARGET_TOKENS_MAX).is_some(), is_long, "{n}{word}");
        }
        let columns = vec!["a + 1"; 300].join(", ");
        assert_eq!(too_long(&columns, TARGET_TOKENS_MAX), None);
        let tables = vec!["SELECT a FROM b"; 102].join(" UNION ALL ");
        assert!(too_long(&tables, TARGET_TOKENS_MAX).is_some());
        assert_eq!(too_long("a < b -- and so on", 3), None);
        assert!(too_long("a < b", 2).is_some());
        let mut random = statistics::SplitMix64::new(5);
        let letters: Vec<char> = "a_'\"`-/*\n( é+0".chars().collect();
        for _ in 0..2_000 {
            let letter = |_| letters[random.next_u64() as usize % letters.len()];
            let sql: String = (0..30).map(letter).collect();
            assert!(tokens(&sql).count() <= 30, "{sql}");
            let _ = reads_a_file(&sql);
        }
    }
}
