-- Facts go only after their time, as an event of the log tells it that is there, and never those of what came after that event.

create or replace function refuse_early_dropping() returns trigger language plpgsql as $$
begin
    if exists (
        select from audit_events e
            join audit_drops d on e.at < d.dropped_before
            join audit_events said on said.id = d.event_id and said.event = 'details-dropped' and e.at < said.at
        where e.id = old.event_id
    ) then
        return old;
    end if;
    raise exception 'the details of an audit event may only be dropped after their time, which the log must tell first';
end
$$;
