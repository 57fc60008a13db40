//! `--tls-certfile` and `--tls-keyfile`.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use comfy_server::{ApiKey, Config, Server, StartError, TlsFiles};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::toys::Toy;

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/tls")
        .join(name)
}

fn files() -> TlsFiles {
    TlsFiles {
        certificate: file("certificate.pem"),
        key: file("key.pem"),
    }
}

/// A connection of a client that trusts the certificate of the tests.
fn connect(toy: &Toy) -> StreamOwned<ClientConnection, TcpStream> {
    let mut roots = RootCertStore::empty();
    let certificate = CertificateDer::from_pem_file(file("certificate.pem")).unwrap();
    roots.add(certificate).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let client = ClientConnection::new(Arc::new(config), name).unwrap();
    let stream = TcpStream::connect(toy.address()).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    StreamOwned::new(client, stream)
}

fn get(toy: &Toy, target: &str) -> String {
    let mut stream = connect(toy);
    write!(
        stream,
        "GET {target} HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    // Some servers end without a farewell; what came counts.
    let _ = stream.read_to_string(&mut answer);
    answer
}

#[test]
fn requests_and_websockets_can_be_encrypted() {
    let toy = Toy::with(|config| config.tls = Some(files()));
    assert!(toy.server.base_url().starts_with("https://"));
    let answer = get(&toy, "/prompt");
    assert!(
        answer.starts_with("HTTP/1.1 200")
            && answer.ends_with(r#"{"exec_info":{"queue_remaining":0}}"#),
        "{answer}"
    );
    // A large answer takes many records.
    let answer = get(&toy, "/object_info");
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with('}'));
    let (mut socket, _) = tungstenite::client("wss://localhost/ws", connect(&toy)).unwrap();
    let hello = socket.read().unwrap().into_text().unwrap();
    assert!(hello.contains("\"sid\""), "{hello}");

    let mut plain = TcpStream::connect(toy.address()).unwrap();
    plain
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    plain
        .write_all(b"GET /prompt HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer);
    assert!(
        !answer.starts_with(b"HTTP/1.1 2"),
        "nothing goes over the wire in clear"
    );
}

#[test]
fn cookies_stay_on_encrypted_connections() {
    let toy = Toy::with(|config| {
        config.tls = Some(files());
        config.api_key = ApiKey::new("k").ok();
    });
    let answer = get(&toy, "/?token=k");
    assert!(answer.contains("; SameSite=Strict; Secure\r\n"), "{answer}");
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let base = tempfile::tempdir().unwrap();
    let start = |certificate: PathBuf, key: PathBuf| {
        let config = Config {
            port: 0,
            base_directory: base.path().to_owned(),
            tls: Some(TlsFiles { certificate, key }),
            ..Config::default()
        };
        match Server::builder(config).start() {
            Err(error @ StartError::Tls(_)) => error.to_string(),
            other => panic!("it started: {other:?}"),
        }
    };
    let missing = base.path().join("nothing.pem");
    let text = start(missing.clone(), file("key.pem"));
    assert!(
        text.contains("expected a certificate") && text.contains("nothing.pem"),
        "{text}"
    );
    let text = start(file("certificate.pem"), missing);
    assert!(
        text.contains("expected a private key") && text.contains("nothing.pem"),
        "{text}"
    );
    // A certificate is no key, and a key no certificate.
    let text = start(file("certificate.pem"), file("certificate.pem"));
    assert!(text.contains("expected a private key"), "{text}");
    let text = start(file("key.pem"), file("key.pem"));
    assert!(text.contains("key.pem"), "{text}");
}
