// Who holds what at this moment, until when, and by which ticket. Operators can end one.

import { read, write } from "./api.js";
import { h, s, put, button, pill, notice, complain, nothing, ticketLink, requestLink, bones, ask } from "./dom.js";
import { now, setClock, moment, brief, exact, left, every } from "./time.js";
import { bound, ending, removableFrom, OVER } from "./words.js";

const MOST = 1000;
const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;

/** Asks why, and orders the end. Resolves to true when the order is with stint. */
export const revoke = (id, what) => ask({
  title: "End this access",
  about: `${what} It ends as soon as Microsoft Entra allows: PIM removes nothing in its first five minutes.`,
  label: "Why? It is kept in the audit log and told on the ticket.",
  go: "End it",
  order: async (reason, key) => {
    const { order } = await write(`/v1/requests/${encodeURIComponent(id)}/revoke`, { reason }, key);
    notice(order === "already" ? "It was ending already, by an earlier order." : "The order to end is recorded.");
    return true;
  },
});

/** Reads the request until stint took the order up, so that what is told is its own document and no guess. */
export async function follow(id, signal, tell) {
  for (let look = 0; look < 30 && !signal.aborted; look += 1) {
    const request = await read(`/v1/requests/${encodeURIComponent(id)}`, {}, signal);
    tell(request);
    if (request.end || request.hold || OVER.includes(request.status)) return;
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

/** One who holds something. `tick` moves its countdown and nothing else. */
function holding(item, view) {
  const [starts, ends] = [Date.parse(item.starts_at), Date.parse(item.ends_at)];
  const removable = removableFrom(item.starts_at);
  const what = `${item.principal.name}: ${item.entitlement.title}, by ticket ${item.ticket.number}.`;
  const rest = s("rect", { height: 4, width: "100%" });
  const count = h("span.left@left", { role: "timer" });
  const early = h("li", { hidden: true }, `PIM removes nothing in its first five minutes: not before ${exact(removable)}.`);
  const notes = h("ul.notes", early);
  const note = (words) => put(notes, h("li", words));
  const end = h("p.ending@ending", { hidden: true });
  const order = async () => (await revoke(item.request_id, what)) && follow(item.request_id, view.signal, tell).catch(complain);
  const stop = view.who.mayAct(item.tenant) && button("revoke", "End", order, { class: "danger", "aria-label": `End: ${what}` });
  if (item.basis === "plan") note(`By plan: ${item.why}.`);
  if (item.shared_with.length) note(`Shares its assignment with ${plural(item.shared_with.length, "other request")}; each keeps to its own end.`);
  const element = h("li.card.holding@holding", { "data-id": item.request_id },
    h("div", h("h2", h("span@principal", item.principal.name), " ", pill(item.status)),
      h("p", h("span@entitlement", item.entitlement.title), h("small", item.tenant)),
      h("p.dim", "Ticket ", ticketLink(item.ticket), ` of ${item.ticket.system}`), notes, end),
    h("div.when", count, h("p", "until ", moment(item.ends_at, { as: brief, field: "until" })), s("svg.meter", { width: "100%", height: 4, "aria-hidden": "true" }, rest)),
    h("div.do", requestLink(item.request_id, "Open", { class: "act", "aria-label": `Open: ${what}` }),
      requestLink(`${item.request_id}?verify`, "Proof", { class: "act", "data-action": "open-proof", "aria-label": `Proof: ${what}` }), stop));

  function tell(request) {
    const words = ending(request, exact, now());
    end.textContent = words;
    end.hidden = !words;
    if (words && stop) stop.remove();
    element.querySelector('[data-field="status"]').replaceWith(pill(request.status));
    element.classList.toggle("over", OVER.includes(request.status));
  }
  function tick() {
    const time = now();
    const words = time < starts ? `in ${left(starts - time)}` : time < ends ? left(ends - time) : "time is over";
    if (words !== count.textContent) count.textContent = words;
    rest.setAttribute("width", `${Math.max(0, Math.min(100, ((ends - time) / (ends - starts)) * 100)).toFixed(1)}%`);
    element.classList.toggle("soon", time < ends && ends - time < 300000);
    early.hidden = item.status !== "active" || time < starts || time >= removable;
  }
  return { element, tick, tell, note, same: JSON.stringify(item) };
}

/** What lists tell and the answer about a moment does not: which limit cut the time, and how an end stands. */
async function details(rows, items, known, signal) {
  const open = new Map(items.filter(({ request_id: id, status }) => !known.has(id) || status === "ending" || status === "held").map((item) => [item.request_id, item.status]));
  for (const status of new Set(open.values())) {
    for (let cursor, page = 0; page < 10 && cursor !== null && [...open.values()].includes(status); page += 1) {
      const answer = await read("/v1/requests", { status, limit: 200, cursor }, signal);
      cursor = answer.next;
      for (const request of answer.items) if (open.delete(request.id)) {
        known.set(request.id, bound(request.decision?.bound_by));
        if (request.end) rows.get(request.id)?.tell(request);
      }
    }
  }
  for (const [id, row] of rows) if (known.get(id) && !row.cut) row.cut = row.note(`Its time was ${known.get(id)}.`);
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
  return { items, known: answer.as_known_at, more: answer.next !== null };
}

/** Puts the new row in the place of the old one, and the focus where it was. */
function replace(old, fresh) {
  const action = old.contains(document.activeElement) && document.activeElement.dataset.action;
  old.replaceWith(fresh);
  if (action) (fresh.querySelector(`[data-action="${action}"]`) ?? fresh.querySelector("a")).focus();
}

/** Shows who holds what. */
export async function show(view) {
  const { signal } = view;
  const list = h("ul.plain");
  const state = h("p.dim", "\u00a0");
  const body = h("div", bones("rows", 3));
  view.frame("Who holds what", state, body);
  const [rows, known] = [new Map(), new Map()];

  async function look() {
    const { items, known: at, more } = await held(signal);
    const before = [...rows.keys()].join();
    const ids = items.map((item) => item.request_id);
    for (const [id, row] of rows) if (!ids.includes(id)) rows.delete(id) && row.element.remove();
    items.forEach((item, place) => {
      let row = holding(item, view);
      const old = rows.get(item.request_id);
      if (old?.same === row.same) row = old;
      else if (old) replace(old.element, row.element);
      rows.set(item.request_id, row);
      // A row that has the focus stays where it is.
      if (list.children[place] !== row.element && !row.element.contains(document.activeElement)) list.insertBefore(row.element, list.children[place] ?? null);
      row.tick();
    });
    state.replaceChildren(items.length ? `${plural(items.length, "assignment")} of ${plural(new Set(items.map((item) => item.principal.id)).size, "principal")}${more ? ` (the newest ${MOST})` : ""}, the next to end first. ` : "", "As known at ", moment(at, { as: exact }));
    if (before && before !== [...rows.keys()].join()) notice(`${plural(rows.size, "assignment")} now.`);
    body.replaceChildren(items.length ? list : nothing("Nobody holds anything right now", h("p", "An assignment shows here from the moment it may be in force until it is proved gone."), h("p", h("a", { href: "#/history" }, "Look at the history"))));
    view.ready(items.length ? "ready" : "empty");
    details(rows, items, known, signal).catch(complain);
  }

  view.refresh = look;
  await look();
  every(1000, () => rows.forEach((row) => row.tick()), signal);
  // Each look is a reading in the audit log: once a minute, and not while nobody looks.
  const timer = setInterval(() => document.hidden || look().catch(complain), 60000);
  signal.addEventListener("abort", () => clearInterval(timer));
}
