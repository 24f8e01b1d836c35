//! Who may call what: every operation of the served OpenAPI document, called with every kind of token there is.
//!
//! Nothing here names a route. What a caller needs is read from the document's `security`, what to send from its
//! examples, and whatever comes back must be an answer that the document describes.

use http::Method;
use serde_json::{Map, Value, json};
use stint::{
    outbound::{self, Answer, Body, Call, Credential, Wire},
    sandbox::{ApiToken, jira::IssueDraft, story},
};

use crate::world::It;

/// The document as it is served, with what it says of one operation.
struct Told {
    document: Value,
}

/// One operation.
#[derive(Clone)]
struct Operation {
    method: Method,
    path: String,
    told: Value,
}

/// What a caller presents.
struct Presented {
    what: String,
    token: Option<String>,
    /// How it must come out where a role is needed.
    meaning: Meaning,
}

/// What a token is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    /// No proof of anybody.
    Nobody,
    /// Somebody without any role that matters.
    Stranger,
    /// Somebody with this role, who sees the story's request or does not.
    Holder { role: &'static str, sees: bool },
}

impl Told {
    fn operations(&self) -> Vec<Operation> {
        let mut found = Vec::new();
        for (path, item) in self.document["paths"].as_object().expect("paths") {
            for (method, told) in item.as_object().expect("an item") {
                let method = method.to_uppercase().parse().expect("a method");
                found.push(Operation { method, path: path.clone(), told: told.clone() });
            }
        }
        found
    }

    /// That this answer is one that the document describes.
    fn must_describe(&self, operation: &Operation, answer: &Answer, what: &str) {
        let status = answer.status.as_str();
        let described = &operation.told["responses"][status];
        assert!(described.is_object(), "{what}: {status} is not described: {}", text(answer));
        let kind = answer.headers.get("content-type").map(|kind| kind.to_str().expect("ascii"));
        let essence = kind.map(|kind| kind.split(';').next().unwrap_or_default().trim());
        let contents = described["content"].as_object();
        let Some(contents) = contents else {
            assert!(answer.body.is_empty(), "{what}: {status} is described without a body");
            return;
        };
        let content = contents.iter().find(|(media, _)| media.split(';').next() == essence);
        let (media, content) = content.unwrap_or_else(|| panic!("{what}: {status} came as {kind:?}"));
        if media.ends_with("json") {
            let whole = json!({ "components": self.document["components"], "allOf": [content["schema"]] });
            let validator = jsonschema::draft202012::new(&whole).expect("a schema");
            let body = serde_json::from_slice(&answer.body).expect("JSON");
            let faults: Vec<_> =
                validator.iter_errors(&body).map(|f| format!("{f} at {}", f.instance_path())).collect();
            assert!(faults.is_empty(), "{what}: {status} is not as described: {faults:#?}\n{body:#}");
        }
    }
}

impl Operation {
    /// The roles of which one is needed; none: no token is looked at.
    fn roles(&self) -> Vec<&str> {
        let needed = self.told["security"].as_array().into_iter().flatten();
        needed.filter_map(|needed| needed["entra"][0].as_str()).collect()
    }

    /// Whether it is about the one request of the story.
    fn is_about_the_request(&self) -> bool {
        self.path.starts_with("/v1/requests/{id}")
    }

    /// A call as its examples say, about this request.
    fn call(&self, request: &str) -> Call {
        let mut path = self.path.clone();
        let (mut query, mut headers) = (Vec::new(), Vec::new());
        for parameter in self.told["parameters"].as_array().into_iter().flatten() {
            let name = parameter["name"].as_str().expect("a name");
            let example = example(parameter);
            match parameter["in"].as_str() {
                Some("path") if self.is_about_the_request() => path = path.replace(&format!("{{{name}}}"), request),
                Some("path") => path = path.replace(&format!("{{{name}}}"), &example),
                Some("query") if parameter["required"] == true => query.push((name.to_owned(), example)),
                Some("header") if parameter["required"] == true => headers.push((header(name), example)),
                _ => {}
            }
        }
        let content = &self.told["requestBody"]["content"]["application/json"];
        let body = content.get("example").map_or(Body::Empty, |example| Body::Json(example.clone()));
        Call { method: self.method.clone(), path, query, headers, body }
    }

    /// The same call with every parameter of its query, as their examples say.
    fn whole_call(&self, request: &str) -> Call {
        let parameters = self.told["parameters"].as_array().into_iter().flatten();
        let asked = parameters.filter(|parameter| parameter["in"] == "query" && parameter["name"] != "cursor");
        let pair = |parameter: &Value| (parameter["name"].as_str().expect("a name").to_owned(), example(parameter));
        Call { query: asked.map(pair).collect(), ..self.call(request) }
    }

