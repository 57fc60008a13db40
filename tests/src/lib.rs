//! What the integration tests share: a server on a free port, clients for HTTP and websockets that send exactly what they are told to,
//! and comparison of answers with recorded ones.
//!
//! For tests only: everything panics with a message that says what went wrong.

pub mod browser;
pub mod clients;
pub mod difference;
pub mod front_end;
pub mod http;
pub mod load;
pub mod multipart;
pub mod picture;
pub mod prompts;
pub mod recorded;
pub mod server;
pub mod websocket;

/// Bytes as lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;

    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Says on the terminal, past the test runner's capture, that something was not tested.
pub fn skipped(why: &str) {
    use std::io::Write as _;

    let _ = writeln!(std::io::stderr(), "\nSKIPPED: {why}");
}
