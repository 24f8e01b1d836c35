//! `GET /v1/requests` and `GET /v1/requests/{id}`: who, what, until when, on whose approval, by which ticket, and what
//! was proved when.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, RawQuery, State},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::HeaderMap;
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    Api,
    auth::{Caller, Visible},
    error::Problem,
    record,
};
use crate::{
    domain::{id::RequestId, request::Status},
    store::history::Filter,
};

const DEFAULT_LIMIT: u32 = 50;
const MAX_LIMIT: u32 = 200;

/// A page of requests.
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, Problem> {
    let caller = api.tokens.caller(&headers).await?;
    let asked = Asked::read(query.as_deref().unwrap_or_default())?;
    let filter = narrowed(&api, &caller, asked.filter)?;
    // One more than asked for tells whether a further page exists.
    let mut records = api.store.list(&filter, asked.after, asked.limit + 1).await.map_err(Problem::from_store)?;
    let more = records.len() > asked.limit as usize;
    records.truncate(asked.limit as usize);
    let next = records.last().filter(|_| more).map(|last| cursor(last.received_at.to_jiff(), last.id));
    let items: Vec<_> = records.iter().map(record::summary).collect();
    Ok(Json(json!({ "items": items, "next": next })))
}

/// One request with all that belongs to it.
pub(super) async fn show(
    State(api): State<Arc<Api>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Value>, Problem> {
    let caller = api.tokens.caller(&headers).await?;
    // Unknown and not visible are the same answer.
    let unknown = || Problem::not_found("no request of this id is visible to you");
    let id: Uuid = id.parse().map_err(|_| unknown())?;
    let filter = narrowed(&api, &caller, Filter::default())?;
    let dossier = api.store.dossier(RequestId(id), &filter).await.map_err(Problem::from_store)?;
    dossier.map(|dossier| Json(record::whole(&dossier))).ok_or_else(unknown)
}

/// The filter cut down to what the caller may see.
pub(super) fn narrowed(api: &Api, caller: &Caller, mut filter: Filter) -> Result<Filter, Problem> {
    match caller.roles.tenants_visible() {
        Visible::All => {}
        Visible::Some(tenants) if !tenants.is_empty() => {
            filter.visible_tenants = Some(tenants.iter().map(ToString::to_string).collect());
        }
        Visible::Some(_) if caller.roles.is_requester() => {
            let issued_by = |(name, id): (&String, &Uuid)| (*id == caller.tenant).then(|| name.clone());
            filter.visible_tenants = Some(api.tenant_ids.iter().filter_map(issued_by).collect());
            filter.own = Some(caller.oid.0);
        }
        Visible::Some(_) => return Err(Problem::forbidden("the token carries none of stint's roles")),
    }
    Ok(filter)
}

/// What a list was asked for.
pub(super) struct Asked {
    pub(super) filter: Filter,
    after: Option<(Timestamp, Uuid)>,
    limit: u32,
}

impl Asked {
    pub(super) fn read(query: &str) -> Result<Self, Problem> {
        let mut asked = Self { filter: Filter::default(), after: None, limit: DEFAULT_LIMIT };
        let mut seen = Vec::new();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            if seen.contains(&name) {
                return Err(Problem::bad_request(format!("{name} is given twice")));
            }
            asked.take(&name, &value)?;
            seen.push(name);
        }
        Ok(asked)
    }

    /// The filter in the caller's own words.
    pub(super) fn in_words(&self) -> Value {
        let filter = &self.filter;
        let given = [
            ("tenant", &filter.tenant),
            ("status", &filter.status),
            ("principal", &filter.principal),
            ("entitlement", &filter.entitlement),
            ("ticket", &filter.ticket),
            ("connection", &filter.connection),
            ("q", &filter.q),
            ("from", &filter.from.map(|moment| moment.to_string())),
            ("to", &filter.to.map(|moment| moment.to_string())),
        ];
        let given = given.into_iter().filter_map(|(name, value)| Some((name.to_owned(), json!(value.as_ref()?))));
        Value::Object(given.collect())
    }

    fn take(&mut self, name: &str, value: &str) -> Result<(), Problem> {
        if value.contains('\0') {
            return Err(Problem::bad_request(format!("{name} holds a NUL character")));
        }
        let text = Some(value.to_owned()).filter(|v| !v.is_empty());
        let filter = &mut self.filter;
        match name {
            "tenant" => filter.tenant = text,
            "principal" => filter.principal = text,
            "entitlement" => filter.entitlement = text,
            "ticket" => filter.ticket = text,
            "connection" => filter.connection = text,
            "q" => filter.q = text,
            "status" => filter.status = text.map(known_status).transpose()?,
            "from" => filter.from = text.map(|v| moment("from", &v)).transpose()?,
            "to" => filter.to = text.map(|v| moment("to", &v)).transpose()?,
            "limit" => self.limit = limit(value)?,
            "cursor" => self.after = Some(position(value)?),
            _ => return Err(Problem::bad_request(format!("{name} is no parameter of this route"))),
        }
        Ok(())
    }
}

