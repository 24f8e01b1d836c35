-- The audit log as a transparency log (RFC 6962): records that stay for ever, their details, which may be dropped without
-- harm to the proof, the order in which they were sealed, the tree over them, and its signed heads.

create table audit_details (
    event_id bigint primary key,
    detail jsonb not null
);
comment on table audit_details is 'The facts of audit events. May be dropped after their time: the record keeps their digest.';
comment on column audit_details.event_id is 'The event they belong to';
comment on column audit_details.detail is 'The facts; never a secret';

-- What is there already gets its digest: sha256 of the canonical JSON (RFC 8785) of its facts.
create function pg_temp.canonical(value jsonb) returns text language plpgsql immutable as $$
begin
    return case jsonb_typeof(value)
        when 'object' then '{' || coalesce((select string_agg(to_json(key)::text || ':' || pg_temp.canonical(member), ','
            order by key collate "C") from jsonb_each(value) as members (key, member)), '') || '}'
        when 'array' then '[' || coalesce((select string_agg(pg_temp.canonical(item), ',' order by place)
            from jsonb_array_elements(value) with ordinality as items (item, place)), '') || ']'
        else value::text
    end;
end
$$;
alter table audit_events disable trigger audit_events_are_only_added;
alter table audit_events add column detail_sha256 bytea;
update audit_events set detail_sha256 = sha256(convert_to(pg_temp.canonical(detail), 'UTF8'));
alter table audit_events alter column detail_sha256 set not null;
insert into audit_details (event_id, detail) select id, detail from audit_events;
alter table audit_events drop column detail;
alter table audit_events enable trigger audit_events_are_only_added;
comment on column audit_events.detail_sha256 is 'sha256 of the canonical JSON (RFC 8785) of its facts, which audit_details holds';

create table audit_pending (
    event_id bigint primary key
);
comment on table audit_pending is 'Events that are not sealed yet; each is added with its event and removed by the sealer.';
comment on column audit_pending.event_id is 'The event';
insert into audit_pending (event_id) select id from audit_events;

create table audit_leaves (
    leaf_index bigint primary key,
    event_id bigint not null unique,
    hash bytea not null
);
comment on table audit_leaves is 'The order in which events were sealed: what was committed earlier comes earlier.';
comment on column audit_leaves.leaf_index is 'Place in the tree, from 0, without gaps';
comment on column audit_leaves.event_id is 'The event';
comment on column audit_leaves.hash is 'RFC 6962 leaf hash of the event''s canonical bytes';

create table audit_nodes (
    level smallint not null,
    node_index bigint not null,
    hash bytea not null,
    primary key (level, node_index)
);
comment on table audit_nodes is 'Hashes of whole subtrees, so that proofs read few rows.';
comment on column audit_nodes.level is 'Height of the subtree: 8, 16, 24 and so on; it covers two to this power leaves';
comment on column audit_nodes.node_index is 'Which subtree of this height, from 0';
comment on column audit_nodes.hash is 'Its RFC 6962 hash';

create table audit_checkpoints (
    tree_size bigint primary key,
    root bytea not null,
    note text,
    sealed_at timestamptz not null
);
comment on table audit_checkpoints is 'Heads of the tree, one for each sealing.';
comment on column audit_checkpoints.tree_size is 'How many events it covers';
comment on column audit_checkpoints.root is 'RFC 6962 root hash over them';
comment on column audit_checkpoints.note is 'The head as a signed note (C2SP tlog-checkpoint); null where no signing key was configured';
comment on column audit_checkpoints.sealed_at is 'When it was sealed';

create trigger audit_leaves_are_only_added before update or delete on audit_leaves
    for each row execute function refuse_rewriting();
create trigger audit_leaves_are_never_emptied before truncate on audit_leaves
    for each statement execute function refuse_rewriting();
create trigger audit_nodes_are_only_added before update or delete on audit_nodes
    for each row execute function refuse_rewriting();
create trigger audit_nodes_are_never_emptied before truncate on audit_nodes
    for each statement execute function refuse_rewriting();
create trigger audit_checkpoints_are_only_added before update or delete on audit_checkpoints
    for each row execute function refuse_rewriting();
create trigger audit_checkpoints_are_never_emptied before truncate on audit_checkpoints
    for each statement execute function refuse_rewriting();
create trigger audit_details_are_never_changed before update on audit_details
    for each row execute function refuse_rewriting();
create trigger audit_details_are_never_emptied before truncate on audit_details
    for each statement execute function refuse_rewriting();

-- Details may be dropped up to a moment that the log itself tells.
create table audit_drops (
    dropped_before timestamptz primary key,
    event_id bigint not null
);
comment on table audit_drops is 'Up to when details were dropped after their time.';
comment on column audit_drops.dropped_before is 'Details of events before this moment may be gone';
comment on column audit_drops.event_id is 'The event of the log that says so';
create trigger audit_drops_are_only_added before update or delete on audit_drops
    for each row execute function refuse_rewriting();
create trigger audit_drops_are_never_emptied before truncate on audit_drops
    for each statement execute function refuse_rewriting();

create function refuse_early_dropping() returns trigger language plpgsql as $$
begin
    if exists (select from audit_events e join audit_drops d on e.at < d.dropped_before where e.id = old.event_id) then
        return old;
    end if;
    raise exception 'the details of an audit event may only be dropped after their time, which the log must tell first';
end
$$;
comment on function refuse_early_dropping() is 'Lets the details of an audit event go only when a record of the log says up to when.';
create trigger audit_details_stay_their_time before delete on audit_details
    for each row execute function refuse_early_dropping();
