//! stub
/// a
pub struct Postgres;
/// a
pub struct PostgresError;
/// a
pub struct PostgresOptions;
