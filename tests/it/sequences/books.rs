//! What the simulator and the database say at the end, laid out for the checker, and counted.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use sqlx::Row as _;
use stint::sandbox::{
    graph::{Entry, Grant, Surface},
    story,
};

use super::{
    check::{Approval, Case, Recorded},
    plan::{PLACES, what},
    play::Play,
};
use crate::world::seconds;

/// What each sequence may come to, and who did: a principal of each request.
const REACHED: [(&str, &str); 15] = [
    (
        "joined",
        "from attempts a where kind = 'update' and duration_seconds is not null and (outcome = 'accepted' or code = 'covered')",
    ),
    ("joined without a call", "from attempts a where code = 'covered'"),
    ("unclear, then nothing", "from attempts a where outcome = 'absent' and duration_seconds is not null"),
    (
        "unclear, then found",
        "from attempts a where outcome = 'accepted' and (http_status is null or http_status <> 201) \
      and duration_seconds is not null",
    ),
    (
        "removal unclear",
        "from attempts a where kind = 'remove' and outcome <> 'refused' and coalesce(http_status, 0) <> 201",
    ),
    (
        "foreign",
        "from requests a where exists (select from audit_events e join audit_details d on d.event_id = e.id \
      where e.request_id = a.id and d.detail::text like '%\"foreign-assignment\"%')",
    ),
    (
        "contested",
        "from requests a where exists (select from audit_events e join audit_details d on d.event_id = e.id \
      where e.request_id = a.id and d.detail::text like '%\"contested\"%')",
    ),
    (
        "waited for another",
        "from requests a where exists (select from audit_events e join audit_details d on d.event_id = e.id \
      where e.request_id = a.id and d.detail::text like '%\"held-by-another-request\"%')",
    ),
    (
        "held",
        "from requests a where exists (select from audit_events e where e.request_id = a.id and e.state_to = 'held')",
    ),
    (
        "ended late by Graph",
        "from requests a where exists (select from findings f where f.request_id = a.id \
      and f.kind in ('end-late', 'end-missing'))",
    ),
    ("expired", "from requests a where state = 'ended' and end_order->>'cause' = 'expired'"),
    ("revoked", "from requests a where state = 'ended' and end_order->>'cause' = 'revoked'"),
    ("withdrawn", "from requests a where state = 'ended' and end_order->>'cause' = 'withdrawn'"),
    ("rejected", "from (select id as principal_id from requests where state = 'rejected') a"),
    ("failed", "from requests a where state = 'failed'"),
];

/// How many sequences came to what.
pub type Tally = BTreeMap<&'static str, usize>;

/// The books of one world.
pub struct Books {
    entries: Vec<Entry>,
    grants: Vec<Grant>,
    calls: Vec<Recorded>,
    active: BTreeMap<String, Timestamp>,
    open: Vec<(String, String)>,
}

impl Books {
    pub async fn of(play: &Play) -> Self {
        let graph = &play.it.world.sandbox.graph;
        let mut sql = play.it.sql().await;
        let calls = sqlx::query(
            "select a.id::text, r.ticket_number, (extract(epoch from a.recorded_at) * 1000000)::bigint, a.duration_seconds, \
             (extract(epoch from a.ends_at) * 1000000)::bigint, a.outcome in ('refused', 'not-sent'), \
             coalesce(a.code = 'covered', false) from attempts a join requests r on r.id = a.request_id order by a.number",
        );
        let calls = calls.fetch_all(&mut sql).await.expect("attempts");
        let calls = calls.iter().map(|row| Recorded {
            id: row.get(0),
            ticket: row.get(1),
            at: moment(row.get(2)),
            duration: row.get::<Option<i32>, _>(3).map(|s| seconds(i64::from(s))),
            ends_at: row.get::<Option<i64>, _>(4).map(moment),
            surely_not: row.get(5),
            covered: row.get(6),
        });
        let calls = calls.collect();
        let active = sqlx::query(
            "select r.ticket_number, (extract(epoch from min(e.at)) * 1000000)::bigint from audit_events e \
             join requests r on r.id = e.request_id where e.state_to = 'active' group by 1",
        );
        let active = active.fetch_all(&mut sql).await.expect("events");
        let active = active.iter().map(|row| (row.get(0), moment(row.get(1)))).collect();
        let open =
            "select ticket_number, state || ' ' || coalesce(hold->>'code', '') from requests where due_at is not null";
        let open = sqlx::query_as(open).fetch_all(&mut sql).await.expect("requests");
        Self { entries: graph.ledger(), grants: graph.grants(story::TENANT), calls, active, open }
    }

    /// Everything that is wrong with one sequence, and its story.
    pub fn faults(&self, play: &Play, who: usize) -> Vec<String> {
        let mut faults: Vec<_> = (0..PLACES.len()).flat_map(|place| self.case(play, who, place).faults()).collect();
        let tickets: BTreeSet<_> = tickets_of(play, who).map(|(_, filed)| filed.number.as_str()).collect();
        let open = self.open.iter().filter(|(number, _)| tickets.contains(number.as_str()));
        faults.extend(open.map(|(number, state)| format!("{number} never comes to an end: {state}")));
        let left = play.log.iter().filter(|(_, whose, line)| *whose == Some(who) && line.starts_with("LEFT OPEN"));
        faults.extend(left.map(|(_, _, line)| line.clone()));
        let principal = play.sequences[who].principal.to_string();
        let ours = |g: &&Grant| g.principal == principal && !g.foreign && g.start.is_some() && g.ended_at.is_none();
        faults.extend(self.grants.iter().filter(ours).map(|grant| format!("{} is still in force", grant.schedule_id)));
        faults
    }

