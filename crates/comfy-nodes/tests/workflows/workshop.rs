//! The registry with folders and a device, and a few lines in the place of the engine.

use std::any::Any;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use comfy_diffusion::device::{DevicePlan, DeviceRequest};
use comfy_graph::{
    Call, Host, Inputs, Json, NodeContext, NodeError, NodeRegistry, Preview, Services, Slot, Value,
};
use comfy_nodes::folders::{Folders, FoldersOptions};
use comfy_nodes::runtime::{PreviewMethod, Runtime, RuntimeOptions};
use serde_json::{Number, json};

/// Writes down progress; stops after some steps when told to.
#[derive(Default)]
pub(super) struct Watcher {
    pub(super) progress: Mutex<Vec<(u64, u64, Option<Preview>)>>,
    /// 0 means never.
    pub(super) stop_after: AtomicUsize,
    pub(super) preview_method: Option<Json>,
}

impl Host for Watcher {
    fn progress(&self, value: Number, max: Number, preview: Option<Preview>) {
        let steps = |number: Number| number.as_u64().unwrap();
        let step = (steps(value), steps(max), preview);
        self.progress.lock().unwrap().push(step);
    }

    fn interrupted(&self) -> bool {
        let steps = self.stop_after.load(Ordering::Relaxed);
        steps > 0 && self.progress.lock().unwrap().len() >= steps
    }

    fn instance(
        &self,
        make: &mut dyn FnMut() -> Arc<dyn Any + Send + Sync>,
    ) -> Arc<dyn Any + Send + Sync> {
        make()
    }

    fn extra_data(&self, key: &str) -> Option<&Json> {
        self.preview_method
            .as_ref()
            .filter(|_| key == "preview_method")
    }
}

pub(super) struct Workshop {
    pub(super) base: tempfile::TempDir,
    pub(super) registry: NodeRegistry,
    pub(super) runtime: Arc<Runtime>,
    pub(super) services: Services,
    pub(super) watcher: Arc<Watcher>,
}

impl Workshop {
    pub(super) fn new(preview: PreviewMethod) -> Self {
        let base = tempfile::tempdir().unwrap();
        let checkpoint = comfy_fixtures::checkpoint("sd15_tiny");
        let folder = checkpoint.parent().unwrap();
        let paths = json!({"fixtures": {
            "checkpoints": folder, "vae_approx": folder, "upscale_models": folder, "loras": format!("{}\n{}", comfy_fixtures::path("loras").display(), base.path().join("output/loras").display()),
            "controlnet": folder, "gligen": folder, "hypernetworks": comfy_fixtures::path("control"),
            "photomaker": folder, "style_models": folder, "clip_vision": comfy_fixtures::path("clip_vision"),
        }});
        std::fs::write(
            base.path().join("extra_model_paths.yaml"),
            paths.to_string(),
        )
        .unwrap();
        let options = FoldersOptions {
            base: base.path().to_path_buf(),
            ..FoldersOptions::default()
        };
        let folders = Folders::new(options).unwrap();
        folders.create_all().unwrap();
        for name in ["ref_img.png", "ref_img2.png"] {
            std::fs::copy(
                comfy_fixtures::path(&format!("input/{name}")),
                folders.input_dir().join(name),
            )
            .unwrap();
        }
        let runtime = Arc::new(Runtime::new(RuntimeOptions {
            folders: Arc::new(folders),
            device: DevicePlan::survey(DeviceRequest::Cpu).unwrap(),
            preview,
            preview_size: 512,
            metadata: true,
        }));
        let mut services = Services::new();
        services.insert(Arc::clone(&runtime));
        let mut registry = NodeRegistry::new();
        comfy_nodes::register(&mut registry).unwrap();
        Self {
            base,
            registry,
            runtime,
            services,
            watcher: Arc::default(),
        }
    }

    /// Runs the node `id` and all that it needs.
    pub(super) fn run(
        &self,
        prompt: &Json,
        id: &str,
        done: &mut HashMap<String, Vec<Value>>,
    ) -> Result<Vec<Json>, NodeError> {
        if done.contains_key(id) {
            return Ok(Vec::new());
        }
        let node = &prompt[id];
        let class = self
            .registry
            .get(node["class_type"].as_str().unwrap())
            .unwrap();
        let mut inputs = Inputs::new();
        for (name, value) in node["inputs"].as_object().unwrap() {
            let link = value
                .as_array()
                .filter(|items| items.first().is_some_and(Json::is_string));
            let slot = match link {
                Some(link) => {
                    let source = link[0].as_str().unwrap();
                    self.run(prompt, source, done)?;
                    Slot::Wire(done[source][link[1].as_u64().unwrap() as usize].clone())
                }
                None => Slot::Literal(value.clone()),
            };
            inputs.insert(name.clone(), slot);
        }
        let extra = json!({"workflow": {"version": 0.4}});
        inputs.insert("prompt", Slot::Hidden(Arc::new(prompt.clone())));
        inputs.insert("extra_pnginfo", Slot::Hidden(Arc::new(extra.clone())));
        let mut context = NodeContext::new(Call {
            unique_id: id.into(),
            index: 0,
            prompt: Arc::new(prompt.clone()),
            extra_pnginfo: Arc::new(extra),
            services: self.services.clone(),
            host: self.watcher.clone(),
        });
        let values = class.run(&mut inputs, &mut context)?;
        let values = values.finished(&mut context)?.into_values()?;
        done.insert(id.to_owned(), values);
        Ok(context.take_ui().swap_remove("images").unwrap_or_default())
    }

    pub(super) fn path_of(&self, item: &Json) -> PathBuf {
        let text = |key: &str| item[key].as_str().unwrap();
        self.runtime
            .folders()
            .resolve(text("type"), text("subfolder"), text("filename"))
            .unwrap()
    }
}
