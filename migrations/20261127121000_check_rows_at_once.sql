-- Postgres reads the text of each check anew for every statement that writes a row: twelve of them were most of what writing a
-- request cost. One function per table knows the same rules, and names the one that a row breaks. What is there has kept them
-- so far and is not looked at again.

create function request_holds(
    state text, held_state text, hold jsonb, decision jsonb, assignment jsonb, end_order jsonb, reasons jsonb, failure jsonb,
    due_at timestamptz, lease_token uuid, leased_until timestamptz, snapshot jsonb, snapshot_digest text,
    in_force_from timestamptz, in_force_until timestamptz
) returns boolean language plpgsql immutable as $$
declare
    stands text := coalesce(held_state, state);
    broken text := case
        when state not in (
            'received', 'verifying', 'approved', 'assigning', 'active', 'ending', 'ended', 'rejected', 'failed', 'held'
        ) then 'requests_state_is_known'
        when held_state not in ('received', 'verifying', 'approved', 'assigning', 'active', 'ending')
            then 'requests_held_state_is_open'
        when (state = 'held') <> (hold is not null and held_state is not null) then 'requests_held_says_why_and_where'
        when (state in ('ended', 'rejected', 'failed')) <> (due_at is null) then 'requests_open_is_due'
        when (lease_token is null) <> (leased_until is null) then 'requests_lease_is_whole'
        when decision is null and stands in ('approved', 'assigning', 'active', 'ending') then 'requests_decided_has_decision'
        when assignment is null and stands = 'active' then 'requests_active_was_read_back'
        when end_order is null and stands in ('ending', 'ended') then 'requests_ending_has_order'
        when reasons is null and state = 'rejected' then 'requests_rejected_has_reasons'
        when failure is null and state = 'failed' then 'requests_failed_has_failure'
        when snapshot is not null and snapshot_digest is null then 'requests_snapshot_has_digest'
        when in_force_until < in_force_from then 'requests_in_force_is_a_time'
    end;
begin
    if broken is not null then
        raise check_violation using table = 'requests', constraint = broken,
            message = format('new row for relation "requests" violates check constraint "%s"', broken);
    end if;
    return true;
end
$$;
comment on function request_holds is 'Whether a request''s row keeps every rule about a single row.';
alter table requests
    drop constraint requests_state_is_known,
    drop constraint requests_held_state_is_open,
    drop constraint requests_held_says_why_and_where,
    drop constraint requests_open_is_due,
    drop constraint requests_lease_is_whole,
    drop constraint requests_decided_has_decision,
    drop constraint requests_active_was_read_back,
    drop constraint requests_ending_has_order,
    drop constraint requests_rejected_has_reasons,
    drop constraint requests_failed_has_failure,
    drop constraint requests_snapshot_has_digest,
    drop constraint requests_in_force_is_a_time,
    add constraint requests_hold check (request_holds(
        state, held_state, hold, decision, assignment, end_order, reasons, failure, due_at, lease_token, leased_until, snapshot,
        snapshot_digest, in_force_from, in_force_until
    )) not valid;

create function attempt_holds(kind text, outcome text, duration_seconds integer, ends_at timestamptz, closed_at timestamptz)
returns boolean language plpgsql immutable as $$
declare
    broken text := case
        when kind not in ('assign', 'update', 'remove', 'cancel', 'validate', 'revoke-sessions') then 'attempts_kind_is_known'
        when outcome not in ('open', 'accepted', 'refused', 'not-sent', 'absent') then 'attempts_outcome_is_known'
        when kind <> 'update' and (kind in ('assign', 'validate')) <> (duration_seconds is not null)
            then 'attempts_assign_has_duration'
        when (kind in ('assign', 'update', 'validate')) <> (ends_at is not null) then 'attempts_assign_has_end'
        when (outcome = 'open') <> (closed_at is null) then 'attempts_closed_has_time'
    end;
begin
    if broken is not null then
        raise check_violation using table = 'attempts', constraint = broken,
            message = format('new row for relation "attempts" violates check constraint "%s"', broken);
    end if;
    return true;
end
$$;
comment on function attempt_holds is 'Whether an attempt''s row keeps every rule about a single row.';
alter table attempts
    drop constraint attempts_kind_is_known,
    drop constraint attempts_outcome_is_known,
    drop constraint attempts_assign_has_duration,
    drop constraint attempts_assign_has_end,
    drop constraint attempts_closed_has_time,
    add constraint attempts_hold check (attempt_holds(kind, outcome, duration_seconds, ends_at, closed_at)) not valid;

create function note_holds(
    step text, lease_token uuid, leased_until timestamptz, written_at timestamptz, due_at timestamptz
) returns boolean language plpgsql immutable as $$
declare
    broken text := case
        when step not in ('granted', 'rejected', 'failed', 'ended', 'revoked') then 'notes_step_is_known'
        when (lease_token is null) <> (leased_until is null) then 'notes_lease_is_whole'
        when written_at is not null and due_at is not null then 'notes_written_is_done'
    end;
begin
    if broken is not null then
        raise check_violation using table = 'notes', constraint = broken,
            message = format('new row for relation "notes" violates check constraint "%s"', broken);
    end if;
    return true;
end
$$;
comment on function note_holds is 'Whether a note''s row keeps every rule about a single row.';
alter table notes
    drop constraint notes_step_is_known,
    drop constraint notes_lease_is_whole,
    drop constraint notes_written_is_done,
    add constraint notes_hold check (note_holds(step, lease_token, leased_until, written_at, due_at)) not valid;

create function delivery_holds(outcome text, request_id uuid, detail text)
returns boolean language plpgsql immutable as $$
declare
    broken text := case
        when outcome not in ('accepted', 'ignored', 'rejected') then 'deliveries_outcome_is_known'
        when (outcome = 'accepted') <> (request_id is not null) then 'deliveries_accepted_has_request'
        when outcome <> 'accepted' and detail is null then 'deliveries_refused_says_why'
    end;
begin
    if broken is not null then
        raise check_violation using table = 'deliveries', constraint = broken,
            message = format('new row for relation "deliveries" violates check constraint "%s"', broken);
    end if;
    return true;
end
$$;
comment on function delivery_holds is 'Whether a delivery''s row keeps every rule about a single row.';
alter table deliveries
    drop constraint deliveries_outcome_is_known,
    drop constraint deliveries_accepted_has_request,
    drop constraint deliveries_refused_says_why,
    add constraint deliveries_hold check (delivery_holds(outcome, request_id, detail)) not valid;
