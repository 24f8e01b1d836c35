-- Findings about a tenant as a whole: its licence, a permission, the credential.

-- One finding for as long as the same thing is wrong with a tenant.
create unique index findings_once_per_tenant on findings (tenant, kind)
    where request_id is null and connection is null and cleared_at is null;

comment on column findings.tenant is
    'Name of the tenant it concerns, as a whole where it is about neither a request nor a connection; null when none';
