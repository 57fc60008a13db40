//! What nodes return.

use crate::{Blocker, Catalog, List, OutputSpec, Socket, Value};

/// What lies on an output: a value, or what keeps those behind it from running.
pub type Item = Result<Value, Blocker>;

/// What one call puts on an output slot.
#[derive(Debug, Clone)]
pub enum Output {
    /// One value.
    One(Item),
    /// The values of an output that is a list.
    Many(Vec<Item>),
}

/// A type of single values of an output: a [`Socket`], an `Option` of one (`None` becomes a null), or either in a `Result`
/// with a [`Blocker`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a value of an output",
    label = "expected a type that implements `Socket`, or an `Option` or `Result<_, Blocker>` of one"
)]
pub trait OutputItem {
    /// What it is on the wire.
    type Socket: Socket;

    /// The value.
    fn into_item(self) -> Item;
}

impl<T: Socket> OutputItem for T {
    type Socket = T;

    fn into_item(self) -> Item {
        Ok(Value::new(self))
    }
}

impl<T: Socket> OutputItem for Option<T> {
    type Socket = T;

    fn into_item(self) -> Item {
        Ok(self.map_or_else(Value::null, Value::new))
    }
}

impl<I: OutputItem> OutputItem for Result<I, Blocker> {
    type Socket = I::Socket;

    fn into_item(self) -> Item {
        self.and_then(OutputItem::into_item)
    }
}

/// A type of one output: an [`OutputItem`], a [`List`] of them, or a [`List`] in a `Result` with a [`Blocker`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an output of a node",
    label = "expected a type that implements `Socket`, or an `Option`, `List` or `Result<_, Blocker>` of one"
)]
pub trait OutputSlot {
    /// What it is on the wire.
    type Socket: Socket;

    /// Whether it is a list.
    const IS_LIST: bool;

    /// What to put on the slot.
    fn into_output(self) -> Output;
}

impl<I: OutputItem> OutputSlot for I {
    type Socket = I::Socket;

    const IS_LIST: bool = false;

    fn into_output(self) -> Output {
        Output::One(self.into_item())
    }
}

impl<I: OutputItem> OutputSlot for List<I> {
    type Socket = I::Socket;

    const IS_LIST: bool = true;

    fn into_output(self) -> Output {
        Output::Many(self.into_iter().map(OutputItem::into_item).collect())
    }
}

impl<I: OutputItem> OutputSlot for Result<List<I>, Blocker> {
    type Socket = I::Socket;

    const IS_LIST: bool = true;

    fn into_output(self) -> Output {
        match self {
            Ok(list) => list.into_output(),
            Err(blocker) => Output::Many(vec![Err(blocker)]),
        }
    }
}

/// The outputs of a node: one [`OutputSlot`], a tuple of up to eight, `()`, or a struct that derives `Outputs`.
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
    fn into_outputs(self) -> Vec<Output>;
}

impl<S: OutputSlot> Outputs for S {
    fn specs(catalog: &dyn Catalog) -> Vec<OutputSpec> {
        vec![OutputSpec::of::<S>(catalog)]
    }

    fn into_outputs(self) -> Vec<Output> {
        vec![self.into_output()]
    }
}

macro_rules! tuple {
    ($($name:ident)*) => {
        impl<$($name: OutputSlot),*> Outputs for ($($name,)*) {
            fn specs(catalog: &dyn Catalog) -> Vec<OutputSpec> {
                let _ = catalog;
                vec![$(OutputSpec::of::<$name>(catalog)),*]
            }

            fn into_outputs(self) -> Vec<Output> {
                #[expect(non_snake_case, reason = "the type parameters name the members too")]
                let ($($name,)*) = self;
                vec![$($name.into_output()),*]
            }
        }

        /// One blocker for all outputs.
        impl<$($name: OutputSlot),*> Outputs for Result<($($name,)*), Blocker> {
            fn specs(catalog: &dyn Catalog) -> Vec<OutputSpec> {
                <($($name,)*)>::specs(catalog)
            }

            fn into_outputs(self) -> Vec<Output> {
                match self {
                    Ok(outputs) => outputs.into_outputs(),
                    Err(blocker) => vec![$({
                        let _ = stringify!($name);
                        Output::One(Err(blocker.clone()))
                    }),*],
                }
            }
        }
    };
}

impl Outputs for () {
    fn specs(_: &dyn Catalog) -> Vec<OutputSpec> {
        Vec::new()
    }

    fn into_outputs(self) -> Vec<Output> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn shown<O: Outputs>(outputs: O) -> String {
        let item = |item: &Item| match item {
            Ok(value) => value.describe(),
            Err(blocker) => format!("blocked {}", blocker.message().unwrap_or_default()),
        };
        let output = |output: &Output| match output {
            Output::One(one) => item(one),
            Output::Many(many) => format!("{:?}", many.iter().map(item).collect::<Vec<_>>()),
        };
        let outputs = outputs.into_outputs();
        outputs.iter().map(output).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn every_form_of_an_output() {
        let blocker = || Blocker::new("no");
        assert_eq!(shown(1_i64), "1");
        assert_eq!(shown((Some(1_i64), None::<String>)), "1, None");
        assert_eq!(shown(Err::<i64, _>(blocker())), "blocked no");
        assert_eq!(
            shown(List(vec![Ok(1_i64), Err(blocker())])),
            "[\"1\", \"blocked no\"]"
        );
        assert_eq!(
            shown((1_i64, Err::<List<i64>, _>(Blocker::silent()))),
            "1, [\"blocked \"]"
        );
        assert_eq!(
            shown(Err::<(i64, String), _>(blocker())),
            "blocked no, blocked no"
        );
        let specs = <(List<i64>, Result<List<Option<f64>>, Blocker>, Option<bool>)>::specs(
            &crate::EmptyCatalog,
        );
        let specs: Vec<_> = specs
            .iter()
            .map(|spec| (spec.socket.name(), spec.is_list))
            .collect();
        assert_eq!(specs, [("INT", true), ("FLOAT", true), ("BOOLEAN", false)]);
    }
}