    fn case(&self, play: &Play, who: usize, place: usize) -> Case {
        let principal = play.sequences[who].principal.to_string();
        let surface = what(place).surface();
        let approvals: Vec<_> =
            tickets_of(play, who).filter(|(ask, _)| play.sequences[who].tickets[*ask].place == place).collect();
        let approvals = approvals.into_iter().map(|(ask, filed)| Approval {
            ticket: filed.number.clone(),
            duration: seconds(play.sequences[who].tickets[ask].seconds),
            not_after: filed.not_after,
            stopped: filed.stopped,
            noticed_within: filed.noticed_within,
            active: self.active.get(&filed.number).copied(),
        });
        let approvals: Vec<_> = approvals.collect();
        let calls =
            self.calls.iter().filter(|call| approvals.iter().any(|a| a.ticket == call.ticket)).cloned().collect();
        let hands = play.hands[who].iter().filter(|(_, of)| *of == place).map(|(at, _)| *at).collect();
        let is_its = |of: &str, on: Surface| of == principal && on == surface;
        Case {
            calls,
            hands,
            entries: self.entries.iter().filter(|e| is_its(&e.principal, e.surface)).cloned().collect(),
            grants: self.grants.iter().filter(|g| is_its(&g.principal, g.surface)).cloned().collect(),
            storms: play.storms.clone(),
            approvals,
        }
    }

    /// How many sequences of this world came to what.
    pub async fn tally(&self, play: &Play) -> Tally {
        let mut tally = Tally::new();
        let mut sql = play.it.sql().await;
        for (label, of) in REACHED {
            let text = format!("select count(distinct principal_id) {of}");
            let count: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(text)).fetch_one(&mut sql).await.expect("a count");
            *tally.entry(label).or_default() += usize::try_from(count).unwrap_or(0);
        }
        for (label, action, gives) in [
            ("extended", "adminUpdate", Some(true)),
            ("cut back", "adminUpdate", Some(false)),
            ("removed", "adminRemove", None),
            ("cancelled", "cancel", None),
            ("created", "adminAssign", None),
        ] {
            let is_so = |entry: &&Entry| {
                let record = self.calls.iter().find(|call| entry.client_request_id.as_deref() == Some(&call.id));
                let gives_access = record.is_some_and(|call| call.duration.is_some());
                entry.committed && entry.action == action && gives.is_none_or(|gives| gives == gives_access)
            };
            let whose: BTreeSet<_> = self.entries.iter().filter(is_so).map(|entry| &entry.principal).collect();
            *tally.entry(label).or_default() += whose.len();
        }
        *tally.entry("left to a person").or_default() += play.held.len();
        tally
    }

    /// One sequence as a person reads it.
    pub fn story(&self, play: &Play, who: usize) -> String {
        let mut lines: Vec<(Timestamp, String)> = vec![];
        let (sequence, principal) = (&play.sequences[who], play.sequences[who].principal.to_string());
        for (at, whose, line) in play.log.iter().filter(|(_, whose, _)| whose.is_none_or(|whose| whose == who)) {
            lines.push((*at, format!("{} {line}", if whose.is_none() { "~" } else { "*" })));
        }
        for entry in self.entries.iter().filter(|entry| entry.principal == principal) {
            let Entry { action, surface, committed, error, start, end, ticket_number, .. } = entry;
            let id = entry.client_request_id.as_deref().unwrap_or_default();
            let line = format!(
                "  {action} {surface:?} for {ticket_number:?} committed: {committed} {error:?} {start:?} to {end:?} call {id}"
            );
            lines.push((entry.at, line));
        }
        for call in self.calls.iter().filter(|c| tickets_of(play, who).any(|(_, filed)| filed.number == c.ticket)) {
            lines.push((call.at, format!("  recorded {call:?}")));
        }
        for (ticket, at) in &self.active {
            if tickets_of(play, who).any(|(_, filed)| filed.number == *ticket) {
                lines.push((*at, format!("  {ticket} is active")));
            }
        }
        lines.sort_by_key(|(at, _)| *at);
        let mut text = vec![principal.clone()];
        for (ask, filed) in tickets_of(play, who) {
            text.push(format!("ticket {ask} is {}: {:?}", filed.number, sequence.tickets[ask]));
        }
        text.extend(lines.into_iter().map(|(at, line)| format!("{at} {line}")));
        for grant in self.grants.iter().filter(|grant| grant.principal == principal) {
            let Grant { surface, start, end, ended_at, replaced, foreign, schedule_id, .. } = grant;
            let whose = if *foreign { "somebody else's" } else { "ours" };
            text.push(format!(
                "{surface:?} {schedule_id}, {whose}: {start:?} to {end:?}, over {ended_at:?}, replaced: {replaced}"
            ));
        }
        text.join("\n")
    }
}

fn tickets_of(play: &Play, who: usize) -> impl Iterator<Item = (usize, &super::play::Filed)> {
    play.filed.iter().filter(move |((of, _), _)| *of == who).map(|((_, ask), filed)| (*ask, filed))
}

fn moment(micros: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_micros(micros)
}
