//! The `/object_info` form of schemas, compared with recorded entries.
#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use comfy_api::object_info::NodeInfo;
use comfy_graph::{
    Blocker, Catalog, Choice, EmptyCatalog, Expand, ExtraPngInfo, InputBuilder, Json, Lazy, List,
    Node, NodeClass, NodeContext, NodeError, NodeRegistry, NodeSpec, Outputs, PromptJson, RawLink,
    RegistryError, SchemaBuilder, Socket, Undeclared, UniqueId, Value,
};
use serde_json::json;

macro_rules! sockets {
    ($($name:ident $wire:literal;)*) => {$(
        /// A value that never comes to be.
        #[derive(Clone, Debug)]
        pub struct $name;
        impl Socket for $name {
            const TYPE: &'static str = $wire;
        }
    )*};
}

sockets! {
    Image "IMAGE";
    Model "MODEL";
    Conditioning "CONDITIONING";
    Latent "LATENT";
    ClipModel "CLIP";
}

macro_rules! from_catalog {
    ($($name:ident $list:literal;)*) => {$(
        /// A choice of the catalog.
        #[derive(Clone, Debug)]
        pub struct $name(pub String);
        impl Socket for $name {
            const TYPE: &'static str = "COMBO";
            fn from_json(json: &Json) -> Option<Self> {
                json.as_str().map(|name| Self(name.into()))
            }
            fn choices(catalog: &dyn Catalog) -> Option<Vec<String>> {
                Some(catalog.list($list))
            }
        }
    )*};
}

from_catalog! {
    Sampler "samplers";
    Scheduler "schedulers";
    Picture "input_images";
}

/// Reads the lists from the recorded entries.
struct Recorded;

impl Catalog for Recorded {
    fn list(&self, name: &str) -> Vec<String> {
        let (class, input) = match name {
            "samplers" => ("KSampler", "sampler_name"),
            "schedulers" => ("KSampler", "scheduler"),
            "input_images" => ("LoadImage", "image"),
            _ => return Vec::new(),
        };
        let list = &support::recorded()[class]["input"]["required"][input][0];
        serde_json::from_value(list.clone()).unwrap()
    }
}

/// Samples.
#[derive(NodeSpec)]
#[node(id = "KSampler", category = "sampling", module = "nodes")]
#[expect(dead_code, reason = "only its declaration is tested")]
struct KSampler {
    /// Documented.
    model: Model,
    /// Documented.
    #[input(default = 0, min = 0, max = u64::MAX, control_after_generate)]
    seed: u64,
    /// Documented.
    #[input(default = 20, min = 1, max = 10_000)]
    steps: u32,
    /// Documented.
    #[input(default = 8.0, min = 0.0, max = 100.0, step = 0.1, round = 0.01)]
    cfg: f32,
    /// Documented.
    sampler_name: Sampler,
    /// Documented.
    scheduler: Scheduler,
    /// Documented.
    positive: Conditioning,
    /// Documented.
    negative: Conditioning,
    /// Documented.
    latent_image: Latent,
    /// Documented.
    #[input(default = 1.0, min = 0.0, max = 1.0, step = 0.01)]
    denoise: f64,
}

/// Saves.
#[derive(NodeSpec)]
#[node(
    id = "SaveImage",
    name = "Save Image",
    category = "image",
    module = "nodes",
    output_node
)]
#[expect(dead_code, reason = "only its declaration is tested")]
struct SaveImage {
    /// Documented.
    images: Image,
    /// Documented.
    #[input(default = "ComfyUI")]
    filename_prefix: String,
    prompt: PromptJson,
    extra_pnginfo: ExtraPngInfo,
}

/// Measures.
#[derive(NodeSpec)]
#[node(
    id = "GetImageSize",
    name = "Get Image Size",
    category = "image",
    module = "comfy_extras.nodes_images"
)]
#[expect(dead_code, reason = "only its declaration is tested")]
struct GetImageSize {
    /// Documented.
    image: Image,
    unique_id: UniqueId,
}

/// A size.
#[derive(Outputs)]
struct Size {
    /// In pixels.
    width: i64,
    height: i64,
    #[output(name = "batch_size")]
    count: i64,
}

/// Encodes.
#[derive(NodeSpec)]
#[node(
    id = "CLIPTextEncode",
    name = "CLIP Text Encode (Prompt)",
    category = "conditioning",
    module = "nodes"
)]
#[expect(dead_code, reason = "only its declaration is tested")]
struct ClipTextEncode {
    /// Documented.
    #[input(multiline, dynamic_prompts)]
    text: String,
    /// Documented.
    clip: ClipModel,
}

/// Loads.
#[derive(NodeSpec)]
#[node(
    id = "LoadImage",
    name = "Load Image",
    category = "image",
    module = "nodes"
)]
#[expect(dead_code, reason = "only its declaration is tested")]
struct LoadImage {
    /// Documented.
    #[input(image_upload)]
    image: Picture,
}

