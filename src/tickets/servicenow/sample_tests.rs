//! The contract's sample answers, read as stint reads ServiceNow's.

use serde_json::{Value, json};

use super::{
    super::jira::fixtures::sample,
    fixtures::{answer, common, own, with},
    *,
};
use crate::domain::{
    approval::Outcome,
    ticket::{Field, Standing, Ticket},
};

const ITEM: &str = "sc_req_item/5a7e93d0db3f1910a3c5f0e1ca961977";
const CHANGE: &str = "change_request/4e1c8a2bdb7f1910a3c5f0e1ca9619d4";
const NINA: &str = "a51c7e038d925f46b0a32e9d6f1c8b74";

/// The instance of the samples, whose variables have other names than the fixtures'.
fn instance() -> ServiceNow {
    let mut common = common("https://acmedev.service-now.com");
    common.fields.entitlement = "entra_role".into();
    ServiceNow::new(&common, own())
}

fn read(ticket: &str, answers: &[Answer]) -> Result<Step<Reading>, TicketError> {
    instance().read(&TicketId::new(ticket), answers)
}

/// A list's only row, as a reading by `sys_id` gives it.
fn alone(list: &Value) -> Answer {
    answer(200, json!({"result": list["result"][0]}))
}

/// Every row with a column that the sample's query did not ask for.
fn each_with(mut list: Value, name: &str, value: &str) -> Value {
    list["result"].as_array_mut().expect("rows").iter_mut().for_each(|row| row[name] = value.into());
    list
}

fn person(user: &Value, sys_id: &str, name: &str) -> Value {
    with(with(user["result"].clone(), "/sys_id", sys_id.into()), "/user_name", name.into())
}

/// The sample's item with its approvals, variables and people.
fn answers() -> Option<[Answer; 4]> {
    let variables = each_with(sample("rest-snow-sc_item_option_mtom-200")?, UPDATED, "2026-11-03 08:12:40");
    let user = sample("rest-snow-sys_user-200")?;
    let people = json!({"result": [user["result"], person(&user, NINA, "nina.keller")]});
    Some([
        alone(&sample("rest-snow-ritm-by-number-200")?),
        answer(200, sample("rest-snow-sysapproval_approver-200")?),
        answer(200, variables),
        answer(200, people),
    ])
}

const UPDATED: &str = "sc_item_option.sys_updated_on";

fn ticket(answers: &[Answer]) -> Ticket {
    match read(ITEM, answers) {
        Ok(Step::Done(Reading::Found(ticket))) => *ticket,
        other => panic!("not a ticket: {other:?}"),
    }
}

#[test]
fn the_approved_item_says_who_approved_what_and_when() {
    let Some(answers) = answers() else { return };
    let ticket = ticket(&answers);
    assert_eq!((ticket.number.as_str(), ticket.standing, ticket.in_scope), ("RITM0010588", Standing::Approved, true));
    assert_eq!(ticket.entitlement, Field::Text("Exchange Administrator".into()));
    assert_eq!(ticket.principal, Field::Text("nina.keller@acme-msp.example".into()));
    assert_eq!((ticket.duration, ticket.fields_changed_at), (Field::Text("PT4H".into()), None));
    let [round] = ticket.approvals.as_slice() else { panic!("one round: {:?}", ticket.approvals) };
    assert_eq!(round.outcome, Outcome::Approved);
    assert_eq!(round.decided_at.map(|at| at.to_string()).as_deref(), Some("2026-11-03T08:31:06Z"));
    let approving: Vec<_> = round.votes.iter().filter(|vote| vote.outcome == Outcome::Approved).collect();
    let [vote] = approving.as_slice() else { panic!("one approver: {:?}", round.votes) };
    assert_eq!(vote.approver.as_ref().and_then(|omar| omar.name.as_deref()), Some("Omar Haddad"));
    assert_eq!(ticket.requester.map(|nina| nina.id.as_str().to_owned()).as_deref(), Some(NINA));
}

#[test]
fn an_item_that_hides_a_column_is_not_read_by_halves() {
    let Some(mut answers) = answers() else { return };
    answers[2] = answer(200, sample("rest-snow-sc_item_option_mtom-200").expect("a sample"));
    assert_eq!(read(ITEM, &answers).map_err(|error| error.code()), Err("ticket-not-permitted"));
    // Of display values and raw ones the raw count, but this sample shows fewer columns than were asked for.
    let [_, approvals, variables, people] = self::answers().expect("samples");
    let display = alone(&sample("rest-snow-ritm-displayvalue-all-200").expect("a sample"));
    let read = read(ITEM, &[display, approvals, variables, people]);
    assert_eq!(read.map_err(|error| error.code()), Err("ticket-not-permitted"));
}

