// What runs and waits, and how far it is.

import * as graph from "./graph.js";
import { read, send } from "./server.js";

const element = (id) => document.getElementById(id);
// Every job of the queue by id: {id, prompt, client, runs}. `sent` has those that the queue has not told of yet.
const state = { client: null, jobs: [], sent: new Map(), shown: null, steps: null, preview: null };
let on = {};

// `handlers`: preview(address), done(entry), failed(text, inputs), left() when jobs have gone.
export function start(handlers) { on = handlers; }

export function say(text) { element("message").textContent = text; }

// Queues a prompt.
export async function submit(prompt) {
  // The id is chosen here, so that no event of a quick run comes before it is known.
  const id = crypto.randomUUID ? crypto.randomUUID() : Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
  state.sent.set(id, { id, prompt, client: state.client, runs: false });
  show();
  try {
    await send("prompt", { prompt, prompt_id: id, client_id: state.client, extra_data: { preview_method: "auto" } });
  } catch (error) {
    state.sent.delete(id);
    on.failed(error.message, error.inputs ?? []);
  }
  await refresh();
}

export async function connected(client) {
  state.client = client;
  element("connection").dataset.state = "ready";
  await refresh();
}

export function lost() {
  element("connection").dataset.state = "lost";
  element("connection").textContent = "Connection lost, trying again …";
}

// --- The queue --------------------------------------------------------------------------------------------------------

let asking = null;
// Reads the queue; calls that come meanwhile share one more.
export function refresh() {
  asking ??= Promise.resolve().then(() => { asking = null; return load(); });
  return asking;
}

async function load() {
  const before = state.jobs;
  const queue = await read("queue");
  const job = (runs) => ([, id, prompt, extra]) => ({ id, prompt, client: extra?.client_id, runs });
  const waiting = queue.queue_pending.sort(([one], [other]) => one - other);
  state.jobs = [...queue.queue_running.map(job(true)), ...waiting.map(job(false))];
  for (const { id } of state.jobs) state.sent.delete(id);
  show();
  if (before.some(({ id }) => !state.jobs.some((job) => job.id === id))) on.left();
}

// The job whose progress is shown: ours that runs, else ours that comes next.
function current() {
  const own = [...state.jobs, ...state.sent.values()].filter(({ client }) => client === state.client);
  return own.find(({ runs }) => runs) ?? own[0] ?? null;
}

function show() {
  const job = current();
  const count = state.jobs.length;
  if (element("connection").dataset.state !== "lost") {
    element("connection").dataset.state = count ? "busy" : "ready";
    element("connection").textContent = count === 0 ? "Ready" : count === 1 ? "Working" : `Working, ${count - 1} waiting`;
  }
  if (job?.id !== state.shown) {
    state.shown = job?.id ?? null;
    state.steps = null;
    element("progress").removeAttribute("value");
    element("detail").textContent = "";
    document.title = "comfy-server";
  }
  element("running").hidden = !job;
  if (job && !job.runs) {
    const ahead = state.jobs.indexOf(job);
    say(ahead > 0 ? `Waiting; ${ahead} before it.` : "Waiting for its turn …");
  }
  // What is shown above already needs no list.
  element("queue").hidden = state.jobs.every(({ id }) => id === job?.id);
  element("clear").hidden = state.jobs.filter(({ runs }) => !runs).length < 2;
  rows();
}

function rows() {
  const list = element("jobs");
  const old = new Map([...list.children].map((row) => [row.dataset.id, row]));
  state.jobs.forEach((job, index) => {
    const row = old.get(job.id) ?? newRow(job);
    row.querySelector(".state").textContent = job.runs ? "Running" : "Waiting";
    old.delete(job.id);
    if (list.children[index] !== row) list.insertBefore(row, list.children[index] ?? null);
  });
  for (const row of old.values()) {
    const hadFocus = row.contains(document.activeElement);
    row.remove();
    if (hadFocus) (list.querySelector("button") ?? element("generate")).focus();
  }
}

function newRow(job) {
  const make = (tag, settings) => Object.assign(document.createElement(tag), settings);
  const row = make("li");
  row.dataset.id = job.id;
  const text = graph.title(job.prompt);
  const button = make("button", { type: "button", className: "small", textContent: "Cancel" });
  button.setAttribute("aria-label", `Cancel: ${text.slice(0, 80)}`);
  button.onclick = () => cancel(job.id);
  row.append(make("span", { className: "state" }), make("span", { className: "text", textContent: text }), button);
  return row;
}

// Takes a job out of the queue, or stops it if it runs by now.
async function cancel(id) {
  try {
    await Promise.all([send("queue", { delete: [id] }), send("interrupt", { prompt_id: id })]);
    await refresh();
  } catch (error) {
    on.failed(error.message, []);
  }
}

element("stop").onclick = () => {
  const job = current();
  if (!job) return;
  say("Stopping …");
  cancel(job.id).then(() => { if (!job.runs && !current()) say("Cancelled."); });
};
element("clear").onclick = async () => {
  const waiting = state.jobs.filter(({ runs }) => !runs).map(({ id }) => id);
  await send("queue", { delete: waiting }).catch((error) => on.failed(error.message, []));
  await refresh();
};

// --- Events -----------------------------------------------------------------------------------------------------------

export function event({ type, data }) {
  if (type === "status") return void refresh().catch(() => {});
  const id = data?.prompt_id ?? state.shown;
  const job = [...state.jobs, ...state.sent.values()].find((job) => job.id === id) ?? { id };
  if (type === "execution_start" && id === state.shown) {
    say("Starting …");
  } else if (type === "executing" && data.node && id === state.shown) {
    state.steps = null;
    element("progress").removeAttribute("value");
    element("detail").textContent = "";
    say(`${graph.work(job.prompt, data.node)} …`);
  } else if (type === "progress" && id === state.shown) {
    progress(job, data);
  } else if (type === "execution_success") {
    finish(id);
  } else if (type === "execution_error") {
    say("");
    on.failed(`${data.node_type}: ${data.exception_message.trim()}`, []);
  } else if (type === "execution_interrupted") {
    say("Stopped.");
  }
}

function progress(job, { node, value, max }) {
  const now = performance.now();
  state.steps ??= { node, value, now };
  const bar = element("progress");
  bar.max = max;
  bar.value = value;
  const done = value - state.steps.value;
  const left = done > 0 ? (now - state.steps.now) / done * (max - value) / 1000 : null;
  const time = left === null ? "" : left < 1.5 ? "" : left < 90 ? ` · about ${Math.round(left)} s left` : ` · about ${Math.round(left / 60)} min left`;
  element("detail").textContent = `Step ${value} of ${max}${time}`;
  document.title = `${Math.floor(100 * value / max)} % · comfy-server`;
}

export function preview(id, picture) {
  if (id !== state.shown) return;
  if (state.preview) URL.revokeObjectURL(state.preview);
  state.preview = URL.createObjectURL(picture);
  on.preview(state.preview);
}

async function finish(id) {
  const entry = (await read(`history/${encodeURIComponent(id)}`).catch(() => ({})))[id];
  if (entry) on.done(entry);
}
