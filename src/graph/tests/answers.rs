//! Every line of `contracts/graph.md` §6.1 and §7.2, as a table.

use http::{HeaderMap, StatusCode, header};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{claimed, error_body, request_row, role_at, start};
use crate::{
    domain::{
        assignment::{Answer, Progress, ScheduleAction},
        duration::Duration,
    },
    graph::{
        GraphError,
        answer::{Unanswered, to_cancel, to_sessions, to_silence, to_write},
    },
    outbound,
};

#[expect(clippy::needless_pass_by_value, reason = "tables read better without borrows")]
fn reply(status: u16, body: impl ToString) -> outbound::Answer {
    outbound::Answer {
        status: StatusCode::from_u16(status).expect("a status"),
        headers: HeaderMap::new(),
        body: body.to_string().into(),
    }
}

fn meaning(asked: ScheduleAction, reply: &outbound::Answer) -> Answer {
    let role = claimed(&role_at("/"));
    to_write((asked, false), reply, start(), |body| role.read_request(super::ana(), body))
}

fn assigned(status: u16, body: impl ToString) -> Answer {
    meaning(ScheduleAction::Assign, &reply(status, body))
}

fn removed(status: u16, body: impl ToString) -> Answer {
    meaning(ScheduleAction::Remove, &reply(status, body))
}

/// The variant and its code, as one word for tables.
fn word(answer: &Answer) -> String {
    match answer {
        Answer::Accepted(_) => "accepted".into(),
        Answer::Refused { code, .. } => format!("refused {code}"),
        Answer::TenantRefused { code, .. } => format!("tenant {code}"),
        Answer::NotYet { code } => format!("not yet {code}"),
        Answer::Throttled { after } => format!("throttled {:?}", after.map(Duration::as_secs)),
        Answer::TooEarly => "too early".into(),
        Answer::Look { code } => format!("look {code}"),
        Answer::NotSent { .. } => "not sent".into(),
        Answer::Unclear { .. } => "unclear".into(),
    }
}

#[test]
fn each_known_code_has_one_meaning() {
    for (status, code, wanted) in [
        (400, "RoleAssignmentExists", "look"),
        (400, "PendingRoleAssignmentRequest", "look"),
        (400, "RoleAssignmentDoesNotExist", "look"),
        (400, "RoleAssignmentRequestPolicyValidationFailed", "refused"),
        (400, "RoleAssignmentRequestAcrsValidationFailed", "refused"),
        (403, "RoleAssignmentRequestAcrsValidationFailed", "refused"),
        (404, "SubjectNotFound", "not yet"),
        (400, "SubjectNotFound", "not yet"),
        (404, "RoleNotFound", "not yet"),
        (404, "ResourceNotFound", "not yet"),
        (400, "AadPremiumLicenseRequired", "tenant"),
        (400, "InvalidScope", "refused"),
        (400, "Request_BadRequest", "refused"),
        (400, "ResourceIsLocked", "refused"),
        (400, "BadRequest", "refused"),
        (400, "InvalidPolicyRule", "refused"),
        (403, "PermissionScopeNotGranted", "tenant"),
        (403, "UnauthorizedAccessException", "refused"),
        (403, "Authorization_RequestDenied", "refused"),
        (403, "InsufficientPermissions", "refused"),
        (401, "InvalidAuthenticationToken", "not yet"),
        (409, "RoleAssignmentRequestExists", "look"),
    ] {
        let body = error_body(code, "why");
        for answer in [assigned(status, &body), removed(status, &body)] {
            assert_eq!(word(&answer), format!("{wanted} {code}"));
        }
    }
}

#[test]
fn a_duration_too_short_is_too_early_for_a_removal_and_final_for_an_assignment() {
    let body = error_body("ActiveDurationTooShort", "Miniumum Required is 5 minutes");
    assert_eq!(removed(400, &body), Answer::TooEarly);
    assert_eq!(word(&assigned(400, &body)), "refused ActiveDurationTooShort");
}

#[test]
fn a_conflict_without_a_code_is_looked_at() {
    assert_eq!(word(&assigned(409, error_body("", ""))), "look Conflict");
}

