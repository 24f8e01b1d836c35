//! `[server]`, `[database]` and `[api]`.

use std::net::SocketAddr;

use secrecy::{ExposeSecret, SecretString};
use url::Url;
use uuid::Uuid;

use super::{address, network::Network, place::Place, raw, secret};

/// Where stint listens, and how it is reached.
#[derive(Clone, Debug)]
pub struct Server {
    /// Webhooks and API.
    pub listen: SocketAddr,
    /// Health and metrics.
    pub ops_listen: SocketAddr,
    /// The address under which others reach `listen`; status URLs begin with it.
    pub public_url: Url,
    /// The longest webhook body, in bytes.
    pub max_body_bytes: usize,
    /// Proxies whose `X-Forwarded-For` would be believed. Nothing uses it yet.
    pub trusted_proxies: Vec<Network>,
}

/// Where stint keeps what it knows.
#[derive(Clone, Debug)]
pub struct Database {
    /// As whom the service connects.
    pub url: SecretString,
    /// As whom migrations run; as `url` when absent.
    pub migrate_url: Option<SecretString>,
}

/// Who may read history.
#[derive(Clone, Debug)]
pub struct Api {
    /// The Entra tenant that issues API tokens.
    pub tenant_id: Uuid,
    /// The `aud` that API tokens must carry.
    pub audience: String,
    /// Origin of the login service that publishes the signing keys.
    pub login_url: Url,
}

pub(super) const GUID: &str = "a GUID such as 9b0f4c52-6a1d-4f3e-8c27-5d1e2f3a4b60";

/// A webhook of a few fields fits into the least; the most is stint's own limit.
const BODY_BYTES: std::ops::RangeInclusive<usize> = 1024..=1_048_576;

pub(super) fn server(at: &Place, raw: raw::Server) -> Option<Server> {
    let listen = socket(&at.down("listen"), raw.listen, 8080);
    let ops_listen = socket(&at.down("ops_listen"), raw.ops_listen, 9090);
    let public_url = address::base(&at.down("public_url"), raw.public_url, "https://stint.contoso.com");
    let max_body_bytes = body_bytes(&at.down("max_body_bytes"), raw.max_body_bytes);
    let trusted_proxies = proxies(&at.down("trusted_proxies"), raw.trusted_proxies);
    let (listen, ops_listen) = (listen?, ops_listen?);
    let apart = listen != ops_listen || listen.port() == 0;
    Some(Server {
        listen,
        ops_listen: at.down("ops_listen").hold(apart, ops_listen, "an address of its own: `listen` has it already")?,
        public_url: public_url?,
        max_body_bytes: max_body_bytes?,
        trusted_proxies: trusted_proxies?,
    })
}

fn socket(at: &Place, text: Option<String>, port: u16) -> Option<SocketAddr> {
    let default = SocketAddr::from(([127, 0, 0, 1], port));
    at.parsed_or(text, default, "an IP address with a port such as 127.0.0.1:8080")
}

fn body_bytes(at: &Place, given: Option<u64>) -> Option<usize> {
    let bytes = given.map_or(Ok(*BODY_BYTES.end()), usize::try_from).unwrap_or(usize::MAX);
    at.hold(BODY_BYTES.contains(&bytes), bytes, "a number of bytes from 1024 to 1048576")
}

fn proxies(at: &Place, texts: Option<Vec<String>>) -> Option<Vec<Network>> {
    at.each(texts.unwrap_or_default(), |at, text| {
        at.parsed(Some(text), "an IP address or a network such as 10.0.0.0/8")
    })
}

pub(super) fn database(at: &Place, raw: raw::Database) -> Option<Database> {
    let url = database_url(at, "url", raw.url, raw.url_file);
    let apart = raw.migrate_url.is_some() || raw.migrate_url_file.is_some();
    let migrate_url = at.optional(apart.then_some((raw.migrate_url, raw.migrate_url_file)), |at, (url, file)| {
        database_url(at, "migrate_url", url, file)
    });
    Some(Database { url: url?, migrate_url: migrate_url.ok()? })
}

/// The URL under `name` or from the file under `<name>_file`; the environment overrides the configuration.
fn database_url(at: &Place, name: &str, inline: Option<String>, file: Option<String>) -> Option<SecretString> {
    let (here, at_file) = (at.down(name), at.down(&format!("{name}_file")));
    match (inline, file) {
        (Some(_), Some(_)) if here.is_from_variable() == at_file.is_from_variable() => {
            here.fault(format!("is given beside {name}_file; keep one"));
            None
        }
        (Some(text), None) => postgres(&here, secret::cleaned(&here, &text)?, here.is_from_variable()),
        (Some(text), Some(_)) if here.is_from_variable() => postgres(&here, secret::cleaned(&here, &text)?, true),
        (_, Some(path)) => postgres(&at_file, secret::read(&at_file, &path)?, true),
        (None, None) => here.required(None, &format!("a URL such as postgres://stint@db/stint, or {name}_file")),
    }
}

/// A database URL, which may carry a password only outside the configuration file.
fn postgres(at: &Place, text: SecretString, may_be_secret: bool) -> Option<SecretString> {
    let url = Url::parse(&with_one_host(text.expose_secret())).ok();
    let url = url.filter(|url| matches!(url.scheme(), "postgres" | "postgresql"));
    at.hold(url.is_some(), (), "a URL such as postgres://stint@db/stint")?;
    let password =
        url.is_some_and(|url| url.password().is_some() || url.query_pairs().any(|(name, _)| name == "password"));
    if password && !may_be_secret {
        let variable = at.variable_name();
        at.fault(format!("carries a password and may not stand in this file; use a file of its own or {variable}"));
        return None;
    }
    Some(text)
}

