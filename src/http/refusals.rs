//! Refusals as the OpenAPI document tells them: a handler names each in one word.

use std::collections::BTreeMap;

use http::{StatusCode, header};
use serde_json::Value;
use utoipa::{
    IntoResponses,
    openapi::{
        Content, HeaderBuilder, ObjectBuilder, Ref, RefOr, Response, ResponseBuilder, Type, example::ExampleBuilder,
    },
};
use uuid::Uuid;

use super::error::Problem;

macro_rules! refusals {
    ($($name:ident $example:expr;)*) => {$(
        #[doc = concat!("A refusal as `", stringify!($example), "` makes it.")]
        pub struct $name;

        impl IntoResponses for $name {
            fn responses() -> BTreeMap<String, RefOr<Response>> {
                told(&$example)
            }
        }
    )*};
}

refusals! {
    BadRequest Problem::bad_request("limit is a number from 1 to 200");
    Unauthorized Problem::unauthorized("the access token is not valid: expired");
    Forbidden Problem::forbidden("the token's roles do not allow this");
    NotFound Problem::not_found("no request of this id is visible to you");
    Timeout Problem::timeout("the body did not arrive in time");
    TooLarge Problem::too_large(1_048_576);
    UnsupportedMediaType Problem::unsupported_media_type("the body is application/json");
    Unprocessable Problem::unprocessable("SEC-12 is no ticket number of this connection");
    TooBroad Problem::too_broad();
    Internal Problem::internal();
    Unavailable Problem::unavailable("the history cannot be read now", 30);
}

/// A refusal of what stands against what is there already: a key that came with another body, or a request that is over.
pub struct Conflict;

impl IntoResponses for Conflict {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let key = Problem::conflict("idempotency-conflict", "this Idempotency-Key came before, with another body");
        let over = Problem::conflict("over", "the request is over: it is ended; nothing was done");
        told_as(&key, |content| {
            let named = [&key, &over].map(|problem| {
                let example = ExampleBuilder::new().value(Some(shown(problem))).build();
                (problem.code().to_owned(), RefOr::T(example))
            });
            content.examples = BTreeMap::from(named);
        })
    }
}

/// A refusal by its status, with the document it comes as.
pub(super) fn told(problem: &Problem) -> BTreeMap<String, RefOr<Response>> {
    told_as(problem, |content| content.example = Some(shown(problem)))
}

/// As it comes. It always serializes.
fn shown(problem: &Problem) -> Value {
    let problem = problem.clone().of_request(Some(Uuid::from_u128(0x0199_f2d8_1c5e_7a40_8b1d_2f6e_9c3a_4d57)));
    serde_json::to_value(&problem).unwrap_or_default()
}

fn told_as(problem: &Problem, exemplify: impl FnOnce(&mut Content)) -> BTreeMap<String, RefOr<Response>> {
    let mut content = Content::new(Some(Ref::from_schema_name("Problem")));
    exemplify(&mut content);
    let mut response = ResponseBuilder::new().description(problem.title()).content("application/problem+json", content);
    for (status, name, meaning) in [
        (StatusCode::UNAUTHORIZED, header::WWW_AUTHENTICATE, "`Bearer`."),
        (StatusCode::SERVICE_UNAVAILABLE, header::RETRY_AFTER, "Seconds to wait before asking again."),
    ] {
        if problem.status() == status {
            let text = ObjectBuilder::new().schema_type(Type::String).build();
            let header = HeaderBuilder::new().schema(Some(text)).description(Some(meaning)).build();
            response = response.header(name.as_str(), header);
        }
    }
    BTreeMap::from([(problem.status().as_str().to_owned(), response.build().into())])
}
