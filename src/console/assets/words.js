// What codes mean and what to do about them, in plain words. Codes that are not listed are told as they are.

import { brief, duration } from "./time.js";

const AGAIN = "Nothing to do: stint tries again by itself.";
const REMOVE = "Remove the wrong one in PIM.";
const CANCEL = "Cancel it in PIM; stint keeps looking.";
const BY_HAND = "Remove it by hand in PIM, then see to the code: the remover's permission, the policy, a lock.";

/** Holds: what each means, what to do. */
export const HOLDS = {
  "connection-unknown": ["The configuration lost the connection that this came by.", "Put it back."],
  "tenant-unknown": ["The configuration lost its tenant.", "Put it back."],
  "ticket-credential": ["The ticket system refuses stint's service account.", "Renew its token. Tried again every five minutes; what waits goes on by itself."],
  "ticket-not-permitted": ["The service account may not read this ticket.", "Give it the right in the ticket system."],
  "ticket-unavailable": ["The ticket system does not answer.", AGAIN],
  "ticket-throttled": ["The ticket system asks to be left alone for a while.", AGAIN],
  "ticket-bad-answer": ["The ticket system's answer cannot be read.", AGAIN],
  "ticket-full": ["Enough calls to the ticket system are under way.", AGAIN],
  "ticket-slow": ["The ticket system takes over five seconds to show the ticket; stint grants on nothing older.", "See to the ticket system."],
  "field-hidden": ["A field that counts is hidden from stint.", "Correct the mapping, or let the service account see the field."],
  "ticket-moved": ["The ticket lies where this connection may not grant from.", "Move it back within a quarter of an hour, or leave it: it ends as withdrawn."],
  "ticket-absent": ["The ticket is not to be found.", "Bring it back within a quarter of an hour, or leave it: it ends as withdrawn."],
  "approval-pending": ["The approvers have not decided.", "Ask the approvers."],
  "approval-unclear": ["The approval has an outcome that stint does not know.", "Ask the approvers."],
  "graph-unavailable": ["Microsoft Graph cannot be reached, or took too long.", AGAIN],
  "graph-throttled": ["Microsoft Graph asks to be left alone for a while.", AGAIN],
  "graph-not-yet": ["PIM does not know the principal or role yet, or does not move the end yet.", "Nothing to do: up to three minutes for a grant."],
  "graph-bad-answer": ["Microsoft Graph's answer cannot be read.", "Nothing to do; if it lasts, look at what sits between stint and Microsoft."],
  "graph-permission": ["A permission is missing in Entra; the detail names it.", "Consent to it, and run stint doctor."],
  "graph-licence": ["The tenant has no licence for PIM.", "Buy or assign it."],
  "graph-credential": ["Entra refuses stint's application, or its remover.", "Renew the credential; the detail has the AADSTS code."],
  "graph-not-found": ["Microsoft Graph refuses a reading.", "Correct the ids in the catalog; run stint doctor."],
  "graph-refused": ["Microsoft Graph refuses a reading.", "Correct the ids in the catalog; run stint doctor."],
  "graph-no-policy": ["PIM has no policy for the target.", "Is it there, and under PIM? A change of its settings in PIM brings a group there."],
  "target-unsupported": ["This version cannot give such a target.", "Correct the catalog."],
  "foreign-assignment": ["The principal holds this already, by somebody else's hand.", "Let it end, or remove it in PIM: the request goes on then."],
  "held-by-another-request": ["Another request holds or is changing the same assignment.", "Nothing to do: it joins or follows."],
  "cannot-extend": ["PIM does not let the shared assignment last longer.", "Nothing to do: it begins when the other has ended."],
  "cut-back-refused": ["PIM does not let the shared assignment end sooner.", "Remove it in PIM, or let stint remove it at that time."],
  "clocks-apart": ["stint's clock and Graph's differ by more than 30 seconds.", "Set the machine's clock by NTP."],
  "pending-in-pim": ["Another request pending in PIM keeps this one from ending.", "Cancel it in PIM; tried again every five minutes."],
  "said-to-exist": ["PIM says that it exists, and shows none.", "Look at the principal in PIM, also at what they activated. Tried again every 15 minutes."],
  "not-in-force": ["PIM accepted it, and it is not in force after five minutes.", "Look at the schedule request that the detail names."],
  "not-cancellable": ["Called off; PIM neither starts nor cancels it.", CANCEL],
  "removal-refused": ["PIM refuses to remove it: the access goes on until its end.", BY_HAND],
  contested: ["Another assignment shows beside stint's own; stint removes neither.", REMOVE],
  "entitlement-rate": ["The catalog allows only so many grants an hour.", "Nothing to do: it goes on within the hour."],
  "dry-run": ["Approved for real, while stint only tries.", "Serve without dry_run once stint is to grant."],
  "validation-unclear": ["PIM does not answer a dry run clearly.", AGAIN],
  "store-unavailable": ["The database could not be reached.", "See to the database."],
};