fn known_status(name: String) -> Result<String, Problem> {
    if Status::named(&name).is_some() {
        return Ok(name);
    }
    let known: Vec<_> = Status::ALL.iter().map(|s| s.as_str()).collect();
    Err(Problem::bad_request(format!("status is one of {}", known.join(", "))))
}

fn moment(name: &str, text: &str) -> Result<Timestamp, Problem> {
    let moment = text.parse().ok().filter(|moment| *moment >= Timestamp::UNIX_EPOCH);
    moment.ok_or_else(|| Problem::bad_request(format!("{name} is a moment such as 2026-11-03T08:31:07Z, from 1970 on")))
}

fn limit(text: &str) -> Result<u32, Problem> {
    let limit = text.parse().ok().filter(|n| (1..=MAX_LIMIT).contains(n));
    limit.ok_or_else(|| Problem::bad_request(format!("limit is a number from 1 to {MAX_LIMIT}")))
}

fn cursor(received_at: Timestamp, id: Uuid) -> String {
    URL_SAFE_NO_PAD.encode(format!("{}.{id}", received_at.as_microsecond()))
}

fn position(cursor: &str) -> Result<(Timestamp, Uuid), Problem> {
    let read = || {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
        let (micros, id) = text.split_once('.')?;
        let moment = Timestamp::from_microsecond(micros.parse().ok()?).ok()?;
        Some((Some(moment).filter(|moment| *moment >= Timestamp::UNIX_EPOCH)?, id.parse().ok()?))
    };
    read().ok_or_else(|| Problem::bad_request("cursor is not one that this API gave out"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_leads_back_to_its_place_and_nothing_else_is_one() {
        let place = ("2026-11-03T08:31:07.123456Z".parse().expect("time"), Uuid::from_u128(7));
        assert_eq!(position(&cursor(place.0, place.1)).ok(), Some(place));
        for text in ["", "x", "AAAA", "MS4y", &URL_SAFE_NO_PAD.encode("99999999999999999999.1")] {
            assert!(position(text).is_err(), "{text}");
        }
    }

    #[test]
    fn every_bad_parameter_is_named() {
        for (query, name) in [
            ("status=granted", "status"),
            ("from=yesterday", "from"),
            ("from=-009990-01-01T00:00:00Z", "from"),
            ("limit=0", "limit"),
            ("limit=201", "limit"),
            ("cursor=x", "cursor"),
            ("q=a&q=b", "q"),
            ("sort=asc", "sort"),
            ("q=%00", "q"),
        ] {
            let problem = Asked::read(query).err().expect(query);
            assert!(problem.detail().contains(name), "{query}: {}", problem.detail());
        }
        assert!(Asked::read("status=active&limit=200&tenant=contoso").is_ok());
    }
}
