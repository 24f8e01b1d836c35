-- stint's whole state: deliveries in, requests with their attempts and notes, and the append-only audit log.
-- Times are stint's own clock, in microseconds. States and outcomes are text with a named check.

create table requests (
    id uuid primary key,
    connection text not null,
    tenant text,
    ticket_id text not null,
    ticket_number text not null,
    ticket_url text,
    approval_id text,
    state text not null
        constraint requests_state_is_known check (state in (
            'received', 'verifying', 'approved', 'assigning', 'active', 'ending', 'ended', 'rejected', 'failed', 'held'
        )),
    held_state text
        constraint requests_held_state_is_open check (held_state in (
            'received', 'verifying', 'approved', 'assigning', 'active', 'ending'
        )),
    hold jsonb,
    decision jsonb,
    assignment jsonb,
    end_order jsonb,
    reasons jsonb,
    failure jsonb,
    snapshot jsonb,
    snapshot_digest text,
    principal_id uuid,
    principal_name text,
    entitlement_key text,
    received_at timestamptz not null,
    updated_at timestamptz not null,
    state_since timestamptz not null,
    hinted_at timestamptz not null,
    looks integer not null default 0,
    due_at timestamptz,
    lease_token uuid,
    leased_until timestamptz,
    woken boolean not null default false,
    end_requested jsonb,
    hinted_approval text,
    constraint requests_held_says_why_and_where check ((state = 'held') = (hold is not null and held_state is not null)),
    constraint requests_open_is_due check ((state in ('ended', 'rejected', 'failed')) = (due_at is null)),
    constraint requests_lease_is_whole check ((lease_token is null) = (leased_until is null)),
    constraint requests_decided_has_decision check (
        decision is not null or coalesce(held_state, state) not in ('approved', 'assigning', 'active', 'ending')
    ),
    constraint requests_active_was_read_back check (
        assignment is not null or coalesce(held_state, state) <> 'active'
    ),
    constraint requests_ending_has_order check (
        end_order is not null or coalesce(held_state, state) not in ('ending', 'ended')
    ),
    constraint requests_rejected_has_reasons check (reasons is not null or state <> 'rejected'),
    constraint requests_failed_has_failure check (failure is not null or state <> 'failed'),
    constraint requests_snapshot_has_digest check ((snapshot is null) = (snapshot_digest is null))
);

-- One approval, one request: the same approval never grants twice.
create unique index requests_one_per_approval on requests (connection, ticket_id, approval_id)
    where approval_id is not null;
-- Deliveries about a ticket join its open request.
create unique index requests_one_open_per_ticket on requests (connection, ticket_id)
    where state not in ('ended', 'rejected', 'failed');
create index requests_by_ticket on requests (connection, ticket_id, id);
create index requests_due on requests (due_at) where due_at is not null;
create index requests_by_arrival on requests (received_at desc, id desc);

comment on table requests is 'One approved ticket asking for one entitlement for one principal. The row is also the job.';
comment on column requests.id is 'UUIDv7, given at intake';
comment on column requests.connection is 'Name of the connection whose webhook made it';
comment on column requests.tenant is 'Name of the tenant; null until known where the connection serves several';
comment on column requests.ticket_id is 'Immutable id of the ticket in its own system';
comment on column requests.ticket_number is 'Number of the ticket: as the webhook gave it, then as last read back';
comment on column requests.ticket_url is 'Where a person opens the ticket; null until read back';
comment on column requests.approval_id is 'The approval it used up; null until one was found, and on a request that came too late for it';
comment on column requests.state is 'Where it stands';
comment on column requests.held_state is 'Where a held request goes on; null otherwise';
comment on column requests.hold is 'Why it is held: {code, detail}; null otherwise';
comment on column requests.decision is 'What was decided and on what it rests; null until then';
comment on column requests.assignment is 'The assignment as read back from Graph; null until then';
comment on column requests.end_order is 'Why and on whose word it ends, and when that was proved; null until then';
comment on column requests.reasons is 'Every reason for a rejection: [{code, detail}]';
comment on column requests.failure is 'Why Graph refused it for good: {code, detail}';
comment on column requests.snapshot is 'The ticket as last read back, in words common to all systems';
comment on column requests.snapshot_digest is 'sha256 of the snapshot''s bytes as decided on';
comment on column requests.principal_id is 'Entra object id of who receives it, from the decision';
comment on column requests.principal_name is 'Display name of who receives it, from the decision';
comment on column requests.entitlement_key is 'Catalog key of what is granted, from the decision';
comment on column requests.received_at is 'When its first delivery was taken in';
comment on column requests.updated_at is 'When the row last changed';
comment on column requests.state_since is 'When it came to stand where it stands; a hold does not change this';
comment on column requests.hinted_at is 'When a delivery last pointed at its ticket';
comment on column requests.looks is 'Looks without progress since the last move; sets the pace of the next';
comment on column requests.due_at is 'When the next step is due; null for terminal states';
comment on column requests.lease_token is 'Proof of the right to make the next step; null when nobody has it';
comment on column requests.leased_until is 'When that right lapses';
comment on column requests.woken is 'Something arrived since the lease was taken: the next step is due at once';
comment on column requests.hinted_approval is 'Approval a delivery mentioned that no reading has covered yet; empty when it named none; null otherwise';
comment on column requests.end_requested is 'An order to end it that no step has taken up yet; null otherwise';

