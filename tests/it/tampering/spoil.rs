//! One tampering at a time, each certain to change something that stint gives out.

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgConnection};
use stint::domain::{audit::digest, proof::SigningKey};

use super::whole::{Whole, root, run};
use crate::mutation::Dice;

/// Every kind, each as often as the others.
pub const KINDS: [&str; 24] = [
    "record edited",
    "record edited, tree recomputed",
    "facts edited",
    "facts edited with their digest",
    "facts edited, tree recomputed",
    "facts removed",
    "record removed",
    "event removed whole",
    "event removed, places closed up",
    "event removed, tree recomputed",
    "places swapped",
    "places swapped, tree recomputed",
    "places shifted",
    "tail cut",
    "event put in",
    "event put in, tree recomputed",
    "leaf hash edited",
    "node edited",
    "checkpoint's note edited",
    "checkpoint's root edited",
    "checkpoint signed by another",
    "checkpoint removed",
    "request edited",
    "request removed",
];

/// Does it, and says what was done.
pub async fn spoil(whole: &Whole, kind: &str, dice: &mut Dice) -> String {
    let mut sql = whole.owner().await;
    let first = kind.split(", ").next().unwrap_or(kind);
    let done = match first {
        "record edited" => edit_record(&mut sql, whole, dice).await,
        "facts edited" if kind.ends_with("recomputed") => edit_facts(&mut sql, whole, dice, true).await,
        "facts edited" => edit_facts(&mut sql, whole, dice, false).await,
        "facts edited with their digest" => edit_facts(&mut sql, whole, dice, true).await,
        "facts removed" => remove(&mut sql, whole, dice, &["audit_details"]).await,
        "record removed" => remove(&mut sql, whole, dice, &["audit_events"]).await,
        "event removed whole" => {
            remove(&mut sql, whole, dice, &["audit_details", "audit_events", "audit_leaves"]).await
        }
        "event removed" => close_up(&mut sql, whole, dice).await,
        "places swapped" => swap(&mut sql, whole, dice).await,
        "places shifted" => shift(&mut sql, whole, dice).await,
        "tail cut" => cut(&mut sql, whole, dice).await,
        "event put in" => put_in(&mut sql, whole, dice).await,
        "leaf hash edited" => edit_hash(&mut sql, "audit_leaves", "leaf_index", below(dice, whole.size())).await,
        "node edited" => edit_hash(&mut sql, "audit_nodes", "node_index", below(dice, whole.size() / 256)).await,
        "checkpoint's root edited" => edit_root(&mut sql, whole, dice).await,
        "checkpoint's note edited" => edit_note(&mut sql, whole, dice).await,
        "checkpoint signed by another" => sign_anew(&mut sql, whole, dice).await,
        "checkpoint removed" => {
            let size = dice.pick(&whole.heads).0;
            one(&mut sql, format!("delete from audit_checkpoints where tree_size = {size}")).await
        }
        "request edited" => edit_request(&mut sql, whole, dice).await,
        "request removed" => {
            let id = dice.pick(&whole.requests);
            one(&mut sql, format!("delete from requests where id = '{id}'")).await
        }
        other => panic!("nobody does {other}"),
    };
    if kind.ends_with("recomputed") {
        whole.recompute().await;
    }
    done
}

fn below(dice: &mut Dice, end: u64) -> u64 {
    dice.next() % end
}

/// Runs one statement that changes exactly one row.
async fn one(sql: &mut PgConnection, text: String) -> String {
    let done = sqlx::query(AssertSqlSafe(text.clone())).execute(sql).await;
    let rows = done.unwrap_or_else(|error| panic!("{text}: {error}")).rows_affected();
    assert_eq!(rows, 1, "{text}");
    text
}

/// Which event stands at this place.
async fn at(sql: &mut PgConnection, place: u64) -> i64 {
    let text = format!("select event_id from audit_leaves where leaf_index = {place}");
    sqlx::query_scalar(AssertSqlSafe(text)).fetch_one(sql).await.expect("an event")
}

