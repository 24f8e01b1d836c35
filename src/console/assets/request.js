// One request, from its ticket to the proof that it is over, with the source of every fact.

import { path, read, write, bytes, save } from "./api.js";
import { h, button, pill, notice, complain, ticketLink, requestLink, bones, part, ask, tree, ident, put } from "./dom.js";
import { moment, exact, duration, span, now, isStale, left, every } from "./time.js";
import { REFUSALS, HOLDS, OVER, advice, event, ending, proved, waits, bound, who, basis, sentence } from "./words.js";
import { check, canonical } from "./proof.js";
import { revoke, follow } from "./now.js";
import { forget, patch } from "./history.js";

const card = (title, ...children) => h("section.card", h("h2", title), children);

export const retry = (id) => ask({
	title: "Look again now",
	about: "Its next step is due at once. It shortens no wait that protects.",
	label: "Why? It is kept in the audit log.",
	go: "Look again",
	order: async (reason, key) => (await write(path(id, "/retry"), { reason }, key)) && (forget(), notice("The new look is ordered."), true),
});

function life(request) {
	const { approval, ticket, notes, assignment, end, hold, status } = request;
	const told = request.timeline.map((entry) => ({ ...entry, ...event(entry, request) }));
	const yes = approval?.approvers?.length ? approval.approvers : approval ? [{ name: null }] : [];
	const approvals = yes.map((one) => ({ at: one.decided_at ?? approval.approved_at, event: "approval", title: `Approved${one.id ? ` by ${one.name ?? one.id}` : ""}`, source: basis(ticket) }));
	const written = notes.map((note) => ({ at: note.written_at ?? note.created_at, event: "note", text: note.text, source: `the note on ${ticket.number}`,
		title: note.written_at ? "The ticket was told" : `The ticket is still to be told (tries: ${note.tries}) ${note.last_error ?? ""}` }));
	const all = [...approvals, ...told, ...written].filter((one) => one.at);
	all.sort((one, other) => Date.parse(one.at) - Date.parse(other.at));
	const next = OVER.includes(status) ? null : end?.next_look_at ?? hold?.next_look_at;
	if (next) all.push({ at: next, event: "next-look", title: "The next look", source: "stint's plan", ahead: true });
	else if (assignment && !end) all.push({ at: assignment.ends_at, event: "own-end", title: "Ends by itself", source: "the end that was read from Microsoft Entra", ahead: true });
	return all;
}

const MARKS = { approval: "good", active: "good", ended: "good", rejected: "bad", failed: "bad", held: "wait", "end-ordered": "wait", revoked: "wait", withdrawn: "wait", "finding-raised": "bad" };

function timeline(request) {
	let before;
	return h("ol.life@timeline", life(request).map((one) => {
		const gap = (Date.parse(one.at) - before) / 1000;
		before = Date.parse(one.at);
		return h("li@fact", { class: one.ahead ? "ahead" : MARKS[one.event], "data-event": one.event },
			h("div.at", moment(one.at), gap >= 1 && h("small", `${span(gap)} later`)),
			h("div", h("b", one.title), h("small.source@source", `Source: ${one.source}`), one.text && h("p.quote", one.text),
				one.detail && Object.keys(one.detail).length > 0 && h("details", h("summary", "Facts"), tree(one.detail))));
	}));
}

function refusals({ decision, failure, status }) {
	const all = [...(decision?.reasons ?? []), ...(failure ? [failure] : [])];
	return all.length > 0 && h("section.card.bad", h("h2", status === "failed" ? "Why it failed" : "Why it was refused"),
		h("ul.plain@reasons", all.map(({ code, detail }) => h("li@refusal", { "data-code": code }, h("b", `${sentence(detail)}.`), " ", h("code", code), h("p.todo", advice(REFUSALS, code))))));
}

const held = ({ hold }) => hold && h("section.card.wait", h("h2", "Why it is held"), h("p", h("b", `${sentence(hold.detail)}.`), " ", h("code", hold.reason)), h("p.todo@advice", advice(HOLDS, hold.reason)), h("p.dim", "Next look ", moment(hold.next_look_at)));

