//! Ends a transaction, and believes nothing less than a whole yes.
//!
//! With synchronous replication a commit waits until the standby has it. When that wait is cut short (somebody cancels the
//! statement, a timeout strikes), the server answers as if all were well, and adds a warning: "The transaction has already
//! committed locally, but might not have been replicated to the standby." A failover would take it back. So a commit with a
//! warning is one of which nothing is known.

use std::{cell::RefCell, fmt, pin::pin, sync::LazyLock, task::Poll};

use sqlx::{Postgres, Transaction};
use tracing::{
    Dispatch, Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
    span,
};

/// Where sqlx tells what servers say besides answers; it gives them to nobody in another way.
const NOTICES: &str = "sqlx::postgres::notice";

thread_local! {
    /// What was heard while this thread polled a commit.
    static HEARD: RefCell<Option<String>> = const { RefCell::new(None) };
}

static EAR: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(Ear));

/// Commits. The caller knows then that the transaction is as durable as the database is set up to make it.
///
/// # Errors
/// When the commit failed, or came with a warning: whether it holds is unknown.
pub(super) async fn commit(transaction: Transaction<'_, Postgres>) -> Result<(), sqlx::Error> {
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    heeding(transaction.commit()).await
}

/// Does what ends with a commit, be it one statement by itself, and believes the same.
///
/// # Errors
/// When it failed, or came with a warning: whether it holds is unknown.
pub(super) async fn heeding<T, E: From<sqlx::Error>>(work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    let (mut work, mut heard) = (pin!(work), None);
    let ended = std::future::poll_fn(|context| {
        let (polled, warning) = listening(|| work.as_mut().poll(context));
        heard = heard.take().or(warning);
        polled
    });
    let done = ended.await?;
    match heard {
        None => Ok(done),
        Some(warning) => Err(sqlx::Error::Protocol(format!("the commit may not be durable: {warning}")).into()),
    }
}

/// Polls once, and hears what the server warns of meanwhile. A poll stays on its thread, so nothing else is heard.
fn listening<T>(poll: impl FnOnce() -> Poll<T>) -> (Poll<T>, Option<String>) {
    HEARD.take();
    let polled = tracing::dispatcher::with_default(&EAR, poll);
    (polled, HEARD.take())
}

/// Hears warnings of servers and nothing else.
struct Ear;

impl Subscriber for Ear {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == NOTICES && *metadata.level() <= Level::WARN
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::WARN)
    }

    fn event(&self, event: &Event<'_>) {
        if self.enabled(event.metadata()) {
            let mut words = Words(String::new());
            event.record(&mut words);
            HEARD.set(Some(words.0));
        }
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

struct Words(String);

impl Visit for Words {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}
