#![doc = include_str!("ARCHITECTURE.md")]

pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod demo;
pub mod doctor;
pub mod domain;
pub mod engine;
pub mod graph;
pub mod http;
pub mod json;
pub mod outbound;
pub mod sandbox;
pub mod store;
pub mod telemetry;
pub mod tickets;
