// A list without end in a page with one: only rows around what is seen are in the page.

import { h, s, button } from "./dom.js";

const AROUND = 12;
const KEYS = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity };

/** Rows of one height; `state` keeps items and place for whoever comes back. */
export function boundedList({ state, row, fetch, loaded, signal }) {
	const spacer = () => s("svg.spacer", { width: 1, height: 0, "aria-hidden": "true" });
	const [above, below] = [spacer(), spacer()];
	const box = h("div", { role: "rowgroup" }, above, below);
	const foot = h("p.foot.dim");
	const here = new Map();
	let [height, stuck, due] = [60, false, false];

	function place() {
		due = false;
		const count = state.items.length;
		const { top } = box.getBoundingClientRect();
		const from = Math.max(0, Math.min(count, Math.floor(-top / height) - AROUND));
		const to = Math.min(count, Math.max(from, Math.ceil((innerHeight - top) / height) + AROUND));
		for (const [index, made] of here) if (index < from || index >= to) here.delete(index) && made.remove();
		let next = below;
		for (let index = to - 1; index >= from; index -= 1) {
			if (!here.has(index)) {
				here.set(index, row(state.items[index]));
				here.get(index).setAttribute("aria-rowindex", index + 2);
				box.insertBefore(here.get(index), next);
			}
			next = here.get(index);
		}
		const stop = here.has(state.current) ? state.current : from;
		for (const [index, made] of here) made.querySelector("a").tabIndex = index === stop ? 0 : -1;
		const seen = here.get(from)?.offsetHeight || height;
		above.setAttribute("height", from * seen);
		below.setAttribute("height", (count - to) * seen);
		if (seen !== height) {
			height = seen;
			return place();
		}
		foot.hidden = state.next === null && count < 20;
		if (to > count - 2 * AROUND) more();
	}

	async function more() {
		if (state.next === null) return foot.replaceChildren(h("span@end", "That is all of it."));
		// Scrolling alone asks no more for what was refused.
		if (stuck) return;
		stuck = true;
		foot.replaceChildren("Loading more …");
		try {
			const { items, next } = await fetch(state.next);
			state.items.push(...items);
			state.next = next;
			stuck = false;
			loaded();
			place();
		} catch (problem) {
			if (problem.name === "AbortError") return;
			foot.replaceChildren(h("span@error", { role: "alert" }, `${problem.title}: ${problem.detail} `), button("try-again", "Try again", () => {
				stuck = false;
				more();
			}));
		}
	}

	function go(index) {
		state.current = Math.max(0, Math.min(state.items.length - 1, index));
		const top = box.getBoundingClientRect().top + state.current * height;
		if (top < 90) scrollBy(0, top - 90);
		else if (top + height > innerHeight - 10) scrollBy(0, top + height - innerHeight + 10);
		place();
		here.get(state.current).querySelector("a").focus({ preventScroll: true });
	}

	box.addEventListener("keydown", (event) => {
		if (!KEYS[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
		event.preventDefault();
		go(state.current + KEYS[event.key]);
	});
	box.addEventListener("focusin", ({ target }) => {
		for (const [index, made] of here) if (made.contains(target)) state.current = index;
	});
	const soon = () => {
		if (!due) requestAnimationFrame(() => signal.aborted || place());
		due = true;
	};
	addEventListener("resize", soon, { signal });
	addEventListener("scroll", () => {
		state.scrolled = scrollY;
		soon();
	}, { passive: true, signal });
	return { box, foot, place, go };
}
