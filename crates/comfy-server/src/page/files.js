// Workflow files, and pictures that carry one: what they say is run.

import { parse } from "./json.js";
import { send } from "./server.js";

const LARGEST = 256 * 2 ** 20;

// The prompt in a file. A saved workflow is turned into one by the server.
export async function promptOf(file) {
  if (file.size > LARGEST) throw new Error(`${file.name} is too large`);
  const bytes = new Uint8Array(await file.arrayBuffer());
  const texts = await (starts(bytes, 1, "PNG") ? pngTexts(bytes) : starts(bytes, 8, "WEBP") ? webpTexts(bytes) : { file: latin(bytes, "utf-8") });
  const parts = [];
  for (const text of [texts.prompt, texts.workflow, texts.file].filter(Boolean)) {
    try { parts.push(parse(text)); } catch { /* not JSON */ }
  }
  const whole = parts.flatMap((part) => [part?.prompt, part, part?.workflow]);
  const prompt = whole.find(isPrompt);
  if (prompt) return prompt;
  const workflow = whole.find((part) => Array.isArray(part?.nodes));
  if (workflow) return send("api/v1/convert", workflow);
  throw new Error(`${file.name} carries no workflow`);
}

function isPrompt(value) {
  const nodes = value && typeof value === "object" && !Array.isArray(value) ? Object.values(value) : [];
  return nodes.length > 0 && nodes.every((node) => typeof node?.class_type === "string" && typeof node?.inputs === "object");
}

const latin = (bytes, encoding = "latin1") => new TextDecoder(encoding).decode(bytes);
const starts = (bytes, at, text) => latin(bytes.subarray(at, at + text.length)) === text;

// The texts of a PNG file by keyword: tEXt, zTXt and iTXt.
async function pngTexts(bytes) {
  const numbers = new DataView(bytes.buffer);
  const found = {};
  for (let at = 8; at + 12 <= bytes.length;) {
    const length = numbers.getUint32(at);
    const kind = latin(bytes.subarray(at + 4, at + 8));
    const data = bytes.subarray(at + 8, at + 8 + length);
    at += 12 + length;
    if (!["tEXt", "zTXt", "iTXt"].includes(kind)) continue;
    const end = data.indexOf(0);
    let body = data.subarray(end + 1);
    let packed = kind === "zTXt";
    if (packed) body = body.subarray(1);
    if (kind === "iTXt") {
      packed = body[0] === 1;
      // Flag and method, then a language and a translated keyword, each with a zero behind it.
      const language = body.indexOf(0, 2);
      body = body.subarray(body.indexOf(0, language + 1) + 1);
    }
    if (packed) body = new Uint8Array(await new Response(new Blob([body]).stream().pipeThrough(new DecompressionStream("deflate"))).arrayBuffer());
    found[latin(data.subarray(0, end))] = latin(body, kind === "iTXt" ? "utf-8" : "latin1");
  }
  return found;
}

// The texts that ComfyUI writes into the EXIF data of a WebP file: each is `key:value` in a field of the first directory.
function webpTexts(bytes) {
  const numbers = new DataView(bytes.buffer);
  for (let at = 12; at + 8 <= bytes.length;) {
    const length = numbers.getUint32(at + 4, true);
    if (starts(bytes, at, "EXIF")) return exifTexts(bytes.slice(at + 8, at + 8 + length));
    at += 8 + length + length % 2;
  }
  return {};
}

function exifTexts(bytes) {
  if (starts(bytes, 0, "Exif")) bytes = bytes.slice(6);
  const numbers = new DataView(bytes.buffer);
  const little = starts(bytes, 0, "II");
  const directory = numbers.getUint32(4, little);
  const found = {};
  for (let entry = 0; entry < numbers.getUint16(directory, little); entry++) {
    const at = directory + 2 + 12 * entry;
    const size = numbers.getUint32(at + 4, little);
    if (numbers.getUint16(at + 2, little) !== 2 || size <= 4) continue;
    const start = numbers.getUint32(at + 8, little);
    const text = latin(bytes.subarray(start, start + size), "utf-8").replace(/\0+$/, "");
    const colon = text.indexOf(":");
    if (colon > 0) found[text.slice(0, colon).toLowerCase()] = text.slice(colon + 1);
  }
  return found;
}
