//! Users, service principals and groups in the directory (`contracts/graph.md` §12).
//!
//! Pure. What an answer leaves out is read to the user's disadvantage: no word on the account means disabled, no word
//! on the kind of user means guest.

use http::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    domain::{assignment::Principal, entitlement::PrincipalKind, id::ObjectId},
    json,
    outbound::{Body, Call, segment},
};

/// Graph's default set lacks `accountEnabled` and `userType`.
const SELECT: &str = "id,userPrincipalName,mail,accountEnabled,userType,externalUserState,displayName";

/// More groups than this are refused in one call.
pub(super) const GROUPS_AT_ONCE: usize = 20;

/// The text as an object id, in its usual hyphenated form only.
pub(super) fn object_id(text: &str) -> Option<ObjectId> {
    let id: Uuid = text.parse().ok()?;
    id.to_string().eq_ignore_ascii_case(text).then_some(ObjectId(id))
}

/// Whether the text can name a user at all. It also keeps `.` and `..` out of the path.
pub(super) fn is_address(text: &str) -> bool {
    text.contains('@')
}

/// The user with this id.
pub(super) fn by_id(id: ObjectId) -> Call {
    user(format!("/users/{id}"))
}

/// The user with this sign-in name; one that begins with `$` would be taken for one of `OData`.
pub(super) fn by_upn(upn: &str) -> Call {
    if upn.starts_with('$') {
        return user(format!("/users('{}')", segment(&upn.replace('\'', "''"))));
    }
    user(format!("/users/{}", segment(upn)))
}

/// All users with this mail address.
pub(super) fn by_mail(mail: &str) -> Call {
    users(format!("mail eq {}", literal(mail)))
}

/// All users with this among their further addresses.
pub(super) fn by_proxy_address(mail: &str) -> Call {
    users(format!("proxyAddresses/any(p:p eq {})", literal(&format!("smtp:{mail}"))))
}

/// The service principal with this object id; an application's id is another one.
pub(super) fn service_principal(id: ObjectId) -> Call {
    let select = "id,appId,displayName,accountEnabled";
    get(format!("/servicePrincipals/{id}"), vec![("$select".into(), select.into())])
}

/// The service principal of the application with this id.
pub(super) fn application(client_id: &str) -> Call {
    let select = "id,appId,displayName,accountEnabled";
    let path = format!("/servicePrincipals(appId='{}')", segment(&client_id.replace('\'', "''")));
    get(path, vec![("$select".into(), select.into())])
}

/// The group with this id, with what decides whether it can hold a role, and whether PIM can give places in it.
pub(super) fn group(id: ObjectId) -> Call {
    let select = "id,displayName,isAssignableToRole,securityEnabled,groupTypes,onPremisesSyncEnabled";
    get(format!("/groups/{id}"), vec![("$select".into(), select.into())])
}

/// The service principal in an answer, and the id of its application.
pub(super) fn read_service_principal(row: &Value) -> Result<(Principal, String), json::Fault> {
    let enabled = row.pointer("/accountEnabled") == Some(&Value::Bool(true));
    let principal = Principal { enabled, ..nameless(row, PrincipalKind::ServicePrincipal)? };
    Ok((principal, json::text(row, "/appId")?.to_owned()))
}

/// The group in an answer. Groups are never disabled; `isAssignableToRole` is null where it is not true.
pub(super) fn read_group(row: &Value) -> Result<Principal, json::Fault> {
    let role_assignable = row.pointer("/isAssignableToRole") == Some(&Value::Bool(true));
    Ok(Principal { role_assignable, ..nameless(row, PrincipalKind::Group)? })
}

/// What is no user has no sign-in name.
fn nameless(row: &Value, kind: PrincipalKind) -> Result<Principal, json::Fault> {
    let id = object_id(json::text(row, "/id")?).ok_or_else(|| json::not("/id", "an object id"))?;
    let name = json::optional_text(row, "/displayName")?.map_or_else(|| id.to_string(), str::to_owned);
    Ok(Principal { id, name, upn: None, enabled: true, kind: Some(kind), role_assignable: true })
}

