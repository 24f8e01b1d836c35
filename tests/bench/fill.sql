-- Requests {first} to {last} of {total}, with what belongs to them. One in nine was rejected, a few failed, the newest
-- hundred are open, all others ended. Everything is made of the number alone, so that each run fills the same history.
create temporary table made on commit drop as
select
    i,
    (lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0') || '7' || substr(hash, 1, 3) || '8' || substr(hash, 4, 15))::uuid as id,
    at,
    (array['jira-cloud', 'servicenow', 'service-desk'])[1 + i % 3] as connection,
    case when i % 8 = 0 then 'contoso' else 'tenant-' || i % 8 end as tenant,
    (100000 + i)::text as ticket_id,
    (array['ITSEC-', 'RITM00', 'DESK-'])[1 + i % 3] || (100000 + i) as ticket_number,
    case when i > {total} - 100 then (array['received', 'approved', 'active', 'held'])[1 + i % 4]
        when i % 9 = 0 then 'rejected' when i % 97 = 0 then 'failed' else 'ended' end as state,
    (lpad(to_hex(1 + i * 7919 % 20000), 8, '0') || '-1c5e-4b6f-a1c8-3f4e5d6c7b80')::uuid as principal_id,
    'Person ' || 1 + i * 7919 % 20000 || ' Keller' as principal_name,
    'entitlement-' || i * 31 % 60 as entitlement_key,
    hash
from (
    select i, timestamptz '2025-09-01T00:00:00Z' + i * (interval '400 days' / {total}) as at, md5(i::text) as hash
    from generate_series({first}::bigint, {last}::bigint) as i
) as numbers;

insert into requests (id, connection, tenant, ticket_id, ticket_number, ticket_url, approval_id, approval_given_at, state,
    held_state, hold, decision, assignment, end_order, reasons, failure, snapshot, snapshot_digest, principal_id,
    principal_name, entitlement_key, received_at, updated_at, state_since, hinted_at, due_at, in_force_from, in_force_until)
select id, connection, tenant, ticket_id, ticket_number, 'https://tickets.contoso.example/browse/' || ticket_number,
    case when is_decided then 'a' || i end, case when is_decided then at - interval '2 minutes' end, state,
    case when state = 'held' then 'approved' end,
    case when state = 'held' then '{"code": "graph-unavailable", "detail": "Graph does not answer", "since": null}'::jsonb end,
    case when is_decided then jsonb_build_object(
        'decided_at', at + interval '2 seconds', 'tenant', tenant, 'approval', 'a' || i, 'approved_at', at - interval '2 minutes',
        'approvers', jsonb_build_array(jsonb_build_object('id', '5b10a2844c20165700ede' || i % 900, 'name', 'Omar Haddad',
            'decided_at', at - interval '2 minutes')),
        'principal', jsonb_build_object('id', principal_id, 'name', principal_name, 'named', 'person' || i * 7919 % 20000 || '@contoso.example'),
        'entitlement', jsonb_build_object('key', entitlement_key, 'title', 'Administrator of service ' || i * 31 % 60,
            'target', jsonb_build_object('kind', 'directory-role', 'role', '29232cdf-9323-42fd-ade2-1d097af3e4de', 'scope', '/')),
        'requested', 'PT4H', 'duration', 'PT4H', 'bound_by', 'requested', 'not_before', null, 'not_after', null,
        'catalog_version', hash || hash, 'snapshot_digest', hash || hash, 'basis', 'read-back') end,
    case when state = 'ended' or state = 'active' then jsonb_build_object('schedule_request_id', id, 'schedule_id', id,
        'starts_at', at + interval '5 seconds', 'ends_at', at + interval '4 hours', 'confirmed_at', at + interval '9 seconds') end,
    case when state = 'ended' then jsonb_build_object('cause', case when i % 7 = 0 then 'revoked' else 'expired' end,
        'ordered_at', at + interval '4 hours', 'actor', 'stint', 'reason', 'its time is over', 'remove', false,
        'confirmed_at', at + interval '4 hours 2 minutes') end,
    case when state = 'rejected' then '[{"code": "self-approval", "detail": "the approver is the one who receives it"}]'::jsonb end,
    case when state = 'failed' then '{"code": "RoleAssignmentExists", "detail": "PIM has one already"}'::jsonb end,
    case when i > {total} - {total} / 5 then jsonb_build_object('id', ticket_id, 'number', ticket_number, 'standing', 'approved', 'principal', jsonb_build_object('field', 'given',
        'text', 'person' || i * 7919 % 20000 || '@contoso.example'), 'duration', jsonb_build_object('field', 'given', 'text', 'PT4H')) end,
    hash || hash, case when is_decided then principal_id end, case when is_decided then principal_name end,
    case when is_decided then entitlement_key end, at, at + interval '4 hours 2 minutes', at + interval '4 hours 2 minutes', at,
    case when i > {total} - 100 then timestamptz '2100-01-01T00:00:00Z' end,
    case when state = 'ended' or state = 'active' then at + interval '5 seconds' end,
    case when state = 'ended' then at + interval '4 hours 2 minutes' end
from (select made.*, state not in ('received', 'rejected') as is_decided from made) as made;

insert into deliveries (connection, delivery_key, request_id, outcome, headers, body, received_at)
select connection, 'msg_' || hash, id, 'accepted', '{"webhook-id": "msg"}',
    convert_to('{"type":"ticket.approved","data":{"ticket":{"id":"' || ticket_id || '","number":"' || ticket_number || '"}}}', 'UTF8'), at
from made;

insert into attempts (id, request_id, tenant, principal_id, target, kind, recorded_at, send_not_after, duration_seconds, ends_at,
    outcome, http_status, graph_request_id, schedule_request_id, schedule_id, closed_at)
select (substr(hash, 1, 12) || '4' || substr(hash, 14, 3) || '8' || substr(hash, 18, 15))::uuid, id, tenant, principal_id,
    'directory-role 29232cdf-9323-42fd-ade2-1d097af3e4de at /', 'assign', at + interval '4 seconds', at + interval '9 seconds', 14400,
    at + interval '4 hours', 'accepted', 201, id::text, id::text, id::text, at + interval '5 seconds'
from made where state = 'ended' and i > {total} - {total} / 5;

insert into audit_events (id, at, request_id, connection, tenant, event, actor, state_from, state_to, detail_sha256)
overriding system value
select (i - 1) * 6 + step, at + step * interval '2 seconds', id, connection, tenant,
    (array['received', 'taken', 'approved', 'begun', 'confirmed', 'ended'])[step],
    case when step = 1 then 'connection:' || connection else 'stint' end,
    (array[null, 'received', 'verifying', 'approved', 'assigning', 'active'])[step],
    (array['received', 'verifying', 'approved', 'assigning', 'active', 'ended'])[step],
    sha256(convert_to('{"number":' || i || '}', 'UTF8'))
from made, generate_series(1, 6) as step;

insert into audit_details (event_id, detail)
select (i - 1) * 6 + step, jsonb_build_object('number', i) from made, generate_series(1, 6) as step;
