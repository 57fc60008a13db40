//! A small HTTP/1.1 client that sends a request as it is written: paths are not normalised, headers are not added, bodies may break off.

use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_mins(5);

/// One request.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// `GET`, `POST`, …
    pub method: String,
    /// Path and query, sent as they are.
    pub target: String,
    /// Headers besides Host, Connection and Content-Length.
    pub headers: Vec<(String, String)>,
    /// The body; Content-Length follows from it.
    pub body: Vec<u8>,
}

impl Request {
    /// A request without headers and body.
    pub fn new(method: &str, target: &str) -> Self {
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            ..Self::default()
        }
    }

    /// A POST with a JSON body.
    pub fn json(target: &str, body: &Value) -> Self {
        Self::new("POST", target)
            .header("Content-Type", "application/json")
            .body(body.to_string())
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }
}

/// One answer.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Header names (as they came) and values.
    pub headers: Vec<(String, String)>,
    /// The whole body, chunks joined.
    pub body: Vec<u8>,
}

impl Response {
    /// The value of a header, by its name in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The body as JSON. Panics with the body's beginning when it is none.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| {
            panic!(
                "the answer (status {}) is no JSON: {error}: {:.300}",
                self.status,
                self.text()
            )
        })
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Panics unless the status is `status`; returns the answer.
    #[track_caller]
    #[expect(
        clippy::return_self_not_must_use,
        reason = "often the status is all that matters"
    )]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(
            self.status,
            status,
            "status; the body is {:.600}",
            self.text()
        );
        self
    }
}

/// A client of one server; every request takes a connection of its own.
#[derive(Clone, Copy, Debug)]
pub struct Client {
    address: SocketAddr,
}

impl Client {
    /// A client of the server at `address`.
    pub fn new(address: SocketAddr) -> Self {
        Self { address }
    }

    /// The server's address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Opens a connection with time-outs.
    pub fn connect(&self) -> TcpStream {
        self.try_connect()
            .unwrap_or_else(|error| panic!("cannot connect to {}: {error}", self.address))
    }

    fn try_connect(&self) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(stream)
    }

    /// Sends a request and waits for its answer.
    #[track_caller]
    pub fn send(&self, request: &Request) -> Response {
        self.try_send(request)
            .unwrap_or_else(|error| panic!("{} {}: {error}", request.method, request.target))
    }

    /// Sends a request and waits for its answer; an error when the connection breaks.
    pub fn try_send(&self, request: &Request) -> io::Result<Response> {
        let length = request.body.len() as u64;
        let announce =
            length > 0 || !matches!(&*request.method, "GET" | "HEAD" | "OPTIONS" | "DELETE");
        self.stream_body(request, announce.then_some(length), |stream| {
            stream.write_all(&request.body)
        })
    }

    /// Sends a request whose body is written piece by piece, and whose announced length may be a lie. A body that the server no longer
    /// takes is no error: the answer counts.
    pub fn stream_body(
        &self,
        request: &Request,
        announced_length: Option<u64>,
        body: impl FnOnce(&mut TcpStream) -> io::Result<()>,
    ) -> io::Result<Response> {
        let mut stream = self.try_connect()?;
        let mut head = format!("{} {} HTTP/1.1\r\n", request.method, request.target);
        if !request
            .headers
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case("host"))
        {
            let _ = write!(head, "Host: {}\r\n", self.address);
        }
        head.push_str("Connection: close\r\n");
        for (name, value) in &request.headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        if let Some(length) = announced_length {
            let _ = write!(head, "Content-Length: {length}\r\n");
        }
        head.push_str("\r\n");
        stream.write_all(head.as_bytes())?;
        match body(&mut stream) {
            Err(error)
                if !matches!(
                    error.kind(),
                    io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset
                ) =>
            {
                return Err(error);
            }
            _ => {}
        }
        read_response(&mut BufReader::new(stream), &request.method)
    }

    /// GET.
    #[track_caller]
    pub fn get(&self, target: &str) -> Response {
        self.send(&Request::new("GET", target))
    }

    /// GET of JSON that must succeed.
    #[track_caller]
    pub fn get_json(&self, target: &str) -> Value {
        self.get(target).expect(200).json()
    }

    /// POST of JSON.
    #[track_caller]
    pub fn post(&self, target: &str, body: &Value) -> Response {
        self.send(&Request::json(target, body))
    }
}

/// Reads one answer to a request of the given method.
pub fn read_response(reader: &mut impl BufRead, method: &str) -> io::Result<Response> {
    loop {
        let status_line = read_line(reader)?;
        let status = status_line
            .split(' ')
            .nth(1)
            .and_then(|code| code.parse().ok());
        let status: u16 =
            status.ok_or_else(|| invalid(format!("not a status line: {status_line:?}")))?;
        let mut headers = Vec::new();
        loop {
            let line = read_line(reader)?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line
                .split_once(':')
                .ok_or_else(|| invalid(format!("not a header: {line:?}")))?;
            headers.push((name.to_owned(), value.trim().to_owned()));
        }
        if status == 100 {
            continue;
        }
        let mut response = Response {
            status,
            headers,
            body: Vec::new(),
        };
        if method != "HEAD" && status >= 200 && status != 204 && status != 304 {
            read_body(reader, &mut response)?;
        }
        return Ok(response);
    }
}

fn read_body(reader: &mut impl BufRead, response: &mut Response) -> io::Result<()> {
    if response
        .header("transfer-encoding")
        .is_some_and(|value| value.eq_ignore_ascii_case("chunked"))
    {
        loop {
            let line = read_line(reader)?;
            let size = usize::from_str_radix(line.split(';').next().unwrap_or_default().trim(), 16);
            let size = size.map_err(|_| invalid(format!("not a chunk size: {line:?}")))?;
            let start = response.body.len();
            response.body.resize(start + size, 0);
            reader.read_exact(&mut response.body[start..])?;
            read_line(reader)?;
            if size == 0 {
                return Ok(());
            }
        }
    }
    match response.header("content-length").map(str::parse::<usize>) {
        Some(Ok(length)) => {
            response.body.resize(length, 0);
            reader.read_exact(&mut response.body)
        }
        Some(Err(error)) => Err(invalid(format!("bad content length: {error}"))),
        None => reader.read_to_end(&mut response.body).map(drop),
    }
}

fn read_line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            "the connection ended before the answer",
        ));
    }
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

fn invalid(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Response {
        read_response(&mut text.as_bytes(), "GET").unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn bodies_by_length_in_chunks_and_to_the_end() {
        assert_eq!(
            read("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabc").text(),
            "ab"
        );
        assert_eq!(read("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n").text(), "abc");
        assert_eq!(read("HTTP/1.1 200 OK\r\n\r\nabc").text(), "abc");
    }

    #[test]
    fn header_names_have_no_case() {
        assert_eq!(
            read("HTTP/1.1 404 Not Found\r\nX-Thing: a:b\r\n\r\n").header("x-thing"),
            Some("a:b")
        );
    }
}
