//! What somebody must look at: raised once for as long as it lasts.

use jiff::Timestamp;
use stint::{
    domain::{
        id::{ConnectionName, RequestId, TenantName},
        request::State,
    },
    store::NewFinding,
};

use super::{Database, Finding, Row};

impl Database {
    fn standing(&self, is_it: impl Fn(&Finding) -> bool) -> Option<usize> {
        self.findings.iter().position(|finding| !finding.cleared && is_it(finding))
    }

    /// Raises a finding about a request, once ever; `true` when it was raised now.
    pub(super) fn raise(&mut self, tenant: Option<&TenantName>, request: RequestId, finding: &NewFinding) -> bool {
        let known = |f: &Finding| f.request == Some(request) && f.kind == finding.kind;
        if self.findings.iter().any(known) {
            return false;
        }
        self.findings.push(Finding { request: Some(request), tenant: tenant.cloned(), ..Finding::of(finding) });
        self.tell(Some(request), "finding-raised", None);
        true
    }

    pub fn raise_of_request(&mut self, tenant: &TenantName, request: RequestId, finding: &NewFinding, now: Timestamp) {
        if !self.raise(Some(tenant), request, finding) {
            return;
        }
        if let Some(row) = self.row_mut(request).filter(|row| row.due_at.is_some()) {
            wake(row, now);
        }
    }

    pub fn raise_of_connection(&mut self, connection: &ConnectionName, finding: &NewFinding) -> bool {
        if self.standing(|f| f.connection.as_ref() == Some(connection) && f.kind == finding.kind).is_some() {
            return false;
        }
        self.findings.push(Finding { connection: Some(connection.clone()), ..Finding::of(finding) });
        self.tell(None, "finding-raised", None);
        true
    }

    pub fn clear_of_connection(&mut self, connection: &ConnectionName, kind: &str, now: Timestamp) -> bool {
        let at = self.standing(|f| f.connection.as_ref() == Some(connection) && f.kind == kind);
        let Some(at) = at else { return false };
        self.findings[at].cleared = true;
        self.tell(None, "finding-cleared", None);
        let held =
            self.rows.iter_mut().filter(|row| row.connection == *connection && is_held_by(row, &[kind.to_owned()]));
        held.for_each(|row| wake(row, now));
        true
    }

    pub fn raise_of_tenant(&mut self, tenant: &TenantName, part: &str, finding: &NewFinding) -> bool {
        let at = self.standing(|f| f.is_of_tenant(tenant) && f.kind == finding.kind);
        if let Some(at) = at {
            let parts = &mut self.findings[at].parts;
            if !parts.iter().any(|known| known == part) {
                parts.push(part.to_owned());
            }
            return false;
        }
        self.findings.push(Finding {
            tenant: Some(tenant.clone()),
            parts: vec![part.to_owned()],
            ..Finding::of(finding)
        });
        self.tell(None, "finding-raised", None);
        true
    }

    pub fn clear_of_tenant(&mut self, tenant: &TenantName, part: &str, now: Timestamp) -> Vec<String> {
        let mut kinds = vec![];
        let about = |f: &&mut Finding| {
            let of_tenant = f.tenant.as_ref() == Some(tenant) && f.request.is_none() && f.connection.is_none();
            of_tenant && !f.cleared && f.parts.iter().any(|known| known == part)
        };
        for finding in self.findings.iter_mut().filter(about) {
            finding.parts.retain(|known| known != part);
            finding.cleared = finding.parts.is_empty();
            kinds.push(finding.kind.clone());
        }
        let held = self.rows.iter_mut().filter(|row| row.tenant.as_ref() == Some(tenant) && is_held_by(row, &kinds));
        held.for_each(|row| wake(row, now));
        kinds
    }

    pub fn raise_of_subject(&mut self, tenant: &TenantName, subject: &str, finding: &NewFinding) -> bool {
        let same = |f: &Finding| {
            f.tenant.as_ref() == Some(tenant) && f.kind == finding.kind && f.subject.as_deref() == Some(subject)
        };
        if self.standing(same).is_some() {
            return false;
        }
        let (tenant, subject) = (Some(tenant.clone()), Some(subject.to_owned()));
        self.findings.push(Finding { tenant, subject, ..Finding::of(finding) });
        self.tell(None, "finding-raised", None);
        true
    }

    pub fn clear_of_subjects(&mut self, tenant: &TenantName, kinds: &[&str], keep: &[String], keep_targets: &[String]) {
        let goes = |f: &&mut Finding| {
            let Some(subject) = &f.subject else { return false };
            let of_these = f.tenant.as_ref() == Some(tenant) && kinds.contains(&f.kind.as_str());
            of_these && !f.cleared && !keep.contains(subject) && !keep_targets.contains(&f.target)
        };
        let mut cleared = 0;
        for finding in self.findings.iter_mut().filter(goes) {
            finding.cleared = true;
            cleared += 1;
        }
        (0..cleared).for_each(|_| self.tell(None, "finding-cleared", None));
    }
}

impl Finding {
    fn of(finding: &NewFinding) -> Self {
        Self {
            kind: finding.kind.to_owned(),
            tenant: None,
            request: None,
            connection: None,
            subject: None,
            target: finding.detail["target"].as_str().unwrap_or_default().to_owned(),
            parts: vec![],
            cleared: false,
        }
    }

    fn is_of_tenant(&self, tenant: &TenantName) -> bool {
        self.tenant.as_ref() == Some(tenant)
            && self.request.is_none()
            && self.connection.is_none()
            && self.subject.is_none()
    }
}

fn wake(row: &mut Row, now: Timestamp) {
    row.due_at = row.due_at.map(|due| due.min(now));
    row.woken = true;
}

fn is_held_by(row: &Row, kinds: &[String]) -> bool {
    let held = matches!(&row.state, State::Held { hold, .. } if kinds.contains(&hold.code));
    held && row.due_at.is_some()
}
