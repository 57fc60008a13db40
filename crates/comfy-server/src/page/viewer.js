// One picture at a time, or two laid over each other.

import { promptOf } from "./files.js";
import { items } from "./gallery.js";
import { values } from "./graph.js";
import { pictureAddress } from "./server.js";

const NAMES = { positive: "Prompt", negative: "Negative prompt", checkpoint: "Model", width: "Width", height: "Height",
  steps: "Steps", guidance: "Guidance", sampler: "Sampler", scheduler: "Scheduler", seed: "Seed" };
const element = (id) => document.getElementById(id);
const dialog = element("viewer");
const state = { item: null, other: null, reuse: () => {} };

// `reuse(prompt, name)` takes the settings of a picture over.
export function start(reuse) { state.reuse = reuse; }

export function open(item) {
  state.item = item;
  state.other = null;
  show();
  if (!dialog.open) dialog.showModal();
}

// What made a picture: the server remembers it, or the file tells.
async function promptFor(item) {
  if (item.prompt) return item.prompt;
  const answer = await fetch(pictureAddress(item));
  item.prompt = await promptOf(new File([await answer.blob()], item.filename));
  return item.prompt;
}

async function show() {
  const { item, other } = state;
  element("viewer-title").textContent = item.filename;
  Object.assign(element("first"), { src: pictureAddress(item), alt: item.title });
  const second = element("second");
  second.hidden = element("divider-field").hidden = !other;
  if (other) Object.assign(second, { src: pictureAddress(other), alt: other.title }); else second.removeAttribute("src");
  element("first-name").textContent = item.filename;
  element("second-name").textContent = other?.filename ?? "";
  Object.assign(element("download"), { href: pictureAddress(item), download: item.filename });
  const all = items();
  const index = all.findIndex(({ key }) => key === item.key);
  element("previous").disabled = index <= 0;
  element("next").disabled = index < 0 || index === all.length - 1;
  const others = all.filter(({ key }) => key !== item.key);
  element("other").replaceChildren(new Option("nothing", ""), ...others.map(({ key, filename, title }) =>
    new Option(title === filename ? filename : `${filename} · ${title.slice(0, 40)}`, key)));
  element("other").value = other?.key ?? "";
  element("other").disabled = others.length === 0;
  await table();
}

async function table() {
  const { item, other } = state;
  const told = await Promise.all([item, other].filter(Boolean).map((item) => promptFor(item).then(values, () => null)));
  // Somebody may have gone on meanwhile.
  if (state.item !== item || state.other !== other) return;
  element("reuse").disabled = !item.prompt;
  const make = (tag, text, settings) => Object.assign(document.createElement(tag), { textContent: text, ...settings });
  const head = document.createElement("tr");
  if (other) head.append(make("th", "", { scope: "col" }), ...[item, other].map(({ filename }) => make("th", filename, { scope: "col" })));
  element("settings").tHead.replaceChildren(...(other ? [head] : []));
  const rows = Object.keys(NAMES).filter((field) => told.some((settings) => settings?.[field] !== undefined)).map((field) => {
    const texts = told.map((settings) => settings?.[field] === undefined ? "—" : String(settings[field]));
    const row = document.createElement("tr");
    row.append(make("th", NAMES[field], { scope: "row" }), ...texts.map((text) => make("td", text)));
    if (new Set(texts).size > 1) row.className = "differs";
    return row;
  });
  if (item.seconds > 0 && !other) {
    const row = document.createElement("tr");
    row.append(make("th", "Time", { scope: "row" }), make("td", `${item.seconds.toFixed(1)} s`));
    rows.push(row);
  }
  element("settings").tBodies[0].replaceChildren(...rows);
}

function step(by) {
  const all = items();
  const next = all[all.findIndex(({ key }) => key === state.item.key) + by];
  if (next) { state.item = next; if (state.other?.key === next.key) state.other = null; show(); }
}

element("viewer-close").onclick = () => dialog.close();
element("previous").onclick = () => step(-1);
element("next").onclick = () => step(1);
element("other").onchange = ({ target }) => { state.other = items().find(({ key }) => key === target.value) ?? null; show(); };
element("viewer").addEventListener("close", () => { state.other = null; });
element("divider").oninput = ({ target }) => element("easel").style.setProperty("--divider", `${target.value}%`);
element("reuse").onclick = () => { dialog.close(); state.reuse(state.item.prompt, state.item.filename); };
dialog.onkeydown = (event) => {
  if (event.target.matches("input, select")) return;
  if (event.key === "ArrowLeft") step(-1);
  if (event.key === "ArrowRight") step(1);
};
// A press beside the dialog closes it.
dialog.onclick = ({ target }) => { if (target === dialog) dialog.close(); };