#[test]
fn failed_policy_rules_are_listed_behind_the_code() {
    let code = "RoleAssignmentRequestPolicyValidationFailed";
    for (message, listed) in [
        (r#"The following policy rules failed: ["MfaRule"]"#, ":MfaRule"),
        (r#"… failed: ["MfaRule","ExpirationRule"]"#, ":MfaRule,ExpirationRule"),
        (r#"… failed: ["Mfa Rule\n", 7, "TicketingRule"]"#, ":TicketingRule"),
        ("… failed: []", ""),
        ("… failed: [MfaRule]", ""),
        ("… failed: [\"MfaRule\"", ""),
        ("", ""),
    ] {
        assert_eq!(word(&assigned(400, error_body(code, message))), format!("refused {code}{listed}"));
    }
}

#[test]
fn a_refusal_wrapped_in_an_unknown_error_is_unwrapped() {
    let inner = r#"{"errorCode":"PermissionScopeNotGranted","message":"missing permission scope X"}"#;
    let answer = assigned(403, error_body("UnknownError", inner));
    let wanted =
        Answer::TenantRefused { code: "PermissionScopeNotGranted".into(), detail: "missing permission scope X".into() };
    assert_eq!(answer, wanted);
    for status in [500, 503, 504, 408] {
        assert_eq!(word(&assigned(status, error_body("UnknownError", inner))), "unclear");
    }
}

#[test]
fn whatever_is_unknown_or_unreadable_is_unclear() {
    let known = error_body("RoleAssignmentExists", "").to_string();
    for (status, body) in [
        (400, error_body("SomethingNew", "").to_string()),
        (400, error_body("roleassignmentexists", "").to_string()),
        (400, error_body("", "").to_string()),
        (400, error_body("UnknownError", "{").to_string()),
        (400, "<html>bad request</html>".into()),
        (400, String::new()),
        (401, "<html>sign in to the proxy</html>".into()),
        (403, r#"{"error":"access_denied"}"#.into()),
        (404, "<html>not found</html>".into()),
        (409, "<html>conflict</html>".into()),
        (400, format!("{known}{known}")),
        (402, known.clone()),
        (408, known.clone()),
        (422, known.clone()),
        (500, known.clone()),
        (502, "<html>bad gateway</html>".into()),
        (503, known.clone()),
        (504, String::new()),
        (200, request_row(&json!({})).to_string()),
        (202, request_row(&json!({})).to_string()),
        (204, String::new()),
        (302, String::new()),
    ] {
        assert_eq!(word(&assigned(status, &body)), "unclear", "{status} {body}");
    }
}

#[test]
fn throttling_keeps_what_graph_asks_to_wait() {
    for (header, wanted) in [
        (Some("10"), "throttled Some(10)"),
        (Some("0"), "throttled Some(0)"),
        (Some("Tue, 03 Nov 2026 09:15:40 GMT"), "throttled Some(40)"),
        (Some("soon"), "throttled None"),
        (None, "throttled None"),
    ] {
        let mut throttled = reply(429, "<html>");
        if let Some(text) = header {
            let value = text.parse().expect("a header");
            throttled.headers.insert(header::RETRY_AFTER, value);
        }
        assert_eq!(word(&meaning(ScheduleAction::Assign, &throttled)), wanted);
    }
}

#[test]
fn a_created_schedule_request_is_accepted_whatever_its_status_word() {
    for (status, progress) in [
        ("Provisioned", Progress::Done),
        ("GRANTED", Progress::Granted),
        ("PendingApprovalProvisioning", Progress::Underway),
        ("Failed", Progress::Over),
        ("SomethingNew", Progress::Unknown),
    ] {
        let Answer::Accepted(request) = assigned(201, request_row(&json!({"status": status}))) else {
            panic!("{status} is accepted");
        };
        assert_eq!((request.progress, request.status.as_str()), (progress, status));
    }
}

#[test]
fn a_201_that_does_not_echo_what_was_asked_is_unclear() {
    let other = "7d5b90e2-1c34-4a8f-b6d7-e0f1a2b3c4d5";
    for changes in [
        json!({"principalId": other}),
        json!({"roleDefinitionId": other}),
        json!({"directoryScopeId": "/administrativeUnits/1"}),
        json!({"directoryScopeId": null}),
        json!({"appScopeId": "/x"}),
        json!({"action": "adminRemove"}),
        json!({"action": "selfActivate"}),
        json!({"isValidationOnly": true}),
        json!({"status": null}),
        json!({"id": ""}),
        json!({"createdDateTime": "yesterday"}),
    ] {
        assert_eq!(word(&assigned(201, request_row(&changes))), "unclear", "{changes}");
    }
    let whole = request_row(&json!({})).to_string();
    for body in [&whole[..whole.len() - 9], "", "<html>", "[]", "{}", "null"] {
        assert_eq!(word(&assigned(201, body)), "unclear", "{body}");
    }
}

#[test]
fn a_validation_is_accepted_by_a_200_or_201_that_says_so_only() {
    let validated = |status, changes: Value| {
        let role = claimed(&role_at("/"));
        let reply = reply(status, request_row(&changes));
        word(&to_write((ScheduleAction::Assign, true), &reply, start(), |body| role.read_request(super::ana(), body)))
    };
    for status in [200, 201] {
        for word in ["Provisioned", "Granted", "SomethingNew"] {
            assert_eq!(validated(status, json!({"isValidationOnly": true, "status": word})), "accepted");
        }
        for echo in [json!(false), json!(null), json!("true")] {
            assert_eq!(validated(status, json!({"isValidationOnly": echo})), "unclear", "{status} {echo}");
        }
    }
    assert_eq!(validated(202, json!({"isValidationOnly": true})), "unclear");
    assert_eq!(word(&assigned(200, request_row(&json!({})))), "unclear", "an order that was meant");
}

#[test]
fn sessions_are_revoked_by_a_yes_or_an_empty_204_only() {
    for (status, body, wanted) in [
        (200, json!({"value": true}), "accepted"),
        (204, json!(null), "accepted"),
        (200, json!({"value": false}), "unclear"),
        (200, json!({"value": "true"}), "unclear"),
        (200, json!({}), "unclear"),
        (201, json!({"value": true}), "unclear"),
        (403, error_body("Authorization_RequestDenied", ""), "refused Authorization_RequestDenied"),
        (429, json!({}), "throttled None"),
        (503, error_body("ServiceUnavailable", ""), "unclear"),
    ] {
        assert_eq!(word(&to_sessions(&reply(status, &body), start())), wanted, "{status} {body}");
    }
}

#[test]
fn an_echo_in_another_case_is_the_same_answer() {
    let changes = json!({"action": "AdminRemove", "principalId": super::ANA.to_uppercase(), "status": "Revoked"});
    let row = request_row(&changes);
    assert_eq!(word(&removed(201, &row)), "accepted");
    assert_eq!(word(&assigned(201, &row)), "unclear");
}

#[test]
fn a_cancellation_is_accepted_by_an_empty_204_only() {
    let Answer::Accepted(request) = to_cancel("a4d8", &reply(204, ""), start()) else {
        panic!("204 cancels");
    };
    assert_eq!((request.id.as_str(), request.progress), ("a4d8", Progress::Over));
    for (status, code, wanted) in [
        (400, "BadRequest", "look BadRequest"),
        (400, "CannotBeCancelled", "look CannotBeCancelled"),
        (404, "ResourceNotFound", "not yet ResourceNotFound"),
        (403, "PermissionScopeNotGranted", "tenant PermissionScopeNotGranted"),
        (503, "ServiceUnavailable", "unclear"),
        (200, "", "unclear"),
        (201, "", "unclear"),
    ] {
        let answer = to_cancel("a4d8", &reply(status, error_body(code, "")), start());
        assert_eq!(word(&answer), wanted);
    }
}

#[test]
fn only_a_call_that_may_have_left_is_unclear() {
    let credential = GraphError::Credential { code: "AADSTS7000222".into(), detail: "expired".into() };
    for (silence, wanted) in [
        (Unanswered::TooLate, "not sent"),
        (Unanswered::NoToken(GraphError::Throttled { after: None }), "not sent"),
        (Unanswered::NoToken(credential), "tenant AADSTS7000222"),
        (Unanswered::Fault(outbound::Fault::NotSent("refused".into())), "not sent"),
        (Unanswered::Fault(outbound::Fault::AnswerLost("reset".into())), "unclear"),
    ] {
        assert_eq!(word(&to_silence(silence)), wanted);
    }
}

fn any_action() -> impl Strategy<Value = ScheduleAction> {
    prop_oneof![Just(ScheduleAction::Assign), Just(ScheduleAction::Remove), Just(ScheduleAction::Other)]
}

fn any_body() -> impl Strategy<Value = Vec<u8>> {
    let whole = || request_row(&json!({})).to_string().into_bytes();
    let coded = "[A-Za-z_]{0,20}".prop_map(|code| error_body(&code, "[").to_string().into_bytes());
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..300),
        Just(whole()),
        (0..300usize).prop_map(move |cut| whole().into_iter().take(cut).collect()),
        coded,
        "\\PC{0,80}".prop_map(|message| error_body("UnknownError", &message).to_string().into_bytes()),
        any::<i64>().prop_map(|n| Value::from(n).to_string().into_bytes()),
    ]
}

proptest! {
    #[test]
    fn no_answer_panics_and_only_a_201_is_accepted(
        status in 100u16..1000, action in any_action(), body in any_body()
    ) {
        let reply = outbound::Answer {
            status: StatusCode::from_u16(status).expect("a status"),
            headers: HeaderMap::new(),
            body,
        };
        let accepted = matches!(meaning(action, &reply), Answer::Accepted(_));
        prop_assert!(!accepted || (status == 201 && action == ScheduleAction::Assign));
        let cancelled = matches!(to_cancel("a4d8", &reply, start()), Answer::Accepted(_));
        prop_assert_eq!(cancelled, status == 204);
    }
}
