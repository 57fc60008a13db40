use comfy_graph::NodeSpec;

/// A node.
#[derive(NodeSpec)]
#[node(id = "Node", category = "test")]
struct Node {
    /// A number.
    #[input(defualt = 1)]
    number: u32,
}

fn main() {}
