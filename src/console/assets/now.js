// Who holds what at this moment, until when, and by which ticket. Operators can end one.

import { path, read, write } from "./api.js";
import { h, button, pill, notice, complain, nothing, ticketLink, requestLink, bones, part, plural, ask } from "./dom.js";
import { now, isStale, setClock, moment, brief, exact, left, every } from "./time.js";
import { bound, ending, removableFrom, OVER } from "./words.js";
import { forget } from "./history.js";

const MOST = 1000;

export const revoke = (id, what) => ask({
	title: "End this access",
	about: `${what} PIM removes nothing in its first five minutes; it ends as soon as that allows.`,
	label: "Why? It is kept in the audit log and told on the ticket.",
	go: "End it",
	order: async (reason, key) => {
		const { order } = await write(path(id, "/revoke"), { reason }, key);
		forget();
		notice(order === "already" ? "It was ending already, by an earlier order." : "The order to end is recorded.");
		return true;
	},
});

export async function follow(id, signal, tell, looks = 30) {
	for (let look = 0; look < looks && !signal.aborted; look += 1) {
		const request = await read(path(id), {}, signal);
		tell(request);
		if (request.end || OVER.includes(request.status)) return;
		await new Promise((resolve) => setTimeout(resolve, 1000));
	}
}

function holding(item, view, follows) {
	const [starts, ends] = [Date.parse(item.starts_at), Date.parse(item.ends_at)];
	const removable = removableFrom(item.starts_at);
	const what = `${item.principal.name}: ${item.entitlement.title}, by ticket ${item.ticket.number}.`;
	const count = h("span.left@left", { role: "timer" });
	const early = h("li", { hidden: true }, `PIM removes nothing in its first five minutes: not before ${exact(removable)}.`);
	const cut = h("li", { hidden: true });
	const end = h("p.ends@ending", { hidden: true });
	const order = async () => (await revoke(item.request_id, what)) && follows(item.request_id);
	const stop = item.status !== "ending" && view.who.mayAct(item.tenant) && button("revoke", "End", order, { class: "danger", "aria-label": `End: ${what}` });
	const element = h("li.card.holding@holding", { "data-id": item.request_id },
		h("div", h("h2", h("span@principal", item.principal.name), " ", pill(item.status)),
			h("p", h("span@entitlement", item.entitlement.title), h("small", item.tenant)),
			h("p.dim", "Ticket ", ticketLink(item.ticket), ` of ${item.ticket.system}`),
			h("ul.notes", cut, early, item.basis === "plan" && h("li", `By plan: ${item.why}.`),
				item.shared_with.length > 0 && h("li", `Shares its assignment with ${plural(item.shared_with.length, "other request")}.`)), end),
		h("div.when", count, h("p", "until ", moment(item.ends_at, { as: brief, field: "until" }))),
		h("div.do", requestLink(item.request_id, "Open", { class: "act", "aria-label": `Open: ${what}` }),
			requestLink(`${item.request_id}?verify`, "Proof", { class: "act", "data-action": "open-proof", "aria-label": `Proof: ${what}` }), stop));

	const tell = (request) => {
		const [limit, words] = [bound(request.decision?.bound_by), ending(request, exact)];
		cut.textContent = `Its time was ${limit}.`;
		end.textContent = words;
		[cut.hidden, end.hidden] = [!limit, !words];
		if (words && stop === document.activeElement) element.querySelector('[data-action="open-request"]').focus();
		if (words && stop) stop.remove();
		part("status", element).replaceWith(pill(request.status));
	};
	const tick = () => {
		const time = now();
		const words = isStale() ? "…" : time < starts ? `in ${left(starts - time)}` : time < ends ? left(ends - time) : "time is over";
		if (words !== count.textContent) count.textContent = words;
		element.classList.toggle("soon", time < ends && ends - time < 300000);
		early.hidden = item.status !== "active" || time < starts || time >= removable;
	};
	tick();
	return { element, tick, tell };
}

/** Reads which limit cut the time and how an end stands, which the answer about a moment does not tell. */
async function details(items, known, signal) {
	const open = new Map(items.filter(({ request_id: id, status }) => known.get(id)?.status !== status || status !== "active").map((item) => [item.request_id, item.status]));
	for (const status of new Set(open.values())) {
		for (let cursor, page = 0; page < 10 && cursor !== null && [...open.values()].includes(status); page += 1) {
			const answer = await read("/v1/requests", { status, limit: 200, cursor }, signal);
			cursor = answer.next;
			for (const request of answer.items) if (open.delete(request.id)) known.set(request.id, request);
		}
	}
}

async function held(signal) {
	const items = [];
	let answer;
	do {
		answer = await read("/v1/assignments", { limit: 200, cursor: answer?.next }, signal);
		items.push(...answer.items);
	} while (answer.next !== null && items.length < MOST);
	setClock(answer.as_known_at);
	items.sort((one, other) => Date.parse(one.ends_at) - Date.parse(other.ends_at));
	return { items, at: answer.as_known_at, more: answer.next !== null };
}

export async function show(view) {
	const { signal } = view;
	const list = h("ul.plain");
	const state = h("p.dim", "\u00a0");
	const body = h("div", bones("rows", 3));
	view.frame("Who holds what", state, body);
	const known = new Map();
	let rows = new Map();
	const tell = (request) => {
		known.set(request.id, request);
		rows.get(request.id)?.tell(request);
	};
	const follows = (id) => follow(id, signal, tell).catch(complain);

	let looked;
	view.refresh = async () => {
		looked = Date.now();
		const { items, at, more } = await held(signal);
		await details(items, known, signal).catch(complain);
		const before = [...rows.keys()].sort().join();
		const focused = list.contains(document.activeElement) && document.activeElement;
		const place = focused && [...list.children].indexOf(focused.closest("li[data-id]"));
		for (const id of known.keys()) if (!items.some((item) => item.request_id === id)) known.delete(id);
		rows = new Map(items.map((item) => [item.request_id, holding(item, view, follows)]));
		for (const { request_id: id, status } of items) if (known.get(id)?.status === status) rows.get(id).tell(known.get(id));
		list.replaceChildren(...[...rows.values()].map(({ element }) => element));
		if (focused) (rows.get(focused.closest("li[data-id]").dataset.id)?.element.querySelector(`[data-action="${focused.dataset.action}"]`) ?? list.children[place]?.querySelector("a") ?? document.querySelector("h1")).focus({ preventScroll: true });
		state.replaceChildren(items.length ? `${plural(items.length, "assignment")} of ${plural(new Set(items.map((item) => item.principal.id)).size, "principal")}${more ? ` (the newest ${MOST})` : ""}, the next to end first. ` : "", "As known at ", moment(at, { as: exact }));
		if (before && before !== [...rows.keys()].sort().join()) notice(`${plural(rows.size, "assignment")} now.`);
		body.replaceChildren(items.length ? list : nothing("Nobody holds anything right now", h("p", "An assignment shows here until it is proved gone.")));
		view.ready(items.length ? "ready" : "empty");
	};
	await view.refresh();
	every(1000, () => rows.forEach((row) => row.tick()), signal);
	// Each look is a reading in the audit log: once a minute, and not while nobody looks.
	const look = () => document.hidden || document.querySelector("dialog") || Date.now() - looked < 50000 || view.refresh().catch(complain);
	every(60000, look, signal);
	document.addEventListener("visibilitychange", look, { signal });
}
