-- Whoever looks for what is due takes a few of each connection and tenant, and all that is in force or ending. Without these
-- two that was a walk over everything that waits, for every place that became free.
create index requests_waiting on requests (connection, coalesce(tenant, ''), due_at)
    where due_at is not null and end_requested is null and coalesce(held_state, state) not in ('active', 'ending');
create index requests_watched on requests (due_at)
    where due_at is not null and (end_requested is not null or coalesce(held_state, state) in ('active', 'ending'));
