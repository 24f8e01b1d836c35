-- What it takes to depend on no single webhook: when each connection was last searched, what webhooks told of tickets
-- that cannot be read back, since when a ticket is doubted, and findings about a connection as a whole.

alter table requests add column doubt jsonb;
comment on column requests.doubt is
    'Since when, how often and in which way the ticket reads as if it no longer carried what was decided on; null while it does';
alter table requests add column approval_given_at timestamptz;
comment on column requests.approval_given_at is
    'When the approval it used up was given; null until one was found';
update requests set approval_given_at = (decision->>'approved_at')::timestamptz
    where approval_id is not null and decision is not null;

create table polls (
    connection text primary key,
    known_since timestamptz not null,
    covered_until timestamptz not null,
    began_at timestamptz,
    reached text,
    due_at timestamptz not null,
    failures integer not null default 0,
    last_error text,
    lease_token uuid,
    leased_until timestamptz,
    constraint polls_lease_is_whole check ((lease_token is null) = (leased_until is null)),
    constraint polls_broken_off_says_where check ((began_at is null) = (reached is null))
);

comment on table polls is 'The search of each connection for approvals whose webhook never came.';
comment on column polls.connection is 'Name of the connection';
comment on column polls.known_since is 'When the connection was first served; approvals given before are left to webhooks';
comment on column polls.covered_until is 'Changes up to this moment have been looked at';
comment on column polls.began_at is 'When the search that is not whole yet began; null when the last one was';
comment on column polls.reached is 'Ticket up to which that search has looked; null when the last one was whole';
comment on column polls.due_at is 'When the next search is due';
comment on column polls.failures is 'Searches that failed in a row';
comment on column polls.last_error is 'Why the last search failed; null when it did not';
comment on column polls.lease_token is 'Proof of the right to search; null when nobody has it';
comment on column polls.leased_until is 'When that right lapses';

create table told_tickets (
    connection text not null,
    ticket_id text not null,
    ticket jsonb not null,
    told_at timestamptz not null,
    primary key (connection, ticket_id)
);

comment on table told_tickets is 'The newest word of signed webhooks on tickets whose system cannot be asked.';
comment on column told_tickets.connection is 'Name of the connection';
comment on column told_tickets.ticket_id is 'Immutable id of the ticket in its own system';
comment on column told_tickets.ticket is 'The ticket as told, in words common to all systems';
comment on column told_tickets.told_at is 'When the sender says that this was so';

alter table findings add column connection text;
alter table findings add column cleared_at timestamptz;
comment on column findings.connection is 'Name of the connection it is about as a whole; null when it is about a request or none';
comment on column findings.cleared_at is 'When what it tells was seen to be over; null while it is not, and for what does not pass';
-- One finding for as long as the same thing is wrong with a connection.
create unique index findings_once_per_connection on findings (connection, kind)
    where connection is not null and cleared_at is null;
