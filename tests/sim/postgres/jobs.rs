//! Searches and comparisons: when they are due and who makes them.

use jiff::Timestamp;
use stint::{
    domain::{
        id::{ConnectionName, TenantName, TicketId},
        request::Status,
    },
    store::{Poll, PollResult, Sweep, SweepResult},
};

use super::{Database, PollRow, SweepRow, is_free};

impl Database {
    pub fn lease_polls(
        &mut self,
        connections: &[(ConnectionName, Timestamp)],
        now: Timestamp,
        until: Timestamp,
        limit: u32,
    ) -> Vec<Poll> {
        let mut sorted = connections.to_vec();
        sorted.sort();
        for (name, due_at) in sorted {
            if self.polls.iter().all(|row| row.connection != name) {
                let (known_since, covered_until) = (now, now);
                let (broken_off, failures, lease) = (None, 0, None);
                self.polls.push(PollRow {
                    connection: name,
                    known_since,
                    covered_until,
                    due_at,
                    broken_off,
                    failures,
                    lease,
                });
            }
        }
        let named = |row: &PollRow| connections.iter().any(|(name, _)| *name == row.connection);
        let mut due: Vec<_> = (0..self.polls.len()).collect();
        due.retain(|at| {
            let row = &self.polls[*at];
            named(row) && row.due_at <= now && is_free(row.lease, now)
        });
        due.sort_by_key(|at| self.polls[*at].due_at);
        due.truncate(limit as usize);
        due.into_iter().map(|at| self.lease_poll(at, until)).collect()
    }

    fn lease_poll(&mut self, at: usize, until: Timestamp) -> Poll {
        let token = self.token();
        let row = &mut self.polls[at];
        row.lease = Some((token, until));
        Poll {
            token,
            connection: row.connection.clone(),
            known_since: row.known_since,
            covered_until: row.covered_until,
            broken_off: row.broken_off.clone(),
            failures: row.failures,
        }
    }

    pub fn next_poll(&self, connections: &[ConnectionName]) -> Option<Timestamp> {
        let named = self.polls.iter().filter(|row| connections.contains(&row.connection));
        named.map(|row| row.lease.map_or(row.due_at, |(_, until)| row.due_at.max(until))).min()
    }

    pub fn conclude_poll(&mut self, poll: &Poll, result: &PollResult, due_at: Timestamp) {
        let is_it = |row: &&mut PollRow| {
            row.connection == poll.connection && row.lease.is_some_and(|(held, _)| held == poll.token)
        };
        let Some(row) = self.polls.iter_mut().find(is_it) else { return };
        row.lease = None;
        row.due_at = due_at;
        match result {
            PollResult::Whole(until) => {
                row.covered_until = row.covered_until.max(*until);
                (row.broken_off, row.failures) = (None, 0);
            }
            PollResult::Partly(began_at, reached) => {
                (row.broken_off, row.failures) = (Some((*began_at, reached.clone())), 0);
            }
            PollResult::Failed(_, reached) => {
                row.broken_off.clone_from(reached);
                row.failures += 1;
            }
        }
    }

    pub fn read_by_requests(&self, connection: &ConnectionName, tickets: &[TicketId]) -> Vec<TicketId> {
        let reads = |row: &&super::Row| {
            let reading =
                matches!(row.stands(), Status::Received | Status::Verifying | Status::Approved | Status::Active);
            row.connection == *connection && tickets.contains(&row.ticket) && reading
        };
        self.rows.iter().filter(reads).map(|row| row.ticket.clone()).collect()
    }

    pub fn lease_sweeps(
        &mut self,
        tenants: &[(TenantName, Timestamp)],
        now: Timestamp,
        until: Timestamp,
        limit: u32,
    ) -> Vec<Sweep> {
        let mut sorted = tenants.to_vec();
        sorted.sort();
        for (tenant, due_at) in sorted {
            if self.sweeps.iter().all(|row| row.tenant != tenant) {
                self.sweeps.push(SweepRow { tenant, due_at, failures: 0, lease: None });
            }
        }
        let mut due: Vec<_> = (0..self.sweeps.len()).collect();
        due.retain(|at| {
            let row = &self.sweeps[*at];
            let named = tenants.iter().any(|(name, _)| *name == row.tenant);
            named && row.due_at <= now && is_free(row.lease, now)
        });
        due.sort_by_key(|at| self.sweeps[*at].due_at);
        due.truncate(limit as usize);
        due.into_iter().map(|at| self.lease_sweep(at, until)).collect()
    }

    fn lease_sweep(&mut self, at: usize, until: Timestamp) -> Sweep {
        let token = self.token();
        let row = &mut self.sweeps[at];
        row.lease = Some((token, until));
        Sweep { token, tenant: row.tenant.clone(), failures: row.failures }
    }

    pub fn next_sweep(&self, tenants: &[TenantName]) -> Option<Timestamp> {
        let named = self.sweeps.iter().filter(|row| tenants.contains(&row.tenant));
        named.map(|row| row.lease.map_or(row.due_at, |(_, until)| row.due_at.max(until))).min()
    }

    pub fn may_sweep(&self, sweep: &Sweep) -> bool {
        let held = |row: &SweepRow| row.lease.is_some_and(|(held, _)| held == sweep.token);
        self.sweeps.iter().any(|row| row.tenant == sweep.tenant && held(row))
    }

    pub fn conclude_sweep(&mut self, sweep: &Sweep, result: &SweepResult, due_at: Timestamp) {
        let is_it =
            |row: &&mut SweepRow| row.tenant == sweep.tenant && row.lease.is_some_and(|(held, _)| held == sweep.token);
        let Some(row) = self.sweeps.iter_mut().find(is_it) else { return };
        row.lease = None;
        row.due_at = due_at;
        row.failures = if matches!(result, SweepResult::Whole(_)) { 0 } else { row.failures + 1 };
    }
}
