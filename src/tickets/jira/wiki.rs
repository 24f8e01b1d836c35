//! Wiki text, which is what comments of Data Center are made of (`contracts/tickets.md` A6).

/// Begins or ends a link, a macro, an image, a table, a smiley or an emphasis; a backslash takes that from it.
const MARKUP: &str = "!(){}[]*_+-^~?|";

/// Wiki text that is shown as this text, whatever stands in it: a field of a ticket may hold markup.
pub(super) fn literal(text: &str) -> String {
    let mut wiki = String::with_capacity(text.len());
    let mut before = None;
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match c {
            // A backslash before another one would be a line break; a number sign cannot be escaped.
            '\\' => wiki.push_str("&#92;"),
            '#' => wiki.push_str("&#35;"),
            '&' => wiki.push_str("&#38;"),
            '-' | '_' if in_a_word(before) && in_a_word(rest.clone().next()) => wiki.push(c),
            c if MARKUP.contains(c) => wiki.extend(['\\', c]),
            c => wiki.push(c),
        }
        before = Some(c);
    }
    wiki
}

/// Within a word these two are letters like others, which leaves dates and ids readable.
fn in_a_word(c: Option<char>) -> bool {
    c.is_some_and(|c| c.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn markup_of_every_kind_is_shown_as_it_is_written() {
        for (text, wiki) in [
            ("Granted until 2026-11-03T12:31:20Z.", "Granted until 2026-11-03T12:31:20Z."),
            ("[pay|https://evil.example]", r"\[pay\|https://evil.example\]"),
            ("!https://evil.example/x.png!", r"\!https://evil.example/x.png\!"),
            ("{code}x{code}", r"\{code\}x\{code\}"),
            ("[~admin] *bold* _slant_ -gone-", r"\[\~admin\] \*bold\* \_slant\_ \-gone\-"),
            ("snake_case and -1", r"snake_case and \-1"),
            (r"\{code}", r"&#92;\{code\}"),
            ("# one && &lt;b>", "&#35; one &#38;&#38; &#38;lt;b>"),
            ("||head||", r"\|\|head\|\|"),
        ] {
            assert_eq!(literal(text), wiki);
        }
    }

    /// What a reader of the rendered comment sees.
    fn shown(wiki: &str) -> String {
        let entities = [("&#92;", "\u{1}"), ("&#35;", "#"), ("&#38;", "&")];
        let plain = MARKUP.chars().fold(wiki.to_owned(), |text, c| text.replace(&format!("\\{c}"), &c.to_string()));
        entities.iter().fold(plain, |text, (entity, c)| text.replace(entity, c)).replace('\u{1}', "\\")
    }

    proptest! {
        #[test]
        fn nothing_but_words_and_spaces_stays_unescaped(text in r"[a-z0-9 \\#&!(){}\[\]*_+^~?|-]{0,40}") {
            let wiki = literal(&text);
            prop_assert_eq!(shown(&wiki), text);
            let mut before = ' ';
            for c in wiki.chars() {
                prop_assert!(before == '\\' || !"!(){}[]*+^~?|".contains(c), "{wiki}");
                prop_assert!(!(before == '\\' && c == '\\'), "{wiki}");
                before = c;
            }
        }
    }
}
