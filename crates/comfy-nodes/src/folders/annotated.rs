//! Names that say which directory they are in: `picture.png [output]`.

use std::str::FromStr;

/// The three directories that clients can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DirectoryKind {
    /// Uploads and pictures to load.
    Input,
    /// Results.
    Output,
    /// Previews.
    Temp,
}

impl DirectoryKind {
    /// The name clients use: `input`, `output`, `temp`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Output => "output",
            Self::Temp => "temp",
        }
    }
}

impl FromStr for DirectoryKind {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        match name {
            "input" => Ok(Self::Input),
            "output" => Ok(Self::Output),
            "temp" => Ok(Self::Temp),
            _ => Err(()),
        }
    }
}

/// A name taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnnotatedName<'a> {
    /// The name without the ending.
    pub name: &'a str,
    /// The directory the ending names, if there is one.
    pub kind: Option<DirectoryKind>,
}

impl<'a> AnnotatedName<'a> {
    /// Splits off an ending ` [input]`, ` [output]` or ` [temp]`. The one character before the bracket belongs to the
    /// ending, whatever it is.
    pub fn parse(text: &'a str) -> Self {
        for kind in [
            DirectoryKind::Input,
            DirectoryKind::Output,
            DirectoryKind::Temp,
        ] {
            if let Some(rest) = text
                .strip_suffix(']')
                .and_then(|rest| rest.strip_suffix(kind.as_str()))
                .and_then(|rest| rest.strip_suffix('['))
            {
                let mut characters = rest.chars();
                characters.next_back();
                return Self {
                    name: characters.as_str(),
                    kind: Some(kind),
                };
            }
        }
        Self {
            name: text,
            kind: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_are_split_off() {
        let parsed = |text| {
            let name = AnnotatedName::parse(text);
            (name.name, name.kind)
        };
        assert_eq!(parsed("a.png"), ("a.png", None));
        assert_eq!(
            parsed("a.png [output]"),
            ("a.png", Some(DirectoryKind::Output))
        );
        assert_eq!(
            parsed("sub/a.png [temp]"),
            ("sub/a.png", Some(DirectoryKind::Temp))
        );
        assert_eq!(parsed("[input]"), ("", Some(DirectoryKind::Input)));
        assert_eq!(parsed("a [output].png"), ("a [output].png", None));
        assert_eq!(parsed("a [models]"), ("a [models]", None));
    }
}
