use serde_json::{Value, json};

use super::{
    Report, Verdict,
    books::{Books, REQUEST},
    verify,
};

/// Something done to a document.
type Change = fn(&mut Value);

pub(super) fn says(report: &Report, verdict: Verdict, part: &str) -> bool {
    report.lines.iter().any(|line| line.verdict == verdict && line.text.contains(part))
}

pub(super) fn holds(report: &Report) {
    assert!(report.holds(), "{report}");
}

pub(super) fn fails(report: &Report, part: &str) {
    assert!(!report.holds() && says(report, Verdict::Failed, part), "{part:?} is not said: {report}");
}

/// The lines of the log, changed, closed and signed anew, as by stint serving a changed database.
fn served(books: &Books, change: impl FnOnce(&mut Vec<Value>)) -> String {
    let mut lines: Vec<_> = books.events.iter().map(|event| json!(event)).collect();
    change(&mut lines);
    books.closed("audit-events", &lines)
}

#[test]
fn everything_that_stint_gives_out_holds_together() {
    let books = Books::of_a_life(290);
    let rows = books.closed("requests", &[row(&books)]);
    let (pack, consistency) = (books.pack().to_string(), books.consistency(5, 300).to_string());
    let proofs = format!("{}\n{}\n", books.inclusion(0, 300), books.inclusion(299, 300));
    let report = books.verify(&[books.log(), books.head(5), books.head(300), pack, rows, consistency, proofs]);
    holds(&report);
    for said in [
        "300 events, leaf after leaf",
        "the first 5 events are those of the checkpoint",
        "the first 300 events are those",
        "its closing line is signed",
        "1 rows show what the log says",
        "7 moves without gap, from received to ended",
        "the log of 300 events continues that of 5",
        "leaf 299 is in the tree",
        "every event that the log has of this request is in the pack",
    ] {
        assert!(says(&report, Verdict::Verified, said), "{said:?} is not said: {report}");
    }
}

#[test]
fn nothing_is_verified_without_a_key() {
    let books = Books::of_a_life(3);
    let report = verify(&books.write(&[books.log(), books.head(13), books.pack().to_string()]), &[]).unwrap();
    fails(&report, "no key was given");
    assert!(!says(&report, Verdict::Verified, "signed"), "{report}");
}

#[test]
fn another_key_is_no_proof() {
    let (books, other) = (Books::of_a_life(3), Books::open());
    let text = crate::domain::proof::SigningKey::text_of("stint.example", &[2; 32]).unwrap();
    let stranger = crate::domain::proof::SigningKey::parse(&text).unwrap();
    let keys = [stranger.verifier_key().clone()];
    let report = verify(&other.write(&[books.log(), books.head(13), books.pack().to_string()]), &keys).unwrap();
    fails(&report, "its checkpoint: ");
    fails(&report, "its closing line: ");
}

#[test]
fn a_log_without_a_checkpoint_proves_nothing() {
    let books = Books::of_a_life(3);
    fails(&books.verify(&[books.log()]), "no checkpoint was given");
}

#[test]
fn the_end_of_a_log_beyond_every_checkpoint_is_named() {
    let books = Books::of_a_life(3);
    let report = books.verify(&[books.log(), books.head(11)]);
    holds(&report);
    assert!(says(&report, Verdict::NotChecked, "the events from leaf 11 on"), "{report}");
}

#[test]
fn a_changed_record_is_found_and_named_where_its_leaf_was_shown() {
    let books = Books::of_a_life(3);
    let log = served(&books, |lines| lines[6]["actor"] = json!("connection:desk"));
    fails(&books.verify(&[log.clone(), books.head(13)]), "an event from leaf 0 to 12 was changed");
    let report = books.verify(&[log, books.head(4), books.head(13), books.inclusion(6, 13).to_string()]);
    fails(&report, "an event from leaf 4 to 12 was changed");
    let first = report.first_failure().unwrap();
    assert_eq!(first.event.map(|event| (event.leaf_index, event.id)), Some((Some(6), 106)));
}

