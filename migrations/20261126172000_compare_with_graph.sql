-- What it takes to compare the database with Graph, tenant by tenant: when that is due and who does it, since when an
-- assignment is missed, findings about one thing among many of a tenant, and ways to find whose a schedule is.

create table sweeps (
    tenant text primary key,
    due_at timestamptz not null,
    whole_at timestamptz,
    failures integer not null default 0,
    last_error text,
    lease_token uuid,
    leased_until timestamptz,
    constraint sweeps_lease_is_whole check ((lease_token is null) = (leased_until is null))
);

comment on table sweeps is 'The comparison of each tenant''s assignments with what this database holds of them.';
comment on column sweeps.tenant is 'Name of the tenant';
comment on column sweeps.due_at is 'When the next comparison is due';
comment on column sweeps.whole_at is 'When the last comparison began that read every list; null before the first';
comment on column sweeps.failures is 'Comparisons in a row that could not read every list';
comment on column sweeps.last_error is 'Why the last one could not; null when it could';
comment on column sweeps.lease_token is 'Proof of the right to compare; null when nobody has it';
comment on column sweeps.leased_until is 'When that right lapses';

alter table requests add column unseen_since timestamptz;
comment on column requests.unseen_since is
    'When a look at Graph first missed the assignment that should be in force; null while it shows or nobody missed it';

alter table findings add column subject text;
comment on column findings.subject is
    'Which one of a tenant''s many it is about, such as an instance''s id; null when kind and owner say it all';
-- One finding for as long as the same thing is so.
create unique index findings_once_per_subject on findings (tenant, kind, subject)
    where subject is not null and cleared_at is null;

-- What is about one thing among many is not about the tenant as a whole.
drop index findings_once_per_tenant;
create unique index findings_once_per_tenant on findings (tenant, kind)
    where request_id is null and connection is null and subject is null and cleared_at is null;
comment on column findings.tenant is
    'Name of the tenant it concerns, as a whole where it names neither a request nor a connection nor a subject; null when none';

create index attempts_by_schedule on attempts (tenant, schedule_id) where schedule_id is not null;
create index attempts_by_schedule_request on attempts (tenant, schedule_request_id) where schedule_request_id is not null;
