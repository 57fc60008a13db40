// JSON with whole numbers of any size: seeds have 64 bits, numbers of JavaScript hold 53 exactly.

// Where no picture of the text is handed to the reviver (browsers before 2025), large numbers are rounded, as ComfyUI's page does.
export function parse(text) {
  return JSON.parse(text, (_, value, context) =>
    typeof value === "number" && !Number.isSafeInteger(value) && /^\d+$/.test(context?.source ?? "") ? BigInt(context.source) : value);
}

export function stringify(value) {
  // Nobody else can write this mark into a text.
  const mark = crypto.getRandomValues(new Uint32Array(4)).join("-");
  const text = JSON.stringify(value, (_, part) => typeof part === "bigint" ? mark + part : part);
  return text.replaceAll(new RegExp(`"${mark}(\\d+)"`, "g"), "$1");
}
