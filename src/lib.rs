//! stint
