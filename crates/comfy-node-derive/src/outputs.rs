//! `#[derive(Outputs)]`.

use crate::attributes::{docs, named_fields, plain_name, settings};
use proc_macro2::TokenStream;
use quote::quote;
use syn::DeriveInput;

pub(crate) fn expand(item: &DeriveInput) -> syn::Result<TokenStream> {
    let name = &item.ident;
    let (mut specs, mut values) = (Vec::new(), Vec::new());
    for (ident, field) in named_fields(item, "outputs are the named fields of a struct")? {
        let ty = &field.ty;
        let mut label = plain_name(ident);
        for setting in settings(&field.attrs, "output")? {
            if setting.key != "name" {
                return Err(syn::Error::new(setting.key.span(), "expected name = \"…\""));
            }
            label = setting.text()?;
        }
        let tooltip = docs(&field.attrs);
        let tooltip = (!tooltip.is_empty()).then(|| quote!(.with_tooltip(#tooltip)));
        specs.push(quote!(::comfy_graph::OutputSpec::of::<#ty>(catalog).named(#label) #tooltip));
        values.push(quote!(::comfy_graph::Value::new(self.#ident)));
    }
    let (generics, arguments, bounds) = item.generics.split_for_impl();
    Ok(quote! {
        #[automatically_derived]
        impl #generics ::comfy_graph::Outputs for #name #arguments #bounds {
            fn specs(
                catalog: &dyn ::comfy_graph::Catalog,
            ) -> ::std::vec::Vec<::comfy_graph::OutputSpec> {
                let _ = catalog;
                ::std::vec![#(#specs),*]
            }

            fn into_values(self) -> ::std::vec::Vec<::comfy_graph::Value> {
                ::std::vec![#(#values),*]
            }
        }
    })
}
