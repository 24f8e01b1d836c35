//! An endpoint that takes each head as the text of a POST and answers with success.

use http::Method;
use secrecy::SecretString;
use url::Url;

use super::NotPublished;
use crate::outbound::{Body, Call, Credential, Wire};

pub(super) async fn publish(
    wire: &Wire,
    url: &Url,
    token: Option<&SecretString>,
    note: String,
) -> Result<(), NotPublished> {
    let credential = token.map_or(Credential::Nobody, |token| Credential::Bearer(token.clone()));
    let call =
        Call { method: Method::POST, path: String::new(), query: vec![], headers: vec![], body: Body::Text(note) };
    match wire.send(url, &call, &credential).await {
        Ok(answer) if answer.status.is_success() => Ok(()),
        Ok(answer) => Err(NotPublished(format!("it answered {}", answer.status))),
        Err(fault) => Err(NotPublished(fault.to_string())),
    }
}
