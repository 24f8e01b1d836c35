// Signing in with Microsoft Entra: authorization code with PKCE. The access token stays in memory and nowhere else.

const AWAY = "stint.away";
let session = null;
let settings;
let left;

export const signedIn = () => session;
export const signOut = () => (session = null);

export const onRefusal = (call) => (left = call);

/** Forgets the token and tells why; what it gives is to be thrown. */
export function refuse(why) {
	session = null;
	left(why);
	return new DOMException(why, "AbortError");
}

const encode = (data) => btoa(String.fromCharCode(...data)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const random = () => encode(crypto.getRandomValues(new Uint8Array(32)));
const redirect = () => `${location.origin}/console/`;

function claims(token) {
	const data = atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/"));
	return JSON.parse(new TextDecoder().decode(Uint8Array.from(data, (letter) => letter.charCodeAt(0))));
}

async function load() {
	const answer = settings ? null : await fetch("config.json", { credentials: "omit" });
	return (settings ??= await answer.json());
}

export async function begin(view, prompt) {
	if (!crypto.subtle) throw new Error("Signing in needs https, or this machine's own address.");
	const { authority, client_id, scope } = await load();
	const away = { verifier: random(), state: random(), nonce: random(), view };
	const challenge = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(away.verifier)));
	sessionStorage.setItem(AWAY, JSON.stringify(away));
	location.assign(`${authority}/oauth2/v2.0/authorize?${new URLSearchParams({
		client_id, response_type: "code", redirect_uri: redirect(), response_mode: "fragment", scope: `openid ${scope}`,
		state: away.state, nonce: away.nonce, code_challenge: encode(challenge), code_challenge_method: "S256", ...(prompt && { prompt }),
	})}`);
}

export const isBack = () => /^#([^/].*&)?(code|error)=/.test(location.hash);

/** Takes up what Entra sent back, and the view that was left. Resolves to why it failed, or null. */
export async function finish() {
	const told = new URLSearchParams(location.hash.slice(1));
	let away = null;
	try {
		away = JSON.parse(sessionStorage.getItem(AWAY));
		sessionStorage.removeItem(AWAY);
	} catch {
		// No storage, no sign-in.
	}
	history.replaceState(null, "", redirect() + (away?.view ?? "#/"));
	try {
		if (!away || told.get("state") !== away.state) throw new Error("No sign-in was begun here.");
		if (told.has("error")) throw new Error(told.get("error_description") ?? told.get("error"));
		session = await exchange(told.get("code"), away);
		return null;
	} catch (error) {
		return error.message;
	}
}

async function exchange(code, { verifier, nonce }) {
	const { authority, client_id, scope } = await load();
	const body = new URLSearchParams({ grant_type: "authorization_code", client_id, code, redirect_uri: redirect(), code_verifier: verifier, scope: `openid ${scope}` });
	const answer = await fetch(`${authority}/oauth2/v2.0/token`, { method: "POST", body, credentials: "omit" });
	const told = await answer.json().catch(() => ({}));
	if (!told.access_token) throw new Error(told.error_description ?? `Entra answered ${answer.status}`);
	if (!told.id_token || claims(told.id_token).nonce !== nonce) throw new Error("Entra's answer belongs to another sign-in.");
	const said = claims(told.access_token);
	return { token: told.access_token, name: said.name ?? said.preferred_username ?? said.oid, ...roles(said.roles ?? []) };
}

/** What the roles let this page offer. The server decides anew about each call. */
function roles(names) {
	const tenants = (kind) => names.map((name) => name.split(".")).filter((parts) => parts[0] === "Stint" && parts[1] === kind).map((parts) => parts[2]);
	const [operator, auditor] = [tenants("Operator"), tenants("Auditor")];
	const reads = operator.length + auditor.length > 0;
	const role = operator.length ? "Operator" : auditor.length ? "Auditor" : tenants("Requester").length ? "Requester" : "";
	return { reads, role, mayAct: (tenant) => operator.includes(undefined) || operator.includes(tenant) };
}
