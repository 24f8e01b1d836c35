//! `[tenants.…]`: the Entra tenants that stint serves, each with its catalog.

use std::collections::BTreeMap;

use url::Url;
use uuid::Uuid;

use super::{
    address, catalog, credential,
    place::Place,
    raw::{self, Section},
    section,
    server::GUID,
};
use crate::{
    domain::{
        entitlement::Catalog,
        id::{ObjectId, TenantName},
    },
    graph::settings::TenantSettings,
};

/// One Entra tenant, with what may be granted there.
#[derive(Clone, Debug)]
pub struct Tenant {
    /// How it is reached.
    pub graph: TenantSettings,
    /// What may be granted there.
    pub catalog: Catalog,
    /// stint's own service principal, by which its changes are known in the directory's log.
    pub service_principal_id: Option<Uuid>,
    /// Principals that never receive anything.
    pub never: Vec<ObjectId>,
}

/// What a tenant's or a connection's name may look like: it stands in paths, app roles and variable names.
pub(super) const NAME: &str = "a name of lower-case letters, digits and single dashes or underscores between them";

/// Whether a name is a [`NAME`] of at most 63 characters.
pub(super) fn is_name(name: &str) -> bool {
    let part = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    name.len() <= 63 && name.split(['-', '_']).all(part)
}

/// Faults names that are no names, and names that one environment variable could not tell apart.
pub(super) fn check_names<'a>(at: &Place, names: impl Iterator<Item = &'a String>) {
    let mut known = BTreeMap::new();
    for name in names {
        let here = at.down(name);
        here.hold(is_name(name), (), NAME);
        if let Some(other) = known.insert(name.replace('-', "_"), name) {
            here.fault(format!("differs from {other:?} only by - and _; rename one"));
        }
    }
}

pub(super) fn tenants(at: &Place, raw: BTreeMap<String, Section<raw::Tenant>>) -> Vec<Tenant> {
    if raw.is_empty() {
        at.fault("is missing; describe at least one tenant under [tenants.<name>]");
    }
    check_names(at, raw.keys());
    let mut ids = BTreeMap::new();
    let checked = raw.into_iter().filter_map(|(name, Section(raw))| {
        let here = at.down(&name);
        let id = here.down("tenant_id").parsed(raw.tenant_id.clone(), GUID);
        if let Some(other) = id.and_then(|id: Uuid| ids.insert(id, name.clone())) {
            // One Entra tenant under two names could be granted the same thing twice.
            here.down("tenant_id").fault(format!("is that of tenant {other:?} already"));
        }
        tenant(&here, name, id, raw)
    });
    checked.collect()
}

fn tenant(at: &Place, name: String, tenant_id: Option<Uuid>, mut raw: raw::Tenant) -> Option<Tenant> {
    let graph = settings(at, name, tenant_id, &mut raw);
    let catalog = catalog::load(&at.down("catalog"), raw.catalog);
    let service_principal_id =
        at.down("service_principal_id").optional(raw.service_principal_id, |at, id| at.parsed(Some(id), GUID));
    let never = at.down("never").each(raw.never.unwrap_or_default(), |at, id| at.parsed(Some(id), GUID));
    Some(Tenant { graph: graph?, catalog: catalog?, service_principal_id: service_principal_id.ok()?, never: never? })
}

fn settings(at: &Place, name: String, tenant_id: Option<Uuid>, raw: &mut raw::Tenant) -> Option<TenantSettings> {
    let client_id = at.down("client_id").parsed::<Uuid>(raw.client_id.take(), GUID);
    let credential = credential::main(&at.down("credential"), section(raw.credential.take()));
    let remover = at.down("remover").optional(raw.remover.take(), |at, raw| credential::remover(at, client_id, raw.0));
    let (graph_url, login_url) = hosts(at, raw)?;
    Some(TenantSettings {
        name: TenantName::new(name),
        tenant_id: tenant_id?,
        client_id: client_id?.to_string(),
        credential: credential?,
        remover: remover.ok()?,
        graph_url,
        login_url,
    })
}

/// Graph and the login service: those of a cloud, or both by address; never one without the other.
fn hosts(at: &Place, raw: &mut raw::Tenant) -> Option<(Url, Url)> {
    let (graph, login) = match (raw.cloud, raw.graph_url.take(), raw.login_url.take()) {
        (Some(cloud), None, None) => {
            let (graph, login) = cloud.origins();
            (graph.to_owned(), login.to_owned())
        }
        (None, Some(graph), Some(login)) => (graph, login),
        (Some(_), _, _) => {
            return fault(&at.down("cloud"), "is given beside graph_url or login_url; keep the one or the others");
        }
        (None, None, None) => return fault(&at.down("cloud"), "is missing; write global, us-gov, us-dod or china"),
        (None, None, _) => return fault(&at.down("graph_url"), "is missing; it comes together with login_url"),
        (None, _, None) => return fault(&at.down("login_url"), "is missing; it comes together with graph_url"),
    };
    let graph = address::microsoft(&at.down("graph_url"), Some(graph), "https://graph.microsoft.com");
    let login = address::microsoft(&at.down("login_url"), Some(login), address::GLOBAL_LOGIN);
    Some((graph?, login?))
}

