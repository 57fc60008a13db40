//! What a person does with a browser: look, wait, type, drop files.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Browser;

/// How long something on a page may take.
const PATIENCE: Duration = Duration::from_mins(4);

/// Keys held down while another is pressed, as the protocol numbers them.
#[derive(Clone, Copy, Debug)]
pub enum With {
    /// None.
    Nothing = 0,
    /// Alt and Ctrl.
    ControlAlt = 3,
    /// Ctrl.
    Control = 2,
    /// Shift.
    Shift = 8,
}

impl Browser {
    /// Waits until a JavaScript expression is true.
    pub fn wait(&mut self, what: &str, condition: &str) {
        let start = Instant::now();
        while self.evaluate(condition) != Value::Bool(true) {
            if start.elapsed() > PATIENCE {
                let text = self.evaluate("document.body ? document.body.innerText : ''");
                self.keep_screenshot("late");
                panic!(
                    "not true after {PATIENCE:?}: {what}; the page says: {text}; {:?}",
                    self.problems()
                );
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Presses a key: its name (`Enter`, `Tab`) or one letter or digit.
    pub fn press(&mut self, key: &str, with: With) {
        let virtual_key = match key {
            "Tab" => 9,
            "Enter" => 13,
            "Escape" => 27,
            " " => 32,
            "ArrowLeft" => 37,
            "ArrowRight" => 39,
            letter => letter
                .bytes()
                .next()
                .map_or(0, |letter| letter.to_ascii_uppercase().into()),
        };
        let code = match key.len() {
            1 if key != " " => format!("Key{}", key.to_uppercase()),
            _ => key.replace(' ', "Space"),
        };
        let mut down = json!({
            "type": "keyDown", "key": key, "code": code, "windowsVirtualKeyCode": virtual_key, "modifiers": with as i32,
        });
        if matches!(key, "Enter" | " ") {
            down["text"] = if key == " " { " ".into() } else { "\r".into() };
        }
        self.command("Input.dispatchKeyEvent", &down);
        down["type"] = "keyUp".into();
        if let Some(members) = down.as_object_mut() {
            members.remove("text");
        }
        self.command("Input.dispatchKeyEvent", &down);
    }

    /// Types a text where the focus is.
    pub fn enter_text(&mut self, text: &str) {
        self.command("Input.insertText", &json!({"text": text}));
    }

    /// Drops a file at a place of the window.
    pub fn drop_file(&mut self, path: &Path, x: u32, y: u32) {
        for kind in ["dragEnter", "dragOver", "drop"] {
            let data = json!({"items": [], "files": [path], "dragOperationsMask": 1});
            let parameters = json!({"type": kind, "x": x, "y": y, "data": data});
            self.command("Input.dispatchDragEvent", &parameters);
        }
    }

    /// Gives the window another size. A phone has a touch screen and no room for scroll bars.
    pub fn resize(&mut self, width: u32, height: u32, is_phone: bool) {
        self.command(
            "Emulation.setDeviceMetricsOverride",
            &json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": is_phone}),
        );
    }

    /// Sets what styles may ask for, such as `prefers-color-scheme`.
    pub fn prefer(&mut self, feature: &str, value: &str) {
        self.command(
            "Emulation.setEmulatedMedia",
            &json!({"features": [{"name": feature, "value": value}]}),
        );
    }

    /// What assistive technology sees: role and name of everything on the page that is not ignored.
    pub fn accessible(&mut self) -> Vec<(String, String)> {
        let tree = self.command("Accessibility.getFullAXTree", &json!({}));
        let nodes = tree["nodes"].as_array().into_iter().flatten();
        let text = |value: &Value| value["value"].as_str().unwrap_or_default().to_owned();
        nodes
            .filter(|node| node["ignored"] == false)
            .map(|node| (text(&node["role"]), text(&node["name"])))
            .collect()
    }

    /// Saves what the window shows in the folder that `COMFY_SCREENSHOTS` names; without it, nothing happens.
    pub fn keep_screenshot(&mut self, name: &str) {
        let Some(folder) = std::env::var_os("COMFY_SCREENSHOTS") else {
            return;
        };
        let answer = self.command("Page.captureScreenshot", &json!({"format": "png"}));
        let encoded = answer["data"].as_str().unwrap_or_default();
        let path = Path::new(&folder).join(format!("{name}.png"));
        std::fs::create_dir_all(&folder)
            .and_then(|()| std::fs::write(&path, base64(encoded)))
            .unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
    }
}

/// Bytes from their base64 text.
fn base64(text: &str) -> Vec<u8> {
    let (mut bits, mut count, mut bytes) = (0_u32, 0, Vec::new());
    for letter in text.bytes() {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => continue,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 0xff) as u8);
        }
    }
    bytes
}
