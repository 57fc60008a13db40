//! The test of link types of the nodes that take several types.

use comfy_graph::{Constants, EmptyCatalog, NodeSpec, Section, SocketType};

/// Tests that each link of a node brings nothing but types that its input names, where the engine is content with one type in common:
/// `IMAGE` and `IMAGE,FLOAT` fit an input `IMAGE,FLOAT`, which `IMAGE,MASK` does not.
pub(crate) fn check_links<N: NodeSpec>(constants: &Constants<'_>) -> Result<(), String> {
    let schema = N::schema(&EmptyCatalog).build();
    let inputs = schema.inputs.iter();
    for input in inputs.filter(|input| input.section != Section::Hidden) {
        if let Some(linked) = constants.linked_type(&input.name)
            && !is_part_of(linked, &input.socket)
        {
            let (name, linked, expected) = (&input.name, linked.name(), input.socket.name());
            return Err(format!(
                "input {name}: expected {expected}, got a link that brings {linked}"
            ));
        }
    }
    Ok(())
}

fn is_part_of(linked: &SocketType, expected: &SocketType) -> bool {
    let (SocketType::Named(linked), SocketType::Named(expected)) = (linked, expected) else {
        return linked == expected;
    };
    if linked == "*" || expected == "*" {
        return true;
    }
    let mut types = linked.split(',').map(str::trim);
    types.all(|name| expected.split(',').any(|other| other.trim() == name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_of_a_link_must_fit() {
        for (linked, expected, fits) in [
            ("IMAGE", "IMAGE", true),
            ("IMAGE", "IMAGE,FLOAT", true),
            ("FLOAT, IMAGE", "IMAGE,FLOAT", true),
            ("IMAGE,MASK", "IMAGE,FLOAT", false),
            ("IMAGE,FLOAT", "IMAGE", false),
            ("*", "IMAGE", true),
            ("INT", "*", true),
            ("INT", "FLOAT", false),
        ] {
            let named = |name: &str| SocketType::Named(name.to_owned());
            assert_eq!(
                is_part_of(&named(linked), &named(expected)),
                fits,
                "{linked} into {expected}"
            );
        }
    }
}
