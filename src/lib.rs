#![doc = include_str!("ARCHITECTURE.md")]

pub mod clock;
pub mod config;
pub mod domain;
pub mod graph;
pub mod json;
pub mod outbound;
pub mod tickets;
