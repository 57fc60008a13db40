// Front ends of ComfyUI 0.3.64 take for granted that the server has each of these loaders: they look up what a loader is called without
// looking whether it is there, and then no node can have a list of checkpoints, LoRAs or VAEs. Newer ones look first. This tells the old ones
// of the loaders that the server does not have, as out-of-date nodes, which the search hides.
import { app } from "../../scripts/app.js";

const NAMES = [
  "CheckpointLoaderSimple", "ControlNetLoader", "GLIGENLoader", "ImageOnlyCheckpointLoader", "LoraLoader", "LoraLoaderModelOnly",
  "StyleModelLoader", "UNETLoader", "UpscaleModelLoader", "VAELoader",
];

const [major, minor] = (window.__COMFYUI_FRONTEND_VERSION__ ?? "").split(".").map(Number);

if (major === 1 && minor < 58) {
  app.registerExtension({
    name: "comfy-server.loaders",
    addCustomNodeDefs(classes) {
      for (const name of NAMES) {
        classes[name] ??= {
          name, display_name: `${name} (not on this server)`, description: "This server does not have this node.",
          category: "not on this server", python_module: "nodes", deprecated: true, output_node: false,
          input: { required: {} }, input_order: { required: [] }, output: [], output_name: [], output_is_list: [],
        };
      }
    },
  });
}
