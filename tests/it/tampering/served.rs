//! What stint gives out of the database as it is, as files of an auditor.

use std::path::PathBuf;

use aws_lc_rs::digest::{SHA256, digest};
use jiff::ToSpan as _;
use serde_json::{Value, json};
use stint::domain::proof::{Closing, Hash};

use super::whole::Whole;

/// What came of asking for all of it.
#[derive(Default)]
pub struct Served {
    /// What was given out.
    pub files: Vec<PathBuf>,
    /// What stint could or would not answer, and why.
    pub refused: Vec<String>,
}

/// Asks for everything: heads, proofs between them, one proof for each tile of the tree, packs, requests and the log. The
/// auditor goes on with what he gets.
pub async fn served(whole: &Whole) -> Served {
    let mut served = Served::default();
    let (kept_size, kept) = whole.heads[whole.heads.len() - 2].clone();
    served.take(whole, "kept", Ok(kept.clone()));
    let (size, note) = match head(whole, None).await {
        Ok((size, note)) => {
            served.take(whole, "newest", Ok(note.clone()));
            (size, note)
        }
        Err(why) => {
            served.take(whole, "newest", Err(why));
            (kept_size, kept)
        }
    };
    for (known, _) in &whole.heads {
        let note = head(whole, Some(*known)).await.map(|(_, note)| note);
        served.take(whole, &format!("head-{known}"), note);
        if *known < size {
            served.take(whole, &format!("consistency-{known}"), consistency(whole, *known, size).await);
        }
    }
    for leaf in (0..size).step_by(256) {
        served.take(whole, &format!("inclusion-{leaf}"), inclusion(whole, leaf, size).await);
    }
    for request in &whole.requests {
        served.take(whole, &format!("pack-{request}"), pack(whole, request, size, &note).await);
    }
    served.take(whole, "requests", rows(whole).await);
    served.take(whole, "log", log(whole).await);
    served
}

impl Served {
    fn take(&mut self, whole: &Whole, name: &str, text: Result<String, String>) {
        match text {
            Ok(text) => {
                let path = whole.folder.path().join(name);
                std::fs::write(&path, text).expect("a file");
                self.files.push(path);
            }
            Err(why) => self.refused.push(format!("{name}: {why}")),
        }
    }
}

async fn head(whole: &Whole, size: Option<u64>) -> Result<(u64, String), String> {
    let head = whole.store.signed_head(size).await.map_err(words)?.ok_or("there is no such head")?;
    Ok((head.head.size, head.note))
}

fn words(fault: impl std::fmt::Display) -> String {
    fault.to_string()
}

fn encoded(hashes: &[Hash]) -> Vec<String> {
    hashes.iter().map(ToString::to_string).collect()
}

async fn consistency(whole: &Whole, from: u64, to: u64) -> Result<String, String> {
    let proof = whole.store.consistency_proof(from, to).await.map_err(words)?;
    let (from_root, to_root) =
        (whole.store.tree_root(from).await.map_err(words)?, whole.store.tree_root(to).await.map_err(words)?);
    let answer = json!({
        "from": from, "to": to, "from_root": from_root.to_string(), "to_root": to_root.to_string(),
        "consistency_proof": encoded(&proof),
    });
    Ok(answer.to_string())
}

async fn inclusion(whole: &Whole, leaf: u64, size: u64) -> Result<String, String> {
    let proofs = whole.store.inclusion_proofs(size, &[leaf]).await.map_err(words)?;
    let hash = whole.store.leaf_hash(leaf).await.map_err(words)?.ok_or("nothing is sealed there")?;
    let answer = json!({
        "leaf_index": leaf, "tree_size": size, "root": whole.store.tree_root(size).await.map_err(words)?.to_string(),
        "leaf_hash": hash.to_string(), "inclusion_proof": encoded(&proofs[0]),
    });
    Ok(answer.to_string())
}

async fn pack(whole: &Whole, request: &str, size: u64, note: &str) -> Result<String, String> {
    let seen = whole.it.get(&format!("/v1/requests/{request}"), &whole.it.auditor()).await;
    if seen.status != 200 {
        return Err(format!("the request {request}: {}", seen.body));
    }
    let events = whole.store.log_of_request(request.parse().expect("an id")).await.map_err(words)?;
    // What reading it just added is not sealed, and belongs to nobody's evidence yet.
    let events: Vec<_> = events.into_iter().filter(|event| event.leaf_index.is_some()).collect();
    let leaves: Vec<_> = events.iter().filter_map(|event| event.leaf_index).collect();
    let proofs = whole.store.inclusion_proofs(size, &leaves).await.map_err(words)?;
    let shown = events.iter().zip(proofs).map(|(event, proof)| {
        let mut event = json!(event);
        event["inclusion_proof"] = json!(encoded(&proof));
        event
    });
    let pack = json!({
        "stint_evidence": 1, "request": seen.body, "events": shown.collect::<Vec<_>>(), "checkpoint": note,
        "verifier_key": whole.key.verifier_key().as_str(), "made_at": whole.it.world.clock.now(),
    });
    Ok(pack.to_string())
}

async fn rows(whole: &Whole) -> Result<String, String> {
    let seen = whole.it.get("/v1/requests?limit=200", &whole.it.auditor()).await;
    if seen.status != 200 {
        return Err(format!("the list: {}", seen.body));
    }
    let items = seen.body["items"].as_array().ok_or("no list")?;
    Ok(closed(whole, "requests", items.iter().map(row)))
}

/// A request as an export shows it.
fn row(document: &Value) -> Value {
    let columns = [
        ("id", "/id"),
        ("tenant", "/tenant"),
        ("connection", "/connection"),
        ("status", "/status"),
        ("received_at", "/received_at"),
        ("ticket_id", "/ticket/id"),
        ("snapshot_digest", "/ticket/snapshot_digest"),
        ("principal_id", "/principal/id"),
        ("principal_name", "/principal/name"),
        ("entitlement_key", "/entitlement/key"),
        ("granted_duration", "/decision/duration"),
        ("bound_by", "/decision/bound_by"),
        ("approvers", "/approval/approvers"),
        ("decided_at", "/decision/decided_at"),
        ("reasons", "/decision/reasons"),
        ("starts_at", "/assignment/starts_at"),
        ("ends_at", "/assignment/ends_at"),
        ("end_cause", "/end/cause"),
        ("end_reason", "/end/reason"),
        ("end_confirmed_at", "/end/confirmed_at"),
        ("lag_seconds", "/end/lag_seconds"),
    ];
    let part = |(column, path): (&str, &str)| (column.to_owned(), document.pointer(path).cloned().unwrap_or_default());
    Value::Object(columns.map(part).into_iter().collect())
}

async fn log(whole: &Whole) -> Result<String, String> {
    let size = whole.store.tree_size().await.map_err(words)?;
    let events = whole.store.log_between(0, size).await.map_err(words)?;
    Ok(closed(whole, "audit-events", events.iter().map(|event| json!(event))))
}

fn closed(whole: &Whole, what: &str, lines: impl Iterator<Item = Value>) -> String {
    let lines: Vec<_> = lines.map(|line| format!("{line}\n")).collect();
    let text = lines.concat();
    let closing = Closing {
        format: "ndjson".into(),
        what: what.into(),
        filter: json!({}),
        from: None,
        to: None,
        count: lines.len() as u64,
        sha256: hex::encode(digest(&SHA256, text.as_bytes())),
        at: whole.it.world.clock.now() + 1.hour(),
        by: "stint".into(),
        note: None,
    };
    text + &closing.signed(&whole.key).expect("signed").ndjson_line()
}
