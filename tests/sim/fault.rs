//! Everything that may go wrong, each with a name under which it is counted.

macro_rules! faults {
    ($( $(#[$doc:meta])* $name:ident $word:literal, )*) => {
        /// One way in which something goes wrong, or differently.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Fault { $( $(#[$doc])* $name, )* }

        impl Fault {
            pub const ALL: &'static [Self] = &[$( Self::$name, )*];

            pub fn name(self) -> &'static str {
                match self { $( Self::$name => $word, )* }
            }
        }
    };
}

faults! {
    /// No connection to the database; nothing was done.
    DbDown "db-down",
    /// The transaction is rolled back, and the caller learns of an error.
    DbLost "db-not-committed",
    /// The transaction is committed, and the caller learns of an error.
    DbUnknown "db-commit-unknown",
    /// Two statements of one reading see what was committed between them.
    DbTorn "db-read-between-commits",
    DbOutage "db-outage",
    /// Acknowledged commits survive, open transactions do not.
    Failover "db-failover",
    GraphDown "graph-down",
    GraphThrottled "graph-429",
    GraphLag "graph-lists-lag",
    GraphUnreadable "graph-unreadable",
    GraphSlow "graph-slow",
    GraphNotSent "graph-not-sent",
    GraphNotYet "graph-unknown-principal",
    GraphPermission "graph-permission",
    GraphRefused "graph-refused",
    GraphLostBefore "graph-lost-before",
    GraphLostAfter "graph-lost-after",
    /// Carried out up to half a minute after its caller gave up, or died.
    GraphLate "graph-carried-out-late",
    GraphOdd "graph-odd-status",
    GraphPending "graph-granted-first",
    GraphHangs "graph-granted-for-ever",
    GraphEndsLate "graph-ends-late",
    GraphEndless "graph-no-end",
    GraphFails "graph-comes-to-nothing",
    GraphValidates "graph-grants-a-validation",
    GraphOutage "graph-outage",
    TicketDown "ticket-down",
    TicketStale "ticket-stale",
    TicketUnreadable "ticket-other-body",
    TicketThrottled "ticket-429",
    TicketForbidden "ticket-forbidden",
    TicketCredential "ticket-credential",
    TicketSlow "ticket-slow",
    TicketHidden "ticket-hidden-field",
    TicketAnonymous "ticket-anonymous",
    TicketOutage "ticket-outage",
    NoteLost "note-lost",
    NoteUnanswered "note-unanswered",
    DeliveryLost "delivery-lost",
    DeliveryRepeated "delivery-repeated",
    DeliveryLate "delivery-late",
    DeliveryUnacknowledged "delivery-unacknowledged",
    Kill "kill",
    Stop "sigstop",
    ClockAhead "clock-ahead",
    ClockBack "clock-back",
    Edited "edited",
    Withdrawn "withdrawn",
    Reopened "reopened",
    Moved "moved",
    Deleted "deleted",
    Declined "declined",
    Reapproved "approved-anew",
    Ordered "operator-revokes",
    HandRevoked "revoked-by-hand",
    HandGranted "granted-by-hand",
}