/// Which of these groups the principal is in, directly or through others. Changes nothing, although it is a POST.
pub(super) fn check_groups((principal, kind): (ObjectId, Option<PrincipalKind>), groups: &[ObjectId]) -> Call {
    let among = match kind {
        None | Some(PrincipalKind::Guest) => "users",
        Some(PrincipalKind::ServicePrincipal) => "servicePrincipals",
        Some(PrincipalKind::Group) => "groups",
    };
    Call {
        method: Method::POST,
        path: format!("/{among}/{principal}/checkMemberGroups"),
        query: vec![],
        headers: vec![],
        body: Body::Json(json!({"groupIds": groups})),
    }
}

/// Revokes the user's sign-in sessions: refresh tokens and browser sessions of before count no more. Access tokens do, until
/// they run out.
pub(super) fn revoke_sessions(user: ObjectId) -> Call {
    Call {
        method: Method::POST,
        path: format!("/users/{user}/revokeSignInSessions"),
        query: vec![],
        headers: vec![],
        body: Body::Empty,
    }
}

/// The groups in the answer to [`check_groups`].
pub(super) fn read_groups(body: &Value) -> Result<Vec<ObjectId>, json::Fault> {
    let not_an_id = || json::not("/value", "an array of ids");
    let ids = json::array(body, "/value")?.iter();
    ids.map(|id| id.as_str().and_then(object_id).ok_or_else(not_an_id)).collect()
}

/// The user in an answer.
pub(super) fn read(row: &Value) -> Result<Principal, json::Fault> {
    let id = object_id(json::text(row, "/id")?).ok_or_else(|| json::not("/id", "an object id"))?;
    let upn = json::text(row, "/userPrincipalName")?;
    let invitation = json::optional_text(row, "/externalUserState")?;
    let accepted = invitation.is_none_or(|state| state.eq_ignore_ascii_case("Accepted"));
    Ok(Principal {
        id,
        name: json::optional_text(row, "/displayName")?.unwrap_or(upn).to_owned(),
        upn: Some(upn.to_owned()),
        // Who has not accepted the invitation cannot sign in either.
        enabled: row.pointer("/accountEnabled") == Some(&Value::Bool(true)) && accepted,
        kind: is_guest(row, upn, invitation)?.then_some(PrincipalKind::Guest),
        role_assignable: true,
    })
}

fn is_guest(row: &Value, upn: &str, invitation: Option<&str>) -> Result<bool, json::Fault> {
    Ok(!is_member(row)? || invitation.is_some() || upn.to_ascii_uppercase().contains("#EXT#"))
}

fn is_member(row: &Value) -> Result<bool, json::Fault> {
    let kind = json::optional_text(row, "/userType")?;
    Ok(kind.is_some_and(|kind| kind.eq_ignore_ascii_case("Member")))
}

fn user(path: String) -> Call {
    get(path, vec![("$select".into(), SELECT.into())])
}

fn users(filter: String) -> Call {
    let query = vec![("$filter".into(), filter), ("$select".into(), SELECT.into())];
    get("/users".into(), query)
}

fn get(path: String, query: Vec<(String, String)>) -> Call {
    Call { method: Method::GET, path, query, headers: vec![], body: Body::Empty }
}

