//! Ticket systems.

pub mod settings;
