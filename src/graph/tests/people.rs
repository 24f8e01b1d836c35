//! Who is meant by a name, asked of the directory over the wire.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    ANA, ana, error_body,
    server::{CLIENT, Reply, Server, reply},
    user_row,
};
use crate::domain::{assignment::Lookup, id::ObjectId};

const KIM: &str = "7d5b90e2-1c34-4a8f-b6d7-e0f1a2b3c4d5";

fn nobody() -> Reply {
    reply(404, error_body("Request_ResourceNotFound", "does not exist"))
}

fn users(rows: &[Value]) -> Reply {
    reply(200, json!({"value": rows}))
}

fn kim() -> Value {
    user_row(&json!({"id": KIM, "userPrincipalName": "kim@fabrikam.example"}))
}

/// A directory that knows Ana by id and sign-in name, and answers filters in this order.
async fn directory(filtered: impl IntoIterator<Item = Reply>) -> Server {
    let server = Server::start().await;
    server.on(&format!("GET /v1.0/users/{ANA}"), [reply(200, user_row(&json!({})))]);
    server.on("GET /v1.0/users/ana.ruiz%40fabrikam.example", [reply(200, user_row(&json!({})))]);
    server.on("GET /v1.0/users/ana%40fabrikam.example", [nobody()]);
    server.on(&format!("GET /v1.0/users/{KIM}"), [nobody()]);
    server.on("GET /v1.0/users", filtered);
    server
}

fn id_of(lookup: &Lookup) -> Option<ObjectId> {
    match lookup {
        Lookup::One(principal) => Some(principal.id),
        Lookup::Nobody | Lookup::Several | Lookup::Stint => None,
    }
}

#[tokio::test]
async fn an_id_or_a_sign_in_name_finds_one_user_with_the_needed_properties() {
    let server = directory([]).await;
    let graph = server.graph();
    for text in [ANA, "Ana.Ruiz@Fabrikam.example", "ana.ruiz@fabrikam.example"] {
        server.on("GET /v1.0/users/Ana.Ruiz%40Fabrikam.example", [reply(200, user_row(&json!({})))]);
        let found = graph.find_principal(text, &[]).await.expect("a directory");
        assert_eq!(id_of(&found), Some(ana()), "{text}");
    }
    let query = server.asked(&format!("GET /v1.0/users/{ANA}"))[0].uri.to_string();
    assert!(query.contains("?$select=id%2CuserPrincipalName%2Cmail%2CaccountEnabled%2CuserType"), "{query}");
}

#[tokio::test]
async fn an_unknown_id_is_nobody_and_is_not_looked_for_as_a_name() {
    let server = directory([users(&[kim()])]).await;
    assert_eq!(server.graph().find_principal(KIM, &[]).await, Ok(Lookup::Nobody));
    assert!(server.asked("GET /v1.0/users").is_empty());
}

#[tokio::test]
async fn what_is_no_user_is_found_by_its_id_and_only_where_its_kind_is_allowed() {
    use crate::domain::entitlement::PrincipalKind::{Group, ServicePrincipal};
    let server = directory([]).await;
    let application = json!({"id": KIM, "appId": "other", "displayName": "Deploy", "accountEnabled": true});
    let group = json!({"id": KIM, "displayName": "Admins", "isAssignableToRole": true});
    server.on(&format!("GET /v1.0/servicePrincipals/{KIM}"), [nobody(), reply(200, application)]);
    server.on(&format!("GET /v1.0/groups/{KIM}"), [reply(200, group)]);
    let graph = server.graph();
    assert_eq!(graph.find_principal(KIM, &[]).await, Ok(Lookup::Nobody));
    assert!(server.asked(&format!("GET /v1.0/groups/{KIM}")).is_empty());
    let found = graph.find_principal(KIM, &[ServicePrincipal, Group]).await.expect("a directory");
    assert!(matches!(found, Lookup::One(one) if one.kind == Some(Group)));
    let found = graph.find_principal(KIM, &[ServicePrincipal, Group]).await.expect("a directory");
    assert!(matches!(found, Lookup::One(one) if one.kind == Some(ServicePrincipal)));
}

#[tokio::test]
async fn a_mail_address_finds_its_only_owner_or_refuses() {
    let ana_row = || user_row(&json!({}));
    for (filtered, wanted) in [
        (vec![users(&[ana_row()])], "one"),
        (vec![users(&[]), users(&[ana_row()])], "one"),
        (vec![users(&[ana_row(), kim()])], "several"),
        (vec![users(&[]), users(&[ana_row(), kim()])], "several"),
        (vec![users(&[]), users(&[])], "nobody"),
    ] {
        let server = directory(filtered).await;
        let word = match server.graph().find_principal("ana@fabrikam.example", &[]).await.expect("a directory") {
            Lookup::One(_) => "one",
            Lookup::Nobody => "nobody",
            Lookup::Several => "several",
            Lookup::Stint => "stint",
        };
        assert_eq!(word, wanted);
    }
}

