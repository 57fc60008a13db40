// Prompts, as the server runs them, and which of their inputs the fields of the page stand for.

// The usual workflow; the fields fill it in.
export function usual() {
  return {
    "3": { class_type: "KSampler", inputs: {
      seed: 0, steps: 20, cfg: 8, sampler_name: "euler", scheduler: "normal", denoise: 1,
      model: ["4", 0], positive: ["6", 0], negative: ["7", 0], latent_image: ["5", 0] } },
    "4": { class_type: "CheckpointLoaderSimple", inputs: { ckpt_name: "" } },
    "5": { class_type: "EmptyLatentImage", inputs: { width: 512, height: 512, batch_size: 1 } },
    "6": { class_type: "CLIPTextEncode", inputs: { text: "", clip: ["4", 1] } },
    "7": { class_type: "CLIPTextEncode", inputs: { text: "", clip: ["4", 1] } },
    "8": { class_type: "VAEDecode", inputs: { samples: ["3", 0], vae: ["4", 2] } },
    "9": { class_type: "SaveImage", inputs: { filename_prefix: "ComfyUI", images: ["8", 0] } },
  };
}

const isLink = (value) => Array.isArray(value) && value.length === 2;
const isNumber = (value) => typeof value === "number" || typeof value === "bigint";
const isText = (value) => typeof value === "string";

// The places of the fields in a prompt: field → {node, input}. A field that the prompt has no place for is left out.
export function places(prompt) {
  const found = {};
  const samplers = Object.keys(prompt).filter((node) => isLink(prompt[node].inputs?.positive) && isLink(prompt[node].inputs?.latent_image));
  // Of several samplers, the one that starts from an empty picture says most about the result.
  const sampler = samplers.find((node) => nearest(prompt, node, "latent_image", "width", isNumber)) ?? samplers[0];
  if (!sampler) return found;
  const put = (field, place) => { if (place) found[field] = place; };
  const own = (field, ...names) => {
    const input = names.find((name) => { const value = prompt[sampler].inputs[name]; return isNumber(value) || isText(value); });
    if (input) found[field] = { node: sampler, input };
  };
  put("positive", nearest(prompt, sampler, "positive", "text", isText));
  put("negative", nearest(prompt, sampler, "negative", "text", isText));
  if (found.negative?.node === found.positive?.node) delete found.negative;
  put("checkpoint", nearest(prompt, sampler, "model", "ckpt_name", isText));
  put("width", nearest(prompt, sampler, "latent_image", "width", isNumber));
  if (found.width && isNumber(prompt[found.width.node].inputs.height)) found.height = { ...found.width, input: "height" };
  own("steps", "steps");
  own("guidance", "cfg");
  own("sampler", "sampler_name");
  own("scheduler", "scheduler");
  own("seed", "seed", "noise_seed");
  return found;
}

// The input `name` of the first node upstream of an input that has it and whose value fits.
function nearest(prompt, node, through, name, fits) {
  const seen = new Set();
  let row = [prompt[node].inputs[through]];
  while (row.length) {
    const next = [];
    for (const [id] of row.filter(isLink)) {
      const inputs = prompt[id]?.inputs;
      if (!inputs || seen.has(id)) continue;
      seen.add(id);
      if (fits(inputs[name])) return { node: id, input: name };
      next.push(...Object.values(inputs));
    }
    row = next;
  }
  return null;
}

// The values of the fields in a prompt.
export function values(prompt) {
  return Object.fromEntries(Object.entries(places(prompt)).map(([field, { node, input }]) => [field, prompt[node].inputs[input]]));
}

// A copy of the prompt with other values.
export function withValues(prompt, wanted) {
  const copy = structuredClone(prompt);
  for (const [field, { node, input }] of Object.entries(places(prompt))) {
    if (field in wanted) copy[node].inputs[input] = wanted[field];
  }
  return copy;
}

const WORK = {
  CheckpointLoaderSimple: "Loading the model", CLIPTextEncode: "Reading the prompt", EmptyLatentImage: "Preparing",
  KSampler: "Drawing", KSamplerAdvanced: "Drawing", VAEDecode: "Developing the picture", SaveImage: "Saving",
};

// What a node is doing, in words.
export function work(prompt, node) {
  // Nodes of an expansion have ids such as 12.0.0.1 or 12:3, and are not in the prompt.
  const found = prompt?.[node] ?? prompt?.[node?.split(/[.:]/)[0]];
  return WORK[found?.class_type] ?? found?._meta?.title ?? found?.class_type ?? "Working";
}

// A line that says which picture a prompt makes.
export function title(prompt) {
  const text = values(prompt).positive?.trim();
  return text || `${Object.keys(prompt).length} nodes`;
}
