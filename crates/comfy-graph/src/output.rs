//! What nodes return.

use crate::{Catalog, OutputSpec, Socket, Value};

/// The outputs of a node: a socket, a tuple of up to eight, `()`, or a struct that derives `Outputs`.
///
/// ```
/// use comfy_graph::Outputs;
///
/// /// A division with remainder.
/// #[derive(Outputs)]
/// struct Division {
///     /// How often the divisor fits.
///     quotient: i64,
///     /// What is left.
///     #[output(name = "rest")]
///     remainder: i64,
/// }
///
/// let specs = Division::specs(&comfy_graph::EmptyCatalog);
/// assert_eq!(specs[1].name, "rest");
/// assert_eq!(specs[1].tooltip.as_deref(), Some("What is left."));
/// ```
pub trait Outputs: Sized {
    /// The outputs in slot order.
    fn specs(catalog: &dyn Catalog) -> Vec<OutputSpec>;

    /// The values in slot order, as many as there are [`specs`](Self::specs).
    fn into_values(self) -> Vec<Value>;
}

impl<T: Socket> Outputs for T {
    fn specs(catalog: &dyn Catalog) -> Vec<OutputSpec> {
        vec![OutputSpec::of::<T>(catalog)]
    }

    fn into_values(self) -> Vec<Value> {
        vec![Value::new(self)]
    }
}

macro_rules! tuple {
    ($($name:ident)*) => {
        impl<$($name: Socket),*> Outputs for ($($name,)*) {
            fn specs(catalog: &dyn Catalog) -> Vec<OutputSpec> {
                let _ = catalog;
                vec![$(OutputSpec::of::<$name>(catalog)),*]
            }

            fn into_values(self) -> Vec<Value> {
                #[expect(non_snake_case, reason = "the type parameters name the members too")]
                let ($($name,)*) = self;
                vec![$(Value::new($name)),*]
            }
        }
    };
}

impl Outputs for () {
    fn specs(_: &dyn Catalog) -> Vec<OutputSpec> {
        Vec::new()
    }

    fn into_values(self) -> Vec<Value> {
        Vec::new()
    }
}
tuple!(A);
tuple!(A B);
tuple!(A B C);
tuple!(A B C D);
tuple!(A B C D E);
tuple!(A B C D E F);
tuple!(A B C D E F G);
tuple!(A B C D E F G H);
