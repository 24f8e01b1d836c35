//! An approved ticket becomes access that ends by itself.

use stint::sandbox::{
    graph::Grant,
    jira::{IssueDraft, WebhookKind},
    story,
};

use crate::world::{It, free_port, minutes};

#[tokio::test]
async fn an_approved_ticket_is_granted_and_ends_by_itself() {
    let it = It::begins().await;
    let ticket = it.approved(IssueDraft::default());
    let id = it.taken_in(&ticket).await;

    it.work().await;
    let active = it.document(&id).await;
    assert_eq!(active["status"], "active");
    assert_eq!(it.creates().len(), 1);
    let create = &it.creates()[0];
    assert_eq!(create.principal, story::NINA_ID);
    assert_eq!(create.role, story::EXCHANGE_ADMINISTRATOR);
    assert_eq!(create.scope, "/");
    assert_eq!(create.duration.as_deref(), Some("PT4H"));
    assert_eq!(create.ticket_number.as_deref(), Some("ITSEC-482"));
    assert_eq!(create.ticket_system.as_deref(), Some("jira-cloud"));
    assert_eq!(create.justification, Some(format!("ITSEC-482 stint:{id}")));

    let ended = it.until(&id, "ended").await;
    assert_eq!(ended["end"]["cause"], "expired");
    assert!(it.removals().is_empty(), "it ends by itself");
    it.ends().await;
}

#[tokio::test]
async fn one_answer_says_who_what_until_when_on_whose_approval_by_which_ticket_and_what_was_proved_when() {
    let it = It::begins().await;
    let ticket = it.approved(IssueDraft::default());
    let id = it.taken_in(&ticket).await;
    let document = it.until(&id, "ended").await;
    let grants = it.world.sandbox.graph.grants(story::TENANT);
    let [Grant { start: Some(start), end: Some(end), .. }] = grants.as_slice() else { panic!("{grants:?}") };

    assert_eq!(document["principal"]["id"], story::NINA_ID);
    assert_eq!(document["principal"]["name"], "Nina Keller");
    assert_eq!(document["entitlement"]["key"], "exchange-admin");
    assert_eq!(document["entitlement"]["target"]["role"], story::EXCHANGE_ADMINISTRATOR);
    assert_eq!(document["requested_duration"], "PT4H");
    assert_eq!(document["decision"]["duration"], "PT4H");
    assert_eq!(document["decision"]["bound_by"], "requested");
    assert_eq!(document["decision"]["reasons"].as_array().map(Vec::len), Some(0));
    assert_eq!(document["approval"]["approvers"][0]["id"], story::OMAR_ACCOUNT);
    assert_eq!(document["approval"]["approvers"][0]["name"], "Omar Haddad");
    assert_eq!(document["ticket"]["number"], "ITSEC-482");
    assert_eq!(document["ticket"]["id"], ticket);
    assert!(document["ticket"]["snapshot"].is_object());
    assert_eq!(document["ticket"]["snapshot_digest"], document["decision"]["snapshot_digest"]);
    assert_eq!(document["assignment"]["starts_at"], start.to_string());
    assert_eq!(document["assignment"]["ends_at"], end.to_string());
    assert!(document["assignment"]["confirmed_at"].is_string());
    assert!(document["end"]["confirmed_at"].is_string());
    assert_eq!(document["end"]["lag_seconds"], 120);
    assert_eq!(document["attempts"].as_array().map(Vec::len), Some(1));
    assert_eq!(document["attempts"][0]["outcome"], "accepted");
    assert!(document["attempts"][0]["graph_request_id"].is_string());
    let events: Vec<_> = document["timeline"].as_array().expect("a timeline").iter().map(|e| &e["event"]).collect();
    assert_eq!(events[0], "received");
    assert_eq!(events.last().expect("an event"), &"ended");
    it.ends().await;
}

#[tokio::test]
async fn the_digest_is_that_of_the_snapshot_shown() {
    let it = It::begins().await;
    let ticket = it.approved(IssueDraft::default());
    let id = it.taken_in(&ticket).await;
    let document = it.until(&id, "ended").await;
    let text = document["ticket"]["snapshot"].to_string();
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    assert_eq!(document["ticket"]["snapshot_digest"], format!("sha256:{}", hex::encode(digest)));
    it.ends().await;
}

#[tokio::test]
async fn a_longer_wish_is_cut_to_the_entitlement_and_said_so_on_the_ticket() {
    let it = It::begins().await;
    let ticket = it.approved(IssueDraft { duration: "PT12H".into(), ..IssueDraft::default() });
    let id = it.taken_in(&ticket).await;
    let document = it.until(&id, "active").await;
    assert_eq!(document["decision"]["duration"], "PT8H");
    assert_eq!(document["decision"]["bound_by"], "entitlement");
    assert_eq!(it.creates()[0].duration.as_deref(), Some("PT8H"));
    it.until(&id, "ended").await;
    it.work().await;
    assert!(it.notes(&ticket)[0].contains("cut from PT12H"), "{:?}", it.notes(&ticket));
    it.ends().await;
}

