use comfy_graph::NodeSpec;

#[derive(NodeSpec)]
#[node(id = "Node", category = "test")]
struct Node {
    /// A number.
    number: u32,
}

fn main() {}
