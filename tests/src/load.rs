//! Many clients at once: websockets that listen, and connections that ask.

use std::collections::HashMap;
use std::io::{BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tungstenite::{Error, Message, WebSocket};

use crate::http::{Client, Response, read_response};
use crate::prompts::PATIENCE;

/// Threads that read websockets.
const READERS: usize = 4;

/// So long after the last message none is on its way any more.
const SILENCE: Duration = Duration::from_secs(2);

/// How much of it.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Websockets, each with a client id of its own.
    pub sockets: usize,
    /// Connections that ask one thing after the other.
    pub requesters: usize,
    /// For how long.
    pub time: Duration,
}

/// What happened.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Answered requests, prompts included.
    pub requests: usize,
    /// Prompts that were accepted.
    pub prompts: usize,
    /// Messages that websockets got.
    pub messages: usize,
    /// What was lost or wrong.
    pub losses: Vec<String>,
}

/// One connection that is used for one request after the other.
#[derive(Debug)]
pub struct KeptAlive {
    address: SocketAddr,
    reader: BufReader<TcpStream>,
}

impl KeptAlive {
    /// Connects.
    pub fn connect(client: &Client) -> Self {
        Self {
            address: client.address(),
            reader: BufReader::new(client.connect()),
        }
    }

    /// GET.
    pub fn get(&mut self, target: &str) -> std::io::Result<Response> {
        self.send("GET", target, "")
    }

    /// Sends a request with this body and waits for its answer.
    pub fn send(&mut self, method: &str, target: &str, body: &str) -> std::io::Result<Response> {
        let request = format!(
            "{method} {target} HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        self.reader.get_mut().write_all(request.as_bytes())?;
        read_response(&mut self.reader, method)
    }
}

/// Puts the load on a server. Each prompt is sent for one of the websockets, which must hear of its beginning and of its end.
pub fn run(client: &Client, load: Load) -> Outcome {
    let stop = AtomicBool::new(false);
    let sent: Mutex<HashMap<usize, Vec<String>>> = Mutex::default();
    let requests = AtomicUsize::new(0);
    let losses: Mutex<Vec<String>> = Mutex::default();
    let mut sockets: Vec<Listener> = (0..load.sockets)
        .map(|number| Listener::open(client, number))
        .collect();
    std::thread::scope(|scope| {
        let share = sockets.len().div_ceil(READERS).max(1);
        for part in sockets.chunks_mut(share) {
            scope.spawn(|| listen(part, &stop));
        }
        let askers: Vec<_> = (0..load.requesters)
            .map(|number| {
                let (sent, requests, losses) = (&sent, &requests, &losses);
                scope.spawn(move || {
                    let result = ask(client, number, load, sent, requests);
                    if let Err(error) = result {
                        lock(losses).push(format!("requester {number}: {error}"));
                    }
                })
            })
            .collect();
        for asker in askers {
            asker.join().expect("requesters do not panic");
        }
        client.wait_until_idle();
        // The last messages are on their way: readers stop when nothing has come for a while.
        stop.store(true, Ordering::Relaxed);
    });
    let sent = sent.into_inner().expect("nobody panicked");
    let mut losses = losses.into_inner().expect("nobody panicked");
    for (number, socket) in sockets.iter().enumerate() {
        losses.extend(socket.problem.clone());
        let own = sent.get(&number).map_or(&[][..], Vec::as_slice);
        for (what, heard) in [("beginning", &socket.begun), ("end", &socket.ended)] {
            let missing = own.iter().filter(|id| !heard.contains(id)).count();
            if missing > 0 || heard.len() != own.len() {
                losses.push(format!(
                    "websocket {number} heard of the {what} of {} prompts, {} were its own, {missing} are missing",
                    heard.len(),
                    own.len()
                ));
            }
        }
    }
    Outcome {
        requests: requests.into_inner(),
        prompts: sent.values().map(Vec::len).sum(),
        messages: sockets.iter().map(|socket| socket.messages).sum(),
        losses,
    }
}

/// A websocket and what it heard.
struct Listener {
    socket: WebSocket<TcpStream>,
    messages: usize,
    begun: Vec<String>,
    ended: Vec<String>,
    problem: Option<String>,
}

impl Listener {
    fn open(client: &Client, number: usize) -> Self {
        let url = format!("ws://{}/ws?clientId=load-{number}", client.address());
        let (socket, _) = tungstenite::client(url, client.connect())
            .unwrap_or_else(|error| panic!("websocket {number}: {error}"));
        let stream = socket.get_ref();
        stream
            .set_nonblocking(true)
            .unwrap_or_else(|error| panic!("websocket {number}: {error}"));
        Self {
            socket,
            messages: 0,
            begun: Vec::new(),
            ended: Vec::new(),
            problem: None,
        }
    }

