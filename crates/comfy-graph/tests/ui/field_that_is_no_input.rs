use comfy_graph::NodeSpec;

/// A node.
#[derive(NodeSpec)]
#[node(id = "Node", category = "test")]
struct Node {
    /// A path.
    path: std::path::PathBuf,
}

fn main() {}
