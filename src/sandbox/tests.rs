//! The sandbox as a whole.

use super::testing::World;
use super::{Ports, Sandbox};

#[tokio::test]
async fn a_dropped_sandbox_frees_its_ports_for_the_next() {
    let world = World::story().await;
    let url = world.sandbox.graph.url();
    let port = url.rsplit(':').next().unwrap().parse().unwrap();
    let http = world.http.clone();
    drop(world);
    // The server's task is aborted by the runtime at its next turn.
    while http.get(&url).send().await.is_ok() {
        tokio::task::yield_now().await;
    }
    let ports = Ports { graph: port, ..Ports::default() };
    let next = Sandbox::start_on(std::sync::Arc::new(jiff::Timestamp::now), ports).await.unwrap();
    assert_eq!(next.graph.url(), url);
}

#[tokio::test]
async fn an_empty_world_knows_no_tenant() {
    let sandbox = Sandbox::start(std::sync::Arc::new(jiff::Timestamp::now)).await.unwrap();
    let url = format!("{}/{}/oauth2/v2.0/token", sandbox.entra.url(), super::story::TENANT);
    let body = reqwest::Client::new().post(url).send().await.unwrap().text().await.unwrap();
    assert!(body.contains("AADSTS90002"), "{body}");
}
