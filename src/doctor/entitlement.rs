//! Entitlements: what they give is there, PIM would give it, and what is powerful is protected.

use super::{
    permissions::names,
    report::{Report, Said, Subject},
    tenant::failed,
};
use crate::{
    domain::{
        entitlement::Entitlement,
        id::{ObjectId, TenantName},
        pim_policy::{Demand, PimPolicy},
    },
    graph::{Flaw, GraphError, Inspected, TARGETS, TenantGraph},
};

pub(super) async fn examine(report: &mut Report, tenant: &TenantName, graph: &TenantGraph, entitlement: &Entitlement) {
    let about = Subject::entitlement(tenant, &entitlement.key);
    let target = &entitlement.target;
    let parts = graph.inspect(target).await;
    report.say(&about, "protected", protected(entitlement, parts.as_deref().unwrap_or_default()));
    report.say(&about, "target", parts.map_or_else(|error| vec![failed(&error)], |parts| there(&parts)));
    report.say(&about, "assignable", assignable(graph.shows_requests(target).await));
    report.say(&about, "pim-policy", allowed(entitlement, graph.policy(target).await));
    let approvers = entitlement.approver_group.as_slice();
    report.say(&about, "approver-group", groups(graph, approvers).await);
    report.say(&about, "requester-groups", groups(graph, &entitlement.requester_groups).await);
}

/// The name of a role that can make its holder anything.
fn tier0(entitlement: &Entitlement) -> Option<&'static str> {
    let kind = TARGETS.iter().find(|kind| kind.takes(&entitlement.target))?;
    (kind.tier0)(&entitlement.target)
}

/// What is powerful is told as such, and must be protected.
pub(super) fn protected(entitlement: &Entitlement, parts: &[Inspected]) -> Vec<Said> {
    let role = tier0(entitlement).map(|name| format!("{name} is a tier-0 role"));
    let flaws = |inspected: &Inspected| inspected.found.clone().unwrap_or_default();
    let holds_roles = parts.iter().flat_map(flaws).any(|flaw| flaw == Flaw::HoldsRoles);
    let group = holds_roles.then(|| "the group may hold roles, so whoever is in it may hold them".to_owned());
    let why: Vec<_> = role.into_iter().chain(group).collect();
    why.into_iter().map(|why| if entitlement.protected { marked(&why) } else { unmarked(&why) }).collect()
}

fn marked(why: &str) -> Said {
    Said::ok(format!("{why}, and is protected"))
}

fn unmarked(why: &str) -> Said {
    Said::fail(format!("{why}: say protected = true, or nothing is granted"))
}

pub(super) fn there(parts: &[Inspected]) -> Vec<Said> {
    parts.iter().map(part).collect()
}

fn part(Inspected { name, shown_with, found }: &Inspected) -> Said {
    let refused = |flaw: &Flaw| if let Flaw::Refused(why) = flaw { Some(*why) } else { None };
    match found {
        Ok(flaws) => match flaws.iter().find_map(refused) {
            Some(why) => Said::fail(format!("{name}: {why}; choose another")),
            None => Said::ok(format!("{name} is there")),
        },
        Err(GraphError::NotFound { .. }) => {
            Said::fail(format!("the tenant has no {name}: correct the entitlement's target in the catalog"))
        }
        Err(error @ (GraphError::Permission { .. } | GraphError::Refused { .. })) => {
            let enough = names(shown_with);
            Said::warn(format!("whether the tenant has {name} is not shown to stint ({enough} would): {error}"))
        }
        Err(error) => failed(error),
    }
}

fn assignable(shown: Result<(), GraphError>) -> Said {
    match shown {
        Ok(()) => Said::ok("PIM shows schedule requests, as it does to those who may make them"),
        Err(error) => failed(&error),
    }
}

/// What PIM's policy has against anything that the catalog allows.
pub(super) fn allowed(entitlement: &Entitlement, policy: Result<Option<PimPolicy>, GraphError>) -> Vec<Said> {
    let policy = match policy {
        Ok(Some(policy)) => policy,
        Ok(None) => {
            let error = GraphError::NoPolicy { target: entitlement.target.to_string() };
            return vec![failed(&error)];
        }
        Err(error) => return vec![failed(&error)],
    };
    let refusals = policy.refusals(&entitlement.target, Some(entitlement.max_duration));
    let mut said: Vec<_> =
        refusals.into_iter().map(|reason| Said::fail(format!("{}: {}", reason.code, reason.detail))).collect();
    if said.is_empty() {
        said.push(Said::ok(granted(entitlement, &policy)));
    }
    said.extend(policy.demands.iter().filter_map(unknown));
    said
}

fn granted(entitlement: &Entitlement, policy: &PimPolicy) -> String {
    let maximum = policy.maximum.map_or("without limit".into(), |maximum| format!("at most {maximum}"));
    let met = [(Demand::Justification, "a justification"), (Demand::Ticketing, "a ticket")];
    let met: Vec<_> =
        met.iter().filter(|(demand, _)| policy.demands.contains(demand)).map(|(_, words)| *words).collect();
    let demanded = if met.is_empty() { "nothing".to_owned() } else { met.join(" and ") };
    let (min, max) = (entitlement.min_duration, entitlement.max_duration);
    format!("allows {min} to {max} ({maximum}); demands {demanded}, which stint always gives")
}

fn unknown(demand: &Demand) -> Option<Said> {
    let Demand::Unknown(name) = demand else { return None };
    Some(Said::warn(format!("PIM demands {name}, which stint does not know: try one request before relying on it")))
}

async fn groups(graph: &TenantGraph, groups: &[ObjectId]) -> Vec<Said> {
    let mut said = Vec::new();
    for group in groups {
        said.push(match graph.has_group(*group).await {
            Ok(true) => Said::ok(format!("group {group} is there")),
            Ok(false) => Said::fail(format!("the tenant has no group {group}: correct it in the catalog")),
            Err(error) => failed(&error),
        });
    }
    said
}
