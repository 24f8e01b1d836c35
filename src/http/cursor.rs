//! Places in lists, as opaque signed texts. A cursor leads on in the list that gave it out, for the same filter and the
//! same sight; anywhere else it is refused.

use aws_lc_rs::{
    digest, hkdf,
    hmac::{self, HMAC_SHA256},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Serialize, de::DeserializeOwned};
use utoipa::ToSchema;

use super::error::Problem;

/// Bytes of a signature.
const SIGNATURE: usize = 32;

/// Longer texts are no cursors.
const MAX_LENGTH: usize = 1000;

/// Gives places out and takes them back.
pub struct Cursors {
    key: hmac::Key,
}

/// One page of a list.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Page<T> {
    /// Its entries.
    pub items: Vec<T>,
    /// Leads to the next page as `cursor`; null on the last one.
    #[schema(required)]
    pub next: Option<String>,
}

/// The list, filter and sight a cursor belongs to.
pub struct List<'a, F> {
    /// The list's name.
    pub name: &'static str,
    /// What it was narrowed down to, with what the caller may see.
    pub filter: &'a F,
}

impl<F> Clone for List<'_, F> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<F> Copy for List<'_, F> {}

impl Cursors {
    /// Signs with a key made from this secret. Without one it is made from the API's audience, which is no secret: then
    /// a signature guards against mistakes only. No more is needed for safety: a forged place shows no row that
    /// the filter and the caller's sight would not.
    #[must_use]
    pub fn new(secret: Option<&[u8]>, audience: &str) -> Self {
        let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, b"stint cursors");
        let key = salt.extract(secret.unwrap_or(audience.as_bytes()));
        let mut bytes = [0; 32];
        // Filling 32 bytes cannot fail: that is the length of one block.
        let _ = key.expand(&[b"v1"], HMAC_SHA256).and_then(|block| block.fill(&mut bytes));
        Self { key: hmac::Key::new(HMAC_SHA256, &bytes) }
    }

    /// The page of these entries. One more than `limit` must have been asked for: it tells whether there is a next page.
    pub fn page<T, F: Serialize, P: Serialize>(
        &self,
        list: List<'_, F>,
        mut items: Vec<T>,
        limit: u32,
        place: impl Fn(&T) -> P,
    ) -> Page<T> {
        let more = items.len() > limit as usize;
        items.truncate(limit as usize);
        let next = items.last().filter(|_| more).map(|last| self.give(list, &place(last)));
        Page { items, next }
    }

    /// A place in a list as text.
    pub fn give<F: Serialize, P: Serialize>(&self, list: List<'_, F>, place: &P) -> String {
        let place = serde_json::to_vec(place).unwrap_or_default();
        let signature = hmac::sign(&self.key, &signed(list, &place));
        URL_SAFE_NO_PAD.encode([signature.as_ref(), &place].concat())
    }

    /// The place that a cursor leads to.
    ///
    /// # Errors
    /// 400 when this API did not give it out for this list, filter and sight.
    pub fn place<F: Serialize, P: DeserializeOwned>(&self, list: List<'_, F>, cursor: &str) -> Result<P, Problem> {
        let read = || {
            let bytes = URL_SAFE_NO_PAD.decode(Some(cursor).filter(|text| text.len() <= MAX_LENGTH)?).ok()?;
            let (signature, place) = bytes.split_at_checked(SIGNATURE)?;
            hmac::verify(&self.key, &signed(list, place), signature).ok()?;
            serde_json::from_slice(place).ok()
        };
        read().ok_or_else(|| Problem::bad_request("cursor is not one that this API gave out for these parameters"))
    }
}

/// What is signed: the list's name, a digest of its filter, and the place.
fn signed<F: Serialize>(list: List<'_, F>, place: &[u8]) -> Vec<u8> {
    let filter = serde_json::to_vec(list.filter).unwrap_or_default();
    let filter = digest::digest(&digest::SHA256, &filter);
    [list.name.as_bytes(), b"\0", filter.as_ref(), place].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list<'a>(name: &'static str, filter: &'a &'a str) -> List<'a, &'a str> {
        List { name, filter }
    }

    #[test]
    fn a_cursor_leads_back_to_its_place_in_its_list_for_its_filter_and_nowhere_else() {
        let cursors = Cursors::new(Some(b"secret"), "");
        let cursor = cursors.give(list("requests", &"a"), &("2026-11-03T08:31:07Z", 7));
        let place = |cursors: &Cursors, name, filter: &str, cursor: &str| {
            cursors.place::<_, (String, i32)>(list(name, &filter), cursor).ok()
        };
        assert_eq!(place(&cursors, "requests", "a", &cursor), Some(("2026-11-03T08:31:07Z".into(), 7)));
        assert_eq!(place(&cursors, "requests", "b", &cursor), None);
        assert_eq!(place(&cursors, "findings", "a", &cursor), None);
        assert_eq!(place(&Cursors::new(Some(b"other"), ""), "requests", "a", &cursor), None);
        for text in ["", "x", "AAAA", &cursor[1..], &cursor[..cursor.len() - 2], &format!("{cursor}AA")] {
            assert_eq!(place(&cursors, "requests", "a", text), None, "{text}");
        }
    }

    #[test]
    fn a_page_has_a_next_one_only_when_more_was_found_than_asked_for() {
        let cursors = Cursors::new(None, "audience");
        let page = |items: Vec<u32>| cursors.page(list("numbers", &""), items, 2, |n| *n);
        assert_eq!((page(vec![1, 2]).items, page(vec![1, 2]).next), (vec![1, 2], None));
        let full = page(vec![1, 2, 3]);
        assert_eq!(full.items, [1, 2]);
        let next = full.next.expect("a next page");
        assert_eq!(cursors.place::<_, u32>(list("numbers", &""), &next).ok(), Some(2));
    }
}