#[test]
fn changed_facts_are_found_and_named() {
    let books = Books::of_a_life(3);
    let log = served(&books, |lines| lines[2]["detail"]["approvers"][0]["name"] = json!("Nina"));
    let report = books.verify(&[log, books.head(13)]);
    fails(&report, "its facts are not those that were recorded");
    assert_eq!(report.first_failure().unwrap().event.unwrap().id, 102);
}

#[test]
fn a_gap_a_repeat_and_another_order_are_found() {
    let books = Books::of_a_life(3);
    let changes: [fn(&mut Vec<Value>); 4] = [
        |lines| drop(lines.remove(4)),
        |lines| lines.insert(4, lines[3].clone()),
        |lines| lines.swap(4, 5),
        |lines| lines[4]["leaf_index"] = json!(9),
    ];
    for change in changes {
        let report = books.verify(&[served(&books, change), books.head(13)]);
        fails(&report, "leaf 4 should stand here");
    }
    let renumbered = served(&books, |lines| {
        lines.swap(4, 5);
        (lines[4]["leaf_index"], lines[5]["leaf_index"]) = (json!(4), json!(5));
    });
    fails(&books.verify(&[renumbered, books.head(13)]), "was changed, put in, taken out or moved");
}

#[test]
fn a_cut_tail_is_found_by_an_earlier_checkpoint() {
    let books = Books::of_a_life(3);
    fails(&books.verify(&[served(&books, |lines| lines.truncate(9)), books.head(12)]), "its tail is cut");
}

#[test]
fn a_log_with_anything_that_is_no_event_is_refused() {
    let books = Books::of_a_life(3);
    let more = served(&books, |lines| lines[3]["verdict"] = json!("genuine"));
    fails(&books.verify(&[more, books.head(13)]), "has a member that nothing proves: verdict");
    let doubled = books.log().replacen("\"actor\"", "\"actor\":\"nobody\",\"actor\"", 1);
    fails(&books.verify(&[doubled, books.head(13)]), "the key \"actor\" twice");
}

#[test]
fn facts_may_be_missing_only_where_the_log_says_so() {
    let mut books = Books::of_a_life(3);
    books.events[4].detail = None;
    let report = books.verify(&[books.log(), books.head(13)]);
    fails(&report, "its facts are gone");
    assert_eq!(report.first_failure().unwrap().event.unwrap().leaf_index, Some(4));
    books.happens(None, ("details-dropped", None, None, json!({ "before": "2026-11-03T08:30:05Z" })));
    let report = books.verify(&[books.log(), books.head(14)]);
    holds(&report);
    assert!(says(&report, Verdict::NotChecked, "the facts of 1 events"), "{report}");
    books.events[5].detail = None;
    let report = books.verify(&[books.log(), books.head(14)]);
    assert_eq!(report.first_failure().unwrap().event.unwrap().leaf_index, Some(5));
}

#[test]
fn an_export_that_is_not_whole_is_told_from_one_that_is() {
    let books = Books::of_a_life(3);
    let log = books.log();
    let (lines, closing) = log.trim_end().rsplit_once('\n').unwrap();
    let cases = [
        (format!("{lines}\n"), "no closing line"),
        (format!("{log}{}", log.lines().next().unwrap()), "something stands after the closing line"),
        (log.replace("\"count\":13", "\"count\":12"), "its closing line says 12"),
        (log.replace("\"count\":13", "\"count\":12"), "something else than what was signed"),
        (format!("{}\n{closing}\n", lines.rsplit_once('\n').unwrap().0), "its digest is another"),
        (format!("{lines}\n{{\"more\":1,{}\n", &closing[1..]), "the closing line has members that nothing proves"),
        (
            format!("{lines}\n{}\n", closing.replace("\"at\":\"2026-11-03T10", "\"at\":\"2026-11-03T11")),
            "something else than what was signed",
        ),
    ];
    for (text, said) in cases {
        fails(&books.verify(&[text, books.head(11)]), said);
    }
}

