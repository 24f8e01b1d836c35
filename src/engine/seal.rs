//! The audit log is sealed about once a second, and its signed heads are published.
//!
//! Any worker may do either; the database says who does. Nothing else waits for this: a log that cannot be sealed grows
//! on, and a finding tells of it.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::{Engine, Live};
use crate::{
    domain::{
        duration,
        id::{ConnectionName, TicketId},
        proof::VerifyingKey,
    },
    outbound::Wire,
    publish::{self, Destination, NotPublished},
    store::{Head, NewFinding, Publication, Published, Sealer, Sealing, SignedHead, StoreError},
    tickets::Note,
};

/// How often the log is sealed.
const SEAL_EVERY: Duration = Duration::from_secs(1);

/// How long one publication may take before somebody else tries.
const PUBLISH_WITHIN: SignedDuration = SignedDuration::from_mins(5);

/// A destination that took nothing for so many intervals is a finding.
const INTERVALS_MISSED: i32 = 3;

/// The tree does not begin with what was signed, or the database lacks what was sealed.
const FORKED: &str = "audit-log-forked";

/// A destination takes no signed heads.
const NOT_PUBLISHED: &str = "checkpoint-not-published";

/// Where signed heads go, and how often.
#[derive(Clone, Debug)]
pub struct Publishing {
    /// The places.
    pub destinations: Vec<Destination>,
    /// How often each is served.
    pub interval: duration::Duration,
    /// What reaches endpoints; without it none is reached.
    pub wire: Option<Wire>,
}

impl Default for Publishing {
    fn default() -> Self {
        Self { destinations: vec![], interval: duration::Duration::hours(1), wire: None }
    }
}

/// What seals and publishes the audit log.
#[derive(Debug)]
pub struct Log {
    pub(super) sealer: Arc<Sealer>,
    pub(super) publishing: Publishing,
    /// What is known of the log and its publication, and was told to the database.
    pub(super) told: Told,
}

/// What this process last told the database, so that it is not told each second.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// Whether the log is as it must be; `None` before anything was told.
    sound: Mutex<Option<bool>>,
    /// When a publication is asked for next.
    next_publication: Mutex<Option<Timestamp>>,
}

impl Engine<Live> {
    /// Seals and publishes until told to stop, about once a second by real time.
    pub async fn keep_log(&self, stop: CancellationToken) {
        loop {
            if let Err(problem) = self.seal().await {
                warn!(%problem, "the audit log is not sealed now; trying again");
            }
            if let Err(problem) = self.publish().await {
                warn!(%problem, "nothing can be published now; trying again");
            }
            if tokio::time::timeout(SEAL_EVERY, stop.cancelled()).await.is_ok() {
                return;
            }
        }
    }

    /// The public half of the key that signs the log, where there is one.
    #[must_use]
    pub fn verifier_key(&self) -> Option<VerifyingKey> {
        self.log.sealer.key().map(|key| key.verifier_key().clone())
    }

