// The frame: which view the address asks for, and who is signed in.

import { begin, finish, isBack, onRefusal, signedIn, signOut } from "./auth.js";
import { read } from "./api.js";
import { h, put, part, button, notice, complain, trouble } from "./dom.js";
import { setClock, isStale } from "./time.js";
import * as now from "./now.js";
import * as history from "./history.js";
import * as requests from "./request.js";
import * as health from "./health.js";
import * as summary from "./summary.js";

const VIEWS = { now, history, requests, health, summary };
const TITLES = { now: "Now", history: "History", health: "Health", summary: "Summary" };
const main = document.getElementById("main");
const nav = document.getElementById("nav");
const find = (action) => document.querySelector(`[data-action="${action}"]`);
let showing = { name: null, abort: new AbortController(), view: null };
let isTimed = false;

function shows(name, state) {
	main.dataset.view = name === "requests" ? "request" : name;
	main.dataset.state = state;
	if (name === "history") main.dataset.field = "scroller";
	else delete main.dataset.field;
}

function begins(name) {
	showing.abort.abort();
	showing = { name, abort: new AbortController(), view: null };
	const who = signedIn();
	document.getElementById("person").hidden = !who;
	part("who").textContent = who?.name ?? "";
	part("role").textContent = who?.role ?? "";
	const link = (one) => h("a", { href: `#/${one}`, "data-action": `open-${one}`, "aria-current": one === name && "page" }, who.reads ? TITLES[one] : "My requests");
	nav.replaceChildren(...(who?.role ? (who.reads ? Object.keys(TITLES) : ["history"]).map(link) : []));
}

function heading(text) {
	document.title = `${text.textContent ?? text} – stint`;
	return h("h1", { tabindex: -1 }, text);
}

function wanted({ reads }) {
	const [place, search] = location.hash.replace(/^#\/?/, "").split("?");
	const [name, id] = place.split("/");
	const isKnown = Object.hasOwn(VIEWS, name) && (reads || ["history", "requests"].includes(name));
	return { name: isKnown ? name : reads ? "now" : "history", id, params: new URLSearchParams(search) };
}

async function show() {
	const who = signedIn();
	if (!who) return signIn();
	if (!who.role) {
		signOut();
		return signIn(`${who.name} has no role in stint. Ask whoever runs it for Stint.Auditor, Stint.Operator or Stint.Requester in Microsoft Entra.`, "select_account");
	}
	const { name, id, params } = wanted(who);
	const came = showing.name;
	// Whoever comes back from one request finds the list as it was left.
	const returns = came === "requests" && name === "history";
	begins(name);
	shows(name, "loading");
	const { signal } = showing.abort;
	let title = heading(TITLES[name] ?? "Request");
	const frame = (words, ...children) => {
		title = heading(words);
		main.replaceChildren();
		put(main, title, children);
		if (came) title.focus({ preventScroll: true });
	};
	const retitle = (words) => title.replaceChildren(...heading(words).childNodes);
	const view = {
		id, params, who, signal, returns, frame, title: retitle,
		ready: (state) => signal.aborted || shows(name, state),
		go: (to, query) => (location.hash = `#/${to}${query?.size ? `?${query}` : ""}`),
	};
	showing.view = view;
	if (!returns) scrollTo(0, 0);
	try {
		if (name === "requests" && !/^[0-9a-f-]{36}$/.test(id)) throw { title: "Not found", detail: "This address names no request." };
		if (who.reads && !isTimed) await time(signal);
		isTimed = true;
		await VIEWS[name].show(view);
	} catch (problem) {
		if (signal.aborted || problem.name === "AbortError") return;
		main.replaceChildren(title, trouble(problem.title ? problem : { title: "This page failed", detail: problem.message }, show));
		shows(name, "error");
	}
}

const time = async (signal) => setClock((await read("/v1/health", {}, signal)).at);
let isTiming = false;

/** After a sleep of this machine the moment is read again. */
async function wake() {
	const who = signedIn();
	if (!who || isTiming || document.hidden || !isStale()) return;
	isTiming = true;
	const { view, abort } = showing;
	try {
		if (who.reads) await time(abort.signal);
		if (!document.querySelector("dialog")) await view?.refresh?.();
	} catch {
		// It is tried again; until then no countdown shows.
	}
	isTiming = false;
}
setInterval(wake, 5000);
document.addEventListener("visibilitychange", wake);

function signIn(why, prompt) {
	history.forget();
	begins("sign-in");
	const back = location.hash.startsWith("#/") ? location.hash : "#/";
	const way = button("sign-in", "Sign in with Microsoft Entra", () => {
		shows("sign-in", "away");
		begin(back, prompt).catch((error) => signIn(`Signing in could not begin: ${error.message}`, prompt));
	}, { class: "main" });
	main.replaceChildren(h("div.welcome", h("img", { src: "icon.svg", alt: "", width: 56, height: 56 }), heading("Sign in to stint"),
		h("p", way),
		h("p.dim", "The access token stays in memory alone.")));
	shows("sign-in", "ready");
	if (!why) return;
	notice(why, true);
	way.focus();
}

addEventListener("keydown", (event) => {
	if (event.key !== "ArrowDown" || event.target.closest?.("input, textarea, select, dialog") || event.defaultPrevented || !showing.view?.first) return;
	event.preventDefault();
	showing.view.first();
});

find("again").addEventListener("click", () => {
	history.forget();
	if (showing.view?.refresh) showing.view.refresh().then(() => notice("Looked again."), complain);
	else show();
});

onRefusal((why) => {
	document.querySelector("dialog[open]")?.close();
	signIn(why);
});
find("skip").addEventListener("click", (event) => {
	event.preventDefault();
	main.focus();
});
find("sign-out").addEventListener("click", () => {
	signOut();
	location.replace("#/");
	signIn("You are signed out of stint. Your session with Microsoft Entra may go on.", "select_account");
});
window.history.scrollRestoration = "manual";
addEventListener("hashchange", show);

const why = isBack() ? await finish() : null;
if (why) signIn(`Signing in failed: ${why}`);
else show();