create table deliveries (
    id bigint generated always as identity primary key,
    connection text not null,
    delivery_key text not null,
    request_id uuid references requests (id),
    outcome text not null
        constraint deliveries_outcome_is_known check (outcome in ('accepted', 'ignored', 'rejected')),
    detail text,
    headers jsonb not null,
    body bytea not null,
    received_at timestamptz not null,
    constraint deliveries_are_told_apart unique (connection, delivery_key),
    constraint deliveries_accepted_has_request check ((outcome = 'accepted') = (request_id is not null)),
    constraint deliveries_refused_says_why check (outcome = 'accepted' or detail is not null)
);
create index deliveries_by_request on deliveries (request_id);

comment on table deliveries is 'Every genuine webhook, once. What failed its signature is counted, never stored.';
comment on column deliveries.id is 'Order of arrival';
comment on column deliveries.connection is 'Name of the connection it was posted to';
comment on column deliveries.delivery_key is 'What a repeat of it carries too: the sender''s identifier, or a digest of the body';
comment on column deliveries.request_id is 'The request it made or joined; null when ignored or rejected';
comment on column deliveries.outcome is 'accepted, ignored (genuine, not for stint) or rejected (no ticket number of that system)';
comment on column deliveries.detail is 'Why it was ignored or rejected';
comment on column deliveries.headers is 'Identifier, retry and flow headers; never credentials';
comment on column deliveries.body is 'The raw bytes that were signed';
comment on column deliveries.received_at is 'When it was taken in';

create table attempts (
    id uuid primary key,
    number bigint generated always as identity,
    request_id uuid not null references requests (id),
    tenant text not null,
    principal_id uuid not null,
    target text not null,
    kind text not null constraint attempts_kind_is_known check (kind in ('assign', 'remove', 'cancel')),
    recorded_at timestamptz not null,
    send_not_after timestamptz not null,
    duration_seconds integer,
    ends_at timestamptz,
    outcome text not null
        constraint attempts_outcome_is_known check (outcome in ('open', 'accepted', 'refused', 'not-sent', 'absent')),
    code text,
    http_status integer,
    graph_request_id text,
    schedule_request_id text,
    schedule_id text,
    closed_at timestamptz,
    absent_reads integer not null default 0,
    last_absent_at timestamptz,
    constraint attempts_assign_has_end check (
        (kind = 'assign') = (duration_seconds is not null and ends_at is not null)
    ),
    constraint attempts_closed_has_time check ((outcome = 'open') = (closed_at is null))
);
-- The two guards behind "never two at once": per request, and per who holds what.
create unique index attempts_one_open_per_request on attempts (request_id) where outcome = 'open';
create unique index attempts_one_open_per_holding on attempts (tenant, principal_id, target) where outcome = 'open';
create index attempts_by_request on attempts (request_id, number);

comment on table attempts is 'Tries at a call that changes something in Graph, each committed before it is sent.';
comment on column attempts.id is 'Also sent as client-request-id';
comment on column attempts.number is 'Order in which they were committed, whatever the clock said';
comment on column attempts.request_id is 'The request it serves';
comment on column attempts.tenant is 'Name of the tenant it is sent to';
comment on column attempts.principal_id is 'Who gains or loses the assignment';
comment on column attempts.target is 'What the assignment gives, in words';
comment on column attempts.kind is 'assign, remove, or cancel (of a schedule request not in force yet)';
comment on column attempts.recorded_at is 'When it was committed, before anything was sent';
comment on column attempts.send_not_after is 'It is never sent after this moment';
comment on column attempts.duration_seconds is 'How long the assignment is to live; assign only';
comment on column attempts.ends_at is 'When the assignment is to end by plan; assign only';
comment on column attempts.outcome is 'open: maybe sent, maybe carried out; otherwise known';
comment on column attempts.code is 'Graph''s code, or stint''s word for what was seen';
comment on column attempts.http_status is 'HTTP status of the answer, where there was one';
comment on column attempts.graph_request_id is 'Graph''s request-id of the answer';
comment on column attempts.schedule_request_id is 'PIM''s id of the schedule request it made';
comment on column attempts.schedule_id is 'PIM''s id of the schedule it made';
comment on column attempts.closed_at is 'When its outcome was known';
comment on column attempts.absent_reads is 'Reads far enough apart that showed nothing of it';
comment on column attempts.last_absent_at is 'The last such read';