/** Findings: what each means, what to do. */
export const FINDINGS = {
  ...Object.fromEntries(["ticket-credential", "graph-credential", "graph-permission", "graph-licence", "removal-refused", "contested", "not-cancellable", "pending-in-pim", "cut-back-refused"].map((kind) => [kind, HOLDS[kind]])),
  "sweep-failed": ["The comparison with Entra failed three times in a row.", "Its facts say why."],
  "out-of-band": ["Somebody holds something of the catalog that stint did not give. stint never touches it.", "Ask whose it is; remove it in PIM, or leave it."],
  "unknown-marker": ["It carries stint's marker for a request that this database does not know.", "A restored or second database? A copied justification? Remove it in PIM if nobody claims it."],
  "removed-outside": ["Somebody removed what stint gave; the request ended as revoked.", "Ask who."],
  "past-its-end": ["It was there although it was over; stint removes it again.", "Look whether it is gone."],
  "end-late": ["It ends later than approved.", "Ask who moved the end; stint removes it when its time is over."],
  "end-missing": ["It has no end in PIM.", "Ask who took it away; stint removes it when its time is over."],
  "sessions-not-revoked": ["The assignment is gone, the sign-in sessions are not.", "Revoke them by hand; consent to User.RevokeSessions.All."],
  "dry-run-granted": ["PIM granted what it was only to check; stint removes it.", "See that it is gone, and tell Microsoft."],
  "edited-after-grant": ["The ticket was edited after the grant; nothing changes by that.", "Ask why."],
  "audit-log-forked": ["The sealed log was changed, or an older database was restored: nothing is signed.", "Keep the database as it is; compare it with what was published (stint audit verify)."],
  "checkpoint-not-published": ["A place of audit.publish takes nothing.", "Mend the place that its facts name."],
};

// Refusals say by themselves what is wrong; here is what to do about them.
const ANEW = "Have the ticket approved anew.";
const TODO = {
  [ANEW]: "approval-declined approval-undated approval-used approval-called-off stale-approval edited-after-approval changed-after-decision too-late",
  "Have a person approve it in an approval, not by a change of status.": "no-approval-object no-counted-approver",
  "Have somebody else approve it.": "self-approval approver-not-in-group approver-unmatched approver-membership-unknown",
  "Have more people approve it.": "too-few-approvers",
  "Correct the ticket, then have it approved anew. An object id is never ambiguous.": "principal-not-found principal-ambiguous principal-missing principal-unreadable",
  "Correct the ticket, then have it approved anew.": "entitlement-unknown entitlement-missing entitlement-unreadable duration-missing duration-unreadable tenant-unknown change-window-over change-window-unreadable",
  "Write the duration as PT4H or PT1H30M.": "duration-invalid",
  "Ask for longer.": "duration-too-short",
  "Ask for it by a connection that reads tickets back.": "read-back-needed",
  "Correct the catalog.": "target-not-found target-must-be-protected InvalidScope RoleNotFound ResourceNotFound Request_BadRequest",
  "Name another principal, or let the catalog allow this one.": "principal-guest principal-service-principal principal-group principal-not-entitled",
  "Name another principal.": "principal-disabled principal-never principal-is-stint principal-holds-never principal-group-not-assignable",
  "Take MultiFactorAuthentication out of PIM's rule that the detail names: an application can never satisfy it.": "pim-mfa-required",
  "Ask for less, lower max_duration, or raise PIM's rule.": "pim-duration-too-long pim-duration-none",
  "See to PIM's policy, then approve anew.": "pim-policy-unknown RoleAssignmentRequestPolicyValidationFailed RoleAssignmentRequestAcrsValidationFailed",
  "Look at the schedule request that the detail names.": "schedule-request-over",
  "Wait for the directory, or correct the id.": "SubjectNotFound",
  "Give stint the permission in Entra, and run stint doctor.": "Authorization_RequestDenied UnauthorizedAccessException InsufficientPermissions",
};
export const REFUSALS = Object.fromEntries(Object.entries(TODO).flatMap(([todo, codes]) => codes.split(" ").map((code) => [code, ["", todo]])));

