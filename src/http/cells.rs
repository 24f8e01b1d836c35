//! Cells of a CSV file: quoted as RFC 4180 has it, and harmless in a spreadsheet.
//!
//! Texts come from tickets and directories, so somebody may have written a formula into one, or characters that make it
//! read otherwise than it is. What a spreadsheet could take for a formula gets a leading apostrophe; control characters and
//! those that turn the direction of text are written as `\u202e`. The NDJSON form holds every text exactly.

use std::fmt::{self, Display, Write as _};

use crate::telemetry;

/// Where cells are put, each after the first of a record with its comma.
pub struct Cells<'a> {
    into: &'a mut Vec<u8>,
    is_first: bool,
}

impl<'a> Cells<'a> {
    /// A new record.
    pub fn new(into: &'a mut Vec<u8>) -> Self {
        Self { into, is_first: true }
    }

    /// A text of somebody else's.
    pub fn text(&mut self, text: Option<&str>) {
        self.comma();
        match text.unwrap_or_default() {
            text if is_plain(text) => self.into.extend_from_slice(text.as_bytes()),
            text => self.harmless(text),
        }
    }

    /// Something that stint itself writes, without commas, quotes or formulas.
    pub fn own(&mut self, value: Option<impl Display>) {
        self.comma();
        if let Some(value) = value {
            // A vector takes whatever is written to it.
            let _ = write!(Text(self.into), "{value}");
        }
    }

    /// Ends the record.
    pub fn end(self) {
        self.into.extend_from_slice(b"\r\n");
    }

    fn comma(&mut self) {
        if !std::mem::take(&mut self.is_first) {
            self.into.push(b',');
        }
    }

    fn harmless(&mut self, text: &str) {
        self.into.push(b'"');
        if begins_a_formula(text) {
            self.into.push(b'\'');
        }
        let mut out = Text(self.into);
        for c in text.chars() {
            let _ = match c {
                '"' => out.write_str("\"\""),
                c if misleads(c) => out.write_str(&telemetry::clean(c.encode_utf8(&mut [0; 4]))),
                c => out.write_char(c),
            };
        }
        self.into.push(b'"');
    }
}

struct Text<'a>(&'a mut Vec<u8>);

impl fmt::Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

/// Whether it may stand as it is: letters, digits and signs of ASCII that mean nothing to CSV, begun by a letter or digit.
fn is_plain(text: &str) -> bool {
    let meant_plainly = |byte: &u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b',');
    let first = text.as_bytes().first();
    first.is_none_or(u8::is_ascii_alphanumeric) && text.as_bytes().iter().all(meant_plainly)
}

/// Whether a spreadsheet might take it for a formula, looking past what such a program may drop: space, quotes,
/// characters that do not show. Full-width signs count, since some programs narrow them.
fn begins_a_formula(text: &str) -> bool {
    let is_dropped =
        |c: char| c.is_whitespace() || misleads(c) || matches!(c, '"' | '\'' | '`' | '\u{2018}'..='\u{201f}');
    let shows = text.trim_start_matches(is_dropped);
    text.starts_with(['\t', '\r', '\n'])
        || shows.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠', '﹢', '﹣', '﹦', '﹫', '−'])
}

/// Whether it is a control character (line ends and tabs aside), or changes the direction of text, or does not show.
fn misleads(c: char) -> bool {
    !matches!(c, '\t' | '\r' | '\n') && telemetry::misleads(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(texts: &[&str]) -> String {
        let mut bytes = Vec::new();
        let mut cells = Cells::new(&mut bytes);
        for text in texts {
            cells.text(Some(text));
        }
        cells.end();
        String::from_utf8(bytes).expect("text")
    }

    fn read_back(text: &str) -> String {
        let line = written(&["x", text]);
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(line.as_bytes());
        let mut records = reader.records();
        let record = records.next().expect("a record").expect("readable");
        assert!(records.next().is_none() && record.len() == 2, "{line:?}");
        record[1].to_owned()
    }

    #[test]
    fn plain_texts_stand_as_they_are() {
        assert_eq!(
            written(&["ITSEC-482", "", "https://x.example/browse/1?a=b", "2026-11-03T08:31:07Z"]),
            "ITSEC-482,,https://x.example/browse/1?a=b,2026-11-03T08:31:07Z\r\n"
        );
    }

    #[test]
    fn commas_quotes_and_lines_stay_within_their_cell() {
        for text in ["a,b", "say \"yes\"", "\"", "two\nlines", "two\r\nlines", "Zoë Müller", "\u{1f600}", " a", "a\tb"]
        {
            assert_eq!(read_back(text), text);
        }
    }

    #[test]
    fn what_a_spreadsheet_could_take_for_a_formula_is_defused() {
        for text in [
            "=1+1",
            "+1",
            "-1",
            "@sum(a1)",
            "\t=1",
            "\r=1",
            "\n=1",
            "\tx",
            "  =1",
            "\u{a0}=1",
            "\"=1",
            "'=1",
            "\" '=1",
            "\u{201c}=1",
            "＝1",
            "＋1",
            "－1",
            "＠x",
            " ＝1",
            "\u{200b}=1",
            "\u{202e}=1",
            "\u{feff}+1",
            "=",
            "−1",
            "\0=1",
            "\u{7f}-2",
            "=HYPERLINK(\"https://x.example\",\"click\")",
        ] {
            assert!(read_back(text).starts_with('\''), "{text:?} becomes {:?}", read_back(text));
        }
        for text in ["a=1", "1+1", "a-b", "mail@contoso.example", "(=1)"] {
            assert_eq!(read_back(text), text);
        }
    }

    #[test]
    fn characters_that_mislead_are_shown() {
        assert_eq!(read_back("a\u{202e}b\u{2066}c\u{7}d\u{0}e"), "a\\u202eb\\u2066c\\u0007d\\u0000e");
        assert_eq!(read_back("\u{85}x"), "\\u0085x");
        // Tags do not show, whatever text they spell.
        assert_eq!(read_back("a\u{e0041}b"), "a\\udb40\\udc41b");
        assert!(read_back("\u{e0041}=1").starts_with('\''), "{:?}", read_back("\u{e0041}=1"));
    }

    #[test]
    fn no_text_leaves_its_cell_or_begins_a_formula() {
        use proptest::prelude::*;

        proptest!(ProptestConfig::with_cases(2000), |(text in "[=+@,'\"\t\r\n \u{202e}a\u{ff1d}-]{0,8}|\\PC{0,8}|.{0,8}")| {
            let cell = read_back(&text);
            prop_assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠']), "{cell:?}");
            prop_assert!(!cell.chars().any(misleads), "{cell:?}");
        });
    }
}
