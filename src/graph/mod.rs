//! Entra and Graph.

pub mod settings;