fn fault<T>(at: &Place, problem: &str) -> Option<T> {
    at.fault(problem);
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::Sample;

    const GRAPH: &str = "tenants.contoso.graph_url";
    const LOGIN: &str = "tenants.contoso.login_url";

    #[test]
    fn a_cloud_gives_both_hosts() {
        let hosts = |cloud: &str| {
            let sample = Sample::new().without(GRAPH).without(LOGIN);
            let graph = sample.set("tenants.contoso.cloud", cloud).good().tenants.remove(0).graph;
            (graph.graph_url.to_string(), graph.login_url.to_string())
        };
        let pair = |graph: &str, login: &str| (format!("https://{graph}/"), format!("https://{login}/"));
        let us_login = "login.microsoftonline.us";
        assert_eq!(hosts("'global'"), pair("graph.microsoft.com", "login.microsoftonline.com"));
        assert_eq!(hosts("'us-gov'"), pair("graph.microsoft.us", us_login));
        assert_eq!(hosts("'us-dod'"), pair("dod-graph.microsoft.us", us_login));
        assert_eq!(hosts("'china'"), pair("microsoftgraph.chinacloudapi.cn", "login.chinacloudapi.cn"));
    }

    #[test]
    fn chinas_second_login_host_is_taken_by_address() {
        let sample = Sample::new().set(GRAPH, "'https://microsoftgraph.chinacloudapi.cn'");
        let graph = sample.set(LOGIN, "'https://login.partner.microsoftonline.cn'").good().tenants.remove(0).graph;
        assert_eq!(graph.graph_url.as_str(), "https://microsoftgraph.chinacloudapi.cn/");
        assert_eq!(graph.login_url.as_str(), "https://login.partner.microsoftonline.cn/");
    }

    #[test]
    fn graph_and_login_come_together_or_by_cloud() {
        let fault = Sample::new().without(LOGIN).fault();
        assert!(fault.starts_with("tenants.contoso.login_url: is missing; it comes together"), "{fault}");
        let fault = Sample::new().without(GRAPH).fault();
        assert!(fault.starts_with("tenants.contoso.graph_url: is missing; it comes together"), "{fault}");
        let fault = Sample::new().set("tenants.contoso.cloud", "'global'").fault();
        assert!(fault.starts_with("tenants.contoso.cloud: is given beside"), "{fault}");
        let fault = Sample::new().without(LOGIN).without(GRAPH).fault();
        assert!(fault.starts_with("tenants.contoso.cloud: is missing"), "{fault}");
    }

    #[test]
    fn hosts_other_than_microsofts_are_refused_beyond_this_machine() {
        let faults = Sample::new().set(GRAPH, "'https://graph.example'").set(LOGIN, "'https://login.example'");
        let faults = faults.faults();
        assert!(faults.len() == 2 && faults.iter().all(|fault| fault.contains("one of Microsoft's")), "{faults:?}");
    }

    #[test]
    fn ids_are_guids() {
        let faults = Sample::new()
            .set("tenants.contoso.tenant_id", "'contoso.com'")
            .set("tenants.contoso.client_id", "'stint'")
            .set("tenants.contoso.service_principal_id", "'stint'")
            .set("tenants.contoso.never", "['2d8f6b1c-7e30-4a95-b4d2-6c1e0f9a8b31', 'nina']")
            .faults();
        let keys: Vec<_> =
            faults.iter().filter_map(|fault| fault.split_once(": is not a GUID")).map(|(key, _)| key).collect();
        let all = ["client_id", "never[1]", "service_principal_id", "tenant_id"];
        assert_eq!(keys, all.map(|key| format!("tenants.contoso.{key}")));
    }

    #[test]
    fn one_entra_tenant_has_one_name() {
        let sample = Sample::new().set(
            "tenants.again",
            r#"{ cloud = "global", catalog = "sandbox-catalog.toml",
            tenant_id = "9b0f4c52-6a1d-4f3e-8c27-5d1e2f3a4b60", client_id = "5e2a7c14-90d3-4b6f-a1c8-3f4e5d6c7b80",
            credential = { kind = "secret", secret_file = "sandbox-secrets/entra-client-secret" } }"#,
        );
        assert_eq!(sample.fault(), "tenants.contoso.tenant_id: is that of tenant \"again\" already");
    }

    #[test]
    fn names_are_plain_and_differ_by_more_than_dash_and_underscore() {
        for good in ["a", "contoso-emea", "a_b", "7"] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", "Contoso", "a--b", "a__b", "-a", "a-", "a.b", "ä", "a b", &"a".repeat(64)] {
            assert!(!is_name(bad), "{bad}");
        }
        let faults = Sample::new().set("tenants.a-b", "{}").set("tenants.a_b", "{}").faults();
        assert!(faults.contains(&"tenants.a_b: differs from \"a-b\" only by - and _; rename one".to_owned()));
    }
}
