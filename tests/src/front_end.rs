//! ComfyUI's own front end in a browser, as the oracle of conversions.
//!
//! `tests/front_end/install.py` fetches it. Only its page runs here: a small server gives it its files and the node classes, and
//! answers what else it asks for when it starts.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::browser::Browser;

/// How long the page may take to start.
const START: Duration = Duration::from_mins(2);

/// A folder that the installer made; nothing when it is not there.
pub fn installed(name: &str) -> Option<PathBuf> {
    let folder = comfy_fixtures::cache_folder().join("front-end").join(name);
    folder.is_dir().then_some(folder)
}

/// The page with one workflow at a time.
#[derive(Debug)]
pub struct FrontEnd {
    browser: Browser,
    workflow: Arc<Mutex<Vec<u8>>>,
}

impl FrontEnd {
    /// Opens the front end in `folder` on these node classes; nothing when no browser is installed.
    pub fn start(folder: &Path, classes: &Value) -> Option<Self> {
        let mut browser = Browser::start()?;
        let workflow = Arc::new(Mutex::new(Vec::new()));
        let site = Site {
            folder: folder.to_owned(),
            classes: classes.to_string().into_bytes(),
            workflow: workflow.clone(),
        };
        let address = site.serve();
        browser.open(&format!("http://{address}/"));
        let begin = Instant::now();
        let ready = "!!(window.app && (window.app.rootGraph || window.app.graph) && window.LiteGraph \
                     && Object.keys(window.LiteGraph.registered_node_types).length > 100)";
        while browser.evaluate(ready) != Value::Bool(true) {
            assert!(
                begin.elapsed() < START,
                "the front end did not start; the page says: {}; {:?}",
                browser.evaluate("document.body ? document.body.innerText : ''"),
                browser.problems()
            );
            std::thread::sleep(Duration::from_millis(200));
        }
        // The last steps of its start have no sign. Nothing needs to be drawn.
        browser.evaluate(
            "new Promise(done => setTimeout(done, 1500)).then(() => {
                // A question would wait for an answer for ever.
                window.alert = window.confirm = window.prompt = () => null;
                window.app.canvas.draw = () => {};
                window.app.canvas.setDirty = () => {};
                document.getElementById('vue-app').style.display = 'none';
            })",
        );
        Some(Self { browser, workflow })
    }

    /// The prompt that the front end would queue, with the first of every choice.
    pub fn prompt(&mut self, workflow: &Value) -> Result<Value, String> {
        *self.workflow.lock().expect("no holder panics") = workflow.to_string().into_bytes();
        let answer = self.browser.evaluate(
            "(async () => {
                const random = Math.random;
                try {
                    const late = new Promise((_, fail) => setTimeout(() => fail('it takes more than 30 seconds'), 30000));
                    const data = await (await fetch('/test/workflow')).json();
                    const quiet = {showMissingNodesDialog: false, showMissingModelsDialog: false,
                                   showMissingNodes: false, showMissingModels: false, silentAssetErrors: true, skipAssetScans: true};
                    await Promise.race([late, window.app.loadGraphData(data, true, false, null, quiet)]);
                    Math.random = () => 0;
                    return {prompt: (await Promise.race([late, window.app.graphToPrompt()])).output};
                } catch (error) {
                    return {error: String(error)};
                } finally {
                    Math.random = random;
                }
            })()",
        );
        match (answer.get("prompt"), answer.get("error")) {
            (Some(prompt), _) => Ok(prompt.clone()),
            (_, Some(Value::String(error))) => Err(error.clone()),
            _ => Err(format!("the page answered {answer}")),
        }
    }
}

/// What the page asks for.
struct Site {
    folder: PathBuf,
    classes: Vec<u8>,
    workflow: Arc<Mutex<Vec<u8>>>,
}

impl Site {
    /// Serves on a free port until the process ends.
    fn serve(self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0")
            .unwrap_or_else(|error| panic!("cannot listen: {error}"));
        let address = listener
            .local_addr()
            .unwrap_or_else(|error| panic!("no address: {error}"));
        let site = Arc::new(self);
        std::thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                let site = site.clone();
                // The browser may break off; it asks again for what it needs.
                std::thread::spawn(move || drop(site.answer(&connection)));
            }
        });
        address
    }

    fn answer(&self, mut connection: &TcpStream) -> std::io::Result<()> {
        let mut lines = BufReader::new(connection).lines();
        let request = lines.next().unwrap_or_else(|| Ok(String::new()))?;
        while lines
            .next()
            .transpose()?
            .is_some_and(|line| !line.is_empty())
        {}
        let target = request.split(' ').nth(1).unwrap_or_default();
        let path = target.split('?').next().unwrap_or_default();
        let (status, kind, body) = self.find(path.strip_prefix("/api").unwrap_or(path));
        write!(
            connection,
            "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        )?;
        connection.write_all(&body)
    }

    fn find(&self, path: &str) -> (&'static str, &'static str, Vec<u8>) {
        let json = |value: &Value| ("200 OK", "application/json", value.to_string().into_bytes());
        match path {
            "/object_info" => return ("200 OK", "application/json", self.classes.clone()),
            "/test/workflow" => {
                let workflow = self.workflow.lock().expect("no holder panics").clone();
                return ("200 OK", "application/json", workflow);
            }
            "/users" => return json(&json!({"storage": "server", "migrated": true})),
            "/settings" => return json(&json!({"Comfy.TutorialCompleted": true})),
            "/system_stats" => {
                return json(&json!({"system": {
                    "os": "posix", "ram_total": 1, "ram_free": 1, "comfyui_version": "0.3.64", "python_version": "3",
                    "pytorch_version": "2", "embedded_python": false, "argv": [],
                }, "devices": []}));
            }
            "/queue" => return json(&json!({"queue_running": [], "queue_pending": []})),
            "/jobs" => {
                return json(
                    &json!({"jobs": [], "pagination": {"offset": 0, "limit": 0, "total": 0, "has_more": false}}),
                );
            }
            "/extensions"
            | "/embeddings"
            | "/experiment/models"
            | "/userdata"
            | "/internal/files/output" => return json(&json!([])),
            "/i18n"
            | "/workflow_templates"
            | "/history"
            | "/features"
            | "/global_subgraphs"
            | "/node_replacements"
            | "/internal/folder_paths" => return json(&json!({})),
            _ => {}
        }
        let name = match path.trim_start_matches('/') {
            "" => "index.html",
            name => name,
        };
        let is_below = Path::new(name)
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        match std::fs::read(self.folder.join(name)) {
            Ok(body) if is_below => ("200 OK", media_type(name), body),
            _ => ("404 Not Found", "application/json", b"{}".to_vec()),
        }
    }
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html",
        "js" | "mjs" => "text/javascript",
        "css" => "text/css",
        "json" => "application/json",
        "svg" => "image/svg+xml",
        _ => "application/octet-stream",
    }
}
