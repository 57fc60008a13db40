//! `ModelMergeBlocks` and its kin for single families: two diffusion models become one, with a ratio for each part of the network.

use comfy_diffusion::weights::patch::Blend;
use comfy_graph::{
    Catalog, InputBuilder, Inputs, Node, NodeClass, NodeContext, NodeError, NodeRegistry,
    NodeSchema, NodeSpec, Outputs, RegistryError, Returns, SchemaBuilder,
};

use super::whole::merge_models;
use crate::nodes::loaders::LoadedModel;
use crate::sockets::Model;

/// Makes one diffusion model of two, with a ratio for the way down, the middle and the way up. Each ratio says how much of the first
/// model there is in that part, from 0 for none to 1 for nothing else.
#[derive(Debug, NodeSpec)]
#[node(
    id = "ModelMergeBlocks",
    category = "advanced/model_merging",
    module = "comfy_extras.nodes_model_merging"
)]
pub struct ModelMergeBlocks {
    /// The first diffusion model.
    model1: Model,
    /// The second diffusion model. Only tensors that the first one has too count.
    model2: Model,
    /// The ratio of the blocks on the way down, and of all that no other ratio is for.
    #[input(default = 1.0, min = 0.0, max = 1.0, step = 0.01)]
    input: f64,
    /// The ratio of the blocks in the middle.
    #[input(default = 1.0, min = 0.0, max = 1.0, step = 0.01)]
    middle: f64,
    /// The ratio of the blocks on the way up and of the end.
    #[input(default = 1.0, min = 0.0, max = 1.0, step = 0.01)]
    out: f64,
}

impl Node for ModelMergeBlocks {
    type Output = LoadedModel;

    fn run(self, _: &mut NodeContext<'_>) -> Result<LoadedModel, NodeError> {
        let parts = [
            ("input", self.input),
            ("middle", self.middle),
            ("out", self.out),
        ];
        merge_models(&self.model1, &self.model2, blend(parts))
    }
}

/// The ratios of parts of a network by the beginnings of their names; the first is that of all else.
fn blend<N: Into<String>>(ratios: impl IntoIterator<Item = (N, f64)>) -> Blend {
    let parts: Vec<(String, [f64; 2])> = ratios
        .into_iter()
        .map(|(name, ratio)| (name.into(), Blend::ratio(ratio)))
        .collect();
    Blend {
        others: parts
            .first()
            .map_or(Blend::ratio(1.0), |(_, factors)| *factors),
        parts,
    }
}

/// The parts of the networks of a family. A number behind a name stands for the blocks below that number.
struct Family {
    id: &'static str,
    name: &'static str,
    parts: &'static [(&'static str, Option<usize>)],
    /// What ends the names of numbered blocks.
    end: &'static str,
}

static FAMILIES: [Family; 3] = [
    Family {
        id: "ModelMergeSD1",
        name: "Stable Diffusion 1",
        parts: &UNET_OF_FOUR_LEVELS,
        end: ".",
    },
    Family {
        id: "ModelMergeSD2",
        name: "Stable Diffusion 2",
        parts: &UNET_OF_FOUR_LEVELS,
        end: ".",
    },
    Family {
        id: "ModelMergeSDXL",
        name: "Stable Diffusion XL",
        parts: &[
            ("time_embed.", None),
            ("label_emb.", None),
            ("input_blocks.", Some(9)),
            ("middle_block.", Some(3)),
            ("output_blocks.", Some(9)),
            ("out.", None),
        ],
        end: "",
    },
];

const UNET_OF_FOUR_LEVELS: [(&str, Option<usize>); 6] = [
    ("time_embed.", None),
    ("label_emb.", None),
    ("input_blocks.", Some(12)),
    ("middle_block.", Some(3)),
    ("output_blocks.", Some(12)),
    ("out.", None),
];

impl Family {
    /// The names of all parts, as they are called in prompts.
    fn names(&self) -> impl Iterator<Item = String> {
        self.parts.iter().flat_map(|(name, count)| match count {
            None => vec![(*name).to_owned()],
            Some(count) => (0..*count)
                .map(|number| format!("{name}{number}{}", self.end))
                .collect(),
        })
    }

    fn schema(&self, catalog: &dyn Catalog) -> NodeSchema {
        let model =
            |name: &str, text: &str| InputBuilder::<Model>::new(name, catalog).tooltip(text);
        let description = format!(
            "Makes one diffusion model of two of the family {}, with a ratio for each part of the network: how much of the first model there is in it.",
            self.name
        );
        let module = "comfy_extras.nodes_model_merging_model_specific";
        let schema = SchemaBuilder::new(self.id, &description, module)
            .category("advanced/model_merging/model_specific")
            .input(model("model1", "The first diffusion model."))
            .input(model("model2", "The second diffusion model."));
        self.names()
            .fold(schema, |schema, name| {
                let text = format!("How much of the first model there is in `{name}`.");
                let ratio = InputBuilder::<f64>::new(&name, catalog);
                schema.input(
                    ratio
                        .tooltip(&text)
                        .default(1.0)
                        .min(0.0)
                        .max(1.0)
                        .step(0.01),
                )
            })
            .outputs(LoadedModel::specs(catalog))
            .build()
    }

    fn run(&self, inputs: &mut Inputs) -> Result<LoadedModel, NodeError> {
        let (first, second) = (
            inputs.take::<Model>("model1")?,
            inputs.take::<Model>("model2")?,
        );
        let ratios = self
            .names()
            .map(|name| Ok((name.clone(), inputs.take::<f64>(&name)?)))
            .collect::<Result<Vec<_>, NodeError>>()?;
        merge_models(&first, &second, blend(ratios))
    }
}

/// Registers the classes for single families.
pub(super) fn register(registry: &mut NodeRegistry) -> Result<(), RegistryError> {
    for family in &FAMILIES {
        registry.register_class(NodeClass::with_steps(
            "comfy-nodes",
            |catalog| family.schema(catalog),
            |inputs, _: &mut NodeContext<'_>| Ok(family.run(inputs)?.into_step()),
        ))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_block_has_its_name() {
        let names = |id: &str| -> Vec<String> {
            let family = FAMILIES.iter().find(|family| family.id == id);
            family
                .map(|family| family.names().collect())
                .unwrap_or_default()
        };
        assert_eq!(names("ModelMergeSD1").len(), 30);
        assert_eq!(names("ModelMergeSDXL")[4], "input_blocks.2");
        assert_eq!(names("ModelMergeSD2")[13], "input_blocks.11.");
    }

    #[test]
    fn the_first_ratio_is_that_of_all_else() {
        let blend = blend([("input", 0.25), ("out", 1.0)]);
        assert_eq!(blend.others.to_vec(), [0.25, 0.75]);
    }
}
