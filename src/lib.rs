//! stint

pub mod sandbox;
