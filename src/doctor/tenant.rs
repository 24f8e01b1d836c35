//! Tenants: sign-in and permissions of each application, the clock, the licence, and who never receives anything.

use jiff::SignedDuration;

use super::{
    entitlement,
    permissions::{self, Need},
    report::{Report, Said, Subject},
};
use crate::{
    clock::Clock,
    config::Tenant,
    domain::entitlement::Catalog,
    graph::{GraphError, TenantGraph, permission::Consented},
    outbound::Wire,
};

/// Clocks further apart are told, and from here on nothing that is signed or dated can be relied on.
const APART: SignedDuration = SignedDuration::from_secs(60);
const FAR_APART: SignedDuration = SignedDuration::from_mins(5);

pub(super) async fn examine(report: &mut Report, tenant: &Tenant, wire: &Wire, clock: &Clock) {
    let about = Subject::tenant(&tenant.graph.name);
    let graph = match TenantGraph::new(tenant.graph.clone(), wire.clone(), clock.clone()) {
        Ok(graph) => graph,
        Err(fault) => return report.say(&about, "token", Said::fail(format!("credential: {fault}"))),
    };
    if !identities(report, &about, &graph, tenant).await {
        return;
    }
    report.say(&about, "clock", apart(graph.clock_ahead().await));
    report.say(&about, "licence", licence(&graph, &tenant.catalog).await);
    report.say(&about, "never", never(&graph, tenant).await);
    for entitlement in tenant.catalog.entitlements.values() {
        entitlement::examine(report, &tenant.graph.name, &graph, entitlement).await;
    }
}

/// The applications that stint acts as: each can sign in, and carries what it needs. Without a token of the main one, by which
/// everything is read, nothing else is asked.
async fn identities(report: &mut Report, about: &Subject, graph: &TenantGraph, tenant: &Tenant) -> bool {
    let app = &tenant.graph.client_id;
    let token = graph.token_works().await;
    let can_read = token.is_ok();
    report.say(about, "token", signed_in(&format!("application {app}"), token));
    if can_read {
        let held = graph.consented(app, tenant.service_principal_id).await;
        let said = consented(&permissions::to_assign(&tenant.catalog), held);
        // Where there are two, each line says whose it is.
        let whose = tenant.graph.remover.as_ref().map(|_| format!("application {app}"));
        report.say(about, "permissions", said.into_iter().map(|said| of(whose.as_deref(), said)));
    }
    let Some(remover) = &tenant.graph.remover else { return can_read };
    let whose = format!("remover {}", remover.client_id);
    report.say(about, "remover-token", signed_in(&whose, graph.remover_token_works().await));
    if can_read {
        let held = graph.consented(&remover.client_id, None).await;
        let said = consented(&permissions::to_remove(&tenant.catalog), held);
        report.say(about, "remover-permissions", said.into_iter().map(|said| of(Some(&whose), said)));
    }
    can_read
}

fn signed_in(whose: &str, token: Result<(), GraphError>) -> Said {
    token.map_or_else(|error| failed(&error), |()| Said::ok(format!("Entra gives {whose} a token")))
}

fn of(whose: Option<&str>, Said(outcome, detail): Said) -> Said {
    Said(outcome, whose.map_or_else(|| detail.clone(), |whose| format!("{whose}: {detail}")))
}

/// What an error of Graph means for whoever set this up.
pub(super) fn failed(error: &GraphError) -> Said {
    let advice = match error {
        GraphError::Permission { .. } => "consent to that application permission",
        GraphError::Licence { .. } => "PIM needs Entra ID P2 or Entra ID Governance",
        GraphError::Credential { .. } => "see to client_id, tenant_id and credential",
        GraphError::Stopped { .. } => "mend what is told above first",
        GraphError::Unavailable { .. } => "see to the way to Microsoft, and ask again",
        GraphError::Throttled { .. } => return Said::warn(format!("{error}: ask again later")),
        GraphError::NotFound { .. } | GraphError::Unknown { .. } | GraphError::NoPolicy { .. } => {
            "see to the ids in the catalog"
        }
        GraphError::BadAnswer { .. } | GraphError::Refused { .. } | GraphError::Unsupported { .. } => {
            "see to graph_url, login_url and the catalog"
        }
    };
    Said::fail(format!("{error}: {advice}"))
}

pub(super) fn apart(ahead: Result<Option<SignedDuration>, GraphError>) -> Said {
    let ahead = match ahead {
        Ok(Some(ahead)) => ahead,
        Ok(None) => return Said::warn("Graph's answer bears no date, so the clock was not compared"),
        Err(error) => return failed(&error),
    };
    let way = if ahead.is_negative() { "behind" } else { "ahead of" };
    let words = format!("the clock here is {} s {way} Graph's", ahead.abs().as_secs());
    match ahead.abs() {
        apart if apart > FAR_APART => {
            Said::fail(format!("{words}: set it by NTP, or signatures and ends will be wrong"))
        }
        apart if apart > APART => Said::warn(format!("{words}: set it by NTP")),
        _ => Said::ok(words),
    }
}

/// Graph's tokens are nobody's to read, so the directory is asked instead.
pub(super) fn consented(needs: &[Need], held: Result<Vec<Consented>, GraphError>) -> Vec<Said> {
    match held {
        Ok(held) => permissions::compare(needs, &held),
        Err(GraphError::Permission { .. }) => vec![Said::warn(
            "the directory does not show what was consented to (Application.Read.All would), so only the reads below tell",
        )],
        Err(GraphError::NotFound { .. }) => {
            vec![Said::warn(
                "the directory does not know client_id (or service_principal_id) as an application of this tenant",
            )]
        }
        Err(error) => vec![failed(&error)],
    }
}

/// Whether PIM answers at all, by the first thing the catalog names.
async fn licence(graph: &TenantGraph, catalog: &Catalog) -> Option<Said> {
    let first = catalog.entitlements.values().next()?;
    match graph.policy(&first.target).await {
        Err(error @ GraphError::Licence { .. }) => Some(failed(&error)),
        Ok(_) => Some(Said::ok("PIM answers")),
        Err(_) => None,
    }
}

/// An id that nobody has protects nobody.
async fn never(graph: &TenantGraph, tenant: &Tenant) -> Vec<Said> {
    let mut said = Vec::new();
    for id in &tenant.never {
        match graph.has_principal(*id).await {
            Ok(true) => {}
            Ok(false) => said.push(Said::warn(format!("the tenant has nobody {id}: correct it, it protects nobody"))),
            Err(error @ GraphError::Permission { .. }) => {
                said.push(Said::warn(format!(
                    "{id} is no user, and whether it is anything else is not shown: {error}"
                )));
            }
            Err(error) => said.push(failed(&error)),
        }
    }
    if said.is_empty() && !tenant.never.is_empty() {
        said.push(Said::ok("the tenant has everybody who never receives anything"));
    }
    said
}
