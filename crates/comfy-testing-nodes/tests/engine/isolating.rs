//! Who hears of whose prompts.

use comfy_api::events::TextEvent;
use comfy_graph::Subgraph;

use crate::bench::{Bench, POLICIES, image, show};

#[test]
fn clients_hear_of_their_own_prompts_only() {
    let bench = Bench::new(POLICIES[0]);
    let prompts = ["a", "b"].map(|client| {
        let mut graph = Subgraph::new(client);
        let source = image(&mut graph, "NOISE", 16);
        show(&mut graph, &source);
        (client, bench.submit(&graph, client, None).unwrap())
    });
    for (client, prompt_id) in &prompts {
        let run = bench.wait(prompt_id, client);
        let told: Vec<&str> = run
            .events
            .iter()
            .filter_map(|event| match event {
                TextEvent::ProgressState(state) => Some(state.prompt_id.as_str()),
                _ => None,
            })
            .collect();
        assert!(
            !told.is_empty() && told.iter().all(|id| id == prompt_id),
            "{client}: {told:?}"
        );
    }
}
