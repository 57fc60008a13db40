// The fields: what may be chosen, what the model suggests, what is sent.

import * as graph from "./graph.js";
import { read } from "./server.js";

const FIELDS = ["positive", "negative", "checkpoint", "width", "height", "steps", "guidance", "sampler", "scheduler", "seed"];
const KEPT = "comfy-server.settings";
const element = (id) => document.getElementById(id);
const fields = Object.fromEntries(FIELDS.map((id) => [id, element(id)]));
const defaults = Object.fromEntries(FIELDS.map((id) => [id, id === "sampler" ? "euler" : id === "scheduler" ? "normal" : fields[id].value]));

// `prompt` is what runs, with the fields filled in. What somebody has `touched` is never replaced by a suggestion.
const state = { prompt: graph.usual(), touched: new Set(), adapted: null, side: 512, checkpoints: null };

// --- What may be chosen -----------------------------------------------------------------------------------------------

// Asks the server for models, samplers and schedulers. Gives the names of the models.
export async function loadChoices() {
  const [loader, sampler] = await Promise.all(
    ["CheckpointLoaderSimple", "KSampler"].map(async (name) => (await read(`object_info/${name}`))[name]));
  state.checkpoints = choices(loader, "ckpt_name");
  fill(fields.checkpoint, state.checkpoints);
  fill(fields.sampler, choices(sampler, "sampler_name"), defaults.sampler);
  fill(fields.scheduler, choices(sampler, "scheduler"), defaults.scheduler);
  restore();
  await adapt();
  return state.checkpoints;
}

function choices(info, name) {
  const [kind, settings] = info?.input?.required?.[name] ?? [];
  return Array.isArray(kind) ? kind : settings?.options ?? [];
}

function fill(select, values, wanted) {
  const before = select.value || wanted;
  select.replaceChildren(...values.map((value) => new Option(value, value)));
  set(select, before);
}

// Gives whether the value may stand there.
function set(field, value) {
  if (field.matches("select") && ![...field.options].some((option) => option.value === String(value))) return false;
  field.value = String(value);
  return true;
}

// Model files may say in their header what pictures they were made for; ours bring an example too.
export async function adapt() {
  const name = fields.checkpoint.value;
  if (!name || name === state.adapted) return;
  state.adapted = name;
  const about = await read(`view_metadata/checkpoints?${new URLSearchParams({ filename: name })}`).catch(() => ({}));
  if (state.adapted !== name) return;
  const [width, height] = /^\d+x\d+$/.test(about["modelspec.resolution"]) ? about["modelspec.resolution"].split("x") : [defaults.width, defaults.height];
  state.side = Math.min(width, height);
  let example = {};
  try { example = JSON.parse(about["comfy-server.example"] ?? "{}"); } catch { /* a broken example is none */ }
  const suggested = { ...defaults, width, height, ...example };
  for (const id of FIELDS) {
    if (id !== "checkpoint" && !state.touched.has(id)) set(fields[id], suggested[id]);
  }
  element("advice").textContent = about["modelspec.usage_hint"] ?? "";
  element("advice").hidden = !about["modelspec.usage_hint"];
  showShape();
}

// --- Shape of the picture ---------------------------------------------------------------------------------------------

function size(shape) {
  const long = Math.round(state.side * 1.5 / 8) * 8;
  return { square: [state.side, state.side], portrait: [state.side, long], landscape: [long, state.side] }[shape];
}

function showShape() {
  for (const radio of element("shape").querySelectorAll("input")) {
    const [width, height] = size(radio.value);
    radio.checked = Number(fields.width.value) === width && Number(fields.height.value) === height;
  }
}

// --- Files and earlier pictures ---------------------------------------------------------------------------------------

// Takes a prompt over. Gives the models of it that are not here.
export function open(prompt, name) {
  const values = graph.values(prompt);
  const isUsual = outline(graph.withValues(graph.usual(), values)) === outline(prompt);
  state.prompt = isUsual ? graph.usual() : prompt;
  const missing = [];
  for (const [id, value] of Object.entries(values)) {
    if (set(fields[id], value)) state.touched.add(id); else missing.push(value);
  }
  element("random").checked = false;
  showPrompt(isUsual ? null : name);
  keep();
  return missing;
}

