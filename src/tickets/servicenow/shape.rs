//! What ServiceNow's deliveries and answers have in common: ids, numbers, values, moments (`contracts/tickets.md` B3, B4).

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use serde_json::Value;

use super::super::TicketError;
use crate::domain::ticket::Field;

/// Longest first where one begins with another.
const PREFIXES: [&str; 8] = ["RITM", "REQ", "CHG", "INC", "SCTASK", "TASK", "CTASK", "PRB"];

/// Whether this is a `sys_id`: nothing else is ever put into a query or a path.
pub(super) fn is_sys_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// Whether this is a `user_name` that cannot break out of a query.
pub(super) fn is_user_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-@".contains(&byte);
    (1..=100).contains(&text.len()) && text.bytes().all(plain)
}

/// The prefix of a ticket number; `None` for anything that is no number: a known prefix and 7 to 12 digits.
pub(super) fn prefix_of(number: &str) -> Option<&'static str> {
    PREFIXES.into_iter().find(|prefix| {
        let digits = number.strip_prefix(prefix).unwrap_or_default();
        (7..=12).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// The value of a column: a string, or a reference with or without its link.
pub(super) fn scalar(value: &Value) -> Option<&str> {
    value.as_str().or_else(|| value.get("value")?.as_str())
}

/// The value of a column that was asked for. One that is not there is hidden, or there is none of that name.
pub(super) fn column<'a>(row: &'a Value, name: &str) -> Result<&'a str, TicketError> {
    let value = row.get(name).ok_or_else(|| hidden(name))?;
    scalar(value).ok_or_else(|| TicketError::bad(format!("{} is no single text", shown(name, 60))))
}

pub(super) fn hidden(name: &str) -> TicketError {
    TicketError::NotPermitted { detail: format!("{} is not shown to stint", shown(name, 60)) }
}

/// The `sys_id` in a column that was asked for; `None` when the column is empty.
pub(super) fn reference<'a>(row: &'a Value, name: &str) -> Result<Option<&'a str>, TicketError> {
    match column(row, name)? {
        "" => Ok(None),
        id if is_sys_id(id) => Ok(Some(id)),
        _ => Err(TicketError::bad(format!("{name} is no sys_id"))),
    }
}

/// A moment as raw values write it: a civil time that is UTC.
pub(super) fn moment(text: &str) -> Option<Timestamp> {
    let shaped = text.len() == 19
        && text
            .bytes()
            .enumerate()
            .all(|(n, b)| b.is_ascii_digit() || matches!((n, b), (4 | 7, b'-') | (10, b' ') | (13 | 16, b':')));
    let civil = DateTime::strptime("%Y-%m-%d %H:%M:%S", text).ok().filter(|_| shaped)?;
    TimeZone::UTC.to_timestamp(civil).ok()
}

/// The moment in a column that was asked for, which must be there.
pub(super) fn time(row: &Value, name: &str) -> Result<Timestamp, TicketError> {
    moment(column(row, name)?).ok_or_else(|| TicketError::bad(format!("{name} is no time")))
}

/// The end of the second that a moment was cut to: what happened in it may have happened there.
pub(super) fn second_end(at: Timestamp) -> Timestamp {
    at.checked_add(jiff::SignedDuration::from_millis(999)).unwrap_or(at)
}

/// A mapped value. Masked ones come as asterisks.
pub(super) fn field(value: Option<&Value>) -> Field {
    let Some(value) = value else { return Field::Hidden };
    match scalar(value).map(str::trim) {
        None if value.is_null() => Field::Empty,
        None => Field::Unreadable,
        Some("") => Field::Empty,
        Some(text) if text.chars().all(|c| c == '*' || c == '•') => Field::Unreadable,
        Some(text) => Field::Text(text.to_owned()),
    }
}

/// Foreign text, fit to be recorded: on one line, and not longer than so many characters.
pub(super) fn shown(text: &str, longest: usize) -> String {
    text.chars().filter(|c| !c.is_control()).take(longest).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_sys_id_is_32_lower_case_hex_digits() {
        assert!(is_sys_id("5a7e93d0db3f1910a3c5f0e1ca961977"));
        for other in [
            "",
            "5a7e93d0db3f1910a3c5f0e1ca96197",
            "5a7e93d0db3f1910a3c5f0e1ca9619770",
            "5A7E93D0DB3F1910A3C5F0E1CA961977",
            "5a7e93d0db3f1910a3c5f0e1ca96197^",
            "5a7e93d0db3f1910a3c5f0e1ca96197\n",
            "javascript:gs.getUserID()0000000",
        ] {
            assert!(!is_sys_id(other), "{other:?}");
        }
    }

    #[test]
    fn a_column_is_a_string_or_a_reference_with_or_without_its_link() {
        let id = "b72d8f149ea36057c1b43fae702d9c85";
        for value in [json!(id), json!({"value": id}), json!({"link": "https://x.example/y", "value": id})] {
            assert_eq!(reference(&json!({"approver": value}), "approver"), Ok(Some(id)));
        }
        assert_eq!(reference(&json!({"approver": ""}), "approver"), Ok(None));
        for other in [json!(null), json!(4), json!(true), json!([id]), json!({"link": "x"}), json!({"value": 4})] {
            let row = json!({"approver": other});
            let code = reference(&row, "approver").map_err(|error| error.code());
            assert_eq!(code, Err("ticket-bad-answer"), "{other}");
        }
        assert_eq!(column(&json!({}), "approver").map_err(|error| error.code()), Err("ticket-not-permitted"));
    }

    #[test]
    fn raw_moments_are_utc_and_of_one_form() {
        let expected: Timestamp = "2026-11-03T08:31:07Z".parse().expect("a time");
        assert_eq!(moment("2026-11-03 08:31:07"), Some(expected));
        for other in [
            "",
            "2026-11-03",
            "2026-11-03T08:31:07Z",
            "03/11/2026 09:31:07",
            "2026-11-03 08:31",
            "2026-11-03  8:31:07",
            "2026-13-03 08:31:07",
            "2026-11-03 08:31:07 ",
        ] {
            assert_eq!(moment(other), None, "{other:?}");
        }
    }

    #[test]
    fn a_mapped_value_says_what_else_it_is() {
        assert_eq!(field(Some(&json!(" PT4H "))), Field::Text("PT4H".into()));
        assert_eq!(field(Some(&json!({"value": "x"}))), Field::Text("x".into()));
        assert_eq!(field(None), Field::Hidden);
        for empty in [json!(""), json!(" "), json!(null)] {
            assert_eq!(field(Some(&empty)), Field::Empty, "{empty}");
        }
        for other in [json!("********"), json!("••••"), json!(4), json!(["x"]), json!({})] {
            assert_eq!(field(Some(&other)), Field::Unreadable, "{other}");
        }
    }

    proptest! {
        #[test]
        fn a_number_matches_its_published_grammar(text in "(RITM|REQ|CHG|INC|SCTASK|TASK|CTASK|PRB|ritm|X)[0-9]{5,14}|\\PC{0,8}") {
            let grammar = regex::Regex::new(r"\A(RITM|REQ|CHG|INC|SCTASK|TASK|CTASK|PRB)[0-9]{7,12}\z").expect("a pattern");
            prop_assert_eq!(prefix_of(&text).is_some(), grammar.is_match(&text));
        }
    }
}
