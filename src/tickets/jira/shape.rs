//! What Jira's deliveries and answers have in common: ids, keys, dates, people, fields.

use jiff::Timestamp;
use serde_json::Value;

use super::Deployment;
use crate::domain::{
    approval::{Account, AccountKind, Outcome},
    id::AccountId,
    ticket::{Field, Window},
};

/// An id as text: digits without a leading zero, at most 19, in a string or as a number (`contracts/tickets.md` A5).
pub(super) fn id(value: Option<&Value>) -> Option<String> {
    let text = match value? {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.as_u64()?.to_string(),
        _ => return None,
    };
    let digits = (1..=19).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    (digits && !text.starts_with('0')).then_some(text)
}

/// Orders ids of digits by their number.
pub(super) fn by_number(id: &str, other: &str) -> std::cmp::Ordering {
    id.len().cmp(&other.len()).then_with(|| id.cmp(other))
}

/// The project part of an issue key; `None` for anything that is no key: `[A-Z][A-Z0-9_]{1,9}-[1-9][0-9]{0,9}`
/// (`contracts/tickets.md` E).
pub(super) fn project_of(key: &str) -> Option<&str> {
    let (project, number) = key.split_once('-')?;
    let is_project = (2..=10).contains(&project.len())
        && project.starts_with(|c: char| c.is_ascii_uppercase())
        && project.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
    let is_number =
        (1..=10).contains(&number.len()) && !number.starts_with('0') && number.bytes().all(|b| b.is_ascii_digit());
    (is_project && is_number).then_some(project)
}

/// Whether a changelog item is about this field. Cloud names its id; where it does not, the name must do, and a custom
/// field that is not told apart from others counts as any of them (`contracts/tickets.md` A3).
pub(super) fn is_about(item: &Value, field: &str) -> bool {
    let text = |name| item.get(name).and_then(Value::as_str);
    if let Some(id) = text("fieldId") {
        return id == field;
    }
    let named = text("field").is_some_and(|name| name.eq_ignore_ascii_case(field));
    named || (text("fieldtype") == Some("custom") && field.starts_with("customfield_"))
}

/// A moment as Jira writes it, cut to microseconds. Its offset has no colon (`contracts/tickets.md` H7).
pub(super) fn moment(text: &str) -> Option<Timestamp> {
    let moment: Timestamp = text.parse().ok()?;
    Timestamp::from_microsecond(moment.as_microsecond()).ok()
}

/// A moment as Service Management writes it, in several forms at once.
pub(super) fn desk_moment(value: &Value) -> Option<Timestamp> {
    if let Some(millis) = value.get("epochMillis").and_then(Value::as_i64) {
        return Timestamp::from_millisecond(millis).ok();
    }
    ["jira", "iso8601"].iter().find_map(|form| moment(value.get(form)?.as_str()?))
}

/// An account; `None` without the immutable id, because nothing else tells people apart.
pub(super) fn account(deployment: Deployment, value: Option<&Value>) -> Option<Account> {
    let value = value?;
    let text = |name| value.get(name).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned);
    Some(Account {
        id: AccountId::new(text(deployment.account_id())?),
        name: text("displayName"),
        email: text("emailAddress"),
        kind: account_kind(value),
        active: active(value),
    })
}

/// The account's time zone; `None` where the site does not tell.
pub(super) fn time_zone(value: Option<&Value>) -> Option<String> {
    value?.get("timeZone")?.as_str().filter(|zone| !zone.is_empty()).map(str::to_owned)
}

fn account_kind(value: &Value) -> AccountKind {
    match value.get("accountType").and_then(Value::as_str) {
        Some("atlassian" | "customer") => AccountKind::Person,
        Some("app") => AccountKind::App,
        _ => AccountKind::Unstated,
    }
}

/// A flag, or the word for it (`contracts/tickets.md` A3).
fn active(value: &Value) -> Option<bool> {
    match value.get("active")? {
        Value::Bool(flag) => Some(*flag),
        Value::String(word) => word.parse().ok(),
        _ => None,
    }
}

/// How an approval or a vote came out. The words are an open set (`contracts/tickets.md` A4).
pub(super) fn outcome(value: Option<&Value>) -> Outcome {
    match value.and_then(Value::as_str) {
        Some("approved" | "approve") => Outcome::Approved,
        Some("declined" | "decline") => Outcome::Declined,
        Some("pending") => Outcome::Pending,
        _ => Outcome::Unknown,
    }
}

