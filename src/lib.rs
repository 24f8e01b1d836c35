#![doc = include_str!("ARCHITECTURE.md")]

pub mod clock;
pub mod config;
pub mod domain;
pub mod engine;
pub mod graph;
pub mod json;
pub mod outbound;
pub mod sandbox;
pub mod store;
pub mod tickets;
