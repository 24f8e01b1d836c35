//! Who may work on what.

use jiff::{SignedDuration, Timestamp};
use stint::{
    domain::{
        id::{RequestId, TenantName},
        request::{Request, State, Status},
    },
    store::{DueNote, Lease, NoteResult, Room, StoreError},
};

use super::{Database, Row, is_free};

impl Row {
    fn is_end(&self, now: Timestamp) -> bool {
        let over = match self.state.underlying() {
            State::Active(_, assignment) => assignment.ends_at <= now,
            State::Ending(..) => true,
            _ => false,
        };
        self.end_requested.is_some() || over
    }

    /// When it takes its turn: what only watches its ticket lets others go first.
    fn turn(&self) -> Option<Timestamp> {
        let later = SignedDuration::from_secs(if self.stands() == Status::Active { 30 } else { 0 });
        self.due_at.map(|due_at| due_at + later)
    }
}

impl Database {
    /// Leases what is due to this worker, whose shares count what it has in work itself.
    pub fn lease_due(&mut self, now: Timestamp, until: Timestamp, room: Room, worker: usize) -> Vec<Lease> {
        let mut due: Vec<_> =
            self.rows.iter().filter(|row| row.is_free(now)).filter(|r| r.due_at.is_some_and(|d| d <= now)).collect();
        due.sort_by_key(|row| row.turn());
        let is_mine = |row: &&Row| !row.is_free(now) && row.worker == worker;
        let busy = |of: &dyn Fn(&Row) -> bool| self.rows.iter().filter(is_mine).filter(|row| of(row)).count();
        let (mut chosen, mut places): (Vec<&Row>, [u32; 2]) = (vec![], [room.ends, room.others]);
        let mut of_tenants: Vec<(bool, TenantName, usize)> = vec![];
        let mut of_connections: Vec<(String, usize)> = vec![];
        for row in due {
            let is_end = row.is_end(now);
            // Places are numbered before anybody is left out, as in the statement: first by tenant, then by connection.
            if let Some(tenant) = &row.tenant {
                let begun = busy(&|other| other.tenant.as_ref() == Some(tenant) && other.is_end(now) == is_end);
                if nth(&mut of_tenants, (is_end, tenant.clone()), begun) > room.per_tenant as usize {
                    continue;
                }
            }
            if !is_end {
                let begun = busy(&|other| other.connection == row.connection && !other.is_end(now));
                let at = of_connections.iter().position(|(name, _)| name == row.connection.as_str());
                let at = at.unwrap_or_else(|| {
                    of_connections.push((row.connection.to_string(), begun));
                    of_connections.len() - 1
                });
                of_connections[at].1 += 1;
                if of_connections[at].1 > room.per_connection as usize {
                    continue;
                }
            }
            let place = &mut places[usize::from(!is_end)];
            if *place > 0 {
                *place -= 1;
                chosen.push(row);
            }
        }
        let chosen: Vec<_> = chosen.into_iter().map(|row| (row.id, row.is_end(now))).collect();
        chosen.into_iter().map(|(id, is_end)| self.lease(id, until, is_end, worker)).collect()
    }

    fn lease(&mut self, id: RequestId, until: Timestamp, is_end: bool, worker: usize) -> Lease {
        let token = self.token();
        if let Some(row) = self.row_mut(id) {
            row.lease = Some((token, until));
            row.worker = worker;
            row.woken = false;
            if matches!(row.stands(), Status::Received | Status::Verifying) {
                row.hinted_approval = None;
            }
        }
        Lease::drawn(id, token, is_end)
    }

    /// The request, while the lease is held.
    pub fn leased(&self, lease: &Lease) -> Result<Request, StoreError> {
        let id = lease.request();
        let row = self.row(id).filter(|row| row.is_leased_by(lease.token()));
        row.and_then(|_| self.load(id)).ok_or(StoreError::LeaseLost(id))
    }

