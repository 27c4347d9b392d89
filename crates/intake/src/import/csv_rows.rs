//! The rows of a CSV text: where each ends, and how many fields it has.
//!
//! Polars reads the values. What it does not say is found here before: rows with too few fields, which
//! it fills up with nulls; a quotation mark that is never closed, which takes all later rows with it;
//! line ends of carriage returns alone, by which it reads one row of many columns. Fields are found as
//! RFC 4180 says: a separator or a line end between quotation marks is part of its field.

/// One row of a text.
struct Row {
    /// Where it begins and ends, without its line end.
    start: usize,
    end: usize,
    n_fields: usize,
    /// The line on which it begins, from 1.
    line: u64,
    /// Whether a carriage return alone ends it.
    ends_with_cr: bool,
    /// Whether the text ends within quotation marks of it.
    is_open: bool,
}

impl Row {
    fn is_blank(&self) -> bool {
        self.start == self.end
    }
}

/// The rows of a text, blank lines included. A line ends with `\n`, `\r\n` or `\r`.
struct Rows<'a> {
    text: &'a [u8],
    separator: u8,
    at: usize,
    line: u64,
}

impl<'a> Rows<'a> {
    fn new(text: &'a [u8], separator: u8) -> Self {
        Self { text, separator, at: 0, line: 1 }
    }
}

impl Iterator for Rows<'_> {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        let start = self.at;
        if start >= self.text.len() {
            return None;
        }
        let row = Row { start, end: start, n_fields: 1, line: self.line, ..Row::EMPTY };
        let (mut n_fields, mut begins_field) = (1, true);
        let (mut is_quoted, mut is_inside) = (false, false);
        while let Some(&byte) = self.text.get(self.at) {
            if begins_field {
                (is_quoted, begins_field) = (byte == b'"', false);
            }
            let at = self.at;
            self.at += 1;
            let is_crlf = byte == b'\r' && self.text.get(self.at) == Some(&b'\n');
            match byte {
                b'"' if is_quoted => is_inside = !is_inside,
                b'\n' | b'\r' if is_inside => self.line += u64::from(!is_crlf),
                b'\n' | b'\r' => {
                    self.at += usize::from(is_crlf);
                    self.line += 1;
                    let ends_with_cr = byte == b'\r' && !is_crlf;
                    return Some(Row { end: at, n_fields, ends_with_cr, ..row });
                }
                _ if byte == self.separator && !is_inside => {
                    n_fields += 1;
                    begins_field = true;
                }
                _ => {}
            }
        }
        Some(Row { end: self.at, n_fields, is_open: is_inside, ..row })
    }
}

impl Row {
    const EMPTY: Self =
        Self { start: 0, end: 0, n_fields: 0, line: 0, ends_with_cr: false, is_open: false };
}

/// Why a text is no table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A row has more fields than the header, or fewer.
    Fields { row: u64, line: u64, expected: usize, found: usize },
    /// A quotation mark is never closed.
    OpenQuote { row: u64, line: u64 },
}

/// The text with line feeds as line ends and without blank lines, which in a table of one column are
/// values and stay. With `null_padding` rows may have fewer fields than the header.
///
/// # Errors
/// If it is no table. Rows are counted from 1, without the header, which is 0, and lines from 1.
pub(crate) fn checked(text: Vec<u8>, separator: u8, null_padding: bool) -> Result<Vec<u8>, Fault> {
    let mut header = None;
    let (mut rows, mut is_as_it_should_be) = (0, true);
    for row in Rows::new(&text, separator) {
        let expected = *header.get_or_insert(row.n_fields);
        if row.is_blank() && (rows == 0 || expected > 1) {
            is_as_it_should_be = false;
            if rows == 0 {
                header = None;
            }
            continue;
        }
        let (number, line) = (rows, row.line);
        rows += 1;
        is_as_it_should_be &= !row.ends_with_cr;
        if row.is_open {
            return Err(Fault::OpenQuote { row: number, line });
        }
        let found = row.n_fields;
        if found > expected || (found < expected && !null_padding) {
            return Err(Fault::Fields { row: number, line, expected, found });
        }
    }
    if is_as_it_should_be {
        return Ok(text);
    }
    let is_one_column = header == Some(1);
    let mut written = Vec::with_capacity(text.len());
    for row in Rows::new(&text, separator) {
        if !row.is_blank() || (is_one_column && !written.is_empty()) {
            written.extend_from_slice(&text[row.start..row.end]);
            written.push(b'\n');
        }
    }
    Ok(written)
}

/// A place in a text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Position {
    /// The row, from 1, without the header, which is 0.
    pub(crate) row: u64,
    /// The line, from 1.
    pub(crate) line: u64,
    /// The column: its name in the header, or its number from 1.
    pub(crate) column: String,
    /// What of its value is before the place.
    pub(crate) value: String,
}