    /// Seals what waits, unless somebody else does; tells when the log is no longer what was signed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn seal(&self) -> Result<(), StoreError> {
        let sealed = self.log.sealer.seal(self.clock.now()).await;
        match sealed {
            Ok(Sealing::Whole(1..)) => {
                self.tell_log(!self.log.sealer.is_forked(), "does not go on from what was signed").await
            }
            Ok(Sealing::Whole(0) | Sealing::Busy) if self.log.sealer.is_forked() => {
                self.tell_log(false, "does not go on from what was signed").await
            }
            Ok(_) => Ok(()),
            Err(problem @ StoreError::BadRow { .. }) => {
                error!(%problem, "the database lacks what was sealed");
                self.tell_log(false, &problem.to_string()).await
            }
            Err(problem) => Err(problem),
        }
    }

    /// Raises or clears the finding about the log, once for each change.
    async fn tell_log(&self, sound: bool, what: &str) -> Result<(), StoreError> {
        let told = || self.log.told.sound.lock().unwrap_or_else(PoisonError::into_inner);
        if *told() == Some(sound) {
            return Ok(());
        }
        // What another stint found is for that one to clear.
        if sound && told().is_none() {
            *told() = Some(true);
            return Ok(());
        }
        let now = self.clock.now();
        if sound {
            if self.store.clear_as_a_whole(None, FORKED, now).await? {
                info!("the audit log goes on from what was signed again");
            }
        } else {
            let detail = json!({ "what": what });
            if self.store.raise_as_a_whole(None, &NewFinding { kind: FORKED, detail }, now).await? {
                error!("the audit log is no longer what was signed: somebody changed it, or an older one was restored");
            }
        }
        *told() = Some(sound);
        Ok(())
    }

    /// Publishes the newest signed head wherever that is due.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn publish(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let next = || self.log.told.next_publication.lock().unwrap_or_else(PoisonError::into_inner);
        let destinations = &self.log.publishing.destinations;
        if destinations.is_empty() || next().is_some_and(|next| now < next) {
            return Ok(());
        }
        // What fell due at another stint, or is tried again sooner, is noticed within this time.
        *next() = Some(now + SignedDuration::from_secs(10).min(self.log.publishing.interval.signed()));
        let names: Vec<_> = destinations.iter().map(Destination::name).collect();
        let due = self.store.lease_publications(&names, now, now + PUBLISH_WITHIN).await?;
        for publication in due {
            let Some(place) = names.iter().position(|name| *name == publication.destination) else { continue };
            self.publish_to(&destinations[place], &publication).await?;
        }
        Ok(())
    }

    async fn publish_to(&self, destination: &Destination, publication: &Publication) -> Result<(), StoreError> {
        let same = |head: &SignedHead| publication.size == Some(head.head.size);
        let outcome = match self.store.signed_head(None).await {
            Err(problem @ StoreError::BadRow { .. }) => Published::Failed(problem.to_string()),
            Err(problem) => return Err(problem),
            Ok(None) => Published::Nothing,
            // A file is looked at each time: somebody may have changed or removed it.
            Ok(Some(head)) if same(&head) && !matches!(destination, Destination::File(_)) => {
                Published::Taken(head.head.size)
            }
            Ok(Some(head)) => match self.send(destination, publication, &head).await {
                Ok(()) => Published::Taken(head.head.size),
                Err(problem) => Published::Failed(problem.to_string()),
            },
        };
        let now = self.clock.now();
        self.store.conclude_publication(publication, &outcome, now, now + self.pause(publication, &outcome)).await?;
        self.tell_publication(publication, &outcome, now).await
    }

    /// Until the next try: the interval, or after failures less at first.
    fn pause(&self, publication: &Publication, outcome: &Published) -> SignedDuration {
        let interval = self.log.publishing.interval.signed();
        match outcome {
            Published::Taken(_) => interval,
            Published::Nothing => interval.min(SignedDuration::from_secs(10)),
            Published::Failed(_) => interval.min(SignedDuration::from_mins(1 << publication.failures.min(10))),
        }
    }

    async fn tell_publication(
        &self,
        publication: &Publication,
        outcome: &Published,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let place = publication.destination.as_str();
        match outcome {
            Published::Failed(why) => {
                warn!(place, why, "a signed head of the audit log is not published; trying again");
                if now.duration_since(publication.since) <= self.log.publishing.interval.signed() * INTERVALS_MISSED {
                    return Ok(());
                }
                let detail = json!({ "destination": place, "since": publication.since, "error": why });
                self.store.raise_as_a_whole(Some(place), &NewFinding { kind: NOT_PUBLISHED, detail }, now).await?;
            }
            Published::Taken(_) if publication.failures > 0 => {
                if self.store.clear_as_a_whole(Some(place), NOT_PUBLISHED, now).await? {
                    info!(place, "signed heads of the audit log are published again");
                }
            }
            Published::Taken(_) | Published::Nothing => {}
        }
        Ok(())
    }

    async fn send(
        &self,
        destination: &Destination,
        publication: &Publication,
        head: &SignedHead,
    ) -> Result<(), NotPublished> {
        match destination {
            Destination::File(path) => {
                self.must_go_on_from(path).await?;
                publish::to_file(path.clone(), head.note.clone()).await
            }
            Destination::Http { url, token } => match &self.log.publishing.wire {
                Some(wire) => publish::to_http(wire, url, token.as_ref(), head.note.clone()).await,
                None => Err(NotPublished("this stint reaches no endpoints".into())),
            },
            Destination::Ticket { connection, ticket } => {
                self.note_head(connection, ticket, head, publication.failures > 0).await
            }
        }
    }

    /// What was published in a file is never replaced by what does not go on from it.
    async fn must_go_on_from(&self, path: &Path) -> Result<(), NotPublished> {
        let Some(there) = publish::newest(path)? else { return Ok(()) };
        let head = Head { size: there.size, root: there.root };
        let goes_on = self.store.has_head(head).await.map_err(|problem| NotPublished(problem.to_string()))?;
        if goes_on {
            return Ok(());
        }
        let why = format!("holds a head of {} events that this log does not go on from", there.size);
        Err(NotPublished(format!("{} {why}", path.display())))
    }

    /// One line of base64 outlasts whatever a ticket system does to texts.
    async fn note_head(
        &self,
        connection: &ConnectionName,
        ticket: &TicketId,
        head: &SignedHead,
        maybe_written: bool,
    ) -> Result<(), NotPublished> {
        let missing = || NotPublished(format!("the connection {connection} is not served here"));
        let connection = self.connections.get(connection).ok_or_else(missing)?;
        let text = format!(
            "Head of stint's audit log: {} events, root {}. The signed note, in base64: {}",
            head.head.size,
            head.head.root,
            BASE64_STANDARD.encode(&head.note),
        );
        let key = format!("checkpoint:{}", head.head.size);
        let note = Note { ticket: ticket.clone(), key, text, internal: connection.settings().internal_notes };
        // Nothing is lost by a head that somebody else notes as well.
        let ever = Duration::MAX;
        connection.write_note(&note, maybe_written, ever).await.map_err(|error| NotPublished(error.to_string()))
    }
}
