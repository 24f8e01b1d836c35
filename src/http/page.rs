//! `GET /docs`: the OpenAPI document as a page that a person reads, without any outside resource or script.
//!
//! The page is written from the document itself, so that it cannot tell anything else. Its style is in the page, and the
//! policy it comes with allows that one style and nothing more.

use std::{fmt::Write as _, sync::Arc};

use aws_lc_rs::digest::{SHA256, digest};
use axum::extract::State;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderName, header};
use serde_json::Value;

use super::{Api, document};

const STYLE: &str = include_str!("page.css");

/// The API, told to people
///
/// The page needs nothing from elsewhere.
#[utoipa::path(
    get,
    path = "/docs",
    responses((status = 200, description = "The page.", body = String, content_type = "text/html",
               example = "<!doctype html>"))
)]
pub(super) async fn docs(State(api): State<Arc<Api>>) -> ([(HeaderName, String); 2], Bytes) {
    let headers =
        [(header::CONTENT_TYPE, "text/html; charset=utf-8".to_owned()), (header::CONTENT_SECURITY_POLICY, policy())];
    let page = api.written.page.get_or_init(|| html(&document::json(Some(&api.public_url))).into());
    (headers, page.clone())
}

/// Nothing may be loaded, run, framed or sent; one style is allowed by its digest.
fn policy() -> String {
    let style = STANDARD.encode(digest(&SHA256, STYLE.as_bytes()));
    let style = format!("style-src 'sha256-{style}'");
    format!("default-src 'none'; {style}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
}

/// The page of an OpenAPI document.
fn html(document: &Value) -> String {
    let mut page = String::from("<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">");
    let title = escaped(words(&document["info"]["title"]));
    let _ = write!(page, "<title>{title}: the API</title><style>{STYLE}</style></head><body><main>");
    let _ = write!(page, "<h1>{title} {}</h1>", escaped(words(&document["info"]["version"])));
    paragraphs(&mut page, words(&document["info"]["description"]));
    let _ = write!(
        page,
        "<p>Its address: <code>{}</code>. As a document for programs: ",
        escaped(words(&document["servers"][0]["url"]))
    );
    page.push_str("<a href=\"/openapi.json\">/openapi.json</a>.</p>");
    paragraphs(&mut page, words(&document["components"]["securitySchemes"]["entra"]["description"]));
    let operations = operations(document);
    contents(&mut page, &operations);
    for operation in &operations {
        operation.write(&mut page);
    }
    page.push_str("<h2>Documents</h2>");
    for (name, schema) in members(&document["components"]["schemas"]) {
        shape(&mut page, name, schema);
    }
    page.push_str("</main></body></html>\n");
    page
}

/// One operation of the document.
struct Operation<'a> {
    method: &'a str,
    path: &'a str,
    told: &'a Value,
}

fn operations(document: &Value) -> Vec<Operation<'_>> {
    let mut found = Vec::new();
    for (path, item) in members(&document["paths"]) {
        found.extend(members(item).map(|(method, told)| Operation { method, path, told }));
    }
    found
}

fn contents(page: &mut String, operations: &[Operation<'_>]) {
    page.push_str("<nav><h2>Routes</h2><ul>");
    for operation in operations {
        let (name, summary) = (operation.name(), escaped(words(&operation.told["summary"])));
        let _ = write!(page, "<li><a href=\"#{}\">{name}</a> {summary}</li>", operation.anchor());
    }
    page.push_str("</ul></nav>");
}

impl Operation<'_> {
    fn anchor(&self) -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        format!("{}{}", self.method, self.path.chars().map(plain).collect::<String>())
    }

    fn name(&self) -> String {
        format!("<span class=\"method\">{}</span> <code>{}</code>", escaped(self.method), escaped(self.path))
    }

    fn write(&self, page: &mut String) {
        let _ = write!(page, "<section id=\"{}\"><h2>{}</h2>", self.anchor(), self.name());
        let _ = write!(page, "<p><strong>{}</strong></p>", escaped(words(&self.told["summary"])));
        paragraphs(page, words(&self.told["description"]));
        self.roles(page);
        self.parameters(page);
        for (kind, content) in members(&self.told["requestBody"]["content"]) {
            let _ = write!(page, "<h3>Body: <code>{}</code></h3>", escaped(kind));
            example(page, content);
        }
        page.push_str("<h3>Answers</h3>");
        for (status, response) in members(&self.told["responses"]) {
            answer(page, status, response);
        }
        page.push_str("</section>");
    }

    fn roles(&self, page: &mut String) {
        let needed = list(&self.told["security"]).iter();
        let roles: Vec<_> = needed.filter_map(|needed| needed["entra"][0].as_str()).map(escaped).collect();
        if !roles.is_empty() {
            let _ = write!(page, "<p>Roles: <code>{}</code></p>", roles.join("</code> or <code>"));
        }
    }

    fn parameters(&self, page: &mut String) {
        let parameters = list(&self.told["parameters"]);
        if parameters.is_empty() {
            return;
        }
        page.push_str("<h3>Parameters</h3><table><tr><th>Name</th><th>In</th><th>Kind</th><th>Meaning</th></tr>");
        for parameter in parameters {
            let text = |name: &str| escaped(words(&parameter[name]));
            let kind = kind(&parameter["schema"]);
            let _ = write!(page, "<tr><td><code>{}</code></td><td>{}</td>", text("name"), text("in"));
            let _ = write!(page, "<td>{kind}</td><td>{}</td></tr>", text("description"));
        }
        page.push_str("</table>");
    }
}