    /// Reads what is there. Whether there was anything.
    fn read(&mut self, number: usize) -> bool {
        let mut any = false;
        while self.problem.is_none() {
            match self.socket.read() {
                Ok(Message::Text(text)) => {
                    any = true;
                    self.messages += 1;
                    self.note(&text);
                }
                Ok(_) => any = true,
                Err(Error::Io(error)) if error.kind() == std::io::ErrorKind::WouldBlock => break,
                Err(error) => {
                    self.problem = Some(format!(
                        "a websocket ({number} of its thread) broke: {error}"
                    ));
                }
            }
        }
        any
    }

    fn note(&mut self, text: &str) {
        // Most messages are of the queue's length.
        let heard = match text {
            text if text.contains("execution_start") => &mut self.begun,
            text if text.contains("execution_success") => &mut self.ended,
            _ => return,
        };
        let message: Value = serde_json::from_str(text).unwrap_or_default();
        if let Some(id) = message["data"]["prompt_id"].as_str() {
            heard.push(id.to_owned());
        }
    }
}

fn listen(sockets: &mut [Listener], stop: &AtomicBool) {
    let mut latest = Instant::now();
    loop {
        let mut any = false;
        for (number, socket) in sockets.iter_mut().enumerate() {
            any |= socket.read(number);
        }
        if any {
            latest = Instant::now();
        } else if stop.load(Ordering::Relaxed) && latest.elapsed() > SILENCE {
            return;
        } else {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

/// Sends prompts and asks what clients ask meanwhile, until the time is over.
fn ask(
    client: &Client,
    number: usize,
    load: Load,
    sent: &Mutex<HashMap<usize, Vec<String>>>,
    requests: &AtomicUsize,
) -> Result<(), String> {
    let end = Instant::now() + load.time;
    let mut connection = KeptAlive::connect(client);
    let mut count = 0;
    while Instant::now() < end {
        let socket = (number + count * load.requesters) % load.sockets.max(1);
        // Every fourth has something to do, the others are cached.
        let color = if count % 4 == 0 {
            number * 1000 + count
        } else {
            1
        };
        let body = json!({"client_id": format!("load-{socket}"), "prompt": small_prompt(color)});
        let answer = exchange(
            &mut connection,
            requests,
            "POST",
            "/prompt",
            &body.to_string(),
            200,
        )?;
        let id = answer.json()["prompt_id"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        lock(sent).entry(socket).or_default().push(id.clone());
        for target in [
            "/queue",
            "/prompt",
            "/object_info/KSampler",
            "/system_stats",
            "/api/embeddings",
        ] {
            exchange(&mut connection, requests, "GET", target, "", 200)?;
        }
        let begin = Instant::now();
        loop {
            let answer = exchange(
                &mut connection,
                requests,
                "GET",
                &format!("/history/{id}"),
                "",
                200,
            )?;
            if let Some(entry) = answer.json().get(&id) {
                if entry["status"]["status_str"] != "success" {
                    return Err(format!("a prompt failed: {}", entry["status"]));
                }
                break;
            }
            if begin.elapsed() > PATIENCE {
                return Err(format!("prompt {id} is not done after {PATIENCE:?}"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        count += 1;
    }
    Ok(())
}

/// A prompt that computes next to nothing.
pub fn small_prompt(color: usize) -> Value {
    json!({
        "1": {"class_type": "EmptyImage", "inputs": {"width": 8, "height": 8, "batch_size": 1, "color": color}},
        "2": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}},
    })
}

fn exchange(
    connection: &mut KeptAlive,
    requests: &AtomicUsize,
    method: &str,
    target: &str,
    body: &str,
    status: u16,
) -> Result<Response, String> {
    let answer = connection
        .send(method, target, body)
        .map_err(|error| format!("{method} {target}: {error}"))?;
    if answer.status != status {
        return Err(format!(
            "{method} {target}: status {}: {:.200}",
            answer.status,
            answer.text()
        ));
    }
    requests.fetch_add(1, Ordering::Relaxed);
    Ok(answer)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().expect("nobody panics while holding it")
}

/// The memory of a process in MiB, by its id; nothing where the system does not tell.
pub fn memory(process: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes / 1024.0)
}