/// An event that the kept checkpoint covers and whose facts are there.
async fn with_facts(sql: &mut PgConnection, whole: &Whole, dice: &mut Dice) -> (i64, Value) {
    loop {
        let event = at(sql, below(dice, whole.kept_size())).await;
        let text = format!("select detail from audit_details where event_id = {event}");
        let facts = sqlx::query_scalar(AssertSqlSafe(text)).fetch_optional(&mut *sql).await.expect("a table");
        if let Some(facts) = facts {
            return (event, facts);
        }
    }
}

/// Any column of a record.
async fn edit_record(sql: &mut PgConnection, whole: &Whole, dice: &mut Dice) -> String {
    let event = at(sql, below(dice, whole.kept_size())).await;
    let request = dice.pick(&whole.requests);
    let other = |column: &str| format!("{column} = case when {column} = 'active' then 'ended' else 'active' end");
    let change = match dice.below(10) {
        0 => "actor = actor || '0'".to_owned(),
        1 => "event = 're' || event".to_owned(),
        2 => "connection = coalesce(connection, '') || 'x'".to_owned(),
        3 => "tenant = coalesce(tenant, '') || 'x'".to_owned(),
        4 => other("state_from"),
        5 => other("state_to"),
        6 => format!("request_id = case when request_id = '{request}' then null else '{request}'::uuid end"),
        7 => format!("at = at + interval '{} microseconds'", 1 + dice.below(1_000_000_000)),
        8 => "detail_sha256 = set_byte(detail_sha256, 7, (get_byte(detail_sha256, 7) + 1) % 256)".to_owned(),
        _ => return renumber(sql, event).await,
    };
    one(sql, format!("update audit_events set {change} where id = {event}")).await
}

/// Another number for an event, wherever it stands.
async fn renumber(sql: &mut PgConnection, event: i64) -> String {
    let new = event + 1_000_000;
    let text = format!(
        "update audit_details set event_id = {new} where event_id = {event}; \
         update audit_leaves set event_id = {new} where event_id = {event}; \
         delete from audit_events where id = {event} returning 1"
    );
    // An identity column takes no update: the row is written anew.
    let copy = format!(
        "insert into audit_events (id, at, request_id, connection, tenant, event, actor, state_from, state_to, detail_sha256) \
         overriding system value select {new}, at, request_id, connection, tenant, event, actor, state_from, state_to, \
         detail_sha256 from audit_events where id = {event}; {text}"
    );
    run(sql, copy.clone()).await;
    copy
}

/// Somewhere deep in an event's facts.
async fn edit_facts(sql: &mut PgConnection, whole: &Whole, dice: &mut Dice, with_digest: bool) -> String {
    let (event, before) = loop {
        let (event, facts) = with_facts(sql, whole, dice).await;
        if facts != json!({}) {
            break (event, facts);
        }
    };
    let mut after = before.clone();
    change_a_leaf(&mut after, dice);
    sqlx::query("update audit_details set detail = $1 where event_id = $2")
        .bind(&after)
        .bind(event)
        .execute(&mut *sql)
        .await
        .expect("edited");
    if with_digest {
        let digest = hex::encode(digest(&after));
        one(sql, format!("update audit_events set detail_sha256 = '\\x{digest}' where id = {event}")).await;
    }
    format!("event {event}: {before} becomes {after}")
}

/// Another value for one of the innermost members.
pub fn change_a_leaf(value: &mut Value, dice: &mut Dice) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            let place = dice.below(members.len());
            if let Some((_, member)) = members.iter_mut().nth(place) {
                change_a_leaf(member, dice);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            let place = dice.below(items.len());
            change_a_leaf(&mut items[place], dice);
        }
        Value::String(text) => text.push('0'),
        Value::Number(number) => *value = json!(number.as_i64().unwrap_or_default() + 1),
        Value::Bool(is) => *value = json!(!*is),
        other => *other = json!("0"),
    }
}

async fn remove(sql: &mut PgConnection, whole: &Whole, dice: &mut Dice, tables: &[&str]) -> String {
    let (event, _) = with_facts(sql, whole, dice).await;
    for table in tables {
        let key = if *table == "audit_events" { "id" } else { "event_id" };
        one(sql, format!("delete from {table} where {key} = {event}")).await;
    }
    format!("event {event} is gone from {tables:?}")
}

