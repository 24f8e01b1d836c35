// Every request, newest first. The API's filters stand in the address, so a view can be sent on.

import { read, exported } from "./api.js";
import { h, put, pill, button, notice, complain, nothing, requestLink, bones, field, said, plural } from "./dom.js";
import { moment, brief, exact, now, parse } from "./time.js";
import { waits } from "./words.js";
import { boundedList } from "./list.js";

const STATUSES = ["received", "verifying", "approved", "assigning", "active", "ending", "ended", "rejected", "failed", "held"];
const MORE = { from: "Received from (UTC)", to: "Received before (UTC)", entitlement: "Entitlement (key)", ticket: "Ticket (number or id)", principal: "Principal (id or name)", tenant: "Tenant", connection: "Connection" };
const FILTERS = ["q", "status", ...Object.keys(MORE)];

const offered = (who) => (name) => who.reads || !["tenant", "connection", "principal"].includes(name);

let last = null;
export const forget = () => (last = null);

export function patch(request) {
	const place = last?.items.findIndex(({ id }) => id === request.id) ?? -1;
	if (place >= 0) last.items[place] = slim(request);
}

/** What a row shows, and no more: ten thousand of them are kept. */
const slim = (request) => ({
	id: request.id, status: request.status, at: request.received_at, where: [request.connection, request.tenant].filter(Boolean).join(" · "), number: request.ticket.number,
	principal: request.principal?.name, entitlement: request.entitlement?.title, waits: waits(request), dry: request.dry_run,
});

function row(item) {
	const cell = (name, ...children) => h(`div.${name}`, { role: "cell" }, children);
	return h("div.request@row", { role: "row", "data-id": item.id },
		cell("what", requestLink(item.id, h("b@principal", item.principal ?? "Not known")), h("span@entitlement", item.entitlement ?? "Nothing granted")),
		cell("ticket", h("span@ticket", item.number), h("small", item.where)),
		cell("where", h("span", pill(item.status), item.dry && [" ", h("small.tag", "dry run")]), h("small@why", { title: item.waits }, item.waits)),
		cell("received", moment(item.at, { as: brief, field: "received" })));
}

function filters({ params, who, go }) {
	const submit = (event) => {
		event.preventDefault();
		const query = said(event.target, parse);
		if (query) go("history", query);
	};
	const status = h("select", { id: "f-status", name: "status" },
		[...new Set(["", ...STATUSES, params.get("status") ?? ""])].map((name) => h("option", { value: name, selected: params.get("status") === name }, name || "any")));
	const names = Object.keys(MORE).filter(offered(who));
	return h("form.card.filters@filters", { role: "search", "aria-label": "Narrow the history", on: { submit } },
		field(params, "q", "Search", { type: "search", placeholder: "Ticket, principal, entitlement key, tenant" }), h("p.field", h("label", { for: "f-status" }, "Status"), status),
		h("p.row", h("button.main", { "data-action": "apply" }, "Apply"), button("clear", "Clear", () => go("history"))),
		h("details", { open: names.some((name) => params.get(name)) }, h("summary", "More filters"),
			h("div.grid", names.map((name) => field(params, name, MORE[name], MORE[name].includes("UTC") && { placeholder: "2026-11-03 08:30" })))));
}

function save(query, format, control, signal) {
	control.disabled = true;
	notice(`Exporting as ${format.toUpperCase()} …`, true);
	const told = exported({ ...query, format }, signal).then((count) => notice(`Saved, and whole: ${plural(count, "request")} and the closing line.`), complain);
	told.finally(() => (control.disabled = false));
}

export async function show(view) {
	const { params, who, signal } = view;
	const query = Object.fromEntries(FILTERS.filter(offered(who)).filter((name) => params.get(name)).map((name) => [name, params.get(name)]));
	const key = JSON.stringify(query);
	const tools = h("p.row.between", "\u00a0");
	const body = h("div", bones("requests", 8));
	view.frame(who.reads ? "History" : "My requests", filters(view), tools, body);
	const fetch = async (cursor) => {
		const page = await read("/v1/requests", { ...query, limit: 100, cursor }, signal);
		return { items: page.items.map(slim), next: page.next };
	};
	const kept = view.returns && last?.key === key;
	const state = kept ? last : { key, scrolled: 0, current: 0, ...(await fetch()), at: new Date(now()).toISOString() };
	last = state;
	const shown = h("span@shown");
	const tell = () => {
		shown.dataset.count = state.items.length;
		shown.textContent = `${state.next === null ? plural(state.items.length, "request") : `${state.items.length} or more requests`}. As known at ${exact(state.at)}`;
	};
	tell();
	const file = (format) => button(`export-${format}`, format.toUpperCase(), (event) => save(query, format, event.currentTarget, signal), { "aria-label": `Export all of these as ${format.toUpperCase()}` });
	tools.replaceChildren(shown);
	if (who.reads) put(tools, h("span.row", h("span.dim", "Export all of these"), file("csv"), file("ndjson")));
	if (!state.items.length) {
		body.replaceChildren(key === "{}"
			? nothing("No request yet", h("p", `The first approved ticket ${who.reads ? "that reaches stint" : "for you"} shows here.`))
			: nothing("Nothing matches", h("p", "No request that you may see fits these filters."), button("clear", "Clear the filters", () => view.go("history"))));
		return view.ready("empty");
	}
	const list = boundedList({ state, row, fetch, loaded: tell, signal });
	const heads = ["Principal, entitlement", "Ticket", "Where it stands", "Received"].map((name) => h("div", { role: "columnheader" }, name));
	body.replaceChildren(h("div", { role: "table", "aria-label": "Requests, newest first", "aria-rowcount": -1 }, h("div.heads", { role: "rowgroup" }, h("div.request", { role: "row" }, heads)), list.box), list.foot);
	list.place();
	scrollTo(0, state.scrolled);
	list.place();
	view.first = () => list.go(state.current);
	view.ready("ready");
}
