//! The files of the page: all of them, in one list.

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

const CSS: &str = "text/css; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// One file of the page.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asset {
    /// Its name below `/console/`; empty for the page itself.
    pub name: &'static str,
    /// What it is.
    pub content_type: &'static str,
    /// What it holds.
    pub bytes: &'static [u8],
}

macro_rules! assets {
    ($($name:literal $content_type:ident $file:literal)*) => {
        /// Every file of the page.
        pub(super) const ASSETS: &[Asset] = &[$(Asset {
            name: $name,
            content_type: $content_type,
            bytes: include_bytes!(concat!("assets/", $file)),
        }),*];
    };
}

assets! {
    ""           HTML "index.html"
    "style.css"  CSS  "style.css"
    "icon.svg"   SVG  "icon.svg"
    "main.js"    JS   "main.js"
    "auth.js"    JS   "auth.js"
    "api.js"     JS   "api.js"
    "dom.js"     JS   "dom.js"
    "time.js"    JS   "time.js"
    "words.js"   JS   "words.js"
    "list.js"    JS   "list.js"
    "now.js"     JS   "now.js"
    "history.js" JS   "history.js"
    "request.js" JS   "request.js"
    "health.js"  JS   "health.js"
    "summary.js" JS   "summary.js"
    "proof.js"   JS   "proof.js"
}

impl Asset {
    /// What tells these bytes from any others, as an `ETag`.
    pub(super) fn tag(&self) -> String {
        tag(self.bytes)
    }
}

/// An `ETag` for these bytes.
pub(super) fn tag(bytes: &[u8]) -> String {
    format!("\"{}\"", URL_SAFE_NO_PAD.encode(digest(&SHA256, bytes)))
}
