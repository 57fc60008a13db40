//! The derive macros with which a node declares its inputs and outputs.
//!
//! They write nothing that the builders of `comfy-graph` do not allow by hand; see there for what they mean.

mod attributes;
mod choice;
mod outputs;
mod spec;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Derives `NodeSpec` for a struct whose fields are the inputs of a node.
///
/// The doc comment of the struct is the description that people see, that of a field its help text.
///
/// On the struct, `#[node(id = "…", name = "…", category = "…", module = "…", output_node)]`: `id` is required, the others
/// are methods of `SchemaBuilder`. A flag without a value means `true`.
///
/// On a field, `#[input(default = …, min = …, max = …, step = …, options = […], multiline, …)]`: methods of
/// `InputBuilder`, which exist only where they make sense for the type of the field. `name = "…"` gives the input another
/// name in prompts than the field has.
#[proc_macro_derive(NodeSpec, attributes(node, input))]
pub fn node_spec(item: TokenStream) -> TokenStream {
    expand(&parse_macro_input!(item as DeriveInput), spec::expand)
}

/// Derives `Outputs` for a struct whose fields are the outputs of a node, in slot order.
///
/// The doc comment of a field is its help text. `#[output(name = "…")]` gives it another label than the field has,
/// `#[output(gives = "A,B")]` another type on the wire than that of its Rust type.
#[proc_macro_derive(Outputs, attributes(output))]
pub fn outputs(item: TokenStream) -> TokenStream {
    expand(&parse_macro_input!(item as DeriveInput), outputs::expand)
}

/// Derives `Choice`, and with it a combo input, for an enum without fields.
///
/// `#[choice("…")]` names a variant on the wire; without it the name is the variant's in lower case.
#[proc_macro_derive(Choice, attributes(choice))]
pub fn choice(item: TokenStream) -> TokenStream {
    expand(&parse_macro_input!(item as DeriveInput), choice::expand)
}

fn expand(
    item: &DeriveInput,
    expand: fn(&DeriveInput) -> syn::Result<proc_macro2::TokenStream>,
) -> TokenStream {
    expand(item)
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}
