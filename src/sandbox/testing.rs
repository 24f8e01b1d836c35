//! What the sandbox's own tests share: a clock on a string, and a plain HTTP client.

use std::sync::{Arc, Mutex};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::wire::lock;
use super::{Now, Sandbox, story};

pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    pub(crate) http: reqwest::Client,
    time: Arc<Mutex<Timestamp>>,
}

impl World {
    /// The story's world at nine in the morning.
    pub(crate) async fn story() -> Self {
        let time = Arc::new(Mutex::new("2026-11-03T09:00:00Z".parse().unwrap()));
        let clock = Arc::clone(&time);
        let now: Now = Arc::new(move || *lock(&clock));
        let sandbox = Sandbox::start(now).await.unwrap();
        sandbox.seed_story();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { sandbox, http, time }
    }

    pub(crate) fn now(&self) -> Timestamp {
        *lock(&self.time)
    }

    pub(crate) fn pass(&self, seconds: i64) {
        *lock(&self.time) += SignedDuration::from_secs(seconds);
    }

    /// Asks the token endpoint; answers status and body.
    pub(crate) async fn login(&self, form: &[(&str, &str)]) -> (u16, Value) {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let url = format!("{}/{}/oauth2/v2.0/token", self.sandbox.entra.url(), story::TENANT);
        read(self.http.post(url).body(body)).await.unwrap()
    }

    pub(crate) async fn token(&self) -> String {
        let scope = format!("{}/.default", self.sandbox.graph.url());
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", story::CLIENT_ID),
            ("client_secret", story::CLIENT_SECRET),
            ("scope", scope.as_str()),
        ];
        self.login(&form).await.1["access_token"].as_str().unwrap().to_owned()
    }

    /// A GET of Graph below `/v1.0`, with a fresh token.
    pub(crate) async fn graph_get(&self, path: &str) -> (u16, Value) {
        let url = format!("{}/v1.0/{path}", self.sandbox.graph.url());
        read(self.http.get(url).bearer_auth(self.token().await)).await.unwrap()
    }

    /// A POST to Graph below `/v1.0`; an error is a connection that gave no proper answer.
    pub(crate) async fn graph_post(&self, path: &str, body: &Value) -> reqwest::Result<(u16, Value)> {
        let url = format!("{}/v1.0/{path}", self.sandbox.graph.url());
        read(self.http.post(url).bearer_auth(self.token().await).body(body.to_string())).await
    }

    /// Assigns Exchange Administrator to Nina.
    pub(crate) async fn assign(&self, duration: &str) -> reqwest::Result<(u16, Value)> {
        self.graph_post(REQUESTS, &assignment(duration)).await
    }

    pub(crate) async fn remove(&self) -> (u16, Value) {
        let mut body = assignment("PT1H");
        body["action"] = json!("adminRemove");
        body["scheduleInfo"] = Value::Null;
        self.graph_post(REQUESTS, &body).await.unwrap()
    }

    /// Rows of a list of schedule requests, schedules or instances about Nina and her role.
    pub(crate) async fn rows(&self, list: &str) -> Vec<Value> {
        let filter = format!("$filter=principalId eq '{}' and roleDefinitionId eq '{ROLE}'", story::NINA_ID);
        let (status, body) = self.graph_get(&format!("{list}?{filter}")).await;
        assert_eq!(status, 200, "{body}");
        body["value"].as_array().unwrap().clone()
    }

    /// A call of Jira with stint's login.
    pub(crate) async fn jira(&self, method: &str, path: &str, body: Option<&Value>) -> reqwest::Result<(u16, Value)> {
        let url = format!("{}{path}", self.sandbox.jira.url());
        let request = self.http.request(method.parse().unwrap(), url);
        let request = request.basic_auth(story::JIRA_USER, Some(story::JIRA_TOKEN));
        read(request.body(body.map(Value::to_string).unwrap_or_default())).await
    }

    /// A call of ServiceNow's API with stint's login, ready to be sent.
    pub(crate) fn ask_snow(&self, method: &str, path: &str, body: Option<&Value>) -> reqwest::RequestBuilder {
        let url = format!("{}/api/now/{path}", self.sandbox.servicenow.url());
        let request = self.http.request(method.parse().unwrap(), url).header("accept", "application/json");
        let request = request.basic_auth(story::SNOW_USER, Some(story::SNOW_PASSWORD));
        match body {
            Some(body) => request.header("content-type", "application/json").body(body.to_string()),
            None => request,
        }
    }

    /// The same, sent; an error is a connection that gave no proper answer.
    pub(crate) async fn snow(&self, method: &str, path: &str, body: Option<&Value>) -> reqwest::Result<(u16, Value)> {
        read(self.ask_snow(method, path, body)).await
    }

    /// Asks ServiceNow's token endpoint.
    pub(crate) async fn snow_login(&self, form: &[(&str, &str)]) -> (u16, Value) {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        read(self.http.post(format!("{}/oauth_token.do", self.sandbox.servicenow.url())).body(body)).await.unwrap()
    }
}

pub(crate) const ROLE: &str = story::EXCHANGE_ADMINISTRATOR;
pub(crate) const REQUESTS: &str = "roleManagement/directory/roleAssignmentScheduleRequests";
pub(crate) const SCHEDULES: &str = "roleManagement/directory/roleAssignmentSchedules";
pub(crate) const INSTANCES: &str = "roleManagement/directory/roleAssignmentScheduleInstances";

pub(crate) fn assignment(duration: &str) -> Value {
    json!({
        "action": "adminAssign",
        "principalId": story::NINA_ID,
        "roleDefinitionId": ROLE,
        "directoryScopeId": "/",
        "justification": "ITSEC-482 stint:test",
        "scheduleInfo": {"expiration": {"type": "afterDuration", "duration": duration}},
        "ticketInfo": {"ticketNumber": "ITSEC-482", "ticketSystem": "jira-cloud"},
    })
}

async fn read(request: reqwest::RequestBuilder) -> reqwest::Result<(u16, Value)> {
    let response = request.send().await?;
    let status = response.status().as_u16();
    let body = response.bytes().await?;
    Ok((status, serde_json::from_slice(&body).unwrap_or_default()))
}