/// An `OData` string: quotes inside are doubled.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANA: &str = "2c7e4b1a-93d8-4f05-8a6c-5b1d0e9f7a32";

    fn row(changes: &Value) -> Value {
        let mut row = json!({"id": ANA, "userPrincipalName": "ana.ruiz@fabrikam.example", "mail": null,
            "accountEnabled": true, "userType": "Member", "externalUserState": null, "displayName": "Ana Ruiz"});
        for (name, value) in changes.as_object().expect("an object") {
            row[name] = value.clone();
        }
        row
    }

    fn standing(row: &Value) -> (bool, bool) {
        let principal = read(row).expect("a user");
        (principal.enabled, principal.kind == Some(PrincipalKind::Guest))
    }

    #[test]
    fn an_enabled_member_is_read_with_name_and_sign_in_name() {
        let ana = read(&row(&json!({}))).expect("a user");
        assert_eq!((ana.id.to_string().as_str(), ana.name.as_str()), (ANA, "Ana Ruiz"));
        let upn = ana.upn.as_deref();
        assert_eq!((upn, ana.enabled, ana.kind), (Some("ana.ruiz@fabrikam.example"), true, None));
    }

    #[test]
    fn what_is_missing_is_never_read_as_enabled_or_member() {
        let mut bare = row(&json!({}));
        bare.as_object_mut().expect("an object").retain(|name, _| name == "id" || name == "userPrincipalName");
        assert_eq!(standing(&bare), (false, true));
        assert_eq!(standing(&row(&json!({"accountEnabled": null}))), (false, false));
        assert_eq!(standing(&row(&json!({"accountEnabled": "true"}))), (false, false));
        assert_eq!(standing(&row(&json!({"accountEnabled": false}))), (false, false));
        assert_eq!(standing(&row(&json!({"userType": null}))), (true, true));
    }

    #[test]
    fn guests_are_known_by_type_by_name_and_by_invitation() {
        assert_eq!(standing(&row(&json!({"userType": "guest"}))), (true, true));
        assert_eq!(standing(&row(&json!({"userPrincipalName": "kim_x#ext#@f.example"}))), (true, true));
        assert_eq!(standing(&row(&json!({"externalUserState": "Accepted"}))), (true, true));
        assert_eq!(standing(&row(&json!({"externalUserState": "PendingAcceptance"}))), (false, true));
    }

    #[test]
    fn a_user_without_a_real_id_is_no_user() {
        for id in [json!("me"), json!(""), json!(null), json!([ANA])] {
            assert!(read(&row(&json!({"id": id}))).is_err());
        }
    }

    #[test]
    fn what_is_missing_is_never_read_as_enabled_or_assignable() {
        let bare = json!({"id": ANA, "appId": "x"});
        let (application, _) = read_service_principal(&bare).expect("a service principal");
        assert!(!application.enabled);
        assert!(!read_group(&bare).expect("a group").role_assignable);
        assert!(!read_group(&json!({"id": ANA, "isAssignableToRole": "true"})).expect("a group").role_assignable);
        assert!(read_group(&json!({"id": ANA, "isAssignableToRole": true})).expect("a group").role_assignable);
        assert!(read_group(&json!({"id": "all"})).is_err());
    }

    #[test]
    fn names_travel_encoded_and_quotes_doubled() {
        assert_eq!(by_upn("kim#EXT#@f.example").path, "/users/kim%23EXT%23%40f.example");
        assert_eq!(by_upn("$o'neil@f.example").path, "/users('%24o%27%27neil%40f.example')");
        assert_eq!(by_mail("o'neil@f.example").query[0].1, "mail eq 'o''neil@f.example'");
        let further = by_proxy_address("a@f.example");
        assert_eq!(further.query[0].1, "proxyAddresses/any(p:p eq 'smtp:a@f.example')");
    }

    #[test]
    fn only_the_usual_form_of_an_id_is_an_id() {
        assert!(object_id(ANA).is_some());
        assert!(object_id(&ANA.to_uppercase()).is_some());
        assert!(object_id(&format!("{{{ANA}}}")).is_none());
        assert!(object_id(&ANA.replace('-', "")).is_none());
    }

    #[test]
    fn groups_that_cannot_be_read_are_an_error() {
        let group = json!({"value": [ANA]});
        assert_eq!(read_groups(&group).expect("groups").len(), 1);
        for body in [json!({}), json!({"value": [1]}), json!({"value": "x"}), json!([ANA])] {
            assert!(read_groups(&body).is_err());
        }
    }
}
