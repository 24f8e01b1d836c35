//! The API's doors, tried from outside over real HTTP.

mod document;
mod keys;
mod login;
mod routes;
mod tokens;