const fact = (name, value, source) => value && h("div", h("dt", name), h("dd", value, source && h("small.source", source)));
const facts = (title, ...rows) => rows.flat().some(Boolean) && card(title, h("dl.facts", rows));
const linked = (others) => others?.length > 0 && others.map((other, place) => [place > 0 && ", ", requestLink(other.request, other.ticket)]);

function known({ ticket, approval, decision, entitlement, principal, assignment, end, holders, requested_duration: asked }) {
	const told = ticket.basis === "webhook" ? "told by a webhook alone" : "read back from its own system";
	const pim = assignment && `read from Microsoft Entra at ${exact(assignment.confirmed_at)}`;
	return [
		facts("Ticket", fact("Number", ticketLink(ticket), `connection ${ticket.system}`), fact("Asked for", duration(asked), told), fact("Approved", approval && moment(approval.approved_at), told),
			approval?.approvers?.map((one) => fact("Approver", [one.name, " ", ident(one.id)], one.decided_at && `said yes at ${exact(one.decided_at)}`)),
			fact("Its id", ident(ticket.id)), fact("Digest", ident(ticket.snapshot_digest), "of the ticket as it was decided on")),
		facts("Decision", fact("Principal", principal && [principal.name, " ", ident(principal.id)], `the directory${principal?.kind ? `: a ${principal.kind}` : ""}${principal?.named ? `; the ticket says ${principal.named}` : ""}`),
			fact("Entitlement", entitlement && [entitlement.title, " ", h("code", entitlement.key), tree(entitlement.target)], "the catalog of that time"),
			fact("Granted for", decision?.duration && duration(decision.duration), bound(decision?.bound_by)), fact("Decided", decision && moment(decision.decided_at)), fact("Catalog", ident(decision?.catalog_version))),
		facts("Assignment", fact("From", assignment && moment(assignment.starts_at), pim), fact("Until", assignment && moment(assignment.ends_at), pim),
			fact("Schedule", ident(assignment?.schedule_id)), fact("Order", ident(assignment?.schedule_request_id)), fact("Joined", linked(assignment?.joined)), fact("Held with", linked(holders), "each keeps to its own end")),
		facts("End", fact("Why", end?.reason, end && `${end.cause}, by ${who(end.ordered_by)}`), fact("Ordered", end && moment(end.ordered_at)),
			fact("Proved", end && moment(end.confirmed_at), end?.confirmed_at && proved(end, assignment)),
			fact("That took", Number.isFinite(end?.lag_seconds) && span(end.lag_seconds), "from the moment it was to end"), fact("Goes on for", linked(end?.continued_by))),
	];
}

const MADE = { true: ["✓", "holds", "good"], false: ["✗", "does not hold", "bad"], null: ["–", "not checked", "dim"] };
const HEADLINES = { idle: "Not checked", working: "Checking …", verified: "Verified in your browser", part: "Verified in part", waiting: "Not checked to the end", failed: "Not verified" };

function proof(view, paint) {
	let of;
	const words = h("div", { "aria-live": "polite" }, h("p.dim", "The evidence: the request, its events, and the proof of each under a signed head of the audit log."));
	const evidence = () => bytes(path(view.id, "/evidence"), {}, view.signal);
	const state = (name, ...children) => {
		box.dataset.state = name;
		words.replaceChildren();
		put(words, h("h3", HEADLINES[name]), children);
	};
	const download = () => evidence().then((pack) => {
		save(pack, `stint-evidence-${view.id}.json`);
		notice("Saved; stint audit verify checks it offline.");
	}).catch(complain);
	async function verify() {
		state("working");
		try {
			const pack = JSON.parse(await (await evidence()).text());
			if (pack.request.id !== view.id) throw new Error("this evidence is of another request");
			const found = await check(pack);
			if (view.signal.aborted) return;
			of = content(pack.request);
			paint(pack.request);
			const line = (mark, name, ...says) => h(`li.${name}`, h("span", { "aria-hidden": "true" }, mark), h("span", says));
			state(found.state, h("ul.checks", found.checks.map(({ name, holds, says }) => line(MADE[holds][0], MADE[holds][2], h("b", name), h("span.sr", ` ${MADE[holds][1]}`), ": ", says))),
				h("details", h("summary", "What was not checked here"), h("ul.checks", found.unchecked.map((what) => line("–", "dim", what)))));
		} catch (problem) {
			if (problem.name !== "AbortError") state(problem.status === 503 ? "waiting" : "failed", h("p", `${problem.title ?? "It cannot be checked"}: ${problem.detail ?? problem.message}`));
		}
	}
	const box = h("section.card.proof@proof", { "data-state": "idle" }, h("h2", "Proof"), h("p.row", button("verify", "Verify in this browser", verify, { class: "main" }), button("evidence", "Download the evidence", download)), words);
	const paints = (request) => of && of !== content(request) && state("idle", h("p.dim", "It changed since it was checked."));
	return { box, verify, paints };
}

