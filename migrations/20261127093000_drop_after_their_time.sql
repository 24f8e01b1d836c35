-- Snapshots may be dropped after their time; the digest of what was decided on stays.

alter table requests drop constraint requests_snapshot_has_digest;
alter table requests add constraint requests_snapshot_has_digest check (snapshot is null or snapshot_digest is not null);
comment on column requests.snapshot is
    'The ticket as last read back, in words common to all systems; null until then, and once it was dropped after its time';

-- What is still to be dropped is found without a walk of what was. Requests enter it when they are over.
create index requests_with_snapshot on requests (updated_at) where snapshot is not null and due_at is null;

comment on column deliveries.headers is
    'Identifier, retry and flow headers; never credentials. Empty once they were dropped after their time';
comment on column deliveries.body is 'The raw bytes that were signed; empty once they were dropped after their time';
