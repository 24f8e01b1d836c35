//! A ticket system that stint does not know: this file and one line in a list are all it takes.

use std::sync::Arc;

use http::Method;
use stint::{
    domain::{
        approval::{Account, AccountKind, Approval, Outcome, Vote},
        id::{AccountId, ApprovalId, TicketId, TicketNumber},
        ticket::{Basis, Field, Hint, HintEvent, Reading, Standing, Ticket, Window},
    },
    outbound::{Answer, Body, Call},
    sandbox::{Webhook, story},
    tickets::{
        Heard, Kind, Listed, Lookback, NotHeard, Note, Step, TicketError, TicketSystem, VerifiedBody,
        kind::{Key, Make, Own, Shape},
    },
};

use crate::world::{It, free_port};

/// The line in the list.
const SYSTEMS: &[&Kind] = &[&ANOTHER];

/// A system that shows the sandbox's standard tickets under words of its own, from one queue.
const ANOTHER: Kind = Kind {
    name: "another",
    example_url: "https://another.contoso.com",
    maps_fields: false,
    keys: &[Key { name: "queues", about: "Names of the queues that may ask.", shape: Shape::Texts }],
    is_never_called: |_| false,
    check,
};

fn check(own: &mut Own) -> Option<Make> {
    let lower = |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase());
    let queues = own.some("queues", lower, "a queue's name in small letters")?;
    Some(Box::new(|_| Arc::new(Another { queues })))
}

#[derive(Debug)]
struct Another {
    queues: Vec<String>,
}

impl TicketSystem for Another {
    fn hear(&self, body: &VerifiedBody) -> Result<Heard, NotHeard> {
        let text = std::str::from_utf8(body.bytes()).map_err(|error| NotHeard::Malformed(error.to_string()))?;
        let (queue, id) = text.split_once('/').ok_or_else(|| NotHeard::NotATicket("no queue".into()))?;
        if !self.queues.iter().any(|ours| ours == queue) {
            return Ok(Heard::Ignored(format!("queue {queue}")));
        }
        let (ticket, number) = (TicketId::new(id), TicketNumber::new(format!("{queue}-{id}")));
        Ok(Heard::Hint(Hint { ticket, number, event: HintEvent::Approved, approval: None, told: None }))
    }

    fn territory(&self) -> Vec<String> {
        self.queues.clone()
    }

    fn read(&self, ticket: &TicketId, so_far: &[Answer]) -> Result<Step<Reading>, TicketError> {
        let Some(answer) = so_far.first() else {
            return Ok(Step::Send(call(Method::GET, format!("/tickets/{ticket}"))));
        };
        let row = answer.json()?;
        let text = |path: &str| row.pointer(path).and_then(|value| value.as_str()).unwrap_or_default().to_owned();
        let account = |path: &str| Account {
            id: AccountId::new(text(path)),
            name: None,
            email: None,
            kind: AccountKind::Person,
            active: Some(true),
        };
        let decided_at = text("/approvals/0/decided_at").parse().ok();
        let vote = Vote { approver: Some(account("/approvals/0/approver/id")), outcome: Outcome::Approved, decided_at };
        let opened_at = decided_at.unwrap_or_default();
        let approval = Approval {
            id: ApprovalId::new("1"),
            outcome: Outcome::Approved,
            opened_at,
            decided_at,
            votes: vec![vote],
            without_approver: false,
        };
        Ok(Step::Done(Reading::Found(Box::new(Ticket {
            id: ticket.clone(),
            number: TicketNumber::new(text("/number")),
            url: None,
            in_scope: true,
            standing: if text("/status") == "approved" { Standing::Approved } else { Standing::Closed },
            requester: Some(account("/requester/id")),
            creator: Some(account("/created_by/id")),
            entitlement: Field::Text(text("/entitlement")),
            principal: Field::Text(text("/principal")),
            duration: Field::Text(text("/duration")),
            tenant: None,
            approvals: vec![approval],
            fields_changed_at: None,
            window: Window::default(),
            basis: Basis::ReadBack,
            time_zone: None,
        }))))
    }

    fn changed(&self, _: &Lookback, _: &[Answer]) -> Result<Step<Vec<Listed>>, TicketError> {
        Ok(Step::Done(vec![]))
    }

    fn write_note(&self, note: &Note, _: bool, so_far: &[Answer]) -> Result<Step<()>, TicketError> {
        if !so_far.is_empty() {
            return Ok(Step::Done(()));
        }
        let body = Body::Json(serde_json::json!({ "key": note.key, "text": note.text }));
        Ok(Step::Send(Call { body, ..call(Method::POST, format!("/tickets/{}/notes", note.ticket)) }))
    }
}

fn call(method: Method, path: String) -> Call {
    Call { method, path, query: vec![], headers: vec![], body: Body::Empty }
}

#[tokio::test]
async fn a_new_kind_of_system_takes_one_file_and_one_line() {
    let it = It::with(|setup| {
        setup.systems.extend(SYSTEMS);
        setup.ports.desk = free_port();
        let table = format!(
            "{{ system = 'another', tenants = ['contoso'], queues = ['access'], ticket_pattern = '^access-[a-z0-9]+$', \
             base_url = 'http://127.0.0.1:{}', auth = {{ kind = 'bearer', token_file = 'sandbox-secrets/desk-token' }}, \
             webhook = {{ scheme = 'bearer', secret_files = ['sandbox-secrets/jira-pat'] }} }}",
            setup.ports.desk
        );
        setup.overrides.push(("STINT__CONNECTIONS__ANOTHER".into(), table));
    })
    .await;
    let desk = &it.world.sandbox.desk;
    // The sandbox's own connection to this desk is not to find it too.
    desk.offer_listing(false);
    let ticket = desk.create(stint::sandbox::desk::TicketDraft { duration: "PT15M".into(), ..Default::default() });
    desk.request_approval(&ticket.id, &[story::OMAR_DESK]);
    desk.approve(&ticket.id, story::OMAR_DESK);
    let mut webhook = Webhook { headers: vec![], body: format!("access/{}", ticket.id).into_bytes() };
    webhook.bearer(story::JIRA_PAT);
    let seen = it.post_to("another", &webhook).await;
    let id = seen.body["request_id"].as_str().unwrap_or_else(|| panic!("{}", seen.body)).to_owned();
    it.until(&id, "ended").await;
    it.work().await;
    assert_eq!((it.creates().len(), desk.notes(&ticket.id).len()), (1, 2));
    let mut other = Webhook { body: b"holidays/7".to_vec(), ..webhook };
    other.bearer(story::JIRA_PAT);
    assert_eq!(it.post_to("another", &other).await.body["ignored"], "queue holidays");
    it.ends().await;
}
