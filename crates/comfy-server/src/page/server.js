// What the page asks of the server.

import { parse, stringify } from "./json.js";

// The page may live below a prefix.
const base = new URL("..", import.meta.url);

export async function read(path) {
  const answer = await fetch(new URL(path, base), { cache: "no-store" });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${answer.statusText}`);
  return parse(await answer.text());
}

// Sends JSON; fails with what the server says is wrong.
export async function send(path, body) {
  const answer = await fetch(new URL(path, base), {
    method: "POST", headers: { "Content-Type": "application/json" }, body: stringify(body) });
  const text = await answer.text();
  let result = null;
  try { result = parse(text); } catch { /* some answers are empty or plain text */ }
  if (!answer.ok) throw new Refusal(result, text || `${answer.status} ${answer.statusText}`);
  return result;
}

// The words of a refusal, and the inputs that it is about.
export class Refusal extends Error {
  constructor(answer, text) {
    const error = answer?.error;
    const lines = error ? [[error.message, error.details].filter(Boolean).join(": ")] : [text];
    const inputs = [];
    for (const [node, { class_type, errors }] of Object.entries(answer?.node_errors ?? {})) {
      for (const { message, details, extra_info } of errors) {
        lines.push(`${class_type} (${node}): ${message}${details ? `: ${details}` : ""}`);
        inputs.push({ node, input: extra_info?.input_name });
      }
    }
    super(lines.join("\n"));
    this.inputs = inputs;
  }
}

export function pictureAddress({ filename, subfolder = "", type = "output" }) {
  return new URL(`view?${new URLSearchParams({ filename, subfolder, type })}`, base).href;
}

// The websocket, opened again whenever it is lost. `on` has the functions open, lost, event and preview.
export function listen(on) {
  // The same name after a reload, so that the progress of what runs goes on.
  let client = sessionStorage.getItem("client");
  const connect = () => {
    const address = new URL("ws", base);
    address.protocol = address.protocol.replace("http", "ws");
    if (client) address.searchParams.set("clientId", client);
    const socket = new WebSocket(address);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => socket.send(JSON.stringify({ type: "feature_flags", data: { supports_preview_metadata: true } }));
    socket.onmessage = ({ data }) => {
      if (typeof data !== "string") return preview(data, on.preview);
      const message = JSON.parse(data);
      if (message.type === "status" && message.data.sid) {
        client = message.data.sid;
        sessionStorage.setItem("client", client);
        on.open(client);
      }
      on.event(message);
    };
    socket.onclose = () => {
      on.lost();
      setTimeout(connect, 1000);
    };
  };
  connect();
}

// A frame of kind 4: the kind, the length of a description in JSON, the description, the picture.
function preview(buffer, show) {
  if (buffer.byteLength < 8) return;
  const numbers = new DataView(buffer);
  if (numbers.getUint32(0) !== 4) return;
  const start = 8 + numbers.getUint32(4);
  const about = JSON.parse(new TextDecoder().decode(buffer.slice(8, start)));
  show(about.prompt_id, new Blob([buffer.slice(start)], { type: about.image_type }));
}
