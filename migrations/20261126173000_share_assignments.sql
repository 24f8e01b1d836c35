-- Several requests may share one assignment: who had to do with it, and who waits for it, is
-- asked at each step, and shown with each of them.

create index attempts_by_holding on attempts (tenant, principal_id, target, ends_at);
create index requests_by_principal on requests (tenant, principal_id);