#[tokio::test]
async fn a_text_that_names_nobody_is_not_sent() {
    let server = directory([users(&[kim()])]).await;
    for text in ["", ".", "..", "Ana Ruiz", "users"] {
        assert_eq!(server.graph().find_principal(text, &[]).await, Ok(Lookup::Nobody));
    }
    assert!(server.asked("GET /v1.0/users").is_empty());
}

#[tokio::test]
async fn nobody_is_said_only_by_the_directory_itself() {
    let server = directory([]).await;
    for (answer, code) in [
        (reply(404, "<html>"), "graph-bad-answer"),
        (reply(404, error_body("SomethingElse", "")), "graph-refused"),
        (reply(200, kim()), "graph-bad-answer"),
        (reply(200, json!({"value": []})), "graph-bad-answer"),
        (reply(403, error_body("Authorization_RequestDenied", "")), "graph-permission"),
    ] {
        server.on(&format!("GET /v1.0/users/{ANA}"), [answer]);
        let error = server.graph().find_principal(ANA, &[]).await.expect_err(code);
        assert_eq!(error.code(), code);
    }
}

#[tokio::test]
async fn everybody_with_a_mail_address_is_found_once() {
    let server = directory([users(&[user_row(&json!({})), kim()]), users(&[kim()])]).await;
    let found = server.graph().find_by_mail("ana.ruiz@fabrikam.example").await.expect("a directory");
    assert_eq!(found, [ana(), KIM.parse().expect("an id")]);
}

#[tokio::test]
async fn groups_are_asked_for_twenty_at_a_time() {
    let groups: Vec<ObjectId> = (0..25).map(|_| ObjectId(Uuid::new_v4())).collect();
    let server = Server::start().await;
    let call = format!("POST /v1.0/users/{ANA}/checkMemberGroups");
    let first = json!({"value": [groups[3], Uuid::new_v4()]});
    server.on(&call, [reply(200, first), reply(200, json!({"value": [groups[24]]}))]);
    let found = server.graph().groups_among(ana(), &groups).await.expect("an answer");
    assert_eq!(found, [groups[3], groups[24]]);
    let sent: Vec<Value> = server.asked(&call).iter().map(|a| serde_json::from_slice(&a.body).expect("JSON")).collect();
    let sizes: Vec<_> = sent.iter().map(|body| body["groupIds"].as_array().map(Vec::len)).collect();
    assert_eq!(sizes, [Some(20), Some(5)]);
}

const GROUP: &str = "91e0c7b4-55a1-4d2e-8f3b-6a7c8d9e0f12";

/// A directory in which a user and stint's service principal are asked for, and in this group or not.
async fn who_is_in_the_group(stint: &[&str], user: &[&str]) -> Server {
    let server = directory([]).await;
    let own = "0f3c9b7e-1d52-4a86-b7c4-8e6f5a4d3c21";
    let row = json!({"id": own, "appId": CLIENT, "displayName": "stint", "accountEnabled": true});
    server.on(&format!("GET /v1.0/servicePrincipals(appId=%27{CLIENT}%27)"), [reply(200, &row)]);
    server.on(&format!("GET /v1.0/servicePrincipals(appId='{CLIENT}')"), [reply(200, row)]);
    server.on(&format!("POST /v1.0/servicePrincipals/{own}/checkMemberGroups"), [reply(200, json!({"value": stint}))]);
    server.on(&format!("GET /v1.0/users/{ANA}"), [reply(200, user_row(&json!({})))]);
    server.on(&format!("POST /v1.0/users/{ANA}/checkMemberGroups"), [reply(200, json!({"value": user}))]);
    server
}

#[tokio::test]
async fn a_group_holds_somebody_or_stint_itself_only_as_the_directory_says() {
    let group: ObjectId = GROUP.parse().expect("an id");
    for (stint, user, held) in [(&[][..], &[][..], false), (&[GROUP], &[], true), (&[], &[GROUP], true)] {
        let server = who_is_in_the_group(stint, user).await;
        assert_eq!(server.graph().holds_any(group, &[ana()]).await, Ok(held), "{stint:?} {user:?}");
    }
    let server = who_is_in_the_group(&[], &[]).await;
    server.on(&format!("POST /v1.0/users/{ANA}/checkMemberGroups"), [reply(403, error_body("SomethingNew", ""))]);
    let error = server.graph().holds_any(group, &[ana()]).await.expect_err("nobody can say");
    assert_eq!(error.code(), "graph-permission");
}
