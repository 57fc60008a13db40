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
        let mut gives = None;
        for setting in settings(&field.attrs, "output")? {
            match setting.key.to_string().as_str() {
                "name" => label = setting.text()?,
                "gives" => gives = Some(setting.text()?),
                _ => {
                    return Err(syn::Error::new(
                        setting.key.span(),
                        "expected name = \"…\" or gives = \"…\"",
                    ));
                }
            }
        }
        let gives = gives.map(|types| quote!(.gives(#types)));
        let tooltip = docs(&field.attrs);
        let tooltip = (!tooltip.is_empty()).then(|| quote!(.with_tooltip(#tooltip)));
        specs.push(
            quote!(::comfy_graph::OutputSpec::of::<#ty>(catalog).named(#label) #gives #tooltip),
        );
        values.push(quote!(<#ty as ::comfy_graph::OutputSlot>::into_output(self.#ident)));
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

            fn into_outputs(self) -> ::std::vec::Vec<::comfy_graph::Output> {
                ::std::vec![#(#values),*]
            }
        }
    })
}
