//! Many clients at once lose nothing. `cargo bench -p comfy-tests --bench server -- --load` does it with more of them, for longer.

use std::time::Duration;

use comfy_tests::load::{Load, run};
use comfy_tests::server::TestServer;

#[test]
fn many_clients_lose_nothing() {
    let server = TestServer::start();
    let load = Load {
        sockets: 120,
        requesters: 16,
        time: Duration::from_secs(4),
    };
    let outcome = run(&server.client(), load);
    eprintln!("{load:?}: {outcome:?}");
    assert_eq!(outcome.losses, Vec::<String>::new());
    assert!(outcome.prompts >= load.requesters);
}
