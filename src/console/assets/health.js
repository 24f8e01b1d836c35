// What does not go by itself: held and failed requests, findings, connections and tenants, and the audit log.

import { read, bytes, write, save } from "./api.js";
import { h, put, button, pill, notice, complain, requestLink, bones, ask, tree } from "./dom.js";
import { moment, ago, setClock, exact } from "./time.js";
import { HOLDS, REFUSALS, advice, explain, who, sentence } from "./words.js";
import { retry } from "./request.js";
import { head } from "./proof.js";

const since = (at) => [h("b", ago(at)), at && [" ", moment(at, { as: exact })]];
const fact = (name, ...value) => h("div", h("dt", name), h("dd", value));

async function paged(field, title, none, fetch, row) {
	const list = h("ul.plain");
	const rest = h("p");
	let next;
	async function more() {
		const page = await fetch(next);
		next = page.next;
		put(list, page.items.map(row));
		rest.replaceChildren(next === null ? "" : button("more", "Show more", () => more().catch(complain)));
	}
	await more();
	const count = list.children.length;
	return h(`section.card@${field}`, h("h2", title, " ", h("small", { class: count ? "count" : "count none" }, `${count}${next === null ? "" : "+"}`)), count ? list : h("p.dim", none), rest);
}

function request(view, { id, status, ticket, principal, entitlement, tenant, hold, failure, updated_at: updated }) {
	const isHeld = status === "held";
	const [code, detail] = isHeld ? [hold?.reason, hold?.detail] : [failure?.code, failure?.detail];
	const again = isHeld && view.who.mayAct(tenant) && button("retry", "Look again now", async () => (await retry(id)) && view.refresh().catch(complain));
	return h("li@row", { "data-id": id },
		h("p.row.between", requestLink(id, `${ticket.number}${principal ? `: ${principal.name}, ${entitlement.title}` : ""}`), pill(status)),
		h("p", h("b", `${sentence(detail)}.`), " ", h("code", code)), h("p.todo@advice", advice(isHeld ? HOLDS : REFUSALS, code)),
		h("p.row.dim", isHeld ? ["Next look ", moment(hold?.next_look_at, { as: exact })] : moment(updated), again));
}

function finding(view, { id, kind, tenant, connection, subject, detail, raised_at: raised, request_id: about }) {
	const acknowledge = async () => {
		const done = await ask({
			title: "Acknowledge this finding",
			about: "It keeps who looked, when and why. It ends and clears nothing.",
			label: "What was done about it? It may be left out.",
			go: "Acknowledge",
			optional: true,
			order: (reason) => write(`/v1/findings/${encodeURIComponent(id)}/acknowledge`, reason ? { reason } : {}),
		});
		if (!done) return;
		element.replaceChildren(h("p.dim", h("b", kind), ` acknowledged by ${who(done.acknowledged.by)}${done.acknowledged.reason ? `: ${done.acknowledged.reason}` : ""}`));
		notice("The finding is acknowledged.");
	};
	const element = h("li@finding", { "data-id": id }, h("p.row.between", h("b", sentence(kind)), h("code", kind)), h("p.todo@advice", explain(kind)),
		h("p.row.dim", moment(raised), [tenant, connection, subject].filter(Boolean).join(" · "), about && requestLink(about, "Its request")),
		h("div.row", h("details", h("summary", "Facts"), tree(detail)), view.who.mayAct(tenant) && button("acknowledge", "Acknowledge", acknowledge)));
	return element;
}

const failing = (times, error) => (times > 0 || error) && h("p.todo.bad", `Failed ${times} times in a row: ${error ?? ""}`);

const connections = (all) => h("section.card@connections", h("h2", "Connections"), h("ul.plain", all.map((one) => h("li@connection", { "data-name": one.name },
	h("p.row.between", h("b", one.name), h("small", [one.system, ...one.tenants].filter(Boolean).join(" · "))),
	h("dl.facts", fact("Last genuine webhook", since(one.last_delivery_at), one.last_delivery_outcome && h("small.source", one.last_delivery_outcome)),
		fact("Searched up to", since(one.searched_until), one.next_search_at && h("small.source", `next search ${ago(one.next_search_at)}`))), failing(one.search_failures, one.search_error)))));

const tenants = (all) => h("section.card@tenants", h("h2", "Tenants"), h("ul.plain", all.map((one) => h("li@tenant", { "data-name": one.name }, h("p", h("b", one.name)),
	h("dl.facts", fact("Compared with Entra", since(one.compared_at), one.next_comparison_at && h("small.source", `next comparison ${ago(one.next_comparison_at)}`))), failing(one.comparison_failures, one.comparison_error)))));

function log({ events, waiting, waiting_since: from, checkpoint }, signal) {
	const download = () => bytes("/v1/audit/checkpoint", {}, signal).then(async (note) => {
		save(note, `stint-checkpoint-${head(await note.text()).size}.txt`);
		notice("Saved. Keep it where the owner of the database cannot reach it.");
	}).catch(complain);
	return h("section.card@audit-log", h("h2", "Audit log"), h("dl.facts",
		fact("Sealed events", h("b@events", events.toLocaleString("en")), waiting > 0 && h("small.source", `${waiting} wait to be sealed`, from && `, since ${exact(from)}`)),
		fact("Last checkpoint", h("span@checkpoint", checkpoint ? [since(checkpoint.sealed_at), h("small", { class: checkpoint.signed ? "source" : "source bad" }, `over ${checkpoint.tree_size.toLocaleString("en")} events, ${checkpoint.signed ? "signed" : "not signed: see the findings"}`)] : "none yet"))),
	checkpoint?.signed && button("checkpoint", "Download the signed head", download));
}

export async function show(view) {
	const { signal } = view;
	const body = h("div", bones("tall", 4));
	view.frame("Health", body);
	const of = (route, query) => (cursor) => read(route, { ...query, limit: 10, cursor }, signal);
	view.refresh = async () => {
		const [health, ...parts] = await Promise.all([
			read("/v1/health", {}, signal),
			paged("findings", "Findings", "Nothing to look at.", of("/v1/findings", { state: "open" }), (item) => finding(view, item)),
			paged("held", "Held", "Nothing is held.", of("/v1/requests", { status: "held" }), (item) => request(view, item)),
			paged("failed", "Failed", "Microsoft Entra refused nothing.", of("/v1/requests", { status: "failed" }), (item) => request(view, item)),
		]);
		setClock(health.at);
		body.replaceChildren(h("div.columns", h("div", parts), h("div", connections(health.connections), tenants(health.tenants), log(health.audit_log, signal))));
	};
	await view.refresh();
	view.ready("ready");
}
