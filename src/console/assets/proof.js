// An evidence pack, checked with WebCrypto and nothing of the server's word: docs/verify.md says how.

const LEAF = ["actor", "at", "connection", "detail_sha256", "event", "id", "request_id", "state_from", "state_to", "tenant"];
const utf8 = (text) => new TextEncoder().encode(text);
const decode = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
const hex = (data) => Array.from(data, (byte) => byte.toString(16).padStart(2, "0")).join("");
const same = (one, other) => hex(one) === hex(other);

async function sha256(...parts) {
	return new Uint8Array(await crypto.subtle.digest("SHA-256", await new Blob(parts).arrayBuffer()));
}

/** Canonical JSON (RFC 8785): members sorted by UTF-16 code units, numbers and texts as ECMAScript writes them. */
export function canonical(value) {
	if (value === null || typeof value !== "object") return JSON.stringify(value);
	if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
	return `{${Object.keys(value).sort().map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`).join(",")}}`;
}

const digest = async (value) => hex(await sha256(utf8(canonical(value))));
const alike = (one, other) => canonical(one ?? null) === canonical(other ?? null);

/** The hash of an event's leaf (RFC 6962): a zero byte, and the canonical JSON of its ten members. */
const leafHash = (event) => sha256(Uint8Array.of(0), utf8(canonical(Object.fromEntries(LEAF.map((member) => [member, event[member]])))));
const node = (left, right) => sha256(Uint8Array.of(1), left, right);

/** The root that a leaf's path leads to; null when it fits no tree of this size (RFC 9162 §2.1.3.2). */
async function rootOf(leaf, index, size, path) {
	if (!Number.isSafeInteger(index) || index < 0 || index >= size) return null;
	let [at, last, hash] = [index, size - 1, leaf];
	for (const step of path) {
		if (last === 0) return null;
		if (at % 2 || at === last) {
			hash = await node(step, hash);
			while (at && at % 2 === 0) [at, last] = [at / 2, Math.floor(last / 2)];
		} else hash = await node(hash, step);
		[at, last] = [Math.floor(at / 2), Math.floor(last / 2)];
	}
	return last === 0 ? hash : null;
}

export function head(note) {
	const [origin, size, root, rest, ...more] = note.split("\n");
	if (!origin || !/^[1-9]\d*$/.test(size) || !Number.isSafeInteger(Number(size)) || rest !== "" || more.length < 2) throw new Error("the checkpoint is none");
	return { origin, size: Number(size), root: decode(root) };
}

/** Whether this key signed the note; null where the browser has no Ed25519. Throws without a key or its line. */
async function signedBy(verifier, note) {
	const [name, id, ...rest] = verifier.trim().split("+");
	const key = decode(rest.join("+"));
	if (key[0] !== 1 || key.length !== 33 || hex(await sha256(utf8(`${name}\n`), key)).slice(0, 8) !== id) throw new Error("the key is none");
	const end = note.lastIndexOf("\n\n");
	const signatures = note.slice(end + 2).split("\n").map((line) => line.split(" ")).filter(([dash, signer]) => dash === "\u2014" && signer === name);
	const own = signatures.map((line) => decode(line[2])).find((made) => hex(made).startsWith(id));
	if (end < 0 || !own) throw new Error("the checkpoint is not signed by the pack's key");
	const imported = await crypto.subtle.importKey("raw", key.slice(1), "Ed25519", false, ["verify"]).catch(() => null);
	return imported && crypto.subtle.verify("Ed25519", imported, own.slice(4), utf8(note.slice(0, end + 1)));
}

const FACTS = { approved: "decision", assigning: "decision", active: "assignment", failed: "failure", held: "hold" };

/** What the events tell: null is nothing, undefined is what was dropped. Throws where a move is missing. */
function story(events) {
	const told = { status: null, decision: null, assignment: null, end: null, reasons: null, failure: null, attempts: new Map() };
	for (const { event, state_from: from, state_to: to, detail, at, connection, tenant } of events) {
		const facts = detail ?? undefined;
		if (!to) {
			if (["attempt-recorded", "attempt-closed"].includes(event) && facts?.id) told.attempts.set(facts.id, facts);
			continue;
		}
		if (from !== told.status) throw new Error(`a move is missing before “${event}”`);
		Object.assign(told, { status: to, tenant, hold: null, snapshot: facts?.snapshot_digest });
		if (event === "received") Object.assign(told, { received_at: at, connection, ticket: facts && (facts.ticket ?? null) });
		else if (FACTS[event]) told[FACTS[event]] = facts;
		else if (event === "rejected") Object.assign(told, { reasons: facts && (facts.reasons ?? null), refused_at: at });
		else if (event === "ended") told.end = facts && told.end && { ...told.end, confirmed_at: facts.confirmed_at, continued_by: facts.continued_by ?? told.end.continued_by };
		else if (!["resumed", "verifying"].includes(event)) told.end = to === "ended" && facts ? { ...facts, confirmed_at: facts.ordered_at } : facts;
	}
	return told;
}

// Where the document shows what an event says; a name behind a colon is the event's own. Undecided, `decided` is the ticket's.
const SHOWN = {
	decided: "tenant requested_duration:requested ticket.basis decision.decided_at",
	decision: "principal entitlement approval.id:approval approval.approved_at approval.approvers decision.duration decision.bound_by decision.catalog_version decision.snapshot_digest",
	assignment: "assignment.schedule_id assignment.schedule_request_id assignment.starts_at assignment.ends_at assignment.confirmed_at assignment.joined",
	end: "end.cause end.ordered_at end.ordered_by:actor end.reason end.confirmed_at",
	failure: "failure.code failure.detail",
	hold: "hold.reason:code hold.detail",
};
// Of an attempt: still counted after it was closed, and learnt while it is open.
const COUNTED = ["absent_reads", "last_absent_at"];
const LEARNT = ["code", "http_status", "graph_request_id", "schedule_request_id", "schedule_id"];
const OVER = ["ended", "rejected", "failed"];
const at = (value, path) => path.split(".").reduce((part, name) => part?.[name], value);
const own = (events, request) => events.filter((event) => event.request_id === request.id);
const nanos = (moment) => BigInt(Date.parse(moment.replace(/\.\d+/, ""))) * 1000000n + BigInt((/\.(\d+)/.exec(moment)?.[1] ?? "").padEnd(9, "0"));

function lag({ end, assignment }) {
	if (!end.confirmed_at) return null;
	const isExpired = end.cause === "expired";
	if (isExpired && assignment === undefined) return undefined;
	return Number((nanos(end.confirmed_at) - nanos((isExpired && assignment?.ends_at) || end.ordered_at)) / 1000000000n);
}

function differences(request, events) {
	const told = story(events);
	const found = [];
	const compare = (path, fact) => fact === undefined || alike(at(request, path), fact) || found.push(path);
	const { decision, reasons, end, ticket, connection } = told;
	const decided = decision ? { dry_run: decision.dry_run === true } : decision === null ? { tenant: told.tenant ?? undefined, "decision.decided_at": told.refused_at ?? null } : {};
	const all = { status: told.status, received_at: told.received_at, connection, "ticket.system": connection, "ticket.id": ticket && (ticket.id ?? null),
		"decision.reasons": reasons === null && decision !== null ? [] : reasons, ...decided, ...(end && { "end.continued_by": end.continued_by ?? [], "end.lag_seconds": lag(told) }) };
	for (const [path, fact] of Object.entries(all)) compare(path, fact);
	for (const [part, paths] of Object.entries(SHOWN)) {
		const facts = part === "decided" ? decision ?? undefined : told[part];
		if (facts === null && part !== "decision") compare(part, null);
		else for (const path of paths.split(" ")) {
			const [place, name = place.split(".").pop()] = path.split(":");
			compare(place, facts && (facts[name] ?? null));
		}
	}
	for (const shown of request.attempts) {
		const facts = told.attempts.get(shown.id);
		const changes = facts?.outcome === "open" ? [...COUNTED, ...LEARNT] : COUNTED;
		const holds = facts ? Object.keys(facts).every((member) => changes.includes(member) || alike(shown[member], facts[member])) : isDropped(request, events);
		if (!holds) found.push(`attempt ${shown.id}`);
	}
	for (const id of told.attempts.keys()) if (!request.attempts.some((shown) => shown.id === id)) found.push(`attempt ${id}`);
	// Who read it may be told there or not.
	const brief = (all) => all.filter((one) => one.event !== "history-read").map((one) => canonical([one.at, one.event, one.actor, one.detail ?? null])).sort();
	if (!alike(brief(request.timeline), brief(own(events, request)))) found.push("timeline");
	return found;
}
const isDropped = (request, events) => own(events, request).some((event) => event.detail === null);

// Each check gives whether it holds (null: it could not be made), and says so.

async function signature({ checkpoint, verifier_key: key }) {
	if (key.split("+")[0] !== head(checkpoint).origin) return [false, "The checkpoint is of another log than the key."];
	const holds = await signedBy(key, checkpoint);
	if (holds === null) return [null, "This browser has no Ed25519."];
	return [holds, holds ? "The checkpoint is signed by the pack's key." : "The checkpoint's signature is wrong."];
}

async function inclusion({ checkpoint }, events) {
	const { size, root } = head(checkpoint);
	if (new Set(events.map((event) => event.leaf_index)).size < events.length) return [false, "An event is there twice."];
	for (const event of events) {
		const found = await rootOf(await leafHash(event), event.leaf_index, size, event.inclusion_proof.map(decode));
		if (!found || !same(found, root)) return [false, `The proof of “${event.event}” does not lead to the checkpoint's root.`];
	}
	return [events.length > 0, `${events.length} events were hashed here; each proof leads to the root over ${size} events.`];
}

