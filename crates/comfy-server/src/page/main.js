// Puts the parts of the page together.

import { promptOf } from "./files.js";
import * as form from "./form.js";
import * as gallery from "./gallery.js";
import * as jobs from "./jobs.js";
import { listen, pictureAddress } from "./server.js";
import * as viewer from "./viewer.js";

const element = (id) => document.getElementById(id);
let newest = null;

function showError(text, inputs = []) {
  element("error").hidden = !text;
  element("error").textContent = text ?? "";
  form.mark(inputs);
}

// --- The picture ------------------------------------------------------------------------------------------------------

function showPicture(address, alt) {
  const picture = element("picture");
  Object.assign(picture, { src: address, alt });
  element("enlarge").hidden = false;
  // A preview is no picture of the gallery yet.
  element("enlarge").disabled = !newest;
  element("empty").hidden = true;
}

function showDone(entry) {
  const pictures = gallery.picturesOf(entry);
  const last = pictures.at(-1);
  const seconds = last?.seconds > 0 ? ` in ${last.seconds.toFixed(1)} s` : "";
  jobs.say(last ? `Done${seconds}.` : "Done; there is no picture to show.");
  if (last) showItem(last);
  gallery.refresh().catch((error) => showError(error.message));
}

// What was made last is there after a reload.
function showNewest() {
  if (!element("empty").hidden && gallery.items().length) showItem(gallery.items()[0]);
}

function showItem(item) {
  newest = item;
  showPicture(pictureAddress(item), item.title);
}

element("enlarge").onclick = () => { if (newest) viewer.open(newest); };

// --- Choices ----------------------------------------------------------------------------------------------------------

async function loadChoices() {
  const checkpoints = await form.loadChoices();
  element("generate").disabled = false;
  element("hint").textContent = checkpoints.length
    ? "Your picture will appear here."
    : "There is no model yet. Put a checkpoint (.safetensors) into the folder models/checkpoints; it appears in the list by itself.";
}

element("form").onsubmit = async (event) => {
  event.preventDefault();
  const prompt = form.prompt();
  if (!prompt) return;
  showError(null);
  if (matchMedia("(max-width: 56rem)").matches) element("frame").scrollIntoView({ block: "nearest" });
  await jobs.submit(prompt).catch((error) => showError(error.message));
};
for (const id of ["positive", "negative"]) {
  element(id).onkeydown = (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) element("form").requestSubmit();
  };
}
element("close-file").onclick = () => { form.close(); element("positive").focus(); };
element("reset").onclick = () => { form.reset().catch((error) => showError(error.message)); jobs.say("Everything is as the model suggests."); };

// --- Files ------------------------------------------------------------------------------------------------------------

function takeOver(prompt, name) {
  showError(null);
  const missing = form.open(prompt, name);
  jobs.say(missing.length ? `The settings of ${name} are here, but ${missing.join(", ")} is not; something else is chosen.` : `The settings of ${name} are here.`);
  element("generate").focus();
}

async function openFile(file) {
  try {
    takeOver(await promptOf(file), file.name);
  } catch (error) {
    showError(error.message);
  }
}

element("open-file").onclick = () => element("file").click();
element("file").onchange = ({ target }) => {
  if (target.files[0]) openFile(target.files[0]);
  target.value = "";
};
const hasFile = ({ dataTransfer }) => [...dataTransfer?.types ?? []].includes("Files");
addEventListener("dragover", (event) => { if (hasFile(event)) { event.preventDefault(); element("drop").hidden = false; } });
addEventListener("dragleave", ({ relatedTarget }) => { if (!relatedTarget) element("drop").hidden = true; });
addEventListener("drop", (event) => {
  element("drop").hidden = true;
  if (!hasFile(event)) return;
  event.preventDefault();
  openFile(event.dataTransfer.files[0]);
});
addEventListener("paste", ({ clipboardData }) => { if (clipboardData?.files[0]) openFile(clipboardData.files[0]); });

// --- Start ------------------------------------------------------------------------------------------------------------

jobs.start({
  preview: (address) => { newest = null; showPicture(address, "Preview of the picture in the making"); },
  done: showDone,
  failed: showError,
  left: () => gallery.refresh().catch((error) => showError(error.message)),
});
gallery.start(viewer.open);
viewer.start(takeOver);
listen({
  open: (client) => Promise.all([jobs.connected(client), loadChoices(), gallery.refresh().then(showNewest)]).catch((error) => showError(error.message)),
  lost: jobs.lost,
  event: jobs.event,
  preview: jobs.preview,
});
// Files may be put into the model folders at any time.
addEventListener("focus", () => loadChoices().catch(() => {}));
