//! What a node of a class has on the front end: its sockets in order, and its widgets in the order of their saved values.

use super::document::kind;
use crate::Json;
use comfy_api::object_info::NodeInfo;
use serde_json::Map;

/// Types that the front end gives a widget.
const WIDGET_TYPES: &[&str] = &[
    "AUDIO_RECORD",
    "AUDIO_UI",
    "AUDIOUPLOAD",
    "BOOLEAN",
    "BOUNDING_BOX",
    "BOUNDING_BOXES",
    "CHART",
    "COLOR",
    "COLORS",
    "COMBO",
    "CURVE",
    "FILEUPLOAD",
    "FLOAT",
    "GALLERIA",
    "IMAGECOMPARE",
    "IMAGEUPLOAD",
    "INT",
    "LOAD_3D",
    "LOAD_3D_ANIMATION",
    "MARKDOWN",
    "MULTISELECT",
    "PAINTER",
    "PREVIEW_3D",
    "PREVIEW_3D_ANIMATION",
    "RANGE",
    "SELECTBUTTON",
    "STRING",
    "TEXTAREA",
    "TREESELECT",
    "WEBCAM",
];

/// Classes whose `audio` widget comes with a player, which has no saved value.
const AUDIO_PLAYERS: &[&str] = &[
    "LoadAudio",
    "PreviewAudio",
    "SaveAudio",
    "SaveAudioMP3",
    "SaveAudioOpus",
];

/// A class as the front end shows it.
#[derive(Debug)]
pub(super) struct Layout {
    /// The name of the class.
    pub(super) class: String,
    /// The title of a node without one of its own.
    pub(super) title: String,
    /// Sockets without widget first, then those of widgets.
    pub(super) sockets: Vec<Socket>,
    /// The types of the outputs.
    pub(super) outputs: Vec<String>,
    /// What the places of `widgets_values` belong to.
    pub(super) places: Vec<Place>,
    /// How old front ends counted the places, which had one for inputs that are sockets only now.
    pub(super) old: OldPlaces,
}

/// An input.
#[derive(Debug)]
pub(super) struct Socket {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) is_widget: bool,
}

/// A place in `widgets_values`.
#[derive(Debug)]
pub(super) enum Place {
    /// The value of an input.
    Input(Widget),
    /// A button or a control that prompts do not have.
    Other,
}

/// An input that has a widget.
#[derive(Debug)]
pub(super) struct Widget {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) settings: Map<String, Json>,
    /// The choices of a combo.
    pub(super) choices: Vec<Json>,
    /// Whether the file chosen is shown with the name of its folder, and which folder that is.
    pub(super) upload: Option<Upload>,
}

/// How the value of an upload widget is written.
#[derive(Debug)]
pub(super) struct Upload {
    pub(super) folder: String,
    pub(super) several: bool,
}

/// The places of files from before sockets were split from widgets.
#[derive(Debug, Default)]
pub(super) struct OldPlaces {
    pub(super) count: usize,
    /// For each input that had a place: whether it is a socket only.
    pub(super) is_socket: Vec<bool>,
}

/// An input of a class, read from `/object_info`.
struct Declared {
    name: String,
    kind: String,
    settings: Map<String, Json>,
    choices: Vec<Json>,
    optional: bool,
}

impl Declared {
    fn read(name: &str, declaration: &Json, optional: bool) -> Self {
        let settings = declaration.get(1).and_then(Json::as_object);
        let settings = settings.cloned().unwrap_or_default();
        let listed = declaration.get(0).and_then(Json::as_array);
        let choices = listed.or_else(|| settings.get("options").and_then(Json::as_array));
        Self {
            name: name.to_owned(),
            kind: kind(declaration.get(0)),
            choices: choices.cloned().unwrap_or_default(),
            settings,
            optional,
        }
    }

    fn is_set(&self, key: &str) -> bool {
        self.settings.get(key).is_some_and(is_truthy)
    }

    fn widget_type(&self) -> &str {
        let own = self.settings.get("widgetType").and_then(Json::as_str);
        own.unwrap_or(&self.kind)
    }

    fn has_widget(&self) -> bool {
        !self.is_set("forceInput") && WIDGET_TYPES.contains(&self.widget_type())
    }

    fn is_seed(&self) -> bool {
        matches!(self.name.as_str(), "seed" | "noise_seed")
    }

    fn uploads_picture(&self) -> bool {
        let keys = ["image_upload", "video_upload", "animated_image_upload"];
        self.kind == "COMBO"
            && keys
                .iter()
                .any(|key| self.settings.get(*key) == Some(&Json::Bool(true)))
    }