async function facts(_, events) {
	for (const event of events) if (event.detail !== null && (await digest(event.detail)) !== event.detail_sha256) return [false, `“${event.event}” has other facts than were recorded.`];
	const gone = events.filter((event) => event.detail === null);
	const drops = events.filter((event) => event.event === "details-dropped" && event.detail).map((event) => Math.min(Date.parse(event.at), Date.parse(event.detail.before)));
	if (!gone.every((event) => drops.some((before) => Date.parse(event.at) < before))) return [false, "Facts are gone, and nothing says why."];
	return [true, `The facts of ${events.length - gone.length} events have the digests that were recorded${gone.length ? `; those of ${gone.length} were dropped after their time` : ""}.`];
}

function moves({ request }, events) {
	if (events.some((event) => event.request_id !== request.id && (event.event !== "details-dropped" || event.request_id))) return [false, "An event is about another request."];
	return [story(events).status === request.status, `Its moves lead to “${story(events).status}” without a gap.`];
}

function shown({ request }, events) {
	const differ = differences(request, events);
	if (differ.length) return [false, `Other than the events say: ${differ.join(", ")}.`];
	if (isDropped(request, events)) return [null, "Facts were dropped: decision, assignment and end cannot be compared."];
	return [true, "Decision, assignment, end, attempts and timeline on this page are what the events say."];
}

