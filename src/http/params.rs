//! Query parameters, read strictly: each is known to the route, given once, whole UTF-8, and as it must be. Whatever is
//! not is refused by its name.

use axum::extract::FromRequestParts;
use http::request::Parts;
use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use serde::{
    Deserialize, Deserializer,
    de::{self, DeserializeOwned, IntoDeserializer as _},
};
use utoipa::IntoParams;

use super::error::Problem;

/// Free text to filter by is at most this long, in characters.
pub const MAX_TEXT: usize = 200;

/// Most entries of a page.
pub const MAX_LIMIT: u32 = 200;

/// A route's parameters, of one or two kinds: what it documents is what it takes.
#[derive(Clone, Copy, Debug)]
pub struct Params<A, B = Nothing>(pub A, pub B);

/// No further parameters.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
pub struct Nothing {}

impl<S: Sync, A, B> FromRequestParts<S> for Params<A, B>
where
    A: DeserializeOwned + IntoParams,
    B: DeserializeOwned + IntoParams,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        read(parts.uri.query().unwrap_or_default())
    }
}

/// Reads a query string.
///
/// # Errors
/// 400 that names the parameter.
pub fn read<A, B>(query: &str) -> Result<Params<A, B>, Problem>
where
    A: DeserializeOwned + IntoParams,
    B: DeserializeOwned + IntoParams,
{
    let known = A::into_params(|| None).into_iter().chain(B::into_params(|| None));
    check(query, &known.map(|parameter| parameter.name).collect::<Vec<_>>())?;
    Ok(Params(typed(query)?, typed(query)?))
}

/// Whether each parameter is known and given once, as text.
fn check(query: &str, known: &[String]) -> Result<(), Problem> {
    let mut seen = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = decoded(name).ok_or_else(|| Problem::bad_request("a parameter's name is not UTF-8"))?;
        let value = decoded(value);
        if !known.contains(&name) {
            let name: String = name.chars().take(50).collect();
            return Err(Problem::bad_request(format!("{name:?} is no parameter of this route")));
        }
        let fault = match value {
            _ if seen.contains(&name) => "is given twice",
            None => "is not UTF-8",
            Some(value) if value.contains('\0') => "holds a NUL character",
            Some(_) => {
                seen.push(name);
                continue;
            }
        };
        return Err(Problem::bad_request(format!("{name} {fault}")));
    }
    Ok(())
}

fn typed<T: DeserializeOwned>(query: &str) -> Result<T, Problem> {
    let pairs = serde_urlencoded::Deserializer::new(url::form_urlencoded::parse(query.as_bytes()));
    serde_path_to_error::deserialize(pairs)
        .map_err(|error| Problem::bad_request(format!("{} {}", error.path(), error.inner())))
}

fn decoded(text: &str) -> Option<String> {
    percent_decode_str(&text.replace('+', " ")).decode_utf8().ok().map(Into::into)
}

/// Text to filter by; empty text filters nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text(Option<String>);

/// A moment from 1970 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment(pub Timestamp);

/// How many entries a page holds at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit(pub u32);

impl Text {
    /// The text, unless it is empty.
    #[must_use]
    pub fn given(self) -> Option<String> {
        self.0
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self(50)
    }
}

/// A filter that is given as empty text, as forms send it, filters nothing.
///
/// # Errors
/// When the text is none of the kind.
pub fn unless_empty<'de, D: Deserializer<'de>, T: DeserializeOwned>(from: D) -> Result<Option<T>, D::Error> {
    let text = Some(String::deserialize(from)?).filter(|text| !text.is_empty());
    text.map(|text| T::deserialize(text.into_deserializer())).transpose()
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        if text.chars().count() > MAX_TEXT {
            return Err(de::Error::custom(format!("is longer than {MAX_TEXT} characters")));
        }
        Ok(Self(Some(text).filter(|text| !text.is_empty())))
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let moment = String::deserialize(from)?.parse().ok().filter(|moment| *moment >= Timestamp::UNIX_EPOCH);
        moment.map(Self).ok_or_else(|| de::Error::custom("is a moment such as 2026-11-03T08:31:07Z, from 1970 on"))
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let limit = String::deserialize(from)?.parse().ok().filter(|n| (1..=MAX_LIMIT).contains(n));
        limit.map(Self).ok_or_else(|| de::Error::custom(format!("is a number from 1 to {MAX_LIMIT}")))
    }
}
