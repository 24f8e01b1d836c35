//! `GET /v1/requests/export`: the requests of a filter as one file, streamed from one statement in constant memory.
//!
//! A file is whole only with its closing line, which says how many records stand before it, what they were narrowed down to
//! and the digest of every byte. Where anything fails on the way, the connection is cut rather than ended, so that no client
//! takes the part for the whole. The log tells of each export before its first byte and again at its end, whichever way.
//!
//! Each export holds one database connection of its own and reads no further than its caller does; a caller that stops
//! reading is cut by the socket's timer, one that reads too slowly by [`LONGEST`].

mod body;
mod example;
mod format;
mod places;

use std::{sync::Arc, time::Duration};

use axum::{
    extract::State,
    response::{IntoResponse as _, Response},
};
use http::header;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use tracing::{Instrument as _, warn};

use self::{
    body::{Outlet, Unread},
    format::{Format, Text},
    places::{Place, Places},
};
use super::{
    Api,
    caller::Admitted,
    error::Problem,
    params::Params,
    refusals::{BadRequest, Unavailable},
    requests::Filters,
};
use crate::{
    domain::{
        audit::Actor,
        proof::{Closing, SigningKey},
    },
    store::{ExportStep, StoreError, history::Filter},
};

/// No export takes longer: its one snapshot keeps Postgres from clearing up behind everybody else.
const LONGEST: Duration = Duration::from_hours(2);

/// What all exports share.
#[derive(Clone, Debug)]
pub struct Exports {
    places: Places,
    key: Option<SigningKey>,
}

impl Exports {
    /// Their closing lines are signed with this key, where there is one.
    #[must_use]
    pub fn new(key: Option<SigningKey>) -> Self {
        Self { places: Places::default(), key }
    }
}

/// One export.
struct Export {
    api: Arc<Api>,
    filter: Filter,
    format: Format,
    /// When it was asked for.
    at: Timestamp,
    by: Actor,
    /// What it was narrowed down to, in the caller's own words and by what the caller may see.
    narrowed_to: Value,
    _place: Place,
}

/// How an export is written.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Written {
    /// `csv` for people with spreadsheets: headings, lists in words, nothing that a spreadsheet would run. `ndjson` for
    /// programs: one object a line, every text exactly as it is.
    #[param(inline)]
    format: Format,
}

/// Every request of a filter, newest first, as one file
///
/// It is streamed from one snapshot of the database. Only a whole file ends with a closing line: in NDJSON
/// `{"end_of_export": {…}}`, in CSV a record of two cells, `#end_of_export` and the same object. It tells format, filter
/// and range, how many records stand before it, the sha256 of every byte before it, when and by whom it was made, and
/// `note`, a signed note of all that. Where anything fails on the way, the connection is cut. The audit log tells of each
/// export when it begins and when it ends.
#[utoipa::path(
    get,
    path = "/v1/requests/export",
    params(Filters, Written),
    responses(
        (
            status = 200,
            description = "The file.",
            headers(("content-disposition" = String, description = "A name for the file.")),
            content(
                (String = "application/x-ndjson", example = example::ndjson),
                (String = "text/csv", example = example::csv),
            )
        ),
        BadRequest,
        Unavailable,
    )
)]
pub(super) async fn export(
    State(api): State<Arc<Api>>,
    by: Admitted,
    Params(filters, written): Params<Filters, Written>,
) -> Result<Response, Problem> {
    let place = api.exports.places.take(&by.actor())?;
    let filter = by.narrowed(filters.into());
    let export = Export {
        at: api.clock.now(),
        by: by.actor(),
        narrowed_to: json!(filter),
        api,
        filter,
        format: written.format,
        _place: place,
    };
    export.note(&ExportStep::Begun).await.map_err(Problem::from_store)?;
    Ok(export.answer())
}

impl Export {
    /// The answer's head; its body is written by a task of its own, no faster than it is read.
    fn answer(self) -> Response {
        let name = format!("attachment; filename=\"{}\"", format::file_name(self.format, self.at));
        let head = [(header::CONTENT_TYPE, self.format.media_type().to_owned()), (header::CONTENT_DISPOSITION, name)];
        let (outlet, body) = body::channel();
        tokio::spawn(self.run(outlet).in_current_span());
        (head, body).into_response()
    }

