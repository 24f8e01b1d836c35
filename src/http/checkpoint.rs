//! `GET /v1/audit/checkpoint`: signed heads of the audit log.

use std::sync::Arc;

use axum::{
    extract::State,
    response::{IntoResponse as _, Response},
};
use http::header;
use jiff::Timestamp;
use serde::Deserialize;
use tracing::warn;

use super::{
    Api,
    error::Problem,
    params::Params,
    refusals::{BadRequest, NotFound},
};
use crate::store::{Sealing, SignedHead};

/// Which head.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// The head over so many events; without it the newest.
    #[param(minimum = 1, example = 1042)]
    tree_size: Option<u64>,
}

const EXAMPLE: &str = "stint.contoso.com\n1042\nCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk=\n\n\u{2014} stint.contoso.com \
                       5fGq1mUuMZ3Wx0J0lqBkYw7rTn5x6o0m7rX1y2bq0fZ8hX3s8cUu1kV9y0wq2rT4n6p8s1u3w5y7a9c1e3g5i7k9m1o=\n";

/// A signed head of the audit log
///
/// How many events the log has and the Merkle root over them (RFC 6962), as a C2SP checkpoint in a signed note. Keep what
/// you get: a later log must go on from it, which `/v1/audit/proof?from=` proves.
#[utoipa::path(
    get,
    path = "/v1/audit/checkpoint",
    params(Which),
    responses(
        (status = 200, description = "The signed note.", body = String, content_type = "text/plain; charset=utf-8",
         example = json!(EXAMPLE)),
        BadRequest,
        NotFound,
    )
)]
pub(super) async fn show(State(api): State<Arc<Api>>, Params(which, _): Params<Which>) -> Result<Response, Problem> {
    let head = api.store.signed_head(which.tree_size).await.map_err(Problem::from_store)?;
    let head = match (head, which.tree_size) {
        (Some(head), _) => head,
        (None, Some(_)) => return Err(Problem::not_found("no signed head of this size is kept")),
        (None, None) => return Err(api.unsigned()),
    };
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], head.note).into_response())
}

impl Api {
    /// The newest signed head.
    ///
    /// # Errors
    /// 503 where there is none.
    pub(super) async fn newest_head(&self) -> Result<SignedHead, Problem> {
        self.store.signed_head(None).await.map_err(Problem::from_store)?.ok_or_else(|| self.unsigned())
    }

    /// Seals what was committed until now.
    ///
    /// # Errors
    /// 503 when it cannot be sealed.
    pub(super) async fn seal_now(&self, now: Timestamp) -> Result<(), Problem> {
        match self.sealer.seal_now(now).await {
            Ok(Sealing::Whole(_)) => return Ok(()),
            Ok(Sealing::Busy) => {}
            Err(problem) => warn!(%problem, "the audit log is not sealed now, so nothing whole is given out of it"),
        }
        Err(Problem::unavailable("the audit log cannot be sealed now", 5))
    }

    /// Why no signature can be given.
    pub(super) fn unsigned(&self) -> Problem {
        match self.sealer.key() {
            None => Problem::unavailable("nothing is signed here: audit.signing_key_file names no key", 3600),
            Some(_) if self.sealer.is_forked() => {
                Problem::unavailable("the audit log does not go on from what was signed, so nothing is signed", 3600)
            }
            Some(_) => Problem::unavailable("nothing is sealed yet", 2),
        }
    }
}
