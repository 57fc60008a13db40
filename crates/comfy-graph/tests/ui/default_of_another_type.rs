use comfy_graph::NodeSpec;

/// A node.
#[derive(NodeSpec)]
#[node(id = "Node", category = "test")]
struct Node {
    /// A number.
    #[input(default = "x")]
    number: u32,
}

fn main() {}