    /// What must hold of the answer's status.
    fn must_answer(&self, presented: &Presented, answer: &Answer, what: &str) {
        let status = answer.status.as_u16();
        let roles = self.roles();
        if self.path.starts_with("/webhooks/") {
            assert_eq!((status, answer.body.len()), (401, 0), "{what}: no token is a webhook's proof");
            return;
        }
        if roles.is_empty() {
            assert_eq!(status, 200, "{what}: it is open to all");
            return;
        }
        match presented.meaning {
            Meaning::Nobody => assert_eq!(status, 401, "{what}: {}", text(answer)),
            Meaning::Stranger => assert_eq!(status, 403, "{what}: {}", text(answer)),
            Meaning::Holder { role, .. } if !roles.contains(&role) => {
                assert_eq!(status, 403, "{what}: {}", text(answer));
            }
            Meaning::Holder { sees: false, .. } if self.is_about_the_request() => {
                assert_eq!(status, 404, "{what}: {}", text(answer));
            }
            Meaning::Holder { sees, .. } => {
                assert!(![401, 403].contains(&status), "{what}: {}", text(answer));
                if self.method == Method::GET && self.is_about_the_request() {
                    assert_eq!(status, 200, "{what}: {}", text(answer));
                }
                if self.path == "/v1/requests" {
                    let body: Value = serde_json::from_slice(&answer.body).expect("JSON");
                    assert_eq!(body["items"].as_array().map(Vec::len), Some(usize::from(sees)), "{what}");
                }
            }
        }
    }
}

fn text(answer: &Answer) -> String {
    String::from_utf8_lossy(&answer.body).into()
}

/// A parameter's example, as it is sent.
fn example(parameter: &Value) -> String {
    let given = [&parameter["example"], &parameter["schema"]["example"], &parameter["schema"]["examples"][0]];
    match given.into_iter().find(|example| !example.is_null()) {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => "1".into(),
    }
}

/// Headers are named by constants in a call.
fn header(name: &str) -> &'static str {
    match name.to_ascii_lowercase().as_str() {
        "idempotency-key" => "idempotency-key",
        other => panic!("{other} is a header that this test does not know how to send"),
    }
}

/// Every token there is, with what it is worth.
fn presented(it: &It) -> Vec<Presented> {
    [faulty(it), of_strangers(it), of_holders(it)].into_iter().flatten().collect()
}

/// Tokens that prove nobody.
fn faulty(it: &It) -> Vec<Presented> {
    let entra = &it.world.sandbox.entra;
    let honest = ApiToken::user(story::TENANT, story::API_AUDIENCE, story::LENA_ID, "Lena Vogt", &["Stint.Auditor"]);
    let claims = entra.api_claims(&honest);
    let now = it.world.clock.now().as_second();
    let claiming = |change: Value| {
        let mut claims = claims.clone();
        let members: Map<_, _> = change.as_object().cloned().expect("an object");
        claims.as_object_mut().expect("an object").extend(members);
        Some(entra.issue_api_token_with(json!({}), claims))
    };
    let headed = |change: Value| Some(entra.issue_api_token_with(change, claims.clone()));
    let good = entra.issue_api_token(&honest);
    let unsigned = good.rsplit_once('.').map(|(signed, _)| format!("{signed}."));
    let tokens = [
        ("no token", None),
        ("garbage", Some("garbage".to_owned())),
        ("no signature", unsigned),
        ("alg none", headed(json!({ "alg": "none" }))),
        ("alg HS256", headed(json!({ "alg": "HS256" }))),
        ("an unknown kid", headed(json!({ "kid": "unknown" }))),
        ("another aud", claiming(json!({ "aud": "somebody-elses-api" }))),
        ("another iss", claiming(json!({ "iss": "https://sts.windows.net/x/" }))),
        ("another tid", claiming(json!({ "tid": "00000000-0000-0000-0000-000000000001" }))),
        ("expired", claiming(json!({ "exp": now - 61 }))),
        ("not yet valid", claiming(json!({ "nbf": now + 120 }))),
        ("ver 1.0", claiming(json!({ "ver": "1.0" }))),
    ];
    let presented = |(what, token): (&str, _)| Presented { what: what.into(), token, meaning: Meaning::Nobody };
    tokens.map(presented).into()
}

/// Tokens of people that stint knows nothing of.
fn of_strangers(it: &It) -> Vec<Presented> {
    let roles: [&[&str]; 4] = [&[], &["Directory.Read"], &["Stint.Auditor."], &["stint.auditor"]];
    let stranger = |roles: &[&str]| Presented {
        what: format!("the roles {roles:?}"),
        token: Some(it.world.token(story::LENA_ID, "Lena Vogt", roles)),
        meaning: Meaning::Stranger,
    };
    roles.map(stranger).into()
}