/// Where models live.
#[derive(Clone, Copy, Debug, PartialEq, Choice)]
enum Device {
    /// Wherever.
    Default,
    /// Not on a GPU.
    Cpu,
}

/// Loads.
#[derive(NodeSpec)]
#[node(id = "Toy", category = "toys", experimental, deprecated = false)]
#[expect(dead_code, reason = "only its declaration is tested")]
struct Toy {
    #[input(default = Device::Cpu, advanced)]
    device: Option<Device>,
    #[input(options = ["a", "b"], default = "b", name = "mode name")]
    r#type: String,
    /// Two
    /// lines.
    ///
    /// And a paragraph.
    anything: Option<comfy_graph::Value>,
}

macro_rules! nodes {
    ($($node:ident -> $output:ty;)*) => {$(
        impl Node for $node {
            type Output = $output;
            fn run(self, _: &mut NodeContext<'_>) -> Result<$output, NodeError> {
                Err(NodeError::runtime("a declaration cannot run"))
            }
        }
    )*};
}

nodes! {
    KSampler -> Latent;
    SaveImage -> ();
    GetImageSize -> Size;
    ClipTextEncode -> Conditioning;
    LoadImage -> (Image, Latent);
    Toy -> (Device, bool);
}

fn entry<N: Node>() -> Json {
    let info = NodeClass::of::<N>().schema(&Recorded).to_object_info();
    serde_json::to_value(info).unwrap()
}

/// Without texts, which are not recorded; an input whose settings were only a text has an empty object left.
fn without_texts(mut entry: Json) -> Json {
    let members = entry.as_object_mut().unwrap();
    members.remove("description");
    members.remove("output_tooltips");
    for section in ["required", "optional"] {
        let inputs = members["input"]
            .get_mut(section)
            .and_then(Json::as_object_mut);
        for (_, input) in inputs.into_iter().flatten() {
            if let Some(settings) = input.get_mut(1).and_then(Json::as_object_mut) {
                settings.remove("tooltip");
            }
        }
    }
    entry
}

#[test]
fn derived_schemas_have_the_recorded_forms() {
    let recorded = support::recorded();
    for (id, entry) in [
        ("KSampler", entry::<KSampler>()),
        ("SaveImage", entry::<SaveImage>()),
        ("GetImageSize", entry::<GetImageSize>()),
        ("CLIPTextEncode", entry::<ClipTextEncode>()),
    ] {
        let mut expected = recorded[id].clone();
        // Every input of ours has a help text, so there is always a settings object.
        for (_, input) in expected["input"]["required"].as_object_mut().unwrap() {
            let input = input.as_array_mut().unwrap();
            if input.len() == 1 {
                input.push(json!({}));
            }
        }
        assert_eq!(without_texts(entry), expected, "{id}");
    }
    assert_eq!(
        entry::<LoadImage>()["input"]["required"]["image"],
        json!([["example.png"], {"image_upload": true, "tooltip": "Documented."}])
    );
}

#[test]
fn recorded_schemas_survive() {
    for (id, entry) in support::recorded().as_object().unwrap() {
        let info = support::schema(entry).to_object_info();
        let mut info = serde_json::to_value(info).unwrap();
        info.as_object_mut().unwrap().remove("description");
        assert_eq!(&info, entry, "{id}");
    }
}

#[test]
fn recorded_entries_survive_a_round_trip() {
    for (id, entry) in support::recorded().as_object().unwrap() {
        let read: NodeInfo = serde_json::from_value(entry.clone()).unwrap();
        let mut written = serde_json::to_value(read).unwrap();
        written.as_object_mut().unwrap().remove("description");
        assert_eq!(&written, entry, "{id}");
    }
}