/// A mapped field: text, an option, or something with a name.
pub(super) fn field(value: Option<&Value>) -> Field {
    match value {
        None => Field::Hidden,
        Some(Value::Null) => Field::Empty,
        Some(Value::String(text)) => trimmed(text),
        Some(Value::Object(members)) => {
            // A cascading select holds half of its value in the child.
            let single = members.get("child").is_none_or(Value::is_null);
            let text = members.get("value").or_else(|| members.get("name")).and_then(Value::as_str);
            text.filter(|_| single).map_or(Field::Unreadable, trimmed)
        }
        Some(_) => Field::Unreadable,
    }
}

/// A change window from the values of its two fields; `None` for an end that no field holds.
pub(super) fn window(start: Option<Field>, end: Option<Field>) -> Window {
    let mut window = Window::default();
    for (field, at) in [(start, &mut window.start), (end, &mut window.end)] {
        match field {
            None | Some(Field::Empty) => {}
            Some(Field::Text(text)) if moment(&text).is_some() => *at = moment(&text),
            // A date without a time, for one: nobody says in whose time zone its day begins.
            Some(Field::Text(_) | Field::Unreadable) => window.unknown = Some(Field::Unreadable),
            Some(Field::Hidden) => window.unknown = window.unknown.or(Some(Field::Hidden)),
        }
    }
    window
}