// A prompt without what does not change the picture.
function outline(prompt) {
  const nodes = Object.entries(prompt).map(([id, { class_type, inputs }]) => {
    const sorted = Object.entries(inputs).filter(([name]) => name !== "filename_prefix").sort(([one], [other]) => one < other ? -1 : 1);
    return [id, class_type, sorted];
  });
  return JSON.stringify(nodes, (_, value) => typeof value === "bigint" ? Number(value) : value);
}

// Back to the usual workflow; what was written stays.
export function close() {
  state.prompt = graph.usual();
  showPrompt(null);
}

// Back to what the model suggests.
export async function reset() {
  close();
  state.touched.clear();
  state.adapted = null;
  element("random").checked = true;
  if (state.checkpoints?.length) fields.checkpoint.value = state.checkpoints[0];
  keep();
  await adapt();
}

// Shows the fields that the prompt has a place for.
function showPrompt(name) {
  const places = graph.places(state.prompt);
  for (const part of document.querySelectorAll("[data-field]")) {
    part.hidden = !part.dataset.field.split(" ").every((id) => id in places);
  }
  element("more").hidden = !["width", "steps", "guidance", "sampler", "scheduler", "seed"].some((id) => id in places);
  element("opened").hidden = name === null;
  element("opened-name").textContent = name ?? "";
  const nodes = Object.keys(state.prompt).length;
  element("opened-about").textContent = `a workflow of ${nodes} ${nodes === 1 ? "node" : "nodes"}`;
  mark([]);
  showShape();
}

// --- What is sent -----------------------------------------------------------------------------------------------------

// The prompt with the values of the fields; nothing when one of them is wrong, which the browser then tells.
export function prompt() {
  const places = graph.places(state.prompt);
  if (element("random").checked) {
    const [high, low] = crypto.getRandomValues(new Uint32Array(2));
    // No more bits than what other clients of ComfyUI can hold.
    fields.seed.value = String((BigInt(high & 0x1fffff) << 32n) | BigInt(low));
  }
  const wrong = Object.keys(places).map((id) => fields[id]).find(({ validity, value, type }) =>
    !validity.valid && !validity.stepMismatch || type === "number" && value === "");
  if (wrong) {
    if (wrong.closest("details")) wrong.closest("details").open = true;
    wrong.setCustomValidity(wrong.value === "" ? "A number is needed here." : "");
    wrong.reportValidity();
    wrong.setCustomValidity("");
    return null;
  }
  mark([]);
  const value = (id) => id === "seed" ? BigInt(fields.seed.value || 0) : fields[id].type === "number" ? Number(fields[id].value) : fields[id].value;
  return graph.withValues(state.prompt, Object.fromEntries(Object.keys(places).map((id) => [id, value(id)])));
}

// Marks the fields that the server finds wrong.
export function mark(inputs) {
  const places = graph.places(state.prompt);
  for (const [id, field] of Object.entries(fields)) {
    const isWrong = inputs.some(({ node, input }) => places[id]?.node === node && places[id]?.input === input);
    if (isWrong) field.setAttribute("aria-invalid", "true"); else field.removeAttribute("aria-invalid");
  }
}

// --- What somebody wrote outlives a reload ----------------------------------------------------------------------------

function keep() {
  const values = Object.fromEntries([...state.touched].map((id) => [id, fields[id].value]));
  localStorage.setItem(KEPT, JSON.stringify({ values, random: element("random").checked }));
}

let restored = false;
function restore() {
  if (restored) return;
  restored = true;
  let kept = null;
  try { kept = JSON.parse(localStorage.getItem(KEPT)); } catch { /* somebody else wrote there */ }
  for (const [id, value] of Object.entries(kept?.values ?? {})) {
    if (fields[id] && set(fields[id], value)) state.touched.add(id);
  }
  element("random").checked = kept?.random ?? true;
}

element("form").addEventListener("input", ({ target }) => {
  if (target.name === "shape") {
    [fields.width.value, fields.height.value] = size(target.value);
    state.touched.add("width").add("height");
  } else if (target.id in fields) {
    state.touched.add(target.id);
    target.removeAttribute("aria-invalid");
    // Whoever writes a seed wants that one.
    if (target.id === "seed") element("random").checked = false;
    showShape();
  }
  keep();
});
fields.checkpoint.addEventListener("change", adapt);
showPrompt(null);
