// What codes and events mean and what to do about them, in plain words.

import { brief, duration, now } from "./time.js";

const CATALOG = "Correct the catalog, and run stint doctor.";
const table = (advice) => new Map(Object.entries(advice).flatMap(([todo, codes]) => codes.split(" ").map((code) => [code, todo])));

export const HOLDS = table({
	"Nothing to do: stint tries again.": "ticket-unavailable ticket-throttled ticket-bad-answer ticket-full graph-unavailable graph-throttled graph-bad-answer validation-unclear store-unavailable",
	"Put it back into the configuration.": "connection-unknown tenant-unknown",
	"Renew the token of stint's account in the ticket system.": "ticket-credential",
	"Give stint's account the right there.": "ticket-not-permitted",
	"See why the ticket system is slow.": "ticket-slow",
	"Correct the mapping, or let stint's account see the field.": "field-hidden",
	"Move it back within 15 minutes, or it ends as withdrawn.": "ticket-moved ticket-absent",
	"Ask the approvers.": "approval-pending approval-unclear",
	"Nothing to do: PIM learns of it within three minutes.": "graph-not-yet",
	"Consent to the permission that is named, and run stint doctor.": "graph-permission",
	"Buy or assign a licence for PIM.": "graph-licence",
	"Renew the credential in Entra.": "graph-credential",
	[CATALOG]: "graph-not-found graph-refused target-unsupported",
	"See that the target is there, and under PIM.": "graph-no-policy",
	"Let the other assignment end, or remove it in PIM.": "foreign-assignment",
	"Nothing to do: it joins or follows the other request.": "held-by-another-request",
	"Nothing to do: it begins when the other has ended.": "cannot-extend",
	"Remove it in PIM, or wait for the others' end.": "cut-back-refused",
	"Set the clock of stint's machine by NTP.": "clocks-apart",
	"Cancel in PIM what is pending there; stint keeps looking.": "pending-in-pim not-cancellable",
	"Look in PIM at the principal, and at what they activated.": "said-to-exist",
	"Look at the schedule request in PIM that the detail names.": "not-in-force",
	"The access goes on. Remove it by hand in PIM, then see to stint's permission, the policy, a lock.": "removal-refused",
	"Remove the wrong one of both in PIM; stint removes neither.": "contested",
	"Nothing to do: the catalog allows only so many grants an hour.": "entitlement-rate",
	"Serve without dry_run once stint is to grant.": "dry-run",
});

export const REFUSALS = table({
	"Have a person approve it in an approval, not by a change of status.": "no-approval-object no-counted-approver",
	"Have somebody else approve it.": "self-approval approver-not-in-group approver-unmatched approver-membership-unknown",
	"Have more people approve it.": "too-few-approvers",
	"Name the principal by object id, and have the ticket approved anew.": "principal-not-found principal-ambiguous",
	"Name another principal, or let the catalog allow this one.": "principal-guest principal-service-principal principal-group principal-not-entitled",
	"Name another principal.": "principal-disabled principal-never principal-is-stint principal-holds-never principal-group-not-assignable",
	"Write the duration as PT4H or PT1H30M.": "duration-invalid",
	"Ask for it by a connection that reads tickets back.": "read-back-needed",
	[CATALOG]: "target-not-found target-must-be-protected InvalidScope RoleNotFound ResourceNotFound Request_BadRequest",
	"Take MultiFactorAuthentication out of the rule: no application can satisfy it.": "pim-mfa-required",
	"Ask for less, lower max_duration, or raise PIM's rule.": "pim-duration-too-long pim-duration-none",
	"See to PIM's policy, then have the ticket approved anew.": "pim-policy-unknown RoleAssignmentRequestPolicyValidationFailed RoleAssignmentRequestAcrsValidationFailed",
	"Look at the schedule request in PIM that the detail names.": "schedule-request-over",
	"Wait for the directory, or correct the id.": "SubjectNotFound",
	"Give stint the permission in Entra, and run stint doctor.": "Authorization_RequestDenied UnauthorizedAccessException InsufficientPermissions",
});

export const advice = (of, code = "") => of.get(code.split(":")[0]) ?? (of === REFUSALS ? "Mend the cause, then have the ticket approved anew." : "See what the detail says, and the guides.");

const FINDINGS = {
	"sweep-failed": "The comparison with Entra failed three times; its facts say why.",
	"out-of-band": "Somebody holds what stint did not give. Ask whose it is; remove it in PIM, or leave it.",
	"unknown-marker": "It carries stint's marker for a request unknown here: of a restored or second database? Else remove it in PIM.",
	"removed-outside": "Somebody removed what stint gave. Ask who.",
	"past-its-end": "It was there although it was over; stint removes it again. See that it is gone.",
	"end-late": "It ends later than approved. Ask who moved it; stint removes it in time.",
	"end-missing": "It has no end in PIM. Ask who took it away; stint removes it in time.",
	"sessions-not-revoked": "The sign-in sessions go on. Revoke them by hand; consent to User.RevokeSessions.All.",
	"dry-run-granted": "PIM granted what it was only to check; stint removes it. Tell Microsoft.",
	"edited-after-grant": "The ticket was edited after the grant, which changes nothing. Ask why.",
	"audit-log-forked": "The sealed log was changed, or an older database restored: nothing is signed. Keep the database; compare it with what was published: stint audit verify.",
	"checkpoint-not-published": "A place of audit.publish takes nothing. Mend the place that its facts name.",
};
export const explain = (kind) => (Object.hasOwn(FINDINGS, kind) ? FINDINGS[kind] : advice(HOLDS, kind));