fn trimmed(text: &str) -> Field {
    match text.trim() {
        "" => Field::Empty,
        text => Field::Text(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn an_issue_key_is_ascii_upper_case_and_a_number_without_leading_zero() {
        assert_eq!(project_of("ITSEC-482"), Some("ITSEC"));
        assert_eq!(project_of("A1_-1"), Some("A1_"));
        assert_eq!(project_of("ABCDEFGHIJ-1234567890"), Some("ABCDEFGHIJ"));
        for not_a_key in [
            "",
            "-",
            "ITSEC",
            "ITSEC-",
            "-482",
            "itsec-482",
            "ITSEC-0482",
            "ITSEC-0",
            "A-1",
            "ABCDEFGHIJK-1",
            "1TSEC-1",
            "_ITSEC-1",
            "ITSEC-48 2",
            "ITSEC-482\n",
            "ITSEC-12345678901",
            "ITSEC--1",
            "ITSEC-1-1",
            "ІTSEC-482",
            "ITSEC-٤٨",
            "ITSEC-482%2F..",
            "RITM0010588",
        ] {
            assert_eq!(project_of(not_a_key), None, "{not_a_key:?}");
        }
    }

    #[test]
    fn an_id_is_digits_in_a_string_or_a_number() {
        assert_eq!(id(Some(&json!("10482"))), Some("10482".into()));
        assert_eq!(id(Some(&json!(10482))), Some("10482".into()));
        assert_eq!(id(Some(&json!("9999999999999999999"))), Some("9999999999999999999".into()));
        for other in
            [json!("010482"), json!(""), json!(" 1"), json!("1e3"), json!(1.0), json!(-1), json!(null), json!(["1"])]
        {
            assert_eq!(id(Some(&other)), None, "{other}");
        }
        assert_eq!(id(Some(&json!("12345678901234567890"))), None, "twenty digits");
        assert_eq!(id(None), None);
    }

    #[test]
    fn dates_are_read_with_and_without_a_colon_in_the_offset() {
        let expected: Timestamp = "2026-11-03T08:31:08.114Z".parse().expect("a time");
        for text in ["2026-11-03T09:31:08.114+0100", "2026-11-03T09:31:08.114+01:00", "2026-11-03T08:31:08.1140007Z"] {
            assert_eq!(moment(text), Some(expected), "{text}");
        }
        assert_eq!(moment("2026-11-03T09:31:08"), None, "no offset");
        assert_eq!(moment("Today 9:31 AM"), None);
    }

    #[test]
    fn the_epoch_is_preferred_among_the_forms_of_a_service_desk_date() {
        let date = json!({"iso8601": "2026-11-03T09:31:07+0100", "jira": "2026-11-03T09:31:07.902+0100"});
        assert_eq!(desk_moment(&date), moment("2026-11-03T08:31:07.902Z"));
        let date = json!({"iso8601": "2020-01-01T00:00:00+0000", "epochMillis": 1_793_694_667_902_i64});
        assert_eq!(desk_moment(&date), moment("2026-11-03T08:31:07.902Z"));
        assert_eq!(desk_moment(&json!({"friendly": "Today 9:31 AM"})), None);
        assert_eq!(desk_moment(&json!({"epochMillis": i64::MAX})), None);
    }

    #[test]
    fn a_field_is_text_an_option_or_a_name_and_says_what_else_it_is() {
        let text = |text: &str| Field::Text(text.into());
        assert_eq!(field(Some(&json!("  PT4H\n"))), text("PT4H"));
        assert_eq!(field(Some(&json!({"value": "exchange-admin", "id": "10210"}))), text("exchange-admin"));
        assert_eq!(field(Some(&json!({"value": "exchange-admin", "child": null}))), text("exchange-admin"));
        assert_eq!(field(Some(&json!({"name": "exchange-admin"}))), text("exchange-admin"));
        for empty in [json!(null), json!(""), json!(" \t"), json!({"value": " "})] {
            assert_eq!(field(Some(&empty)), Field::Empty, "{empty}");
        }
        for other in [json!(4), json!(true), json!(["a"]), json!({}), json!({"value": 4}), json!({"type": "doc"})] {
            assert_eq!(field(Some(&other)), Field::Unreadable, "{other}");
        }
        assert_eq!(field(Some(&json!({"value": "A", "child": {"value": "B"}}))), Field::Unreadable);
        assert_eq!(field(None), Field::Hidden);
    }

    #[test]
    fn an_account_needs_its_immutable_id_and_says_what_it_is() {
        assert_eq!(account(Deployment::Cloud, None), None);
        assert_eq!(account(Deployment::Cloud, Some(&json!(null))), None);
        assert_eq!(account(Deployment::Cloud, Some(&json!({"displayName": "Omar Haddad", "accountId": ""}))), None);
        let of = |value: Value| account(Deployment::Cloud, Some(&value)).map(|a| (a.kind, a.active));
        assert_eq!(of(json!({"accountId": "a"})), Some((AccountKind::Unstated, None)));
        assert_eq!(
            of(json!({"accountId": "a", "accountType": "app", "active": "true"})),
            Some((AccountKind::App, Some(true)))
        );
        assert_eq!(
            of(json!({"accountId": "a", "accountType": "customer", "active": false})),
            Some((AccountKind::Person, Some(false)))
        );
        assert_eq!(
            of(json!({"accountId": "a", "accountType": "robot", "active": 1})),
            Some((AccountKind::Unstated, None))
        );
    }

    #[test]
    fn an_account_of_data_center_is_known_by_its_key() {
        let of = |value: Value| account(Deployment::DataCenter, Some(&value)).map(|a| a.id.as_str().to_owned());
        assert_eq!(of(json!({"name": "vlindt", "key": "JIRAUSER10311"})), Some("JIRAUSER10311".into()));
        assert_eq!(of(json!({"name": "vlindt"})), None);
        assert_eq!(of(json!({"name": "vlindt", "accountId": "712020:nina-0001"})), None);
        assert_eq!(account(Deployment::Cloud, Some(&json!({"key": "JIRAUSER10311"}))), None);
    }

    #[test]
    fn an_unknown_word_is_no_outcome() {
        let of = |word: &str| outcome(Some(&json!(word)));
        assert_eq!(of("approved"), Outcome::Approved);
        assert_eq!(of("approve"), Outcome::Approved);
        assert_eq!(of("decline"), Outcome::Declined);
        assert_eq!(of("pending"), Outcome::Pending);
        for word in ["APPROVED", "approved ", "skipped", ""] {
            assert_eq!(of(word), Outcome::Unknown, "{word}");
        }
        assert_eq!(outcome(None), Outcome::Unknown);
    }

    #[test]
    fn a_changelog_item_is_told_by_its_id_else_by_its_name() {
        assert!(is_about(&json!({"field": "Status", "fieldId": "status"}), "status"));
        assert!(is_about(&json!({"field": "Status"}), "status"));
        assert!(!is_about(&json!({"field": "status", "fieldId": "customfield_1"}), "status"));
        assert!(is_about(&json!({"field": "Entra role", "fieldtype": "custom"}), "customfield_10051"));
        assert!(!is_about(&json!({"field": "Entra role", "fieldtype": "custom"}), "reporter"));
        assert!(!is_about(&json!("status"), "status"));
    }

    proptest! {
        #[test]
        fn a_key_matches_its_published_grammar(text in "[A-Z0-9_a-z-]{0,14}|[A-Z][A-Z0-9_]{1,9}-[0-9]{1,11}|\\PC{0,8}") {
            let grammar = regex::Regex::new(r"\A[A-Z][A-Z0-9_]{1,9}-[1-9][0-9]{0,9}\z").expect("a pattern");
            prop_assert_eq!(project_of(&text).is_some(), grammar.is_match(&text));
        }
    }
}
