use comfy_graph::NodeSpec;

/// A node.
#[derive(NodeSpec)]
#[node(id = "Node", category = "test")]
struct Node {
    /// A text.
    #[input(min = 1)]
    text: String,
}

fn main() {}