/// An event is gone, and those after it move up.
async fn close_up(sql: &mut PgConnection, whole: &Whole, dice: &mut Dice) -> String {
    let place = below(dice, whole.kept_size() - 1);
    let event = at(sql, place).await;
    run(
        sql,
        format!(
            "delete from audit_details where event_id = {event}; delete from audit_events where id = {event}; \
         delete from audit_leaves where event_id = {event}; \
         update audit_leaves set leaf_index = leaf_index + 1000000 where leaf_index > {place}; \
         update audit_leaves set leaf_index = leaf_index - 1000001 where leaf_index > 999999"
        ),
    )
    .await;
    format!("event {event} at leaf {place} is gone, the others move up")
}

async fn swap(sql: &mut PgConnection, whole: &Whole, dice: &mut Dice) -> String {
    let one = below(dice, whole.kept_size());
    let other = (one + 1 + below(dice, whole.kept_size() - 1)) % whole.kept_size();
    let (first, second) = (at(sql, one).await, at(sql, other).await);
    run(
        sql,
        format!(
            "update audit_leaves set event_id = -1 where leaf_index = {one}; \
         update audit_leaves set event_id = {first} where leaf_index = {other}; \
         update audit_leaves set event_id = {second} where leaf_index = {one}"
        ),
    )
    .await;
    format!("leaves {one} and {other} have changed their events")
}

/// From some place on, all places are others.
async fn shift(sql: &mut PgConnection, whole: &Whole, dice: &mut Dice) -> String {
    let (place, by) = (below(dice, whole.kept_size()), 1 + dice.below(5));
    run(
        sql,
        format!(
            "update audit_leaves set leaf_index = leaf_index + 1000000 where leaf_index >= {place}; \
         update audit_leaves set leaf_index = leaf_index - 1000000 + {by} where leaf_index >= 1000000"
        ),
    )
    .await;
    format!("places from {place} on are {by} more")
}

/// Nothing is left of what came after some event that the kept checkpoint covers.
async fn cut(sql: &mut PgConnection, whole: &Whole, dice: &mut Dice) -> String {
    let size = 1 + below(dice, whole.kept_size() - 1);
    let gone = format!("(select event_id from audit_leaves where leaf_index >= {size})");
    run(
        sql,
        format!(
            "delete from audit_details where event_id in {gone}; delete from audit_events where id in {gone}; \
         delete from audit_leaves where leaf_index >= {size}; delete from audit_checkpoints where tree_size > {size}; \
         delete from audit_nodes where (node_index + 1) * 256 > {size}"
        ),
    )
    .await;
    format!("{size} events are left")
}

/// An event that never happened, between two others.
async fn put_in(sql: &mut PgConnection, whole: &Whole, dice: &mut Dice) -> String {
    let (place, id) = (below(dice, whole.kept_size()), 2_000_000 + dice.below(1000));
    let before = at(sql, place).await;
    run(
        sql,
        format!(
            "update audit_leaves set leaf_index = leaf_index + 1000000 where leaf_index >= {place}; \
         update audit_leaves set leaf_index = leaf_index - 999999 where leaf_index >= 1000000; \
         insert into audit_events (id, at, event, actor, detail_sha256) overriding system value \
         select {id}, at, 'history-read', 'stint', sha256('{{}}') from audit_events where id = {before}; \
         insert into audit_details (event_id, detail) values ({id}, '{{}}'); \
         insert into audit_leaves (leaf_index, event_id, hash) select {place}, {id}, hash from audit_leaves limit 1"
        ),
    )
    .await;
    format!("event {id} is put in at leaf {place}")
}

async fn edit_hash(sql: &mut PgConnection, table: &str, key: &str, place: u64) -> String {
    let byte = place % 32;
    let change = format!("set_byte(hash, {byte}, (get_byte(hash, {byte}) + 1) % 256)");
    one(sql, format!("update {table} set hash = {change} where {key} = {place}")).await
}

async fn edit_root(sql: &mut PgConnection, whole: &Whole, dice: &mut Dice) -> String {
    let (size, byte) = (dice.pick(&whole.heads).0, dice.below(32));
    let change = format!("set_byte(root, {byte}, (get_byte(root, {byte}) + 1) % 256)");
    one(sql, format!("update audit_checkpoints set root = {change} where tree_size = {size}")).await
}