export const sentence = (text = "") => text.charAt(0).toUpperCase() + text.slice(1).replaceAll(/(?<=^[\w-]+)-(?=[\w-]+$)/g, " ");

export const bound = (by) => ({ entitlement: "cut to the entitlement's limit", "change-window": "cut to the change window" })[by] ?? "";

const CAUSES = { expired: "its time was over", revoked: "ended early", withdrawn: "its ticket no longer carries it", "dry-run": "only tried" };
const cause = (name) => CAUSES[name] ?? name;

export const who = (actor = "") => actor?.replace(/^connection:/, "the ticket system ").replace(/^caller:[^/]*\//, "caller ");

/** PIM removes nothing that is younger than five minutes; stint waits 15 seconds longer. */
export const removableFrom = (startsAt) => Date.parse(startsAt) + 315000;
export const OVER = ["ended", "rejected", "failed"];

const wasRead = ({ cause: why, confirmed_at: at, ordered_at: from, continued_by: others }, assignment) => at && !others?.length && why !== "dry-run" && (assignment || at !== from);
/** What an end is known by. Where others go on nothing is gone; where nothing was granted nothing was read. */
export const proved = (end, assignment) => (wasRead(end, assignment) ? "readings of Microsoft Entra show nothing of it" : end.continued_by?.length ? "its part is over; others hold the assignment on" : "nothing had been granted");

export function ending({ end, status, hold, assignment, timeline }, exact) {
	if (end && status === "ended") return `Over: ${cause(end.cause)}${wasRead(end, assignment) ? `, proved at ${exact(end.confirmed_at)}` : end.continued_by?.length ? "; others hold the assignment on" : ""}.`;
	if (end && status === "held") return `Ending, but held: ${hold.detail}.`;
	if (end && status === "ending") {
		const next = Date.parse(end.next_look_at) > now() ? `at ${exact(end.next_look_at)}` : "any moment now";
		if (end.cause === "expired") return `Its time is over; stint looks for the proof ${next}.`;
		const young = assignment && Math.abs(Date.parse(end.next_look_at) - removableFrom(assignment.starts_at)) < 2000;
		return young && next.startsWith("at") ? `Ending, PIM allows it ${next}.` : `Ending; stint looks again ${next}.`;
	}
	const ordered = timeline?.some((entry) => entry.event === "end-ordered");
	return ordered && !OVER.includes(status) ? "Ending: the order is recorded, and stint takes it up." : "";
}

export function waits(request) {
	const { status, hold, decision, failure, assignment } = request;
	const told = {
		received: () => "Waits for stint to read its ticket.",
		verifying: () => "stint reads the ticket and asks the directory.",
		approved: () => "Approved; waits for its start.",
		assigning: () => "Microsoft Entra was asked; waits for the reading that shows it.",
		active: () => `In force${assignment ? ` until ${brief(assignment.ends_at)}` : ""}.`,
		held: () => `${sentence(hold.detail)}.${hold.next_look_at ? ` Next look at ${brief(hold.next_look_at)}.` : ""}`,
		rejected: () => decision?.reasons.map((reason) => `${sentence(reason.detail)}.`).join(" "),
		failed: () => `${sentence(failure?.detail)}.`,
	}[status];
	return told?.() ?? ending(request, brief);
}

const kind = (name) => ({ assign: "to assign it", update: "to move its end", remove: "to remove it", cancel: "to cancel it", validate: "to have PIM check it", "revoke-sessions": "to revoke sign-in sessions" })[name] ?? name;
const outcome = (name) => ({ open: "outcome not known yet", "not-sent": "never sent", absent: "came to nothing" })[name] ?? name;

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
		expired: () => ["Its time was over", request.assignment ? "the end that was read from Microsoft Entra" : "stint's plan"],
		revoked: () => [`Ends early: ${facts.reason ?? ""}`, by],
		withdrawn: () => [`Withdrawn: ${facts.reason ?? ""}`, read],
		ended: () => (facts.continued_by?.length ? ["Its part is over; others hold the assignment on", "stint"] : ["Proved gone", "readings of Microsoft Entra that show nothing of it"]),
		failed: () => [`Failed: ${facts.detail ?? ""}`, "Microsoft Graph's answer"],
		held: () => [`Held: ${facts.detail ?? ""}`, "stint"],
		"end-ordered": () => [`An end was ordered: ${facts.reason ?? ""}`, by],
	}[entry.event];
	const [title, source] = told?.() ?? [sentence(entry.event), by];
	return { title: entry.detail ? title : `${title} (its facts were dropped after their time)`, source };
}
