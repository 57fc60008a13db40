//! One server for all tests that only run prompts and look at their results.

use std::sync::{Arc, Mutex, Weak};

use comfy_tests::server::TestServer;

/// The shared server. It ends when the last test that holds it does, so that its directories are removed.
pub(crate) fn shared() -> Arc<TestServer> {
    static SERVER: Mutex<Weak<TestServer>> = Mutex::new(Weak::new());
    let mut server = SERVER
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    server.upgrade().unwrap_or_else(|| {
        let new = Arc::new(TestServer::start());
        *server = Arc::downgrade(&new);
        new
    })
}
