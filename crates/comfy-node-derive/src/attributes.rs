//! Doc comments and settings in attributes.

use syn::{Attribute, Data, DeriveInput, Expr, ExprLit, Field, Fields, Ident, Lit, Meta, Token};

/// One `key = value` of an attribute; a key alone means `true`.
pub(crate) struct Setting {
    pub(crate) key: Ident,
    pub(crate) value: Option<Expr>,
}

impl Setting {
    /// The value, which must be a text.
    pub(crate) fn text(&self) -> syn::Result<String> {
        match &self.value {
            Some(Expr::Lit(ExprLit {
                lit: Lit::Str(text),
                ..
            })) => Ok(text.value()),
            _ => Err(syn::Error::new(
                self.key.span(),
                format!("expected {} = \"…\"", self.key),
            )),
        }
    }
}

/// The settings in all attributes called `name`.
pub(crate) fn settings(attributes: &[Attribute], name: &str) -> syn::Result<Vec<Setting>> {
    let mut settings: Vec<Setting> = Vec::new();
    for attribute in attributes.iter().filter(|a| a.path().is_ident(name)) {
        attribute.parse_nested_meta(|meta| {
            let key = meta.path.require_ident()?.clone();
            let value = if meta.input.peek(Token![=]) {
                Some(meta.value()?.parse()?)
            } else {
                None
            };
            if settings.iter().any(|setting| setting.key == key) {
                return Err(meta.error(format!("{key} is given twice")));
            }
            settings.push(Setting { key, value });
            Ok(())
        })?;
    }
    Ok(settings)
}

/// The doc comment: lines joined by blanks, paragraphs by line breaks.
pub(crate) fn docs(attributes: &[Attribute]) -> String {
    let mut text = String::new();
    for line in attributes.iter().filter_map(doc_line) {
        let line = line.trim();
        if line.is_empty() {
            text.push('\n');
            continue;
        }
        if !text.is_empty() && !text.ends_with('\n') {
            text.push(' ');
        }
        text.push_str(line);
    }
    text.trim().to_owned()
}

fn doc_line(attribute: &Attribute) -> Option<String> {
    match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("doc") => match &pair.value {
            Expr::Lit(ExprLit {
                lit: Lit::Str(line),
                ..
            }) => Some(line.value()),
            _ => None,
        },
        _ => None,
    }
}

/// The named fields of a struct; none for `struct Name;`.
pub(crate) fn named_fields<'a>(
    item: &'a DeriveInput,
    purpose: &str,
) -> syn::Result<Vec<(&'a Ident, &'a Field)>> {
    let refuse = || syn::Error::new(item.ident.span(), purpose);
    let Data::Struct(data) = &item.data else {
        return Err(refuse());
    };
    match &data.fields {
        Fields::Named(fields) => fields
            .named
            .iter()
            .map(|field| Ok((field.ident.as_ref().ok_or_else(refuse)?, field)))
            .collect(),
        Fields::Unit => Ok(Vec::new()),
        Fields::Unnamed(_) => Err(refuse()),
    }
}

/// The name of a field without the `r#` of Rust's keywords.
pub(crate) fn plain_name(ident: &Ident) -> String {
    let name = ident.to_string();
    name.strip_prefix("r#").unwrap_or(&name).to_owned()
}
