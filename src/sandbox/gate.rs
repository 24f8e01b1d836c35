//! A gate before all servers: whoever keeps it sees each call arrive, and says how far it comes.
//!
//! Faults wait for kinds of calls; a gate decides about each single one, in the order in which they arrive.

use std::sync::Arc;

use bytes::Bytes;
use http::Request;

use super::server::{Answer, Handler};
use super::wire::html;

/// How far a call comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// It is carried out, and its answer arrives.
    Through,
    /// The connection closes; nothing is done.
    LostBefore,
    /// It is carried out, then the connection closes without an answer.
    LostAfter,
    /// It is carried out, then a gateway that lost patience answers 504.
    TimedOut,
    /// It is carried out; half of the answer is sent, then the connection closes.
    Halved,
    /// It is carried out, then a proxy's page arrives.
    Page,
    /// No answer, ever; nothing is done.
    SilentBefore,
    /// It is carried out, then no answer, ever.
    SilentAfter,
}

/// Asked about each call, with the server's name: `entra`, `graph`, `jira`, `servicenow` or `desk`.
pub type Gate = Arc<dyn Fn(&'static str, &Request<Bytes>) -> Way + Send + Sync>;

/// A gate that lets everything through.
pub(super) fn open() -> Gate {
    Arc::new(|_, _| Way::Through)
}

/// The handler behind the gate.
pub(super) fn behind(gate: &Gate, server: &'static str, handler: Handler) -> Handler {
    let gate = Arc::clone(gate);
    Arc::new(move |request| {
        let way = gate(server, request);
        match way {
            Way::LostBefore => return Answer::HangUp,
            Way::SilentBefore => return Answer::Stall,
            _ => {}
        }
        let answer = handler(request);
        match way {
            Way::LostAfter => Answer::HangUp,
            Way::SilentAfter => Answer::Stall,
            Way::TimedOut => Answer::Reply(html(504)),
            Way::Page => Answer::Reply(html(502)),
            Way::Halved => halved(answer),
            _ => answer,
        }
    })
}

/// An answer that has no body to halve is lost.
fn halved(answer: Answer) -> Answer {
    match answer {
        Answer::Reply(response) => Answer::Truncate(response),
        _ => Answer::HangUp,
    }
}
