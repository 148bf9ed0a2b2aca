// A graph without a model and without a network. A run takes `takes_ms`, then waits until the file
// `gate` is there, then answers with its `order`, or fails when `fails` says with what words.
import { access } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";
import { Annotation, END, START, StateGraph } from "@langchain/langgraph";

const POLL_MS = 20;

const State = Annotation.Root({
	order: Annotation(),
	takes_ms: Annotation(),
	gate: Annotation(),
	fails: Annotation(),
	answer: Annotation(),
});

const isThere = (path) => access(path).then(() => true, () => false);

async function work({ takes_ms: takesMs, gate }) {
	await pause(takesMs ?? 0);
	while (gate && !(await isThere(gate))) await pause(POLL_MS);
	return {};
}

function answer({ order, fails }) {
	if (fails) throw new Error(fails);
	return { answer: { order, state: "found" } };
}

export const graph = new StateGraph(State)
	.addNode("work", work)
	.addNode("reply", answer)
	.addEdge(START, "work")
	.addEdge("work", "reply")
	.addEdge("reply", END)
	.compile();
