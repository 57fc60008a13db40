//! `#[derive(NodeSpec)]`.

use crate::attributes::{docs, named_fields, plain_name, settings};
use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{DeriveInput, Field, Ident};

pub(crate) fn expand(item: &DeriveInput) -> syn::Result<TokenStream> {
    let name = &item.ident;
    let description = docs(&item.attrs);
    if description.is_empty() {
        return Err(syn::Error::new(
            name.span(),
            "document the node: its doc comment is the description that people see",
        ));
    }
    let mut id = None;
    let mut calls = Vec::new();
    for setting in settings(&item.attrs, "node")? {
        let key = &setting.key;
        if key == "id" {
            id = Some(setting.text()?);
            continue;
        }
        let value = setting.value.map_or_else(|| quote!(true), |v| quote!(#v));
        calls.push(quote_spanned!(key.span()=> .#key(#value)));
    }
    let id = id.ok_or_else(|| {
        syn::Error::new(
            name.span(),
            "name the node: #[node(id = \"…\", category = \"…\")]",
        )
    })?;

    let fields = named_fields(item, "a node is a struct whose named fields are its inputs")?;
    let (mut inputs, mut takes) = (Vec::new(), Vec::new());
    for (ident, field) in fields {
        let (input, take) = input(ident, field)?;
        inputs.push(input);
        takes.push(take);
    }
    let (generics, arguments, bounds) = item.generics.split_for_impl();
    Ok(quote! {
        #[automatically_derived]
        impl #generics ::comfy_graph::NodeSpec for #name #arguments #bounds {
            const ID: &'static str = #id;

            fn schema(catalog: &dyn ::comfy_graph::Catalog) -> ::comfy_graph::SchemaBuilder {
                let _ = catalog;
                ::comfy_graph::SchemaBuilder::new(#id, #description, ::core::module_path!())
                    #(#calls)*
                    #(#inputs)*
            }

            fn from_inputs(
                inputs: &mut ::comfy_graph::Inputs,
            ) -> ::core::result::Result<Self, ::comfy_graph::InputError> {
                let _ = &inputs;
                ::core::result::Result::Ok(Self { #(#takes),* })
            }
        }
    })
}

/// The declaration of an input, and how the node takes it.
fn input(ident: &Ident, field: &Field) -> syn::Result<(TokenStream, TokenStream)> {
    let ty = &field.ty;
    let mut name = plain_name(ident);
    let mut calls = Vec::new();
    for setting in settings(&field.attrs, "input")? {
        let key = &setting.key;
        if key == "name" {
            name = setting.text()?;
            continue;
        }
        let value = setting.value.map_or_else(|| quote!(true), |v| quote!(#v));
        calls.push(quote_spanned!(key.span()=> .#key(#value)));
    }
    let tooltip = docs(&field.attrs);
    let tooltip = (!tooltip.is_empty()).then(|| quote!(.tooltip(#tooltip)));
    let new = quote_spanned!(ty.span()=> ::comfy_graph::InputBuilder::<#ty>::new(#name, catalog));
    let take = quote_spanned!(ty.span()=> inputs.take::<#ty>(#name)?);
    Ok((
        quote!(.input(#new #(#calls)* #tooltip)),
        quote!(#ident: #take),
    ))
}