// A reading of it changes nothing of it.
const content = (request) => canonical({ ...request, timeline: request.timeline.filter(({ event: name }) => name !== "history-read") });

/** An assignment that was asked for and never read back may have been there. */
const outcome = ({ attempts }) => (attempts?.some(({ kind, outcome: came }) => kind === "assign" && !["not-sent", "absent", "refused"].includes(came)) ? "It may have been in force until somebody revoked it." : "Nothing was granted.");

export async function show(view) {
	const { signal, id } = view;
	const body = h("div", bones("tall", 3));
	view.frame("Request", body);
	const checked = view.who.reads ? proof(view, paint) : null;
	let current;

	function actions(request, words) {
		const what = `${request.principal?.name ?? request.ticket.number}: ${request.entitlement?.title ?? "nothing decided yet"}.`;
		const then = (looks) => (ordered) => ordered && follow(id, signal, paint, looks).catch(complain);
		return view.who.mayAct(request.tenant) && !OVER.includes(request.status) && h("p.row", !words && button("revoke", "End this access", () => revoke(id, what).then(then(30)), { class: "danger" }),
			request.status !== "active" && button("retry", "Look again now", () => retry(id).then(then(5))));
	}

	function paint(request) {
		current = request;
		patch(request);
		checked?.paints(request);
		const focused = body.contains(document.activeElement) && document.activeElement.dataset.action;
		const words = ending(request, exact);
		const { principal, entitlement, ticket } = request;
		view.title(h("span", principal ? [h("span@principal", principal.name), ": ", h("span@entitlement", entitlement.title)] : ["Ticket ", ticket.number]));
		const about = [refusals(request), held(request), card("From ticket to proved end", timeline(request))];
		const sides = [checked?.box, known(request),
			h("section.card", h("details@snapshot", h("summary", h("h2", "The ticket as it was read")), ticket.snapshot ? tree(ticket.snapshot) : h("p.dim", "Not read yet, or dropped.")))];
		body.replaceChildren(h("p.row", pill(request.status), request.dry_run && h("small.tag", "dry run"), request.tenant && h("small.tag", request.tenant), ident(id)),
			h("p.big@why", words ? h("b@ending", { class: request.end?.confirmed_at ? null : "ends" }, words) : about[0] ? outcome(request) : waits(request), " ", view.who.reads && request.status === "active" && h("b@left", { role: "timer" })), h("div", actions(request, words)),
			h("div.columns", h("div", about), h("div", sides)));
		if (focused) (body.querySelector(`[data-action="${focused}"]`) ?? document.querySelector("h1")).focus({ preventScroll: true });
		tick();
	}

	function tick() {
		const place = part("left", body);
		const rest = Date.parse(current.assignment?.ends_at) - now();
		if (place) place.textContent = isStale() ? "…" : rest > 0 ? `${left(rest)} left` : "its time is over";
	}

	let [wait, looked] = [30000, 0];
	view.refresh = async () => {
		paint(await read(path(id), {}, signal));
		looked = now();
	};
	await view.refresh();
	view.ready("ready");
	every(1000, tick, signal);
	// What is under way is looked at again once its time has come, else ever more seldom: each look is an event.
	every(5000, () => {
		const due = Date.parse(current.end?.next_look_at ?? current.hold?.next_look_at ?? current.assignment?.ends_at) + 5000;
		const isAhead = due > looked;
		if (document.hidden || OVER.includes(current.status) || now() < (isAhead ? due : looked + 2 * wait)) return;
		wait = isAhead ? 30000 : Math.min(2 * wait, 150000);
		looked = now();
		view.refresh().catch(complain);
	}, signal);
	if (view.params.has("verify") && checked) checked.verify();
}
