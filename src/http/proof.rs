//! `GET /v1/audit/proof`: that an event is in the log, and that a log goes on from an earlier one (RFC 6962).

use std::sync::Arc;

use axum::{extract::State, response::Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Api, answer,
    error::Problem,
    params::Params,
    refusals::{BadRequest, NotFound},
};
use crate::domain::proof::Hash;

/// What is to be proved: either of the two.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(super) struct Claim {
    /// That the event at this place of the log, from 0, is in it.
    #[param(example = 17)]
    leaf_index: Option<u64>,
    /// With `leaf_index`: in the log of so many events; without it the newest.
    #[param(minimum = 1, example = 1042)]
    tree_size: Option<u64>,
    /// That the log of so many events is the beginning of a later one.
    #[param(minimum = 1, example = 1000)]
    from: Option<u64>,
    /// With `from`: of the one of so many events; without it the newest.
    #[param(minimum = 1, example = 1042)]
    to: Option<u64>,
}

/// A proof; hashes are in base64.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = Proof)]
pub(super) enum Proof {
    Inclusion(InTree),
    Consistency(Prefix),
}

/// An event is in the log.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = InclusionProof)]
pub(super) struct InTree {
    /// Its place, from 0.
    leaf_index: u64,
    /// How many events the log has.
    tree_size: u64,
    /// The root over them.
    root: String,
    /// Its own hash.
    leaf_hash: String,
    /// The hashes that lead from it to the root.
    inclusion_proof: Vec<String>,
}

/// A log is the beginning of a later one.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ConsistencyProof)]
pub(super) struct Prefix {
    /// How many events the earlier one has.
    from: u64,
    /// How many events the later one has.
    to: u64,
    /// The root over the earlier one.
    from_root: String,
    /// The root over the later one.
    to_root: String,
    /// The hashes that lead from one to the other.
    consistency_proof: Vec<String>,
}

/// A proof about the audit log
///
/// With `leaf_index`: that the event at this place is in the log of `tree_size` events. With `from`: that the log of so
/// many events is the beginning of the log of `to` events. Only hashes are given out.
#[utoipa::path(
    get,
    path = "/v1/audit/proof",
    params(Claim),
    responses(
        (status = 200, description = "The proof.", body = Proof, examples(
            ("inclusion" = (value = json!({
                "leaf_index": 1, "tree_size": 3,
                "root": "zCF+MhlYzPGFpbVcMO1DnQ3b4FzjUV4Bx7rVlLJqC0Q=",
                "leaf_hash": "lRp8iNn8mNrGv8mnTLkXsVjh0b1Bd1mkG8kz0J6tR2E=",
                "inclusion_proof": [
                    "3Vb1b2bX8w0w5c7n1mVYt2m1vJrJd0tq7mX6jJm9w8A=",
                    "m1Zp0oGmW8Yw3o2u0Qn5wq0mJ5b7nZ2y4d6f8h0j2l4="
                ]
            }))),
            ("consistency" = (value = json!({
                "from": 2, "to": 3,
                "from_root": "Qm9yW8Yw3o2u0Qn5wq0mJ5b7nZ2y4d6f8h0j2l4n6p8=",
                "to_root": "zCF+MhlYzPGFpbVcMO1DnQ3b4FzjUV4Bx7rVlLJqC0Q=",
                "consistency_proof": ["m1Zp0oGmW8Yw3o2u0Qn5wq0mJ5b7nZ2y4d6f8h0j2l4="]
            })))
        )),
        BadRequest,
        NotFound,
    )
)]
pub(super) async fn show(State(api): State<Arc<Api>>, Params(claim, _): Params<Claim>) -> Result<Response, Problem> {
    let proof = match (claim.leaf_index, claim.tree_size, claim.from, claim.to) {
        (Some(leaf), size, None, None) => Proof::Inclusion(inclusion(&api, leaf, size).await?),
        (None, None, Some(from), to) => Proof::Consistency(consistency(&api, from, to).await?),
        _ => return Err(Problem::bad_request("either leaf_index, with tree_size or not, or from, with to or not")),
    };
    Ok(answer(&proof))
}

async fn inclusion(api: &Api, leaf_index: u64, size: Option<u64>) -> Result<InTree, Problem> {
    let tree_size = sealed(api, size).await?;
    if leaf_index >= tree_size {
        return Err(Problem::bad_request("leaf_index is a place from 0, below tree_size"));
    }
    let leaf = api.store.leaf_hash(leaf_index).await.map_err(Problem::from_store)?;
    let leaf = leaf.ok_or_else(|| Problem::not_found("nothing is sealed at this place"))?;
    let proofs = api.store.inclusion_proofs(tree_size, &[leaf_index]).await.map_err(Problem::from_store)?;
    let root = api.store.tree_root(tree_size).await.map_err(Problem::from_store)?;
    let inclusion_proof = proofs.first().map(|proof| encoded(proof)).unwrap_or_default();
    Ok(InTree { leaf_index, tree_size, root: root.to_string(), leaf_hash: leaf.to_string(), inclusion_proof })
}

async fn consistency(api: &Api, from: u64, to: Option<u64>) -> Result<Prefix, Problem> {
    let to = sealed(api, to).await?;
    if !(1..=to).contains(&from) {
        return Err(Problem::bad_request("from is a number of events from 1 to `to`"));
    }
    let proof = api.store.consistency_proof(from, to).await.map_err(Problem::from_store)?;
    let from_root = api.store.tree_root(from).await.map_err(Problem::from_store)?.to_string();
    let to_root = api.store.tree_root(to).await.map_err(Problem::from_store)?.to_string();
    Ok(Prefix { from, to, from_root, to_root, consistency_proof: encoded(&proof) })
}

/// This size, which must have been reached; without one the newest.
async fn sealed(api: &Api, size: Option<u64>) -> Result<u64, Problem> {
    let newest = api.store.tree_size().await.map_err(Problem::from_store)?;
    let size = size.unwrap_or(newest);
    if size <= newest { Ok(size) } else { Err(Problem::not_found("the log has not so many sealed events")) }
}

/// Hashes as the API writes them.
pub(super) fn encoded(hashes: &[Hash]) -> Vec<String> {
    hashes.iter().map(ToString::to_string).collect()
}
