//! A headless Chromium, driven through its `DevTools` protocol.

mod actions;

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use tungstenite::{Message, WebSocket};

use crate::http::Client;

pub use actions::With;

/// A running browser with one page.
#[derive(Debug)]
pub struct Browser {
    process: Child,
    // Removed when the browser is gone.
    _profile: TempDir,
    socket: WebSocket<TcpStream>,
    last_id: u64,
    problems: Vec<String>,
}

impl Browser {
    /// Starts a browser; nothing when none is installed.
    pub fn start() -> Option<Self> {
        let name = [
            "chromium",
            "chromium-browser",
            "google-chrome",
            "google-chrome-stable",
        ]
        .into_iter()
        .find(|name| {
            Command::new(name)
                .arg("--version")
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .is_ok_and(|status| status.success())
        })?;
        let profile =
            tempfile::tempdir().unwrap_or_else(|error| panic!("no temporary directory: {error}"));
        let mut process = Command::new(name)
            .args([
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--no-first-run",
                "--remote-debugging-port=0",
                // Only servers of this machine: what pages ask of others must not count.
                "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
            ])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        let mut lines = BufReader::new(process.stderr.take().expect("it is piped")).lines();
        let address = lines.by_ref().map_while(Result::ok).find_map(|line| {
            let rest = line.split_once("DevTools listening on ws://")?.1;
            Some(rest.split('/').next().unwrap_or_default().to_owned())
        });
        let address =
            address.unwrap_or_else(|| panic!("{name} ended without opening its debugging port"));
        // Nobody reads the rest, but the pipe must not fill up.
        std::thread::spawn(move || lines.for_each(drop));
        let client = Client::new(
            address
                .parse()
                .unwrap_or_else(|error| panic!("{address}: {error}")),
        );
        let pages = client.get_json("/json/list");
        let url = pages
            .as_array()
            .into_iter()
            .flatten()
            .find(|page| page["type"] == "page")
            .and_then(|page| page["webSocketDebuggerUrl"].as_str());
        let url = url.unwrap_or_else(|| panic!("no page in {pages}"));
        let (socket, _) = tungstenite::client(url, client.connect())
            .unwrap_or_else(|error| panic!("cannot connect to {url}: {error}"));
        let mut browser = Self {
            process,
            _profile: profile,
            socket,
            last_id: 0,
            problems: Vec::new(),
        };
        for domain in ["Page", "Runtime", "Log"] {
            browser.command(&format!("{domain}.enable"), &json!({}));
        }
        Some(browser)
    }

    /// Opens an address and waits until the page is loaded.
    pub fn open(&mut self, url: &str) {
        let answer = self.command("Page.navigate", &json!({"url": url}));
        assert!(
            answer.get("errorText").is_none(),
            "cannot open {url}: {answer}"
        );
        self.hear(url, |message| message["method"] == "Page.loadEventFired");
    }

    /// The value of a JavaScript expression on the page.
    pub fn evaluate(&mut self, expression: &str) -> Value {
        let answer = self.command(
            "Runtime.evaluate",
            &json!({"expression": expression, "returnByValue": true, "awaitPromise": true}),
        );
        assert!(
            answer.get("exceptionDetails").is_none(),
            "{expression}: {answer}"
        );
        answer["result"]["value"].clone()
    }

    /// Errors that the page threw or the browser logged so far.
    pub fn problems(&self) -> Vec<String> {
        self.problems.clone()
    }

    fn command(&mut self, method: &str, parameters: &Value) -> Value {
        self.last_id += 1;
        let id = self.last_id;
        self.post(id, method, parameters);
        let answer = self.hear(method, |message| message["id"] == id);
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].clone()
    }

    fn post(&mut self, id: u64, method: &str, parameters: &Value) {
        let message = json!({"id": id, "method": method, "params": parameters}).to_string();
        self.socket
            .send(Message::text(message))
            .unwrap_or_else(|error| panic!("{method}: {error}"));
    }

    /// The next message that `is_wanted` accepts; complaints on the way are kept.
    fn hear(&mut self, what: &str, is_wanted: impl Fn(&Value) -> bool) -> Value {
        let start = Instant::now();
        while start.elapsed() < Duration::from_mins(1) {
            let message = self
                .socket
                .read()
                .unwrap_or_else(|error| panic!("{what}: {error}"));
            let Message::Text(text) = message else {
                continue;
            };
            let message: Value =
                serde_json::from_str(&text).unwrap_or_else(|error| panic!("{what}: {error}"));
            if is_wanted(&message) {
                return message;
            }
            self.note(&message);
        }
        panic!("{what}: no answer within a minute");
    }

    fn note(&mut self, event: &Value) {
        match event["method"].as_str() {
            Some("Runtime.exceptionThrown") => self
                .problems
                .push(event["params"]["exceptionDetails"].to_string()),
            Some("Runtime.consoleAPICalled") if event["params"]["type"] == "error" => {
                let words = event["params"]["args"].as_array().into_iter().flatten();
                let words: Vec<String> = words
                    .map(|word| match word.get("value").or(word.get("description")) {
                        Some(Value::String(text)) => text.clone(),
                        Some(other) => other.to_string(),
                        None => word.to_string(),
                    })
                    .collect();
                self.problems.push(words.join(" "));
            }
            Some("Page.javascriptDialogOpening") => {
                // Such as whether to leave a page with something unsaved. The answer to this is nobody's.
                self.last_id += 1;
                let id = self.last_id;
                self.post(id, "Page.handleJavaScriptDialog", &json!({"accept": true}));
            }
            Some("Log.entryAdded") if event["params"]["entry"]["level"] == "error" => {
                self.problems.push(event["params"]["entry"].to_string());
            }
            _ => {}
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_can_be_used_and_its_errors_are_seen() {
        let Some(mut browser) = Browser::start() else {
            return crate::skipped(
                "no chromium on this machine, the browser's driver was not tested",
            );
        };
        browser
            .open("data:text/html,<button onclick=\"document.title = 'pressed'\">press</button>");
        browser.evaluate("document.querySelector('button').click()");
        assert_eq!(browser.evaluate("document.title"), "pressed");
        assert_eq!(browser.problems(), Vec::<String>::new());
        browser.evaluate("setTimeout(() => { throw new Error('boom') }, 0)");
        browser.evaluate("new Promise(done => setTimeout(done, 100))");
        assert!(browser.problems().concat().contains("boom"));
    }
}
