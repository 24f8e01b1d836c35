//! What the OpenAPI document must hold, whatever routes there are.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::super::{
    document::text,
    routes::{Who, table},
};

fn document() -> Value {
    serde_json::from_str(&text(Some(&"https://stint.contoso.com".parse().expect("a url")))).expect("JSON")
}

/// Every operation of the document with its method and path.
fn operations(document: &Value) -> Vec<(String, String, &Value)> {
    let items = document["paths"].as_object().expect("paths").iter();
    let operations = items.flat_map(|(path, item)| {
        let methods = item.as_object().expect("an item").iter();
        methods.map(|(method, operation)| (method.clone(), path.clone(), operation))
    });
    operations.collect()
}

/// Whether this value is as the schema says, with the document's components at hand.
fn must_fit(document: &Value, schema: &Value, value: &Value, what: &str) {
    let whole = json!({ "components": document["components"], "allOf": [schema] });
    let validator = jsonschema::draft202012::new(&whole).expect("a schema");
    let faults: Vec<_> =
        validator.iter_errors(value).map(|fault| format!("{fault} at {}", fault.instance_path())).collect();
    assert!(faults.is_empty(), "{what}: {faults:#?}");
}

/// Every example of a content object.
fn examples(content: &Value) -> Vec<&Value> {
    let named = content["examples"].as_object().into_iter().flat_map(|named| named.values().map(|e| &e["value"]));
    content.get("example").into_iter().chain(named).collect()
}

#[test]
fn every_route_is_told_and_every_operation_is_a_route() {
    let document = document();
    let told: BTreeSet<_> = operations(&document).into_iter().map(|(method, path, _)| (method, path)).collect();
    let routed: BTreeSet<_> = table().iter().map(|route| (route.method.to_owned(), route.path.to_owned())).collect();
    assert_eq!(told, routed);
    assert_eq!(table().len(), routed.len(), "a route stands in the table twice");
}

#[test]
fn every_answer_has_a_schema_and_an_example_that_fits_it() {
    let document = document();
    for (method, path, operation) in operations(&document) {
        for (status, response) in operation["responses"].as_object().expect("responses") {
            let what = format!("{method} {path} {status}");
            assert!(response["description"].as_str().is_some_and(|text| !text.is_empty()), "{what} is not described");
            // A webhook that proves nothing learns nothing: its 401 has no body.
            let silent = path.starts_with("/webhooks/") && status == "401";
            let contents = response["content"].as_object();
            assert_eq!(contents.is_none(), silent, "{what} has no content");
            for content in contents.into_iter().flat_map(|contents| contents.values()) {
                assert!(content.get("schema").is_some(), "{what} has no schema");
                let examples = examples(content);
                assert!(!examples.is_empty(), "{what} has no example");
                for example in examples {
                    must_fit(&document, &content["schema"], example, &what);
                }
            }
        }
    }
}

#[test]
fn every_parameter_and_body_is_described_with_a_schema() {
    let document = document();
    for (method, path, operation) in operations(&document) {
        let what = format!("{method} {path}");
        assert!(operation["summary"].as_str().is_some_and(|text| !text.is_empty()), "{what} has no summary");
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            assert!(parameter["description"].is_string(), "{what}: {parameter}");
            assert!(parameter["schema"].is_object(), "{what}: {parameter}");
        }
        let contents = operation["requestBody"]["content"].as_object().into_iter().flatten();
        for (_, content) in contents {
            let examples = examples(content);
            assert!(!examples.is_empty(), "{what}: the body has no example");
            for example in examples {
                must_fit(&document, &content["schema"], example, &what);
            }
        }
    }
}

#[test]
fn who_may_call_stands_in_the_document_as_in_the_table() {
    let document = document();
    for route in table() {
        let operation = &document["paths"][route.path][route.method];
        let needed = operation["security"].as_array().into_iter().flatten();
        let roles: Vec<_> = needed.filter_map(|needed| needed["entra"][0].as_str()).collect();
        assert_eq!(roles, route.who.roles(), "{}", route.path);
        let refusals = ["401", "403"].map(|status| operation["responses"][status]["content"].is_object());
        let by_role = !matches!(route.who, Who::Anybody | Who::Public);
        assert_eq!(refusals, [by_role; 2], "{}", route.path);
    }
}
