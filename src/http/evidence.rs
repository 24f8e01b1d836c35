//! `GET /v1/requests/{id}/evidence`: one pack that an auditor can file, and anybody verify offline.

use std::sync::Arc;

use axum::{
    extract::{Path, State},
    response::Response,
};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::{
    Api, answer,
    caller::{Admitted, Read},
    error::Problem,
    events::{self, Shape},
    proof::encoded,
    record::{self, Whole},
    refusals::{NotFound, TooBroad},
    requests,
};
use crate::{
    domain::{id::RequestId, proof::ShownEvent},
    store::{
        SignedHead,
        history::{Dossier, Filter},
    },
};

/// So often a pack is tried again because something happened to the request in the middle of it.
const TRIES: usize = 5;

/// Everything about one request that an auditor files. `stint audit verify` checks it with nothing but the verifier key,
/// which must be known from elsewhere.
#[derive(Serialize, ToSchema)]
#[schema(as = Evidence)]
pub(super) struct Pack<'a> {
    /// The version of this format: 1.
    stint_evidence: u8,
    /// The request with ticket snapshot, approval, decision, attempts, notes and timeline.
    request: Whole<'a>,
    /// Its events, oldest first, each with the proof that it is under the checkpoint; readings of history are not among them.
    /// Where facts of them may be gone after their time, the event of the log that says so as well.
    events: Vec<Proved>,
    /// The signed head of the audit log.
    checkpoint: &'a str,
    /// The public half of the key that signed it.
    verifier_key: &'a str,
    /// When the pack was made.
    made_at: Timestamp,
}

/// An event with its proof.
#[derive(Serialize, ToSchema)]
#[schema(as = ProvedEvent)]
struct Proved {
    #[serde(flatten)]
    #[schema(inline, value_type = Shape)]
    event: ShownEvent,
    /// The hashes that lead from it to the root of the checkpoint, in base64.
    inclusion_proof: Vec<String>,
}

/// What a pack is made of, all of one moment.
struct Parts {
    dossier: Dossier,
    events: Vec<ShownEvent>,
    head: SignedHead,
}

/// A pack that proves one request
///
/// The whole request, its events of the audit log, and the proof of each under a signed checkpoint. What is not sealed yet
/// is sealed first. That it was read, and by whom, is put down in the log, not in the pack.
#[utoipa::path(
    get,
    path = "/v1/requests/{id}/evidence",
    params(("id" = String, Path, description = "The request's id.", example = "019a48e1-6a70-7c31-9d8f-3f0f5a0e7b11")),
    responses(
        (status = 200, description = "The pack.", body = Pack, example = example),
        NotFound,
        TooBroad,
    )
)]
pub(super) async fn show(
    State(api): State<Arc<Api>>,
    by: Admitted,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let (id, _) = requests::visible(&api, &by, &id).await?;
    let filter = by.narrowed(Filter::default());
    let key = api.sealer.key().ok_or_else(|| api.unsigned())?;
    api.note_reading(&by, Read { what: "evidence", request: Some(id), filter: json!({}), count: 1 }).await?;
    let parts = parts(&api, id, &filter).await?;
    let pack = Pack {
        stint_evidence: 1,
        request: Whole::of(&parts.dossier)?,
        events: proved(&api, parts.events, parts.head.head.size).await?,
        checkpoint: &parts.head.note,
        verifier_key: key.verifier_key().as_str(),
        made_at: api.clock.now(),
    };
    Ok(answer(&pack))
}

/// The request and its events at a moment at which all of them are under a signed head.
async fn parts(api: &Api, id: RequestId, filter: &Filter) -> Result<Parts, Problem> {
    for _ in 0..TRIES {
        api.seal_now(api.clock.now()).await?;
        let head = api.newest_head().await?;
        let events = api.store.log_of_request(id).await.map_err(Problem::from_store)?;
        let dossier = api.store.dossier(id, filter).await.map_err(Problem::from_store)?;
        let dossier = dossier.ok_or_else(|| Problem::not_found("no request of this id is visible to you"))?;
        let sealed = |event: &ShownEvent| event.leaf_index.is_some_and(|leaf| leaf < head.head.size);
        // What says that facts were dropped is no event of the request.
        let told = events.iter().filter(|event| event.record.request_id.is_some()).count();
        if events.iter().all(sealed) && dossier.timeline.len() == told {
            return Ok(Parts { dossier, events, head });
        }
        if api.sealer.is_forked() {
            return Err(api.unsigned());
        }
    }
    Err(Problem::unavailable("the request changes faster than it is sealed", 5))
}

async fn proved(api: &Api, events: Vec<ShownEvent>, size: u64) -> Result<Vec<Proved>, Problem> {
    let leaves: Vec<_> = events.iter().filter_map(|event| event.leaf_index).collect();
    let proofs = api.store.inclusion_proofs(size, &leaves).await.map_err(Problem::from_store)?;
    let pairs = events.into_iter().zip(proofs);
    Ok(pairs.map(|(event, proof)| Proved { event, inclusion_proof: encoded(&proof) }).collect())
}

fn example() -> Value {
    let mut event = events::example::event();
    event["leaf_index"] = json!(0);
    event["inclusion_proof"] = json!(["m1Zp0oGmW8Yw3o2u0Qn5wq0mJ5b7nZ2y4d6f8h0j2l4="]);
    json!({
        "stint_evidence": 1,
        "request": record::example::whole(),
        "events": [event],
        "checkpoint": "stint.contoso.com\n2\nCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk=\n\n\
                       \u{2014} stint.contoso.com 5fGq1mUuMZ3Wx0J0lqBkYw7rTn5x6o0m7rX1y2bq0fZ8hX3s8cUu1kV9y0wq2rT4n6p8s1u3w5y7a9c1e3g5i7k9m1o=\n",
        "verifier_key": "stint.contoso.com+5f1aad66+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "made_at": "2026-11-03T13:00:00Z"
    })
}
