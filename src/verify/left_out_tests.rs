//! What was left out, added or cut off is found, and where nothing can find it, that is said.

use serde_json::{Value, json};

use super::{
    Verdict,
    books::{Books, REQUEST, a_life},
    tests::{fails, holds, says},
};

#[test]
fn nothing_lets_facts_go_that_come_after_it() {
    let mut books = Books::of_a_life(1);
    books.happens(None, ("details-dropped", None, None, json!({ "before": "2036-11-03T08:30:00Z" })));
    books.happens(None, ("history-read", None, None, json!({ "what": "requests" })));
    books.events[4].detail = None;
    holds(&books.verify(&[books.log(), books.head(13)]));
    books.events[12].detail = None;
    fails(&books.verify(&[books.log(), books.head(13)]), "its facts are gone");
}

#[test]
fn another_leaf_at_one_place_is_another_history() {
    let (books, mut other) = (Books::of_a_life(4), Books::of_a_life(2));
    other.happens(None, ("history-read", None, None, json!({})));
    let files =
        [books.head(14), other.head(13), books.inclusion(12, 14).to_string(), other.inclusion(12, 13).to_string()];
    fails(&books.verify(&files), "two histories: its leaf 12 is another than in");
}

#[test]
fn a_proof_holds_nothing_besides() {
    let books = Books::of_a_life(3);
    for mut proof in [books.inclusion(3, 13), books.consistency(5, 13)] {
        proof["more"] = json!(1);
        fails(&books.verify(&[books.head(5), books.head(13), proof.to_string()]), "unknown field");
    }
}

/// Takes the member at this path out.
fn without(mut pack: Value, path: &str) -> Value {
    let (above, member) = path.rsplit_once('/').unwrap();
    pack.pointer_mut(above).unwrap().as_object_mut().unwrap().remove(member).unwrap();
    pack
}

#[test]
fn a_document_that_leaves_something_out_or_adds_something_is_found() {
    let books = Books::of_a_life(3);
    for part in ["/request", "/request/ticket", "/request/approval", "/request/decision", "/request/end"] {
        let pack = books.pack();
        for member in pack.pointer(part).unwrap().as_object().unwrap().keys() {
            let report = books.verify(&[without(pack.clone(), &format!("{part}/{member}")).to_string()]);
            assert!(!report.holds(), "{part}/{member}: {report}");
        }
        let mut more = pack.clone();
        more.pointer_mut(part).unwrap()["more"] = json!(1);
        fails(&books.verify(&[more.to_string()]), "has a member that nothing proves: more");
    }
    let mut more = books.pack();
    more["more"] = json!(1);
    fails(&books.verify(&[more.to_string()]), "a member that nothing proves: more");
    for member in ["attempts", "notes", "holders", "timeline"] {
        let mut pack = books.pack();
        pack["request"][member] = Value::Null;
        fails(&books.verify(&[pack.to_string()]), &format!("{member} is no list"));
    }
}

#[test]
fn an_attempt_that_was_only_recorded_is_shown_open_and_as_it_was_recorded() {
    let mut books = Books::open();
    for (event, from, to, detail) in a_life().into_iter().take(5) {
        books.happens(Some(REQUEST), (event, from, to, detail));
    }
    let shown = |attempt: Value| {
        let mut pack = books.pack();
        let document = &mut pack["request"];
        (document["status"], document["attempts"]) = (json!("assigning"), json!([attempt]));
        (document["assignment"], document["end"]) = (Value::Null, Value::Null);
        books.verify(&[pack.to_string()])
    };
    let mut attempt = books.document()["attempts"][0].clone();
    fails(&shown(attempt.clone()), "outcome is another than the log last told of it: \"open\"");
    attempt["outcome"] = json!("open");
    attempt["http_status"] = json!(504);
    holds(&shown(attempt.clone()));
    attempt["kind"] = json!("remove");
    fails(&shown(attempt), "kind is another than the log last told of it");
}

#[test]
fn a_snapshot_that_is_not_shown_is_named() {
    let books = Books::of_a_life(3);
    let mut pack = books.pack();
    assert!(!says(&books.verify(&[pack.to_string()]), Verdict::NotChecked, "snapshot"));
    pack["request"]["ticket"]["snapshot"] = Value::Null;
    let report = books.verify(&[pack.to_string()]);
    holds(&report);
    assert!(says(&report, Verdict::NotChecked, "the ticket's snapshot, which is not shown"), "{report}");
}

#[test]
fn a_pack_whose_end_is_cut_off_is_doubted_and_found_by_the_log() {
    let books = Books::of_a_life(3);
    let mut pack = books.pack();
    pack["events"].as_array_mut().unwrap().truncate(7);
    let document = &mut pack["request"];
    (document["status"], document["end"]) = (json!("active"), Value::Null);
    document["timeline"].as_array_mut().unwrap().truncate(7);
    let report = books.verify(&[pack.to_string()]);
    holds(&report);
    assert!(says(&report, Verdict::NotChecked, "whether it moved on after that"), "{report}");
    fails(&books.verify(&[pack.to_string(), books.log(), books.head(13)]), "the log has this event, the pack does not");
    let report = books.verify(&[books.pack().to_string()]);
    assert!(!says(&report, Verdict::NotChecked, "moved on"), "{report}");
}

#[test]
fn a_pack_may_hold_the_event_that_says_why_facts_are_gone() {
    let mut books = Books::of_a_life(1);
    books.happens(None, ("details-dropped", None, None, json!({ "before": "2026-11-03T08:30:05Z" })));
    books.events[4].detail = None;
    let pack = books.pack();
    holds(&books.verify(&[pack.to_string()]));
}

#[test]
fn an_empty_cell_is_an_empty_list() {
    let mut books = Books::open();
    for (event, from, to, mut detail) in a_life() {
        if detail.get("approvers").is_some() {
            detail["approvers"] = json!([]);
        }
        books.happens(Some(REQUEST), (event, from, to, detail));
    }
    let text = format!("id,status,approved_at,approvers\r\n{REQUEST},ended,2026-11-03T08:20:00Z,\r\n");
    let text = format!("{text}{}", books.closing("csv", "requests", 1, &text).csv_record());
    holds(&books.verify(&[books.log(), books.head(10), text]));
}
