// stint's API, as anybody may script it. The page uses nothing else of stint.

import { signedIn, refuse } from "./auth.js";
import { setClock } from "./time.js";

const refused = (title, detail, more) => Object.assign(new Error(title), { title, detail, ...more });

async function refusal(answer) {
	const { title, detail, code, instance } = await answer.json().catch(() => ({}));
	const wait = answer.headers.get("retry-after");
	const hint = wait ? `Try again in ${wait} seconds.` : answer.status === 403 ? "Roles are given on stint's application in Microsoft Entra." : null;
	return refused(title ?? `stint answered ${answer.status}`, detail ?? "It says no more than that.", { status: answer.status, code, instance, hint });
}

async function call(path, { query = {}, signal, ...options }) {
	const told = Object.entries(query).filter(([, value]) => value !== null && value !== undefined);
	const token = signedIn()?.token;
	if (!token) throw refuse("Sign in to go on.");
	const headers = { authorization: `Bearer ${token}`, ...options.headers };
	let answer;
	try {
		answer = await fetch(`${path}?${new URLSearchParams(told)}`, { ...options, headers, signal, cache: "no-store", credentials: "omit", redirect: "error" });
	} catch (error) {
		if (error.name === "AbortError") throw error;
		throw refused("stint cannot be reached", "No answer came. What is shown may be old.", { status: 0 });
	}
	if (answer.status === 401) throw refuse("Your sign-in is over or was refused. Sign in again to return to where you were.");
	if (!answer.ok) throw await refusal(answer);
	// Whoever reads for others is told by the answers themselves.
	if (!signedIn()?.reads) setClock(answer.headers.get("date"));
	return answer;
}

export const path = (id, more = "") => `/v1/requests/${encodeURIComponent(id)}${more}`;
export const read = async (path, query, signal) => (await call(path, { query, signal })).json();
export const bytes = async (path, query, signal) => (await call(path, { query, signal })).blob();

export async function write(path, body, key) {
	const headers = { "content-type": "application/json", ...(key && { "idempotency-key": key }) };
	return (await call(path, { method: "POST", headers, body: JSON.stringify(body) })).json();
}

export function save(blob, name) {
	const link = document.createElement("a");
	link.href = URL.createObjectURL(blob);
	link.download = name;
	link.click();
	setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

/** How many records the closing line of an export tells of; null where the last line is none. */
export function closing(text) {
	const line = text.slice(text.lastIndexOf("\n", text.length - 2) + 1).trimEnd();
	const csv = /^"?#end_of_export"?,"(.*)"$/.exec(line);
	try {
		const count = csv ? JSON.parse(csv[1].replaceAll('""', '"')).count : JSON.parse(line).end_of_export.count;
		return text.endsWith("\n") && Number.isSafeInteger(count) ? count : null;
	} catch {
		return null;
	}
}

/** Saves an export if it is whole, which its closing line shows. Resolves to how many it holds. */
export async function exported(query, signal) {
	const answer = await call("/v1/requests/export", { query, signal });
	const blob = await answer.blob().catch(() => {
		throw refused("The export broke off", "Nothing was saved; try again.");
	});
	const count = closing(await blob.slice(-65536).text());
	if (count === null) throw refused("The export is not whole", "Nothing was saved; try again.");
	save(blob, /filename="(.+?)"/.exec(answer.headers.get("content-disposition"))[1]);
	return count;
}
