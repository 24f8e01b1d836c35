//! Each row of `contracts/graph.md` §6.1, answered to the call that assigns, to the one that moves the end, and to the one
//! that removes.

use stint::sandbox::{
    Retry,
    graph::{Entry, Fault, FaultKind, On},
};

use crate::{
    targets::{ROLE, moment, near},
    tried::revoke,
    world::{It, minutes},
};

/// What an answer makes stint do (the column `class`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    /// `reconcile`: nobody knows. Looked for, until the settle time says that nothing came of it; only then asked again.
    Look,
    /// `retry`: surely not carried out, and asked again soon.
    Soon,
    /// `terminal`: over for this request.
    Over,
    /// Terminal for the whole tenant: held until somebody mends it.
    Tenant,
    /// PIM lets the end not move: this one follows the other.
    Follow,
}

use Class::{Follow, Look, Over, Soon, Tenant};

/// A row: the answer, and the class of it to an assignment, to a new end, and to a removal.
type Row = (FaultKind, [Class; 3]);

fn code(status: u16, code: &str, message: &str) -> FaultKind {
    FaultKind::Code { status, code: code.into(), message: message.into() }
}

fn failed_rule(rule: &str) -> FaultKind {
    let message = format!("The following policy rules failed: [\"{rule}\"]");
    code(400, "RoleAssignmentRequestPolicyValidationFailed", &message)
}

/// The rows of §6.1, in its order.
fn rows() -> Vec<Row> {
    let short = "The Active duration is too short. Miniumum Required is 5 minutes.";
    let scope = "Authorization failed due to missing permission scope RoleAssignmentSchedule.ReadWrite.Directory.";
    let wrapped = |status, code: &str, message: &str| FaultKind::WrappedCode {
        status,
        code: code.into(),
        message: message.into(),
    };
    vec![
        (code(400, "RoleAssignmentExists", "The Role assignment already exists."), [Look, Look, Look]),
        (code(400, "PendingRoleAssignmentRequest", "There is already a pending request."), [Look, Look, Look]),
        (failed_rule("ExpirationRule"), [Over, Follow, Over]),
        (failed_rule("JustificationRule"), [Over; 3]),
        (failed_rule("TicketingRule"), [Over; 3]),
        (failed_rule("MfaRule"), [Over; 3]),
        (failed_rule("EligibilityRule"), [Over; 3]),
        (code(400, "RoleAssignmentRequestAcrsValidationFailed", "claims"), [Over; 3]),
        (code(403, "RoleAssignmentRequestAcrsValidationFailed", "claims"), [Over; 3]),
        (code(400, "RoleAssignmentDoesNotExist", "The Role assignment does not exist."), [Look, Soon, Look]),
        (code(400, "ActiveDurationTooShort", short), [Over, Soon, Soon]),
        (code(404, "SubjectNotFound", "The subject is not found."), [Soon; 3]),
        (code(400, "SubjectNotFound", "The subject is not found."), [Soon; 3]),
        (code(404, "RoleNotFound", "The role is not found."), [Soon; 3]),
        (code(404, "ResourceNotFound", "The resource could not be found."), [Soon; 3]),
        (code(400, "AadPremiumLicenseRequired", "The tenant needs to have a license."), [Tenant; 3]),
        (code(400, "InvalidScope", "The scope is not valid."), [Over; 3]),
        (code(400, "Request_BadRequest", "not supported to be assigned to a single resource scope"), [Over; 3]),
        (code(400, "ResourceIsLocked", "locked"), [Over; 3]),
        (code(400, "BadRequest", "Unable to read JSON request payload."), [Over; 3]),
        (code(400, "InvalidPolicyRule", "malformed"), [Over; 3]),
        (code(403, "PermissionScopeNotGranted", scope), [Tenant; 3]),
        (wrapped(403, "PermissionScopeNotGranted", scope), [Tenant; 3]),
        (code(403, "UnauthorizedAccessException", "Attempted to perform an unauthorized operation."), [Over; 3]),
        (code(403, "Authorization_RequestDenied", "Insufficient privileges."), [Over; 3]),
        (code(403, "InsufficientPermissions", "others' rows"), [Over; 3]),
        (FaultKind::Status(401), [Soon; 3]),
        (FaultKind::Throttle(Retry::Seconds(7)), [Soon; 3]),
        (code(409, "", "conflict"), [Look; 3]),
        (FaultKind::Status(500), [Look; 3]),
        (FaultKind::Html(502), [Look; 3]),
        (code(502, "", ""), [Look; 3]),
        (FaultKind::Status(503), [Look; 3]),
        (FaultKind::Status(504), [Look; 3]),
        (code(504, "UnknownError", ""), [Look; 3]),
        (FaultKind::DropBeforeCommit, [Look; 3]),
    ]
}

/// The calls with this action since there were so many of any kind.
fn calls(it: &It, action: &str, since: usize) -> Vec<Entry> {
    let ledger = it.graph().ledger().split_off(since);
    ledger.into_iter().filter(|entry| entry.action.eq_ignore_ascii_case(action)).collect()
}

/// A refused call, and how long it was until the next, which was taken.
fn asked_again(entries: &[Entry], told: &str) -> i64 {
    let [refused, taken] = entries else { panic!("{told}: two calls, not {entries:#?}") };
    assert!(!refused.committed && taken.committed, "{told}: {entries:#?}");
    taken.at.duration_since(refused.at).as_secs()
}