#[tokio::test]
async fn protected_roles_need_two_approvers_known_to_entra() {
    let it = It::begins().await;
    let draft = || IssueDraft { entitlement: "global-admin".into(), duration: "PT1H".into(), ..IssueDraft::default() };
    let one = it.approved(draft());
    let refused = it.taken_in(&one).await;
    let refused = it.until(&refused, "rejected").await;
    assert_eq!(refused["decision"]["reasons"][0]["code"], "too-few-approvers");

    let two = it.approved_by(draft(), &[story::OMAR_ACCOUNT, story::LENA_ACCOUNT]);
    let granted = it.taken_in(&two).await;
    let granted = it.until(&granted, "active").await;
    assert_eq!(granted["approval"]["approvers"].as_array().map(Vec::len), Some(2));
    it.until(granted["id"].as_str().expect("an id"), "ended").await;
    it.ends().await;
}

#[tokio::test]
async fn a_certificate_signs_stint_in_as_well_as_a_secret() {
    let key = rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048).expect("a key");
    let certificate =
        rcgen::CertificateParams::new(vec![]).expect("parameters").self_signed(&key).expect("a certificate");
    let files = tempfile::tempdir().expect("a folder");
    let path = |name: &str| files.path().join(name).display().to_string();
    std::fs::write(path("certificate.pem"), certificate.pem()).expect("a file");
    std::fs::write(path("key.pem"), key.serialize_pem()).expect("a file");
    let credential = format!(
        "{{ kind = \"certificate\", certificate_file = {:?}, private_key_file = {:?} }}",
        path("certificate.pem"),
        path("key.pem")
    );
    let it = It::with(|setup| {
        setup.overrides.push(("STINT__TENANTS__CONTOSO__CREDENTIAL".into(), credential));
    })
    .await;
    it.world.sandbox.entra.register_app(story::TENANT, story::CLIENT_ID, None, Some(&certificate.pem()));
    let ticket = it.approved(IssueDraft::default());
    let id = it.taken_in(&ticket).await;
    it.until(&id, "active").await;
    it.pass(minutes(10)).await;
    it.until(&id, "ended").await;
    it.ends().await;
}

/// A world whose catalog gets further lines for the exchange administrator.
async fn with_catalog(lines: &str) -> It {
    let files = tempfile::tempdir().expect("a folder").keep();
    let shipped = stint::config::SANDBOX_CATALOG;
    let changed = shipped.replacen("approvers = 1\n", &format!("approvers = 1\n{lines}\n"), 1);
    assert_ne!(changed, shipped);
    let path = files.join("catalog.toml");
    std::fs::write(&path, changed).expect("a catalog");
    let path = path.display().to_string();
    It::with(|setup| setup.overrides.push(("STINT__TENANTS__CONTOSO__CATALOG".into(), path))).await
}

#[tokio::test]
async fn approvers_and_receivers_must_be_in_the_groups_the_catalog_names() {
    let (approvers, receivers) = ("00000000-0000-4000-8000-0000000000a1", "00000000-0000-4000-8000-0000000000b2");
    let lines = format!("approver_group = \"{approvers}\"\nrequesters = {{ any_of_groups = [\"{receivers}\"] }}");
    let it = with_catalog(&lines).await;
    let ticket = it.approved(IssueDraft::default());
    let refused = it.taken_in(&ticket).await;
    let refused = it.until(&refused, "rejected").await;
    let reasons = refused["decision"]["reasons"].as_array().expect("reasons");
    let mut codes: Vec<_> = reasons.iter().filter_map(|reason| reason["code"].as_str()).collect();
    codes.sort_unstable();
    assert_eq!(codes, ["approver-not-in-group", "principal-not-entitled"]);

    it.world.sandbox.graph.add_to_group(story::TENANT, approvers, story::OMAR_ID);
    it.world.sandbox.graph.add_to_group(story::TENANT, receivers, story::NINA_ID);
    let ticket = it.approved(IssueDraft::default());
    let granted = it.taken_in(&ticket).await;
    it.until(&granted, "active").await;
    it.until(&granted, "ended").await;
    it.ends().await;
}

