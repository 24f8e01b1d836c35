//! The part of the query language that clients of PIM use: `$filter` with `eq`/`ne` joined by `and`, `$select`, `$top`, paging.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Uri;
use serde_json::{Map, Value, json};

use super::super::wire::Pairs;
use super::refusal::Refusal;
use super::state::Holding;

/// The query of one list call.
pub(super) struct Query {
    pairs: Pairs,
    filter: Vec<Clause>,
}

/// One comparison of a `$filter`.
struct Clause {
    property: String,
    equal: bool,
    value: Value,
}

impl Query {
    pub(super) fn of(uri: &Uri) -> Result<Self, Refusal> {
        let pairs = Pairs::parse(uri.query().unwrap_or_default().as_bytes());
        let filter = pairs.first("$filter").map_or(Ok(Vec::new()), clauses)?;
        Ok(Self { pairs, filter })
    }

    /// The literal that a property must equal, if the filter says so.
    pub(super) fn wanted(&self, property: &str) -> Option<&str> {
        let clause = self.filter.iter().find(|clause| clause.equal && clause.property == property)?;
        clause.value.as_str()
    }

    /// Whether rows about this holding may pass the filter: what names another principal need not be drawn up first.
    pub(super) fn may_mean(&self, holding: &Holding) -> bool {
        self.wanted("principalId").is_none_or(|wanted| wanted.eq_ignore_ascii_case(&holding.principal))
    }

    /// A property that rows do not have cannot be filtered by.
    pub(super) fn only(&self, properties: &[&str]) -> Result<(), Refusal> {
        match self.filter.iter().find(|clause| !properties.contains(&clause.property.as_str())) {
            Some(clause) => Err(Refusal::bad(format!("Unsupported filter property '{}'.", clause.property))),
            None => Ok(()),
        }
    }

    pub(super) fn accepts(&self, row: &Value) -> bool {
        self.filter.iter().all(|clause| clause.accepts(row))
    }

    /// The row with only what `$select` names; all of it without `$select`.
    pub(super) fn select(&self, row: Value) -> Value {
        let (Some(names), Value::Object(row)) = (self.selected(), &row) else {
            return row;
        };
        let kept: Map<String, Value> =
            names.iter().filter_map(|name| Some(((*name).to_owned(), row.get(*name)?.clone()))).collect();
        Value::Object(kept)
    }

    pub(super) fn selected(&self) -> Option<Vec<&str>> {
        Some(self.pairs.first("$select")?.split(',').map(str::trim).collect())
    }

    /// One page of the filtered rows. The next page's link carries the whole query and an opaque position.
    pub(super) fn page(&self, url: &str, uri: &Uri, rows: Vec<Value>, page_size: usize) -> Value {
        let start = self.pairs.first("$skiptoken").map_or(0, position);
        let size = self.pairs.number("$top").map_or(page_size, |top| top.min(page_size)).max(1);
        let rows: Vec<Value> = rows.into_iter().filter(|row| self.accepts(row)).collect();
        let more = rows.len() > start.saturating_add(size);
        let shown: Vec<Value> = rows.into_iter().skip(start).take(size).map(|row| self.select(row)).collect();

        let path = uri.path();
        let mut page = json!({"@odata.context": format!("{url}/v1.0/$metadata#{}", path.trim_start_matches("/v1.0/"))});
        if more {
            let token = URL_SAFE_NO_PAD.encode(format!("position:{}", start + size));
            page["@odata.nextLink"] = json!(format!("{url}{path}?{}", with_token(uri.query(), &token)));
        }
        page["value"] = Value::Array(shown);
        page
    }
}

impl Clause {
    fn accepts(&self, row: &Value) -> bool {
        let holds = match &row[&self.property] {
            Value::Array(values) => values.iter().any(|value| self.same(value)),
            value => self.same(value),
        };
        holds == self.equal
    }

    /// Ids, names and addresses compare without regard to case; display names, as measured, do not (§12).
    fn same(&self, value: &Value) -> bool {
        match (value, &self.value) {
            (Value::String(left), Value::String(right)) if self.property == "displayName" => left == right,
            (Value::String(left), Value::String(right)) => left.eq_ignore_ascii_case(right),
            (left, right) => left == right,
        }
    }
}

fn with_token(query: Option<&str>, token: &str) -> String {
    let kept = query
        .unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty() && !pair.starts_with("$skiptoken=") && !pair.starts_with("%24skiptoken="));
    kept.chain([format!("$skiptoken={token}").as_str()]).collect::<Vec<_>>().join("&")
}

fn position(token: &str) -> usize {
    URL_SAFE_NO_PAD
        .decode(token)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .and_then(|text| text.strip_prefix("position:")?.parse().ok())
        .unwrap_or(0)
}

fn clauses(filter: &str) -> Result<Vec<Clause>, Refusal> {
    let refuse = || Refusal::bad(format!("Invalid filter clause: {filter}"));
    split_outside_quotes(filter, " and ").into_iter().map(|text| clause(text.trim()).ok_or_else(refuse)).collect()
}

fn clause(text: &str) -> Option<Clause> {
    // `proxyAddresses/any(p:p eq 'smtp:…')` is the one lambda form in use.
    if let Some((collection, rest)) = text.split_once("/any(") {
        let inner = rest.strip_suffix(')')?.split_once(':')?.1;
        return Some(Clause { property: collection.to_owned(), ..clause(inner.trim())? });
    }
    let (property, rest) = text.split_once(' ')?;
    let (operator, literal) = rest.trim().split_once(' ')?;
    let equal = match operator {
        "eq" => true,
        "ne" => false,
        _ => return None,
    };
    Some(Clause { property: property.to_owned(), equal, value: value_of(literal.trim())? })
}

fn value_of(literal: &str) -> Option<Value> {
    match literal {
        "null" => Some(Value::Null),
        "true" => Some(Value::Bool(true)),
        "false" => Some(Value::Bool(false)),
        text => {
            let inner = text.strip_prefix('\'')?.strip_suffix('\'')?;
            // A single quote inside a literal must be doubled.
            let unpaired = inner.replace("''", "").contains('\'');
            (!unpaired).then(|| Value::String(inner.replace("''", "'")))
        }
    }
}

fn split_outside_quotes<'a>(text: &'a str, separator: &str) -> Vec<&'a str> {
    let mut parts = Vec::new();
    let (mut start, mut quoted) = (0, false);
    for (index, byte) in text.bytes().enumerate() {
        quoted ^= byte == b'\'';
        if !quoted && index >= start && text.as_bytes()[index..].starts_with(separator.as_bytes()) {
            parts.push(&text[start..index]);
            start = index + separator.len();
        }
    }
    parts.push(&text[start..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_splits_at_and_only_outside_quotes() {
        let parts = split_outside_quotes("a eq 'x and y' and b ne 'z'", " and ");
        assert_eq!(parts, ["a eq 'x and y'", "b ne 'z'"]);
    }

    #[test]
    fn a_doubled_quote_is_one_quote_and_a_single_one_is_refused() {
        assert_eq!(value_of("'O''Hara'"), Some(json!("O'Hara")));
        assert_eq!(value_of("'O'Hara'"), None);
    }
}
