-- Keeps questions and steps as fast at millions of requests as at none. Each page of a list is one walk of an index in the
-- list's own order, so that a page far down costs what the first one does. Columns that are null at intake have partial
-- indexes, which intake does not touch.

-- Pages by principal. Whoever is one of a tenant's is found as well by the object id alone, so the earlier index goes.
create index requests_of_principal on requests (principal_id, received_at desc, id desc) where principal_id is not null;
drop index requests_by_principal;

-- Pages by entitlement, in whatever time.
create index requests_of_entitlement on requests (entitlement_key, received_at desc, id desc)
    where entitlement_key is not null;

-- Pages by tenant, and what an auditor of one tenant sees.
create index requests_of_tenant on requests (tenant, received_at desc, id desc);

-- Pages by state. Nearly all have ended: the newest of those are found by walking all.
create index requests_of_state on requests (state, received_at desc, id desc) where state <> 'ended';

-- A ticket is asked for by number or by id, whatever its connection; deliveries and steps name the connection as well.
create index requests_of_ticket_number on requests (ticket_number);
create index requests_of_ticket on requests (ticket_id, connection, id);
drop index requests_by_ticket;

-- Whoever looks for what is due also counts what is in work; without this that was a walk of the whole table.
create index requests_leased on requests (leased_until) where leased_until is not null;

-- How often an entitlement was given within the hour is asked before each grant.
create index attempts_by_time on attempts (tenant, recorded_at);
