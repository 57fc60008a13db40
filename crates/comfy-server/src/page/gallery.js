// The pictures that were made, newest first.

import { title } from "./graph.js";
import { pictureAddress, read } from "./server.js";

const PAGE = 48;
const PICTURE = /\.(png|jpe?g|webp|gif|avif|svg)$/i;
const element = (id) => document.getElementById(id);
const state = { items: [], tiles: new Map(), shown: PAGE, open: () => {} };

// `open(item)` is called for a picture that was chosen.
export function start(open) { state.open = open; }

export const items = () => state.items;

const key = ({ type, subfolder, filename }) => `${type}/${subfolder}/${filename}`;

// The pictures of a history entry, with what made them.
export function picturesOf(entry) {
  const prompt = entry.prompt[2];
  const time = (name) => entry.status?.messages?.find(([type]) => type === name)?.[1].timestamp;
  const seconds = (time("execution_success") - time("execution_start")) / 1000;
  const pictures = Object.values(entry.outputs).flatMap((output) => output.images ?? []);
  return pictures.filter(({ filename }) => PICTURE.test(filename)).map(({ filename, subfolder, type }) =>
    ({ filename, subfolder, type, prompt, seconds, key: key({ filename, subfolder, type }), title: title(prompt) }));
}

// What the server remembers, and behind it what lies in the output folder since earlier.
export async function refresh() {
  const [history, files] = await Promise.all([
    read("history?max_items=200"),
    read("internal/files/output").catch(() => []),
  ]);
  const found = new Map();
  const add = (item) => { if (!found.has(item.key)) found.set(item.key, item); };
  Object.values(history).reverse().forEach((entry) => picturesOf(entry).reverse().forEach(add));
  for (const filename of files.filter((name) => PICTURE.test(name))) {
    const place = { filename, subfolder: "", type: "output" };
    add({ ...place, key: key(place), title: filename });
  }
  state.items = [...found.values()];
  draw();
}

function draw() {
  const list = element("pictures");
  const shown = state.items.slice(0, state.shown);
  shown.forEach((item, index) => {
    let tile = state.tiles.get(item.key);
    if (!tile) state.tiles.set(item.key, tile = newTile(item));
    if (list.children[index] !== tile) list.insertBefore(tile, list.children[index] ?? null);
  });
  while (list.children.length > shown.length) list.lastElementChild.remove();
  element("gallery").hidden = state.items.length === 0;
  element("earlier").hidden = shown.length === state.items.length;
  element("count").textContent = state.items.length === 1 ? "1 picture" : `${state.items.length} pictures`;
}

function newTile(item) {
  const image = Object.assign(new Image(), { src: pictureAddress(item), alt: item.title, loading: "lazy", decoding: "async" });
  const button = Object.assign(document.createElement("button"), { type: "button", title: item.title });
  button.append(image);
  button.onclick = () => state.open(item);
  const tile = document.createElement("li");
  tile.append(button);
  // Somebody may have deleted the file.
  image.onerror = () => {
    state.items = state.items.filter(({ key }) => key !== item.key);
    draw();
  };
  return tile;
}

element("earlier").onclick = () => {
  const first = state.shown;
  state.shown += PAGE;
  draw();
  element("pictures").children[first]?.querySelector("button").focus();
};