    async fn run(self, outlet: Outlet) {
        let mut written = Text::new(self.format);
        let outcome = tokio::time::timeout(LONGEST, outlet.while_read(self.write(&mut written, &outlet))).await;
        let outcome = match outcome {
            Ok(Some(Ok(()))) => self.close(&mut written, &outlet).await,
            Ok(Some(Err(broken))) => Err(broken),
            Ok(None) => Err(Broken::Unread),
            Err(_) => Err(Broken::TooSlow),
        };
        if let Err(broken) = &outcome {
            self.note_broken(broken, written.count).await;
        }
        // Whoever sees the end may ask for the next one.
        drop(self);
        match outcome {
            Ok(()) => outlet.end().await,
            Err(_) => outlet.cut(),
        }
    }

    /// Every record.
    async fn write(&self, written: &mut Text, outlet: &Outlet) -> Result<(), Broken> {
        let all = self.api.store.export(&self.filter, outlet.chunks(), |record| written.record(record)).await?;
        if all { Ok(()) } else { Err(Broken::Unread) }
    }

    /// The last records, and the closing line once the log holds what it says.
    async fn close(&self, written: &mut Text, outlet: &Outlet) -> Result<(), Broken> {
        outlet.send(written.chunk()).await?;
        let sha256 = written.sha256();
        self.note(&ExportStep::Ended { count: written.count, sha256: &sha256 }).await?;
        let closing = self.closing(written.count, sha256);
        Ok(outlet.send(self.format.closing_line(&closing).into()).await?)
    }

    /// The log is told before the connection is cut, so that whoever sees it cut finds it there.
    async fn note_broken(&self, why: &Broken, count: u64) {
        warn!(%why, count, "an export broke off");
        let step = ExportStep::Broken { count, why: why.code() };
        if let Err(problem) = self.note(&step).await {
            warn!(%problem, "the log does not tell that an export broke off");
        }
    }

    fn closing(&self, count: u64, sha256: String) -> Closing {
        let closing = Closing {
            format: self.format.name().into(),
            what: "requests".into(),
            filter: self.narrowed_to.clone(),
            from: self.filter.from,
            to: self.filter.to,
            count,
            sha256,
            at: self.at,
            by: self.by.to_string(),
            note: None,
        };
        let Some(key) = &self.api.exports.key else { return closing };
        closing.clone().signed(key).unwrap_or_else(|problem| {
            warn!(%problem, "an export is not signed");
            closing
        })
    }

    async fn note(&self, step: &ExportStep<'_>) -> Result<(), StoreError> {
        let export = json!({ "what": "requests", "format": self.format.name(), "filter": self.narrowed_to });
        self.api.store.note_export(self.api.clock.now(), &self.by, &export, step).await
    }
}

/// Why an export broke off.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("nobody read on")]
    Unread,
    #[error("it took too long")]
    TooSlow,
}

impl From<Unread> for Broken {
    fn from(Unread: Unread) -> Self {
        Self::Unread
    }
}

impl Broken {
    /// What the audit log says of it; the rest is for the operators.
    fn code(&self) -> &'static str {
        match self {
            Self::Store(_) => "database-failed",
            Self::Unread => "not-read-on",
            Self::TooSlow => "too-slow",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::params::read, *};

    #[test]
    fn an_export_names_its_format_and_has_no_pages() {
        for (query, name) in [
            ("", "format"),
            ("format=xlsx", "format"),
            ("format=csv&format=csv", "format"),
            ("format=csv&limit=5", "limit"),
            ("format=csv&cursor=x", "cursor"),
            ("format=csv&status=granted", "status"),
            ("format=ndjson&q=a&q=b", "q"),
        ] {
            let problem = read::<Filters, Written>(query).expect_err(query);
            assert!(problem.detail().contains(name), "{query}: {}", problem.detail());
        }
        let Params(_, written) = read::<Filters, Written>("format=ndjson&tenant=&status=").expect("good");
        assert_eq!(written.format, Format::Ndjson);
    }
}
