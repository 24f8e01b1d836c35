-- Looking an event's request up once more, and locking it, was a quarter of what a move cost. An event is written by the
-- statement that writes its request, and what kept the request from being deleted afterwards costs nothing here.
alter table audit_events drop constraint audit_events_request_id_fkey;
create trigger requests_are_never_deleted before delete or truncate on requests
    for each statement execute function refuse_rewriting();
comment on function refuse_rewriting() is
    'Refuses whatever would change or remove what the audit log holds, or remove what it tells of.';