create table notes (
    request_id uuid not null references requests (id),
    step text not null
        constraint notes_step_is_known check (step in ('granted', 'rejected', 'failed', 'ended', 'revoked')),
    text text not null,
    created_at timestamptz not null,
    due_at timestamptz,
    tries integer not null default 0,
    written_at timestamptz,
    last_error text,
    lease_token uuid,
    leased_until timestamptz,
    primary key (request_id, step),
    constraint notes_lease_is_whole check ((lease_token is null) = (leased_until is null)),
    constraint notes_written_is_done check (written_at is null or due_at is null)
);
create index notes_due on notes (due_at) where due_at is not null;

comment on table notes is 'What is to be written on tickets, each once; made in the transaction of the move it tells.';
comment on column notes.request_id is 'The request it tells about';
comment on column notes.step is 'Which step of its life';
comment on column notes.text is 'What it says';
comment on column notes.created_at is 'When the move was made';
comment on column notes.due_at is 'When the next try is due; null once written or given up';
comment on column notes.tries is 'Tries begun; above one, the ticket is searched for the note first';
comment on column notes.written_at is 'When the ticket system took it; null when not yet, or given up';
comment on column notes.last_error is 'Why the last try failed';
comment on column notes.lease_token is 'Proof of the right to write it; null when nobody has it';
comment on column notes.leased_until is 'When that right lapses';

create table findings (
    id uuid primary key,
    kind text not null,
    tenant text,
    request_id uuid references requests (id),
    detail jsonb not null,
    raised_at timestamptz not null,
    acknowledged_at timestamptz,
    acknowledged_by text,
    constraint findings_acknowledged_by_somebody check ((acknowledged_at is null) = (acknowledged_by is null))
);
-- The same thing about the same request is raised once.
create unique index findings_once_per_request on findings (request_id, kind) where request_id is not null;

comment on table findings is 'What an auditor or operator must look at.';
comment on column findings.id is 'UUIDv7';
comment on column findings.kind is 'Stable code of what was found';
comment on column findings.tenant is 'Name of the tenant it concerns; null when none';
comment on column findings.request_id is 'The request it concerns; null when none';
comment on column findings.detail is 'Its facts';
comment on column findings.raised_at is 'When it was found';
comment on column findings.acknowledged_at is 'When somebody looked at it';
comment on column findings.acknowledged_by is 'Who did';

create table audit_events (
    id bigint generated always as identity primary key,
    at timestamptz not null,
    request_id uuid references requests (id),
    connection text,
    tenant text,
    event text not null,
    actor text not null,
    state_from text,
    state_to text,
    detail jsonb not null
);
create index audit_events_by_request on audit_events (request_id, id);

comment on table audit_events is 'What happened and who did it. Rows are only ever added.';
comment on column audit_events.id is 'Order in which they were written';
comment on column audit_events.at is 'When it happened';
comment on column audit_events.request_id is 'The request it concerns; null when none';
comment on column audit_events.connection is 'Name of the connection it concerns; null when none';
comment on column audit_events.tenant is 'Name of the tenant it concerns; null when none or not known yet';
comment on column audit_events.event is 'What happened, in kebab-case';
comment on column audit_events.actor is 'Who did it: stint, connection:<name> or caller:<tenant>/<object id>';
comment on column audit_events.state_from is 'State before, for a change of state';
comment on column audit_events.state_to is 'State after, for a change of state';
comment on column audit_events.detail is 'Its facts; never a secret';

create function refuse_rewriting() returns trigger language plpgsql as $$
begin
    raise exception 'the audit log is append-only: % on % is refused', tg_op, tg_table_name;
end
$$;
comment on function refuse_rewriting() is 'Refuses whatever would change or remove what the audit log holds.';

create trigger audit_events_are_only_added before update or delete on audit_events
    for each row execute function refuse_rewriting();
create trigger audit_events_are_never_emptied before truncate on audit_events
    for each statement execute function refuse_rewriting();
