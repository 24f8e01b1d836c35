// Counts over a time as small drawings, with the numbers behind each.

import { read } from "./api.js";
import { h, s, bones, field, said } from "./dom.js";
import { day, now, parse, span, moment } from "./time.js";

const DAY = 86400000;
const MOST = 400;
const chart = (name, title, says, ...children) => h("figure.card@chart", { "data-name": name }, h("figcaption", h("h2", title), h("p.dim", says)), children);

function days(counts, { from, to }) {
	const found = new Map(counts.map(({ name, count }) => [name, count]));
	const end = Math.ceil(Date.parse(to) / DAY) * DAY;
	const length = Math.min(MOST, Math.max(1, Math.ceil((end - Date.parse(from)) / DAY)));
	const first = end - length * DAY;
	return Array.from({ length }, (_, place) => day(first + place * DAY)).map((name) => ({ name, count: found.get(name) ?? 0 }));
}

const numbers = (name, unit, rows, words = String) => h("details", h("summary", "The numbers"), h("table", h("thead", h("tr", [name, unit].map((one) => h("th", { scope: "col" }, one)))),
	h("tbody", rows.map((row) => h("tr", h("th", { scope: "row" }, row.name), h("td", words(row.count)))))));

function columns(all) {
	const most = Math.max(1, ...all.map(({ count }) => count));
	const wide = 100 / all.length;
	const bar = ({ name, count }, place) => s("rect.bar", { x: `${place * wide + wide * 0.1}%`, width: `${wide * 0.8}%`, y: `${100 - (count / most) * 94}%`, height: `${(count / most) * 94}%` }, s("title", `${name}: ${count}`));
	const line = (kind, y) => s(`line.${kind}`, { x1: 0, x2: "100%", y1: y, y2: y });
	return [h("p.scale", { "aria-hidden": "true" }, most),
		s("svg", { width: "100%", height: 150, role: "img", "aria-label": `${all.length} days, at most ${most} on one of them` }, line("rule", "6%"), line("rule", "53%"), all.map(bar), line("axis", "99.6%")),
		h("p.row.between", { "aria-hidden": "true" }, h("small", all[0].name), h("small", all.at(-1).name)), numbers("Day (UTC)", "Count", all.filter(({ count }) => count))];
}

function bars(name, unit, rows, words = String) {
	if (!rows.length) return h("p", "None in this time.");
	const most = Math.max(...rows.map(({ count }) => count), 1e-9);
	const row = ({ name: text, count }, place) => [s("text", { y: place * 38 + 14 }, text.length > 32 ? `${text.slice(0, 31)}…` : text), s("text", { x: "100%", y: place * 38 + 14, "text-anchor": "end" }, words(count)),
		s("rect.track", { y: place * 38 + 20, width: "100%", height: 8 }), s("rect.bar", { y: place * 38 + 20, width: `${(count / most) * 100}%`, height: 8 })];
	return [s("svg", { width: "100%", height: rows.length * 38, role: "img", "aria-label": rows.map((one) => `${one.name}: ${words(one.count)}`).join("; ") }, rows.map(row)), numbers(name, unit, rows, words)];
}

const spread = (lag, of = "") => Object.entries({ half: lag.p50_seconds, "90 %": lag.p90_seconds, "99 %": lag.p99_seconds, slowest: lag.max_seconds }).map(([name, count]) => ({ name: of + name, count }));

function asking({ params, go }) {
	const submit = (event) => {
		event.preventDefault();
		const query = said(event.target, parse);
		if (query) go("summary", query);
	};
	const past = (back) => h("a.act", { href: `#/summary?from=${day(now() - back * DAY)}T00:00:00Z` }, `${back} days`);
	return h("form.row.period", { on: { submit } }, field(params, "from", "From (UTC)"), field(params, "to", "To (UTC)"), field(params, "tenant", "Tenant"),
		h("p.row", h("button.main", { "data-action": "apply" }, "Show"), [7, 30, 90].map(past)));
}

export async function show(view) {
	const body = h("div", bones("tall", 4));
	view.frame("Summary", asking(view), body);
	const told = await read("/v1/summary", Object.fromEntries(["from", "to", "tenant"].map((name) => [name, view.params.get(name)])), view.signal);
	const { period, grants_by_day: grants, time_to_grant: first, revocation_lag: lags } = told;
	const refused = [...told.refusals, ...told.failures];
	body.replaceChildren(
		h("p.dim", "Requests received from ", moment(period.from), " to ", moment(period.to)),
		h("ul.figures", [{ name: "requests", count: told.requests }, ...told.by_state].map(({ name, count }) => h("li", h("b", count.toLocaleString("en")), " ", name))),
		h("div.charts",
			chart("per-day", "Grants per day", `By the day they came into force.${Date.parse(period.to) - Date.parse(period.from) > MOST * DAY ? ` The last ${MOST} days of this time.` : ""}`, columns(days(grants, period))),
			chart("time-to-grant", "Time to grant", "From the ticket's arrival, or the start it asked for, until the assignment began.", bars("Grants", "Took", first?.count ? spread(first, `${first.count}: `) : [], span)),
			chart("time-to-proved-end", "Time to proved end", "From the order or the planned end until nothing was left to be read.", bars("Ends", "Took", lags.flatMap((lag) => spread(lag, `${lag.count} ${lag.cause}: `)), span)),
			chart("refusals", "Refusals by reason", "A request may be refused for several.", bars("Reason", "Requests", refused.map(({ name, count }) => ({ name: name ?? "not known", count }))))));
	view.ready(told.requests ? "ready" : "empty");
}
