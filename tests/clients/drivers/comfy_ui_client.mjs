// comfy-ui-client: ends on `executing` without a node, and reads the history at once.
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
const require = createRequire(process.env.CLIENTS + "/package.json");
const { ComfyUIClient } = require("comfy-ui-client");

const [url, prompt, picture] = process.argv.slice(2);
const check = (condition, what) => {
  if (!condition) throw new Error(what);
};

const client = new ComfyUIClient(url.replace("http://", ""), "baadbabe-b00b-4206-9420-deadd00d1337");
await client.connect();
mkdirSync("saved");
const workflow = JSON.parse(readFileSync(prompt));
for (const seed of [41, 42, 43]) {
  workflow["3"].inputs.seed = seed;
  const images = await client.getImages(workflow);
  check(images["9"].length === 1, JSON.stringify(images));
  check(Buffer.from(await images["9"][0].blob.arrayBuffer()).subarray(1, 4).toString() === "PNG", "no picture");
  await client.saveImages(images, "saved");
}
check((await client.getSystemStats()).devices.length > 0, "no devices");
check((await client.getPrompt()).exec_info.queue_remaining === 0, "a full queue");
check((await client.getObjectInfo("KSampler")).KSampler, "no class");
check(Object.keys(await client.getObjectInfo()).length > 50, "no classes");
check(Array.isArray(await client.getEmbeddings()) && Array.isArray(await client.getExtensions()), "no lists");
check((await client.getQueue()).queue_running.length === 0, "a full queue");
const uploaded = await client.uploadImage(readFileSync(picture), "client.png", true);
check(uploaded.name === "client.png", JSON.stringify(uploaded));
const ids = Object.keys(await client.getHistory());
check(ids.length > 0 && (await client.getHistory(ids[0]))[ids[0]], "no history");
// These two read JSON from an answer that is empty, from ComfyUI's as well; what they ask for is done.
const withoutAnswer = (asked) => asked.then(() => check(false, "an answer"), (error) => check(error instanceof SyntaxError, error));
await withoutAnswer(client.editHistory({ delete: [ids[0]] }));
check(!(await client.getHistory(ids[0]))[ids[0]], "not deleted");
workflow["3"].inputs.steps = 0;
check(await client.queuePrompt(workflow).then(() => null, (error) => error), "a wrong prompt was accepted");
await withoutAnswer(client.interrupt());
await client.disconnect();
console.log("comfy-ui-client works");
process.exit(0);