/// The URL with the first of its hosts: several may be named, as in `postgres://stint@db1:5432,db2:5432/stint`.
fn with_one_host(text: &str) -> String {
    let start = text.find("://").map_or(0, |place| place + 3);
    let end = text[start..].find(['/', '?', '#']).map_or(text.len(), |end| start + end);
    let hosts = text[start..end].rfind('@').map_or(start, |at| start + at + 1);
    let first = text[hosts..end].find(',').map_or(end, |comma| hosts + comma);
    format!("{}{}", &text[..first], &text[end..])
}

pub(super) fn api(at: &Place, raw: raw::Api) -> Option<Api> {
    let tenant_id = at.down("tenant_id").parsed(raw.tenant_id, GUID);
    let audience = at.down("audience").text(raw.audience, "the application id that API tokens are issued for");
    let login_url = raw.login_url.or_else(|| Some(address::GLOBAL_LOGIN.into()));
    let login_url = address::microsoft(&at.down("login_url"), login_url, address::GLOBAL_LOGIN);
    Some(Api { tenant_id: tenant_id?, audience: audience?, login_url: login_url? })
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use crate::config::testing::Sample;

    #[test]
    fn what_is_not_given_has_its_default() {
        let server = Sample::new().without("server.listen").without("server.ops_listen").good().server;
        assert_eq!(server.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(server.ops_listen.to_string(), "127.0.0.1:9090");
        assert_eq!(server.max_body_bytes, 1_048_576);
        assert!(server.trusted_proxies.is_empty());
        let api = Sample::new().without("api.login_url").good().api;
        assert_eq!(api.login_url.as_str(), "https://login.microsoftonline.com/");
    }

    #[test]
    fn the_two_listeners_have_addresses_of_their_own() {
        let fault = Sample::new().set("server.ops_listen", "'127.0.0.1:8080'").fault();
        assert!(fault.starts_with("server.ops_listen: is not an address of its own"), "{fault}");
        let any = "'127.0.0.1:0'";
        Sample::new().set("server.listen", any).set("server.ops_listen", any).good();
    }

    #[test]
    fn a_body_is_at_least_a_kibibyte_and_at_most_a_mebibyte() {
        for bytes in ["1023", "1048577", "-1", "'1024'"] {
            let fault = Sample::new().set("server.max_body_bytes", bytes).fault();
            assert!(fault.starts_with("server.max_body_bytes: "), "{fault}");
        }
        assert_eq!(Sample::new().set("server.max_body_bytes", "1024").good().server.max_body_bytes, 1024);
    }

    #[test]
    fn each_trusted_proxy_is_an_address_or_a_network() {
        let faults = Sample::new().set("server.trusted_proxies", "['10.0.0.0/8', 'proxy', '::1', '10.1.1.1/8']");
        let keys: Vec<_> = faults.faults().iter().map(|f| f[..25].to_owned()).collect();
        assert_eq!(keys, ["server.trusted_proxies[1]", "server.trusted_proxies[3]"]);
    }

    #[test]
    fn a_database_url_in_the_file_carries_no_password() {
        for url in ["'postgres://stint:hunter2@db/stint'", "'postgres://db/stint?password=hunter2'"] {
            let fault = Sample::new().set("database.url", url).fault();
            assert!(fault.contains("STINT__DATABASE__URL") && !fault.contains("hunter2"), "{fault}");
        }
        let fault = Sample::new().set("database.migrate_url", "'postgres://owner:x@db/stint'").fault();
        assert!(fault.contains("STINT__DATABASE__MIGRATE_URL"), "{fault}");
    }

    #[test]
    fn a_database_url_with_password_comes_from_a_file_or_the_environment() {
        let url = "postgres://stint:hunter2@db/stint";
        let by_file = Sample::new().file("url", format!("{url}\n")).without("database.url");
        let by_file = by_file.set("database.url_file", "'url'").good().database;
        assert_eq!(by_file.url.expose_secret(), url);
        let by_variable = Sample::new()
            .variable("STINT__DATABASE__URL", url)
            .variable("STINT__DATABASE__MIGRATE_URL", url)
            .good()
            .database;
        assert_eq!(by_variable.url.expose_secret(), url);
        assert!(by_variable.migrate_url.is_some_and(|found| found.expose_secret() == url));
    }

    #[test]
    fn one_database_url_is_given_and_it_is_one_of_postgres() {
        let fault = Sample::new().set("database.url_file", "'url'").fault();
        assert_eq!(fault, "database.url: is given beside url_file; keep one");
        let fault = Sample::new().without("database.url").fault();
        assert!(fault.starts_with("database.url: is missing"), "{fault}");
        let fault = Sample::new().set("database.url", "'mysql://db/stint'").fault();
        assert!(fault.starts_with("database.url: is not a URL such as postgres://"), "{fault}");
    }

    #[test]
    fn the_public_address_is_https_beyond_this_machine() {
        let fault = Sample::new().set("server.public_url", "'http://stint.contoso.com'").fault();
        assert!(fault.starts_with("server.public_url: must be https"), "{fault}");
    }

    #[test]
    fn the_login_service_is_microsofts_or_on_this_machine() {
        let fault = Sample::new().set("api.login_url", "'https://login.example'").fault();
        assert!(fault.starts_with("api.login_url: is not one of Microsoft's"), "{fault}");
    }
}