/// Whether it was asked again when the class says so.
fn keeps_to(class: Class, entries: &[Entry], told: &str) {
    let wait = asked_again(entries, told);
    match class {
        Look => assert!(wait >= 180, "{told}: asked again after {wait} s, which is no settle time"),
        Soon => assert!(wait <= 60, "{told}: asked again only after {wait} s"),
        Tenant | Over => assert!((290..=700).contains(&wait), "{told}: asked again after {wait} s"),
        Follow => panic!("{told}: never asked again"),
    }
}

/// Such an answer is held for a quarter of an hour once it has come to nothing, and has used no time up.
fn is_said_to_exist(told: &str) -> bool {
    told.contains("RoleAssignmentExists") || told.contains("PendingRoleAssignmentRequest")
}

#[tokio::test]
async fn every_row_of_6_1_answered_to_an_assignment() {
    let it = ROLE.begins().await;
    for (kind, [class, ..]) in rows() {
        let told = format!("{kind:?}");
        let since = it.graph().ledger().len();
        let wished = if class == Look { "PT10M" } else { "PT5M" };
        let ticket = ROLE.ticket(&it, wished);
        it.graph().fault(Fault::once(On::Create, kind));
        let id = it.taken_in(&ticket).await;
        if class == Over {
            let failed = it.until(&id, "failed").await;
            let code = failed["failure"]["code"].as_str().expect("a code");
            assert!(told.contains(code.split(':').next().expect("a code")), "{told}: {code}");
            let entries = calls(&it, "adminAssign", since);
            assert!(entries.len() == 1 && !entries[0].committed, "{told}: {entries:#?}");
            it.work().await;
            assert!(it.notes(&ticket)[0].contains(code), "{told}: {:?}", it.notes(&ticket));
            continue;
        }
        if class == Tenant {
            let held = it.until(&id, "held").await;
            let reason = held["hold"]["reason"].as_str().expect("a reason");
            assert!(
                ["graph-refuses-tenant", "graph-licence", "graph-permission"].contains(&reason),
                "{told}: {reason}"
            );
        }
        it.until(&id, "active").await;
        let entries = calls(&it, "adminAssign", since);
        keeps_to(class, &entries, &told);
        let whole = entries[1].duration.as_deref() == Some(wished);
        assert_eq!(whole, class != Look || is_said_to_exist(&told), "{told}: {entries:#?}");
        it.until(&id, "ended").await;
    }
    it.ends().await;
}

#[tokio::test]
async fn every_row_of_6_1_answered_to_a_removal() {
    let it = ROLE.begins().await;
    for (kind, [.., class]) in rows() {
        let told = format!("{kind:?}");
        let since = it.graph().ledger().len();
        let id = ROLE.active(&it, "PT1H").await;
        it.pass(minutes(6)).await;
        it.graph().fault(Fault::once(On::Remove, kind));
        revoke(&it, &id).await;
        if matches!(class, Over | Tenant) {
            let held = it.until(&id, "held").await;
            assert_eq!(held["hold"]["reason"], "removal-refused", "{told}");
            assert!(it.findings().await.iter().any(|kind| kind == "removal-refused"), "{told}");
        }
        let ended = it.until(&id, "ended").await;
        assert_eq!(ended["end"]["cause"], "revoked", "{told}");
        assert!(it.given().is_empty(), "{told}");
        keeps_to(class, &calls(&it, "adminRemove", since), &told);
    }
    it.ends().await;
}

#[tokio::test]
async fn every_row_of_6_1_answered_to_a_new_end() {
    let it = ROLE.begins().await;
    for (kind, [_, class, _]) in rows() {
        let told = format!("{kind:?}");
        let since = it.graph().ledger().len();
        let first = ROLE.active(&it, if is_said_to_exist(&told) { "PT45M" } else { "PT25M" }).await;
        let end = it.end_in_pim();
        let ticket = ROLE.ticket(&it, "PT30M");
        it.graph().fault(Fault::once(On::Create, kind));
        let second = it.taken_in(&ticket).await;
        match class {
            Over => {
                it.until(&second, "failed").await;
                let entries = calls(&it, "adminUpdate", since);
                assert!(entries.len() == 1 && !entries[0].committed, "{told}: {entries:#?}");
                assert_eq!(it.end_in_pim(), end, "{told}");
            }
            Follow => {
                it.until_true(&second, "waits its turn", |d| d["hold"]["reason"] == "cannot-extend").await;
                it.until(&second, "active").await;
                assert!(it.world.clock.now() >= end, "{told}");
                assert_eq!(calls(&it, "adminAssign", since).len(), 2, "{told}");
            }
            Look | Soon | Tenant => {
                let joined = it.until(&second, "active").await;
                keeps_to(class, &calls(&it, "adminUpdate", since), &told);
                assert!(near(it.end_in_pim(), moment(&joined, "/assignment/ends_at")), "{told}");
                assert_eq!(calls(&it, "adminAssign", since).len(), 1, "{told}");
            }
        }
        it.pass(minutes(6)).await;
        revoke(&it, &second).await;
        revoke(&it, &first).await;
        it.until(&first, "ended").await;
        it.until_true(&second, "is over", |d| d["status"] == "ended" || d["status"] == "failed").await;
        assert!(it.given().is_empty(), "{told}");
    }
    it.ends().await;
}