#[test]
fn numbers_keep_their_form() {
    let text = entry::<KSampler>().to_string();
    assert!(text.contains(r#""step":0.1,"round":0.01"#), "{text}");
    assert!(text.contains(r#""default":8.0"#), "{text}");
    assert!(text.contains(r#""max":18446744073709551615"#), "{text}");
}

#[test]
fn a_toy_of_everything() {
    assert_eq!(
        entry::<Toy>(),
        json!({
            "input": {
                "required": {"mode name": [["a", "b"], {"default": "b"}]},
                "optional": {
                    "device": [["default", "cpu"], {"default": "cpu", "advanced": true}],
                    "anything": ["*", {"tooltip": "Two lines.\nAnd a paragraph."}],
                },
            },
            "input_order": {"required": ["mode name"], "optional": ["device", "anything"]},
            "output": [["default", "cpu"], "BOOLEAN"],
            "output_is_list": [false, false],
            "output_name": ["COMBO", "BOOLEAN"],
            "name": "Toy",
            "display_name": "Toy",
            "description": "Loads.",
            "python_module": "object_info",
            "category": "toys",
            "output_node": false,
            "experimental": true,
        })
    );
}

#[test]
fn outputs_have_labels_and_help_texts() {
    let entry = entry::<GetImageSize>();
    assert_eq!(
        entry["output_name"],
        json!(["width", "height", "batch_size"])
    );
    assert_eq!(entry["output_tooltips"], json!(["In pixels.", null, null]));
}

#[test]
fn an_id_is_registered_once() {
    let mut registry = NodeRegistry::new();
    registry
        .register::<KSampler>()
        .unwrap()
        .register::<Toy>()
        .unwrap();
    let error = registry.register::<Toy>().map(|_| ()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "node Toy of object_info::Toy is already registered by object_info::Toy"
    );
    let ids: Vec<_> = registry.iter().map(|(id, _)| id).collect();
    assert_eq!(ids, ["KSampler", "Toy"]);
}

#[test]
fn a_class_must_make_sense() {
    let class = |inputs: &'static [&'static str]| {
        let schema = move |catalog: &dyn Catalog| {
            let builder = SchemaBuilder::new("Twice", "Has inputs.", "tests");
            let add = |builder: SchemaBuilder, name: &&str| {
                builder.input(InputBuilder::<i64>::new(name, catalog))
            };
            inputs.iter().fold(builder, add).build()
        };
        NodeClass::new("a test", schema, |_, _| Ok(Vec::new()))
    };
    let register = |class| NodeRegistry::new().register_class(class).map(|_| ());
    assert_eq!(register(class(&["a", "b"])), Ok(()));
    assert!(matches!(
        register(class(&["a", "a"])),
        Err(RegistryError::DuplicateInput { .. })
    ));
    assert!(matches!(
        register(class(&[""])),
        Err(RegistryError::Empty { .. })
    ));
    let unknown = class(&["a"]).with_check(&["b"], |_, _| Ok(()));
    assert!(matches!(
        register(unknown),
        Err(RegistryError::UnknownCheck { .. })
    ));
}

/// How to fade.
#[derive(Clone, Copy, Choice)]
enum Fade {
    /// At the same pace.
    #[choice("linear")]
    Linear,
    /// Slowly at first.
    #[choice("ease in")]
    EaseIn,
}

/// A class of the third node API.
#[derive(NodeSpec)]
#[node(id = "Third", category = "toys", v3)]
struct Third {
    images: List<Value>,
    #[input(default = Fade::EaseIn)]
    fade: Fade,
    #[input(accepts = "IMAGE,MASK")]
    either: Option<Lazy<Value>>,
    link: Option<RawLink<i64>>,
    #[input(hidden)]
    start: Option<Value>,
    rest: Undeclared,
    unique_id: UniqueId,
}

impl Node for Third {
    type Output = (List<Value>, Result<i64, Blocker>);

    fn run(self, _: &mut NodeContext<'_>) -> Result<Self::Output, NodeError> {
        let _ = (
            self.fade,
            self.either,
            self.link,
            self.start,
            self.rest,
            self.unique_id,
        );
        Ok((self.images, Ok(1)))
    }
}

/// An older class with a combo of the newer form.
#[derive(NodeSpec)]
#[node(id = "Second", category = "toys")]
struct Second {
    #[input(combo)]
    fade: Fade,
}

impl Node for Second {
    type Output = Expand<i64>;

    fn run(self, _: &mut NodeContext<'_>) -> Result<Self::Output, NodeError> {
        let _ = self.fade;
        Ok(1.into())
    }
}

#[test]
fn the_forms_of_the_third_node_api() {
    let info = |class: NodeClass| {
        serde_json::to_value(class.schema(&EmptyCatalog).to_object_info()).unwrap()
    };
    let third = info(NodeClass::of::<Third>());
    let choices = ["linear", "ease in"];
    assert_eq!(
        third["input"],
        json!({
            "required": {
                "images": ["*", {}],
                "fade": ["COMBO", {"default": "ease in", "multiselect": false, "options": choices}],
            },
            "optional": {
                "either": ["IMAGE,MASK", {"lazy": true}],
                "link": ["INT", {"rawLink": true}],
            },
            "hidden": {"start": ["*"], "unique_id": ["UNIQUE_ID"]},
        })
    );
    assert_eq!(third["output"], json!(["*", "INT"]));
    assert_eq!(third["output_is_list"], json!([true, false]));
    // A class of this kind without a name of its own has none.
    assert_eq!(third["display_name"], Json::Null);
    for flag in ["deprecated", "experimental", "api_node"] {
        assert_eq!(third[flag], false);
    }
    let second = info(NodeClass::of::<Second>());
    assert_eq!(
        second["input"]["required"]["fade"],
        json!(["COMBO", {"options": choices}])
    );
    assert_eq!(second["output"], json!(["INT"]));
    assert_eq!(second["display_name"], "Second");
    assert_eq!(second.get("deprecated"), None);
}
