//! The browser's own form of a graph, which travels as `extra_data.extra_pnginfo.workflow` and is stored in pictures.
//!
//! There the server does not look into it; posted instead of a prompt, it is turned into one. These types document the form; every
//! member may be missing.

use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr, Schema,
        schema::{
            AdditionalProperties, Array, ArrayBuilder, Object, ObjectBuilder, OneOfBuilder, Ref,
            SchemaType, Type,
        },
    },
};

fn of(kind: Type) -> Object {
    ObjectBuilder::new()
        .schema_type(SchemaType::new(kind))
        .build()
}

fn list_of(item: impl Into<RefOr<Schema>>) -> Array {
    ArrayBuilder::new().items(item.into()).build()
}

/// A graph as the browser draws it.
#[derive(Debug)]
pub enum Workflow {}

impl ToSchema for Workflow {}

impl PartialSchema for Workflow {
    fn schema() -> RefOr<Schema> {
        let end = OneOfBuilder::new()
            .item(of(Type::Integer))
            .item(of(Type::String));
        ObjectBuilder::new()
            .schema_type(Type::Object)
            .description(Some(
                "A graph as the browser draws it. In pictures it is only stored; posted instead of a prompt, it is turned into one.",
            ))
            .property("last_node_id", of(Type::Integer))
            .property("last_link_id", of(Type::Integer))
            .property("nodes", list_of(drawn_node()))
            .property(
                "links",
                list_of(Schema::Array(
                    ArrayBuilder::new()
                        .items(end)
                        .min_items(Some(6))
                        .max_items(Some(6))
                        .build(),
                )),
            )
            .property("groups", list_of(of(Type::Object)))
            .property("config", of(Type::Object))
            .property("extra", of(Type::Object))
            .property("version", of(Type::Number))
            .into()
    }
}

/// One box of the drawing.
fn drawn_node() -> Schema {
    let input = ObjectBuilder::new()
        .schema_type(Type::Object)
        .property("name", of(Type::String))
        .property("type", of(Type::String))
        .property("link", of(Type::Integer));
    let output = ObjectBuilder::new()
        .schema_type(Type::Object)
        .property("name", of(Type::String))
        .property("type", of(Type::String))
        .property("links", list_of(of(Type::Integer)))
        .property("slot_index", of(Type::Integer));
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .property("id", of(Type::Integer))
        .property("type", of(Type::String))
        .property(
            "pos",
            ArrayBuilder::new()
                .items(of(Type::Number))
                .min_items(Some(2))
                .max_items(Some(2)),
        )
        .property(
            "size",
            ObjectBuilder::new()
                .schema_type(Type::Object)
                .property("0", of(Type::Number))
                .property("1", of(Type::Number)),
        )
        .property(
            "flags",
            ObjectBuilder::new()
                .schema_type(Type::Object)
                .additional_properties(Some(AdditionalProperties::RefOr(of(Type::Object).into()))),
        )
        .property("order", of(Type::Integer))
        .property("mode", of(Type::Integer))
        .property("inputs", list_of(Schema::Object(input.build())))
        .property("outputs", list_of(Schema::Object(output.build())))
        .property("properties", of(Type::Object))
        .property("widgets_values", list_of(of(Type::String)))
        .into()
}

/// What accompanies a prompt without being part of it.
#[derive(Debug)]
pub enum ExtraData {}

impl ToSchema for ExtraData {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((Workflow::name().into(), Workflow::schema()));
    }
}

impl PartialSchema for ExtraData {
    fn schema() -> RefOr<Schema> {
        let picture_texts = ObjectBuilder::new()
            .schema_type(Type::Object)
            .description(Some("Texts to store in saved pictures, by key."))
            .property("workflow", Ref::from_schema_name("Workflow"));
        ObjectBuilder::new()
            .schema_type(Type::Object)
            .description(Some(
                "What accompanies a prompt without being part of it. Unknown members are kept.",
            ))
            .property("extra_pnginfo", picture_texts)
            .into()
    }
}
