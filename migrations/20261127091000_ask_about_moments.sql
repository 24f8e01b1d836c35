-- What it takes to ask who had what at a moment, to count requests, to list findings, and to let operators act.

alter table requests add column in_force_from timestamptz;
alter table requests add column in_force_until timestamptz;
alter table requests add constraint requests_in_force_is_a_time check (
    in_force_until is null or in_force_until >= in_force_from
);
comment on column requests.in_force_from is
    'Before this moment its assignment was surely not in force; from its decision on while it is only planned; null when there surely never was one';
comment on column requests.in_force_until is
    'From this moment on its assignment is proved gone; null until then, and once it showed again';

-- What was there before: as read back, else as sent where that may have been carried out, else as decided.
with courses as (
    select id, state in ('ended', 'rejected', 'failed') as over, coalesce(
        least((assignment->>'starts_at')::timestamptz, (assignment->>'confirmed_at')::timestamptz),
        (select min(a.recorded_at) from attempts a where a.request_id = r.id and a.kind in ('assign', 'update')
            and a.duration_seconds is not null and (a.outcome in ('open', 'accepted') or a.outcome = 'absent'
            and a.closed_at >= a.recorded_at + make_interval(secs => a.duration_seconds))),
        case when state not in ('ended', 'rejected', 'failed') then (decision->>'decided_at')::timestamptz end
    ) as begun, coalesce((end_order->>'confirmed_at')::timestamptz, state_since) as gone
    from requests r where decision is not null and coalesce(decision->>'dry_run', 'false') <> 'true'
)
update requests set in_force_from = begun, in_force_until = case when over then greatest(gone, begun) end
from courses where courses.id = requests.id and begun is not null;

create index requests_in_force on requests using gist (tstzrange(in_force_from, in_force_until, '[]'))
    where in_force_from is not null;
-- What is over and shows all the same, until it no longer does.
create index requests_shown_again on requests (tenant)
    where due_at is null and in_force_from is not null and in_force_until is null;

alter table findings add column acknowledged_reason text;
comment on column findings.acknowledged_reason is 'Why nothing more is to be done about it, in the words of who looked at it; null when nothing was said';
create index findings_by_time on findings (raised_at desc, id desc);

create table idempotency_keys (
    caller text not null,
    route text not null constraint idempotency_keys_route_is_known check (route in ('revoke', 'retry')),
    request_id uuid not null references requests (id),
    key text not null,
    body_sha256 bytea not null,
    status smallint not null,
    answer text not null,
    created_at timestamptz not null,
    primary key (caller, route, request_id, key)
);
create index idempotency_keys_by_age on idempotency_keys (created_at);

comment on table idempotency_keys is 'What operators'' calls were answered, so that a repeat does nothing and is told the same. Kept for a week.';
comment on column idempotency_keys.caller is 'Who called: caller:<tenant>/<object id>';
comment on column idempotency_keys.route is 'What was to be done: revoke or retry';
comment on column idempotency_keys.request_id is 'The request it was to be done to';
comment on column idempotency_keys.key is 'The Idempotency-Key that came with the call';
comment on column idempotency_keys.body_sha256 is 'sha256 of the call''s body; another body with the same key is refused';
comment on column idempotency_keys.status is 'HTTP status of the answer';
comment on column idempotency_keys.answer is 'The answer''s body, byte for byte';
comment on column idempotency_keys.created_at is 'When it was answered';
