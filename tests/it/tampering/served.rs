//! What stint gives out of the database as it is, as files of an auditor: a stint that was just started, asked over HTTP.

use std::path::PathBuf;

use serde_json::Value;

use super::whole::Whole;

/// What came of asking for all of it.
#[derive(Default)]
pub struct Served {
    /// What was given out.
    pub files: Vec<PathBuf>,
    /// What stint could or would not answer, and why.
    pub refused: Vec<String>,
}

/// Asks for everything: heads, proofs between them, one proof for each tile of the tree, packs, exports and the log. The
/// auditor goes on with what he gets.
pub async fn served(whole: &mut Whole) -> Served {
    whole.it.world.restart(|_, _| {}).await.expect("a restart");
    let whole = &*whole;
    let mut asking = Asking { whole, token: whole.it.auditor(), served: Served::default() };
    let (kept_size, kept) = &whole.heads[whole.heads.len() - 2];
    asking.keep("kept", kept);
    // A pack seals what waits, so heads and log are asked for after them.
    for request in whole.requests.iter().chain([&whole.faded]) {
        asking.ask(&format!("pack-{request}"), &format!("/v1/requests/{request}/evidence")).await;
    }
    let newest = asking.ask("newest", "/v1/audit/checkpoint").await;
    let size = newest.as_deref().and_then(size_of).unwrap_or(*kept_size);
    for (known, _) in &whole.heads {
        asking.ask(&format!("head-{known}"), &format!("/v1/audit/checkpoint?tree_size={known}")).await;
        if *known < size {
            asking.ask(&format!("consistency-{known}"), &format!("/v1/audit/proof?from={known}&to={size}")).await;
        }
    }
    for leaf in (0..size).step_by(256) {
        let path = format!("/v1/audit/proof?leaf_index={leaf}&tree_size={size}");
        asking.ask(&format!("inclusion-{leaf}"), &path).await;
    }
    asking.ask("log.ndjson", "/v1/audit/events?format=ndjson").await;
    asking.ask("requests.ndjson", "/v1/requests/export?format=ndjson").await;
    asking.ask("requests.csv", "/v1/requests/export?format=csv").await;
    asking.served
}

struct Asking<'a> {
    whole: &'a Whole,
    token: String,
    served: Served,
}

impl Asking<'_> {
    /// Keeps the answer as a file, and gives it.
    async fn ask(&mut self, name: &str, path: &str) -> Option<String> {
        let seen = self.whole.it.get(path, &self.token).await;
        if seen.status != 200 {
            self.served.refused.push(format!("{path}: {} {}", seen.status, seen.body));
            return None;
        }
        let text = match seen.body {
            Value::String(text) => text,
            document => document.to_string(),
        };
        self.keep(name, &text);
        Some(text)
    }

    fn keep(&mut self, name: &str, text: &str) {
        let path = self.whole.folder.path().join(name);
        std::fs::write(&path, text).expect("a file");
        self.served.files.push(path);
    }
}

/// How many events a head says that it is over.
fn size_of(note: &str) -> Option<u64> {
    note.lines().nth(1)?.parse().ok()
}