#[test]
fn unrelated_rows_are_refused() {
    let Some(unrelated) = sample("rest-snow-invalid-query-returns-unrelated-200") else { return };
    assert_eq!(read(ITEM, &[alone(&unrelated)]).map_err(|error| error.code()), Err("ticket-bad-answer"));
    let unrelated = answer(200, unrelated);
    assert!(read(ITEM, std::slice::from_ref(&unrelated)).is_err(), "a list is no ticket");
    let [item, ..] = answers().expect("samples");
    assert!(read(ITEM, &[item, unrelated]).is_err(), "rows that are no approvals");
}

#[test]
fn a_change_is_read_with_its_window() {
    let (Some(change), Some(user)) = (sample("rest-snow-change-by-number-200"), sample("rest-snow-sys_user-200"))
    else {
        return;
    };
    assert_eq!(change["result"][0]["number"], "CHG0031877");
    let whole = [("sys_created_on", "2026-11-03 08:00:00"), ("sys_updated_by", "cab.chair")];
    let change = whole.into_iter().fold(change, |change, (name, value)| each_with(change, name, value));
    let nobody = answer(200, sample("rest-snow-ritm-not-found-v2-200").expect("a sample"));
    let people = answer(200, json!({"result": [person(&user, NINA, "nina.keller")]}));
    let Ok(Step::Done(Reading::Found(ticket))) = read(CHANGE, &[alone(&change), nobody, people]) else {
        panic!("not a ticket")
    };
    assert_eq!((ticket.standing, ticket.in_scope, ticket.approvals.len()), (Standing::Approved, true, 0));
    let ends = [ticket.window.start, ticket.window.end].map(|end| end.expect("an end").to_string());
    assert_eq!(ends, ["2026-11-03T20:00:00Z", "2026-11-03T22:00:00Z"]);
    assert_eq!(ticket.entitlement, Field::Hidden, "the sample does not show the mapped columns");
}

#[test]
fn a_missing_record_is_absent_only_once_the_credential_is_known_to_work() {
    let samples = ["rest-snow-404", "rest-snow-ritm-not-found-v2-200", "rest-snow-sys_user-200"].map(sample);
    let [Some(gone), Some(nobody), Some(user)] = samples else { return };
    let gone = answer(404, gone);
    let Ok(Step::Send(probe)) = read(ITEM, std::slice::from_ref(&gone)) else { panic!("a probe") };
    assert_eq!(probe.path, "/api/now/table/sys_user");
    let somebody = answer(200, json!({"result": [user["result"]]}));
    assert_eq!(read(ITEM, &[gone.clone(), somebody]), Ok(Step::Done(Reading::Absent)));
    let unseen = read(ITEM, &[gone, answer(200, nobody.clone())]).expect_err("an account without rights sees nobody");
    assert_eq!(unseen.code(), "ticket-not-permitted");
    assert!(read(ITEM, &[answer(200, nobody)]).is_err(), "an empty list is no ticket");
}

#[test]
fn an_error_that_comes_with_success_is_an_error() {
    for name in ["rest-snow-401", "rest-snow-403", "rest-snow-404"] {
        let Some(error) = sample(name) else { return };
        assert_eq!(
            read(ITEM, &[answer(200, error)]).map_err(|error| error.code()),
            Err("ticket-call-refused"),
            "{name}"
        );
    }
}

#[test]
fn a_note_is_sent_in_the_samples_shape_and_its_answer_is_taken() {
    let (Some(request), Some(written)) =
        (sample("rest-snow-patch-worknotes-request"), sample("rest-snow-patch-worknotes-200"))
    else {
        return;
    };
    let note = Note { ticket: TicketId::new(ITEM), key: "r1:granted".into(), text: "granted".into(), internal: true };
    let Ok(Step::Send(call)) = instance().write_note(&note, false, &[]) else { panic!("a call") };
    assert_eq!((call.method, call.path.as_str()), (Method::PATCH, &*format!("/api/now/table/{ITEM}")));
    assert_eq!(call.body, Body::Json(with(request, "/work_notes", "granted [stint:r1:granted]".into())));
    assert_eq!(instance().write_note(&note, false, &[answer(200, written)]), Ok(Step::Done(())));
}