    /// The places before and after its own that belong to buttons and controls.
    fn places_around(&self) -> (usize, usize) {
        let control = || match self.settings.get("control_after_generate") {
            None | Some(Json::Null) => None,
            Some(set) => Some(is_truthy(set)),
        };
        match self.widget_type() {
            "INT" => (0, usize::from(control().unwrap_or(self.is_seed()))),
            // The control, and a filter for the choices.
            "COMBO" if !self.is_set("multi_select") => {
                (0, if control() == Some(true) { 2 } else { 0 })
            }
            "AUDIO_RECORD" => (0, 1),
            "LOAD_3D" | "LOAD_3D_ANIMATION" => (3, 0),
            _ => (0, 0),
        }
    }
}

impl Layout {
    pub(super) fn of(info: &NodeInfo) -> Self {
        let inputs = declared(info);
        let mut layout = Self {
            class: info.name.clone(),
            title: match &info.display_name {
                Some(name) if !name.is_empty() => name.clone(),
                _ => info.name.clone(),
            },
            sockets: Vec::new(),
            outputs: info
                .output
                .iter()
                .map(|output| kind(Some(output)))
                .collect(),
            places: Vec::new(),
            old: OldPlaces::default(),
        };
        let upload = inputs
            .iter()
            .find(|input| !input.optional && input.uploads_picture())
            .map(|input| input.name.clone());
        let uploads_audio = inputs.iter().any(|input| {
            input.name == "audio" && input.settings.get("audio_upload") == Some(&Json::Bool(true))
        });
        let has_player = AUDIO_PLAYERS.contains(&info.name.as_str());
        let has_button = upload.is_some() || uploads_audio;
        layout.count_old(&inputs, usize::from(has_player) + usize::from(has_button));
        for input in inputs.iter().filter(|input| !input.has_widget()) {
            layout.add_socket(input, false);
        }
        for input in inputs.into_iter().filter(Declared::has_widget) {
            layout.add_socket(&input, true);
            let (before, after) = input.places_around();
            let upload = (Some(&input.name) == upload.as_ref()).then(|| Upload {
                folder: input
                    .settings
                    .get("image_folder")
                    .and_then(Json::as_str)
                    .unwrap_or("input")
                    .to_owned(),
                several: input.is_set("allow_batch"),
            });
            let others = |count| std::iter::repeat_with(|| Place::Other).take(count);
            layout.places.extend(others(before));
            layout.places.push(Place::Input(Widget {
                kind: input.widget_type().to_owned(),
                name: input.name,
                settings: input.settings,
                choices: input.choices,
                upload,
            }));
            layout.places.extend(others(after));
        }
        if has_button {
            layout.places.push(Place::Other);
        }
        layout
    }

    /// The widget of an input.
    pub(super) fn widget(&self, name: &str) -> Option<&Widget> {
        self.places.iter().find_map(|place| match place {
            Place::Input(widget) if widget.name == name => Some(widget),
            _ => None,
        })
    }

    fn add_socket(&mut self, input: &Declared, is_widget: bool) {
        self.sockets.push(Socket {
            name: input.name.clone(),
            kind: input.kind.clone(),
            is_widget,
        });
    }

    fn count_old(&mut self, inputs: &[Declared], buttons: usize) {
        // Buttons stand at the end of the required inputs.
        for optional in [false, true] {
            for input in inputs.iter().filter(|input| input.optional == optional) {
                let forced = input.is_set("forceInput");
                if forced || input.has_widget() {
                    let controlled = input.is_set("control_after_generate") || input.is_seed();
                    self.old.count += if controlled { 2 } else { 1 };
                    self.old.is_socket.push(forced);
                }
            }
            if !optional {
                self.old.count += buttons;
                self.old.is_socket.extend((0..buttons).map(|_| false));
            }
        }
    }
}

/// Required inputs, then optional ones, each section in the order that the class asks for.
fn declared(info: &NodeInfo) -> Vec<Declared> {
    let mut found = Vec::new();
    let sections = [
        (&info.input.required, "required", false),
        (&info.input.optional, "optional", true),
    ];
    for (inputs, section, optional) in sections {
        let ordered = info.input_order.get(section).into_iter().flatten();
        let ordered: Vec<&String> = ordered.filter(|name| inputs.contains_key(*name)).collect();
        let others = inputs.keys().filter(|name| !ordered.contains(name));
        for name in ordered.iter().copied().chain(others) {
            found.push(Declared::read(name, &inputs[name], optional));
        }
    }
    found
}

/// What JavaScript takes for true.
pub(super) fn is_truthy(value: &Json) -> bool {
    match value {
        Json::Null => false,
        Json::Bool(value) => *value,
        Json::Number(number) => number.as_f64().is_some_and(|number| number != 0.0),
        Json::String(text) => !text.is_empty(),
        Json::Array(_) | Json::Object(_) => true,
    }
}
