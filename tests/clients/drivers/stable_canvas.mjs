// @stable-canvas/comfyui-client: a pipe, a workflow over the socket, and one by polling.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
const require = createRequire(process.env.CLIENTS + "/package.json");
const { BasePipe, Client, Workflow } = require("@stable-canvas/comfyui-client");
const WebSocket = require("ws");

const [url, prompt] = process.argv.slice(2);
const check = (condition, what) => {
  if (!condition) throw new Error(what);
};

const client = new Client({ api_host: url.replace("http://", ""), WebSocket, fetch });
await client.connect();
check((await client.getSystemStats()).devices.length > 0, "no devices");
check((await client.getSDModels()).includes("sd15_tiny.safetensors"), "no checkpoint");
check((await client.getSamplers()).includes("euler") && (await client.getSchedulers()).includes("normal"), "no samplers");
check((await client.getLoRAs()).length >= 0 && (await client.getVAEs()).length >= 0, "no lists");
check(Object.keys(await client.getNodeDefs()).length > 50, "no classes");
check((await client.getModelFolders()).some((folder) => folder.name === "checkpoints"), "no folders");
check((await client.getModels("checkpoints")).length === 1, "no models");
check(Array.isArray(await client.getEmbeddings()) && Array.isArray(await client.getExtensions()), "no lists");
await client.storeSetting("stable.setting", "x");
check((await client.getSetting("stable.setting")) === "x", "no setting");

const piped = await new BasePipe()
  .with(client)
  .model("sd15_tiny.safetensors")
  .prompt("a cat")
  .negative("bad")
  .size(64, 64)
  .steps(2)
  .cfg(7)
  .seed(31)
  .save()
  .wait();
check(piped.images.length === 1, JSON.stringify(piped));

const workflow = new Workflow();
const { CheckpointLoaderSimple, CLIPTextEncode, EmptyLatentImage, KSampler, SaveImage, VAEDecode } = workflow.classes;
const [model, clip, vae] = CheckpointLoaderSimple({ ckpt_name: "sd15_tiny.safetensors" });
const encode = (text) => CLIPTextEncode({ text, clip })[0];
const [samples] = KSampler({
  model, seed: 32, steps: 3, cfg: 7, sampler_name: "euler", scheduler: "normal", denoise: 1,
  positive: encode("a cat"), negative: encode("bad"), latent_image: EmptyLatentImage({ width: 64, height: 64, batch_size: 1 })[0],
});
SaveImage({ images: VAEDecode({ samples, vae })[0], filename_prefix: "stable" });
const invoked = await workflow.invoke(client);
check(invoked.images.length === 1, JSON.stringify(invoked));

const polled = JSON.parse(readFileSync(prompt));
polled["3"].inputs.seed = 33;
const { prompt_id } = await client._enqueue_prompt(polled);
await client.waitForPrompt(prompt_id, 50, 120000);
check((await client.getPromptResult(prompt_id)).images.length === 1, "no result");
check((await client.getHistory()).History.length > 0 && (await client.getQueue()).Pending.length === 0, "no history");

polled["3"].inputs.steps = 0;
check(await client._enqueue_prompt(polled).then(() => null, (error) => error), "a wrong prompt was accepted");
await client.interrupt();
await client.clearItems("history");
client.close();
console.log("@stable-canvas/comfyui-client works");
process.exit(0);
