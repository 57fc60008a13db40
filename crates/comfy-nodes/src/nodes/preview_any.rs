//! `PreviewAny`.

use comfy_graph::{Node, NodeContext, NodeError, NodeSpec, Value};

/// Shows a value as text: texts, numbers and choices as they are, anything else by its type and shape.
#[derive(Debug, NodeSpec)]
#[node(
    id = "PreviewAny",
    name = "Preview Any",
    category = "utils",
    module = "comfy_extras.nodes_preview_any",
    output_node
)]
pub struct PreviewAny {
    /// The value to show, of any type.
    source: Value,
}

impl Node for PreviewAny {
    type Output = ();

    fn run(self, context: &mut NodeContext<'_>) -> Result<(), NodeError> {
        context.add_ui("text", self.source.describe().into());
        Ok(())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use comfy_graph::testing::NodeTester;

    use super::*;
    use crate::sockets::Latent;

    fn text_of(tester: NodeTester<PreviewAny>) -> String {
        let trace = tester.trace().unwrap().1;
        trace.ui["text"][0].as_str().unwrap().to_owned()
    }

    #[test]
    fn everything_becomes_text() {
        let text = NodeTester::new().wire("source", "a cat".to_owned());
        assert_eq!(text_of(text), "a cat");
        assert_eq!(text_of(NodeTester::new().set("source", true)), "True");
        let latent = Latent::zeros([1, 4, 8, 6]).unwrap();
        assert_eq!(
            text_of(NodeTester::new().wire("source", latent)),
            "LATENT [1, 4, 8, 6]"
        );
    }
}
