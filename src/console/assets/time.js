// Moments and durations, for people: UTC first, local time beside it.

import { h } from "./dom.js";

// The server's clock counts: a countdown by a wrong clock of this machine would be a lie.
const apart = () => Date.now() - performance.now();
let base = apart();
let set = base;
export const now = () => base + performance.now();
/** Whether this machine slept or set its clock since: then nobody knows how much time went by. */
export const isStale = () => Math.abs(apart() - set) > 2000;
export function setClock(at) {
	if (at) [base, set] = [Date.parse(at) - performance.now(), apart()];
}

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
const calendar = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", timeZoneName: "short", hourCycle: "h23" });
const iso = (at) => new Date(at).toISOString();
export const day = (at) => iso(at).slice(0, 10);
const timed = (to) => (at) => `${day(at) === day(now()) ? "" : `${day(at)} `}${iso(at).slice(11, to)} UTC`;

export const brief = timed(16);

export const exact = timed(19);

const full = (at) => `${day(at)} ${iso(at).slice(11, 19)} UTC`;

export function moment(at, { as = full, field } = {}) {
	if (!at || Number.isNaN(Date.parse(at))) return h("span.dim", "not yet");
	const date = new Date(at);
	const here = date.getTimezoneOffset() !== 0 && calendar.format(date);
	return h("time", { datetime: at, "data-field": field, title: `${full(at)}${here ? `, ${here} in ${zone}` : ""}` }, as(at), here && h("small", here));
}

export function left(milliseconds) {
	const seconds = Math.max(0, Math.ceil(milliseconds / 1000));
	const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
	if (hours >= 48) return `${Math.floor(hours / 24)} d ${hours % 24} h`;
	return hours ? `${hours} h ${String(minutes).padStart(2, "0")} min` : `${minutes}:${String(seconds % 60).padStart(2, "0")}`;
}

export function span(seconds) {
	if (seconds < 10) return `${Math.round(seconds * 10) / 10} s`;
	const whole = Math.round(seconds);
	const two = (size, name, less, short) => `${Math.floor(whole / size)} ${name}${Math.floor((whole % size) / less) ? ` ${Math.floor((whole % size) / less)} ${short}` : ""}`;
	if (whole < 60) return `${whole} s`;
	if (whole < 3600) return two(60, "min", 1, "s");
	return whole < 172800 ? two(3600, "h", 60, "min") : two(86400, "d", 3600, "h");
}

export function duration(text) {
	const parts = /^PT(?=\d)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?$/.exec(text ?? "");
	return parts ? ["h", "min", "s"].map((unit, place) => parts[place + 1] && `${parts[place + 1]} ${unit}`).filter(Boolean).join(" ") : text ?? "";
}

export function ago(at) {
	if (!at) return "never";
	const seconds = (now() - Date.parse(at)) / 1000;
	if (seconds < -5) return `in ${span(-seconds)}`;
	return seconds < 5 ? "just now" : `${span(seconds < 60 ? Math.round(seconds) : Math.floor(seconds / 60) * 60)} ago`;
}

/** What people write for a moment, taken for UTC where they name no zone; null when it is none. */
export function parse(text) {
	const parts = /^(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d)(:\d\d)?)?( ?UTC|Z)?$/i.exec(text.trim());
	const told = parts ? `${parts[1]}T${parts[2] ?? "00:00"}${parts[3] ?? ":00"}Z` : text.trim();
	return /(Z|[+-]\d\d:\d\d)$/i.test(told) && !Number.isNaN(Date.parse(told)) ? told : null;
}

export function every(milliseconds, call, signal) {
	const timer = setInterval(call, milliseconds);
	signal.addEventListener("abort", () => clearInterval(timer));
	call();
}
