//! The folder against a small Graph of its own, over real HTTP.
