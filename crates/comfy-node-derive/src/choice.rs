//! `#[derive(Choice)]`.

use crate::attributes::plain_name;
use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput, Fields, LitStr, Variant};

pub(crate) fn expand(item: &DeriveInput) -> syn::Result<TokenStream> {
    let name = &item.ident;
    let refuse = || {
        syn::Error::new(
            name.span(),
            "a choice is an enum whose variants have no fields",
        )
    };
    let Data::Enum(data) = &item.data else {
        return Err(refuse());
    };
    if data.variants.is_empty() || !data.variants.iter().all(is_plain) {
        return Err(refuse());
    }
    let variants: Vec<_> = data.variants.iter().map(|variant| &variant.ident).collect();
    let names = data
        .variants
        .iter()
        .map(wire_name)
        .collect::<syn::Result<Vec<_>>>()?;
    Ok(quote! {
        #[automatically_derived]
        impl ::comfy_graph::Choice for #name {
            const NAMES: &'static [&'static str] = &[#(#names),*];

            fn from_name(name: &str) -> ::core::option::Option<Self> {
                match name {
                    #(#names => ::core::option::Option::Some(Self::#variants),)*
                    _ => ::core::option::Option::None,
                }
            }

            fn name(&self) -> &'static str {
                match self {
                    #(Self::#variants => #names,)*
                }
            }
        }

        #[automatically_derived]
        impl ::comfy_graph::Socket for #name {
            const TYPE: &'static str = "COMBO";

            fn from_json(json: &::comfy_graph::Json) -> ::core::option::Option<Self> {
                <Self as ::comfy_graph::Choice>::from_name(json.as_str()?)
            }

            fn to_json(&self) -> ::core::option::Option<::comfy_graph::Json> {
                ::core::option::Option::Some(<Self as ::comfy_graph::Choice>::name(self).into())
            }

            fn choices(
                _: &dyn ::comfy_graph::Catalog,
            ) -> ::core::option::Option<::std::vec::Vec<::std::string::String>> {
                let names = <Self as ::comfy_graph::Choice>::NAMES;
                ::core::option::Option::Some(names.iter().map(|&name| name.into()).collect())
            }
        }

        #[automatically_derived]
        impl ::comfy_graph::Widget for #name {
            type Setting = Self;
        }

        #[automatically_derived]
        impl ::core::convert::From<#name> for ::comfy_graph::Json {
            fn from(choice: #name) -> Self {
                <#name as ::comfy_graph::Choice>::name(&choice).into()
            }
        }
    })
}

fn wire_name(variant: &Variant) -> syn::Result<String> {
    let attribute = variant.attrs.iter().find(|a| a.path().is_ident("choice"));
    match attribute {
        Some(attribute) => Ok(attribute.parse_args::<LitStr>()?.value()),
        None => Ok(plain_name(&variant.ident).to_lowercase()),
    }
}

fn is_plain(variant: &Variant) -> bool {
    matches!(variant.fields, Fields::Unit)
}