/** What a code means and what to do; some have particulars behind a colon. */
export function explain(table, code) {
  const name = String(code).split(":")[0];
  const [means, todo] = Object.hasOwn(table, name) ? table[name] : ["", ""];
  return { means, todo };
}

/** A code or a clause as the beginning of a sentence. */
export const sentence = (text = "") => text.charAt(0).toUpperCase() + text.slice(1).replaceAll(/(?<=^[\w-]+)-(?=[\w-]+$)/g, " ");

/** What cut the time short, or nothing. */
export const bound = (by) => ({ entitlement: "cut to the entitlement's limit", "change-window": "cut to the change window" })[by] ?? "";

const CAUSES = { expired: "its time was over", revoked: "ended early", withdrawn: "its ticket no longer carries it", "dry-run": "only tried" };
export const cause = (name) => CAUSES[name] ?? name;

/** Who did it, in words. */
export const who = (actor = "") => actor?.replace(/^connection:/, "the ticket system ").replace(/^caller:[^/]*\//, "caller ");

/** PIM removes nothing that is younger than five minutes; stint waits 15 seconds longer. */
export const removableFrom = (startsAt) => Date.parse(startsAt) + 315000;
export const OVER = ["ended", "rejected", "failed"];

/** How an end that was ordered stands, by the request's own document; empty where none was. */
export function ending({ end, status, hold, assignment, timeline }, exact, now) {
  if (end && status === "ended") return `Ended, proved at ${exact(end.confirmed_at ?? end.ordered_at)}.`;
  if (end && status === "held") return `Ending, but held: ${hold.detail}.`;
  if (end && status === "ending") {
    const next = Date.parse(end.next_look_at) > now ? `at ${exact(end.next_look_at)}` : "any moment now";
    if (end.cause === "expired") return `Its time is over; stint looks for the proof ${next}.`;
    const young = assignment && Math.abs(Date.parse(end.next_look_at) - removableFrom(assignment.starts_at)) < 2000;
    return young && next.startsWith("at") ? `Ending, PIM allows it ${next}.` : `Ending; stint looks again ${next}.`;
  }
  const ordered = timeline?.some((entry) => entry.event === "end-ordered");
  return ordered && !OVER.includes(status) ? "Ending: the order is recorded, and stint takes it up." : "";
}

/** What a request waits for, or how it came out, in a sentence. */
export function waits({ status, hold, end, decision, failure, assignment }) {
  const next = (at) => (at ? ` Next look at ${brief(at)}.` : "");
  const told = {
    received: () => "Waits for stint to read its ticket.",
    verifying: () => "stint reads the ticket and asks the directory.",
    approved: () => "Approved; waits for its start.",
    assigning: () => "Microsoft Entra was asked; waits for the reading that shows it.",
    active: () => `In force${assignment ? ` until ${brief(assignment.ends_at)}` : ""}.`,
    ending: () => `Ends; waits for the proof that it is gone.${next(end?.next_look_at)}`,
    held: () => `${explain(HOLDS, hold?.reason).means || sentence(hold?.detail)}${next(hold?.next_look_at)}`,
    ended: () => `Over: ${cause(end?.cause)}${end?.confirmed_at ? `, proved at ${brief(end.confirmed_at)}` : ""}.`,
    rejected: () => decision?.reasons.map((reason) => `${sentence(reason.detail)}.`).join(" "),
    failed: () => `${sentence(failure?.detail)}.`,
  }[status];
  return told?.() ?? "";
}

export const kind = (name) => ({ assign: "to assign it", update: "to move its end", remove: "to remove it", cancel: "to cancel it", validate: "to have PIM check it", "revoke-sessions": "to revoke sign-in sessions" })[name] ?? name;
export const outcome = (name) => ({ open: "outcome not known yet", "not-sent": "never sent", absent: "came to nothing" })[name] ?? name;

/** What the ticket's facts rest on. */
export const basis = ({ basis: told, number }) => (told === "webhook" ? `a signed webhook's word about ${number}` : `the ticket ${number}, read back`);

function because({ delivery, search, after } = {}, connection) {
  if (delivery) return `a signed webhook of ${connection}, delivery ${delivery}`;
  if (search) return `stint's own search of ${connection}`;
  return after ? `request ${after}, before which a newer approval was told` : connection;
}

function answer({ outcome: came, http_status: status, graph_request_id: id }) {
  if (came === "not-sent") return "stint: it never left";
  return status ? `Microsoft Graph's answer, HTTP ${status}${id ? `, request-id ${id}` : ""}` : "readings of Microsoft Graph";
}

/** An event of the audit log: what it says, and where that is known from. */
export function event(entry, request) {
  const facts = entry.detail ?? {};
  const read = basis(request.ticket);
  const by = who(facts.actor ?? entry.actor);
  const told = {
    received: () => ["Taken in", because(facts.because, request.connection)],
    verifying: () => ["The ticket is read back", "stint"],
    approved: () => [`Approved for ${duration(facts.duration)}${facts.bound_by && bound(facts.bound_by) ? `, ${bound(facts.bound_by)}` : ""}`, `stint's decision on ${read}`],
    rejected: () => [`Refused for ${facts.reasons?.length > 1 ? `${facts.reasons.length} reasons` : "one reason"}`, `stint's decision on ${read}`],
    assigning: () => ["To be assigned in Microsoft Entra", "stint"],
    "attempt-recorded": () => [`An attempt ${kind(facts.kind)} is recorded`, "stint, before anything is sent"],
    "attempt-closed": () => [`The attempt ${kind(facts.kind)}: ${outcome(facts.outcome)}${facts.code ? ` (${facts.code})` : ""}`, answer(facts)],
    active: () => [`In force${facts.ends_at ? ` until ${brief(facts.ends_at)}` : ""}`, `a reading of Microsoft Entra${facts.schedule_id ? `, schedule ${facts.schedule_id}` : ""}`],
    validated: () => ["PIM only checked it: nothing was granted", "Microsoft Graph's answer"],
    expired: () => ["Its time was over", "the end that was read from Microsoft Entra"],
    revoked: () => [`Ends early: ${facts.reason ?? ""}`, by],
    withdrawn: () => [`Withdrawn: ${facts.reason ?? ""}`, read],
    ended: () => [facts.continued_by?.length ? "Its part is over; others hold the assignment on" : "Proved gone", "readings of Microsoft Entra that show nothing of it"],
    failed: () => [`Failed: ${facts.detail ?? ""}`, "Microsoft Graph's answer"],
    held: () => [`Held: ${explain(HOLDS, facts.code).means || facts.detail}`, "stint"],
    resumed: () => ["Goes on", "stint"],
    "end-ordered": () => [`An end was ordered: ${facts.reason ?? ""}`, by],
    "retry-ordered": () => [`A new look was ordered: ${facts.reason ?? ""}`, by],
    "finding-raised": () => [`A finding: ${explain(FINDINGS, facts.kind).means || facts.kind}`, "stint"],
    "finding-acknowledged": () => [`A finding was acknowledged${facts.reason ? `: ${facts.reason}` : ""}`, by],
  }[entry.event];
  const [title, source] = told?.() ?? [sentence(entry.event), by];
  return { title: entry.detail ? title : `${title} (its facts were dropped after their time)`, source };
}