#[test]
fn two_histories_are_told_from_one() {
    let (books, mut other) = (Books::of_a_life(3), Books::of_a_life(2));
    other.happens(None, ("history-read", None, None, json!({})));
    fails(&books.verify(&[books.head(13), other.head(13)]), "two histories");
    let report = books.verify(&[books.head(5), books.head(13)]);
    assert!(
        report.holds() && says(&report, Verdict::NotChecked, "whether the newest checkpoint continues"),
        "{report}"
    );
    fails(&books.verify(&[books.head(12), books.head(13), other.consistency(12, 13).to_string()]), "another than in");
    let mut proof = books.consistency(5, 13);
    proof["consistency_proof"][0] = json!(books.root(3).to_string());
    fails(&books.verify(&[books.head(5), books.head(13), proof.to_string()]), "is not shown to continue");
}

#[test]
fn a_proof_needs_a_checkpoint_of_its_size() {
    let books = Books::of_a_life(3);
    fails(&books.verify(&[books.inclusion(3, 13).to_string()]), "no checkpoint of 13 events was given");
    let mut proof = books.inclusion(3, 13);
    proof["leaf_hash"] = json!(books.root(2).to_string());
    fails(&books.verify(&[books.head(13), proof.to_string()]), "leaf 3 is not shown to be in the tree");
}

/// Members of the document, each with something else to show.
fn changed_documents() -> Vec<(&'static str, Value)> {
    vec![
        ("/status", json!("active")),
        ("/tenant", json!("fabrikam")),
        ("/received_at", json!("2026-11-03T08:30:01Z")),
        ("/ticket/number", json!("DESK-13")),
        ("/ticket/snapshot/number", json!("DESK-13")),
        ("/ticket/snapshot_digest", json!("sha256:00")),
        ("/principal/name", json!("Omar")),
        ("/entitlement/key", json!("global-admin")),
        ("/requested_duration", json!("PT8H")),
        ("/approval/approvers", json!([])),
        ("/approval", Value::Null),
        ("/decision/duration", json!("PT8H")),
        ("/decision/reasons", json!([{ "code": "x", "detail": "y" }])),
        ("/decision", Value::Null),
        ("/dry_run", json!(true)),
        ("/assignment/ends_at", json!("2026-11-03T16:30:05Z")),
        ("/assignment", Value::Null),
        ("/end/cause", json!("expired")),
        ("/end/confirmed_at", json!("2026-11-03T08:30:08Z")),
        ("/end/lag_seconds", json!(0)),
        ("/end", Value::Null),
        ("/failure", json!({ "code": "x", "detail": "y" })),
        ("/hold", json!({ "reason": "x", "detail": "y", "next_look_at": null })),
        ("/attempts/0/outcome", json!("refused")),
        ("/attempts", json!([])),
        ("/timeline/3/actor", json!("connection:desk")),
        ("/timeline", json!([])),
    ]
}

#[test]
fn a_document_that_says_something_else_than_its_events_is_found_in_packs_and_exports() {
    let books = Books::of_a_life(3);
    for (path, other) in changed_documents() {
        let mut pack = books.pack();
        *pack["request"].pointer_mut(path).unwrap() = other.clone();
        let report = books.verify(&[pack.to_string()]);
        assert!(!report.holds(), "{path} in a pack: {report}");
    }
}

/// The request as a row of an export.
fn row(books: &Books) -> Value {
    let document = books.document();
    let part = |path: &str| document.pointer(path).cloned().unwrap();
    json!({
        "id": REQUEST, "tenant": "contoso", "connection": "desk", "status": "ended", "received_at": part("/received_at"),
        "ticket_number": "DESK-12", "ticket_id": "8841", "snapshot_digest": part("/ticket/snapshot_digest"),
        "principal_id": part("/principal/id"), "principal_name": "Nina", "entitlement_key": "exchange-admin",
        "entitlement_title": part("/entitlement/title"), "target": {}, "requested_duration": "PT4H",
        "granted_duration": "PT4H", "bound_by": "requested", "approved_at": part("/approval/approved_at"),
        "approvers": part("/approval/approvers"), "decided_at": part("/decision/decided_at"), "catalog_version": "c1",
        "reasons": null, "schedule_id": "s1", "starts_at": part("/assignment/starts_at"),
        "ends_at": part("/assignment/ends_at"), "end_cause": "revoked", "end_reason": "enough",
        "end_confirmed_at": part("/end/confirmed_at"), "lag_seconds": 62, "hold_code": null, "dry_run": false,
    })
}