/// Each role: for all tenants, for the request's, for another one; and requesters, the principal and another.
fn of_holders(it: &It) -> Vec<Presented> {
    let holder = |oid, granted: &str, role, sees| Presented {
        what: format!("{granted} held by {oid}"),
        token: Some(it.world.token(oid, "Somebody", &[granted])),
        meaning: Meaning::Holder { role, sees },
    };
    let mut found = vec![
        holder(story::NINA_ID, "Stint.Requester", "Stint.Requester", true),
        holder(story::OMAR_ID, "Stint.Requester", "Stint.Requester", false),
    ];
    for role in ["Stint.Auditor", "Stint.Operator"] {
        found.push(holder(story::LENA_ID, role, role, true));
        found.push(holder(story::LENA_ID, &format!("{role}.{}", story::TENANT_NAME), role, true));
        found.push(holder(story::LENA_ID, &format!("{role}.fabrikam"), role, false));
    }
    let app = ApiToken::app(story::TENANT, story::API_AUDIENCE, story::LENA_ID, &["Stint.Auditor"]);
    let app = it.world.sandbox.entra.issue_api_token(&app);
    let meaning = Meaning::Holder { role: "Stint.Auditor", sees: true };
    found.push(Presented { what: "Stint.Auditor held by an application".into(), token: Some(app), meaning });
    found
}

#[tokio::test]
async fn every_route_answers_every_kind_of_caller_as_the_document_says() {
    let it = It::begins().await;
    let ticket = it.approved(IssueDraft { duration: "PT15M".into(), ..IssueDraft::default() });
    let id = it.taken_in(&ticket).await;
    it.until(&id, "ended").await;
    let wire = Wire::new(outbound::Limits::default()).expect("a client");
    let base = it.world.running.url.parse().expect("a url");
    let send = async |call: &Call, token: Option<&str>| {
        let credential = token.map_or(Credential::Nobody, |token| Credential::Bearer(token.to_owned().into()));
        wire.send(&base, call, &credential).await.expect("an answer")
    };
    let document = it.fetch(&it.world.running.url, "/openapi.json", &Credential::Nobody).await.body;
    let told = Told { document };
    let (operations, presented) = (told.operations(), presented(&it));
    for operation in &operations {
        for presented in &presented {
            let what = format!("{} {} with {}", operation.method, operation.path, presented.what);
            let answer = send(&operation.call(&id), presented.token.as_deref()).await;
            operation.must_answer(presented, &answer, &what);
            told.must_describe(operation, &answer, &what);
        }
    }
    assert!(operations.len() >= 5 && presented.len() >= 24, "{} × {}", operations.len(), presented.len());
    println!("{} operations × {} callers, each answered as described", operations.len(), presented.len());
    it.ends().await;
}

#[tokio::test]
async fn every_question_can_be_asked_with_all_its_parameters() {
    let it = It::begins().await;
    let ticket = it.approved(IssueDraft { duration: "PT15M".into(), ..IssueDraft::default() });
    let id = it.taken_in(&ticket).await;
    it.until(&id, "ended").await;
    let wire = Wire::new(outbound::Limits::default()).expect("a client");
    let base = it.world.running.url.parse().expect("a url");
    let document = it.fetch(&it.world.running.url, "/openapi.json", &Credential::Nobody).await.body;
    let told = Told { document };
    for operation in told.operations().into_iter().filter(|operation| operation.method == Method::GET) {
        let what = format!("{} with all its parameters", operation.path);
        let call = operation.whole_call(&id);
        let answer = wire.send(&base, &call, &Credential::Bearer(it.auditor().into())).await.expect("an answer");
        told.must_describe(&operation, &answer, &what);
        assert!(answer.status.as_u16() < 500, "{what}: {}", text(&answer));
    }
    it.ends().await;
}

#[tokio::test]
async fn what_is_wrong_with_the_way_of_asking_is_told_in_documents() {
    let it = It::begins().await;
    let wire = Wire::new(outbound::Limits::default()).expect("a client");
    let base = it.world.running.url.parse().expect("a url");
    let auditor = it.auditor();
    let send = async |method: Method, path: &str| {
        let call = Call { method, path: path.into(), query: vec![], headers: vec![], body: Body::Empty };
        wire.send(&base, &call, &Credential::Bearer(auditor.clone().into())).await.expect("an answer")
    };
    for (method, path, status, code) in [
        (Method::GET, "/v1/nowhere", 404, "not-found"),
        (Method::DELETE, "/v1/requests", 405, "method-not-allowed"),
        (Method::PUT, "/openapi.json", 405, "method-not-allowed"),
    ] {
        let answer = send(method, path).await;
        assert_eq!(answer.status, status, "{path}");
        let body: Value = serde_json::from_slice(&answer.body).expect("a document");
        assert_eq!((body["code"].as_str(), body["status"].as_u64()), (Some(code), Some(u64::from(status))), "{path}");
    }
    for path in ["/v1/requests", "/openapi.json", "/docs"] {
        let head = send(Method::HEAD, path).await;
        assert_eq!((head.status.as_u16(), head.body.len()), (200, 0), "{path}");
    }
    let page = send(Method::GET, "/docs").await;
    let policy = page.headers["content-security-policy"].to_str().expect("ascii");
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    it.ends().await;
}