    pub fn next_due(&self) -> Option<Timestamp> {
        let at = |due: Option<Timestamp>, lease: Option<(uuid::Uuid, Timestamp)>| {
            due.map(|due| lease.map_or(due, |(_, until)| due.max(until)))
        };
        let rows = self.rows.iter().filter_map(|row| at(row.due_at, row.lease));
        rows.chain(self.notes.iter().filter_map(|note| at(note.due_at, note.lease))).min()
    }

    pub fn may_send(&self, lease: &Lease) -> bool {
        let row = self.row(lease.request()).filter(|row| row.is_leased_by(lease.token()));
        row.is_some_and(|row| row.end_requested.is_none())
    }

    pub fn release(&mut self, lease: &Lease, due_at: Timestamp) {
        let token = lease.token();
        let row = self.row_mut(lease.request()).filter(|row| row.is_leased_by(token) && row.due_at.is_some());
        let Some(row) = row else { return };
        row.lease = None;
        row.looks += 1;
        row.due_at = if row.woken { row.due_at.map(|due| due.min(due_at)) } else { Some(due_at) };
    }

    pub fn lease_notes(&mut self, now: Timestamp, until: Timestamp, limit: u32, per_connection: u32) -> Vec<DueNote> {
        let connection = |request: RequestId| self.row(request).map(|row| row.connection.clone());
        let mut due: Vec<_> = (0..self.notes.len()).collect();
        due.retain(|at| {
            let note = &self.notes[*at];
            note.due_at.is_some_and(|due| due <= now) && is_free(note.lease, now)
        });
        due.sort_by_key(|at| self.notes[*at].due_at);
        let mut of_connections: Vec<(String, usize)> = vec![];
        due.retain(|at| {
            let Some(name) = connection(self.notes[*at].request) else { return false };
            let begun = || {
                self.notes
                    .iter()
                    .filter(|n| !is_free(n.lease, now) && connection(n.request).as_ref() == Some(&name))
                    .count()
            };
            let place = of_connections.iter().position(|(known, _)| known == name.as_str());
            let place = place.unwrap_or_else(|| {
                of_connections.push((name.to_string(), begun()));
                of_connections.len() - 1
            });
            of_connections[place].1 += 1;
            of_connections[place].1 <= per_connection as usize
        });
        due.truncate(limit as usize);
        due.into_iter().filter_map(|at| self.lease_note(at, until)).collect()
    }

    fn lease_note(&mut self, at: usize, until: Timestamp) -> Option<DueNote> {
        let token = self.token();
        let row = self.row(self.notes[at].request)?;
        let (connection, ticket) = (row.connection.clone(), row.ticket.clone());
        let note = &mut self.notes[at];
        note.lease = Some((token, until));
        note.tries += 1;
        let (request, step, text) = (note.request, note.step.clone(), note.text.clone());
        Some(DueNote { token, request, step, connection, ticket, text, tries: note.tries, created_at: note.created_at })
    }

    pub fn conclude_note(&mut self, due: &DueNote, result: &NoteResult) {
        let is_it = |note: &&mut super::Note| {
            note.request == due.request
                && note.step == due.step
                && note.lease.is_some_and(|(held, _)| held == due.token)
        };
        let Some(note) = self.notes.iter_mut().find(is_it) else { return };
        note.lease = None;
        note.due_at = match result {
            NoteResult::Later(due, _) => Some(*due),
            NoteResult::Written | NoteResult::GivenUp(_) => None,
        };
    }
}

/// One more of this kind; how many that makes with those that had begun.
fn nth<K: PartialEq>(counted: &mut Vec<(bool, K, usize)>, (kind, key): (bool, K), begun: usize) -> usize {
    let at = counted.iter().position(|(k, known, _)| *k == kind && *known == key);
    let at = at.unwrap_or_else(|| {
        counted.push((kind, key, begun));
        counted.len() - 1
    });
    counted[at].2 += 1;
    counted[at].2
}
