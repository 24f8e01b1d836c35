// The page is made of elements and texts. Nothing here reads markup: what comes from the API goes in as text alone.

// What turns the direction of a text is shown, not obeyed.
const TURNING = /[\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c]/g;
const plain = (value) => String(value).replace(TURNING, (mark) => `⟨U+${mark.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`);

export function put(element, ...children) {
	for (const child of children.flat(9)) if (child !== null && child !== undefined && child !== false) element.append(child instanceof Node ? child : plain(child));
	return element;
}

function make(space, name, parts) {
	const [, tag, classes, field] = /^(\w+)([.\w-]*)@?([\w-]*)$/.exec(name);
	const element = document.createElementNS(space, tag);
	if (classes) element.setAttribute("class", classes.slice(1).replaceAll(".", " "));
	if (field) element.dataset.field = field;
	const [first, ...rest] = parts;
	const isAttributes = first && typeof first === "object" && !(first instanceof Node) && !Array.isArray(first);
	for (const [key, value] of Object.entries(isAttributes ? first : {})) {
		if (value === null || value === undefined || value === false) continue;
		if (key === "on") for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
		else if (key === "href" && !value.startsWith("#") && safe(value) !== value) throw new Error("no address to follow");
		else element.setAttribute(key, value === true ? "" : ["title", "aria-label", "placeholder"].includes(key) ? plain(value) : value);
	}
	return put(element, isAttributes ? rest : parts);
}

/** An element: `tag.class@field`, then attributes (`on` holds listeners), then children. */
export const h = (name, ...parts) => make("http://www.w3.org/1999/xhtml", name, parts);

export const s = (name, ...parts) => make("http://www.w3.org/2000/svg", name, parts);

/** The address, if a person may be sent there: https, or http of this machine; else null. */
function safe(address) {
	if (!URL.canParse(address)) return null;
	const { protocol, hostname, username, password, href } = new URL(address);
	const own = /^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname);
	return (protocol === "https:" || (protocol === "http:" && own)) && !username && !password ? href : null;
}

export function ticketLink({ url, number }) {
	const href = url && safe(url);
	if (!href) return h("span@ticket", number);
	return h("a@ticket", { href, "data-action": "open-ticket", target: "_blank", rel: "noopener noreferrer" }, number, h("span", { "aria-hidden": "true" }, " ↗"), h("span.sr", " (opens the ticket system)"));
}

export const button = (action, text, listener, attributes) => h("button", { type: "button", "data-action": action, ...attributes, on: { click: listener } }, text);
export const requestLink = (id, text, attributes) => h("a", { href: `#/requests/${id}`, "data-action": "open-request", ...attributes }, text);
export const part = (field, of = document) => of.querySelector(`[data-field="${field}"]`);
export const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;
export const bones = (kind, count) => h("div", { class: `bones ${kind}`, "aria-hidden": "true" }, Array.from({ length: count }, () => h("div.bone")));

let fading;

export function notice(text, stays = false) {
	const place = document.getElementById("notice");
	clearTimeout(fading);
	place.textContent = plain(text);
	if (!stays) fading = setTimeout(() => place.replaceChildren(), 9000);
}

export const complain = (problem) => problem.name === "AbortError" || notice(`${problem.title ?? "That failed"}: ${problem.detail ?? problem.message}`, true);

export const trouble = ({ title, detail, hint, instance }, again) => h("div.state.bad@error", { role: "alert" }, h("h2", title), h("p", detail), hint && h("p", hint),
	instance && h("p.dim", "For whoever reads stint's log: ", h("code", instance)), again && button("try-again", "Try again", again));

export const nothing = (title, ...children) => h("div.state@nothing", h("h2", title), children);

export function field(params, name, label, more) {
	const input = h("input", { id: `f-${name}`, name, value: params.get(name) ?? "", maxlength: 200, autocomplete: "off", spellcheck: "false", ...more, on: { input: () => input.setCustomValidity("") } });
	return h(`p.field.${name}`, h("label", { for: input.id }, label), input);
}

/** What a form says, for the address; null where `from` or `to` is no moment. */
export function said(form, parse) {
	const query = new URLSearchParams();
	for (const control of form.elements) {
		const written = control.name && control.value.trim();
		if (!written) continue;
		const value = ["from", "to"].includes(control.name) ? parse(written) : written;
		if (value) query.set(control.name, value);
		else {
			control.closest("details")?.setAttribute("open", "");
			control.setCustomValidity("Write 2026-11-03 or 2026-11-03 08:30 (UTC).");
			return control.reportValidity() || null;
		}
	}
	return query;
}

export const ident = (value) => value && h("code.id", value);

export const pill = (status) => h("span@status", { class: `pill ${status.replace(/\W/g, "")}` }, status);

export function tree(value) {
	if (value === null || typeof value !== "object") return h("span", { class: value === null ? "dim" : null }, value ?? "none");
	const entries = Object.entries(value);
	return entries.length ? h("dl.tree", entries.map(([name, part]) => h("div", h("dt", name), h("dd", tree(part))))) : h("span.dim", "none");
}

/** Asks for a reason; resolves to what `order` gave, or to null when it was called off. */
export function ask({ title, about, label, go, optional = false, order }) {
	const refused = h("p.refused@refused", { role: "alert", hidden: true });
	const reason = h("textarea", { name: "reason", id: "ask-reason", rows: 3, maxlength: 500, required: !optional });
	const confirm = h("button.main", { "data-action": "confirm" }, go);
	let done = null;
	// One key for one wording: sent again it is the same order, with other words it is another one.
	let key = {};
	const submit = async (event) => {
		event.preventDefault();
		const words = reason.value.trim();
		if (!words && !optional) return reason.focus();
		if (key.of !== words) key = { of: words, is: crypto.randomUUID() };
		confirm.disabled = cancel.disabled = true;
		refused.hidden = true;
		try {
			done = await order(words, key.is);
			dialog.close();
		} catch (problem) {
			refused.replaceChildren(h("b", problem.title ?? "That failed"), " ", plain(problem.detail ?? problem.message));
			refused.hidden = confirm.disabled = cancel.disabled = false;
			reason.focus();
		}
	};
	// An order that is on its way is not called off by closing.
	const stays = (event) => confirm.disabled && event.preventDefault();
	const cancel = button("cancel", "Cancel", () => dialog.close());
	const dialog = h("dialog@ask", { "aria-labelledby": "ask-title", on: { cancel: stays, keydown: (event) => event.key === "Escape" && stays(event) } }, h("form", { on: { submit } }, h("h2", { id: "ask-title" }, title), h("p", about),
		h("label", { for: "ask-reason" }, label), reason, refused, h("div.row.end", cancel, confirm)));
	document.body.append(dialog);
	dialog.showModal();
	reason.focus();
	return new Promise((resolve) => dialog.addEventListener("close", () => {
		dialog.remove();
		resolve(done);
	}));
}
