// @saintno/comfyui-sdk: /object_info by class, the log, prompts as text/plain, and the end by events.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
const require = createRequire(process.env.CLIENTS + "/package.json");
const { ComfyApi, CallWrapper, PromptBuilder } = require("@saintno/comfyui-sdk");

const [url, prompt, picture] = process.argv.slice(2);
const check = (condition, what) => {
  if (!condition) throw new Error(what);
};

const api = new ComfyApi(url, "saintno");
await api.init().waitForReady();
check((await api.ping()).status, "no ping");
check((await api.getSystemStats()).devices.length > 0, "no devices");
check((await api.getCheckpoints()).includes("sd15_tiny.safetensors"), "no checkpoint");
check((await api.getSamplerInfo()).sampler[0].length > 10, "no samplers");
check((await api.getNodeDefs("KSampler")).KSampler, "no class");
check(Object.keys(await api.getNodeDefs()).length > 50, "no classes");
check(Array.isArray(await api.getExtensions()) && Array.isArray(await api.getEmbeddings()), "no lists");
const logs = await api.getTerminalLogs();
check(Array.isArray(logs.entries), "no log");
await api.setTerminalSubscription(true);

const uploaded = await api.uploadImage(readFileSync(picture), "saintno.png", { override: true });
check(uploaded.info.filename === "saintno.png", JSON.stringify(uploaded));

const workflow = new PromptBuilder(JSON.parse(readFileSync(prompt)), ["seed", "steps", "checkpoint"], ["images"])
  .setInputNode("seed", "3.inputs.seed")
  .setInputNode("steps", "3.inputs.steps")
  .setInputNode("checkpoint", "4.inputs.ckpt_name")
  .setOutputNode("images", "9");

const run = (builder) =>
  new Promise((resolve, reject) => {
    const progress = [];
    new CallWrapper(api, builder)
      .onProgress((info) => progress.push(info))
      .onFinished((data) => resolve({ data, progress }))
      .onFailed((error) => reject(error))
      .run();
  });

const { data, progress } = await run(workflow.input("seed", 21).input("steps", 12).input("checkpoint", "sd15_tiny.safetensors"));
check(data.images.images.length === 1 && progress.length > 0, JSON.stringify(data));
const blob = await api.getImage(data.images.images[0]);
check(Buffer.from(await blob.arrayBuffer()).subarray(1, 4).toString() === "PNG", "no picture");
const failed = await run(workflow.clone().input("steps", 0)).then(() => null, (error) => error);
check(failed, "a wrong prompt was accepted");
check(Object.keys((await api.getHistories(10))).length > 0, "no history");
check((await api.getQueue()).queue_pending.length === 0, "a full queue");
await api.interrupt();
await api.freeMemory(true, true);

check(await api.storeUserData("saintno.json", { a: 1 }).then(() => true), "no user data");
check((await (await api.getUserData("saintno.json")).json()).a === 1, "no user data");
await api.storeSetting("saintno.setting", 5);
check((await api.getSetting("saintno.setting")) === 5, "no setting");
console.log("@saintno/comfyui-sdk works");
process.exit(0);
