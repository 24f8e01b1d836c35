//! The page's files as a browser fetches them.

use axum::{Router, body::Body};
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use serde_json::{Value, json};

use super::{ASSETS, Asset, Settings, router};

/// The page's whole weight, in bytes.
const MOST: usize = 100 * 1024;

fn modules() -> impl Iterator<Item = &'static Asset> {
    ASSETS.iter().filter(|asset| asset.content_type.starts_with("text/javascript"))
}

fn settings() -> Settings {
    Settings {
        login_url: "https://login.microsoftonline.com".parse().expect("a url"),
        tenant_id: "9b0f4c52-6a1d-4f3e-8c27-5d1e2f3a4b60".parse().expect("a GUID"),
        client_id: "the-client".into(),
        scope: "the-audience/.default".into(),
    }
}

async fn ask(method: Method, path: &str, known: Option<&str>) -> Response<Body> {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(tag) = known {
        request = request.header(header::IF_NONE_MATCH, tag);
    }
    let router: Router = router(&settings());
    TowerToHyperService::new(router).call(request.body(Body::empty()).expect("a request")).await.expect("an answer")
}

async fn bytes(answer: Response<Body>) -> Vec<u8> {
    answer.into_body().collect().await.expect("a body").to_bytes().to_vec()
}

#[tokio::test]
async fn every_file_comes_with_its_kind_and_the_policy() {
    for asset in ASSETS {
        let path = format!("/console/{}", asset.name);
        let answer = ask(Method::GET, &path, None).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        assert_eq!(answer.headers()[header::CONTENT_TYPE], asset.content_type, "{path}");
        let policy = answer.headers()[header::CONTENT_SECURITY_POLICY].to_str().expect("ascii").to_owned();
        assert!(policy.contains("connect-src 'self' https://login.microsoftonline.com;"), "{policy}");
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"), "{policy}");
        assert!(
            !policy.contains("unsafe") && policy.ends_with("require-trusted-types-for 'script'; trusted-types 'none'"),
            "{policy}"
        );
        for (name, value) in [
            ("cache-control", "no-cache"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
        ] {
            assert_eq!(answer.headers()[name], value, "{path}");
        }
        assert_eq!(bytes(answer).await, asset.bytes, "{path}");
    }
}

#[tokio::test]
async fn what_a_browser_has_already_is_not_sent_again() {
    let tag = ASSETS[0].tag();
    for known in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}"), "*".to_owned()] {
        let answer = ask(Method::GET, "/console/", Some(&known)).await;
        assert_eq!(answer.status(), StatusCode::NOT_MODIFIED, "{known}");
        assert_eq!(answer.headers()[header::ETAG], tag.as_str());
        assert!(bytes(answer).await.is_empty());
    }
    let changed = ask(Method::GET, "/console/", Some("\"other\"")).await;
    assert_eq!((changed.status(), changed.headers()[header::ETAG].to_str().ok()), (StatusCode::OK, Some(tag.as_str())));
}

#[tokio::test]
async fn the_page_learns_how_to_sign_in_and_nothing_else() {
    let answer = ask(Method::GET, "/console/config.json", None).await;
    assert_eq!(answer.headers()[header::CONTENT_TYPE], "application/json");
    let told: Value = serde_json::from_slice(&bytes(answer).await).expect("JSON");
    let authority = "https://login.microsoftonline.com/9b0f4c52-6a1d-4f3e-8c27-5d1e2f3a4b60";
    let expected = json!({ "authority": authority, "client_id": "the-client", "scope": "the-audience/.default" });
    assert_eq!(told, expected);
}

#[tokio::test]
async fn the_address_without_its_slash_leads_to_the_page_and_all_else_nowhere() {
    let answer = ask(Method::GET, "/console", None).await;
    assert_eq!(answer.status(), StatusCode::PERMANENT_REDIRECT);
    assert_eq!(answer.headers()[header::LOCATION], "/console/");
    for path in ["/console/index.html", "/console/nothing.js", "/console/../app.rs", "/console/assets/main.js"] {
        assert_eq!(ask(Method::GET, path, None).await.status(), StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(ask(Method::POST, "/console/", None).await.status(), StatusCode::METHOD_NOT_ALLOWED);
    let head = ask(Method::HEAD, "/console/main.js", None).await;
    assert_eq!(head.status(), StatusCode::OK);
    assert!(bytes(head).await.is_empty());
}

#[test]
fn all_files_together_are_light() {
    let whole: usize = ASSETS.iter().map(|asset| asset.bytes.len()).sum();
    assert!(whole <= MOST, "{whole} bytes");
}

#[test]
fn the_page_asks_for_every_file_at_once_and_holds_no_code_or_style_of_its_own() {
    let page = std::str::from_utf8(ASSETS[0].bytes).expect("text");
    for asset in modules() {
        let told = format!("\"{}\"", asset.name);
        assert!(page.contains(&told) || page.contains(&format!("\"./{}\"", asset.name)), "{} is not named", asset.name);
    }
    for own in ["<style", " style=", " onclick=", " onload=", "javascript:", "http://", "https://"] {
        assert!(!page.contains(own), "the page holds {own}");
    }
    assert_eq!(page.matches("<script").count(), page.matches("<script type=\"module\" src=").count());
}

#[test]
fn no_file_makes_markup_of_text() {
    for asset in modules() {
        let text = std::str::from_utf8(asset.bytes).expect("text");
        let makers = [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "DOMParser",
            "srcdoc",
            "eval(",
            "new Function",
            "setHTMLUnsafe",
            "createContextualFragment",
            "createPolicy",
        ];
        for maker in makers {
            assert!(!text.contains(maker), "{} uses {maker}", asset.name);
        }
    }
}
