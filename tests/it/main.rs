//! stint in its world: real HTTP to the simulators, a real Postgres, a database per test, time moved by hand.

#![expect(clippy::expect_used, clippy::panic, reason = "a failed expectation is a failed test")]
#![expect(clippy::large_futures, reason = "a story is polled where it stands")]

mod acting;
mod another_system;
mod arrows;
mod assignments;
mod audit_log;
mod console;
mod contract;
mod crash;
mod credentials;
mod doctor;
mod door;
mod dry_run;
mod every_system;
mod every_target;
mod export;
mod fair;
mod findings_api;
mod granted;
mod guides;
mod health_api;
mod intake;
mod matrix;
mod migrations;
mod mutants;
mod mutation;
mod overlap;
mod policies;
mod posted;
mod principals;
mod publishing;
mod reading;
mod refused;
mod retention;
mod revoke;
mod samples;
mod sealing;
mod secrets;
mod sequences;
mod serve;
mod servicenow;
mod sessions;
mod summary;
mod sweep;
mod systems;
mod tampering;
mod targets;
mod tenants;
mod tickets_tried;
mod tried;
mod unclear;
mod unread;
mod world;
mod write_back;
