-- Attempts may also move the end of an assignment, only ask whether PIM would allow one, and revoke sign-in sessions.

alter table attempts drop constraint attempts_kind_is_known;
alter table attempts add constraint attempts_kind_is_known
    check (kind in ('assign', 'update', 'remove', 'cancel', 'validate', 'revoke-sessions'));
alter table attempts drop constraint attempts_assign_has_end;
alter table attempts add constraint attempts_assign_has_duration
    check (case when kind = 'update' then true else (kind in ('assign', 'validate')) = (duration_seconds is not null) end);
alter table attempts add constraint attempts_assign_has_end
    check ((kind in ('assign', 'update', 'validate')) = (ends_at is not null));

comment on column attempts.kind is
    'assign, update (a new end), remove, cancel (of a schedule request not in force yet), validate (PIM checks and changes nothing), revoke-sessions';
comment on column attempts.duration_seconds is
    'How long the request may have it; assign, validate and an update that joins or extends. Null for one that cuts back';
comment on column attempts.ends_at is 'When the assignment is to end by plan; assign, update and validate only';
