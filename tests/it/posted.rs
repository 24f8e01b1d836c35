//! Operators' calls over HTTP.

use serde_json::Value;
use stint::outbound::{self, Body, Call, Credential, Wire};

use crate::world::It;

/// An answer to a call, byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posted {
    pub status: u16,
    pub kind: String,
    pub text: String,
}

impl Posted {
    /// The answer read.
    pub fn body(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {}", self.text))
    }
}

/// Posts to a public route; without a key, no `Idempotency-Key` is sent.
pub async fn post(it: &It, path: &str, token: &str, key: Option<&str>, body: Option<Value>) -> Posted {
    let wire = Wire::new(outbound::Limits::default()).expect("a client");
    let headers = key.map(|key| ("idempotency-key", key.to_owned())).into_iter().collect();
    let body = body.map_or(Body::Empty, Body::Json);
    let call = Call { method: http::Method::POST, path: path.into(), query: vec![], headers, body };
    let base = it.world.running.url.parse().expect("a url");
    let answer = wire.send(&base, &call, &Credential::Bearer(token.to_owned().into())).await.expect("an answer");
    let kind = answer.headers.get("content-type").map(|kind| kind.to_str().expect("ascii").to_owned());
    let text = String::from_utf8(answer.body).expect("text");
    Posted { status: answer.status.as_u16(), kind: kind.unwrap_or_default(), text }
}
