//! How stint signs in at a ticket system's API.

use secrecy::{ExposeSecret, SecretString};

use crate::{
    config::{address, place::Place, raw, secret},
    outbound::Credential,
    tickets::settings::SignIn,
};

/// ServiceNow's header for API keys (`contracts/tickets.md` B4).
const API_KEY: &str = "x-sn-apikey";

pub(super) fn auth(connection: &Place, raw: raw::Auth) -> Option<SignIn> {
    let at = &connection.down("auth");
    let kind = at.down("kind").required(raw.kind, "basic, bearer, api-key or oauth-client")?;
    refuse_others(at, kind, &raw);
    match kind {
        raw::AuthKind::Basic => {
            let username = username(&at.down("username"), raw.username);
            let password = secret::required(at, "password", raw.password, raw.password_file);
            Some(SignIn::Fixed(Credential::Basic { username: username?, password: password? }))
        }
        raw::AuthKind::Bearer => Some(SignIn::Fixed(Credential::Bearer(token(at, raw.token, raw.token_file)?))),
        raw::AuthKind::ApiKey => {
            let value = token(at, raw.token, raw.token_file)?;
            Some(SignIn::Fixed(Credential::Header { name: API_KEY, value }))
        }
        raw::AuthKind::OauthClient => {
            let client_id = at.down("client_id").text(raw.client_id, "the client's id");
            let secret = secret::required(at, "secret", raw.secret, raw.secret_file);
            let example = "https://contoso.service-now.com/oauth_token.do";
            let token_url = address::base(&at.down("token_url"), raw.token_url, example);
            Some(SignIn::OauthClient { client_id: client_id?, secret: secret?, token_url: token_url? })
        }
    }
}

/// Which keys each kind has; every other one is a slip.
fn refuse_others(at: &Place, kind: raw::AuthKind, raw: &raw::Auth) {
    let (name, own): (&str, &[&str]) = match kind {
        raw::AuthKind::Basic => ("basic", &["username", "password", "password_file"]),
        raw::AuthKind::Bearer => ("bearer", &["token", "token_file"]),
        raw::AuthKind::ApiKey => ("api-key", &["token", "token_file"]),
        raw::AuthKind::OauthClient => ("oauth-client", &["client_id", "secret", "secret_file", "token_url"]),
    };
    let all = [
        ("username", &raw.username),
        ("password", &raw.password),
        ("password_file", &raw.password_file),
        ("token", &raw.token),
        ("token_file", &raw.token_file),
        ("client_id", &raw.client_id),
        ("secret", &raw.secret),
        ("secret_file", &raw.secret_file),
        ("token_url", &raw.token_url),
    ];
    for (key, value) in all.into_iter().filter(|(key, _)| !own.contains(key)) {
        at.unused(key, value.as_ref(), &format!("has no meaning beside kind = \"{name}\""));
    }
}

fn token(at: &Place, inline: Option<String>, file: Option<String>) -> Option<SecretString> {
    let from = if inline.is_some() { "token" } else { "token_file" };
    let token = secret::required(at, "token", inline, file)?;
    for_header(&at.down(from), token)
}

/// A colon would end the user name where it travels.
pub(super) fn username(at: &Place, name: Option<String>) -> Option<String> {
    let name = at.text(name, "the account that stint signs in with")?;
    at.hold(!name.contains(':'), name, "a user name: it holds a colon")
}

/// A bearer token that an HTTP header can carry.
pub(super) fn for_header(at: &Place, token: SecretString) -> Option<SecretString> {
    let visible = token.expose_secret().bytes().all(|byte| byte.is_ascii_graphic());
    at.hold(visible, token, "a token of visible ASCII characters without spaces")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::{Sample, at, fault_of};

    #[test]
    fn basic_and_bearer_take_their_own_keys_only() {
        let bearer = "{ kind = 'bearer', token_file = 'sandbox-secrets/jira-api-token' }";
        let config = Sample::new().set(&at("auth"), bearer).good();
        assert!(matches!(config.connections[0].auth, SignIn::Fixed(Credential::Bearer(_))));
        let fault = Sample::new().set(&at("auth"), bearer).set(&at("auth.username"), "'kim'").fault();
        assert!(fault.contains("auth.username: has no meaning beside kind = \"bearer\""), "{fault}");
        assert!(fault_of("auth.token_file", "'x'").starts_with("auth.token_file: has no meaning"));
        assert!(fault_of("auth.token_url", "'x'").starts_with("auth.token_url: has no meaning"));
        assert!(fault_of("auth.username", "'kim:x'").starts_with("auth.username: is not a user name"));
    }

    #[test]
    fn a_password_in_the_file_is_refused_and_one_in_the_environment_taken() {
        let fault = fault_of("auth.password", "'hunter2'");
        assert!(fault.ends_with("use password_file or STINT__CONNECTIONS__JIRA_CLOUD__AUTH__PASSWORD"), "{fault}");
        let variable = "STINT__CONNECTIONS__JIRA_CLOUD__AUTH__PASSWORD";
        let config = Sample::new().variable(variable, "4711").good();
        let SignIn::Fixed(Credential::Basic { username, password }) = &config.connections[0].auth else {
            panic!("basic")
        };
        assert_eq!((username.as_str(), password.expose_secret()), ("stint@contoso.example", "4711"));
    }

    #[test]
    fn a_bearer_token_fits_into_a_header() {
        let bearer = "{ kind = 'bearer', token_file = 't' }";
        let fault = Sample::new().set(&at("auth"), bearer).file("t", "two\nlines").fault();
        assert!(fault.contains("auth.token_file: is not a token of visible ASCII"), "{fault}");
    }

    #[test]
    fn an_api_key_and_an_oauth_client_have_keys_of_their_own() {
        let key = "{ kind = 'api-key', token_file = 'sandbox-secrets/jira-api-token' }";
        let config = Sample::new().set(&at("auth"), key).good();
        assert!(matches!(config.connections[0].auth, SignIn::Fixed(Credential::Header { name: API_KEY, .. })));
        let client = "{ kind = 'oauth-client', client_id = 'c', secret_file = 'sandbox-secrets/jira-api-token',
            token_url = 'https://contoso.service-now.com/oauth_token.do' }";
        let config = Sample::new().set(&at("auth"), client).good();
        assert!(matches!(&config.connections[0].auth, SignIn::OauthClient { client_id, .. } if client_id == "c"));
        let http = client.replace("https:", "http:");
        let fault = Sample::new().set(&at("auth"), &http).fault();
        assert!(fault.starts_with("connections.jira-cloud.auth.token_url: must be https"), "{fault}");
    }
}