/// The place at which `text` ends.
pub(crate) fn position_of_end(text: &str, separator: u8) -> Position {
    let bytes = text.as_bytes();
    let ends_row = matches!(bytes.last(), None | Some(b'\n' | b'\r'));
    let mut header = None;
    let mut last = None;
    let mut rows = 0;
    for row in Rows::new(bytes, separator).filter(|row| !row.is_blank()) {
        rows += 1;
        header.get_or_insert((row.start, row.end));
        last = Some(row);
    }
    let last = last.filter(|row| row.is_open || !ends_row);
    let line = 1 + (0..bytes.len()).filter(|&at| ends_line(bytes, at)).count() as u64;
    let Some(last) = last else {
        let column = name_of(text, header, separator, 0);
        return Position { row: rows, line, column, value: String::new() };
    };
    // A header that is not whole names none of its columns.
    let header = header.filter(|_| rows > 1);
    let fields = fields(&text[last.start..last.end], separator);
    let value = fields.last().map_or("", |field| field).to_owned();
    let column = name_of(text, header, separator, last.n_fields - 1);
    Position { row: rows - 1, line, column, value }
}

/// Whether a line ends with this byte.
fn ends_line(text: &[u8], at: usize) -> bool {
    text[at] == b'\n' || (text[at] == b'\r' && text.get(at + 1) != Some(&b'\n'))
}

/// The name of a column, or its number where there is none.
fn name_of(text: &str, header: Option<(usize, usize)>, separator: u8, position: usize) -> String {
    let names = header.map(|(start, end)| fields(&text[start..end], separator));
    let name = names.and_then(|names| names.get(position).map(|name| format!("{name:?}")));
    name.unwrap_or_else(|| format!("{}", position + 1))
}

/// The fields of a row without the quotation marks around them.
fn fields(row: &str, separator: u8) -> Vec<&str> {
    let mut fields = Vec::new();
    let (mut start, mut is_inside) = (0, false);
    for (at, byte) in row.bytes().enumerate() {
        if byte == b'"' && (is_inside || at == start) {
            is_inside = !is_inside;
        } else if byte == separator && !is_inside {
            fields.push(&row[start..at]);
            start = at + 1;
        }
    }
    fields.push(&row[start..]);
    fields.into_iter().map(|field| field.trim_matches('"')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn reads(text: &str, expected: &str) {
        let read = checked(text.as_bytes().to_vec(), b',', false).unwrap();
        assert_eq!(String::from_utf8(read).unwrap(), expected, "{text:?}");
    }

    #[track_caller]
    fn refuses(text: &str, fault: Fault) {
        assert_eq!(checked(text.as_bytes().to_vec(), b',', false), Err(fault), "{text:?}");
    }

    #[test]
    fn a_line_ends_with_a_line_feed_a_carriage_return_or_both() {
        reads("a,b\n1,2\n", "a,b\n1,2\n");
        reads("a,b\r\n1,2\r\n", "a,b\r\n1,2\r\n");
        reads("a,b\r1,2\r3,4", "a,b\n1,2\n3,4\n");
        reads("a,b\r\r\n1,2\r\r\n", "a,b\n1,2\n");
        // Within quotation marks they are part of the value.
        reads("a,b\r\"1\r1\",2\r", "a,b\n\"1\r1\",2\n");
        reads("a,b\n\"1\r\n,1\",2\n", "a,b\n\"1\r\n,1\",2\n");
    }

    #[test]
    fn blank_lines_are_no_rows_but_values_of_a_single_column() {
        reads("\n\na,b\n\n1,2\n\n", "a,b\n1,2\n");
        reads("a\n1\n\n3\n", "a\n1\n\n3\n");
        reads("\ra\r1\r\r3\r", "a\n1\n\n3\n");
        reads("", "");
    }

    #[test]
    fn a_row_has_as_many_fields_as_the_header() {
        refuses("a,b\n1,2\n3\n", Fault::Fields { row: 2, line: 3, expected: 2, found: 1 });
        refuses("a,b\n\n1,2,3\n", Fault::Fields { row: 1, line: 3, expected: 2, found: 3 });
        refuses(
            "a,b\n\"1\n1\",2\n4,\"5\",\"\n\"",
            Fault::Fields { row: 2, line: 4, expected: 2, found: 3 },
        );
        reads("a,b\n\"x\"\"y,z\",5\" wide\n", "a,b\n\"x\"\"y,z\",5\" wide\n");
        let padded = checked(b"a,b\n1\n".to_vec(), b',', true).unwrap();
        assert_eq!(padded, b"a,b\n1\n");
        let longer = checked(b"a,b\n1,2,3\n".to_vec(), b',', true);
        assert_eq!(longer, Err(Fault::Fields { row: 1, line: 2, expected: 2, found: 3 }));
    }

    #[test]
    fn a_quotation_mark_that_is_never_closed_is_found_where_it_is() {
        refuses("a,b\n1,2\n3,\"x\n5,6\n7,8\n", Fault::OpenQuote { row: 2, line: 3 });
    }

    #[test]
    fn the_end_of_a_text_is_in_a_row_and_a_column() {
        let position = |text: &str| {
            let Position { row, line, column, value } = position_of_end(text, b',');
            format!("{row} {line} {column} {value}")
        };
        assert_eq!(position("a,b\n1,2\n3,M"), "2 3 \"b\" M");
        assert_eq!(position("a,b\r\n\r\n1,"), "1 3 \"b\" ");
        assert_eq!(position("a,b\r1,2\r"), "2 3 \"a\" ");
        assert_eq!(position("a,\"b c\"\n\"1\n1\",\"M"), "1 3 \"b c\" M");
        assert_eq!(position("a,gr"), "0 1 2 gr");
        assert_eq!(position(""), "0 1 1 ");
    }
}
