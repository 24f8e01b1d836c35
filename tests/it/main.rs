//! stint in its world: real HTTP to the simulators, a real Postgres, a database per test, time moved by hand.

mod arrows;
mod crash;
mod granted;
mod intake;
mod migrations;
mod reading;
mod refused;
mod revoke;
mod secrets;
mod serve;
mod unclear;
mod world;
mod write_back;