/** The digest is the one that was decided on, and what is shown of the ticket is what its snapshot says. */
async function snapshot({ request: { ticket } }, events) {
	const { decision, status, snapshot: last } = story(events);
	// Before a request is over its ticket may be read anew without a move.
	const sealed = decision ? decision.snapshot_digest : OVER.includes(status) && last;
	if (sealed && ticket.snapshot_digest !== sealed) return [false, "The ticket's digest is another than the log has."];
	if (ticket.snapshot) {
		if (`sha256:${await digest(ticket.snapshot)}` !== ticket.snapshot_digest) return [false, "The snapshot has another digest than the ticket's."];
		const differ = ["number", "url", "id"].filter((part) => !alike(ticket[part], ticket.snapshot[part]));
		if (differ.length) return [false, `Other than in the snapshot: ${differ.join(", ")}.`];
	}
	if (!sealed) return [null, "No event says this digest for good."];
	return ticket.snapshot ? [true, "The snapshot has the digest that was decided on."] : [null, "The snapshot is not shown."];
}

export async function check(pack) {
	if (pack.stint_evidence !== 1) throw new Error("this version of evidence is not known");
	const events = [...pack.events].sort((one, other) => one.leaf_index - other.leaf_index);
	const checks = [];
	for (const [name, make] of Object.entries({ Signature: signature, "Place in the log": inclusion, Facts: facts, Moves: moves, "This page": shown, Ticket: snapshot })) {
		const [holds, says] = await Promise.resolve().then(() => make(pack, events)).catch((error) => [false, `It cannot be checked: ${error.message}.`]);
		checks.push({ name, holds, says });
	}
	const unchecked = [
		`That ${pack.verifier_key} is your stint's key: compare it with the one you were given by another way.`,
		"That this log goes on from heads that you kept: see stint audit verify.",
		`That nothing was left out between its moves${OVER.includes(pack.request.status) ? "" : ", or after the last of them"}: the whole log shows it.`,
		"Notes, when it was last changed, the next look, and what is shown of other requests.",
	];
	const state = checks.some(({ holds }) => holds === false) ? "failed" : checks[0].holds === null ? "waiting" : checks.some(({ holds }) => holds === null) ? "part" : "verified";
	return { state, checks, unchecked };
}