/// One character of a note, anywhere.
async fn edit_note(sql: &mut PgConnection, whole: &Whole, dice: &mut Dice) -> String {
    let (size, note) = dice.pick(&whole.heads);
    let place = dice.below(note.chars().count());
    let changed = |c: char| if c == 'A' { 'B' } else { 'A' };
    let note: String = note.chars().enumerate().map(|(n, c)| if n == place { changed(c) } else { c }).collect();
    let done = sqlx::query("update audit_checkpoints set note = $1 where tree_size = $2");
    let size = i64::try_from(*size).expect("small");
    done.bind(&note).bind(size).execute(sql).await.expect("edited");
    format!("the note of {size} events becomes {note}")
}

/// A head over another tree, signed with a key of the same name.
async fn sign_anew(sql: &mut PgConnection, whole: &Whole, dice: &mut Dice) -> String {
    let size = dice.pick(&whole.heads).0;
    let text = SigningKey::text_of(whole.key.name(), &[6; 32]).expect("a key");
    let key = SigningKey::parse(&text).expect("a key");
    let other = root(&[]);
    let note = stint::domain::proof::checkpoint(&key, size, other).expect("signed");
    let root = hex::encode(other.0);
    one(sql, format!("update audit_checkpoints set note = '{note}', root = '\\x{root}' where tree_size = {size}")).await
}

/// A part of a request's row that its document shows.
async fn edit_request(sql: &mut PgConnection, whole: &Whole, dice: &mut Dice) -> String {
    loop {
        let id = dice.pick(&whole.requests).clone();
        let done = match dice.below(8) {
            0 => edit_state(sql, &id).await,
            1 => edit_column(sql, &id, "reasons", &[], dice).await,
            2 => edit_column(sql, &id, "assignment", &[], dice).await,
            3 => edit_column(sql, &id, "end_order", &["remove"], dice).await,
            4 => edit_column(sql, &id, "snapshot", &[], dice).await,
            5 => edit_column(sql, &id, "decision", &["not_before", "not_after", "time_zone", "tenant"], dice).await,
            6 => {
                let change = "connection = connection || '0', tenant = coalesce(tenant, '') || '0'";
                Some(one(sql, format!("update requests set {change} where id = '{id}'")).await)
            }
            _ => {
                let change = format!("received_at = received_at - interval '{} seconds'", 1 + dice.below(86_400));
                Some(one(sql, format!("update requests set {change} where id = '{id}'")).await)
            }
        };
        if let Some(done) = done {
            return done;
        }
    }
}

/// Another state that the schema takes; none where it takes none.
async fn edit_state(sql: &mut PgConnection, id: &str) -> Option<String> {
    let text = format!(
        "update requests set state = case state when 'ended' then 'failed' else 'ended' end, \
         failure = coalesce(failure, '{{\"code\": \"x\", \"detail\": \"y\"}}') where id = '{id}'"
    );
    sqlx::query(AssertSqlSafe(text.clone())).execute(sql).await.ok().map(|_| text)
}

/// Somewhere deep in a document of the row; `None` where it has none, or would hold what the schema refuses.
async fn edit_column(
    sql: &mut PgConnection,
    id: &str,
    column: &str,
    hidden: &[&str],
    dice: &mut Dice,
) -> Option<String> {
    let text = format!("select {column} from requests where id = '{id}'");
    let before: Option<Value> = sqlx::query_scalar(AssertSqlSafe(text)).fetch_one(&mut *sql).await.expect("a row");
    let mut after = before?;
    match after.as_object_mut() {
        Some(members) => {
            let shown: Vec<_> = members.keys().filter(|member| !hidden.contains(&member.as_str())).cloned().collect();
            change_a_leaf(members.get_mut(dice.pick(&shown))?, dice);
        }
        None => change_a_leaf(&mut after, dice),
    }
    let text = format!("update requests set {column} = $1 where id = $2::uuid");
    let done = sqlx::query(AssertSqlSafe(text)).bind(&after).bind(id).execute(sql).await;
    done.ok().map(|_| format!("{column} of {id} becomes {after}"))
}
