use comfy_graph::NodeSpec;

/// A node.
#[derive(NodeSpec)]
#[node(category = "test")]
struct Node;

fn main() {}
