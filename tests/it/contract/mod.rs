//! `contracts/graph.md` §6 and §7, line by line: where each is tried.
//!
//! §6.1, each row of the table. `graph::tests::answers::each_known_code_has_one_meaning` and its neighbours read each code;
//! [`refusals`] answers each row to a whole request: to its assignment, to a new end, to its removal. Further:
//!
//! | Row | Told further by |
//! |---|---|
//! | `RoleAssignmentExists` | `fair::exists_without_anything_to_see_is_held_with_a_reason`, `unclear::an_assignment_made_by_somebody_between_look_and_call_is_never_taken_for_ours` |
//! | `PendingRoleAssignmentRequest` | [`refusals`] |
//! | `…PolicyValidationFailed`, its rules | `policies`, `every_target::refused`, `graph::tests::answers::failed_policy_rules_are_listed_behind_the_code` |
//! | `…AcrsValidationFailed` | [`refusals`], as 400 and as 403 |
//! | `RoleAssignmentDoesNotExist` | `every_target::lost::a_removal_that_worked_and_is_denied_is_settled_by_reading` |
//! | `ActiveDurationTooShort` | `every_target::given::revoked_in_its_first_minutes_…`, `every_target::shared::…after_five_minutes…` |
//! | `SubjectNotFound`, `RoleNotFound` | [`consistency`]: §7.4, `unclear::a_principal_that_pim_does_not_know_yet_is_tried_again_for_three_minutes` |
//! | `ResourceNotFound` | `every_target::groups` |
//! | `AadPremiumLicenseRequired` | `every_target::permitted::without_a_licence_…` |
//! | `InvalidScope`, `Request_BadRequest`, `ResourceIsLocked`, `BadRequest`, `InvalidPolicy…` | [`refusals`], `every_target::groups::a_group_that_pim_cannot_manage_…` |
//! | `PermissionScopeNotGranted`, plain and wrapped | `every_target::permitted::without_the_permission_…`, `graph::tests::answers::a_refusal_wrapped_in_an_unknown_error_is_unwrapped` |
//! | `UnauthorizedAccessException`, `Authorization_RequestDenied`, `InsufficientPermissions` | [`refusals`] |
//! | `InvalidAuthenticationToken` | `unclear::a_token_that_went_stale_…`, `graph::tests::calls::the_write_after_a_refused_token_has_a_new_one` |
//! | 429 | `every_target::lost::a_throttled_call_was_not_carried_out`, `unclear::throttling_waits_as_asked_and_grants_once` |
//! | 409 | [`refusals`], `graph::tests::answers::a_conflict_without_a_code_is_looked_at` |
//! | 500, 502, 503, 504, reset, timeout | `every_target::lost::however_an_answer_is_lost_…` |
//! | `invalid_client` (below the table) | `credentials::each_refusal_for_good_is_told_by_its_code_until_somebody_lifts_it` |
//!
//! §6.2: [`reads`]; `graph::error` reads each code.
//!
//! | §7 | Told by |
//! |---|---|
//! | 7.1 one direct assignment, a second is refused | the books of every story: no approval makes two (`world::It::ends`) |
//! | 7.1 `adminAssign` over an activation | [`consistency`], both outcomes |
//! | 7.1 `adminUpdate` has no guard | `overlap::a_join_whose_answer_is_lost_moves_the_end_once_and_to_one_place`, `every_target::shared` |
//! | 7.1 `adminRemove` repeated | `every_target::lost::a_removal_that_worked_and_is_denied_…` |
//! | 7.2 timeout, reset, 500, 502, 503, 504 | `every_target::lost::however_an_answer_is_lost_…`, each with and without the commit |
//! | 7.2 connect, TLS, DNS | `every_target::lost::a_call_that_found_no_connection_was_never_sent` |
//! | 7.2 429 | `every_target::lost::a_throttled_call_was_not_carried_out` |
//! | 7.2 never sent again by a library | `graph::tests::calls::a_write_is_sent_once_whatever_comes_back` |
//! | 7.3 marker | `domain::sight::ours_is_known_by_the_whole_marker_only` |
//! | 7.3 steps 1, 2, 3, 4 | [`consistency`], one story each |
//! | 7.3 step 4, `…Exists` after a repeat | `fair::exists_without_anything_to_see_is_held_with_a_reason` |
//! | 7.3 step 5 | `every_target::given::what_somebody_else_gave_is_waited_for_and_never_touched` |
//! | 7.3 removals | `every_target::given::revoked_later_it_is_removed_at_once`, `revoke::a_removal_whose_answer_is_lost_is_settled_by_reading` |
//! | 7.3 one call in flight for a holding | `overlap::a_ticket_that_comes_while_the_first_is_unclear_waits_until_it_is_known`, `crash::two_workers_on_one_request_make_one_assignment` |
//! | 7.4 | [`consistency`]: each timing; lost answers with late reads in `every_target::lost`; young groups in `every_target::groups` |
//! | 7.4 scheduled start | never asked for: `graph::tests::rows` |
//! | 7.5 | [`consistency`], `unclear::a_schedule_request_stuck_in_granted_…` |

mod consistency;
mod reads;
mod refusals;