#[tokio::test]
async fn more_grants_an_hour_than_the_catalog_allows_wait_for_the_next() {
    let it = with_catalog("per_hour = 1").await;
    let first = it.approved(IssueDraft { duration: "PT15M".into(), ..IssueDraft::default() });
    let first = it.taken_in(&first).await;
    it.until(&first, "ended").await;
    let began = it.world.clock.now();
    let second = it.approved(IssueDraft { duration: "PT15M".into(), ..IssueDraft::default() });
    let second = it.taken_in(&second).await;
    let held = it.until(&second, "held").await;
    assert_eq!(held["hold"]["reason"], "entitlement-rate");
    it.until(&second, "active").await;
    assert!(it.world.clock.now().duration_since(began) > minutes(40));
    it.until(&second, "ended").await;
    it.ends().await;
}

#[tokio::test]
async fn in_plain_jira_whoever_moves_the_ticket_into_an_approved_status_is_the_approver() {
    let it = It::with(|setup| {
        setup.overrides.push(("STINT__CONNECTIONS__JIRA_CLOUD__APPROVAL".into(), "status-transition".into()));
    })
    .await;
    let jira = &it.world.sandbox.jira;
    let by_herself = jira.create_issue(IssueDraft::default());
    jira.transition(&by_herself.id, story::STATUS_APPROVED, story::NINA_ACCOUNT);
    let refused = it.taken_in(&by_herself.id).await;
    let refused = it.until(&refused, "rejected").await;
    assert_eq!(refused["decision"]["reasons"][0]["code"], "self-approval");

    let by_omar = jira.create_issue(IssueDraft::default());
    jira.transition(&by_omar.id, story::STATUS_APPROVED, story::OMAR_ACCOUNT);
    let granted = it.taken_in(&by_omar.id).await;
    let granted = it.until(&granted, "active").await;
    assert_eq!(granted["approval"]["approvers"][0]["id"], story::OMAR_ACCOUNT);
    it.until(granted["id"].as_str().expect("an id"), "ended").await;
    it.ends().await;
}

#[tokio::test]
async fn two_grants_at_one_moment_do_not_slip_past_the_hourly_limit_together() {
    let it = with_catalog("per_hour = 1").await;
    let mut ids = Vec::new();
    for principal in [story::NINA_UPN, story::LENA_UPN] {
        let draft = IssueDraft { duration: "PT15M".into(), principal: principal.into(), ..IssueDraft::default() };
        ids.push(it.taken_in(&it.approved(draft)).await);
    }
    it.work().await;
    assert!(it.creates().len() <= 1, "{} grants", it.creates().len());
    for id in &ids {
        it.until(id, "ended").await;
    }
    assert_eq!(it.creates().len(), 2, "an hour apart");
    it.ends().await;
}

#[tokio::test]
async fn behind_the_api_gateway_a_scoped_token_reads_the_ticket_and_writes_on_it() {
    let it = It::with(|setup| {
        setup.ports.jira = free_port();
        let table = format!(
            "{{ system = 'jira', tenants = ['contoso'], base_url = 'http://127.0.0.1:{}/ex/jira/{}', \
             projects = ['ITSEC'], approved_statuses = ['10016'], ticket_pattern = '^ITSEC-[1-9][0-9]*$', \
             auth = {{ kind = 'basic', username = '{}', password_file = 'sandbox-secrets/jira-pat' }}, \
             webhook = {{ scheme = 'bearer', secret_files = ['sandbox-secrets/jira-pat'] }}, \
             fields = {{ entitlement = '{}', principal = '{}', duration = '{}' }} }}",
            setup.ports.jira,
            story::CLOUD_ID,
            story::JIRA_USER,
            story::FIELD_ENTITLEMENT,
            story::FIELD_PRINCIPAL,
            story::FIELD_DURATION,
        );
        setup.overrides.push(("STINT__CONNECTIONS__GATEWAY".into(), table));
    })
    .await;
    let jira = &it.world.sandbox.jira;
    // The token works at the gateway only; the sandbox's own connection to the site is out of the story.
    jira.revoke_logins();
    jira.allow_scoped_basic(story::JIRA_USER, story::JIRA_PAT);
    let ticket = it.approved(IssueDraft { duration: "PT15M".into(), ..IssueDraft::default() });
    let mut webhook = jira.webhook_for(&ticket, WebhookKind::AutomationIssue);
    webhook.bearer(story::JIRA_PAT);
    let seen = it.post_to("gateway", &webhook).await;
    let id = seen.body["request_id"].as_str().unwrap_or_else(|| panic!("{}", seen.body)).to_owned();
    let document = it.until(&id, "ended").await;
    it.work().await;
    assert_eq!((it.creates().len(), it.notes(&ticket).len()), (1, 2));
    assert!(document["ticket"]["url"].is_null(), "the gateway is no site");
    it.ends().await;
}
