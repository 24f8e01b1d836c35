-- Where signed heads of the audit log are published, and findings about stint as a whole.

create table audit_publications (
    destination text primary key,
    known_since timestamptz not null,
    tree_size bigint,
    published_at timestamptz,
    due_at timestamptz not null,
    lease_token uuid,
    leased_until timestamptz,
    failures integer not null default 0,
    last_error text,
    constraint audit_publications_published_what check ((tree_size is null) = (published_at is null)),
    constraint audit_publications_leased_by_somebody check ((lease_token is null) = (leased_until is null))
);
comment on table audit_publications is 'Places to which signed heads of the audit log go, which the owner of the database cannot rewrite.';
comment on column audit_publications.destination is 'Kind and place, as configured';
comment on column audit_publications.known_since is 'When it was first served';
comment on column audit_publications.tree_size is 'The newest head it took; null before the first';
comment on column audit_publications.published_at is 'When it last had the newest head; null before the first';
comment on column audit_publications.due_at is 'When the next head is due there';
comment on column audit_publications.lease_token is 'Who publishes there now';
comment on column audit_publications.leased_until is 'Until when, at most';
comment on column audit_publications.failures is 'Tries that failed since it last took one';
comment on column audit_publications.last_error is 'Why the last try failed; null when it did not';

create unique index findings_once_as_a_whole on findings (kind, subject) nulls not distinct
    where tenant is null and request_id is null and connection is null and cleared_at is null;

-- Filters by time begin at the head that was sealed just before.
create index audit_checkpoints_by_time on audit_checkpoints (sealed_at);
create index audit_checkpoints_signed on audit_checkpoints (tree_size) where note is not null;
