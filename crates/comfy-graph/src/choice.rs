//! Combos with a fixed list of choices.

/// An enum whose variants are the choices of a combo; derive it.
///
/// ```
/// use comfy_graph::Choice;
///
/// /// What to do with a picture of another shape.
/// #[derive(Clone, Copy, Debug, PartialEq, Choice)]
/// enum Crop {
///     /// Squeeze it.
///     #[choice("disabled")]
///     Disabled,
///     /// Cut its edges.
///     #[choice("center")]
///     Center,
/// }
///
/// assert_eq!(Crop::NAMES, ["disabled", "center"]);
/// assert_eq!(Crop::from_name("center"), Some(Crop::Center));
/// ```
pub trait Choice: Sized {
    /// The choices in the order in which clients show them.
    const NAMES: &'static [&'static str];

    /// The variant called `name`.
    fn from_name(name: &str) -> Option<Self>;

    /// The name of the variant.
    fn name(&self) -> &'static str;
}