#[test]
fn a_row_that_says_something_else_than_the_log_is_found() {
    let books = Books::of_a_life(3);
    let exported = |row: Value| books.verify(&[books.log(), books.head(13), books.closed("requests", &[row])]);
    holds(&exported(row(&books)));
    let unproved = ["ticket_number", "hold_code"];
    for column in row(&books).as_object().unwrap().keys().filter(|column| !unproved.contains(&column.as_str())) {
        for other in [json!("other"), Value::Null] {
            let mut row = row(&books);
            if row[column] != other {
                row[column] = other;
                let report = exported(row);
                assert!(!report.holds(), "{column}: {report}");
            }
        }
    }
}

#[test]
fn a_pack_with_other_events_is_found() {
    let books = Books::of_a_life(3);
    let changes: [(&str, Change); 6] = [
        ("a move is missing or doubled", |pack| drop(pack["events"].as_array_mut().unwrap().remove(4))),
        ("it is there twice", |pack| {
            let twice = pack["events"][3].clone();
            pack["events"].as_array_mut().unwrap().push(twice);
        }),
        ("is not shown to be in the tree", |pack| pack["events"][5]["at"] = json!("2026-11-03T08:30:00Z")),
        ("was not sealed", |pack| pack["events"][9]["leaf_index"] = Value::Null),
        ("another request", |pack| pack["request"]["id"] = json!("019a4a30-5c00-7000-8000-000000000002")),
        ("its facts are gone", |pack| pack["events"][5]["detail"] = Value::Null),
    ];
    for (said, change) in changes {
        let mut pack = books.pack();
        change(&mut pack);
        fails(&books.verify(&[pack.to_string()]), said);
    }
    let mut pack = books.pack();
    pack["events"].as_array_mut().unwrap().remove(7);
    pack["request"]["timeline"].as_array_mut().unwrap().remove(7);
    holds(&books.verify(&[pack.to_string()]));
    fails(&books.verify(&[pack.to_string(), books.log(), books.head(13)]), "the log has this event, the pack does not");
}

#[test]
fn a_request_that_an_export_lacks_or_makes_up_is_found() {
    let books = Books::of_a_life(3);
    let report = books.verify(&[books.log(), books.head(13), books.closed("requests", &[])]);
    fails(&report, &format!("lacks request {REQUEST}"));
    let mut other = row(&books);
    other["id"] = json!("019a4a30-5c00-7000-8000-000000000002");
    let rows = books.closed("requests", &[row(&books), other]);
    fails(&books.verify(&[books.log(), books.head(13), rows]), "no event of the log is about it");
}

#[test]
fn a_csv_export_is_checked_as_well() {
    let books = Books::of_a_life(3);
    let closed = |text: &str| format!("{text}{}", books.closing("csv", "requests", 1, text).csv_record());
    let text = format!("id,status,tenant\r\n{REQUEST},ended,contoso\r\n");
    let report = books.verify(&[books.log(), books.head(13), closed(&text)]);
    holds(&report);
    assert!(says(&report, Verdict::Verified, "1 rows show what the log says"), "{report}");
    let other = text.replace("ended", "active");
    fails(&books.verify(&[books.log(), books.head(13), closed(&other)]), "status shows \"active\"");
    fails(
        &books.verify(&[books.log(), books.head(13), closed(&text).replace("contoso\r", "contoso2\r")]),
        "its digest",
    );
    fails(&books.verify(&[books.log(), books.head(13), text]), "no closing line");
}

#[test]
fn a_file_of_another_kind_is_no_proof() {
    let books = Books::open();
    for text in ["", "hello\n", "{\"a\":1}\n", "[]"] {
        fails(&books.verify(&[text.to_owned()]), "nothing that stint gives out");
    }
}
