//! Signing keys over time: rotated, missing, asked for too often.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{
    super::auth::{Denied, Flaw},
    login::{Login, SigningKey, bearing, first_key, second_key},
};

/// What a caller with this key's token hears; `None`: let in.
async fn refusal(login: &Login, key: &SigningKey) -> Option<Denied> {
    login.tokens.caller(&bearing(&key.token(&login.claims()))).await.err()
}

/// A token that names a key nobody published.
async fn refusal_of_an_invented_key(login: &Login, kid: &str) -> Option<Denied> {
    let token = first_key().token_with(&json!({"alg": "RS256", "kid": kid}), &login.claims());
    login.tokens.caller(&bearing(&token)).await.err()
}

#[tokio::test]
async fn a_new_key_is_found_and_an_old_one_forgotten() {
    let login = Login::starts().await;
    assert_eq!(refusal(&login, first_key()).await, None);
    login.publishes(&[second_key().published()]);
    assert_eq!(refusal(&login, second_key()).await, Some(Flaw::Key.into()), "it was asked a moment ago");
    login.advance(60);
    assert_eq!(refusal(&login, second_key()).await, None);
    assert_eq!(refusal(&login, first_key()).await, Some(Flaw::Key.into()));
    assert_eq!(login.times_asked(), 2);
}

#[tokio::test]
async fn invented_key_ids_make_stint_ask_once_a_minute_at_most() {
    let login = Login::starts().await;
    for round in 0..3 {
        for kid in ["a", "b", "c"] {
            assert_eq!(refusal_of_an_invented_key(&login, kid).await, Some(Flaw::Key.into()));
        }
        assert_eq!(login.times_asked(), round + 1);
        login.advance(60);
    }
}

#[tokio::test]
async fn a_fetch_that_fails_leaves_the_keys_that_are_there() {
    let login = Login::starts().await;
    assert_eq!(refusal(&login, first_key()).await, None);
    login.is_down(true);
    login.advance(60);
    let unclear = refusal_of_an_invented_key(&login, "a").await;
    assert_eq!(unclear, Some(Denied::KeysUnavailable), "it may be a new key of Entra's");
    assert_eq!(refusal(&login, first_key()).await, None);
    login.is_down(false);
    login.advance(60);
    assert_eq!(refusal_of_an_invented_key(&login, "a").await, Some(Flaw::Key.into()));
}

#[tokio::test]
async fn without_any_keys_nothing_is_said_about_tokens() {
    let login = Login::starts().await;
    login.is_down(true);
    assert_eq!(refusal(&login, first_key()).await, Some(Denied::KeysUnavailable));
    login.is_down(false);
    assert_eq!(refusal(&login, first_key()).await, Some(Denied::KeysUnavailable), "it was asked a moment ago");
    login.advance(5);
    assert_eq!(refusal(&login, first_key()).await, None);
}

#[tokio::test]
async fn keys_are_asked_for_again_after_a_day_while_the_old_ones_still_serve() {
    let mut login = Login::starts().await;
    assert_eq!(refusal(&login, first_key()).await, None);
    login.advance(24 * 3600 - 1);
    assert_eq!(refusal(&login, first_key()).await, None);
    assert_eq!(login.times_asked(), 1);
    login.advance(1);
    let permits = login.gate.forget_permits(usize::MAX);
    assert_eq!(refusal(&login, first_key()).await, None, "it does not wait for the answer");
    login.asked.wait_for(|asked| *asked == 2).await.expect("a second fetch");
    login.gate.add_permits(permits);
}

#[tokio::test]
async fn callers_who_come_together_make_one_fetch() {
    let mut login = Login::starts().await;
    let permits = login.gate.forget_permits(usize::MAX);
    let headers = bearing(&first_key().token(&login.claims()));
    let callers = (0..20).map(|_| {
        let (tokens, headers) = (Arc::clone(&login.tokens), headers.clone());
        tokio::spawn(async move { tokens.caller(&headers).await.is_ok() })
    });
    let callers: Vec<_> = callers.collect();
    login.asked.wait_for(|asked| *asked == 1).await.expect("a fetch");
    login.gate.add_permits(permits);
    for caller in callers {
        assert!(caller.await.expect("no panic"));
    }
    assert_eq!(login.times_asked(), 1);
}

#[tokio::test]
async fn a_caller_who_hangs_up_does_not_break_off_the_fetch() {
    let mut login = Login::starts().await;
    let permits = login.gate.forget_permits(usize::MAX);
    let headers = bearing(&first_key().token(&login.claims()));
    let mut asked = login.asked.clone();
    tokio::select! {
        _ = login.tokens.caller(&headers) => panic!("the keys are not there yet"),
        seen = asked.wait_for(|asked| *asked == 1) => drop(seen.expect("a fetch")),
    }
    login.gate.add_permits(permits);
    assert!(login.tokens.caller(&headers).await.is_ok());
    assert_eq!(*login.asked.borrow_and_update(), 1);
}

#[tokio::test]
async fn keys_and_issuer_are_taken_only_from_the_login_service_and_for_the_tenant() {
    let elsewhere = Login::starts().await;
    let change = |login: &Login, change: &dyn Fn(&mut super::login::Says)| {
        change(&mut login.says.lock().expect("not poisoned"));
    };
    let foreign = elsewhere.says.lock().expect("not poisoned").jwks_uri.clone();
    let login = Login::starts().await;
    change(&login, &|says| says.jwks_uri.clone_from(&foreign));
    assert_eq!(refusal(&login, first_key()).await, Some(Denied::KeysUnavailable));
    assert_eq!((login.times_asked(), elsewhere.times_asked()), (0, 0));
    let login = Login::starts().await;
    change(&login, &|says| says.issuer = format!("{}common/v2.0", login.url));
    assert_eq!(refusal(&login, first_key()).await, Some(Denied::KeysUnavailable));
}

#[tokio::test]
async fn a_key_signs_only_for_the_issuer_it_is_published_for() {
    let with = |issuer: String| {
        let mut key = first_key().published();
        key["issuer"] = json!(issuer);
        key
    };
    let login = Login::starts().await;
    login.publishes(&[with(format!("{}{{tenantid}}/v2.0", login.url))]);
    assert_eq!(refusal(&login, first_key()).await, None);
    let login = Login::starts().await;
    login.publishes(&[with("https://login.partner.example/{tenantid}/v2.0".into())]);
    assert_eq!(refusal(&login, first_key()).await, Some(Flaw::Issuer.into()));
}

#[tokio::test]
async fn what_is_published_but_does_not_sign_tokens_is_passed_over() {
    let but = |member: &str, value: Value| {
        let mut key = first_key().published();
        key[member] = value;
        key
    };
    let others =
        [but("use", json!("enc")), but("kty", json!("EC")), but("n", json!(7)), but("kid", json!(null)), json!(1)];
    let login = Login::starts().await;
    login.publishes(&others);
    assert_eq!(refusal(&login, first_key()).await, Some(Denied::KeysUnavailable));
    login.publishes(&[&others[..], &[second_key().published()]].concat());
    login.advance(60);
    assert_eq!(refusal(&login, second_key()).await, None);
}