fn answer(page: &mut String, status: &str, response: &Value) {
    let description = escaped(words(&response["description"]));
    let _ = write!(page, "<details><summary><strong>{}</strong> {description}</summary>", escaped(status));
    for (name, header) in members(&response["headers"]) {
        let meaning = escaped(words(&header["description"]));
        let _ = write!(page, "<p>Header <code>{}</code>: {meaning}</p>", escaped(name));
    }
    for (media, content) in members(&response["content"]) {
        let _ = write!(page, "<p><code>{}</code>: {}</p>", escaped(media), kind(&content["schema"]));
        example(page, content);
    }
    page.push_str("</details>");
}

fn example(page: &mut String, content: &Value) {
    let named = members(&content["examples"]).map(|(_, example)| &example["value"]);
    for example in content.get("example").into_iter().chain(named) {
        let text = match example {
            Value::String(text) => text.clone(),
            other => serde_json::to_string_pretty(other).unwrap_or_default(),
        };
        let _ = write!(page, "<pre>{}</pre>", escaped(&text));
    }
}

/// A document with its members.
fn shape(page: &mut String, name: &str, schema: &Value) {
    let _ = write!(page, "<section id=\"schema-{0}\"><h3><code>{0}</code></h3>", escaped(name));
    paragraphs(page, words(&schema["description"]));
    let parts = std::iter::once(schema).chain(list(&schema["allOf"]));
    let rows: Vec<_> = parts.flat_map(|part| members(&part["properties"])).collect();
    if rows.is_empty() {
        let _ = write!(page, "<p>{}</p>", kind(schema));
    } else {
        page.push_str("<table><tr><th>Member</th><th>Kind</th><th>Meaning</th></tr>");
        for (member, told) in rows {
            let (kind, meaning) = (kind(told), escaped(words(&told["description"])));
            let _ = write!(page, "<tr><td><code>{}</code></td><td>{kind}</td><td>{meaning}</td></tr>", escaped(member));
        }
        page.push_str("</table>");
    }
    page.push_str("</section>");
}

/// A schema in a few words, other documents as links.
fn kind(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
        return format!("<a href=\"#schema-{0}\">{0}</a>", escaped(name));
    }
    if let Some(values) = schema["enum"].as_array() {
        let values: Vec<_> = values.iter().filter_map(Value::as_str).map(escaped).collect();
        return values.join(", ");
    }
    let choices = ["oneOf", "anyOf", "allOf"].into_iter().flat_map(|name| list(&schema[name]));
    let choices: Vec<_> = choices.map(kind).collect();
    if !choices.is_empty() {
        return choices.join(" or ");
    }
    let format = schema["format"].as_str().map(|format| format!(" ({})", escaped(format))).unwrap_or_default();
    let of = if schema["items"].is_object() { format!(" of {}", kind(&schema["items"])) } else { String::new() };
    match &schema["type"] {
        Value::String(kind) => format!("{}{format}{of}", escaped(kind)),
        Value::Array(kinds) => {
            let kinds: Vec<_> = kinds.iter().filter_map(Value::as_str).map(escaped).collect();
            format!("{}{format}{of}", kinds.join(" or "))
        }
        _ => "anything".into(),
    }
}

fn paragraphs(page: &mut String, text: &str) {
    for paragraph in text.split("\n\n").filter(|paragraph| !paragraph.is_empty()) {
        let _ = write!(page, "<p>{}</p>", escaped(paragraph));
    }
}

fn words(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn members(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), value))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_tells_every_route_and_asks_for_nothing_from_elsewhere() {
        let document = document::json(None);
        let page = html(&document);
        for (path, _) in members(&document["paths"]) {
            assert!(page.contains(&format!("<code>{path}</code>")), "{path}");
        }
        for outside in ["<script", "src=", "<link", "@import", "url(", "onclick"] {
            assert!(!page.contains(outside), "{outside}");
        }
        assert!(policy().starts_with("default-src 'none'; style-src 'sha256-"), "{}", policy());
    }

    #[test]
    fn what_the_document_says_is_text_and_never_markup() {
        let document = serde_json::json!({ "info": { "title": "<script>alert(1)</script>" } });
        assert!(!html(&document).contains("<script"));
    }
}
