//! What the database is like: its version, how durable it is, and what stint's role may do there. Nothing is changed.

use super::{Store, StoreError};

/// What a database is like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// Such as `150004` for 15.4.
    pub version: i32,
    /// Settings without which a commit may be lost, that are off.
    pub not_durable: Vec<String>,
    /// The value of `synchronous_commit` where that does not wait for the standby servers that are configured.
    pub ahead_of_standby: Option<String>,
    /// What the role may do and `serve` never needs, in words.
    pub excess_rights: Vec<String>,
    /// What `serve` needs and the role may not do, in words.
    pub missing_rights: Vec<String>,
}

/// Each row is one right that `serve` never needs, in words.
const EXCESS_RIGHTS: &str = "-- store::health::excess_rights
select words from (values
    ('is a superuser', (select rolsuper from pg_roles where rolname = current_user)),
    ('may create tables', has_schema_privilege(current_user, current_schema(), 'create')),
    ('owns the tables and may redefine them', exists (
        select from pg_class where relname = 'audit_events' and relkind in ('r', 'p')
            and pg_has_role(current_user, relowner, 'usage'))),
    ('may update or delete what the audit log holds', exists (
        select from unnest(array['audit_events', 'audit_details', 'audit_leaves', 'audit_nodes', 'audit_checkpoints',
                                 'audit_drops']) as log (name)
            where to_regclass(name) is not null
            and has_table_privilege(current_user, to_regclass(name), 'update, delete, truncate'))),
    ('may allow that facts of the audit log are dropped', to_regclass('audit_drops') is not null
        and has_table_privilege(current_user, to_regclass('audit_drops'), 'insert'))
) as rights (words, held) where held";

/// Settings without which a commit that was answered may be lost.
const NOT_DURABLE: &str = "-- store::health::not_durable
select name from pg_settings
where name in ('fsync', 'full_page_writes', 'synchronous_commit') and setting = 'off' order by name";

/// Standby servers are named, and a commit is answered before one of them has it on disk.
const AHEAD_OF_STANDBY: &str = "-- store::health::ahead_of_standby
select current_setting('synchronous_commit') where current_setting('synchronous_standby_names') <> ''
    and current_setting('synchronous_commit') in ('local', 'remote_write')";

/// Each row is a right on a table, without which `serve` fails, in words. Tables that are not there yet are the schema's fault.
const MISSING_RIGHTS: &str = "-- store::health::missing_rights
select needed || ' on ' || name from (values
    ('requests', array['select', 'insert', 'update']),
    ('deliveries', array['select', 'insert', 'update']),
    ('attempts', array['select', 'insert', 'update']),
    ('notes', array['select', 'insert', 'update']),
    ('findings', array['select', 'insert', 'update']),
    ('polls', array['select', 'insert', 'update']),
    ('sweeps', array['select', 'insert', 'update']),
    ('told_tickets', array['select', 'insert', 'update']),
    ('idempotency_keys', array['select', 'insert', 'delete']),
    ('audit_events', array['select', 'insert']),
    ('audit_details', array['select', 'insert']),
    ('audit_pending', array['select', 'insert', 'delete']),
    ('audit_leaves', array['select', 'insert']),
    ('audit_nodes', array['select', 'insert']),
    ('audit_checkpoints', array['select', 'insert']),
    ('audit_drops', array['select']),
    ('audit_publications', array['select', 'insert', 'update'])
) as tables (name, rights), unnest(rights) as needed
where to_regclass(name) is not null and not has_table_privilege(current_user, to_regclass(name), needed)
order by name, needed";

impl Store {
    /// Looks at the database as stint's own role sees it.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn health(&self) -> Result<Health, StoreError> {
        let version = "-- store::health::version\nselect current_setting('server_version_num')::int";
        Ok(Health {
            version: sqlx::query_scalar(version).fetch_one(&self.pool).await?,
            not_durable: sqlx::query_scalar(NOT_DURABLE).fetch_all(&self.pool).await?,
            ahead_of_standby: sqlx::query_scalar(AHEAD_OF_STANDBY).fetch_optional(&self.pool).await?,
            missing_rights: sqlx::query_scalar(MISSING_RIGHTS).fetch_all(&self.pool).await?,
            excess_rights: sqlx::query_scalar(EXCESS_RIGHTS).fetch_all(&self.pool).await?,
        })
    }
}
