//! Schemas of the OpenAPI document for shapes that no Rust type has: a list of two unlike items, a choice of unlike values.

use std::borrow::Cow;

use serde_json::Value as Json;
use utoipa::openapi::schema::{
    AdditionalProperties, ArrayBuilder, Object, ObjectBuilder, OneOf, OneOfBuilder, SchemaType,
    Type,
};
use utoipa::openapi::{KnownFormat, RefOr, Schema, SchemaFormat};
use utoipa::{PartialSchema, ToSchema};

use crate::prompt::InputValue;

fn of(kind: Type) -> Object {
    ObjectBuilder::new().schema_type(kind).build()
}

/// One of several unlike values.
fn one_of(alternatives: impl IntoIterator<Item = Schema>) -> OneOf {
    alternatives
        .into_iter()
        .fold(OneOfBuilder::new(), |builder, alternative| {
            builder.item(alternative)
        })
        .build()
}

fn list_of_texts() -> Schema {
    ArrayBuilder::new().items(of(Type::String)).into()
}

/// The bytes of a file.
#[derive(Debug)]
pub enum FileBytes {}

impl ToSchema for FileBytes {}

impl PartialSchema for FileBytes {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Binary)))
            .into()
    }
}

/// The header that names a file: `filename="…"`.
#[derive(Debug)]
pub enum FileNameHeader {}

impl ToSchema for FileNameHeader {}

impl PartialSchema for FileNameHeader {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some("^filename=\".+\""))
            .into()
    }
}

/// How a node class declares what the server fills in: its kind, in brackets where the class is of the third node API.
#[derive(Debug)]
pub enum HiddenDeclaration {}

impl ToSchema for HiddenDeclaration {}

impl PartialSchema for HiddenDeclaration {
    fn schema() -> RefOr<Schema> {
        let list = ArrayBuilder::new().min_items(Some(1)).max_items(Some(2));
        RefOr::T(Schema::OneOf(one_of([
            of(Type::String).into(),
            list.into(),
        ])))
    }
}

/// How a node class declares an input: `[type]` or `[type, settings]`, where the type of a combo is its list of choices.
#[derive(Debug)]
pub enum InputDeclaration {}

impl ToSchema for InputDeclaration {}

impl PartialSchema for InputDeclaration {
    fn schema() -> RefOr<Schema> {
        let any_value = SchemaType::from_iter([
            Type::String,
            Type::Number,
            Type::Boolean,
            Type::Array,
            Type::Object,
            Type::Null,
        ]);
        let settings = ObjectBuilder::new()
            .schema_type(Type::Object)
            .property("default", ObjectBuilder::new().schema_type(any_value))
            .property("min", of(Type::Number))
            .property("max", of(Type::Number))
            .property("step", of(Type::Number))
            .property("multiline", of(Type::Boolean));
        let item = one_of([
            of(Type::String).into(),
            of(Type::Number).into(),
            settings.into(),
            list_of_texts(),
        ]);
        ArrayBuilder::new()
            .description(Some(
                "`[type]` or `[type, settings]`; the type of a combo is its list of choices.",
            ))
            .items(RefOr::T(Schema::OneOf(item)))
            .min_items(Some(1))
            .max_items(Some(2))
            .into()
    }
}

/// What a node was when it ran, as clients of the first contract sent it.
#[derive(Debug)]
pub enum Fingerprint {}

impl ToSchema for Fingerprint {}

impl PartialSchema for Fingerprint {
    fn schema() -> RefOr<Schema> {
        let others = SchemaType::from_iter([Type::Number, Type::Boolean, Type::Object, Type::Null]);
        let others = ObjectBuilder::new().schema_type(others).build();
        Schema::OneOf(one_of([
            list_of_texts(),
            of(Type::String).into(),
            others.into(),
        ]))
        .into()
    }
}

impl ToSchema for InputValue {
    fn name() -> Cow<'static, str> {
        "InputValue".into()
    }
}

impl PartialSchema for InputValue {
    fn schema() -> RefOr<Schema> {
        let link = ArrayBuilder::new()
            .description(Some(
                "The output of another node: its id and the number of the output.",
            ))
            .prefix_items([of(Type::String), of(Type::Integer)])
            .min_items(Some(2))
            .max_items(Some(2));
        let alternatives = [
            of(Type::Number).into(),
            of(Type::String).into(),
            of(Type::Boolean).into(),
            link.into(),
        ];
        Schema::OneOf(one_of(alternatives)).into()
    }
}

/// What to let go of: `{"unload_models": true}`, `{"free_memory": true}` or both.
#[derive(Debug)]
pub enum FreeBody {}

impl ToSchema for FreeBody {}

impl PartialSchema for FreeBody {
    fn schema() -> RefOr<Schema> {
        let only = |names: &[&str]| {
            let object = ObjectBuilder::new().schema_type(Type::Object);
            let object = names.iter().fold(object, |object, name| {
                let yes = ObjectBuilder::new()
                    .schema_type(Type::Boolean)
                    .enum_values(Some([Json::Bool(true)]));
                object.property(*name, yes).required(*name)
            });
            Schema::Object(
                object
                    .additional_properties(Some(AdditionalProperties::FreeForm(false)))
                    .build(),
            )
        };
        let alternatives = [
            only(&["unload_models"]),
            only(&["free_memory"]),
            only(&["unload_models", "free_memory"]),
        ];
        Schema::OneOf(one_of(alternatives)).into()
    }
}
