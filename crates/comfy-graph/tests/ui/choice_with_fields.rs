use comfy_graph::Choice;

#[derive(Clone, Choice)]
enum Method {
    Fast(u32),
}

fn main() {}
