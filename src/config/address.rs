//! Addresses of others: https, or plain http to this machine only; Microsoft's own, or a stand-in on this machine.

use url::{Host, Url};

use super::{place::Place, raw::Cloud};

/// Origins of Graph and of the login service in Microsoft's clouds (`contracts/graph.md` §10).
const MICROSOFT: [&str; 8] = [
    "https://graph.microsoft.com",
    "https://graph.microsoft.us",
    "https://dod-graph.microsoft.us",
    "https://microsoftgraph.chinacloudapi.cn",
    "https://login.microsoftonline.com",
    "https://login.microsoftonline.us",
    "https://login.chinacloudapi.cn",
    "https://login.partner.microsoftonline.cn",
];

/// The login service of the global cloud.
pub(super) const GLOBAL_LOGIN: &str = "https://login.microsoftonline.com";

/// The machine's metadata service, at the same address in every cloud (`contracts/graph.md` §9.3).
const METADATA: &str = "http://169.254.169.254";

impl Cloud {
    /// Graph's origin and the login service's origin.
    pub(super) fn origins(self) -> (&'static str, &'static str) {
        match self {
            Self::Global => ("https://graph.microsoft.com", GLOBAL_LOGIN),
            Self::UsGov => ("https://graph.microsoft.us", "https://login.microsoftonline.us"),
            Self::UsDod => ("https://dod-graph.microsoft.us", "https://login.microsoftonline.us"),
            Self::China => ("https://microsoftgraph.chinacloudapi.cn", "https://login.chinacloudapi.cn"),
        }
    }
}

/// An address under which calls are made: a host, maybe a path, nothing else.
pub(super) fn base(at: &Place, text: Option<String>, example: &str) -> Option<Url> {
    let url = at.parsed(text, &format!("a URL such as {example}"))?;
    let problem = problem(&url);
    if let Some(problem) = problem {
        at.fault(problem);
    }
    problem.is_none().then_some(url)
}

/// Graph's or the login service's origin: Microsoft's, or on this machine.
pub(super) fn microsoft(at: &Place, text: Option<String>, example: &str) -> Option<Url> {
    let url = base(at, text, example)?;
    let url = at.hold(url.path() == "/", url, "an origin; drop the path")?;
    let known = is_loopback(&url) || MICROSOFT.contains(&url.origin().ascii_serialization().as_str());
    at.hold(known, url, &format!("one of Microsoft's origins such as {example}, nor a loopback host's"))
}

/// The metadata service's origin: the one there is, or a stand-in on this machine.
pub(super) fn metadata(at: &Place, text: Option<String>) -> Option<Url> {
    let url: Url =
        at.parsed(Some(text.unwrap_or_else(|| METADATA.to_owned())), &format!("a URL such as {METADATA}"))?;
    let is_it = url.as_str().trim_end_matches('/') == METADATA;
    let stands_in = problem(&url).is_none() && is_loopback(&url) && url.path() == "/";
    at.hold(is_it || stands_in, url, &format!("{METADATA}, nor a loopback host's origin"))
}

fn problem(url: &Url) -> Option<&'static str> {
    if !matches!(url.scheme(), "http" | "https") || url.cannot_be_a_base() {
        return Some("is neither https nor http");
    }
    if url.scheme() == "http" && !is_loopback(url) {
        return Some("must be https; http is accepted for loopback hosts only (127.0.0.0/8, ::1, localhost)");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Some("must not carry a user name or password");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Some("must end before any ? or #");
    }
    None
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::place::Document;

    fn check(of: fn(&Place, Option<String>, &str) -> Option<Url>, text: &str) -> Result<String, String> {
        let document = Document::new("x", Path::new("."));
        let url = of(&document.place("u".into()), Some(text.into()), "https://ok.example");
        let url = document.conclude(url).map_err(|faults| faults.to_string())?;
        Ok(url.to_string())
    }

    #[test]
    fn http_is_accepted_for_loopback_hosts_only() {
        for good in [
            "http://127.0.0.1:8401",
            "http://127.8.9.1/x",
            "http://[::1]:1",
            "http://localhost:8403",
            "https://contoso.atlassian.net/jira",
        ] {
            assert!(check(base, good).is_ok(), "{good}");
        }
        for bad in [
            "http://contoso.atlassian.net",
            "http://localhost.example",
            "http://127.0.0.1.example",
            "http://10.0.0.1",
            "http://[::ffff:127.0.0.1]",
            "http://0.0.0.0",
        ] {
            assert!(check(base, bad).is_err_and(|fault| fault.contains("must be https")), "{bad}");
        }
    }

    #[test]
    fn an_address_carries_no_user_query_or_fragment() {
        for bad in [
            "https://kim:hunter2@x.example",
            "https://x.example/?a=hunter2",
            "https://x.example/#hunter2",
            "ftp://x.example/hunter2",
            "mailto:hunter2",
            "x.example",
            "https://",
            "",
        ] {
            assert!(check(base, bad).is_err_and(|fault| !fault.contains("hunter2")), "{bad}");
        }
    }

    #[test]
    fn graph_and_login_are_microsofts_origins_or_on_this_machine() {
        for good in MICROSOFT.iter().chain(&["http://127.0.0.1:8402", "https://localhost"]) {
            assert!(check(microsoft, good).is_ok(), "{good}");
        }
        for bad in [
            "https://graph.example",
            "https://graph.microsoft.com.evil.example",
            "https://graph.microsoft.com:8443",
            "https://graph.microsoft.com/v1.0",
            "http://graph.microsoft.com",
        ] {
            assert!(check(microsoft, bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_metadata_service_is_the_machines_or_stands_in_on_loopback() {
        let metadata = |text: &str| check(|at, text, _| metadata(at, text), text);
        for good in [METADATA, "http://169.254.169.254/", "http://127.0.0.1:8401", "https://localhost:8401"] {
            assert!(metadata(good).is_ok(), "{good}");
        }
        for bad in [
            "http://169.254.169.254:8080",
            "https://169.254.169.254",
            "http://169.254.169.254/x",
            "http://kim@169.254.169.254",
            "http://10.0.0.1",
            "https://metadata.example",
            "http://127.0.0.1:8401/x",
        ] {
            assert!(metadata(bad).is_err(), "{bad}");
        }
        let document = Document::new("x", Path::new("."));
        let default = super::metadata(&document.place("u".into()), None).expect("a default");
        assert_eq!(default.as_str(), "http://169.254.169.254/");
    }

    #[test]
    fn every_clouds_origins_are_microsofts() {
        for cloud in [Cloud::Global, Cloud::UsGov, Cloud::UsDod, Cloud::China] {
            let (graph, login) = cloud.origins();
            assert!(MICROSOFT.contains(&graph) && MICROSOFT.contains(&login));
        }
    }
}
